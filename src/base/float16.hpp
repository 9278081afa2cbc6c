#pragma once
// Exact software conversions of the two 16-bit float types, as bit patterns.
//
//   half_from(1.5) == 0x3e00;  half_to_float(0x3e00) == 1.5f;  bfloat16_from(1.5) == 0x3fc0
//
// Narrowing rounds to nearest, ties to even, once (from double: a float argument widens exactly). Overflow gives infinity, tiny
// values give denormals, NaN stays a quiet NaN with its sign. Every 16-bit pattern survives widening and narrowing again (a
// signalling NaN comes back quiet). Formats: IEEE 754-2008 binary16; bfloat16 is the upper half of binary32.
#include <bit>
#include <cstdint>

namespace tg {

namespace detail {

/// `value` rounded to a format of one sign bit, `exponent_bits` and the rest mantissa (16 bits in all).
template <int exponent_bits>
constexpr uint16_t narrow_to_16(double value) {
  constexpr int mantissa_bits = 15 - exponent_bits;
  constexpr int bias = (1 << (exponent_bits - 1)) - 1;
  constexpr uint16_t infinity = static_cast<uint16_t>(((1 << exponent_bits) - 1) << mantissa_bits);
  const uint64_t bits = std::bit_cast<uint64_t>(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 48 & 0x8000);
  const int exponent = static_cast<int>(bits >> 52 & 0x7ff);
  const uint64_t fraction = bits & ((uint64_t{1} << 52) - 1);
  if (exponent == 0x7ff) {
    const uint64_t payload = fraction >> (52 - mantissa_bits) | uint64_t{1} << (mantissa_bits - 1);
    return static_cast<uint16_t>(sign | infinity | (fraction ? payload : 0));
  }
  const int target = exponent - 1023 + bias;                  // exponent field in the narrow format; below 1 the result is denormal
  if (exponent == 0 || target < -mantissa_bits) return sign;  // below half the least denormal
  if (target > 2 * bias) return static_cast<uint16_t>(sign | infinity);
  const uint64_t significand = fraction | uint64_t{1} << 52;
  const int drop = 52 - mantissa_bits + (target < 1 ? 1 - target : 0);
  const uint64_t kept = significand >> drop, rest = significand & ((uint64_t{1} << drop) - 1), half = uint64_t{1} << (drop - 1);
  // a carry out of the mantissa moves into the exponent field by itself, up to infinity
  const uint64_t base = target < 1 ? kept : kept + (static_cast<uint64_t>(target - 1) << mantissa_bits);
  return static_cast<uint16_t>(sign | (base + (rest > half || (rest == half && (kept & 1)))));
}

}  // namespace detail

constexpr uint16_t half_from(double value) { return detail::narrow_to_16<5>(value); }
constexpr uint16_t bfloat16_from(double value) { return detail::narrow_to_16<8>(value); }

constexpr float bfloat16_to_float(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

constexpr float half_to_float(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // zero or denormal: exact in float
  return sign ? -magnitude : magnitude;
}

}  // namespace tg
