#pragma once
// The methods of Tensor as functions: sin(x) is x.sin(). What each does is said at the method.
#include "tg/tensor.hpp"

namespace tg {

[[nodiscard]] inline Tensor neg(const Tensor& x) { return x.neg(); }
[[nodiscard]] inline Tensor abs(const Tensor& x) { return x.abs(); }
[[nodiscard]] inline Tensor sign(const Tensor& x) { return x.sign(); }
[[nodiscard]] inline Tensor floor(const Tensor& x) { return x.floor(); }
[[nodiscard]] inline Tensor ceil(const Tensor& x) { return x.ceil(); }
[[nodiscard]] inline Tensor round(const Tensor& x) { return x.round(); }
[[nodiscard]] inline Tensor trunc(const Tensor& x) { return x.trunc(); }
[[nodiscard]] inline Tensor exp(const Tensor& x) { return x.exp(); }
[[nodiscard]] inline Tensor exp2(const Tensor& x) { return x.exp2(); }
[[nodiscard]] inline Tensor log(const Tensor& x) { return x.log(); }
[[nodiscard]] inline Tensor log2(const Tensor& x) { return x.log2(); }
[[nodiscard]] inline Tensor sin(const Tensor& x) { return x.sin(); }
[[nodiscard]] inline Tensor cos(const Tensor& x) { return x.cos(); }
[[nodiscard]] inline Tensor tan(const Tensor& x) { return x.tan(); }
[[nodiscard]] inline Tensor sqrt(const Tensor& x) { return x.sqrt(); }
[[nodiscard]] inline Tensor rsqrt(const Tensor& x) { return x.rsqrt(); }
[[nodiscard]] inline Tensor reciprocal(const Tensor& x) { return x.reciprocal(); }
[[nodiscard]] inline Tensor square(const Tensor& x) { return x.square(); }
[[nodiscard]] inline Tensor isnan(const Tensor& x) { return x.isnan(); }
[[nodiscard]] inline Tensor isinf(const Tensor& x) { return x.isinf(); }
[[nodiscard]] inline Tensor isfinite(const Tensor& x) { return x.isfinite(); }
[[nodiscard]] inline Tensor logical_not(const Tensor& x) { return x.logical_not(); }
[[nodiscard]] inline Tensor bitwise_not(const Tensor& x) { return x.bitwise_not(); }
[[nodiscard]] inline Tensor erf(const Tensor& x) { return x.erf(); }
[[nodiscard]] inline Tensor relu(const Tensor& x) { return x.relu(); }
[[nodiscard]] inline Tensor sigmoid(const Tensor& x) { return x.sigmoid(); }
[[nodiscard]] inline Tensor tanh(const Tensor& x) { return x.tanh(); }
[[nodiscard]] inline Tensor silu(const Tensor& x) { return x.silu(); }
[[nodiscard]] inline Tensor clamp(const Tensor& x, const ClampOptions& o) { return x.clamp(o); }
[[nodiscard]] inline Tensor gelu(const Tensor& x, const GeluOptions& o = {}) { return x.gelu(o); }
[[nodiscard]] inline Tensor dropout(const Tensor& x, double p = 0.5, bool training = true) { return x.dropout(p, training); }

[[nodiscard]] inline Tensor sum(const Tensor& x, const ReduceOptions& o = {}) { return x.sum(o); }
[[nodiscard]] inline Tensor prod(const Tensor& x, const ReduceOptions& o = {}) { return x.prod(o); }
[[nodiscard]] inline Tensor mean(const Tensor& x, const ReduceOptions& o = {}) { return x.mean(o); }
[[nodiscard]] inline Tensor max(const Tensor& x, const ReduceOptions& o = {}) { return x.max(o); }
[[nodiscard]] inline Tensor min(const Tensor& x, const ReduceOptions& o = {}) { return x.min(o); }
[[nodiscard]] inline Tensor any(const Tensor& x, const ReduceOptions& o = {}) { return x.any(o); }
[[nodiscard]] inline Tensor all(const Tensor& x, const ReduceOptions& o = {}) { return x.all(o); }
[[nodiscard]] inline Tensor var(const Tensor& x, const VarOptions& o = {}) { return x.var(o); }
[[nodiscard]] inline Tensor std(const Tensor& x, const VarOptions& o = {}) { return x.std(o); }
[[nodiscard]] inline Tensor argmax(const Tensor& x, const ArgOptions& o = {}) { return x.argmax(o); }
[[nodiscard]] inline Tensor argmin(const Tensor& x, const ArgOptions& o = {}) { return x.argmin(o); }
[[nodiscard]] inline Tensor logsumexp(const Tensor& x, const ReduceOptions& o = {}) { return x.logsumexp(o); }
[[nodiscard]] inline Tensor softmax(const Tensor& x, int axis = -1) { return x.softmax(axis); }
[[nodiscard]] inline Tensor log_softmax(const Tensor& x, int axis = -1) { return x.log_softmax(axis); }

[[nodiscard]] inline Tensor cumsum(const Tensor& x, int axis = -1) { return x.cumsum(axis); }
[[nodiscard]] inline Tensor cumprod(const Tensor& x, int axis = -1) { return x.cumprod(axis); }
[[nodiscard]] inline Tensor logcumsumexp(const Tensor& x, int axis = -1) { return x.logcumsumexp(axis); }
[[nodiscard]] inline Found cummax(const Tensor& x, int axis = -1) { return x.cummax(axis); }
[[nodiscard]] inline Found cummin(const Tensor& x, int axis = -1) { return x.cummin(axis); }
[[nodiscard]] inline Found sort(const Tensor& x, const SortOptions& o = {}) { return x.sort(o); }
[[nodiscard]] inline Tensor argsort(const Tensor& x, const SortOptions& o = {}) { return x.argsort(o); }
[[nodiscard]] inline Found topk(const Tensor& x, int64_t k, int axis = -1, bool largest = true) { return x.topk(k, axis, largest); }
[[nodiscard]] inline Tensor median(const Tensor& x, const ArgOptions& o = {}) { return x.median(o); }

[[nodiscard]] inline Tensor reshape(const Tensor& x, const Sizes& shape) { return x.reshape(shape); }
[[nodiscard]] inline Tensor flatten(const Tensor& x, int first = 0, int last = -1) { return x.flatten(first, last); }
[[nodiscard]] inline Tensor permute(const Tensor& x, const std::vector<int>& axes) { return x.permute(axes); }
[[nodiscard]] inline Tensor transpose(const Tensor& x, int a = 0, int b = 1) { return x.transpose(a, b); }
[[nodiscard]] inline Tensor expand(const Tensor& x, const Sizes& shape) { return x.expand(shape); }
[[nodiscard]] inline Tensor broadcast_to(const Tensor& x, const Sizes& shape) { return x.expand(shape); }
[[nodiscard]] inline Tensor flip(const Tensor& x, const Axes& axes = {}) { return x.flip(axes); }
[[nodiscard]] inline Tensor squeeze(const Tensor& x, const Axes& axes = {}) { return x.squeeze(axes); }
[[nodiscard]] inline Tensor unsqueeze(const Tensor& x, int axis) { return x.unsqueeze(axis); }
[[nodiscard]] inline Tensor stack(const std::vector<Tensor>& tensors, int axis = 0) { return Tensor::stack(tensors, axis); }
[[nodiscard]] inline Tensor cat(const std::vector<Tensor>& tensors, int axis = 0) { return Tensor::cat(tensors, axis); }
[[nodiscard]] inline Tensor gather(const Tensor& x, int axis, const Tensor& index) { return x.gather(axis, index); }
[[nodiscard]] inline Tensor take(const Tensor& x, const Tensor& index, int axis = 0) { return x.take(index, axis); }

[[nodiscard]] inline Tensor matmul(const Tensor& a, const Tensor& b) { return a.matmul(b); }
[[nodiscard]] inline Tensor dot(const Tensor& a, const Tensor& b) { return a.matmul(b); }
[[nodiscard]] inline Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvOptions& o = {}) {
  return x.conv2d(w, bias, o);
}
[[nodiscard]] inline Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& o = {}) { return x.conv2d(w, o); }
[[nodiscard]] inline Tensor max_pool2d(const Tensor& x, const PoolOptions& o = {}) { return x.max_pool2d(o); }
[[nodiscard]] inline Tensor avg_pool2d(const Tensor& x, const PoolOptions& o = {}) { return x.avg_pool2d(o); }
[[nodiscard]] inline Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const NormOptions& o = {}) {
  return x.layer_norm(weight, bias, o);
}
[[nodiscard]] inline Tensor cross_entropy(const Tensor& logits, const Tensor& target) { return logits.cross_entropy(target); }

}  // namespace tg
