#pragma once
// Convolutions of windows of 3 by fewer multiplications.
//
//   winograd(x (n, c, h, w), weight (o, c, 3, 3), ...)      (n, o, h - 2, w - 2) without padding
#include <string_view>

#include "tensor/sliding.hpp"

namespace tg {

/// What the convolution gives, rounded otherwise: on float32 about ten times as far from the exact sums. Sums are made in float32 at the
/// least. Throws ValueError where windows are not of 3, or apart.
Tensor winograd(const Tensor& x, const Tensor& weight, const Sliding& s, int64_t groups, std::string_view operation);

}  // namespace tg
