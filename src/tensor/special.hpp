#pragma once
// Functions of real numbers that are no primitives, as graph over float32 or float64; 16-bit floats are the caller's to widen.
//
//   special::sinh(x)      Function(where(|x| < 1, x + x^3 P(x^2), ...), x): one node that says how it is differentiated, over its value
//
// Accuracy: within 2 units in the last place of float32, over all of them (tests/tensor/ulp_test.cpp); in float64 polynomials are as
// accurate as it, too, and the error is a few units. Polynomials were fitted as those in codegen/exp_log.cpp.
#include <functional>
#include <initializer_list>
#include <limits>
#include <utility>

#include "codegen/float_format.hpp"
#include "tg/ir/uop.hpp"

namespace tg::special {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A function with this gradient that is never destroyed, for tensors may be computed with while the process ends.
inline const Function& lasting(const char* name, std::function<UOp(const UOp& u, const UOp& g, size_t i)> gradient) {
  return *new Function{name, std::move(gradient)};
}
/// `value`, which is differentiated as `f` says, by its inputs.
inline UOp function(const Function& f, const UOp& value, std::initializer_list<UOp> inputs) {
  std::vector<UOp> src{value};
  src.insert(src.end(), inputs);
  return UOp::make(Op::Function, src, &f);
}

// Words for expressions.
inline UOp number(const UOp& like, double v) { return constant(like.dtype(), v); }
inline UOp sqrt(const UOp& x) { return UOp::make(Op::Sqrt, {x}); }
inline UOp reciprocal(const UOp& x) { return UOp::make(Op::Recip, {x}); }
inline UOp trunc(const UOp& x) { return UOp::make(Op::Trunc, {x}); }
inline UOp div(const UOp& a, const UOp& b) { return UOp::make(Op::Div, {a, b}); }
inline UOp max(const UOp& a, const UOp& b) { return UOp::make(Op::Max, {a, b}); }
using codegen::fma;
inline UOp fma(const UOp& a, const UOp& b, double c) { return fma(a, b, number(a, c)); }
inline UOp fma(const UOp& a, double b, const UOp& c) { return fma(a, number(a, b), c); }
inline UOp fma(const UOp& a, double b, double c) { return fma(a, number(a, b), number(a, c)); }
inline UOp times(const UOp& a, double b) { return a * number(a, b); }
inline UOp plus(const UOp& a, double b) { return a + number(a, b); }
inline UOp over(double a, const UOp& b) { return div(number(b, a), b); }
inline UOp less(const UOp& a, double b) { return tg::less(a, number(a, b)); }
inline UOp less(const UOp& a, int v) { return tg::less(a, number(a, v)); }
inline UOp less(double a, const UOp& b) { return tg::less(number(b, a), b); }
using tg::less;
UOp exp(const UOp& x);
UOp exp2(const UOp& x);
UOp log(const UOp& x);
/// A sum of a value and something small: together they have about twice the digits.
struct Two { UOp value, lost; };
/// The logarithm of x, from 0; of 0, infinity and nan the value says all.
Two log_in_two(const UOp& x);
/// factor * e^(x + rest), for x to 0, a factor to 1000 and a small rest: rounded little, and a number where the exponential alone would be
/// none.
UOp exp_times(const UOp& factor, const UOp& x, const UOp& rest = {});
/// 2^n, where `sum` is n + FloatFormat::magic() + FloatFormat::bias, so that its low bits are the exponent field.
UOp power_of_2(const UOp& sum);
/// x + x^3 p(x^2)
inline UOp odd(const UOp& x, const codegen::Polynomial& p) {
  const UOp s = x * x;
  return fma(x * s, codegen::horner(s, p), x);
}
/// x, not below or above the bounds; nan stays.
UOp between(double low, const UOp& x, double high);
UOp at_most(const UOp& x, double high);
/// |x|, without a gradient.
UOp abs(const UOp& x);
/// |v| with the sign of x, which may be -0 or a nan; without a gradient.
UOp with_sign(const UOp& v, const UOp& x);
/// The nearest whole number, halves to even, of |x| below 2^(mantissa - 1).
UOp nearest(const UOp& x);

#define UNARY(kind, name, ...) UNARY_##kind(name)
#define UNARY_Real(name) UOp name(const UOp& x);
#define UNARY_Same(name)
#define UNARY_Truth(name)
#define UNARY_Bits(name)
#include "tg/unary.def"

/// The n-th derivative of digamma, n from 1.
UOp polygamma(int n, const UOp& x);
/// The angle of the point (x, y), from -pi to pi.
UOp atan2(const UOp& y, const UOp& x);
UOp hypot(const UOp& x, const UOp& y);
/// x to the y, correct to a few units however large the logarithm of the result.
UOp pow(const UOp& x, const UOp& y);
UOp logaddexp(const UOp& x, const UOp& y);
/// x Phi(x), Phi the normal distribution; and the approximation of it by a tanh.
UOp gelu(const UOp& x);
UOp gelu_tanh(const UOp& x);

}  // namespace tg::special
