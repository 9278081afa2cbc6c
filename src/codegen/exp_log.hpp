#pragma once
// exp2 and log2 of a float32 or float64 expression, from multiplications, additions and integer operations on the bits.
//
//   exp2_polynomial(x)  = p(x - n) * 2^n, n the nearest integer      log2_polynomial(x) = e + f * p(f), x = (1 + f) * 2^e
#include "ir/uop.hpp"

namespace tg::codegen {

/// Within 1 unit in the last place everywhere; results below the smallest normal number are right too, nan stays nan.
UOp exp2_polynomial(const UOp& x);
/// Within 2 units in the last place, of denormal arguments too; log2(0) is -inf, of negative numbers nan.
UOp log2_polynomial(const UOp& x);

}  // namespace tg::codegen
