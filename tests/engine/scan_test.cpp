// Running combinations over every monoid, axis and dtype, as devices compile them and as the interpreter defines them.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/env.hpp"
#include "fuzzing.hpp"
#include "ir/monoid.hpp"
#include "schedule/plan.hpp"
#include "tensor/impl.hpp"
#include "tg/device.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

// Small whole numbers without pattern, so that sums are exact in any order; every seventh a nan where asked for.
Tensor whole(const Sizes& shape, DType t, const std::string& device, bool nan = false) {
  int64_t n = 1;
  for (int64_t s : shape) n *= s;
  std::vector<double> v;
  for (int64_t i = 0; i < n; ++i)
    v.push_back(nan && i % 7 == 6 ? NAN : static_cast<double>((i * i * 7 + i / 3) % 9) - (is_unsigned(t) ? 0 : 4));
  return Tensor::from(v, shape, {.device = device}).cast(t);
}
Tensor scanned(const Tensor& x, Monoid m, int axis, bool inclusive, size_t component) {
  const UOp u = UOp::make(Op::Scan, {node_of(x, "test")}, ScanArg{m, axis, inclusive});
  if (components(m) == 1) return make(u, std::string(x.device()));
  const DType t = component_dtype(m, component, x.dtype());
  return make(UOp::make(Op::Get, {u}, static_cast<int64_t>(component), t == DType::index ? int64 : t), std::string(x.device()));
}

using Programs = std::function<std::vector<Tensor>(const std::string& device)>;
void same(const Programs& programs, double tolerance = 2e-5) {
  std::vector<Tensor> wanted = programs("interpreter"), got = programs(settings().device);
  realize(wanted);
  realize(got);
  for (size_t k = 0; k < wanted.size(); ++k) {
    const auto a = wanted[k].cast(float64).to_vector<double>(), b = got[k].cast(float64).to_vector<double>();
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
      ASSERT_NEAR(a[i], b[i], tolerance * std::fmax(1, std::abs(a[i]))) << "program " << k << ", element " << i;
    }
  }
}
constexpr Monoid kAll[] = {Monoid::Sum, Monoid::Prod, Monoid::Max, Monoid::Min, Monoid::ArgMax, Monoid::LogSumExp};

// Devices that take long to compile a kernel are shown fewer of them.
std::vector<Monoid> monoids() {
  return fuzz_budget() < 1 ? std::vector<Monoid>{Monoid::Sum, Monoid::ArgMax}
                                         : std::vector<Monoid>(std::begin(kAll), std::end(kAll));
}

TEST(Scan, EveryMonoidAlongEveryAxis) {
  for (Monoid m : monoids())
    same([&](const std::string& d) {
      std::vector<Tensor> out;
      const auto add = [&](const Sizes& shape, int axis, bool inclusive) {
        for (size_t c = 0; c < components(m); ++c)
          out.push_back(scanned(whole(shape, float32, d, m == Monoid::ArgMax), m, axis, inclusive, c));
      };
      for (int axis : {0, 1, 2}) add({3, 21, 2}, axis, axis != 1);
      add({1, 40}, 1, false);
      if (m == Monoid::Sum) add({3, 9001}, 0, true);  // blocks of the other axis
      add({1, 40}, 0, true);
      add({5, 1}, 1, false);
      add({0, 3}, 0, true);
      return out;
    });
}
TEST(Scan, LongLines) {
  for (Monoid m : monoids())
    same([&](const std::string& d) {
      std::vector<Tensor> out;
      for (bool inclusive : {true, false}) {
        Tensor x = whole({33001}, m == Monoid::Prod ? int32 : float32, d, m == Monoid::ArgMax);
        if (m == Monoid::Prod) x = x * 2 + 1;  // odd, so that it never becomes 0
        for (size_t c = 0; c < components(m); ++c) out.push_back(scanned(x, m, 0, inclusive, c));
      }
      if (m != Monoid::Sum) return out;
      out.push_back(scanned(whole({2, 32800}, float32, d), m, 1, true, 0));
      out.push_back(scanned(whole({1 << 15, 3}, float32, d), m, 0, true, 0));
      return out;
    }, 1e-4);
}
TEST(Scan, EveryDtype) {
  same([&](const std::string& d) {
    constexpr DType dtypes[] = {bool_, uint8, int8, uint16, int16, uint32, int32, uint64, int64, float16, bfloat16, float32, float64};
    constexpr Monoid of[] = {Monoid::Sum, Monoid::Max, Monoid::Min};
    std::vector<Tensor> out;
    for (size_t i = 0; i < std::size(dtypes); ++i)
      if (device(settings().device).target().supports(dtypes[i]))
        out.push_back(scanned(whole({19, 37}, dtypes[i], d), of[i % 3], static_cast<int>(i % 2), true, 0));
    return out;
  }, 1e-2);
}
TEST(Scan, WhatIsComputedBeforeAndAfterIsOneKernel) {
  if (settings().eager) return;  // every operation is a kernel, and a parameter has no value
  const Tensor x = make(param(0, float32, Shape{64, 100}), "null");
  const auto launches = [](const Tensor& y) {
    const UOp node = node_of(y, "test");
    return schedule(std::span(&node, 1)).launches.size();
  };
  EXPECT_EQ(launches(scanned(x * 2 + 1, Monoid::Sum, 1, true, 0).exp() + x), 1u);
  EXPECT_EQ(launches(scanned(x.sum({.axis = 1}), Monoid::Sum, 0, true, 0)), 2u);
  EXPECT_EQ(launches(scanned(x, Monoid::Sum, 1, true, 0).sum({.axis = 1})), 2u);
}
TEST(Scan, ThreeKernelsWhateverTheLength) {
  for (int64_t n : {1 << 15, 1 << 20, 100'000'007}) {
    const UOp x = param(0, float32, Shape{n}), sum = UOp::make(Op::Scan, {x}, ScanArg{Monoid::Sum, 0, true});
    EXPECT_EQ(schedule(std::span(&sum, 1)).launches.size(), 3u) << n;
  }
}
TEST(Scan, ComponentsOfOneScanAreMadeTogether) {
  const UOp x = param(0, float32, Shape{40, 50}), best = UOp::make(Op::Scan, {x}, ScanArg{Monoid::ArgMax, 1, true});
  const std::vector<UOp> both{UOp::make(Op::Get, {best}, int64_t{0}, float32), UOp::make(Op::Get, {best}, int64_t{1}, int64)};
  EXPECT_EQ(schedule(both).launches.size(), 1u);
}
TEST(Scan, HalvesAreAddedInFloat32) {
  const Tensor x = Tensor::ones({40000}, {.dtype = float16});
  EXPECT_EQ(scanned(x, Monoid::Sum, 0, true, 0).to_vector<float>()[39999], 40000);  // in float16 2048 + 1 is 2048
}

}  // namespace
}  // namespace tg
