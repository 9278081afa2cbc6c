// sin, cos and tan after Payne and Hanek, "Radian reduction for trigonometric functions" (1983): x / (2 pi) is needed only up to whole
// turns, so of the product of x's mantissa with the bits of 1 / (2 pi) only three words matter, and x's exponent says where they begin.
//
// The same few dozen integer operations serve every argument: nothing branches, and there is no second path to be computed in vain.
// Polynomials in r^2: fitted as those in exp_log.cpp.
#include "codegen/sin.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
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

// Both between -1 and 1. sin is r + r^3 * (c0 + c1 r^2 + ...). Relative error: float32 2^-31.5, float64 2^-62.8.
constexpr double kSin32[] = {-0x1.555556p-3, 0x1.11113ep-7, -0x1.a0200ep-13, 0x1.6def22p-19};
constexpr double kSin64[] = {-0x1.5555555555555p-3,  0x1.111111111109p-7,   -0x1.a01a01a00955cp-13, 0x1.71de3a44f11ccp-19,
                             -0x1.ae6444f2ad022p-26, 0x1.611a0df474abbp-33, -0x1.a82b4a4956f31p-41};
// cos is 1 + r^2 * (c0 + c1 r^2 + ...). Relative error: float32 2^-29.3, float64 2^-58.2.
constexpr double kCos32[] = {-0x1p-1, 0x1.555524p-5, -0x1.6bfaap-10, 0x1.960926p-16};
constexpr double kCos64[] = {-0x1p-1,                0x1.5555555555487p-5,  -0x1.6c16c16c01c79p-10, 0x1.a01a01867466bp-16,
                             -0x1.27e4ebfced327p-22, 0x1.1ee3a9da37fd4p-29, -0x1.8d28957c42584p-37};
// tan is r + r^3 * (c0 + c1 r^2 + ...) up to 1. Relative error: float32 2^-31.5, float64 2^-61.2.
constexpr double kTan32[] = {0x1.555552p-2, 0x1.111246p-3, 0x1.b9cd74p-5, 0x1.6b3386p-6, 0x1.eb7428p-8, 0x1.e4ea92p-8, -0x1.54793cp-8,
    0x1.fd1624p-8, -0x1.153c06p-8, 0x1.6ebcd8p-10};
constexpr double kTan64[] = {0x1.5555555555552p-2, 0x1.11111111115e1p-3, 0x1.ba1ba1b9cedeep-5, 0x1.664f48961fb0cp-6, 0x1.226e3270b8aa9p-7,
    0x1.d6d4664531d4ap-9, 0x1.7d98f94d6b117p-10, 0x1.35dfb81d9c98p-11, 0x1.eb27ec651018fp-13, 0x1.e390eeb0451bap-14,
    -0x1.ce4bcbf3e5648p-17, 0x1.1bef26189bbecp-13, -0x1.ab6efffebc2d7p-13, 0x1.3111a1ab61974p-12, -0x1.3ed244c8284d3p-12,
    0x1.01171a3581ac3p-12, -0x1.2e3c71b82d73cp-13, 0x1.f166ea8846744p-15, -0x1.fe546a4b7f3f7p-17, 0x1.fd108375096bdp-20};
constexpr Polynomial kSin{kSin32, kSin64}, kCos{kCos32, kCos64}, kTan{kTan32, kTan64};

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
    for (size_t i = 0; i + static_cast<size_t>(step) < words.size(); ++i)
      words[i] = where(bit, words[i + static_cast<size_t>(step)], words[i]);
    words.resize(words.size() - static_cast<size_t>(step));
  }
  const UOp by = cast(exponent & f.integer(width - 1), f.words), rest = constant(f.words, width) - by;
  const auto shifted = [&](size_t i) { return shl(words[i], by) | shr(words[i + 1], rest); };
  return {shifted(0), shifted(1), shifted(2)};
}

/// x without its nearest whole number of quarter turns: |x| = quarters + r + rest, in radians but for the quarters, which are the upper two
/// bits of a word.
struct Turned { UOp quarters, r, rest; };
Turned turned(const UOp& x) {
  const FloatFormat f(x.dtype());
  const int width = f.width();
  const UOp one = f.integer(int64_t{1} << f.mantissa);
  const UOp magnitude = bitcast(x, f.bits) & f.integer(width == 64 ? INT64_MAX : INT32_MAX), size = bitcast(magnitude, f.real);

  // |x| / (2 pi) without whole turns, as two words of fraction.
  const UOp exponent = shr(magnitude, f.mantissa) - f.bias;
  const UOp mantissa = cast((magnitude & f.integer((int64_t{1} << f.mantissa) - 1)) | one, f.words);
  const auto w = window(exponent, f);
  const UOp below = multiply_high(mantissa, w[2]), low = mantissa * w[1] + below;
  const UOp carry = where(less(low, below), constant(f.words, 1), constant(f.words, 0));
  const UOp turns = cast(mantissa * w[0] + multiply_high(mantissa, w[1]) + carry, f.bits);
  // The nearest quarter turn goes; an odd one exchanges sine and cosine, two of them change the sign. Below 1 there is none.
  const UOp nearest = (turns + (int64_t{1} << (width - 3))) & f.integer(-(int64_t{1} << (width - 2)));

  // The rest is at most an eighth of a turn: cut so that the conversions of its upper parts are exact, then in radians, 2 pi in two pieces.
  // Below 1 the remainder is x itself. Zero times infinity makes a nan of infinity.
  const UOp rest = turns - nearest, tail = rest & f.integer((int64_t{1} << (width - 4 - f.mantissa)) - 1);
  const UOp high = cast(bit_xor(rest, tail), f.real);
  const auto scaled = [&](double piece, int words) { return f.number(std::ldexp(piece, -words * width)); };
  const auto [two_pi, two_pi_rest] =
      f.real == float64 ? std::pair(0x1.921fb54442d18p+2, 0x1.1a62633145c07p-52) : std::pair(0x1.921fb6p+2, -0x1.777a5cp-23);
  const UOp low_radians = fma(cast(tail, f.real), scaled(two_pi, 1), cast(low, f.real) * scaled(two_pi, 2));
  const UOp lower = fma(high, scaled(two_pi_rest, 1), low_radians), radians = fma(high, scaled(two_pi, 1), lower);
  const UOp small = less(size, f.number(1));
  return {where(small, f.integer(0), nearest), where(small, size, fma(size, f.number(0), radians)),
          where(small, f.number(0), fma(high, scaled(two_pi, 1), radians * -1) + lower)};
}
/// Whether the word's quarters are odd.
UOp is_odd(const UOp& quarters, const FloatFormat& f) {
  return not_equal(quarters & f.integer(int64_t{1} << (f.width() - 2)), f.integer(0));
}

/// sin(x), or cos(x) = sin(|x| + a quarter turn).
UOp sine(const UOp& x, bool quarter_ahead) {
  const FloatFormat f(x.dtype());
  const UOp sign_bit = f.integer(f.width() == 64 ? INT64_MIN : INT32_MIN);
  auto [quarters, r, rest] = turned(x);
  const UOp square = r * r, sine = fma(r * square, horner(square, kSin), r), cosine = fma(square, horner(square, kCos), f.number(1));
  if (quarter_ahead) quarters = quarters + f.integer(int64_t{1} << (f.width() - 2));
  const UOp value = bitcast(where(is_odd(quarters, f), cosine, sine), f.bits);
  const UOp sign = (quarter_ahead ? quarters : bit_xor(quarters, bitcast(x, f.bits))) & sign_bit;
  return bitcast(bit_xor(value, sign), f.real);
}

}  // namespace

UOp sin_polynomial(const UOp& x) { return sine(x, false); }
UOp cos_polynomial(const UOp& x) { return sine(x, true); }
UOp tan_polynomial(const UOp& x) {
  const FloatFormat f(x.dtype());
  const auto [quarters, r, rest] = turned(x);
  // tan(r + rest) = t + low; of an odd quarter -1 / (t + low), by one step of Newton's method.
  const UOp square = r * r, above = fma(r * square, horner(square, kTan), fma(rest, square, rest));
  const UOp t = r + above, low = above + (t + r * -1) * -1, inverse = UOp::make(Op::Recip, {t});
  const UOp cotangent = fma(inverse, fma(low, inverse * -1, fma(inverse, t * -1, f.number(1))), inverse);
  const UOp odd = is_odd(quarters, f), value = bitcast(where(odd, cotangent * -1, t), f.bits);
  return bitcast(bit_xor(value, bitcast(x, f.bits) & f.integer(f.width() == 64 ? INT64_MIN : INT32_MIN)), f.real);
}

}  // namespace tg::codegen
