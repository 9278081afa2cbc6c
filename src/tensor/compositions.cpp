// Elementwise functions that are a few others put together.
//
//   sinc(x)      where(x == 0, 1, sin(pi x) / (pi x))
#include <cmath>
#include <numbers>

#include "tensor/impl.hpp"
#include "tg/functions.hpp"

namespace tg {

namespace {

constexpr double kDegree = std::numbers::pi / 180;

/// A number as a tensor beside x: the dtype that it has there.
Tensor operand(const Tensor& x, const Operand& y) {
  return y.tensor ? *y.tensor : Tensor::full({}, y.scalar, {.dtype = beside(x.dtype(), y.scalar), .device = x.device()});
}
/// f of both, or one where the other is nan.
Tensor without_nan(const Tensor& a, const Operand& second, Tensor (*f)(const Operand&, const Operand&)) {
  const Tensor b = operand(a, second);
  if (!is_float(a.dtype()) && !is_float(b.dtype())) return f(a, b);
  return where(a.isnan(), b, where(b.isnan(), a, f(a, b)));
}

}  // namespace

Tensor addcmul(const Tensor& x, const Tensor& a, const Operand& b, Scalar value) { return add(x, mul(a, b), {.alpha = value}); }
Tensor addcdiv(const Tensor& x, const Tensor& a, const Operand& b, Scalar value) { return add(x, div(a, b), {.alpha = value}); }
Tensor fmax(const Tensor& a, const Operand& b) { return without_nan(a, b, maximum); }
Tensor fmin(const Tensor& a, const Operand& b) { return without_nan(a, b, minimum); }
Tensor xlogy(const Tensor& x, const Operand& second) {
  const Tensor y = operand(x, second), nothing = logical_and(x == 0, logical_or(y <= 0, y == HUGE_VAL));
  return where(nothing, 0, x * where(nothing, 1, y).log());
}
Tensor heaviside(const Tensor& x, const Operand& at_zero) {
  const Tensor value = operand(x, at_zero), step = where(x == 0, value, (x > 0).cast(promote(x.dtype(), value.dtype())));
  return is_float(x.dtype()) ? where(x.isnan(), x, step) : step;
}
Tensor float_power(const Tensor& x, const Operand& y) {
  const Tensor wide = x.cast(DType::float64);
  return y.tensor ? pow(wide, y.tensor->cast(DType::float64)) : pow(wide, y.scalar.to<double>());
}

Tensor frac(const Tensor& x) { return x - x.trunc(); }
Tensor deg2rad(const Tensor& x) { return x * kDegree; }
Tensor rad2deg(const Tensor& x) { return x * (1 / kDegree); }
Tensor sinc(const Tensor& x) {
  return in_working_dtype(x, [](const Tensor& v) -> Tensor {
    const Tensor zero = v == 0, angle = where(zero, 1, v) * std::numbers::pi;
    return where(zero, 1, angle.sin() / angle);
  });
}
Tensor logit(const Tensor& x, double eps) {
  return in_working_dtype(x, [&](const Tensor& v) -> Tensor {
    const Tensor p = eps < 0 ? v : v.clamp({.min = eps, .max = 1 - eps});
    return (p / (1 - p)).log();
  });
}
Tensor signbit(const Tensor& x) { return is_float(x.dtype()) ? copysign(1.0, x) < 0 : x < 0; }
Tensor isposinf(const Tensor& x) { return x == HUGE_VAL; }
Tensor isneginf(const Tensor& x) { return x == -HUGE_VAL; }

Tensor threshold(const Tensor& x, double bound, double value) { return where(x <= bound, value, x); }
Tensor hardshrink(const Tensor& x, double lambda) { return where(logical_and(x >= -lambda, x <= lambda), 0, x); }
Tensor softshrink(const Tensor& x, double lambda) {
  if (!(lambda >= 0)) throw ValueError("softshrink: the bound is negative; it takes 0 or more");
  return where(x > lambda, x - lambda, where(x < -lambda, x + lambda, x * 0));
}
Tensor tanhshrink(const Tensor& x) { return x - x.tanh(); }
Tensor softmin(const Tensor& x, int axis) { return (-x.cast(float_of(x.dtype()))).softmax(axis); }

}  // namespace tg
