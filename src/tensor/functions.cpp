// Elementwise functions of one tensor, as compositions of primitives; their gradients follow from the primitives' own.
//
//   x.sigmoid()      1 / (1 + exp2(-max(x log2(e), -126)))
#include <fmt/format.h>

#include <cmath>
#include <initializer_list>
#include <numbers>

#include "ir/op_info.hpp"
#include "tensor/impl.hpp"

namespace tg {

namespace {

/// One op on floats; integers become float32 first.
Tensor unary(const Tensor& x, Op op, std::string_view operation) {
  const UOp u = node_of(x, operation);
  return make(UOp::make(op, {tg::cast(u, float_of(u.dtype()))}), x);
}
/// c[0] x^n + c[1] x^(n-1) + ... by Horner's rule.
Tensor polynomial(const Tensor& x, std::initializer_list<double> c) {
  Tensor p = x * *c.begin() + c.begin()[1];
  for (size_t i = 2; i < c.size(); ++i) p = p * x + c.begin()[i];
  return p;
}
bool whole_numbers(const Tensor& x) { return !is_float(x.dtype()); }

}  // namespace

Tensor Tensor::cast(DType to) const {
  const UOp u = node_of(*this, "cast");
  require_dtype(to != DType::void_ && to != DType::index, "cast", to, "cast to bool, an integer or a float dtype");
  return u.dtype() == to ? *this : make(tg::cast(u, to), *this);
}
Tensor Tensor::bitcast(DType to) const {
  const UOp u = node_of(*this, "bitcast");
  if (size_of(u.dtype()) != size_of(to) || u.dtype() == DType::bool_ || to == DType::bool_ || to == DType::index)
    throw DTypeError(fmt::format("bitcast: {} has {} bytes an element and {} has {}; both must be numbers of one size", name_of(u.dtype()),
                                 size_of(u.dtype()), name_of(to), size_of(to)));
  return u.dtype() == to ? *this : make(UOp::make(Op::Bitcast, {u}, Arg{}, to), device());
}
Tensor Tensor::to(std::string_view to) const {
  TensorOptions options;
  options.device = to;
  const std::string name = device_of(options);
  if (name == device()) return *this;
  return tg::make(UOp::make(Op::Copy, {node_of(*this, "to")}, Name(name)), name, carries_gradient(*this));
}
Tensor Tensor::contiguous() const { return make(UOp::make(Op::Contiguous, {node_of(*this, "contiguous")}), *this); }

Tensor Tensor::neg() const {
  require_dtype(dtype() != DType::bool_, "neg", dtype(), "use logical_not() or ~");
  return make(node_of(*this, "neg") * -1, *this);
}
Tensor Tensor::abs() const { return is_unsigned(dtype()) ? *this : maximum(neg(), *this); }
Tensor Tensor::sign() const {
  const Tensor zero = *this * 0;  // keeps nan
  return dtype() == DType::bool_ ? *this
                                 : tg::where(*this < 0, is_unsigned(dtype()) ? zero : zero - 1, tg::where(*this > 0, zero + 1, zero));
}
Tensor Tensor::trunc() const { return whole_numbers(*this) ? *this : unary(*this, Op::Trunc, "trunc"); }
Tensor Tensor::floor() const {
  const Tensor t = trunc();
  return whole_numbers(*this) ? t : tg::where(*this < t, t - 1, t);
}
Tensor Tensor::ceil() const {
  const Tensor t = trunc();
  return whole_numbers(*this) ? t : tg::where(t < *this, t + 1, t);
}
Tensor Tensor::round() const {
  if (whole_numbers(*this)) return *this;
  // Adding 1.5 * 2^mantissa leaves no room for a fraction: the addition rounds, to even. Larger numbers have no fraction.
  const Tensor rounded = in_working_dtype(detach(), [](const Tensor& x) {
    const double room = x.dtype() == DType::float64 ? 0x1.8p52 : 0x1.8p23;
    return tg::where(x.abs() < room / 3, (x + room) - room, x);
  });
  return make(node_of(rounded, "round"), *this);  // differentiable, with a gradient of zero
}

Tensor Tensor::exp2() const { return unary(*this, Op::Exp2, "exp2"); }
Tensor Tensor::log2() const { return unary(*this, Op::Log2, "log2"); }
Tensor Tensor::sin() const { return unary(*this, Op::Sin, "sin"); }
Tensor Tensor::cos() const { return unary(*this, Op::Cos, "cos"); }
Tensor Tensor::sqrt() const { return unary(*this, Op::Sqrt, "sqrt"); }
Tensor Tensor::reciprocal() const { return unary(*this, Op::Recip, "reciprocal"); }
Tensor Tensor::exp() const {
  return in_working_dtype(*this, [](const Tensor& x) { return (x * std::numbers::log2e).exp2(); });
}
Tensor Tensor::log() const {
  return in_working_dtype(*this, [](const Tensor& x) { return x.log2() * std::numbers::ln2; });
}
Tensor Tensor::tan() const {
  return in_working_dtype(*this, [](const Tensor& x) { return x.sin() / x.cos(); });
}
Tensor Tensor::rsqrt() const {
  return in_working_dtype(*this, [](const Tensor& x) { return x.sqrt().reciprocal(); });
}
Tensor Tensor::square() const { return *this * *this; }

Tensor Tensor::isnan() const { return *this != *this; }
Tensor Tensor::isinf() const { return whole_numbers(*this) ? isnan() : abs() == HUGE_VAL; }
Tensor Tensor::isfinite() const { return whole_numbers(*this) ? eq(*this, *this) : abs() < HUGE_VAL; }
Tensor Tensor::logical_not() const { return *this == 0; }
Tensor Tensor::bitwise_not() const {
  const UOp u = node_of(*this, "bitwise_not");
  require_dtype(!is_float(u.dtype()), "bitwise_not", u.dtype(), "it is of integers and bool; cast first");
  return make(UOp::make(Op::Xor, {u, constant(u.dtype(), u.dtype() == DType::bool_ ? 1 : -1)}), *this);
}
Tensor Tensor::clamp(const ClampOptions& options) const {
  if (!(options.min <= options.max))
    throw ValueError(fmt::format("clamp: min {} is not at most max {}", options.min, options.max));
  const auto number = [&](double v) { return whole_numbers(*this) && v == std::trunc(v) ? Scalar(v, DType::int64) : Scalar(v); };
  Tensor x = *this;
  if (options.min > -HUGE_VAL) x = maximum(x, number(options.min));
  if (options.max < HUGE_VAL) x = minimum(x, number(options.max));
  return x;
}

Tensor Tensor::erf() const {
  return in_working_dtype(*this, [](const Tensor& x) {
    // N. Juffa's erff (2 ranges): near 0 x + x P(x^2), beyond 1 - exp(Q(|x|)) with the sign of x.
    const Tensor s = x * x, t = x.abs().clamp({.max = 4});  // 1 in float32 from 3.92 on
    const Tensor near =
        x + x * polynomial(s, {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1});
    const Tensor q =
        t * polynomial(t, {-1.72853470e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1, -1.28717512e-1}) -
        t;
    const Tensor beyond = 1 - q.exp();
    return tg::where(t < 0.927734375, near, tg::where(x < 0, -beyond, beyond));
  });
}
Tensor Tensor::relu() const {
  // The value is max(x, 0); said this way nan stays, the gradient at 0 is 0 and not a half, and it needs the result alone, not x.
  const Tensor positive = maximum(*this, 0);
  return whole_numbers(*this) ? positive : tg::where(positive.detach() != 0, *this, 0);
}
Tensor Tensor::sigmoid() const {
  return in_working_dtype(*this, [](const Tensor& x) {
    const double bound = x.dtype() == DType::float64 ? -1022 : -126;  // beyond, exp2 would overflow and its gradient be 0 * inf
    return (maximum(x * std::numbers::log2e, bound).neg().exp2() + 1).reciprocal();
  });
}
Tensor Tensor::tanh() const {
  return in_working_dtype(*this, [](const Tensor& x) {
    // Near 0 Cephes' polynomial of x^2: 2 sigmoid(2x) - 1 would cancel there.
    const Tensor s = x * x;
    const Tensor p = polynomial(s, {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1});
    return tg::where(s < 0.390625, x + x * s * p, (x * 2).sigmoid() * 2 - 1);
  });
}
Tensor Tensor::silu() const {
  return in_working_dtype(*this, [](const Tensor& x) { return x * x.sigmoid(); });
}
Tensor Tensor::gelu(const GeluOptions& options) const {
  return in_working_dtype(*this, [&](const Tensor& x) {
    // 0.5 (1 + tanh(y)) is sigmoid(2y).
    if (options.tanh) return x * ((x + x * x * x * 0.044715) * (2 * std::sqrt(2 / std::numbers::pi))).sigmoid();
    return x * 0.5 * ((x * std::numbers::sqrt2 / 2).erf() + 1);
  });
}
Tensor Tensor::dropout(double p, bool training) const {
  if (!(p >= 0 && p <= 1)) throw ValueError(fmt::format("dropout: p is {}; it takes a probability from 0 to 1", p));
  if (!training || p == 0) return *this;
  TensorOptions options;
  options.device = device();
  return tg::where(rand(shape(), options) < p, 0, *this * (p < 1 ? 1 / (1 - p) : 0.0));
}

}  // namespace tg
