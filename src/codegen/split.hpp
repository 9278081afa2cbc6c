#pragma once
// Output ranges of which a reduction uses quotient and remainder become two ranges, so that its indices move by constants.
//
//   out[i] = sum over r of a[i/16, r] * b[i%16, r], i < 64          out[g*16+o] = sum over r of a[g, r] * b[o, r], g < 4 and o < 16
//
// The first is a convolution in groups; the gradient of one with a stride of s takes y/s and y%s: then for each y%s a sum of its own taps.
#include "ir/kernel.hpp"

namespace tg {

/// The same kernel over split ranges, wherever no quotient or remainder of the outer part is left. An extent that the divisor does not
/// divide makes loads and stores test that they are inside.
Kernel split(Kernel);

}  // namespace tg
