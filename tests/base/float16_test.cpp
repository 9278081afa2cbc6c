// The 16-bit floats against exhaustive search for the nearest pattern, and bit-level laws.
#include "base/float16.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace tg {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

static_assert(half_from(1.0) == 0x3c00 && half_to_float(0x3c00) == 1.0f && bfloat16_from(-2.0) == 0xc000);

/// Nearest of all finite patterns by exhaustive search, ties to the even pattern: what rounding means.
template <typename Widen>
uint16_t nearest(double value, uint16_t infinity, Widen widen) {
  uint16_t low = 0, high = infinity;  // positive patterns are ordered as their values
  while (high - low > 1) {
    const uint16_t middle = static_cast<uint16_t>((low + high) / 2);
    (static_cast<double>(widen(middle)) <= value ? low : high) = middle;
  }
  const double below = widen(low);
  // infinity stands for the next value the format would have, had it one more exponent
  const double above = high == infinity ? 2 * below - widen(static_cast<uint16_t>(low - 1)) : widen(high);
  if (value - below != above - value) return value - below < above - value ? low : high;
  return low % 2 == 0 ? low : high;
}

TEST(Float16, EveryPatternSurvivesWideningAndNarrowing) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const uint16_t b = static_cast<uint16_t>(bits);
    const bool half_nan = (b & 0x7fff) > 0x7c00, brain_nan = (b & 0x7fff) > 0x7f80;
    ASSERT_EQ(half_from(half_to_float(b)), half_nan ? b | 0x200 : b);
    ASSERT_EQ(bfloat16_from(bfloat16_to_float(b)), brain_nan ? b | 0x40 : b);
    ASSERT_EQ(std::isnan(half_to_float(b)), half_nan);
  }
}

TEST(Float16, RoundsToNearestEven) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const double half = std::ldexp(1 + static_cast<double>(random() >> 12) * 0x1p-52, static_cast<int>(random() % 44) - 27);
    ASSERT_EQ(half_from(half), nearest(half, 0x7c00, half_to_float)) << half;
    ASSERT_EQ(half_from(-half), nearest(half, 0x7c00, half_to_float) | 0x8000) << half;
    const double brain = std::ldexp(1 + static_cast<double>(random() >> 12) * 0x1p-52, static_cast<int>(random() % 264) - 136);
    ASSERT_EQ(bfloat16_from(brain), nearest(brain, 0x7f80, bfloat16_to_float)) << brain;
  }
  for (uint32_t bits = 1; bits < 0x7c00; ++bits) {  // exactly between two neighbours, and a hair to each side
    const double low = half_to_float(static_cast<uint16_t>(bits - 1)), high = half_to_float(static_cast<uint16_t>(bits));
    const double middle = (low + high) / 2;
    ASSERT_EQ(half_from(middle), bits % 2 ? bits - 1 : bits);
    ASSERT_EQ(half_from(std::nextafter(middle, kInfinity)), bits);
    ASSERT_EQ(half_from(std::nextafter(middle, 0.0)), bits - 1);
  }
}

TEST(Float16, Extremes) {
  EXPECT_EQ(half_from(65504.0), 0x7bff);
  EXPECT_EQ(half_from(65519.99), 0x7bff);
  EXPECT_EQ(half_from(65520.0), 0x7c00);
  EXPECT_EQ(half_from(1e300), 0x7c00);
  EXPECT_EQ(half_from(-kInfinity), 0xfc00);
  EXPECT_EQ(half_from(0x1p-24), 0x0001);
  EXPECT_EQ(half_from(0x1p-25), 0x0000);
  EXPECT_EQ(half_from(-0.0), 0x8000);
  EXPECT_EQ(half_from(5e-324), 0x0000);
  EXPECT_EQ(half_from(std::numeric_limits<double>::quiet_NaN()), 0x7e00);
  EXPECT_EQ(bfloat16_from(static_cast<double>(std::numeric_limits<float>::max())), 0x7f80);
  EXPECT_EQ(bfloat16_from(-std::numeric_limits<double>::quiet_NaN()), 0xffc0);
  EXPECT_TRUE(std::signbit(half_to_float(0x8000)));
}

}  // namespace
}  // namespace tg
