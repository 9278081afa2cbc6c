// Layers: how their tensors start, and what they compute, in a line or two of tensor operations each.
//
//   Linear(784, 10)(x)      x.matmul(weight.T()) + bias
#include <fmt/format.h>

#include <cmath>
#include <unordered_set>

#include "nn/distinct.hpp"
#include "tensor/impl.hpp"
#include "tensor/sliding.hpp"
#include "tg/nn.hpp"
#include "tg/norm.hpp"

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
State distinct(const State& state) {
  State out;
  std::unordered_set<const void*> seen;
  for (const auto& entry : state)
    if (seen.insert(TensorImpl::of(entry.second).get()).second) out.push_back(entry);
  return out;
}
State parameters(const State& state) {
  State out;
  for (const auto& entry : distinct(state))
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
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (weight.rank() != 2) throw ShapeError(fmt::format("linear: a weight of shape {}; it is (out, in)", to_string(weight.shape())));
  const Tensor y = x.matmul(weight.transpose());
  return bias.defined() ? y + bias : y;
}
Tensor Linear::operator()(const Tensor& x) const { return linear(x, weight, bias); }
State Linear::state() const { return named({{"weight", weight}, {"bias", bias}}); }

namespace {
/// Checks what a convolution of either direction is made of, and gives its window.
Sizes checked_window(std::string_view layer, int axes, int64_t in, int64_t out, const PerAxis& size, int64_t groups) {
  if (axes < 1 || axes > 3) throw ValueError(fmt::format("{}: {} axes; it takes 1 to 3", layer, axes));
  const std::string name = fmt::format("{}{}d", layer, axes);
  require_positive(in, name, "in");
  require_positive(out, name, "out");
  require_positive(groups, name, "groups");
  if (in % groups != 0 || out % groups != 0)
    throw ValueError(fmt::format("{}: {} channels in and {} out do not both divide by {} groups", name, in, out, groups));
  return each(size, axes, 1, name, "window");
}
/// Weights (first, second, window...) and a bias, uniform in +-1/sqrt(second * window).
void start(Tensor& weight, Tensor& bias, int64_t first, int64_t second, const Sizes& window, int64_t out, bool with_bias,
           const TensorOptions& o) {
  Sizes shape{first, second};
  shape.insert(shape.end(), window.begin(), window.end());
  const int64_t fan_in = product(shape) / first;
  weight = bounded(shape, fan_in, o);
  if (with_bias) bias = bounded({out}, fan_in, o);
}
}  // namespace

Conv::Conv(int axes, int64_t in, int64_t out, const PerAxis& size, const ConvLayerOptions& o)
    : options{.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups} {
  const Sizes window = checked_window("Conv", axes, in, out, size, o.groups);
  start(weight, bias, out, in / o.groups, window, out, o.bias, o.tensor);
}
Tensor Conv::operator()(const Tensor& x) const {
  constexpr Tensor (*by_axes[])(const Tensor&, const Tensor&, const Bias&, const ConvOptions&) = {conv1d, conv2d, conv3d};
  return by_axes[weight.rank() - 3](x, weight, bias, options);
}
State Conv::state() const { return named({{"weight", weight}, {"bias", bias}}); }

ConvTranspose::ConvTranspose(int axes, int64_t in, int64_t out, const PerAxis& size, const ConvTransposeLayerOptions& o)
    : options{.stride = o.stride, .padding = o.padding, .output_padding = o.output_padding, .dilation = o.dilation, .groups = o.groups} {
  const Sizes window = checked_window("ConvTranspose", axes, in, out, size, o.groups);
  start(weight, bias, in, out / o.groups, window, out, o.bias, o.tensor);
}
Tensor ConvTranspose::operator()(const Tensor& x) const {
  constexpr Tensor (*by_axes[])(const Tensor&, const Tensor&, const Tensor&, const ConvTransposeOptions&) = {
      conv_transpose1d, conv_transpose2d, conv_transpose3d};
  return by_axes[weight.rank() - 3](x, weight, bias, options);
}
State ConvTranspose::state() const { return named({{"weight", weight}, {"bias", bias}}); }

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

LayerNorm::LayerNorm(const Sizes& sizes, const LayerNormOptions& o) : shape(sizes), eps(o.eps) {
  if (!o.affine) return;
  weight = Tensor::ones(shape, trained(o.tensor));
  if (o.bias) bias = Tensor::zeros(shape, trained(o.tensor));
}
Tensor LayerNorm::operator()(const Tensor& x) const {
  const Tensor scale = weight.defined() ? weight : Tensor::ones(shape, {.dtype = x.dtype(), .device = x.device()});
  return x.layer_norm(scale, bias, {.eps = eps});
}
State LayerNorm::state() const { return named({{"weight", weight}, {"bias", bias}}); }

GroupNorm::GroupNorm(int64_t g, int64_t c, const AffineOptions& o) : groups(g), channels(c), eps(o.eps) {
  require_positive(channels, "GroupNorm", "channels");
  if (g < 1 || channels % g != 0) throw ValueError(fmt::format("GroupNorm: {} channels do not divide by {} groups", channels, g));
  if (!o.affine) return;
  weight = filled(channels, 1, trained(o.tensor));
  bias = filled(channels, 0, trained(o.tensor));
}
Tensor GroupNorm::operator()(const Tensor& x) const { return group_norm(x, groups, weight, bias, {.eps = eps}); }
State GroupNorm::state() const { return named({{"weight", weight}, {"bias", bias}}); }

InstanceNorm::InstanceNorm(int64_t c, const AffineOptions& o) : channels(c), eps(o.eps) {
  require_positive(channels, "InstanceNorm", "channels");
  if (!o.affine) return;
  weight = filled(channels, 1, trained(o.tensor));
  bias = filled(channels, 0, trained(o.tensor));
}
Tensor InstanceNorm::operator()(const Tensor& x) const { return instance_norm(x, weight, bias, {.eps = eps}); }
State InstanceNorm::state() const { return named({{"weight", weight}, {"bias", bias}}); }

RMSNorm::RMSNorm(const Sizes& shape, const RMSNormOptions& o) : weight(Tensor::ones(shape, trained(o.tensor))), eps(o.eps) {}
Tensor RMSNorm::operator()(const Tensor& x) const { return rms_norm(x, weight, {.eps = eps}); }
State RMSNorm::state() const { return named({{"weight", weight}}); }

namespace {
/// The row that padding_idx means, or kNoPadding.
int64_t padding_row(int64_t padding_idx, int64_t count) {
  if (padding_idx == kNoPadding) return padding_idx;
  if (padding_idx < -count || padding_idx >= count)
    throw IndexError(fmt::format("embedding: padding_idx {} for a table of {} rows", padding_idx, count));
  return padding_idx < 0 ? padding_idx + count : padding_idx;
}
}  // namespace
Tensor embedding(const Tensor& x, const Tensor& weight, int64_t padding_idx) {
  if (weight.rank() != 2) throw ShapeError(fmt::format("embedding: a weight of shape {}; it is (count, width)", to_string(weight.shape())));
  const Tensor rows = weight.take(x);
  const int64_t padding = padding_row(padding_idx, weight.size(0));
  return padding == kNoPadding ? rows : where((x == Scalar(padding)).unsqueeze(-1), rows.detach(), rows);
}

Embedding::Embedding(int64_t count, int64_t width, const EmbeddingOptions& o) : padding_idx(o.padding_idx) {
  require_positive(count, "Embedding", "count");
  require_positive(width, "Embedding", "width");
  weight = Tensor::randn({count, width}, trained(o.tensor));
  if (const int64_t padding = padding_row(padding_idx, count); padding != kNoPadding) weight.set(Index(padding), 0);
}
Tensor Embedding::operator()(const Tensor& x) const { return embedding(x, weight, padding_idx); }
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
