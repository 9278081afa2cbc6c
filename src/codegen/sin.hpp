#pragma once
// sin, cos and tan of a float32 or float64 expression of any size, from integer and float arithmetic.
//
//   sin_polynomial(x)  = +-p(r) or +-q(r), x = n * pi / 2 + r, r found by multiplying the bits of x with as many bits of 1/pi as matter
#include "tg/ir/uop.hpp"

namespace tg::codegen {

/// Within 2 units in the last place for every finite x; nan for infinities.
UOp sin_polynomial(const UOp& x);
UOp cos_polynomial(const UOp& x);
UOp tan_polynomial(const UOp& x);

}  // namespace tg::codegen
