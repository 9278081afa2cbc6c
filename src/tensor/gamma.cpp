// See special.hpp. Here: the error function, the gamma function, and the activations that need them or an exponential.
#include <array>
#include <cmath>
#include <numbers>

#include "codegen/exp_log.hpp"
#include "tensor/polynomials.hpp"
#include "tensor/special.hpp"

namespace tg::special {

using codegen::FloatFormat, codegen::horner;

namespace {
constexpr double kPi = std::numbers::pi;

/// |x|, no further than where a bell is 0, its half as well.
UOp distance(const UOp& x) { return at_most(abs(x), x.dtype() == float64 ? 64 : 24); }

/// factor * exp(-scale a^2), scale 1 or 1/2, for a distance: with the square's rounding, which the exponential would magnify.
UOp bell_times(const UOp& factor, const UOp& a, double scale) {
  const UOp square = a * a;
  return exp_times(factor, times(square, -scale), times(fma(a, a, square * -1), -scale));
}
UOp bell(const UOp& x) {  // exp(-x^2)
  static const Function& kBell = lasting("exp(-x^2)", [](const UOp& u, const UOp& g, size_t) { return times(g * u * u.src(1), -2); });
  return function(kBell, bell_times(number(x, 1), distance(x), 1), {x});
}
UOp half_bell(const UOp& x) {  // exp(-x^2/2)
  static const Function& kBell = lasting("exp(-x^2/2)", [](const UOp& u, const UOp& g, size_t) { return times(g * u * u.src(1), -1); });
  return function(kBell, bell_times(number(x, 1), distance(x), 0.5), {x});
}
/// exp(a^2) erfc(a) for a from 0: (1 + p(q)) / (1 + 2 a), q = (a - k) / (a + k).
UOp scaled_erfc(const UOp& a) {
  const double k = a.dtype() == float64 ? 4 : 2;
  const UOp r = reciprocal(plus(a, k)), first = plus(a, -k) * r;
  const UOp q = fma(r, fma(first, a * -1, fma(plus(first, 1), -k, a)), first);  // with what the division lost
  // The division with what it and the polynomial's last step lose.
  const UOp p = horner(q, kErfc), inverse = reciprocal(fma(a, 2, 1)), ratio = fma(p, inverse, inverse);
  return fma(fma(fma(ratio, a * -1, number(a, 0.5)), 2, p + ratio * -1), inverse, ratio);
}
/// `factor` times the normal distribution's share beyond a, for a from 0.
UOp tail(const UOp& factor, const UOp& a) {
  return bell_times(times(factor * scaled_erfc(times(a, std::numbers::sqrt2 / 2)), 0.5), a, 0.5);
}
UOp erf_near_0(const UOp& x) { return fma(x, horner(x * x, kErf1), x); }
UOp erfc_of(const UOp& a) { return bell_times(scaled_erfc(a), a, 1); }
}  // namespace

UOp erf(const UOp& x) {
  static const Function& kErf = lasting("erf", [](const UOp& u, const UOp& g, size_t) {
    return times(g * bell(u.src(1)), 2 * std::numbers::inv_sqrtpi);
  });
  const UOp a = abs(x), outer = with_sign(plus(erfc_of(distance(x)) * -1, 1), x);
  return function(kErf, where(less(a, 1), erf_near_0(x), outer), {x});
}
UOp erfc(const UOp& x) {
  static const Function& kErfcFunction = lasting("erfc", [](const UOp& u, const UOp& g, size_t) {
    return times(g * bell(u.src(1)), -2 * std::numbers::inv_sqrtpi);
  });
  const UOp a = distance(x), t = erfc_of(a), outer = where(less(x, 0), plus(t * -1, 2), t);
  return function(kErfcFunction, where(less(a, 0.6), plus(erf_near_0(x) * -1, 1), outer), {x});
}
UOp erfinv(const UOp& x) {
  static const Function& kInverse = lasting("erfinv", [](const UOp& u, const UOp& g, size_t) {
    return div(times(g, 0.5 / std::numbers::inv_sqrtpi), bell(u));
  });
  const UOp a = abs(x), w = log(fma(a, a * -1, number(a, 1))) * -1, near = less(w, 5);
  const auto first = [&](const codegen::Polynomial& p) { return number(x, x.dtype() == float64 ? p.wide[0] : p.narrow[0]); };
  const auto slope_at = [](const UOp& t, const codegen::Polynomial& p) { return horner(t, {p.narrow.subspan(1), p.wide.subspan(1)}); };
  const UOp t = where(near, plus(w, -2.5), plus(sqrt(w), -3)), start = where(near, first(kErfinvNear), first(kErfinvFar));
  const UOp slope = where(near, slope_at(t, kErfinvNear), slope_at(t, kErfinvFar));
  const UOp ratio = fma(t, slope, start), lost = fma(t, slope, start + ratio * -1);  // what the polynomial's last step loses
  UOp y = fma(a, ratio, a * lost);
  if (x.dtype() == float64) {  // good to the digits of float32: one step of Halley's method
    const UOp off = where(less(a, 0.5), erf(y) + a * -1, plus(a * -1, 1) + erfc(y) * -1);
    y = y + div(off, fma(y, off, times(bell(y), 2 * std::numbers::inv_sqrtpi))) * -1;
  }
  return function(kInverse, with_sign(where(not_equal(a, number(a, 1)), y, number(a, kInfinity)), x), {x});
}

// ---- the gamma function ----

namespace {
/// How far |x| is above the whole number below it; 0 where all numbers are whole.
UOp fraction(const UOp& a) { return where(less(a, std::ldexp(1.0, FloatFormat(a.dtype()).mantissa)), a + trunc(a) * -1, number(a, 0)); }
/// pi cos(pi x) / sin(pi x); nan at whole numbers.
Two cotangent_of_turns(const UOp& x) {
  const UOp part = fraction(abs(x)), r = where(less(0.5, part), plus(part, -1), part), size = abs(r), outer = less(0.25, size);
  // t + t_lost = tan(pi v) / pi; then its reciprocal, or pi^2 times it, whose other pieces count where it is no tiny number's reciprocal.
  const UOp v = where(outer, plus(size * -1, 0.5), size), square = v * v, more = square * horner(square, kTanPi);
  const UOp t = fma(v, more, v), t_lost = fma(v, more, v + t * -1);
  const bool wide = x.dtype() == float64;
  const double pi2 = wide ? 0x1.3bd3cc9be45dep+3 : 0x1.3bd3ccp+3, pi2_rest = wide ? 0x1.692b71366cc04p-51 : 0x1.37c8bcp-22;
  const UOp inverse = reciprocal(t), inverse_lost = fma(inverse * -1, t_lost, fma(inverse * -1, t, number(t, 1))) * inverse;
  const UOp scaled = times(t, pi2), scaled_lost = fma(t_lost, pi2, fma(t, pi2_rest, fma(t, number(t, pi2), scaled * -1)));
  const UOp turned = where(not_equal(less(x, 0), less(r, 0)), number(x, -1), number(x, 1)), zero = number(x, 0);
  return {where(not_equal(r, zero), where(outer, scaled, inverse) * turned, number(x, std::nan(""))),
          where(less(std::ldexp(1.0, -100), size), where(outer, scaled_lost, inverse_lost), zero) * turned};
}
/// The entry of the interval in which a lies: entries[i] from bounds[i - 1] to bounds[i].
template <size_t N> UOp piecewise(const UOp& a, const std::array<double, N>& bounds, const std::array<UOp, N + 1>& entries) {
  UOp out = entries[N];
  for (size_t i = N; i-- > 0;) out = where(less(a, bounds[i]), entries[i], out);
  return out;
}
}  // namespace

UOp lgamma(const UOp& x) {
  static const Function& kLogGamma = lasting("lgamma", [](const UOp& u, const UOp& g, size_t) { return g * digamma(u.src(1)); });
  const UOp a = abs(x), zero = number(x, 0), one = number(x, 1), b = plus(a, -1), bc = b * plus(a, -2);
  constexpr std::array<double, 4> bounds{0.5, 1.5, 2.5, 3.5};
  // Up to 4.5 by steps of 1 to or from y in [1.5, 2.5]; its logarithm is (y - 1)(y - 2) p(y - 2), exact where it is 0.
  const UOp u = a + piecewise(a, bounds, {zero, number(x, -1), number(x, -2), number(x, -3), number(x, -4)});
  const UOp near = plus(u, 1) * u * horner(u, kLogGamma2);
  const UOp small = less(a, 4.5), up = less(a, 1.5), steps = piecewise(a, bounds, {a * plus(a, 1), a, one, b, bc});
  const Two l = log_in_two(where(small, steps, a));
  // Beyond by Stirling's series: a (log(a) - 1), the product in two pieces as well, and what is little.
  const UOp inverse = reciprocal(a), series = plus(inverse * horner(inverse * inverse, kStirling), 0.5 * std::log(2 * kPi) - 0.5);
  const UOp l1 = plus(l.value, -1), product = where(small, zero, a * l1);
  const UOp little = fma(l1, -0.5, series) + fma(plus(a, -0.5), l.lost, fma(a, l1, product * -1));
  const UOp rest = where(small, near, where(less(product, kInfinity), little, zero));
  const UOp turned = where(up, number(x, -1), one);
  const UOp positive = where(small, fma(l.value, turned, fma(l.lost, turned, near)), product + rest);
  // gamma(-a) = -pi / (a sin(pi a) gamma(a)), where steps and a are one factor.
  const UOp part = fraction(a), v = where(less(0.5, part), plus(part * -1, 1), part), square = v * v;
  const UOp more = square * horner(square, kSinPi), sine = fma(v, more, v), sine_lost = fma(v, more, v + sine * -1);
  const UOp above = plus(a, 1), under = reciprocal(above), above_lost = a + plus(above, -1) * -1;
  const UOp under_lost = fma(under * -1, above_lost, fma(under * -1, above, one)) * under;
  const UOp factor = where(small, piecewise(a, bounds, {under, one, one, b, bc}), one);
  const UOp factor_lost = where(small, piecewise(a, bounds, {under_lost, zero, zero, zero, fma(b, plus(a, -2), bc * -1)}), zero);
  const UOp by_a = where(up, one, a), first = sine * by_a, first_lost = fma(sine_lost, by_a, fma(sine, by_a, first * -1));
  const UOp all = first * factor, all_lost = fma(first, factor_lost, fma(first_lost, factor, fma(first, factor, all * -1)));
  const Two reflected = log_in_two(all);
  const UOp negative = (product + reflected.value + (rest + (reflected.lost + div(all_lost, all)))) * -1;
  return function(kLogGamma, where(less(x, 0), where(less(0, sine), negative, number(x, kInfinity)), positive), {x});
}

UOp digamma(const UOp& x) {
  static const Function& kDigamma = lasting("digamma", [](const UOp& u, const UOp& g, size_t) { return g * polygamma(1, u.src(1)); });
  const bool wide = x.dtype() == float64;
  const UOp a = abs(x), zero = number(x, 0), inverse = reciprocal(a), below_1 = less(a, 1), below_2 = less(a, 2);
  const UOp is_negative = less(x, 0);  // then what counts is digamma(1 + a), in which 1 / a takes part from 1 on
  // Up to 2 by a step of 1 to y in [1, 2], where it is (y - y0) p(y - 3/2), y0 its root in two pieces.
  const UOp y = where(below_1, plus(a, 1), a), step = where(below_1, where(is_negative, zero, inverse * -1), zero);
  const UOp from_root = plus(plus(y, wide ? -0x1.762d86356be3fp+0 : -0x1.762d86p+0), wide ? -0x1.b86a722197829p-54 : -0x1.ab5f2p-27);
  const UOp near = from_root * horner(plus(y, -1.5), kDigamma1);
  // Beyond by its asymptotic series, in float64 from 4 on and by two steps up to there.
  const UOp raised = less(a, 4), z = wide ? where(raised, plus(a, 2), a) : a, unit = reciprocal(z), square = unit * unit;
  const Two l = log_in_two(z), cotangent = cotangent_of_turns(a);
  UOp far_off = l.lost + fma(unit, number(x, -0.5), square * horner(square, kDigammaFar) * -1);
  if (wide) far_off = far_off + where(raised, div(fma(a, -2, -1), a * plus(a, 1)), zero);
  const UOp inverse_lost = where(less(a, 0.25), zero, fma(inverse * -1, a, number(x, 1)) * inverse);
  const UOp more = where(is_negative, where(below_1, zero, inverse), where(below_1, inverse_lost * -1, zero));
  const UOp value = where(below_2, step, l.value), rest = where(below_2, near, far_off) + more;
  const UOp negative = cotangent.value + (value + (rest + cotangent.lost));
  return function(kDigamma, where(is_negative, negative, value + rest), {x});
}

UOp polygamma(int n, const UOp& x) {
  static const Function& kPolygamma = lasting("polygamma", [](const UOp& u, const UOp& g, size_t) {
    return g * polygamma(static_cast<int>(tg::number(u.src(2))) + 1, u.src(1));
  });
  constexpr double kBernoulli[] = {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6, -3617.0 / 510};
  const auto to_the = [](const UOp& v, int power) {
    UOp out = v;
    for (int i = 1; i < power; ++i) out = out * v;
    return out;
  };
  // n! (sum of 1 / (y + k)^(n + 1) for k below `terms`, then the asymptotic series at y + terms), of y = 1 - x where x is negative.
  const UOp negative = less(x, 0), y = where(negative, plus(x * -1, 1), x);
  const int terms = (x.dtype() == float64 ? 14 : 5) + n;
  UOp sum = over(1, to_the(y, n + 1));
  for (int k = 1; k < terms; ++k) sum = sum + over(1, to_the(plus(y, k), n + 1));
  const UOp inverse = reciprocal(plus(y, terms)), square = inverse * inverse;
  UOp series = number(x, 0);
  for (int j = 8; j >= 1; --j)
    series = fma(series, square, kBernoulli[j - 1] * std::tgamma(2 * j + n) / (std::tgamma(2 * j + 1) * std::tgamma(n + 1)));
  const UOp rest = fma(series, square, fma(inverse, 0.5, 1.0 / n));
  const double sign = n % 2 ? 1 : -1;
  const UOp positive = times(fma(to_the(inverse, n), rest, sum), sign * std::tgamma(n + 1));
  // The reflection: the n-th derivative of pi cot(pi x) is a polynomial in the cotangent.
  std::vector<double> c{0, 1};
  for (int i = 0; i < n; ++i) {
    std::vector<double> next(c.size() + 1, 0);
    for (size_t k = 1; k < c.size(); ++k) {
      next[k - 1] -= kPi * static_cast<double>(k) * c[k];
      next[k + 1] -= kPi * static_cast<double>(k) * c[k];
    }
    c = next;
  }
  const UOp cotangent = times(cotangent_of_turns(x).value, 1 / kPi);
  UOp reflected = number(x, c.back());
  for (size_t k = c.size() - 1; k-- > 0;) reflected = fma(reflected, cotangent, number(x, c[k]));
  return function(kPolygamma, where(negative, fma(reflected, -kPi, times(positive, -sign)), positive), {x, number(x, n)});
}

// ---- activations ----

UOp sigmoid(const UOp& x) {
  static const Function& kSigmoid = lasting("sigmoid", [](const UOp& u, const UOp& g, size_t) { return g * u * plus(u * -1, 1); });
  const UOp e = exp(abs(x) * -1);
  return function(kSigmoid, div(where(less(x, 0), e, number(x, 1)), plus(e, 1)), {x});
}
UOp logsigmoid(const UOp& x) {
  static const Function& kLogSigmoid = lasting("logsigmoid", [](const UOp& u, const UOp& g, size_t) { return g * sigmoid(u.src(1) * -1); });
  const UOp value = where(less(0, x), number(x, -0.0), x) + log1p(exp(abs(x) * -1)) * -1;
  return function(kLogSigmoid, value, {x});
}
UOp silu(const UOp& x) {
  static const Function& kSilu = lasting("silu", [](const UOp& u, const UOp& g, size_t) {
    const UOp &v = u.src(1), s = sigmoid(v);
    return g * fma(v * s, plus(s * -1, 1), s);
  });
  const UOp below = abs(x) * -1, e = exp_times(number(x, 1), below), v = between(-1000, x, 0);
  const UOp numerator = where(less(x, 0), exp_times(v, below), x);
  return function(kSilu, div(numerator, plus(e, 1)), {x});
}
UOp mish(const UOp& x) {
  static const Function& kMish = lasting("mish", [](const UOp& u, const UOp& g, size_t) {
    const UOp& v = u.src(1);
    const UOp t = tanh(logsigmoid(v * -1) * -1);
    return g * fma(v * fma(t * -1, t, 1), sigmoid(v), t);
  });
  // tanh(log(1 + e^x)) is n / (n + 2), n = e^x (e^x + 2); where x is positive, both times e^(-2 x).
  const UOp negative = less(x, 0), below = abs(x) * -1, e = exp_times(number(x, 1), below);
  const UOp n = where(negative, e * plus(e, 2), fma(e, 2, 1)), rest = where(negative, number(x, 2), times(e * e, 2));
  const UOp scaled = exp_times(between(-1000, x, 0), below);
  return function(kMish, div(where(negative, fma(scaled, e, times(scaled, 2)), x * n), n + rest), {x});
}
UOp selu(const UOp& x) {
  constexpr double kScale = 1.0507009873554804934193349852946, kAlpha = 1.6732632423543772848170429916717;
  const UOp negative = less(x, 0);
  return where(negative, times(expm1(where(negative, x, number(x, 0))), kScale * kAlpha), times(x, kScale));
}
UOp softsign(const UOp& x) {
  static const Function& kSoftSign = lasting("softsign", [](const UOp& u, const UOp& g, size_t) {
    const UOp &v = u.src(1), sum = plus(max(v, v * -1), 1);
    return div(g, sum * sum);
  });
  return function(kSoftSign, div(x, plus(abs(x), 1)), {x});
}
namespace {
/// min(max(x + 3, 0), 6); at its corners its gradient is 0.
UOp hard(const UOp& x) {
  const UOp t = plus(x, 3);
  return where(less(-3, x), where(less(x, 3), t, number(x, 6)), where(not_equal(x, x), x, number(x, 0)));
}
}  // namespace
UOp hardsigmoid(const UOp& x) { return div(hard(x), number(x, 6)); }
UOp hardswish(const UOp& x) { return between(-3, x, kInfinity) * hardsigmoid(x); }  // -inf times 0 would be nan

namespace {
UOp normal_share(const UOp& x) {  // the normal distribution's share below x
  static const Function& kShare = lasting("normal share", [](const UOp& u, const UOp& g, size_t) {
    return times(g * half_bell(u.src(1)), std::numbers::inv_sqrtpi / std::numbers::sqrt2);
  });
  const UOp beyond = tail(number(x, 1), distance(x));
  return function(kShare, where(less(x, 0), beyond, plus(beyond * -1, 1)), {x});
}
}  // namespace
UOp gelu(const UOp& x) {
  static const Function& kGelu = lasting("gelu", [](const UOp& u, const UOp& g, size_t) {
    const UOp& v = u.src(1);
    return g * fma(times(v, std::numbers::inv_sqrtpi / std::numbers::sqrt2), half_bell(v), normal_share(v));
  });
  const UOp a = distance(x), beyond = tail(a, a) * -1;
  return function(kGelu, where(less(x, 0), beyond, x + beyond), {x});
}
UOp gelu_tanh(const UOp& x) {
  static const Function& kGelu = lasting("gelu", [](const UOp& u, const UOp& g, size_t) {
    constexpr double kSlope = 1.5957691216057307117597842397375;
    const UOp &v = u.src(1), s = v * v, share = sigmoid(times(v, kSlope) * fma(s, 0.044715, 1));
    return g * fma(v * times(fma(s, 3 * 0.044715, 1), kSlope), share * plus(share * -1, 1), share);
  });
  // x / (1 + 2^-t), t = 2 sqrt(2 / pi) log2(e) (a + 0.044715 a^3) = -a (q + low), a = |x| to where that is nothing: 2^-t would magnify
  // what t loses. `linear` has few digits, so that its difference to q is exact.
  const codegen::FloatFormat f(x.dtype());
  const bool wide = f.real == float64;
  const double linear = wide ? -0x1.26aec21bce76p+1 : -0x1.26aecp+1, linear_rest = wide ? 0x1.ad12d7a64bcebp-49 : -0x1.0de73ap-22;
  const double cubic = wide ? -0x1.a5a7cf7572a98p-4 : -0x1.a5a7dp-4, cubic_rest = wide ? 0x1.b91c940e4cfcfp-58 : 0x1.151aaep-29;
  const UOp a = at_most(abs(x), wide ? 22 : 11), s = a * a, s_rest = fma(a, a, s * -1), q = fma(s, cubic, linear);
  const UOp low = fma(s, number(s, cubic), plus(q * -1, linear)) + fma(s_rest, number(s, cubic), fma(s, cubic_rest, linear_rest));
  // 2^-t = 2^k 2^r, its factor 2^k larger than it is, so that it is not too small.
  const double zero = f.magic() + f.bias + f.middle(), back = std::ldexp(1.0, -f.middle());
  const UOp sum = fma(q, a, number(x, zero)), r = fma(low, a, fma(q, a, plus(sum * -1, zero)));
  const UOp raised = horner(r, codegen::kExp2) * power_of_2(sum);
  return function(kGelu, div(where(less(x, 0), times(a * raised, -back), x), fma(raised, back, 1)), {x});
}

}  // namespace tg::special
