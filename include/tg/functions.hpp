#pragma once
// The methods of Tensor as functions: sin(x) is x.sin(). What each does is said at the method.
#include <concepts>
#include <optional>

#include "tg/tensor.hpp"

namespace tg {

// Creation.
[[nodiscard]] inline Tensor tensor(std::initializer_list<Value> values, const TensorOptions& o = {}) { return {values, o}; }
template <detail::Arithmetic Number>  // of one number, without axes
[[nodiscard]] Tensor tensor(Number value, const TensorOptions& o = {}) { return Tensor::full({}, value, o); }
template <class Container>  // of a vector, array or span, as Tensor::from
  requires requires(const Container& c) { std::data(c); std::size(c); }
[[nodiscard]] Tensor tensor(const Container& data, const TensorOptions& o = {}) {
  return Tensor::from(data, {static_cast<int64_t>(std::size(data))}, o);
}
[[nodiscard]] inline Tensor full(const Sizes& shape, Scalar value, const TensorOptions& o = {}) { return Tensor::full(shape, value, o); }
[[nodiscard]] inline Tensor zeros(const Sizes& shape, const TensorOptions& o = {}) { return Tensor::zeros(shape, o); }
[[nodiscard]] inline Tensor ones(const Sizes& shape, const TensorOptions& o = {}) { return Tensor::ones(shape, o); }
[[nodiscard]] inline Tensor arange(Scalar stop, const TensorOptions& o = {}) { return Tensor::arange(stop, o); }
[[nodiscard]] inline Tensor arange(Scalar start, Scalar stop, Scalar step = 1, const TensorOptions& o = {}) {
  return Tensor::arange(start, stop, step, o);
}
[[nodiscard]] inline Tensor eye(int64_t rows, int64_t columns = -1, const TensorOptions& o = {}) { return Tensor::eye(rows, columns, o); }
[[nodiscard]] inline Tensor eye(int64_t rows, const TensorOptions& o) { return Tensor::eye(rows, o); }
[[nodiscard]] inline Tensor rand(const Sizes& shape, const TensorOptions& o = {}) { return Tensor::rand(shape, o); }
[[nodiscard]] inline Tensor randn(const Sizes& shape, const TensorOptions& o = {}) { return Tensor::randn(shape, o); }
[[nodiscard]] inline Tensor randint(const Sizes& shape, int64_t low, int64_t high, const TensorOptions& o = {}) {
  return Tensor::randint(shape, low, high, o);
}
[[nodiscard]] inline Tensor randint(int64_t low, int64_t high, const Sizes& shape, const TensorOptions& o = {}) {
  return Tensor::randint(shape, low, high, o);
}
// Elementwise functions of two operands, at least one of them a tensor, besides those in tg/tensor.hpp; shapes broadcast. Float32 results
// are within 4 units in the last place. Those of real numbers give float32 for integers.
[[nodiscard]] Tensor div(const Operand& a, const Operand& b,
                         const DivOptions& options);  // with Rounding::Floor or Trunc, of integers exact
[[nodiscard]] Tensor add(const Operand& a, const Operand& b, const ScaleOptions& options);  // a + alpha b
[[nodiscard]] Tensor sub(const Operand& a, const Operand& b, const ScaleOptions& options);  // a - alpha b; not of bool
/// a - trunc(a / b) * b, with the sign of a, as C's; an integer by 0 is 0. Of floats exact where the quotient is below 2^24 (2^53).
[[nodiscard]] Tensor fmod(const Operand& a, const Operand& b);
[[nodiscard]] inline Tensor remainder(const Operand& a, const Operand& b) { return mod(a, b); }  // with the sign of b, as Python's %
[[nodiscard]] Tensor atan2(const Operand& y, const Operand& x);       // the angle of the point (x, y), from -pi to pi
[[nodiscard]] Tensor hypot(const Operand& a, const Operand& b);       // sqrt(a^2 + b^2) without overflow
[[nodiscard]] Tensor logaddexp(const Operand& a, const Operand& b);   // log(exp(a) + exp(b)) without overflow
[[nodiscard]] Tensor copysign(const Operand& a, const Operand& b);    // |a| with the sign of b
[[nodiscard]] Tensor nextafter(const Operand& a, const Operand& b);   // the number of the dtype next to a towards b; has no gradient
[[nodiscard]] Tensor lerp(const Operand& a, const Operand& b, const Operand& weight);  // a + weight (b - a)
[[nodiscard]] Tensor isclose(const Operand& a, const Operand& b, const CloseOptions& options = {});
[[nodiscard]] bool allclose(const Operand& a, const Operand& b, const CloseOptions& options = {});
/// Numbers in the place of nan and of the infinities: without one the largest finite number of the dtype, and the least.
[[nodiscard]] Tensor nan_to_num(const Tensor& x, double nan = 0, std::optional<double> posinf = {}, std::optional<double> neginf = {});
[[nodiscard]] Tensor fmax(const Tensor& a, const Operand& b);  // the larger; where one is nan, the other
[[nodiscard]] Tensor fmin(const Tensor& a, const Operand& b);
[[nodiscard]] Tensor xlogy(const Tensor& x, const Operand& y);             // x log(y); 0 where x is 0, unless y is nan
[[nodiscard]] Tensor heaviside(const Tensor& x, const Operand& at_zero);   // 0 below 0, 1 above; nan stays. Without a gradient in x
[[nodiscard]] Tensor float_power(const Tensor& x, const Operand& y);       // pow in float64
[[nodiscard]] Tensor addcmul(const Tensor& x, const Tensor& a, const Operand& b, Scalar value = 1);  // x + value a b
[[nodiscard]] Tensor addcdiv(const Tensor& x, const Tensor& a, const Operand& b, Scalar value = 1);  // x + value a / b
[[nodiscard]] Tensor frac(const Tensor& x);                     // x - trunc(x)
[[nodiscard]] Tensor deg2rad(const Tensor& x);
[[nodiscard]] Tensor rad2deg(const Tensor& x);
[[nodiscard]] Tensor sinc(const Tensor& x);                     // sin(pi x) / (pi x), 1 at 0
[[nodiscard]] Tensor logit(const Tensor& x, double eps = -1);   // log(x / (1 - x)); x within [eps, 1 - eps], where eps is not negative
[[nodiscard]] Tensor signbit(const Tensor& x);                  // whether the sign is set, of -0 too
[[nodiscard]] Tensor isposinf(const Tensor& x);
[[nodiscard]] Tensor isneginf(const Tensor& x);
[[nodiscard]] Tensor threshold(const Tensor& x, double bound, double value);  // x above the bound, else the value
[[nodiscard]] Tensor hardshrink(const Tensor& x, double lambda = 0.5);        // 0 from -lambda to lambda, else x
[[nodiscard]] Tensor softshrink(const Tensor& x, double lambda = 0.5);        // and lambda nearer to 0
[[nodiscard]] Tensor tanhshrink(const Tensor& x);                             // x - tanh(x)
[[nodiscard]] Tensor softmin(const Tensor& x, int axis = -1);                 // softmax(-x)
/// The n-th derivative of digamma; n from 0, of digamma itself. Relative error about 1e-6 in float32.
[[nodiscard]] Tensor polygamma(int n, const Tensor& x);
// Elementwise, of one tensor.
#define UNARY(kind, name, ...) [[nodiscard]] inline Tensor name(const Tensor& x) { return x.name(); }
#include "tg/unary.def"
[[nodiscard]] inline Tensor clamp(const Tensor& x, const ClampOptions& o) { return x.clamp(o); }
[[nodiscard]] inline Tensor clamp(const Tensor& x, double min, double max) { return x.clamp({.min = min, .max = max}); }
/// Within bounds that broadcast and promote with x; Tensor() for none. Where they cross it is max; nan of either operand stays. The
/// gradient is x's within the bounds, at them too, and beside them that of the bound which the result is.
[[nodiscard]] Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max = Tensor());
[[nodiscard]] inline Tensor gelu(const Tensor& x, const GeluOptions& o = {}) { return x.gelu(o); }
[[nodiscard]] inline Tensor hardtanh(const Tensor& x, double min = -1, double max = 1) { return x.hardtanh(min, max); }
[[nodiscard]] inline Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01) { return x.leaky_relu(negative_slope); }
[[nodiscard]] inline Tensor elu(const Tensor& x, double alpha = 1) { return x.elu(alpha); }
[[nodiscard]] inline Tensor celu(const Tensor& x, double alpha = 1) { return x.celu(alpha); }
[[nodiscard]] inline Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20) { return x.softplus(beta, threshold); }
[[nodiscard]] inline Tensor prelu(const Tensor& x, const Tensor& weight) { return x.prelu(weight); }
[[nodiscard]] inline Tensor glu(const Tensor& x, int axis = -1) { return x.glu(axis); }
[[nodiscard]] inline Tensor dropout(const Tensor& x, double p = 0.5, bool training = true) { return x.dropout(p, training); }
// Reductions.
[[nodiscard]] inline Tensor sum(const Tensor& x, const ReduceOptions& o = {}) { return x.sum(o); }
[[nodiscard]] inline Tensor prod(const Tensor& x, const ReduceOptions& o = {}) { return x.prod(o); }
[[nodiscard]] inline Tensor mean(const Tensor& x, const ReduceOptions& o = {}) { return x.mean(o); }
[[nodiscard]] inline Tensor max(const Tensor& x, const ReduceOptions& o = {}) { return x.max(o); }
[[nodiscard]] inline Tensor min(const Tensor& x, const ReduceOptions& o = {}) { return x.min(o); }
template <std::same_as<Tensor> T>  // of two tensors elementwise; not of what stands in braces
[[nodiscard]] Tensor max(const Tensor& a, const T& b) { return maximum(a, b); }
template <std::same_as<Tensor> T>
[[nodiscard]] Tensor min(const Tensor& a, const T& b) { return minimum(a, b); }
[[nodiscard]] inline Tensor any(const Tensor& x, const ReduceOptions& o = {}) { return x.any(o); }
[[nodiscard]] inline Tensor all(const Tensor& x, const ReduceOptions& o = {}) { return x.all(o); }
[[nodiscard]] inline Tensor var(const Tensor& x, const VarOptions& o = {}) { return x.var(o); }
[[nodiscard]] inline Tensor std(const Tensor& x, const VarOptions& o = {}) { return x.std(o); }
[[nodiscard]] inline Tensor argmax(const Tensor& x, const ArgOptions& o = {}) { return x.argmax(o); }
[[nodiscard]] inline Tensor argmin(const Tensor& x, const ArgOptions& o = {}) { return x.argmin(o); }
[[nodiscard]] inline Tensor logsumexp(const Tensor& x, const ReduceOptions& o = {}) { return x.logsumexp(o); }
[[nodiscard]] inline Tensor softmax(const Tensor& x, int axis = -1) { return x.softmax(axis); }
[[nodiscard]] inline Tensor log_softmax(const Tensor& x, int axis = -1) { return x.log_softmax(axis); }
#define REDUCTION(name)                                                                                           \
  template <detail::Integer I>                                                                                    \
  [[nodiscard]] Tensor name(const Tensor& x, I axis, bool keepdim = false) { return x.name(axis, keepdim); }      \
  template <detail::Integer I>                                                                                    \
  [[nodiscard]] Tensor name(const Tensor& x, std::initializer_list<I> axes, bool keepdim = false) { return x.name(axes, keepdim); }
REDUCTION(sum) REDUCTION(prod) REDUCTION(mean) REDUCTION(any) REDUCTION(all) REDUCTION(var) REDUCTION(std) REDUCTION(argmax)
REDUCTION(argmin) REDUCTION(logsumexp)
#undef REDUCTION
// In order.
[[nodiscard]] inline Tensor cumsum(const Tensor& x, int axis = -1) { return x.cumsum(axis); }
[[nodiscard]] inline Tensor cumprod(const Tensor& x, int axis = -1) { return x.cumprod(axis); }
[[nodiscard]] inline Tensor logcumsumexp(const Tensor& x, int axis = -1) { return x.logcumsumexp(axis); }
[[nodiscard]] inline Found cummax(const Tensor& x, int axis = -1) { return x.cummax(axis); }
[[nodiscard]] inline Found cummin(const Tensor& x, int axis = -1) { return x.cummin(axis); }
[[nodiscard]] inline Found sort(const Tensor& x, const SortOptions& o = {}) { return x.sort(o); }
[[nodiscard]] inline Tensor argsort(const Tensor& x, const SortOptions& o = {}) { return x.argsort(o); }
[[nodiscard]] inline Found topk(const Tensor& x, int64_t k, int axis = -1, bool largest = true) { return x.topk(k, axis, largest); }
[[nodiscard]] inline Tensor median(const Tensor& x, const ArgOptions& o = {}) { return x.median(o); }
// Movement.
[[nodiscard]] inline Tensor reshape(const Tensor& x, const Sizes& shape) { return x.reshape(shape); }
[[nodiscard]] inline Tensor flatten(const Tensor& x, int first = 0, int last = -1) { return x.flatten(first, last); }
[[nodiscard]] inline Tensor permute(const Tensor& x, const std::vector<int>& axes) { return x.permute(axes); }
[[nodiscard]] inline Tensor transpose(const Tensor& x, int a = 0, int b = 1) { return x.transpose(a, b); }
[[nodiscard]] inline Tensor expand(const Tensor& x, const Sizes& shape) { return x.expand(shape); }
[[nodiscard]] inline Tensor broadcast_to(const Tensor& x, const Sizes& shape) { return x.expand(shape); }
[[nodiscard]] inline Tensor flip(const Tensor& x, const Axes& axes = {}) { return x.flip(axes); }
[[nodiscard]] inline Tensor squeeze(const Tensor& x, const Axes& axes = {}) { return x.squeeze(axes); }
[[nodiscard]] inline Tensor unsqueeze(const Tensor& x, int axis) { return x.unsqueeze(axis); }
[[nodiscard]] inline Tensor t(const Tensor& x) { return x.t(); }
[[nodiscard]] inline Tensor pad(const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& amounts, const PadOptions& o = {}) {
  return x.pad(amounts, o);
}
[[nodiscard]] inline Tensor select(const Tensor& x, int axis, int64_t index) { return x.select(axis, index); }
[[nodiscard]] inline Tensor narrow(const Tensor& x, int axis, int64_t start, int64_t length) { return x.narrow(axis, start, length); }
[[nodiscard]] inline std::vector<Tensor> unbind(const Tensor& x, int axis = 0) { return x.unbind(axis); }
[[nodiscard]] inline std::vector<Tensor> split(const Tensor& x, int64_t length, int axis = 0) { return x.split(length, axis); }
[[nodiscard]] inline std::vector<Tensor> split(const Tensor& x, const Sizes& lengths, int axis = 0) { return x.split(lengths, axis); }
[[nodiscard]] inline std::vector<Tensor> chunk(const Tensor& x, int64_t count, int axis = 0) { return x.chunk(count, axis); }
[[nodiscard]] inline Tensor stack(const std::vector<Tensor>& tensors, int axis = 0) { return Tensor::stack(tensors, axis); }
[[nodiscard]] inline Tensor cat(const std::vector<Tensor>& tensors, int axis = 0) { return Tensor::cat(tensors, axis); }
[[nodiscard]] inline Tensor gather(const Tensor& x, int axis, const Tensor& index) { return x.gather(axis, index); }
[[nodiscard]] inline Tensor take(const Tensor& x, const Tensor& index, int axis = 0) { return x.take(index, axis); }
[[nodiscard]] inline Tensor index_select(const Tensor& x, int axis, const Tensor& index) { return x.take(index, axis); }
/// As gather, of what x and the index broadcast to beside the axis (numpy.take_along_axis); without an axis, of the flattened x.
[[nodiscard]] Tensor take_along_dim(const Tensor& x, const Tensor& index, const Axes& axis = {});
// Products and norms.
[[nodiscard]] inline Tensor matmul(const Tensor& a, const Tensor& b) { return a.matmul(b); }
[[nodiscard]] inline Tensor dot(const Tensor& a, const Tensor& b) { return a.matmul(b); }
[[nodiscard]] inline Tensor mm(const Tensor& a, const Tensor& b) { return a.matmul(b); }
[[nodiscard]] inline Tensor bmm(const Tensor& a, const Tensor& b) { return a.matmul(b); }
[[nodiscard]] inline Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const NormOptions& o = {}) {
  return x.layer_norm(weight, bias, o);
}

}  // namespace tg
