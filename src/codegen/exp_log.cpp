// exp2 and log2 as polynomials between powers of two.
//
// Coefficients: weighted least squares at Chebyshev nodes with Lawson's reweighting (near minimax of the relative error), in 240 bits;
// each coefficient in turn, lowest power first, rounded to the format and those after it fitted anew.
#include "codegen/exp_log.hpp"

#include <cmath>
#include <limits>

#include "codegen/float_format.hpp"

namespace tg::codegen {
namespace {

// 2^r on [-1/2, 1/2]: 1 + r * (c0 + c1 r + ...), so that whole numbers are exact. Relative error: float32 2^-28.3, float64 2^-57.7.
constexpr double kExp2_32[] = {1, 0x1.62e43p-1, 0x1.ebfbdcp-3, 0x1.c6af7ap-5, 0x1.3b2ddap-7, 0x1.5f0948p-10, 0x1.4171e2p-13};
constexpr double kExp2_64[] = {1, 0x1.62e42fefa39efp-1, 0x1.ebfbdff82c59dp-3, 0x1.c6b08d704a0d8p-5, 0x1.3b2ab6fba0fd4p-7, 0x1.5d87fe78b2a10p-10,
                               0x1.4309130c5f342p-13, 0x1.ffcbfbfef184ep-17, 0x1.62bfcd0cb1102p-20, 0x1.b525ffbd816e3p-24, 0x1.e612e7b9d9b4ep-28,
                               0x1.e824b2994372ap-32};

// log2(1 + f) / f on [-1/3, 1/3]. Relative error: float32 2^-26.2 (what is left of the rounding of c0), float64 2^-56.
constexpr double kLog2_32[] = {0x1.715476p+0,  -0x1.715476p-1, 0x1.ec716cp-2,  -0x1.71549p-2,  0x1.276af8p-2,
                               -0x1.ec93c8p-3, 0x1.a33cf4p-3,  -0x1.6b9824p-3, 0x1.85d58ep-3, -0x1.6da08ep-3};
constexpr double kLog2_64[] = {0x1.71547652b82fep+0, -0x1.71547652b82fep-1, 0x1.ec709dc3a053p-2, -0x1.71547652b8aabp-2,
                               0x1.2776c50eecfaep-2, -0x1.ec709dc256eb2p-3, 0x1.a61762ae80ec9p-3, -0x1.715476e8c4a02p-3,
                               0x1.484b1310205c6p-3, -0x1.2776a385a681p-3, 0x1.0c9a86ddb531ap-3, -0x1.ec791dec64d6cp-4,
                               0x1.c69327ce5b184p-4, -0x1.a570c5727fa17p-4, 0x1.898018cbff785p-4, -0x1.7926f6297868ep-4,
                               0x1.620696c95ede6p-4, -0x1.107f9f02b5cf7p-4, 0x1.054e85e074506p-4, -0x1.f97c517841dcfp-4,
                               0x1.dcf45303490dfp-4};

constexpr Polynomial kExp2{kExp2_32, kExp2_64}, kLog2{kLog2_32, kLog2_64};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

UOp exp2_polynomial(const UOp& argument) {
  const FloatFormat f(argument.dtype());
  // Beyond these the result is 0 or infinity. A nan compares false and passes.
  const UOp lowest = f.number(-(f.bias + f.mantissa + 1)), highest = f.number(f.bias + 1);
  const UOp raised = where(less(argument, lowest), lowest, argument), x = where(less(highest, raised), highest, raised);
  const UOp t = x + f.number(f.magic()), n = t + f.number(-f.magic());
  const UOp p = horner(fma(n, f.number(-1), x), kExp2);
  // 2^n may be too large or too small for a number where p * 2^n is not, so it is multiplied in two steps, of which the first is exact.
  const UOp negative = less(x, f.number(0));
  const int half = (f.bias + 1) / 2;
  const auto exponent = [&](int e) { return f.integer(static_cast<int64_t>(e) << f.mantissa); };
  const UOp biased = shl(bitcast(t, f.bits), f.mantissa) + where(negative, exponent(f.bias + half), exponent(f.bias - half));
  return p * bitcast(biased, f.real) * where(negative, f.number(std::ldexp(1.0, -half)), f.number(std::ldexp(1.0, half)));
}

UOp log2_polynomial(const UOp& x) {
  const FloatFormat f(x.dtype());
  const UOp denormal = less(x, f.number(std::ldexp(1.0, 1 - f.bias)));
  const UOp normal = where(denormal, x * f.number(std::ldexp(1.0, f.mantissa + 1)), x);
  // The exponent counts from 2/3, so that 1 + f is from 2/3 to 4/3 and numbers just below 1 lose no digits.
  const int64_t two_thirds = f.real == float64 ? 0x3fe5555555555555 : 0x3f2aaaab;
  const UOp above = bitcast(normal, f.bits) - two_thirds;
  const UOp e = cast(shr(above, f.mantissa), f.real) + where(denormal, f.number(-(f.mantissa + 1)), f.number(0));
  const UOp m = bitcast((above & f.integer((int64_t{1} << f.mantissa) - 1)) + two_thirds, f.real) + f.number(-1);
  const UOp result = fma(m, horner(m, kLog2), e);
  const UOp positive = where(less(x, f.number(kInfinity)), result, x);  // infinity and nan are their own logarithms
  const UOp nan = f.number(std::numeric_limits<double>::quiet_NaN());
  const UOp rest = where(less(x, f.number(0)), nan, where(not_equal(x, x), x, f.number(-kInfinity)));
  return where(less(f.number(0), x), positive, rest);
}

}  // namespace tg::codegen
