// Convolutions over any number of axes: windows of the input, a broadcasted multiplication and a sum; transposed ones: the multiplication
// first, then the sum where windows overlap.
//
//   conv1d(x (n, c, l), w (o, c, k))             Reduce(Window(Pad(x)) * w, Sum, axes c and k)
//   conv_transpose1d(x (n, c, l), w (c, o, k))   Pad(OverlapAdd(Reduce(x * w, Sum, axis c))), the padding negative
#include "tg/windows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tensor/factors.hpp"
#include "tensor/sliding.hpp"
#include "tensor/winograd.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

namespace {

WindowArg window_arg(const Sliding& s, int i, int64_t length = -1) {
  const auto k = static_cast<size_t>(i);
  return {i + 2, static_cast<int32_t>(s.size[k]), static_cast<int32_t>(s.stride[k]), static_cast<int32_t>(s.dilation[k]), length};
}
std::string axes_named(int axes) {
  constexpr const char* names[] = {"length", "height, width", "depth, height, width"};
  return names[axes - 1];
}
void append(Sizes& to, const Sizes& from, size_t first = 0) {
  to.insert(to.end(), from.begin() + static_cast<ptrdiff_t>(first), from.end());
}

/// Checks a weight (outer, inner / groups, window...) beside `channels` of the input, which meet its first or its second axis.
void check_weight(const Tensor& x, const Tensor& weight, int64_t groups, int axes, bool transposed, std::string_view operation) {
  const char* channels = transposed ? "in channels, out channels / groups" : "out channels, in channels / groups";
  if (weight.rank() != axes + 2)
    throw ShapeError(fmt::format("{}: the weight's shape {} is not ({}, {})", operation, to_string(weight.shape()), channels,
                                 axes_named(axes)));
  const int64_t met = transposed ? weight.size(0) : weight.size(1) * groups;
  if (groups < 1 || x.size(1) != met || weight.size(0) % groups != 0)
    throw ShapeError(fmt::format(
        "{}: input {}, weight {}, groups {}: the input must have weight axis {} channels, and weight axis 0 must divide by groups",
        operation, to_string(x.shape()), to_string(weight.shape()), groups, transposed ? "0" : "1 times groups"));
}

/// The sum over axes of a * b, each reshaped to its sizes, which broadcast; an axis of one group is not there.
UOp contracted(const Factors& f, Sizes a, Sizes b, std::vector<int> summed) {
  if (a[1] == 1 && b[1] == 1) {
    a.erase(a.begin() + 1);
    b.erase(b.begin() + 1);
    for (int& axis : summed) --axis;
  }
  const Shape all = broadcast_shape(shape_of(a), shape_of(b), "conv");
  return reduce(spread(reshape(f.a, shape_of(a)), all) * spread(reshape(f.b, shape_of(b)), all), Monoid::Sum, summed);
}
/// The sums in the dtype of the result, with the bias.
Tensor finished(const UOp& sums, const Factors& f, const Tensor& x, const Tensor& weight, const Tensor& bias, std::string_view operation) {
  const bool grad = is_float(f.result) && (carries_gradient(x) || carries_gradient(weight));
  const Tensor y = make(cast(sums, f.result), x.device(), grad);
  return bias.defined() ? y + per_channel(bias, y, operation, "bias") : y;
}

Tensor convolve(const Tensor& input, const Tensor& weight, const Tensor& bias, const ConvOptions& o, int axes, std::string_view operation) {
  return over_batch(input, axes, operation, [&](const Tensor& x) {
    check_weight(x, weight, o.groups, axes, false, operation);
    const Sizes w = weight.shape(), window(w.begin() + 2, w.end());
    const Sliding sides = sliding(window, o.stride, o.padding, o.dilation, axes, operation);
    const Tensor seen = slide(x, sides, 0, operation);
    if (o.winograd) {
      const Tensor y = winograd(x, weight, sides, o.groups, operation);
      return bias.defined() ? y + per_channel(bias, y, operation, "bias") : y;
    }
    const Factors f(seen, weight, operation);
    const Sizes s = seen.shape(), positions(s.begin() + 2, s.begin() + 2 + axes), ones(static_cast<size_t>(axes), 1);
    Sizes in{s[0], o.groups, 1, w[1]}, kernel{1, o.groups, w[0] / o.groups, w[1]}, out{s[0], w[0]};
    append(in, s, 2);
    append(kernel, ones);
    append(kernel, window);
    append(out, positions);
    std::vector<int> summed{3};
    for (int i = 0; i < axes; ++i) summed.push_back(4 + axes + i);
    return finished(reshape(contracted(f, in, kernel, summed), shape_of(out)), f, seen, weight, bias, operation);
  });
}

Tensor convolve_transposed(const Tensor& input, const Tensor& weight, const Tensor& bias, const ConvTransposeOptions& o, int axes,
                           std::string_view operation) {
  return over_batch(input, axes, operation, [&](const Tensor& x) {
    check_weight(x, weight, o.groups, axes, true, operation);
    const Sizes w = weight.shape(), window(w.begin() + 2, w.end()), ones(static_cast<size_t>(axes), 1), s = x.shape();
    const Sliding slid = sliding(window, o.stride, o.padding, o.dilation, axes, operation);
    const Sizes more = each(o.output_padding, axes, 0, operation, "output_padding");
    const Factors f(x, weight, operation);
    Sizes in{s[0], o.groups, w[0] / o.groups, 1}, kernel{1, o.groups, w[0] / o.groups, w[1]}, each_window{s[0], w[1] * o.groups};
    append(in, s, 2);
    append(in, ones);
    append(kernel, ones);
    append(kernel, window);
    append(each_window, s, 2);
    append(each_window, window);
    UOp sums = reshape(contracted(f, in, kernel, {2}), shape_of(each_window));
    std::vector<std::pair<int64_t, int64_t>> cut;
    for (int i = axes - 1; i >= 0; --i) {
      const auto k = static_cast<size_t>(i);
      if (more[k] >= std::max(slid.stride[k], slid.dilation[k]))
        throw ValueError(fmt::format("{}: output_padding {}; it takes less than stride {} or dilation {}", operation, more[k],
                                     slid.stride[k], slid.dilation[k]));
      const int64_t length = s[k + 2] == 0 ? 0 : (s[k + 2] - 1) * slid.stride[k] + slid.dilation[k] * (window[k] - 1) + 1;
      if (length + more[k] < slid.before[k] + slid.after[k])
        throw ShapeError(fmt::format("{}: a padding of {} cuts more than the {} elements of axis {}", operation,
                                     slid.before[k] + slid.after[k], length + more[k], i + 2));
      sums = UOp::make(Op::OverlapAdd, {sums}, window_arg(slid, i, length));
      cut.insert(cut.begin(), {-slid.before[k], more[k] - slid.after[k]});
    }
    const Tensor whole = finished(sums, f, x, weight, Tensor(), operation).pad(cut);
    return bias.defined() ? whole + per_channel(bias, whole, operation, "bias") : whole;
  });
}

}  // namespace

// ---- shared with pooling ----

Sizes each(const PerAxis& given, int axes, int64_t least, std::string_view operation, std::string_view what) {
  Sizes out = given.list();
  if (out.size() == 1) out.assign(static_cast<size_t>(axes), out[0]);
  if (static_cast<int>(out.size()) != axes)
    throw ValueError(fmt::format("{}: {} {} for {} axes; give one number, or one an axis", operation, what, to_string(out), axes));
  if (std::ranges::any_of(out, [&](int64_t v) { return v < least || v > INT32_MAX; }))
    throw ValueError(fmt::format("{}: {} {}; it takes {} or more", operation, what, to_string(out), least));
  return out;
}
Sliding sliding(const PerAxis& size, const PerAxis& stride, const Padding& padding, const PerAxis& dilation, int axes,
                std::string_view operation) {
  Sliding s{each(size, axes, 1, operation, "size"), each(stride, axes, 1, operation, "stride"),
            each(padding.before(), axes, 0, operation, "padding"), each(padding.after(), axes, 0, operation, "padding"),
            each(dilation, axes, 1, operation, "dilation")};
  if (!padding.is_same()) return s;
  for (size_t i = 0; i < s.size.size(); ++i) {
    if (s.stride[i] != 1)
      throw ValueError(fmt::format("{}: the same padding with stride {}; it is for a stride of 1", operation, to_string(s.stride)));
    const int64_t total = s.dilation[i] * (s.size[i] - 1);
    s.before[i] = total / 2;
    s.after[i] = total - total / 2;
  }
  return s;
}
Tensor slide(const Tensor& x, const Sliding& s, double outside, std::string_view operation) {
  const auto axes = static_cast<int>(s.size.size());
  std::vector<std::pair<int64_t, int64_t>> amounts;
  for (int i = 0; i < axes; ++i) {
    const auto k = static_cast<size_t>(i);
    const int64_t needed = (s.size[k] - 1) * s.dilation[k] + 1;
    if (x.size(i + 2) + s.before[k] + s.after[k] < needed)
      throw ShapeError(fmt::format("{}: a window of {} with dilation {} spans {} and does not fit into axis {} of shape {} with padding "
                                   "{} and {}; pad more",
                                   operation, s.size[k], s.dilation[k], needed, i + 2, to_string(x.shape()), s.before[k], s.after[k]));
    amounts.emplace_back(s.before[k], s.after[k]);
  }
  PadOptions o;
  o.value = outside;
  const Tensor padded = x.pad(amounts, o);
  UOp seen = source_of(padded, operation);
  for (int i = 0; i < axes; ++i) seen = UOp::make(Op::Window, {seen}, window_arg(s, i));
  return make(seen, padded);
}
Tensor batched(const Tensor& x, int axes, std::string_view operation) {
  if (x.rank() == axes + 1) return x.unsqueeze(0);
  if (x.rank() != axes + 2)
    throw ShapeError(fmt::format("{}: the input's shape {} is not (n, channels, {}); the n may be missing", operation,
                                 to_string(x.shape()), axes_named(axes)));
  return x;
}
Tensor per_channel(const Tensor& v, const Tensor& x, std::string_view operation, std::string_view what) {
  if (v.rank() != 1 || v.size(0) != x.size(1))
    throw ShapeError(fmt::format("{}: the {}'s shape {} is not {}, one number a channel of shape {}", operation, what, to_string(v.shape()),
                                 to_string(Sizes{x.size(1)}), to_string(x.shape())));
  Sizes sizes(static_cast<size_t>(x.rank() - 1), 1);
  sizes[0] = v.size(0);
  return v.reshape(sizes);
}

// ---- by the number of axes ----

Tensor conv1d(const Tensor& x, const Tensor& w, const Bias& bias, const ConvOptions& o) {
  return convolve(x, w, bias.tensor, o, 1, "conv1d");
}
Tensor conv2d(const Tensor& x, const Tensor& w, const Bias& bias, const ConvOptions& o) {
  return convolve(x, w, bias.tensor, o, 2, "conv2d");
}
Tensor conv3d(const Tensor& x, const Tensor& w, const Bias& bias, const ConvOptions& o) {
  return convolve(x, w, bias.tensor, o, 3, "conv3d");
}
Tensor conv_transpose1d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvTransposeOptions& o) {
  return convolve_transposed(x, w, bias, o, 1, "conv_transpose1d");
}
Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvTransposeOptions& o) {
  return convolve_transposed(x, w, bias, o, 2, "conv_transpose2d");
}
Tensor conv_transpose3d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvTransposeOptions& o) {
  return convolve_transposed(x, w, bias, o, 3, "conv_transpose3d");
}
Tensor Tensor::conv2d(const Tensor& weight, const Bias& bias, const ConvOptions& o) const { return tg::conv2d(*this, weight, bias, o); }
Tensor Tensor::conv2d(const Tensor& weight, const ConvOptions& o) const { return tg::conv2d(*this, weight, Tensor(), o); }

}  // namespace tg
