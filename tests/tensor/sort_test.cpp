// Running results and sorting: values as NumPy and PyTorch have them, gradients against finite differences, mistakes.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fuzzing.hpp"
#include "tensor_testing.hpp"
#include "tg/extrema.hpp"

namespace tg {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

// Devices that take long to compile a kernel are shown fewer of them.
bool thorough() { return fuzz_budget() > 0.2; }

TEST(Running, SumsAndProducts) {
  const Tensor x({{1, 2, 3}, {4, 5, 6}});
  expect_equal(x.cumsum(), {2, 3}, {1, 3, 6, 4, 9, 15});
  expect_equal(cumsum(x, 0), {2, 3}, {1, 2, 3, 5, 7, 9});
  expect_equal(x.cumprod(1), {2, 3}, {1, 2, 6, 4, 20, 120});
  EXPECT_EQ(x.cast(int8).cumsum().dtype(), int32);
  EXPECT_EQ(Tensor({true, false, true}).cumsum().to_vector<int>(), (std::vector<int>{1, 1, 2}));
  expect_equal(Tensor::from(std::vector<float>{3}, {}).cumsum(), {}, {3});
  expect_equal(Tensor::zeros({0, 3}).cumsum(0), {0, 3}, {});
}
TEST(Running, ExtremesAndWhereTheyAre) {
  const Tensor x({1.f, 3.f, 3.f, 2.f, 5.f});
  expect_equal(x.cummax().values, {5}, {1, 3, 3, 3, 5});
  expect_equal(x.cummax().indices, {5}, {0, 1, 1, 1, 4});
  expect_equal(cummin(x).values, {5}, {1, 1, 1, 1, 1});
  expect_equal(Tensor({4, 2, 9, 1}).cummin().indices, {4}, {0, 1, 1, 3});
  expect_equal(Tensor({true, false}).cummin().indices, {2}, {0, 1});
  const Tensor gap({1.0, kNan, 2.0});
  expect_near(gap.cummax().values, {1, kNan, kNan});
  EXPECT_EQ(gap.cummax().indices.dtype(), int32);
}
TEST(Running, LogarithmsOfSumsOfExponentials) {
  const std::vector<double> v{1000, 1001, -kInfinity, 999};
  const std::vector<double> wanted{1000, 1001 + std::log1p(std::exp(-1)), 1001 + std::log1p(std::exp(-1)),
                                   1001 + std::log(1 + std::exp(-1) + std::exp(-2))};
  expect_near(f64(v, {4}).logcumsumexp(), wanted);
  expect_near(f64(v, {4}, true).logcumsumexp(), wanted);
  expect_near(logcumsumexp(f64({-kInfinity, 0, 0, 0}, {2, 2}), 0), {-kInfinity, 0, std::log1p(std::exp(-kInfinity)), std::log(2)});
}

TEST(Sorting, ValuesAndIndices) {
  const Tensor x({{3, 1, 2}, {0, 5, 0}});
  expect_equal(x.sort().values, {2, 3}, {1, 2, 3, 0, 0, 5});
  expect_equal(x.sort().indices, {2, 3}, {1, 2, 0, 0, 2, 1});
  expect_equal(x.argsort({.descending = true}), {2, 3}, {0, 2, 1, 1, 0, 2});
  expect_equal(sort(x, {.axis = 0}).values, {2, 3}, {0, 1, 0, 3, 5, 2});
  expect_near(Tensor({2.0, kNan, 1.0}).sort().values, {1, 2, kNan});
  expect_near(Tensor({2.0, kNan, 1.0}).sort({.descending = true}).values, {2, 1, kNan});
  expect_equal(Tensor({0.0, -0.0, 0.0}).argsort(), {3}, {0, 1, 2});
  expect_equal(Tensor::from(std::vector<float>{3}, {}).sort().values, {}, {3});
  EXPECT_EQ(x.sort().indices.dtype(), int32);
}
TEST(Sorting, TheFirstFew) {
  const Tensor x({{3, 1, 2, 9}, {0, 5, 0, 5}});
  expect_equal(x.topk(2).values, {2, 2}, {9, 3, 5, 5});
  expect_equal(x.topk(2).indices, {2, 2}, {3, 0, 1, 3});
  expect_equal(x.topk(1, 0, false).values, {1, 4}, {0, 1, 0, 5});
  expect_equal(x.topk(0).values, {2, 0}, {});
  expect_throw<ValueError>([&] { (void)x.topk(5); }, "topk: 5 of the 4 elements along axis 1; k must be from 0 to 4");
}
TEST(Sorting, TheFirstFewOfMany) {
  for (DType t : {int16, float32}) {
    if (t == float32 && !thorough()) return;
    std::vector<double> v = samples(60000, -3000, 3000);
    for (double& a : v) a = std::trunc(a);  // many are equal
    const Tensor x = Tensor::from(v, {2, 30000}).cast(t);
    for (bool largest : {true, false}) {
      if (largest && !thorough()) continue;
      const Found few = x.topk(7, 1, largest), all = x.sort({.axis = 1, .descending = largest});
      realize({few.values, few.indices, all.values, all.indices});
      expect_close(few.values, all.values.at(slice(), slice(0, 7)), 0);
      expect_close(few.indices, all.indices.at(slice(), slice(0, 7)), 0);
    }
  }
  std::vector<double> rare(20000, kNan);
  rare[777] = -kInfinity;
  expect_equal(Tensor::from(rare, {20000}).topk(3).indices, {3}, {777, 0, 1});
}
TEST(Sorting, Medians) {
  const Tensor x({{3.f, 1.f, 2.f, 9.f}, {0.f, 5.f, 0.f, 5.f}});
  expect_equal(x.median({.axis = 1}), {2}, {2, 0});
  expect_equal(x.median({.axis = 0, .keepdim = true}), {1, 4}, {0, 1, 0, 5});
  expect_equal(x.median(), {}, {2});
  expect_near(Tensor({1.0, kNan, 3.0}).median(), {kNan});
  expect_throw<ValueError>([] { (void)Tensor::zeros({0}).median(); }, "median: of no elements; the axis must not be empty");
  const Found middle = median_with_indices(x, {.axis = 1});
  expect_equal(middle.values, {2}, {2, 0});
  expect_equal(x.gather(1, middle.indices.unsqueeze(1)).reshape({2}), {2}, {2, 0});
  expect_equal(median_with_indices(Tensor({1.0, kNan, 3.0, kNan})).indices, {}, {1});
}

// The gradient of a weighted sum of f, and the derivative of a weighted sum of that gradient, against central differences.
void expect_derivatives(const std::function<Tensor(const Tensor&)>& f, const std::vector<double>& at, const Sizes& shape) {
  const auto weighted = [](const Tensor& y) {
    return (y * f64(samples(y.numel(), 0.5, 1.5, 7), y.shape())).sum();
  };
  const auto first = [&](const Tensor& x) { return gradient(weighted(f(x)), {x}, {.create_graph = true})[0]; };
  const auto check = [&](const std::function<Tensor(const Tensor&)>& of) {
    const Tensor x = f64(at, shape, true);
    const std::vector<double> got = gradient(of(x), {x})[0].to_vector<double>();
    std::vector<Tensor> ends;
    constexpr double kStep = 1e-5;
    for (size_t i = 0; i < at.size(); ++i)
      for (double step : {-kStep, kStep}) {
        std::vector<double> v = at;
        v[i] += step;
        ends.push_back(of(f64(v, shape, true)).detach());
      }
    const std::vector<double> values = Tensor::stack(ends).to_vector<double>();
    for (size_t i = 0; i < at.size(); ++i) EXPECT_NEAR(got[i], (values[2 * i + 1] - values[2 * i]) / (2 * kStep), 1e-5) << "element " << i;
  };
  check([&](const Tensor& x) { return weighted(f(x)); });
  check([&](const Tensor& x) { return weighted(first(x).square()); });
}
TEST(Sorting, Derivatives) {
  REQUIRE_DTYPE(float64);
  const std::vector<double> at{0.3, -1.2, 0.9, 2.1, -0.4, 1.7};
  expect_derivatives([](const Tensor& x) { return x.square().cumsum(1); }, at, {2, 3});
  if (!thorough()) return;
  expect_derivatives([](const Tensor& x) { return x.cumprod(0); }, at, {6});
  expect_derivatives([](const Tensor& x) { return x.square().cummax(1).values; }, at, {2, 3});
  expect_derivatives([](const Tensor& x) { return x.logcumsumexp(1); }, at, {2, 3});
  expect_derivatives([](const Tensor& x) { return x.sin().sort({.axis = 1, .descending = true}).values; }, at, {2, 3});
  expect_derivatives([](const Tensor& x) { return x.square().topk(2).values; }, at, {2, 3});
  expect_derivatives([](const Tensor& x) { return x.sin().median({.axis = 1}); }, at, {2, 3});
}

TEST(Extrema, AreElementsWhichAloneHaveTheGradient) {
  const Tensor x = Tensor({{1, 3, 3}, {2, -1, -1}}, {.dtype = float32, .requires_grad = true});
  const Found most = max_with_indices(x, {.axis = 1}), least = min_with_indices(x, {.axis = 1, .keepdim = true});
  expect_equal(most.values, {2}, {3, 2});
  expect_equal(most.indices, {2}, {1, 0});
  expect_equal(least.values, {2, 1}, {1, -1});
  expect_equal(least.indices, {2, 1}, {0, 1});
  (most.values.sum() + least.values.sum() * 2).backward();
  expect_equal(x.grad(), {2, 3}, {2, 1, 0, 1, 2, 0});
  expect_equal(max_with_indices(x).indices, {}, {1});
  expect_throw<ValueError>([&] { (void)max_with_indices(x, {.axis = {0, 1}}); },
                           "max: 2 axes; it takes one, or none for the index into the flattened tensor");
}

}  // namespace
}  // namespace tg
