#pragma once
// What operations that move windows share: options as a number for each axis, and the windows themselves.
//
//   in:  x (n, c, 5), size 3, stride 2, padding 1      out: (n, c, 3, 3), of which the first window begins at -1
#include <string_view>

#include "tensor/impl.hpp"

namespace tg {

/// A number for each of the axes. Throws ValueError where there are not as many, or one is below `least`.
Sizes each(const PerAxis& given, int axes, int64_t least, std::string_view operation, std::string_view what);

struct Sliding {
  Sizes size, stride, before, after, dilation;  // before, after: the padding
};
/// Of the padding and size that options give. Throws ValueError; Padding::same() is for a stride of 1.
Sliding sliding(const PerAxis& size, const PerAxis& stride, const Padding& padding, const PerAxis& dilation, int axes,
                std::string_view operation);
/// Windows of the axes behind the first two, (n, c, positions..., size...); the padding is zeros, or `outside`. Throws ShapeError where
/// one does not fit.
Tensor slide(const Tensor& x, const Sliding& s, double outside, std::string_view operation);
/// x with a batch of one where it has none. Throws ShapeError unless it is (n, channels, sizes...) or (channels, sizes...).
Tensor batched(const Tensor& x, int axes, std::string_view operation);
/// f(batched(x)), without a batch where x has none.
template <class F>
Tensor over_batch(const Tensor& x, int axes, std::string_view operation, F f) {
  const Tensor y = f(batched(x, axes, operation));
  return x.rank() == axes + 1 ? y.squeeze(0) : y;
}
/// A vector over channels as it broadcasts beside (n, c, ...).
Tensor per_channel(const Tensor& v, const Tensor& x, std::string_view operation, std::string_view what);

}  // namespace tg
