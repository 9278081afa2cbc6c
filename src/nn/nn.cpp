// Layers: how their tensors start, and what they compute, in a line or two of tensor operations each.
//
//   Linear(784, 10)(x)      x.matmul(weight.T()) + bias
#include <fmt/format.h>

#include <cmath>

#include "tensor/impl.hpp"
#include "tg/nn.hpp"

namespace tg::nn {

namespace {

thread_local bool is_training = true;

TensorOptions trained(TensorOptions o) {
  o.requires_grad = true;
  return o;
}
/// Memory of its own, to be assigned to: equal constants are one node.
Tensor filled(int64_t n, float value, const TensorOptions& o) {
  return Tensor::from(std::vector<float>(static_cast<size_t>(n), value), {n}, o);
}
Tensor bounded(const Sizes& shape, int64_t fan_in, const TensorOptions& o) {
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  return Tensor::uniform(shape, {.low = -bound, .high = bound, .tensor = trained(o)});
}
void require_positive(int64_t n, std::string_view layer, std::string_view what) {
  if (n < 1) throw ValueError(fmt::format("{}: {} is {}; it takes 1 or more", layer, what, n));
}
State named(std::initializer_list<std::pair<const char*, Tensor>> tensors) {
  State s;
  for (const auto& [name, t] : tensors)
    if (t.defined()) s.emplace_back(name, t);
  return s;
}

}  // namespace

void append(State& state, std::string_view prefix, const State& more) {
  for (const auto& [name, t] : more) state.emplace_back(fmt::format("{}.{}", prefix, name), t);
}
State parameters(const State& state) {
  State out;
  for (const auto& entry : state)
    if (entry.second.requires_grad()) out.push_back(entry);
  return out;
}

Evaluation::Evaluation() : before_(std::exchange(is_training, false)) {}
Evaluation::~Evaluation() { is_training = before_; }
bool training() { return is_training; }

Linear::Linear(int64_t in, int64_t out, const LinearOptions& o) {
  require_positive(in, "Linear", "in");
  require_positive(out, "Linear", "out");
  weight = bounded({out, in}, in, o.tensor);
  if (o.bias) bias = bounded({out}, in, o.tensor);
}
Tensor Linear::operator()(const Tensor& x) const {
  const Tensor y = x.matmul(weight.transpose());
  return bias.defined() ? y + bias : y;
}
State Linear::state() const { return named({{"weight", weight}, {"bias", bias}}); }

Conv2d::Conv2d(int64_t in, int64_t out, Pair size, const Conv2dOptions& o)
    : options{.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups} {
  require_positive(in, "Conv2d", "in");
  require_positive(out, "Conv2d", "out");
  require_positive(size.height, "Conv2d", "the window's height");
  require_positive(size.width, "Conv2d", "the window's width");
  require_positive(o.groups, "Conv2d", "groups");
  if (in % o.groups != 0 || out % o.groups != 0)
    throw ValueError(fmt::format("Conv2d: {} channels in and {} out do not both divide by {} groups", in, out, o.groups));
  const int64_t fan_in = in / o.groups * size.height * size.width;
  weight = bounded({out, in / o.groups, size.height, size.width}, fan_in, o.tensor);
  if (o.bias) bias = bounded({out}, fan_in, o.tensor);
}
Tensor Conv2d::operator()(const Tensor& x) const { return x.conv2d(weight, bias, options); }
State Conv2d::state() const { return named({{"weight", weight}, {"bias", bias}}); }

BatchNorm::BatchNorm(int64_t channels, const BatchNormOptions& o) : eps(o.eps), momentum(o.momentum) {
  require_positive(channels, "BatchNorm", "channels");
  weight = filled(channels, 1, trained(o.tensor));
  bias = filled(channels, 0, trained(o.tensor));
  running_mean = filled(channels, 0, o.tensor);
  running_var = filled(channels, 1, o.tensor);
}
Tensor BatchNorm::operator()(const Tensor& x) const {
  const NormOptions norm{.eps = eps};
  if (!training()) return x.batch_norm(running_mean, running_var, weight, bias, norm);
  if (x.rank() < 2 || x.size(1) != weight.size(0))
    throw ShapeError(fmt::format("BatchNorm: the input's shape {} has not {} channels on axis 1", to_string(x.shape()), weight.size(0)));
  std::vector<int> axes{0};
  for (int i = 2; i < x.rank(); ++i) axes.push_back(i);
  const auto n = static_cast<double>(x.numel() / x.size(1));
  if (n < 2)
    throw ValueError(fmt::format("BatchNorm: an input of shape {} has one number a channel, which has no variance", to_string(x.shape())));
  const Tensor mean = x.mean({.axis = axes}), var = x.var({.axis = axes, .correction = 0});
  const auto move = [&](Tensor running, const Tensor& batch) { running.assign(running * (1 - momentum) + batch.detach() * momentum); };
  move(running_mean, mean);
  move(running_var, var * (n / (n - 1)));
  return x.batch_norm(mean, var, weight, bias, norm);
}
State BatchNorm::state() const {
  return named({{"weight", weight}, {"bias", bias}, {"running_mean", running_mean}, {"running_var", running_var}});
}

LayerNorm::LayerNorm(const Sizes& shape, const LayerNormOptions& o) : eps(o.eps) {
  weight = Tensor::ones(shape, trained(o.tensor));
  if (o.bias) bias = Tensor::zeros(shape, trained(o.tensor));
}
Tensor LayerNorm::operator()(const Tensor& x) const { return x.layer_norm(weight, bias, {.eps = eps}); }
State LayerNorm::state() const { return named({{"weight", weight}, {"bias", bias}}); }

Embedding::Embedding(int64_t count, int64_t width, const TensorOptions& o) {
  require_positive(count, "Embedding", "count");
  require_positive(width, "Embedding", "width");
  weight = Tensor::randn({count, width}, trained(o));
}
Tensor Embedding::operator()(const Tensor& x) const { return weight.take(x); }
State Embedding::state() const { return named({{"weight", weight}}); }

Dropout::Dropout(double probability) : p(probability) {
  if (!(p >= 0 && p < 1)) throw ValueError(fmt::format("Dropout: the probability is {}; it takes 0 or more and less than 1", p));
}
Tensor Dropout::operator()(const Tensor& x) const { return x.dropout(p, training()); }

Tensor Sequential::operator()(const Tensor& x) const {
  Tensor y = x;
  for (const Layer& layer : layers_) y = layer(y);
  return y;
}
State Sequential::state() const {
  State s;
  for (size_t i = 0; i < layers_.size(); ++i)
    append(s, layers_[i].name().empty() ? std::to_string(i) : layers_[i].name(), layers_[i].state());
  return s;
}

}  // namespace tg::nn
