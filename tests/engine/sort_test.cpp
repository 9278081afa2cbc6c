// Sorting on devices against the interpreter: values and indices, both ways of sorting, every dtype and axis; and how many kernels it
// takes.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/env.hpp"
#include "fuzzing.hpp"
#include "schedule/plan.hpp"
#include "tensor/impl.hpp"
#include "tg/device.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Numbers without pattern, of which many are equal; among floats nan, infinities and both zeros.
Tensor shuffled(const Sizes& shape, DType t, const std::string& device, uint64_t state = 1) {
  constexpr double kSpecial[] = {std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity, 0.0, -0.0};
  int64_t n = 1;
  for (int64_t s : shape) n *= s;
  std::vector<double> v;
  for (int64_t i = 0; i < n; ++i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    const auto r = static_cast<double>(state >> 57);  // below 128
    v.push_back(is_float(t) && r < 10 ? kSpecial[static_cast<size_t>(r) / 2] : is_unsigned(t) ? 2 * r : r - 64);
  }
  return Tensor::from(v, shape, {.device = device}).cast(t);
}
Tensor part(const Tensor& x, int axis, bool descending, int64_t component) {
  const UOp u = UOp::make(Op::Sort, {node_of(x, "test")}, SortArg{axis, descending});
  return make(UOp::make(Op::Get, {u}, component, component == 0 ? x.dtype() : int64), std::string(x.device()));
}
// Bit for bit, but for the signs of nan and, where values are sorted alone, of zeros.
void same(const Sizes& shape, DType t, int axis, bool descending) {
  const std::string here = settings().device;
  const Tensor x = shuffled(shape, t, here), other = shuffled(shape, t, here), y = shuffled(shape, t, "interpreter");
  const Tensor values = part(y, axis, descending, 0), indices = part(y, axis, descending, 1), alone = part(other, axis, descending, 0);
  const std::vector<Tensor> both{part(x, axis, descending, 0), part(x, axis, descending, 1)};
  alone.realize();
  realize(both);
  const auto wanted = values.cast(float64).to_vector<double>(), sole = alone.cast(float64).to_vector<double>(),
             got = both[0].cast(float64).to_vector<double>();
  EXPECT_EQ(both[1].to_vector<int64_t>(), indices.to_vector<int64_t>()) << name_of(t);
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (std::isnan(wanted[i])) {
      ASSERT_TRUE(std::isnan(got[i]) && std::isnan(sole[i])) << name_of(t) << " element " << i;
      continue;
    }
    ASSERT_EQ(got[i], wanted[i]) << name_of(t) << " element " << i;
    if (!settings().eager) {  // which sorts the values alone, and then both
      ASSERT_EQ(std::signbit(got[i]), std::signbit(wanted[i])) << name_of(t) << " element " << i;
    }
    ASSERT_EQ(sole[i], wanted[i]) << name_of(t) << " element " << i;
  }
}
// Devices that take long to compile a kernel are shown fewer of them.
std::vector<DType> dtypes() {
  if (fuzz_budget() < 1) return {int8, float32};
  return {bool_, uint8, int8, uint16, int16, uint32, int32, uint64, int64, float16, bfloat16, float32, float64};
}

TEST(Sort, ShortLinesOfEveryDtype) {
  for (DType t : dtypes())
    if (device(settings().device).target().supports(t)) same({3, 29}, t, 1, t == int32 || t == float16);
}
TEST(Sort, LongLinesOfEveryDtype) {
  for (DType t : dtypes())
    if (device(settings().device).target().supports(t) && size_of(t) != 2) same({1, 20000}, t, 1, t == int64 || t == float64);
}
TEST(Sort, AnyAxis) {
  same({5, 4, 3}, float32, 0, true);
  same({5, 4, 3}, int16, 1, false);
  if (dtypes().size() < 3) return;
  same({3000, 7}, float16, 0, false);
  same({2, 17000}, float32, 1, true);  // chunks of unequal length
}
TEST(Sort, OfNothingAndOfOne) {
  same({0}, float32, 0, false);
  same({4, 0}, float32, 0, false);
  same({1}, int32, 0, true);
  same({4, 1, 2}, float32, 1, false);
}
TEST(Sort, ExtremesOfIntegers) {
  const Tensor x =
      Tensor::from(std::vector<int64_t>{5, std::numeric_limits<int64_t>::max(), -1, std::numeric_limits<int64_t>::min(), 0}, {5});
  EXPECT_EQ(part(x, 0, false, 0).to_vector<int64_t>(),
            (std::vector<int64_t>{std::numeric_limits<int64_t>::min(), -1, 0, 5, std::numeric_limits<int64_t>::max()}));
  const Tensor u = Tensor::from(std::vector<uint64_t>{3, ~uint64_t{0}, uint64_t{1} << 63, 0}, {4});
  EXPECT_EQ(part(u, 0, true, 0).to_vector<uint64_t>(), (std::vector<uint64_t>{~uint64_t{0}, uint64_t{1} << 63, 3, 0}));
}
TEST(Sort, TheNumberOfKernelsDependsOnTheDtypeAlone) {
  const auto launches = [](int64_t n, DType t, int64_t component) {
    const UOp s = UOp::make(Op::Sort, {param(0, t, Shape{n})}, SortArg{0, false});
    const UOp u = UOp::make(Op::Get, {s}, component, component == 0 ? t : int64);
    return schedule(std::span(&u, 1)).launches.size();
  };
  for (int64_t component : {0, 1}) {
    const size_t four = launches(100'000, float32, component);
    EXPECT_EQ(launches(1 << 24, float32, component), four);
    EXPECT_EQ(launches(100'000'007, float32, component), four);
    EXPECT_LE(four, 4 * 7u + 2);
    EXPECT_LE(launches(100'000, uint8, component), 9u);
    EXPECT_EQ(launches(50, float32, component), 1u);
  }
}
TEST(Sort, GradientsAndSortsOfSorts) {
  if (settings().eager) return;  // a node made by hand keeps no history there; Tensor::sort's gradients are tested eagerly too
  const Tensor x = Tensor::from(std::vector<float>{3, 1, 2, 1}, {4}, {.requires_grad = true});
  const Tensor weights({1.f, 10.f, 100.f, 1000.f});
  const Tensor sorted = part(x, 0, false, 0), twice = part(sorted * -1, 0, false, 0);
  const Tensor first = gradient((make(node_of(sorted, "test"), x) * weights).sum(), {x})[0];
  EXPECT_EQ(first.to_vector<float>(), (std::vector<float>{1000, 1, 100, 10}));
  EXPECT_EQ(twice.to_vector<float>(), (std::vector<float>{-3, -2, -1, -1}));
}

}  // namespace
}  // namespace tg
