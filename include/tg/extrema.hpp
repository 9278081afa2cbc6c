#pragma once
// The largest, smallest or middle element along an axis as one of the elements, and where it is.
//
//   auto [values, indices] = max_with_indices(x, {.axis = 1});
#include "tg/tensor.hpp"

namespace tg {

/// int32 indices along the axis, or without one in the flattened tensor: the first of equals, or the first nan. That element alone has the
/// gradient, which equals share in Tensor::max and min. ValueError of nothing, or of several axes.
[[nodiscard]] Found max_with_indices(const Tensor& x, const ArgOptions& options = {});
[[nodiscard]] Found min_with_indices(const Tensor& x, const ArgOptions& options = {});
[[nodiscard]] Found median_with_indices(const Tensor& x, const ArgOptions& options = {});  // the lower of two in the middle

}  // namespace tg
