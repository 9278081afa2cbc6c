// Programs with unrolled steps: a step is the same kernel as the next, wherever in an array it reads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/env.hpp"
#include "engine/plans.hpp"
#include "tg/device.hpp"
#include "tg/settings.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

/// Kernels of plans, whatever the settings are, made when what is computed is asked for.
struct Steps : testing::Test {
  Steps() { Plans::shared().forget(); }
  const WithSettings lazily{{.eager = false}};
};

Tensor small_numbers(const Sizes& shape, const std::string& device = {}) {
  int64_t n = 1;
  for (int64_t s : shape) n *= s;
  std::vector<float> data(static_cast<size_t>(n));
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>((i * 37 + i / 11) % 101) / 101 - 0.5f;
  return Tensor::from(data, shape, {.device = device}).realize();
}
Tensor recurrence(const Tensor& z, const Tensor& w) {
  Tensor h = z.at(0);
  for (int64_t t = 1; t < z.size(0); ++t) h = (z.at(t) + h.matmul(w)).tanh().contiguous();
  return h;
}
std::vector<float> recurrence_on(const std::string& device, int64_t steps, int64_t n) {
  return recurrence(small_numbers({steps, n, 32}, device), small_numbers({32, 32}, device)).to_vector<float>();
}
void expect_near(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5f * std::max(1.0f, std::abs(b[i]))) << i;
}

TEST_F(Steps, AreTheSameKernelsHoweverManyThereAre) {
  const Tensor w = small_numbers({32, 32});
  recurrence(small_numbers({3, 16, 32}), w).realize();
  const size_t kernels = known_kernels();
  for (int64_t steps : {4, 16, 33}) recurrence(small_numbers({steps, 16, 32}), w).realize();
  EXPECT_EQ(known_kernels(), kernels);
}
TEST_F(Steps, OfWhatIsComputedInTheSameRun) {
  const Tensor w = small_numbers({32, 32});
  const auto of = [&](int64_t steps) { return recurrence(small_numbers({steps, 16, 8}).matmul(small_numbers({8, 32})).contiguous(), w); };
  of(3).realize();
  const size_t kernels = known_kernels();
  of(33).realize();
  EXPECT_EQ(known_kernels(), kernels + 1) << "the product before the steps is of another size";
}
TEST_F(Steps, AreWhatTheInterpreterAndTheEagerModeCompute) {
  for (int64_t n : {16, 3}) {
    const std::vector<float> expected = recurrence_on("interpreter", 9, n), found = recurrence_on(settings().device, 9, n);
    expect_near(found, expected);
    const WithSettings eagerly{{.eager = true}};
    expect_near(recurrence_on(settings().device, 9, n), expected);
  }
}
// Steps that do not begin where a device lets arguments begin are as many kernels as there are such places between.
TEST_F(Steps, AreAFewKernelsWhereTheyAreOdd) {
  const int64_t rows = settings().device == "cpu" ? 200 : 5;  // few where a kernel takes a compiler some tenths of a second
  const Tensor x = small_numbers({rows, 3});
  const size_t before = known_kernels(), most = static_cast<size_t>(device(settings().device).target().alignment) / sizeof(float);
  Tensor sum = x.at(0);
  for (int64_t i = 1; i < rows; ++i) sum = (sum * x.at(i)).contiguous() + 1.0f;
  sum.realize();
  EXPECT_LE(known_kernels() - before, 2 * most + 1);
}
TEST_F(Steps, MayReadBackwardAndBesideThemselves) {
  const auto on = [](const std::string& device) {
    const Tensor x = small_numbers({12, 16, 16}, device);
    Tensor h = x.at(0);
    for (int64_t t = 1; t < 11; ++t)
      h = (x.at(t).flip(0) * h + x.slice(0, t - 1, t + 2).sum({.axis = 0}) + x.at(t).slice(1, 0, 15).pad({{0, 0}, {1, 0}}))
              .tanh()
              .contiguous();
    return h.to_vector<float>();
  };
  const std::vector<float> found = on(settings().device);
  expect_near(found, on("interpreter"));
}
// Of a recurrent layer, all of whose steps are read, the steps of the gradient too: what each reads of the others is no argument.
TEST_F(Steps, GoBackwardAsFewKernels) {
  const auto gradients = [](int64_t steps, const std::string& device) {
    const Tensor w = small_numbers({32, 32}, device).set_requires_grad(true), z = small_numbers({steps, 16, 32}, device);
    std::vector<Tensor> said{z.at(0)};
    for (int64_t t = 1; t < steps; ++t) said.push_back((z.at(t) + said.back().matmul(w)).tanh().contiguous());
    return gradient(Tensor::stack(said).square().sum(), {w})[0];
  };
  expect_near(gradients(7, settings().device).to_vector<float>(), gradients(7, "interpreter").to_vector<float>());
  const size_t kernels = known_kernels();
  gradients(13, settings().device).realize();
  EXPECT_LE(known_kernels(), kernels + 4) << "what adds up all steps is a kernel for so many";
}

}  // namespace
}  // namespace tg
