// Rules over tensors keep every value: random graphs that they apply to, evaluated as they were and as they became.
#include "schedule/same_values.hpp"

#include <gtest/gtest.h>

#include <random>

#include "interpreting.hpp"

namespace tg {
namespace {

std::vector<double> random_numbers(std::mt19937& rng, int64_t n) {
  std::vector<double> v(static_cast<size_t>(n));
  static constexpr double special[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1e-40, -1e-40};
  for (double& e : v) e = rng() % 4 == 0 ? special[rng() % 7] : std::uniform_real_distribution<double>(-2, 2)(rng);
  return v;
}
void expect_same(const UOp& u) {
  const UOp after = rewrite(u, same_values());
  EXPECT_FALSE(after == u) << "no rule applied";
  const std::vector<double> a = numbers(u), b = numbers(after);
  ASSERT_EQ(u.shape(), after.shape());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) << a[i] << " became " << b[i];
}

TEST(SameValues, OfWindowsSideBySide) {
  std::mt19937 rng(3);
  for (int i = 0; i < 300; ++i) {
    const int rank = 1 + static_cast<int>(rng() % 3), axis = static_cast<int>(rng() % static_cast<unsigned>(rank));
    std::vector<int64_t> shape;
    for (int a = 0; a < rank; ++a) shape.push_back(1 + rng() % 4);
    const int size = 1 + static_cast<int>(rng() % 3), stride = size + static_cast<int>(rng() % 3);
    const int64_t count = shape[static_cast<size_t>(axis)], length = (count - 1) * stride + size + rng() % 5;
    shape.push_back(size);
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    std::vector<double> values(static_cast<size_t>(n));
    for (double& v : values) v = std::uniform_real_distribution<double>(-2, 2)(rng);
    expect_same(UOp::make(Op::OverlapAdd, {leaf(float32, shape, values)}, WindowArg{axis, size, stride, 1, length}));
  }
}
TEST(SameValues, OfRelu) {
  std::mt19937 rng(4);
  const UOp x = leaf(float32, {400}, random_numbers(rng, 400)), zero = constant(float32, 0);
  const UOp positive = UOp::make(Op::Max, {x, zero}), detached = UOp::make(Op::Detach, {positive});
  expect_same(where(not_equal(detached, zero), x, zero));
  EXPECT_EQ(rewrite(where(not_equal(detached, zero), x, zero), same_values()), positive);
  expect_same(detached);
}

}  // namespace
}  // namespace tg
