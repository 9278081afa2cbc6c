// See special.hpp. Here: exponentials, logarithms, trigonometry and hyperbolic functions.
#include "tensor/special.hpp"

#include <cmath>
#include <limits>
#include <numbers>

#include "codegen/sin.hpp"
#include "tensor/polynomials.hpp"

namespace tg::special {

using codegen::FloatFormat, codegen::bitcast, codegen::horner;

namespace {

/// In two pieces of the dtype, the rest times `scale`: what is added to or taken from the first loses nothing of the number.
struct Pieces { double first, rest; };
Pieces pieces(const UOp& like, Pieces narrow, Pieces wide) { return like.dtype() == float64 ? wide : narrow; }
Pieces half_pi(const UOp& like) { return pieces(like, {0x1.921fb6p+0, -0x1.777a5cp-25}, {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54}); }
/// c - x, x at most c.
UOp from(Pieces c, const UOp& x) { return plus(plus(x, -c.rest) * -1, c.first); }
}  // namespace

UOp exp2(const UOp& x) { return UOp::make(Op::Exp2, {x}); }
UOp exp(const UOp& x) { return exp2(times(x, std::numbers::log2e)); }  // which codegen takes for what it means
UOp log2(const UOp& x) { return UOp::make(Op::Log2, {x}); }
UOp log(const UOp& x) { return times(log2(x), std::numbers::ln2); }
UOp log10(const UOp& x) {
  const UOp l = log(x);
  const Pieces log10e = pieces(x, {0x1.bcb7b2p-2, -0x1.5b235ep-27}, {0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57});
  return fma(l, number(l, log10e.first), times(between(-1000, l, 1000), log10e.rest));
}
UOp sin(const UOp& x) { return UOp::make(Op::Sin, {x}); }
UOp cos(const UOp& x) { return UOp::make(Op::Cos, {x}); }
UOp rsqrt(const UOp& x) { return reciprocal(sqrt(x)); }

UOp at_most(const UOp& x, double high) { return where(less(high, x), number(x, high), x); }
UOp between(double low, const UOp& x, double high) { return where(less(x, low), number(x, low), at_most(x, high)); }
UOp with_sign(const UOp& v, const UOp& x) {
  const FloatFormat f(x.dtype());
  const UOp sign = f.integer(f.width() == 64 ? INT64_MIN : INT32_MIN), rest = f.integer(f.width() == 64 ? INT64_MAX : INT32_MAX);
  return bitcast((bitcast(v, f.bits) & rest) | (bitcast(x, f.bits) & sign), f.real);
}
UOp abs(const UOp& x) {
  const FloatFormat f(x.dtype());
  return bitcast(bitcast(x, f.bits) & f.integer(f.width() == 64 ? INT64_MAX : INT32_MAX), f.real);
}
UOp nearest(const UOp& x) {
  const double magic = FloatFormat(x.dtype()).magic();
  return plus(plus(x, magic), -magic);
}

// ---- exponentials ----

namespace {
/// e^(x + rest) = 2^k (1 + p), |rest| being small; `unit` is 2^(k + more), neither too large nor denormal.
struct Exponential { UOp unit, p; };
Exponential exponential(const UOp& x, int more, const UOp& rest = {}) {
  const FloatFormat f(x.dtype());
  const double zero = f.magic() + f.bias + more;
  const UOp sum = fma(x, std::numbers::log2e, zero), k = plus(sum, -zero);
  const Pieces ln2 = pieces(x, {0x1.62e43p-1, -0x1.05c61p-29}, {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56});
  const UOp r = fma(k, number(x, -ln2.rest), fma(k, number(x, -ln2.first), x)), all = rest ? r + rest : r;
  return {power_of_2(sum), fma(all * all, horner(all, kExpm1), all)};
}
double overflow(const UOp& x, int halvings) { return (FloatFormat(x.dtype()).bias + halvings + 1.25) * std::numbers::ln2; }
/// e^x / 2, which overflows later than e^x.
UOp half_exp(const UOp& x) {
  const auto [quarter, p] = exponential(between(0, x, overflow(x, 1)), -2);
  return times(fma(quarter, p, quarter), 2);
}
}  // namespace

UOp expm1(const UOp& x) {
  static const Function& kExpm1Function = lasting("expm1", [](const UOp& u, const UOp& g, size_t) { return g * plus(u, 1); });
  const auto [half, p] = exponential(between(x.dtype() == float64 ? -40 : -20, x, overflow(x, 0)), -1);  // below it is -1
  return function(kExpm1Function, with_sign(times(fma(half, p, plus(half, -0.5)), 2), x), {x});
}
UOp exp_times(const UOp& factor, const UOp& x, const UOp& rest) {  // scaled in two steps, of which the first is exact
  const FloatFormat f(x.dtype());
  const double lowest = -(f.bias + f.mantissa + 14) * std::numbers::ln2;
  const auto [unit, p] = exponential(where(less(x, lowest), number(x, lowest), x), f.middle(), rest);
  return times(fma(factor, p, factor) * unit, std::ldexp(1.0, -f.middle()));
}
UOp power_of_2(const UOp& sum) {
  const FloatFormat f(sum.dtype());
  return bitcast(codegen::shl(bitcast(sum, f.bits), f.mantissa), f.real);
}
UOp exp10(const UOp& x) {
  static const Function& kExp10 = lasting("exp10", [](const UOp& u, const UOp& g, size_t) { return times(g * u, std::numbers::ln10); });
  const Pieces factor = pieces(x, {0x1.a934fp+1, 0x1.2f346ep-24}, {0x1.a934f0979a371p+1, 0x1.7f2495fb7fa6dp-53});
  const UOp v = between(-400, x, 400), y = times(v, factor.first);
  const UOp rest = fma(v, factor.rest, fma(v, number(v, factor.first), y * -1));  // what the product lost
  return function(kExp10, exp2(y) * fma(rest, std::numbers::ln2, 1), {x});
}
UOp log1p(const UOp& x) {
  static const Function& kLog1p = lasting("log1p", [](const UOp& u, const UOp& g, size_t) { return div(g, plus(u.src(1), 1)); });
  const UOp sum = plus(x, 1), lost = x + plus(sum, -1) * -1;
  const UOp corrected = log(sum) + div(lost, max(sum, number(x, std::ldexp(1.0, -100))));
  return function(kLog1p, with_sign(where(less(x, kInfinity), corrected, x), x), {x});
}

// ---- trigonometry ----

UOp tan(const UOp& x) {
  static const Function& kTangent = lasting("tan", [](const UOp& u, const UOp& g, size_t) { return g * fma(u, u, 1); });
  return function(kTangent, codegen::tan_polynomial(x), {x});
}
UOp asin(const UOp& x) {
  static const Function& kArcSine = lasting("asin", [](const UOp& u, const UOp& g, size_t) {
    return div(g, sqrt(plus(u.src(1) * -1, 1) * plus(u.src(1), 1)));
  });
  const UOp a = abs(x), inner = less(a, 0.6);  // beyond: sin(pi/2 - 2 b) = 1 - 2 sin(b)^2
  const UOp b = odd(where(inner, a, sqrt(fma(a, -0.5, 0.5))), kAsin);
  return function(kArcSine, with_sign(where(inner, b, from(half_pi(x), times(b, 2))), x), {x});
}
UOp acos(const UOp& x) {
  static const Function& kArcCosine = lasting("acos", [](const UOp& u, const UOp& g, size_t) {
    return div(g, sqrt(plus(u.src(1) * -1, 1) * plus(u.src(1), 1))) * -1;
  });
  const UOp a = abs(x), inner = less(a, 0.5);
  const UOp b = odd(where(inner, x, sqrt(fma(a, -0.5, 0.5))), kAsin);
  const Pieces quarter = half_pi(x), half{2 * quarter.first, 2 * quarter.rest};
  const UOp outer = where(less(x, 0), from(half, times(b, 2)), times(b, 2));
  return function(kArcCosine, where(inner, from(quarter, b), outer), {x});
}
namespace {
/// The angle whose tangent is low / high, from 0 to pi / 2, high being the other one where `swapped`.
UOp angle(const UOp& low, const UOp& high, const UOp& swapped) {
  const UOp p = odd(div(low, high), kAtan);
  return where(swapped, from(half_pi(p), p), p);
}
UOp min(const UOp& a, const UOp& b) { return max(a * -1, b * -1) * -1; }
}  // namespace
UOp atan(const UOp& x) {
  static const Function& kArcTangent =
      lasting("atan", [](const UOp& u, const UOp& g, size_t) { return div(g, fma(u.src(1), u.src(1), 1)); });
  const UOp a = abs(x), one = number(x, 1);
  return function(kArcTangent, with_sign(angle(min(a, one), max(a, one), less(one, a)), x), {x});
}
UOp atan2(const UOp& y, const UOp& x) {
  static const Function& kAngle = lasting("atan2", [](const UOp& u, const UOp& g, size_t i) {
    const UOp &high = u.src(1), &along = u.src(2), h = hypot(along, high);
    return g * div(div(i == 1 ? along : high * -1, h), h);
  });
  const FloatFormat f(x.dtype());
  const UOp a = abs(y), b = abs(x), low = min(a, b), high = max(a, b);
  // 0 / 0 and infinity / infinity mean 0 and 1.
  const UOp tiny = number(x, std::ldexp(1.0, -f.bias - f.mantissa + 1)),
            huge = number(x, f.real == float64 ? std::numeric_limits<double>::max() : std::numeric_limits<float>::max());
  const UOp infinite = less(huge, low) & less(huge, high);
  const UOp first = angle(where(infinite, huge, low), where(infinite, huge, max(high, tiny)), less(b, a));
  const Pieces quarter = half_pi(x);
  const UOp left = less(bitcast(x, f.bits), 0), all = where(left, from({2 * quarter.first, 2 * quarter.rest}, first), first);
  return function(kAngle, with_sign(all, y), {y, x});
}
UOp hypot(const UOp& x, const UOp& y) {
  static const Function& kHypot = lasting("hypot", [](const UOp& u, const UOp& g, size_t i) { return g * div(u.src(i), u); });
  const UOp a = abs(x), b = abs(y), high = max(a, b), ratio = div(min(a, b), high), infinity = number(x, kInfinity);
  const UOp ordinary = where(less(0, high), high * sqrt(fma(ratio, ratio, 1)), high);
  const auto finite = [&](const UOp& v) { return not_equal(v, infinity); };
  return function(kHypot, where(finite(a) & finite(b), where(not_equal(high, high), high, ordinary), infinity), {x, y});
}

// ---- hyperbolic functions ----

UOp sinh(const UOp& x) {
  static const Function& kSine = lasting("sinh", [](const UOp& u, const UOp& g, size_t) { return g * cosh(u.src(1)); });
  const UOp a = abs(x), h = half_exp(a);
  return function(kSine, where(less(a, 1), odd(x, kSinh), with_sign(h + over(-0.25, h), x)), {x});
}
UOp cosh(const UOp& x) {
  static const Function& kCosine = lasting("cosh", [](const UOp& u, const UOp& g, size_t) { return g * sinh(u.src(1)); });
  const UOp h = half_exp(abs(x));
  return function(kCosine, h + over(0.25, h), {x});
}
UOp tanh(const UOp& x) {
  static const Function& kTangent = lasting("tanh", [](const UOp& u, const UOp& g, size_t) { return g * fma(u * -1, u, 1); });
  const UOp a = abs(x), outer = plus(over(-2, plus(exp(times(a, 2)), 1)), 1);
  return function(kTangent, with_sign(where(less(a, 0.625), odd(a, kTanh), outer), x), {x});
}
namespace {
double beyond_one(const UOp& x) { return x.dtype() == float64 ? 0x1p28 : 0x1p12; }  // from where x^2 + 1 is x^2
}  // namespace
UOp asinh(const UOp& x) {
  static const Function& kArea =
      lasting("asinh", [](const UOp& u, const UOp& g, size_t) { return div(g, sqrt(fma(u.src(1), u.src(1), 1))); });
  const UOp a = abs(x), root = sqrt(fma(a, a, 1)), large = less(beyond_one(x), a);
  const UOp sum = a + root, lost = root + (sum + a * -1) * -1;
  const UOp l = log(where(large, a, sum)) + where(large, number(x, std::numbers::ln2), div(lost, sum));
  return function(kArea, with_sign(where(less(a, 0.75), odd(a, kAsinh), l), x), {x});
}
UOp acosh(const UOp& x) {
  static const Function& kArea = lasting("acosh", [](const UOp& u, const UOp& g, size_t) {
    return div(g, sqrt(plus(u.src(1), -1)) * sqrt(plus(u.src(1), 1)));
  });
  const UOp t = plus(x, -1), near = sqrt(times(t, 2)), root = sqrt(fma(x, x, -1)), large = less(beyond_one(x), x);
  const UOp sum = x + root, lost = root + (sum + x * -1) * -1;
  const UOp l = log(where(large, x, sum)) + where(large, number(x, std::numbers::ln2), div(lost, sum));
  return function(kArea, where(less(t, 0.5), fma(near * t, horner(t, kAcosh), near), l), {x});
}
UOp atanh(const UOp& x) {
  static const Function& kArea = lasting("atanh", [](const UOp& u, const UOp& g, size_t) {
    return div(g, plus(u.src(1) * -1, 1) * plus(u.src(1), 1));
  });
  const UOp a = abs(x), outer = times(log(div(plus(a, 1), plus(a * -1, 1))), 0.5);
  return function(kArea, where(less(a, 0.5), odd(x, kAtanh), with_sign(outer, x)), {x});
}

// ---- two operands ----

UOp logaddexp(const UOp& x, const UOp& y) {
  static const Function& kSum = lasting("logaddexp", [](const UOp& u, const UOp& g, size_t i) {
    return g * sigmoid(u.src(i) + u.src(3 - i) * -1);
  });
  const UOp difference = abs(x + y * -1), sum = max(x, y) + log1p(exp(difference * -1));
  return function(kSum, where(not_equal(x, y), sum, plus(x, std::numbers::ln2)), {x, y});
}

namespace {
/// The logarithm of a, from 0, to the base whose own says `unit`, log(2), and `slope`, twice log(e).
Two logarithm(const UOp& a, Pieces unit, Pieces slope) {
  const FloatFormat f(a.dtype());
  const UOp denormal = less(a, std::ldexp(1.0, 1 - f.bias));
  // a = m 2^e with m from sqrt(1/2) to sqrt(2); log(m) = 2 artanh(s), s = (m - 1) / (m + 1), in two pieces.
  const int64_t root_half = f.real == float64 ? 0x3fe6a09e667f3bcd : 0x3f3504f3;
  const UOp above = bitcast(where(denormal, times(a, std::ldexp(1.0, f.mantissa + 1)), a), f.bits) - root_half;
  const UOp e = cast(codegen::shr(above, f.mantissa), f.real) + where(denormal, number(a, -(f.mantissa + 1)), number(a, 0));
  const UOp m = bitcast((above & f.integer((int64_t{1} << f.mantissa) - 1)) + root_half, f.real);
  const UOp over_1 = plus(m, -1), sum = plus(m, 1), lost = m + plus(sum, -1) * -1, s = div(over_1, sum), square = s * s;
  const UOp rest = fma(s * square, horner(square, kAtanhNear), div(fma(lost, s * -1, fma(s * -1, sum, over_1)), sum));
  // The sum's first piece carries the whole exponent.
  const UOp product = times(s, slope.first), whole = times(e, unit.first);
  const UOp product_rest = fma(rest, slope.first, fma(s, slope.rest, fma(s, number(s, slope.first), product * -1)));
  const UOp fraction = product + product_rest, fraction_rest = product_rest + (fraction + product * -1) * -1;
  const UOp total = whole + fraction, low = fraction_rest + (fraction + (total + whole * -1) * -1);
  return {where(less(a, kInfinity), where(less(0, a), total, number(a, -kInfinity)), a), unit.rest == 0 ? low : fma(e, unit.rest, low)};
}
Two log2_in_two(const UOp& a) {
  return logarithm(a, {1, 0}, pieces(a, {0x1.715476p+1, 0x1.4ae0cp-25}, {0x1.71547652b82fep+1, 0x1.777d0ffda0d24p-55}));
}
}  // namespace
Two log_in_two(const UOp& a) {  // log(2)'s first piece has few digits, so that its product with e is exact
  return logarithm(a, pieces(a, {0x1.62e4p-1, 0x1.7f7d1cp-20}, {0x1.62e42fefa4p-1, -0x1.8432a1b0e2634p-43}), {2, 0});
}

UOp pow(const UOp& x, const UOp& y) {
  static const Function& kPower = lasting("pow", [](const UOp& u, const UOp& g, size_t i) {
    const UOp &base = u.src(1), &power = u.src(2), zero = number(base, 0);
    if (i == 1) return where(not_equal(power, zero), g * power * pow(base, plus(power, -1)), zero);
    return where(not_equal(base, zero) | less(power, 0), g * u * log(base), zero);
  });
  const UOp a = abs(x);
  const auto [high, low] = log2_in_two(a);
  const UOp other_than_1 = not_equal(a, number(x, 1)), power = where(other_than_1, high * y, number(x, 0));
  const UOp moderate = other_than_1 & less(abs(power), 2.0 * FloatFormat(x.dtype()).bias);
  const UOp power_rest = where(moderate, fma(low, y, fma(high, y, power * -1)), number(x, 0));
  // Near its end exp2 of half as much, as the rest may bring a result back that power alone makes infinite.
  const UOp large = less(64, power), doubled = where(large, number(x, 2), number(x, 1));
  const UOp magnitude = exp2(power + where(large, number(x, -1), number(x, 0))) * fma(power_rest, std::numbers::ln2, 1) * doubled;
  // Signs: whole powers of negative numbers are real, odd ones negative.
  const auto is_whole = [](const UOp& u) { return logical_not(not_equal(u, trunc(u))); };
  const UOp whole = is_whole(y), even = is_whole(times(y, 0.5));
  const UOp complex = less(x, 0) & less(-kInfinity, x) & logical_not(whole);
  const UOp value = where(complex, number(x, std::nan("")), where(whole & logical_not(even), with_sign(magnitude, x), magnitude));
  return function(kPower, where(not_equal(y, number(y, 0)), value, number(x, 1)), {x, y});
}

}  // namespace tg::special
