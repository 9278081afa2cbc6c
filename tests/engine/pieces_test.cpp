// Pieces of memory: the same program over the next batch, or row, is the same plan.
#include <gtest/gtest.h>

#include "base/env.hpp"
#include "engine/plans.hpp"
#include "tg/device.hpp"
#include "tg/settings.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

/// Plans that are made, whatever the settings are, when what is computed is asked for.
struct Pieces : testing::Test {
  Pieces() { Plans::shared().forget(); }
  static size_t plans() { return Plans::shared().counts().plans; }
  const WithSettings lazily{{.eager = false}};
};

TEST_F(Pieces, OfOnePlan) {
  const Tensor x = Tensor::arange(96 * 32, {.dtype = float32}).reshape({96, 32}).realize();
  const auto total = [&](const Tensor& part) { return ((part * 2.0f).relu() + 1.0f).sum().item<float>(); };
  const auto expected = [](int64_t begin, int64_t n) { return static_cast<float>(n * (2 * begin + n - 1) + n); };
  EXPECT_EQ(total(x.narrow(0, 0, 16)), expected(0, 16 * 32));
  const size_t before = plans(), kernels = known_kernels();
  for (int64_t i = 16; i < 96; i += 16) EXPECT_EQ(total(x.narrow(0, i, 16)), expected(i * 32, 16 * 32)) << i;
  EXPECT_EQ(plans(), before) << "batches";
  EXPECT_EQ(known_kernels(), kernels);
  for (int64_t i = 0; i < 6; ++i) {
    EXPECT_EQ(total(x.reshape({6, 16, 32})[i]), expected(i * 16 * 32, 16 * 32)) << i;
    EXPECT_EQ(plans(), before + 1) << "of what is reshaped first";
  }
}

// Rows that do not begin where a device lets buffers begin are the same plan as others that are as far behind such a place.
TEST_F(Pieces, OfAFewPlansWhereTheyAreOdd) {
  const Tensor x = Tensor::arange(1200 * 3, {.dtype = float32}).reshape({1200, 3}).realize();
  const size_t before = plans(), most = static_cast<size_t>(device(settings().device).target().alignment) / sizeof(float);
  const int64_t step = settings().device == "cpu" ? 29 : 311;  // fewer where a kernel takes a compiler some tenths of a second
  for (int64_t i = 0; i < 1200; i += step) EXPECT_EQ((x[i] + 1.0f).sum().item<float>(), static_cast<float>(9 * i + 6)) << i;
  EXPECT_LE(plans() - before, most);
}

TEST_F(Pieces, OfMemoryThatIsReadElsewhereToo) {
  const Tensor x = Tensor::arange(64 * 64, {.dtype = float32}).reshape({64, 64}).realize();
  EXPECT_EQ((x.slice(0, 32, 64) - x.slice(0, 0, 32)).sum().item<float>(), 32.0f * 32 * 64 * 64);
  EXPECT_EQ((x.slice(0, 32, 64) * 0.0f + x.sum() * 0.0f + 1.0f).sum().item<float>(), 32.0f * 64);
  EXPECT_EQ(x.slice(0, 32, 64).slice(1, 5, 6).sum().item<float>(), x.slice(1, 5, 6).slice(0, 32, 64).sum().item<float>());
}

TEST_F(Pieces, StayAsTheyWereWhenTheirWholeChanges) {
  Tensor x = Tensor::zeros({64, 64}).contiguous().realize();
  const Tensor part = x.slice(0, 32, 64), later = part + 1.0f;
  part.realize();
  x += 5.0f;
  x.realize();
  EXPECT_EQ(part.sum().item<float>(), 0.0f);
  EXPECT_EQ(later.sum().item<float>(), 32.0f * 64);
  x[1] += x[33] + x[34];
  EXPECT_EQ(x.sum().item<float>(), 5.0f * 64 * 64 + 10.0f * 64);
  EXPECT_EQ(x[1].sum().item<float>(), 15.0f * 64);
}

}  // namespace
}  // namespace tg
