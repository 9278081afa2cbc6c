// sin after Payne and Hanek, "Radian reduction for trigonometric functions" (1983): x / (2 pi) is needed only up to whole turns, so of the
// product of x's mantissa with the bits of 1 / (2 pi) only three words matter, and x's exponent says where they begin.
//
// The same few dozen integer operations serve every argument: nothing branches, and there is no second path to be computed in vain.
// Polynomial: as in exp_log.cpp, of (sin(r) - r) / r^3 in r^2, weighted for sin's relative error.
#include "codegen/sin.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "codegen/float_format.hpp"

namespace tg::codegen {
namespace {

// The first 1280 bits of 1 / (2 pi) after the point.
constexpr uint64_t kInverseTurn[] = {
    0x28be60db9391054a, 0x7f09d5f47d4d3770, 0x36d8a5664f10e410, 0x7f9458eaf7aef158, 0x6dc91b8e909374b8,
    0x01924bba82746487, 0x3f877ac72c4a69cf, 0xba208d7d4baed121, 0x3a671c09ad17df90, 0x4e64758e60d4ce7d,
    0x272117e2ef7e4a0e, 0xc7fe25fff7816603, 0xfbcbc462d6829b47, 0xdb4d9fb3c9f2c26d, 0xd3d18fd9a797fa8b,
    0x5d49eeb1faf97c5e, 0xcf41ce7de294a4ba, 0x9afed7ec47e35742, 0x1580cc11bf1edaea, 0xfc33ef0826bd0d87};
/// `width` of those bits as a number, from bit `begin` on; bits before the point are 0.
constexpr uint64_t inverse_turn(int begin, int width) {
  uint64_t out = 0;
  for (int i = begin; i < begin + width; ++i) out = out << 1 | (i < 0 ? 0 : kInverseTurn[i / 64] >> (63 - i % 64) & 1);
  return out;
}

// sin on [-pi/2, pi/2] is r + r^3 * (c0 + c1 r^2 + ...). Relative error: float32 2^-27.2, float64 2^-61.5.
constexpr double kSin32[] = {-0x1.55554cp-3, 0x1.110edap-7, -0x1.9f70fp-13, 0x1.5dc8f2p-19};
constexpr double kSin64[] = {-0x1.5555555555555p-3, 0x1.11111111110c8p-7,  -0x1.a01a01a014d78p-13, 0x1.71de3a52a139ep-19,
                             -0x1.ae6454d4d3f77p-26, 0x1.6123cd26d1a38p-33, -0x1.ae438e645a2f7p-41, 0x1.8833dd5f7266ep-49};
constexpr Polynomial kSin{kSin32, kSin64};

/// The upper half of the product of two unsigned words.
UOp multiply_high(const UOp& a, const UOp& b) {
  if (a.dtype() == uint32) return cast(shr(cast(a, uint64) * cast(b, uint64), 32), uint32);
  const auto low = [](const UOp& v) { return v & constant(uint64, int64_t{0xffffffff}); };
  const UOp a1 = shr(a, 32), b1 = shr(b, 32), a0 = low(a), b0 = low(b);
  const UOp middle = a1 * b0 + shr(a0 * b0, 32), other = a0 * b1 + low(middle);
  return a1 * b1 + shr(middle, 32) + shr(other, 32);
}

/// Three words of 1 / (2 pi), beginning `exponent` bits into the number shifted right by the mantissa's length.
std::array<UOp, 3> window(const UOp& exponent, const FloatFormat& f) {
  const int width = f.width();
  const auto word = [&](int i) { return constant(f.words, static_cast<int64_t>(inverse_turn(i * width - f.mantissa, width))); };
  std::vector<UOp> words;
  for (int i = 0; i < (f.bias + 1) / width + 3; ++i) words.push_back(word(i));
  // A barrel shifter: whole words by halving steps, then bits.
  for (int step = (f.bias + 1) / width / 2; step > 0; step /= 2) {
    const UOp bit = not_equal(exponent & f.integer(step * width), f.integer(0));
    for (size_t i = 0; i + static_cast<size_t>(step) < words.size(); ++i) words[i] = where(bit, words[i + static_cast<size_t>(step)], words[i]);
    words.resize(words.size() - static_cast<size_t>(step));
  }
  const UOp by = cast(exponent & f.integer(width - 1), f.words), rest = constant(f.words, width) - by;
  const auto shifted = [&](size_t i) { return shl(words[i], by) | shr(words[i + 1], rest); };
  return {shifted(0), shifted(1), shifted(2)};
}

}  // namespace

UOp sin_polynomial(const UOp& x) {
  const FloatFormat f(x.dtype());
  const int width = f.width();
  const UOp sign_bit = f.integer(width == 64 ? INT64_MIN : INT32_MIN), one = f.integer(int64_t{1} << f.mantissa);
  const UOp magnitude = bitcast(x, f.bits) & f.integer(width == 64 ? INT64_MAX : INT32_MAX), size = bitcast(magnitude, f.real);

  // |x| / (2 pi) without whole turns, as two words of fraction.
  const UOp exponent = shr(magnitude, f.mantissa) - f.bias;
  const UOp mantissa = cast((magnitude & (one - 1)) | one, f.words);
  const auto w = window(exponent, f);
  const UOp below = multiply_high(mantissa, w[2]), low = mantissa * w[1] + below;
  const UOp carry = where(less(low, below), constant(f.words, 1), constant(f.words, 0));
  const UOp turns = cast(mantissa * w[0] + multiply_high(mantissa, w[1]) + carry, f.bits);
  // The nearest half turn goes; where it is an odd one, the sine changes its sign.
  const UOp odd = (turns + (int64_t{1} << (width - 2))) & sign_bit;
  const UOp rest = bit_xor(turns, odd), tail = f.integer((int64_t{1} << (width - 3 - f.mantissa)) - 1);

  // It is less than a quarter turn: cut so that the conversions of its upper parts are exact, then in radians, 2 pi in two pieces. Below 1
  // the remainder is x itself. Zero times infinity makes a nan of infinity.
  const double two_pi = f.real == float64 ? 0x1.921fb54442d18p+2 : 0x1.921fb6p+2;
  const double two_pi_rest = f.real == float64 ? 0x1.1a62633145c07p-52 : -0x1.777a5cp-23;
  const auto scaled = [&](double v, int words) { return f.number(std::ldexp(v, -words * width)); };
  const UOp high = cast(bit_xor(rest, rest & tail), f.real);
  const UOp middle = fma(cast(rest & tail, f.real), scaled(two_pi, 1), cast(low, f.real) * scaled(two_pi, 2));
  const UOp small = fma(high, scaled(two_pi_rest, 1), middle);
  const UOp reduced = fma(size, f.number(0), fma(high, scaled(two_pi, 1), small));
  const UOp is_small = less(size, f.number(1));
  const UOp r = where(is_small, size, reduced), square = r * r;
  const UOp sine = fma(r * square, horner(square, kSin), r);
  const UOp sign = bit_xor(bitcast(x, f.bits) & sign_bit, where(is_small, f.integer(0), odd));
  return bitcast(bit_xor(bitcast(sine, f.bits), sign), f.real);
}

}  // namespace tg::codegen
