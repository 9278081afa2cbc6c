#pragma once
// Exponentials and logarithms of a float32 or float64 expression, from multiplications, additions and integer operations on the bits.
//
//   exp2_polynomial(x)  = p(x - n) * 2^n, n the nearest whole number      log2_polynomial(x) = e + m * p(m), x = (1 + m) * 2^e
//
// All within 1.5 units in the last place everywhere, denormal arguments and results included. exp(nan) is nan; log(0) is -inf, the
// logarithm of a negative number nan.
#include "codegen/float_format.hpp"
#include "tg/ir/uop.hpp"

namespace tg::codegen {

extern const Polynomial kExp2;  // 2^r, |r| to 1/2
UOp exp2_polynomial(const UOp& x);
UOp exp_polynomial(const UOp& x);
UOp log2_polynomial(const UOp& x);
UOp log_polynomial(const UOp& x);

}  // namespace tg::codegen
