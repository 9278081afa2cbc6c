// Contractions: a broadcasted multiplication and a sum; what makes them fast is the compiler's business.
//
//   a.matmul(b), (m, k) by (k, n)      Reshape(Reduce(Mul(Expand(Reshape(a)), Expand(Reshape(b))), Sum, axis k))      7 nodes
//   x.conv2d(w)                        the same over two Windows of x
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ir/op_info.hpp"
#include "tensor/impl.hpp"

namespace tg {

namespace {

/// Operands in the dtype the sum is computed in, and the dtype of the result.
struct Factors {
  UOp a, b;
  DType result;
  Factors(const Tensor& x, const Tensor& y, std::string_view operation) : a(node_of(x, operation)), b(node_of(y, operation)) {
    check_same_device(x, y, operation);
    result = promote(a.dtype(), b.dtype());
    const DType wide = is_float(result) ? working_dtype(result) : result == DType::bool_ ? DType::int32 : result;
    a = cast(a, wide);
    b = cast(b, wide);
  }
};

UOp window(const UOp& x, int axis, int64_t size, int64_t stride, int64_t dilation) {
  return UOp::make(Op::Window, {x},
                   WindowArg{axis, static_cast<int32_t>(size), static_cast<int32_t>(stride), static_cast<int32_t>(dilation)});
}

struct Windows {
  Pair size, stride, padding, dilation;
};
/// Windows of the last two of four axes, (n, c, oh, ow, kh, kw); the padding is zeros, or `outside`.
Tensor windows(const Tensor& x, const Windows& w, double outside, std::string_view operation) {
  if (x.rank() != 4)
    throw ShapeError(fmt::format("{}: the input's shape {} is not (n, channels, height, width)", operation, to_string(x.shape())));
  const auto check = [&](const Pair& p, int64_t least, std::string_view what) {
    if (p.height < least || p.width < least || p.height > INT32_MAX || p.width > INT32_MAX)
      throw ValueError(fmt::format("{}: {} ({}, {}); it takes {} or more", operation, what, p.height, p.width, least));
  };
  check(w.size, 1, "size");
  check(w.stride, 1, "stride");
  check(w.padding, 0, "padding");
  check(w.dilation, 1, "dilation");
  const auto fits = [&](int axis, int64_t size, int64_t padding, int64_t dilation) {
    const int64_t length = x.size(axis) + 2 * padding, needed = (size - 1) * dilation + 1;
    if (length < needed)
      throw ShapeError(
          fmt::format("{}: a window of {} with dilation {} spans {} and does not fit into {} of shape {} with padding {}; pad more",
                      operation, size,
                                   dilation, needed, axis == 2 ? "the height" : "the width", to_string(x.shape()), padding));
  };
  fits(2, w.size.height, w.padding.height, w.dilation.height);
  fits(3, w.size.width, w.padding.width, w.dilation.width);
  PadOptions o;
  o.value = outside;
  const Tensor padded = x.pad({{w.padding.height, w.padding.height}, {w.padding.width, w.padding.width}}, o);
  const UOp tall = window(node_of(padded, operation), 2, w.size.height, w.stride.height, w.dilation.height);
  return make(window(tall, 3, w.size.width, w.stride.width, w.dilation.width), padded);
}
Tensor pool_windows(const Tensor& x, const PoolOptions& o, double outside, std::string_view operation) {
  const Pair stride(o.stride.height == 0 ? o.size.height : o.stride.height, o.stride.width == 0 ? o.size.width : o.stride.width);
  return windows(x, {o.size, stride, o.padding, o.dilation}, outside, operation);
}
ReduceOptions over(Axes axes) {
  ReduceOptions o;
  o.axis = std::move(axes);
  return o;
}
/// A vector over channels as it broadcasts beside (n, c, ...).
Tensor per_channel(const Tensor& v, const Tensor& x, std::string_view operation, std::string_view what) {
  if (v.rank() != 1 || v.size(0) != x.size(1))
    throw ShapeError(fmt::format("{}: the {}'s shape {} is not {}, one number a channel of shape {}", operation, what, to_string(v.shape()),
                                 to_string(Sizes{x.size(1)}), to_string(x.shape())));
  Sizes sizes(static_cast<size_t>(x.rank() - 1), 1);
  sizes[0] = v.size(0);
  return v.reshape(sizes);
}

}  // namespace

Tensor Tensor::matmul(const Tensor& other) const {
  const Factors f(*this, other, "matmul");
  const int ra = rank(), rb = other.rank();
  if (ra == 0 || rb == 0)
    throw ShapeError(fmt::format("matmul: shapes {} and {}; a scalar has no axis to contract, use * instead", to_string(shape()),
                                 to_string(other.shape())));
  // Vectors become a row and a column.
  Dims a = f.a.shape().dims(), b = f.b.shape().dims();
  if (ra == 1) a.insert(a.begin(), 1);
  if (rb == 1) b.push_back(1);
  const Dim m = a[a.size() - 2], k = a.back(), n = b.back();
  if (!(k == b[b.size() - 2]))
    throw ShapeError(fmt::format(
        "matmul: shapes {} and {}: the last axis of the first is {} and the {} of the second {}; they must be equal",
                                 to_string(shape()), to_string(other.shape()), tg::to_string(k), rb == 1 ? "only axis" : "last but one",
                                 tg::to_string(b[b.size() - 2])));
  a.push_back(1);                  // (..., m, k, 1)
  b.insert(b.end() - 2, 1);        // (..., 1, k, n)
  const Dims batch = broadcast_shape(Dims(a.begin(), a.end() - 3), Dims(b.begin(), b.end() - 3), "matmul").dims();
  Dims all = batch, out = batch;
  all.insert(all.end(), {m, k, n});
  if (ra > 1) out.push_back(m);
  if (rb > 1) out.push_back(n);
  const UOp terms = spread(tg::reshape(f.a, a), all) * spread(tg::reshape(f.b, b), all);
  const UOp sums = reduce(terms, Monoid::Sum, {static_cast<int>(all.size()) - 2});
  return make(tg::cast(tg::reshape(sums, out), f.result), device(),
              is_float(f.result) && (carries_gradient(*this) || carries_gradient(other)));
}

Tensor Tensor::conv2d(const Tensor& weight, const ConvOptions& o) const { return conv2d(weight, Tensor(), o); }
Tensor Tensor::conv2d(const Tensor& weight, const Tensor& bias, const ConvOptions& o) const {
  if (weight.rank() != 4)
    throw ShapeError(
        fmt::format("conv2d: the weight's shape {} is not (out channels, in channels / groups, height, width)", to_string(weight.shape())));
  const Sizes w = weight.shape();
  const int64_t channels = rank() == 4 ? size(1) : 0, g = o.groups;
  if (g < 1 || (rank() == 4 && channels != w[1] * g) || w[0] % g != 0)
    throw ShapeError(fmt::format(
        "conv2d: input {}, weight {}, groups {}: the input must have weight axis 1 times groups channels, and weight axis 0 must "
        "divide by groups",
                                 to_string(shape()), to_string(w), g));
  const Tensor x = windows(*this, {{w[2], w[3]}, o.stride, o.padding, o.dilation}, 0, "conv2d");
  const Factors f(x, weight, "conv2d");
  const Sizes s = x.shape();  // (n, c, oh, ow, kh, kw)
  // (n, g, o/g, c/g, oh, ow, kh, kw), summed over channels and window; without groups their axis is not there.
  Sizes all{s[0], g, w[0] / g, w[1], s[2], s[3], w[2], w[3]}, in = all, kernel = all;
  in[2] = 1;
  kernel[0] = kernel[4] = kernel[5] = 1;
  std::vector<int> summed{3, 6, 7};
  if (g == 1) {
    for (Sizes* sizes : {&all, &in, &kernel}) sizes->erase(sizes->begin() + 1);
    for (int& axis : summed) --axis;
  }
  const UOp terms = spread(tg::reshape(f.a, shape_of(in)), shape_of(all)) * spread(tg::reshape(f.b, shape_of(kernel)), shape_of(all));
  const UOp sums = tg::reshape(reduce(terms, Monoid::Sum, summed), shape_of({s[0], w[0], s[2], s[3]}));
  const Tensor y = make(tg::cast(sums, f.result), device(), is_float(f.result) && (carries_gradient(*this) || carries_gradient(weight)));
  return bias.defined() ? y + per_channel(bias, y, "conv2d", "bias") : y;
}

Tensor Tensor::max_pool2d(const PoolOptions& o) const {
  if (o.padding.height * 2 > o.size.height || o.padding.width * 2 > o.size.width)
    throw ValueError("max_pool2d: a padding of more than half the size would leave windows of padding alone");
  return pool_windows(*this, o, is_float(dtype()) ? -HUGE_VAL : node_of(*this, "max_pool2d").bounds().min, "max_pool2d")
      .max(over({-2, -1}));
}
Tensor Tensor::avg_pool2d(const PoolOptions& o) const { return pool_windows(*this, o, 0, "avg_pool2d").mean(over({-2, -1})); }

Tensor Tensor::layer_norm(const Tensor& weight, const Tensor& bias, const NormOptions& o) const {
  std::vector<int> axes;
  for (int i = rank() - weight.rank(); i < rank(); ++i) axes.push_back(i);
  if (weight.rank() == 0 || weight.rank() > rank() ||
      !std::equal(axes.begin(), axes.end(), weight.shape().begin(), [&](int a, int64_t n) { return size(a) == n; }))
    throw ShapeError(
        fmt::format("layer_norm: the weight's shape {} is not that of the last axes of {}", to_string(weight.shape()), to_string(shape())));
  if (bias.defined() && bias.shape() != weight.shape())
    throw ShapeError(
        fmt::format("layer_norm: the bias's shape {} is not the weight's {}", to_string(bias.shape()), to_string(weight.shape())));
  const Tensor normal = in_working_dtype(*this, [&](const Tensor& x) {
    ReduceOptions kept = over(axes);
    kept.keepdim = true;
    const Tensor centred = x - x.mean(kept);
    return centred * (centred.square().mean(kept) + o.eps).rsqrt();
  });
  return bias.defined() ? normal * weight + bias : normal * weight;
}
Tensor Tensor::batch_norm(const Tensor& mean, const Tensor& var, const Tensor& weight, const Tensor& bias, const NormOptions& o) const {
  if (rank() < 2) throw ShapeError(fmt::format("batch_norm: the input's shape {} has no channel axis 1", to_string(shape())));
  const auto channel = [&](const Tensor& v, std::string_view what) { return per_channel(v, *this, "batch_norm", what); };
  return (*this - channel(mean, "mean")) * (channel(var, "variance") + o.eps).rsqrt() * channel(weight, "weight") + channel(bias, "bias");
}

}  // namespace tg
