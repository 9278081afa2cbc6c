// Normalisation: less the mean, divided by the deviation, over the axes that each kind takes.
//
//   x.layer_norm(w, b)        (x - mean) rsqrt(mean((x - mean)^2) + eps) w + b, means over the last axes
//   group_norm(x, 2, w, b)    the same over the halves of x's channels
#include "tg/norm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tensor/sliding.hpp"

namespace tg {

namespace {

ReduceOptions kept(std::vector<int> axes) {
  ReduceOptions o;
  o.axis = Axes(std::move(axes));
  o.keepdim = true;
  return o;
}
Tensor normal(const Tensor& x, const std::vector<int>& axes, double eps) {
  return (x - x.mean(kept(axes))) * (x.var({.axis = axes, .keepdim = true, .correction = 0}) + eps).rsqrt();
}
/// The last axes, as many as the weight has, whose sizes must be the weight's.
std::vector<int> axes_of(const Tensor& x, const Tensor& weight, std::string_view operation) {
  std::vector<int> axes;
  for (int i = x.rank() - weight.rank(); i < x.rank(); ++i) axes.push_back(i);
  if (weight.rank() == 0 || weight.rank() > x.rank() ||
      !std::equal(axes.begin(), axes.end(), weight.shape().begin(), [&](int a, int64_t n) { return x.size(a) == n; }))
    throw ShapeError(fmt::format("{}: the weight's shape {} is not that of the last axes of {}, over which it normalises", operation,
                                 to_string(weight.shape()),
                                 to_string(x.shape())));
  return axes;
}
/// y weight + bias, a number a channel, where they are given.
Tensor scaled(Tensor y, const Tensor& weight, const Tensor& bias, std::string_view operation) {
  if (weight.defined()) y = y * per_channel(weight, y, operation, "weight");
  return bias.defined() ? y + per_channel(bias, y, operation, "bias") : y;
}
Tensor grouped(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps, std::string_view operation) {
  Sizes apart = x.shape();
  apart[1] /= groups;
  apart.insert(apart.begin() + 1, groups);
  std::vector<int> axes(static_cast<size_t>(x.rank()) - 1);
  std::iota(axes.begin(), axes.end(), 2);
  const Tensor y = in_working_dtype(x, [&](const Tensor& wide) { return normal(wide.reshape(apart), axes, eps).reshape(x.shape()); });
  return scaled(y, weight, bias, operation);
}

}  // namespace

Tensor Tensor::layer_norm(const Tensor& weight, const Tensor& bias, const NormOptions& o) const {
  const std::vector<int> axes = axes_of(*this, weight, "layer_norm");
  if (bias.defined() && bias.shape() != weight.shape())
    throw ShapeError(
        fmt::format("layer_norm: the bias's shape {} is not the weight's {}", to_string(bias.shape()), to_string(weight.shape())));
  const Tensor y = in_working_dtype(*this, [&](const Tensor& x) { return normal(x, axes, o.eps); });
  return bias.defined() ? y * weight + bias : y * weight;
}
Tensor rms_norm(const Tensor& x, const Tensor& weight, const NormOptions& o) {
  const std::vector<int> axes = axes_of(x, weight, "rms_norm");
  return in_working_dtype(x, [&](const Tensor& v) { return v * (v.square().mean(kept(axes)) + o.eps).rsqrt(); }) * weight;
}
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, const NormOptions& o) {
  if (x.rank() < 2) throw ShapeError(fmt::format("group_norm: the input's shape {} has no channel axis 1", to_string(x.shape())));
  if (groups < 1 || x.size(1) % groups != 0)
    throw ValueError(
        fmt::format("group_norm: the {} channels of shape {} do not divide by {} groups", x.size(1), to_string(x.shape()), groups));
  return grouped(x, groups, weight, bias, o.eps, "group_norm");
}
Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const NormOptions& o) {
  if (x.rank() < 3)
    throw ShapeError(fmt::format("instance_norm: the input's shape {} is not (n, channels, sizes...)", to_string(x.shape())));
  return grouped(x, x.size(1), weight, bias, o.eps, "instance_norm");
}
Tensor Tensor::batch_norm(const Tensor& mean, const Tensor& var, const Tensor& weight, const Tensor& bias, const NormOptions& o) const {
  if (rank() < 2) throw ShapeError(fmt::format("batch_norm: the input's shape {} has no channel axis 1", to_string(shape())));
  const auto channel = [&](const Tensor& v, std::string_view what) { return per_channel(v, *this, "batch_norm", what); };
  // What a channel is multiplied by is one number, so that of the gradient two sums over the channel are wanted.
  Tensor scale = (channel(var, "variance") + o.eps).rsqrt();
  if (weight.defined()) scale = scale * channel(weight, "weight");
  const Tensor y = (*this - channel(mean, "mean")) * scale;
  return bias.defined() ? y + channel(bias, "bias") : y;
}

}  // namespace tg
