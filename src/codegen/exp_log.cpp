// Exponentials and logarithms as polynomials between powers of two.
//
// Coefficients: weighted least squares at Chebyshev nodes with Lawson's reweighting (near minimax of the relative error), in 240 bits;
// each coefficient in turn, lowest power first, rounded to the format and those after it fitted anew.
#include "codegen/exp_log.hpp"

#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "codegen/float_format.hpp"

namespace tg::codegen {
namespace {

// 2^r on [-1/2, 1/2]: 1 + r * (c0 + c1 r + ...), so that whole numbers are exact. Relative error: float32 2^-28.3, float64 2^-57.7.
constexpr double kExp2_32[] = {1, 0x1.62e43p-1, 0x1.ebfbdcp-3, 0x1.c6af7ap-5, 0x1.3b2ddap-7, 0x1.5f0948p-10, 0x1.4171e2p-13};
constexpr double kExp2_64[] = {1,
                               0x1.62e42fefa39efp-1,
                               0x1.ebfbdff82c59dp-3,
                               0x1.c6b08d704a0d8p-5,
                               0x1.3b2ab6fba0fd4p-7,
                               0x1.5d87fe78b2a10p-10,
                               0x1.4309130c5f342p-13,
                               0x1.ffcbfbfef184ep-17,
                               0x1.62bfcd0cb1102p-20,
                               0x1.b525ffbd816e3p-24,
                               0x1.e612e7b9d9b4ep-28,
                               0x1.e824b2994372ap-32};

// e^r on [-log(2)/2, log(2)/2]: 1 + r + r^2 * (c2 + ...). Relative error: float32 2^-28.2, float64 2^-57.9.
constexpr double kExp_32[] = {1, 1, 0x1.fffffcp-2, 0x1.555492p-3, 0x1.5558bp-5, 0x1.123982p-7, 0x1.6a4d3ep-10};
constexpr double kExp_64[] = {1, 1, 0x1.000000000000ap-1, 0x1.5555555555508p-3, 0x1.55555555506bbp-5, 0x1.1111111124837p-7,
                              0x1.6c16c184777c6p-10, 0x1.a01a013aae64bp-13, 0x1.a019995ce40f5p-16, 0x1.71df02a1544dap-19,
                              0x1.28adff9863001p-22, 0x1.adb43bc3644f6p-26};

// log2(1 + f) / f on [-1/3, 1/3]. Relative error: float32 2^-26.2 (what is left of the rounding of c0), float64 2^-56.
constexpr double kLog2_32[] = {0x1.715476p+0,  -0x1.715476p-1, 0x1.ec716cp-2,  -0x1.71549p-2,  0x1.276af8p-2,
                               -0x1.ec93c8p-3, 0x1.a33cf4p-3,  -0x1.6b9824p-3, 0x1.85d58ep-3, -0x1.6da08ep-3};
constexpr double kLog2_64[] = {0x1.71547652b82fep+0, -0x1.71547652b82fep-1, 0x1.ec709dc3a053p-2, -0x1.71547652b8aabp-2,
                               0x1.2776c50eecfaep-2, -0x1.ec709dc256eb2p-3, 0x1.a61762ae80ec9p-3, -0x1.715476e8c4a02p-3,
                               0x1.484b1310205c6p-3, -0x1.2776a385a681p-3, 0x1.0c9a86ddb531ap-3, -0x1.ec791dec64d6cp-4,
                               0x1.c69327ce5b184p-4, -0x1.a570c5727fa17p-4, 0x1.898018cbff785p-4, -0x1.7926f6297868ep-4,
                               0x1.620696c95ede6p-4, -0x1.107f9f02b5cf7p-4, 0x1.054e85e074506p-4, -0x1.f97c517841dcfp-4,
                               0x1.dcf45303490dfp-4};

// (log(1 + f) - f) / f^2 on [-1/3, 1/3]. Relative error of the logarithm: float32 2^-27.7, float64 2^-56.83.
constexpr double kLog_32[] = {-0x1p-1, 0x1.555504p-2, -0x1.ffff0ep-3, 0x1.99d11p-3, -0x1.5598eep-3, 0x1.1ecaa4p-3, -0x1.f3910ap-4,
                              0x1.1e9c6ap-3, -0x1.06fb34p-3};
constexpr double kLog_64[] = {-0x1.ffffffffffff8p-2, 0x1.5555555555532p-2, -0x1.000000000150bp-2, 0x1.99999999a0cbap-3,
                              -0x1.5555555354703p-3, 0x1.249249206fcefp-3, -0x1.000000b1fb012p-3, 0x1.c71c7425ea116p-4,
                              -0x1.999956012fdcdp-4, 0x1.745cb31d28476p-4, -0x1.555d036fe117ep-4, 0x1.3b1de7e4b0b7dp-4,
                              -0x1.240727c215e5ap-4, 0x1.10676181f49c5p-4, -0x1.06271c59a4c85p-4, 0x1.efdb60d6077fbp-5,
                              -0x1.7367347386ebep-5, 0x1.55ae49666fbbep-5, -0x1.643a705a8737ep-4, 0x1.5c7367a5f85f4p-4};

constexpr Polynomial kExp{kExp_32, kExp_64}, kLog2{kLog2_32, kLog2_64}, kLog{kLog_32, kLog_64};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// log(2) in two pieces, so that what is multiplied with a whole number loses nothing that matters.
std::pair<double, double> log_of_2(const FloatFormat& f) {
  return f.real == float64 ? std::pair(0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56) : std::pair(0x1.62e43p-1, -0x1.05c61p-29);
}

/// Whether it is what is left of a number after the largest of several, this one among them, was subtracted (or nan).
bool never_positive(const UOp& u) {
  if (u.op() != Op::Add) return false;
  const auto is_largest_of = [](const UOp& m, const UOp& x) {
    if (m.op() != Op::Mul || !is_const(m.src(1), -1) || m.src(0).op() != Op::Reduce) return false;
    if (m.src(0).as<ReduceArg>().monoid != Monoid::Max) return false;
    const UOp& each = m.src(0).src(0);
    return each == x || (each.op() == Op::Where && each.src(1) == x);
  };
  return is_largest_of(u.src(1), u.src(0)) || is_largest_of(u.src(0), u.src(1));
}

/// 2^(x * doublings), by p(remainder(n, x)) * 2^n where n is the whole number nearest to x * doublings.
template <class F> UOp power(const UOp& argument, double doublings, F remainder, const Polynomial& p) {
  const FloatFormat f(argument.dtype());
  // Beyond these the result is 0 or infinity. A nan compares false and passes.
  const UOp lowest = f.number(-(f.bias + f.mantissa + 1) / doublings), highest = f.number((f.bias + 1.25) / doublings);
  const UOp raised = where(less(argument, lowest), lowest, argument);
  const bool falls = never_positive(argument);
  const UOp x = falls ? raised : where(less(highest, raised), highest, raised);
  // 2^n may be too large or too small for a number where p * 2^n is not, so it is multiplied in two steps, of which the first is exact.
  const UOp negative = falls ? constant(DType::bool_, 1) : less(x, f.number(0));
  const int half = f.middle();
  // The low bits of t are n and what makes it the exponent field of the first step's factor.
  const UOp zero = where(negative, f.number(f.magic() + f.bias + half), f.number(f.magic() + f.bias - half));
  const UOp t = fma(x, f.number(doublings), zero), n = t - zero;
  return horner(remainder(n, x), p) * bitcast(shl(bitcast(t, f.bits), f.mantissa), f.real) *
         where(negative, f.number(std::ldexp(1.0, -half)), f.number(std::ldexp(1.0, half)));
}

/// The logarithm of x: `finite(e, m)` where x = (1 + m) * 2^e with m from -1/3 to 1/3, and what x is by itself elsewhere.
template <class F> UOp logarithm(const UOp& x, F finite) {
  const FloatFormat f(x.dtype());
  const UOp denormal = less(x, f.number(std::ldexp(1.0, 1 - f.bias)));
  const UOp normal = where(denormal, x * f.number(std::ldexp(1.0, f.mantissa + 1)), x);
  // The exponent counts from 2/3, so that numbers just below 1 lose no digits.
  const int64_t two_thirds = f.real == float64 ? 0x3fe5555555555555 : 0x3f2aaaab;
  const UOp above = bitcast(normal, f.bits) - two_thirds;
  const UOp e = cast(shr(above, f.mantissa), f.real) + where(denormal, f.number(-(f.mantissa + 1)), f.number(0));
  const UOp m = bitcast((above & f.integer((int64_t{1} << f.mantissa) - 1)) + two_thirds, f.real) + f.number(-1);
  const UOp nan = f.number(std::numeric_limits<double>::quiet_NaN()), zero = f.number(0);
  const UOp defined = where(less(x, zero), nan, where(not_equal(x, zero), finite(e, m), f.number(-kInfinity)));
  return where(less(x, f.number(kInfinity)), defined, x);  // infinity and nan are their own logarithms
}

}  // namespace

const Polynomial kExp2{kExp2_32, kExp2_64};

UOp exp2_polynomial(const UOp& x) {
  return power(x, 1, [](const UOp& n, const UOp& v) { return fma(n, constant(n.dtype(), -1), v); }, kExp2);
}
UOp exp_polynomial(const UOp& x) {
  const auto [unit, rest] = log_of_2(FloatFormat(x.dtype()));
  const UOp a = constant(x.dtype(), -unit), b = constant(x.dtype(), -rest);
  return power(x, std::numbers::log2e, [&](const UOp& n, const UOp& v) { return fma(n, b, fma(n, a, v)); }, kExp);
}

UOp log2_polynomial(const UOp& x) {
  return logarithm(x, [](const UOp& e, const UOp& m) { return fma(m, horner(m, kLog2), e); });
}
UOp log_polynomial(const UOp& x) {
  const auto [unit, rest] = log_of_2(FloatFormat(x.dtype()));
  const UOp a = constant(x.dtype(), unit), b = constant(x.dtype(), rest);
  return logarithm(x, [&](const UOp& e, const UOp& m) { return fma(e, a, m + fma(m * m, horner(m, kLog), e * b)); });
}

}  // namespace tg::codegen
