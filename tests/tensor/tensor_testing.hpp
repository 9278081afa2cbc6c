#pragma once
// What tests of tensors share. They name no device: TG_DEVICE chooses it, and the suite runs on each.
//
//   expect_near(x.exp(), {1, 2.718281828});      expect_throw<ShapeError>([&] { a + b; }, "add: shapes ...");
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "base/env.hpp"
#include "tg/device.hpp"
#include "tg/tg.hpp"

namespace tg {

inline double tolerance(DType t) {
  switch (t) {
    case DType::float16: return 2e-3;
    case DType::bfloat16: return 2e-2;
    case DType::float32: return 3e-6;
    case DType::float64: return 1e-12;
    default: return 0;
  }
}

/// Elements within a relative (below 1: absolute) error; nan only beside nan, infinities only beside themselves.
inline void expect_near(const Tensor& x, const std::vector<double>& expected, double error = -1) {
  if (error < 0) error = tolerance(x.dtype());
  const auto values = x.to_vector<double>();
  ASSERT_EQ(values.size(), expected.size()) << x;
  for (size_t i = 0; i < values.size(); ++i) {
    const double v = values[i], e = expected[i];
    const bool equal = std::isnan(e) ? std::isnan(v) : std::isinf(e) ? v == e : std::abs(v - e) <= error * std::fmax(1, std::abs(e));
    EXPECT_TRUE(equal) << "element " << i << " is " << v << ", expected " << e << " in\n" << x;
  }
}
inline void expect_close(const Tensor& x, const Tensor& expected, double error = -1) {
  ASSERT_EQ(x.shape(), expected.shape());
  expect_near(x, expected.to_vector<double>(), error);
}
inline void expect_equal(const Tensor& x, const Sizes& shape, const std::vector<double>& expected) {
  EXPECT_EQ(x.shape(), shape);
  expect_near(x, expected, 0);
}

template <class E>
void expect_throw(const std::function<void()>& f, const std::string& message) {
  try {
    f();
    FAIL() << "nothing was thrown; expected: " << message;
  } catch (const E& e) {
    EXPECT_EQ(e.what(), message);
  }
}

inline bool supported(DType t) { return device(settings().device).target().supports(t); }
#define REQUIRE_DTYPE(t) \
  if (!supported(t)) GTEST_SKIP() << "the device has no " << name_of(t)

inline Tensor f64(const std::vector<double>& values, const Sizes& shape, bool grad = false) {
  return Tensor::from(values, shape, {.requires_grad = grad});
}
inline Tensor leaf(const std::vector<double>& values, const Sizes& shape) {
  return Tensor::from(std::vector<float>(values.begin(), values.end()), shape, {.requires_grad = true});
}
inline Tensor leaf(double value) { return leaf({value}, {1}); }
/// Numbers without pattern in [low, high], the same in every run.
inline std::vector<double> samples(int64_t n, double low, double high, uint64_t seed = 1) {
  std::vector<double> out;
  uint64_t s = seed * 0x9e3779b97f4a7c15u + 1;
  for (int64_t i = 0; i < n; ++i) {
    s = s * 6364136223846793005u + 1442695040888963407u;
    out.push_back(low + (high - low) * static_cast<double>(s >> 11) * 0x1p-53);
  }
  return out;
}
inline Tensor random(const Sizes& shape, uint64_t seed) {
  int64_t n = 1;
  for (int64_t s : shape) n *= s;
  const auto v = samples(n, -1, 1, seed);
  return Tensor::from(std::vector<float>(v.begin(), v.end()), shape);
}

}  // namespace tg
