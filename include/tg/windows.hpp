#pragma once
// Windows that move along the axes behind batch and channels: convolutions, pooling; and resizing those axes.
//
//   conv1d(x, w, {.padding = Padding::same()});  max_pool3d(x, {.size = 2});  interpolate(x, {.scale = {2, 2}, .mode = Resize::Linear})
//
// Shapes are (n, channels, sizes...), or (channels, sizes...) without a batch, with 1, 2 or 3 sizes as the name says. ShapeError where a
// shape does not fit, ValueError for options that have no meaning.
#include "tg/tensor.hpp"

namespace tg {

/// With weights (out, channels / groups, window...) and a bias (out), or Tensor() for none, to (n, out, sizes...), of which each is
/// (size + padding - dilation (window - 1) - 1) / stride + 1. Cross-correlation, as every framework's.
[[nodiscard]] Tensor conv1d(const Tensor& x, const Tensor& weight, const Bias& bias, const ConvOptions& options = {});
[[nodiscard]] Tensor conv2d(const Tensor& x, const Tensor& weight, const Bias& bias, const ConvOptions& options = {});
[[nodiscard]] Tensor conv3d(const Tensor& x, const Tensor& weight, const Bias& bias, const ConvOptions& options = {});
[[nodiscard]] inline Tensor conv1d(const Tensor& x, const Tensor& w, const ConvOptions& o = {}) { return conv1d(x, w, Tensor(), o); }
[[nodiscard]] inline Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& o = {}) { return conv2d(x, w, Tensor(), o); }
[[nodiscard]] inline Tensor conv3d(const Tensor& x, const Tensor& w, const ConvOptions& o = {}) { return conv3d(x, w, Tensor(), o); }

struct ConvTransposeOptions {  // of transposed convolutions
  detail::ByName by_name_only = detail::by_name;
  PerAxis stride = 1;          // how far windows are apart
  Padding padding = 0;         // cut off the result, as it is added by the convolution that this one is the adjoint of
  PerAxis output_padding = 0;  // so much longer at the end; less than stride or dilation
  PerAxis dilation = 1;        // how far elements of a window are apart
  int64_t groups = 1;          // channels are cut into so many parts that see each other only
};
/// The adjoint of a convolution: with weights (channels, out / groups, window...) to (n, out, sizes...), of which each is
/// (size - 1) stride - padding + dilation (window - 1) + output_padding + 1.
[[nodiscard]] Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                      const ConvTransposeOptions& options = {});
[[nodiscard]] Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                      const ConvTransposeOptions& options = {});
[[nodiscard]] Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                      const ConvTransposeOptions& options = {});

/// The largest of each window; padding is never it. Where several are, they share the gradient.
[[nodiscard]] Tensor max_pool1d(const Tensor& x, const PoolOptions& options = {});
[[nodiscard]] Tensor max_pool2d(const Tensor& x, const PoolOptions& options = {});
[[nodiscard]] Tensor max_pool3d(const Tensor& x, const PoolOptions& options = {});
/// And where it is, int32, counted through the sizes of its channel in row-major order: the first of equals, which gets the gradient.
[[nodiscard]] Found max_pool1d_with_indices(const Tensor& x, const PoolOptions& options = {});
[[nodiscard]] Found max_pool2d_with_indices(const Tensor& x, const PoolOptions& options = {});
[[nodiscard]] Found max_pool3d_with_indices(const Tensor& x, const PoolOptions& options = {});
/// The mean of each window. Of integers in float32.
[[nodiscard]] Tensor avg_pool1d(const Tensor& x, const PoolOptions& options = {});
[[nodiscard]] Tensor avg_pool2d(const Tensor& x, const PoolOptions& options = {});
[[nodiscard]] Tensor avg_pool3d(const Tensor& x, const PoolOptions& options = {});
#define POOL(name)                                                                                             \
  template <detail::Integer I>                                                                                \
  [[nodiscard]] Tensor name(const Tensor& x, I size) { return name(x, {.size = size}); }                      \
  template <detail::Integer I>                                                                                \
  [[nodiscard]] Tensor name(const Tensor& x, std::initializer_list<I> size) { return name(x, {.size = Sizes(size.begin(), size.end())}); }
POOL(max_pool1d) POOL(max_pool2d) POOL(max_pool3d) POOL(avg_pool1d) POOL(avg_pool2d) POOL(avg_pool3d)
#undef POOL
/// So many windows of nearly equal size, from floor(i size / count) to ceil((i + 1) size / count), to the sizes `count`; -1 keeps one.
[[nodiscard]] Tensor adaptive_max_pool1d(const Tensor& x, const PerAxis& count);
[[nodiscard]] Tensor adaptive_max_pool2d(const Tensor& x, const PerAxis& count);
[[nodiscard]] Tensor adaptive_max_pool3d(const Tensor& x, const PerAxis& count);
[[nodiscard]] Found adaptive_max_pool1d_with_indices(const Tensor& x, const PerAxis& count);
[[nodiscard]] Found adaptive_max_pool2d_with_indices(const Tensor& x, const PerAxis& count);
[[nodiscard]] Found adaptive_max_pool3d_with_indices(const Tensor& x, const PerAxis& count);
[[nodiscard]] Tensor adaptive_avg_pool1d(const Tensor& x, const PerAxis& count);
[[nodiscard]] Tensor adaptive_avg_pool2d(const Tensor& x, const PerAxis& count);
[[nodiscard]] Tensor adaptive_avg_pool3d(const Tensor& x, const PerAxis& count);

enum class Resize : uint8_t { Nearest, Linear };  // the nearest element, or between neighbours
struct InterpolateOptions {  // of interpolate
  detail::ByName by_name_only = detail::by_name;
  Sizes size = {};                 // the new sizes, one for all or one an axis; or
  std::vector<double> scale = {};  // what they are multiplied by
  Resize mode = Resize::Nearest;   // Linear: between two, four or eight neighbours
  bool align_corners = false;      // Linear: the first and last elements stay where they are, instead of the edges of the grid's cells
};
/// (n, channels, sizes...) on a grid of other sizes: floor(size scale). Linear of integers in float32.
[[nodiscard]] Tensor interpolate(const Tensor& x, const InterpolateOptions& options);

}  // namespace tg
