// Elementwise functions of one tensor. Those of real numbers are generated from tg/unary.def over special.hpp; here is what keeps dtypes,
// has parameters or gives bool.
//
//   x.sinh() with x float16      Cast(Function(...Cast(x, float32)...), float16)
#include <fmt/format.h>

#include <cmath>

#include "tensor/impl.hpp"
#include "tensor/special.hpp"
#include "tg/functions.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

namespace {

/// f(x) in the working dtype, rounded once; integers become float32.
Tensor real(const Tensor& x, UOp (*f)(const UOp&), std::string_view operation) {
  const UOp u = source_of(x, operation);
  return make(cast(f(cast(u, working_dtype(u.dtype()))), float_of(u.dtype())), x);
}
bool whole_numbers(const Tensor& x) { return !is_float(x.dtype()); }
DType unsigned_of(int64_t bytes) {
  return bytes == 1 ? DType::uint8 : bytes == 2 ? DType::uint16 : bytes == 4 ? DType::uint32 : DType::uint64;
}
/// A bound as the number that it is to the tensor: whole ones leave integers integers.
Scalar bound(const Tensor& x, double v) { return whole_numbers(x) && v == std::trunc(v) ? Scalar(v, DType::int64) : Scalar(v); }

}  // namespace

#define UNARY(kind, name, ...) UNARY_##kind(name)
#define UNARY_Real(name) \
  Tensor Tensor::name() const { return real(*this, special::name, #name); }
#define UNARY_Same(name)
#define UNARY_Truth(name)
#define UNARY_Bits(name)
#include "tg/unary.def"

Tensor Tensor::cast(DType to) const {
  const UOp u = source_of(*this, "cast");
  require_dtype(to != DType::void_ && to != DType::index, "cast", to, "cast to bool, an integer or a float dtype");
  return make(tg::cast(u, to), *this);
}
Tensor Tensor::bitcast(DType to) const {
  const UOp u = source_of(*this, "bitcast");
  for (const DType t : {u.dtype(), to})
    require_dtype(t != DType::bool_ && t != DType::void_ && t != DType::index, "bitcast", t, "both dtypes must be of numbers");
  if (u.dtype() == to) return clone();
  const auto from_bytes = static_cast<int64_t>(size_of(u.dtype())), bytes = static_cast<int64_t>(size_of(to));
  const auto bits = [](const UOp& x, DType t) { return x.dtype() == t ? x : UOp::make(Op::Bitcast, {x}, Arg{}, t); };
  if (from_bytes == bytes) return make(bits(u, to), device());
  // Numbers of another size: the smaller ones are digits of the larger, the lowest first.
  const bool grows = bytes > from_bytes;
  const int64_t many = grows ? bytes / from_bytes : from_bytes / bytes;
  Sizes shape = this->shape();
  if (shape.empty() || (grows && shape.back() % many != 0))
    throw ShapeError(fmt::format("bitcast: the last axis of shape {} of {} does not hold whole elements of {}, which has {} bytes",
                                 to_string(shape), name_of(u.dtype()), name_of(to), bytes));
  const DType small = unsigned_of(std::min(bytes, from_bytes)), large = unsigned_of(std::max(bytes, from_bytes));
  const int64_t width = 8 * std::min(bytes, from_bytes);
  const Tensor whole = make(bits(u, grows ? small : large), device());
  const Tensor places = arange(0, many * width, width, {.dtype = large, .device = device()});
  if (grows) shape.back() /= many, shape.push_back(many);
  else shape.back() *= many;
  const Tensor out = grows ? (whole.reshape(shape).cast(large) << places).sum({.axis = -1, .dtype = large})
                           : (whole.unsqueeze(-1) >> places).cast(small).reshape(shape);
  return make(bits(source_of(out, "bitcast"), to), device());
}
Tensor Tensor::to(std::string_view to) const {
  TensorOptions options;
  options.device = to;
  const std::string name = device_of(options);
  if (name == device()) return clone();
  return tg::make(UOp::make(Op::Copy, {source_of(*this, "to")}, Name(name)), name, carries_gradient(*this));
}
Tensor Tensor::contiguous() const { return make(UOp::make(Op::Contiguous, {source_of(*this, "contiguous")}), *this); }

Tensor Tensor::neg() const {
  require_dtype(dtype() != DType::bool_, "neg", dtype(), "use logical_not() or ~");
  return make(source_of(*this, "neg") * -1, *this);
}
Tensor Tensor::abs() const {
  if (is_unsigned(dtype())) return clone();
  const Tensor larger = neg().maximum(*this);
  return is_float(dtype()) ? larger + 0.0 : larger;  // the larger of -0 and 0 may be either; -0 + 0 is 0
}
Tensor Tensor::sign() const {
  if (dtype() == DType::bool_) return clone();
  const Tensor x = detach();
  const Tensor y = tg::where(x > 0, 1, x);
  return make(source_of(is_unsigned(dtype()) ? y : tg::where(x < 0, -1, y), "sign"), *this);  // differentiable, with a gradient of zero
}
Tensor Tensor::trunc() const { return whole_numbers(*this) ? clone() : make(UOp::make(Op::Trunc, {source_of(*this, "trunc")}), *this); }
Tensor Tensor::floor() const {
  const Tensor t = trunc();
  return whole_numbers(*this) ? t : tg::where(*this < t, t - 1, t);
}
Tensor Tensor::ceil() const {
  const Tensor t = trunc();
  return whole_numbers(*this) ? t : tg::where(t < *this, t + 1, t);
}
Tensor Tensor::round() const {
  if (whole_numbers(*this)) return clone();
  // Adding 2^mantissa leaves no room for a fraction: the addition rounds, to even. Larger numbers have no fraction.
  const auto nearest = [](const UOp& x) {
    const double room = x.dtype() == DType::float64 ? 0x1p52 : 0x1p23;
    const UOp a = special::abs(x), rounded = special::plus(special::plus(a, room), -room);
    // The sign comes last: LLVM 19 swaps operands where a choice between x and a number with x's sign is one masked vpternlog.
    return UOp::make(Op::Detach, {special::with_sign(tg::where(special::less(a, room), rounded, a), x)});
  };
  return real(*this, nearest, "round");  // differentiable, with a gradient of zero
}

Tensor Tensor::round(int decimals) const {
  if (decimals == 0 || (whole_numbers(*this) && decimals > 0)) return round();
  const double unit = std::pow(10.0, std::abs(decimals));
  if (whole_numbers(*this)) {
    if (decimals < -18) throw ValueError(fmt::format("round: decimals {}; of integers it takes -18 or more", decimals));
    const auto ten = static_cast<int64_t>(unit);
    const Tensor x = cast(dtype() == DType::uint64 ? DType::uint64 : DType::int64), above = x % ten, below = x - above;
    const Tensor odd = below.floor_div(ten) % 2 == 1, up = (above * 2 > ten).logical_or((above * 2 == ten).logical_and(odd));
    return tg::where(up, below + ten, below).cast(dtype());
  }
  return in_working_dtype(*this, [&](const Tensor& x) {
    const Tensor digits = decimals > 0 ? x * unit : x / unit, whole = digits.round();
    if (decimals < 0) return tg::where(whole == 0, whole, whole * unit);  // the unit may be infinite
    return tg::where(digits.isfinite(), whole / unit, x.detach());        // numbers this large have no fraction
  });
}

Tensor Tensor::square() const { return *this * *this; }

Tensor Tensor::isnan() const { return *this != *this; }
Tensor Tensor::isinf() const { return whole_numbers(*this) ? isnan() : abs() == HUGE_VAL; }
Tensor Tensor::isfinite() const { return whole_numbers(*this) ? eq(*this) : abs() < HUGE_VAL; }
Tensor Tensor::logical_not() const { return *this == 0; }
Tensor Tensor::bitwise_not() const {
  const UOp u = source_of(*this, "bitwise_not");
  require_dtype(!is_float(u.dtype()), "bitwise_not", u.dtype(), "it is of integers and bool; cast first");
  return make(UOp::make(Op::Xor, {u, constant(u.dtype(), u.dtype() == DType::bool_ ? 1 : -1)}), *this);
}
Tensor Tensor::clamp(const ClampOptions& options) const {
  if (!(options.min <= options.max))
    throw ValueError(fmt::format("clamp: min {} is not at most max {}", options.min, options.max));
  // By conditions rather than max and min: at the bounds all of the gradient passes.
  Tensor x = clone();
  if (options.min > -HUGE_VAL) x = tg::where(x < bound(x, options.min), bound(x, options.min), x);
  if (options.max < HUGE_VAL) x = tg::where(x > bound(x, options.max), bound(x, options.max), x);
  return x;
}
Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max) {
  const auto bounded = [](const Tensor& y, const Tensor& bound, const Tensor& outside) {
    return where(logical_or(outside, bound.isnan()), bound, y);
  };
  Tensor y = x.clone();
  if (min.defined()) y = bounded(y, min, y < min);
  if (max.defined()) y = bounded(y, max, y > max);
  return y;
}
Tensor Tensor::hardtanh(double min, double max) const {
  if (!(min <= max)) throw ValueError(fmt::format("hardtanh: min {} is not at most max {}", min, max));
  const Tensor limited = maximum(bound(*this, min)).minimum(bound(*this, max));
  if (whole_numbers(*this)) return limited;
  const Tensor fixed = limited.detach();
  return tg::where((fixed != min).logical_and(fixed != max), *this, fixed);
}

Tensor Tensor::relu() const {
  // The value is max(x, 0); said this way nan stays, the gradient at 0 is 0 and not a half, and it needs the result alone, not x.
  const Tensor positive = maximum(0);
  return whole_numbers(*this) ? positive : tg::where(positive.detach() != 0, *this, 0);
}
Tensor Tensor::relu6() const { return hardtanh(0, 6); }
Tensor Tensor::gelu(const GeluOptions& options) const { return real(*this, options.tanh ? special::gelu_tanh : special::gelu, "gelu"); }
Tensor polygamma(int n, const Tensor& x) {
  if (n < 0 || n > 100) throw ValueError(fmt::format("polygamma: order {}; it takes 0 to 100", n));
  if (n == 0) return x.digamma();
  return in_working_dtype(x, [&](const Tensor& v) { return make(special::polygamma(n, source_of(v, "polygamma")), v); });
}
Tensor Tensor::leaky_relu(double slope) const { return tg::where(*this > 0, *this, *this * slope); }
Tensor Tensor::elu(double alpha) const {
  // Where x is positive the exponential's gradient, perhaps infinite, must not meet the zero that reaches it.
  return tg::where(*this > 0, *this, tg::where(*this > 0, 0, *this).expm1() * alpha);
}
Tensor Tensor::celu(double alpha) const {
  if (alpha == 0) throw ValueError("celu: alpha is 0; it divides by it");
  return tg::where(*this > 0, *this, (tg::where(*this > 0, 0, *this) / alpha).expm1() * alpha);
}
Tensor Tensor::softplus(double beta, double threshold) const {
  if (!(beta > 0)) throw ValueError(fmt::format("softplus: beta is {}; it takes a number above 0", beta));
  return in_working_dtype(*this, [&](const Tensor& x) {
    const Tensor scaled = beta == 1 ? x : x * beta, soft = -(-scaled).logsigmoid();
    return tg::where(scaled > threshold, x, beta == 1 ? soft : soft / beta);
  });
}
Tensor Tensor::prelu(const Tensor& weight) const {
  const int64_t channels = rank() > 1 ? size(1) : 1;
  if (weight.numel() != 1 && (weight.rank() != 1 || weight.size(0) != channels))
    throw ShapeError(fmt::format("prelu: a weight of shape {} for shape {}; it takes one element, or {}, one for each index of axis 1",
                                 to_string(weight.shape()), to_string(shape()), channels));
  Sizes beside(static_cast<size_t>(std::max(rank() - 1, 0)), 1);
  if (!beside.empty()) beside[0] = weight.numel();
  return tg::where(*this > 0, *this, *this * weight.reshape(beside));
}
Tensor Tensor::glu(int axis) const {
  const int64_t n = size(axis);
  if (n % 2 != 0)
    throw ShapeError(fmt::format("glu: axis {} of shape {} has {} elements; it takes an even number", axis, to_string(shape()), n));
  const std::vector<Tensor> halves = split({n / 2, n / 2}, axis);
  return halves[0] * halves[1].sigmoid();
}
Tensor Tensor::dropout(double p, bool training) const {
  if (!(p >= 0 && p <= 1)) throw ValueError(fmt::format("dropout: p is {}; it takes a probability from 0 to 1", p));
  if (!training || p == 0) return clone();
  TensorOptions options;
  options.device = device();
  return tg::where(rand(shape(), options) < p, 0, *this * (p < 1 ? 1 / (1 - p) : 0.0));
}

}  // namespace tg
