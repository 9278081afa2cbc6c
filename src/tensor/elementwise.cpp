// Functions of two operands: promotion, broadcasting, one op.
//
//   x / 2 with x int32 (3)      Div(Cast(x, float32), Const 2): the number stays a scalar node, no expand
#include <fmt/format.h>

#include <cmath>

#include "tensor/impl.hpp"
#include "tensor/special.hpp"
#include "tg/functions.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/limits.hpp"

namespace tg {

namespace {

/// The operands as nodes of one dtype and of shapes that elementwise ops take together.
struct Fitted {
  std::string_view operation;
  UOp a, b;
  std::string device;
  bool grad = false;

  Fitted(std::string_view op, const Operand& x, const Operand& y) : operation(op) {
    if (!x.tensor && !y.tensor) throw ValueError(fmt::format("{}: two plain numbers; at least one operand must be a tensor", op));
    if (x.tensor && y.tensor) {
      check_same_device(*x.tensor, *y.tensor, op);
      const UOp u = source_of(*x.tensor, op), v = source_of(*y.tensor, op);
      const DType t = promote(u.dtype(), v.dtype());
      const Shape shape = broadcast_shape(u.shape(), v.shape(), op);
      a = broadcast(cast(u, t), shape);
      b = broadcast(cast(v, t), shape);
    } else {
      const UOp u = source_of(x.tensor ? *x.tensor : *y.tensor, op);
      const Scalar& s = x.tensor ? y.scalar : x.scalar;
      const DType t = beside(u.dtype(), s);
      const UOp number = weak_constant(s, t, op);
      a = x.tensor ? cast(u, t) : number;
      b = x.tensor ? number : cast(u, t);
    }
    const Tensor& t = x.tensor ? *x.tensor : *y.tensor;
    device = impl_of(t, op).device;
    grad = (x.tensor && carries_gradient(*x.tensor)) || (y.tensor && carries_gradient(*y.tensor));
  }
  DType dtype() const { return a.dtype(); }
  Fitted& require(bool satisfied, std::string_view remedy) {
    require_dtype(satisfied, operation, dtype(), remedy);
    return *this;
  }
  Fitted& as(DType t) {
    a = cast(a, t);
    b = cast(b, t);
    return *this;
  }
  Tensor result(const UOp& value) const { return make(value, device, grad && is_float(value.dtype())); }
  Tensor result(Op op) const { return result(UOp::make(op, {a, b})); }
  Tensor negated(Op op) const { return result(logical_not(UOp::make(op, {a, b}))); }
};

Fitted integers(std::string_view operation, const Operand& a, const Operand& b, bool with_bool) {
  Fitted f(operation, a, b);
  return f.require(is_int(f.dtype()) || (with_bool && f.dtype() == DType::bool_), "it is of integers; cast floats first");
}
Fitted truths(std::string_view operation, const Operand& a, const Operand& b) {
  Fitted f(operation, a, b);
  const auto truth = [](const UOp& u) { return u.dtype() == DType::bool_ ? u : not_equal(u, constant(u.dtype(), 0)); };
  f.a = truth(f.a);
  f.b = truth(f.b);
  return f;
}

// ---- powers ----

UOp one_like(const UOp& x) { return constant(x.dtype(), 1); }

UOp whole_power(const UOp& x, uint64_t n) {
  UOp result, square = x;
  for (; n != 0; n >>= 1) {
    if (n & 1) result = result ? result * square : square;
    if (n > 1) square = square * square;
  }
  return result ? result : spread(one_like(x), x.shape());
}
/// Integers to integers: x^1, x^2, x^4, ... where the exponent has that bit; x^64 and beyond only through wrapping, so all bits count.
UOp integer_power(const UOp& x, const UOp& n) {
  UOp result = one_like(x), square = x;
  const int bits = 8 * static_cast<int>(size_of(x.dtype())) - is_signed_int(x.dtype());
  for (int bit = 0; bit < bits; ++bit) {
    const UOp has = not_equal(n & constant(n.dtype(), int64_t{1} << bit), constant(n.dtype(), 0));
    result = where(has, result * square, result);
    square = square * square;
  }
  return where(less(n, 0), constant(x.dtype(), 0), result);
}
/// f of two real numbers in the working dtype, rounded once.
Tensor real(std::string_view operation, const Operand& a, const Operand& b, UOp (*f)(const UOp&, const UOp&)) {
  Fitted x(operation, a, b);
  const DType own = float_of(x.dtype());
  x.as(working_dtype(own));
  return x.result(cast(f(x.a, x.b), own));
}
/// Of two plain numbers; whole where both are.
Scalar times(const Scalar& a, const Scalar& b) {
  if (is_float(a.dtype()) || is_float(b.dtype())) return a.to<double>() * b.to<double>();
  return a.to<int64_t>() * b.to<int64_t>();
}
UOp is(const UOp& a, const UOp& b) { return logical_not(not_equal(a, b)); }

UOp absolute(const UOp& x) { return special::max(x, x * -1); }
/// a - trunc(a / b) * b with the sign of a, exact where the quotient is below 2^mantissa; a rounded quotient may be too large by one.
UOp float_fmod(const UOp& a, const UOp& b) {
  const UOp high = absolute(a), low = absolute(b), quotient = UOp::make(Op::Trunc, {UOp::make(Op::Div, {high, low})});
  const UOp rest = UOp::make(Op::Fma, {quotient * -1, low, high}), zero = constant(a.dtype(), 0);
  const UOp size = where(less(rest, zero), rest + low, rest);
  return where(less(high, low), a, size * special::with_sign(constant(a.dtype(), 1), a));
}
/// Whether the rest lies on the other side of 0 than b, so that rounding down takes one more of b.
UOp rounds_down(const UOp& rest, const UOp& b) {
  const UOp zero = constant(b.dtype(), 0);
  return not_equal(less(rest, zero), less(b, zero)) & not_equal(rest, zero);
}
UOp float_mod(const UOp& a, const UOp& b) {
  const UOp rest = float_fmod(a, b);
  return where(rounds_down(rest, b), rest + b, rest);
}
UOp copy_sign(const UOp& x, const UOp& y) {
  static const Function& kCopySign = special::lasting("copysign", [](const UOp& u, const UOp& g, size_t i) {
    const UOp &v = u.src(1), one = constant(v.dtype(), 1), zero = constant(v.dtype(), 0);
    return i == 2 ? zero : where(not_equal(v, zero), g * special::with_sign(one, v) * special::with_sign(one, u.src(2)), zero);
  });
  return special::function(kCopySign, special::with_sign(x, y), {x, y});
}

}  // namespace

Tensor add(const Operand& a, const Operand& b) { return Fitted("add", a, b).result(Op::Add); }
Tensor mul(const Operand& a, const Operand& b) { return Fitted("mul", a, b).result(Op::Mul); }
Tensor sub(const Operand& a, const Operand& b) {
  Fitted f("sub", a, b);
  f.require(f.dtype() != DType::bool_, "use ^ (bitwise_xor), or cast to an integer dtype first");
  const UOp negative =
      is_const(f.b) ? (is_float(f.dtype()) ? constant(f.dtype(), -f.b.as<double>()) : constant(f.dtype(), -f.b.as<int64_t>())) : f.b * -1;
  return f.result(f.a + negative);
}
Tensor div(const Operand& a, const Operand& b) {
  Fitted f("div", a, b);
  return f.as(float_of(f.dtype())).result(Op::Div);
}
Tensor floor_div(const Operand& a, const Operand& b) {
  Fitted f("floor_div", a, b);
  f.require(f.dtype() != DType::bool_, "cast to an integer dtype first");
  if (!is_float(f.dtype())) return f.result(Op::IDiv);
  const DType own = f.dtype();
  f.as(working_dtype(own));
  // What the remainder leaves divides, but for rounding (Python's rule); by 0 it is infinite or nan.
  const UOp quotient = UOp::make(Op::Div, {f.a, f.b}), zero = constant(f.dtype(), 0);
  const UOp rest = float_fmod(f.a, f.b), toward_0 = UOp::make(Op::Div, {f.a + rest * -1, f.b});
  const UOp whole = where(rounds_down(rest, f.b), toward_0 + -1, toward_0);
  return f.result(special::with_sign(where(not_equal(f.b, zero), whole, quotient), quotient)).round().cast(own);
}
Tensor mod(const Operand& a, const Operand& b) {
  Fitted f("mod", a, b);
  f.require(f.dtype() != DType::bool_, "cast to an integer dtype first");
  if (!is_float(f.dtype())) return f.result(Op::Mod);
  const DType own = f.dtype();
  f.as(working_dtype(own));
  return f.result(cast(float_mod(f.a, f.b), own));
}
Tensor fmod(const Operand& a, const Operand& b) {
  Fitted f("fmod", a, b);
  f.require(f.dtype() != DType::bool_, "cast to an integer dtype first");
  if (const DType own = f.dtype(); is_float(own)) {
    f.as(working_dtype(own));
    return f.result(cast(float_fmod(f.a, f.b), own));
  }
  const UOp rest = UOp::make(Op::Mod, {f.a, f.b}), zero = constant(f.dtype(), 0);
  const UOp sides_differ = not_equal(less(f.a, zero), less(f.b, zero)) & not_equal(rest, zero);
  return f.result(is_unsigned(f.dtype()) ? rest : where(sides_differ, rest - f.b, rest));
}
Tensor div(const Operand& a, const Operand& b, const DivOptions& o) {
  if (o.rounding == Rounding::None) return div(a, b);
  if (o.rounding == Rounding::Floor) return floor_div(a, b);
  Fitted f("div", a, b);
  f.require(f.dtype() != DType::bool_, "cast to an integer dtype first");
  if (is_float(f.dtype())) return f.result(Op::Div).trunc();
  const UOp down = UOp::make(Op::IDiv, {f.a, f.b}), rest = UOp::make(Op::Mod, {f.a, f.b}), zero = constant(f.dtype(), 0);
  const UOp sides_differ = not_equal(less(f.a, zero), less(f.b, zero)) & not_equal(rest, zero);
  return f.result(is_unsigned(f.dtype()) ? down : where(sides_differ, down + 1, down));
}
Tensor pow(const Operand& a, const Operand& b) {
  Fitted f("pow", a, b);
  f.require(f.dtype() != DType::bool_, "cast to an integer or float dtype first");
  const double n = b.tensor ? NAN : b.scalar.to<double>();
  const bool whole = n == std::trunc(n) && std::abs(n) <= (is_float(f.dtype()) ? 8 : 64);
  if (!is_float(f.dtype())) {
    if (!b.tensor && b.scalar < 0)
      throw ValueError(fmt::format("pow: integers to the power {} are not integers; cast to a float dtype first", b.scalar.to<int64_t>()));
    return f.result(whole ? whole_power(f.a, static_cast<uint64_t>(n)) : integer_power(f.a, f.b));
  }
  const DType own = f.dtype();
  f.as(working_dtype(own));
  UOp value;
  if (whole) {
    value = whole_power(f.a, static_cast<uint64_t>(std::abs(n)));
    if (n < 0) value = UOp::make(Op::Recip, {value});
  } else if (n == 0.5) value = UOp::make(Op::Sqrt, {f.a});
  else value = special::pow(f.a, f.b);
  return f.result(cast(value, own));
}

Tensor atan2(const Operand& y, const Operand& x) { return real("atan2", y, x, special::atan2); }
Tensor hypot(const Operand& a, const Operand& b) { return real("hypot", a, b, special::hypot); }
Tensor logaddexp(const Operand& a, const Operand& b) { return real("logaddexp", a, b, special::logaddexp); }
Tensor copysign(const Operand& a, const Operand& b) { return real("copysign", a, b, copy_sign); }
Tensor nextafter(const Operand& a, const Operand& b) {
  Fitted f("nextafter", a, b);
  f.as(float_of(f.dtype()));
  const DType bits = size_of(f.dtype()) == 2 ? DType::int16 : size_of(f.dtype()) == 4 ? DType::int32 : DType::int64;
  const UOp zero = constant(f.dtype(), 0), word = UOp::make(Op::Bitcast, {f.a}, Arg{}, bits);
  const auto real = [&](const UOp& w) { return UOp::make(Op::Bitcast, {w}, Arg{}, f.dtype()); };
  const UOp away = is(less(f.a, f.b), less(zero, f.a));  // from 0
  const UOp smallest = real(constant(bits, 1)), from_zero = where(less(f.b, zero), smallest * -1, smallest);
  const UOp moved = where(not_equal(f.a, zero), real(word + where(away, constant(bits, 1), constant(bits, -1))), from_zero);
  const UOp ordered = is(f.a, f.a) & is(f.b, f.b);
  return f.result(where(ordered, where(not_equal(f.a, f.b), moved, f.b), f.a + f.b)).detach();
}
Tensor add(const Operand& a, const Operand& b, const ScaleOptions& options) {
  return b.tensor ? add(a, mul(b, options.alpha)) : add(a, times(b.scalar, options.alpha));
}
Tensor sub(const Operand& a, const Operand& b, const ScaleOptions& options) {
  return b.tensor ? sub(a, mul(b, options.alpha)) : sub(a, times(b.scalar, options.alpha));
}
Tensor nan_to_num(const Tensor& x, double nan, std::optional<double> posinf, std::optional<double> neginf) {
  if (!is_float(x.dtype())) return x.clone();
  const FloatInfo limits = finfo(x.dtype());
  const Tensor finite = where(x == HUGE_VAL, posinf.value_or(limits.max), where(x == -HUGE_VAL, neginf.value_or(limits.min), x));
  return where(x.isnan(), nan, finite);
}
Tensor lerp(const Operand& a, const Operand& b, const Operand& weight) {
  const Tensor span = sub(b, a);  // from the nearer end, so that both ends are met
  if (!weight.tensor)
    return std::abs(weight.scalar.to<double>()) < 0.5 ? add(a, span * weight) : sub(b, span * (1 - weight.scalar.to<double>()));
  const Tensor& w = *weight.tensor;
  return where(w.abs() < 0.5, add(a, span * w), sub(b, span * (1 - w)));
}
Tensor isclose(const Operand& a, const Operand& b, const CloseOptions& o) {
  if (!(o.rtol >= 0 && o.atol >= 0)) throw ValueError(fmt::format("isclose: rtol {} and atol {} must be at least 0", o.rtol, o.atol));
  Fitted f("isclose", a, b);
  f.as(working_dtype(f.dtype()));
  const UOp off = special::abs(f.a + f.b * -1), allowed = special::fma(special::abs(f.b), o.rtol, o.atol);
  UOp close = is(f.a, f.b) | (less(off, constant(off.dtype(), HUGE_VAL)) & logical_not(less(allowed, off)));
  if (o.equal_nan) close = close | (not_equal(f.a, f.a) & not_equal(f.b, f.b));
  return f.result(close);
}
bool allclose(const Operand& a, const Operand& b, const CloseOptions& o) { return isclose(a, b, o).all().item<bool>(); }

Tensor maximum(const Operand& a, const Operand& b) { return Fitted("maximum", a, b).result(Op::Max); }
Tensor minimum(const Operand& a, const Operand& b) {
  const Fitted f("minimum", a, b);
  if (f.dtype() == DType::bool_) return f.result(Op::And);
  // The order turned round: by the sign of floats, by all bits of integers (which, unlike the sign, keeps every one in range).
  const auto turned = [](const UOp& u) { return is_float(u.dtype()) ? u * -1 : UOp::make(Op::Xor, {u, constant(u.dtype(), -1)}); };
  return f.result(turned(UOp::make(Op::Max, {turned(f.a), turned(f.b)})));
}

Tensor ne(const Operand& a, const Operand& b) { return Fitted("ne", a, b).result(Op::NotEqual); }
Tensor eq(const Operand& a, const Operand& b) { return Fitted("eq", a, b).negated(Op::NotEqual); }
Tensor lt(const Operand& a, const Operand& b) { return Fitted("lt", a, b).result(Op::Less); }
Tensor gt(const Operand& a, const Operand& b) { return Fitted("gt", b, a).result(Op::Less); }
namespace {
Tensor not_greater(const Fitted& f) {  // a <= b: not b < a, but false where either is nan
  if (!is_float(f.dtype())) return f.result(logical_not(less(f.b, f.a)));
  return f.result(less(f.a, f.b) | logical_not(not_equal(f.a, f.b)));
}
}  // namespace
Tensor le(const Operand& a, const Operand& b) { return not_greater(Fitted("le", a, b)); }
Tensor ge(const Operand& a, const Operand& b) { return not_greater(Fitted("ge", b, a)); }

Tensor bitwise_and(const Operand& a, const Operand& b) { return integers("bitwise_and", a, b, true).result(Op::And); }
Tensor bitwise_or(const Operand& a, const Operand& b) { return integers("bitwise_or", a, b, true).result(Op::Or); }
Tensor bitwise_xor(const Operand& a, const Operand& b) { return integers("bitwise_xor", a, b, true).result(Op::Xor); }
Tensor left_shift(const Operand& a, const Operand& b) { return integers("left_shift", a, b, false).result(Op::Shl); }
Tensor right_shift(const Operand& a, const Operand& b) { return integers("right_shift", a, b, false).result(Op::Shr); }
Tensor logical_and(const Operand& a, const Operand& b) { return truths("logical_and", a, b).result(Op::And); }
Tensor logical_or(const Operand& a, const Operand& b) { return truths("logical_or", a, b).result(Op::Or); }
Tensor logical_xor(const Operand& a, const Operand& b) { return truths("logical_xor", a, b).result(Op::Xor); }

Tensor where(const Tensor& condition, const Operand& a, const Operand& b) {
  const UOp c = source_of(condition, "where");
  require_dtype(c.dtype() == DType::bool_, "where", c.dtype(), "the condition must be bool, such as x > 0 or x != 0");
  if (!a.tensor && !b.tensor) {  // two numbers: the dtype of literals
    const DType t = is_float(a.scalar.dtype()) || is_float(b.scalar.dtype()) ? DType::float32 : promote(a.scalar.dtype(), b.scalar.dtype());
    return make(where(c, weak_constant(a.scalar, t, "where"), weak_constant(b.scalar, t, "where")), condition);
  }
  const Fitted f("where", a, b);
  if (a.tensor) check_same_device(condition, *a.tensor, "where");
  if (b.tensor) check_same_device(condition, *b.tensor, "where");
  const Shape values = f.a.shape().empty() ? f.b.shape() : f.a.shape(), shape = broadcast_shape(c.shape(), values, "where");
  return f.result(where(broadcast(c, shape), broadcast(f.a, shape), broadcast(f.b, shape)));
}

}  // namespace tg
