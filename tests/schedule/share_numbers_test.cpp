// Kernels of one plan that differ in numbers, or in which variable they read, are one.
#include <gtest/gtest.h>

#include <set>

#include "engine/canonical.hpp"
#include "engine/passes.hpp"
#include "schedule/share_numbers.hpp"
#include "tensor/impl.hpp"
#include "tg/device.hpp"
#include "tg/settings.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

struct Sharing : testing::Test {
  const WithSettings lazily{{.eager = false}};
  const Tensor x = Tensor::ones({40}).realize(), w = Tensor::ones({40, 40}).realize();
  static Plan plan(const Tensor& y) {
    const UOp node = node_of(y, "test");
    return Passes::in_force().plan(Canonical(std::span(&node, 1)).roots(), device("cpu").target());
  }
  static size_t kernels(const Plan& p) {
    std::set<Hash128> out;
    for (const PlanLaunch& l : p.launches) out.insert(l.kernel.hash());
    return out.size();
  }
};

TEST_F(Sharing, StepsWithCoefficientsOfTheirOwnAreOneKernel) {
  Tensor y = x;
  for (int step = 1; step <= 8; ++step) y = (y.matmul(w) * std::pow(0.9, step) + 0.25) * 3;
  const Plan p = plan(y);
  ASSERT_EQ(p.launches.size(), 8u);
  EXPECT_EQ(kernels(p), 1u) << to_string(p);
  std::set<double> factors;
  for (const PlanLaunch& l : p.launches) {
    ASSERT_EQ(l.scalars.size(), 1u) << "0.25 and 3 stay in the code";
    ASSERT_EQ(l.kernel.variables.size(), 1u);
    factors.insert(l.scalars[0].as<double>());
  }
  EXPECT_EQ(factors.size(), 8u);
}
TEST_F(Sharing, WhatRulesKnowIsNotShared) {
  Tensor y = x;
  for (const double factor : {0.5, -1., 0.25}) y = y.matmul(w) * factor;
  EXPECT_EQ(kernels(plan(y)), 2u);
  EXPECT_TRUE(is_known_to_rules(constant(DType::float32, std::log(2.0))));
  EXPECT_FALSE(may_be_bound(constant(DType::float16, 0.3)));
  EXPECT_FALSE(may_be_bound(constant(DType::int32, int64_t{3})));
}
TEST_F(Sharing, DrawsOfRandomNumbersAreOneKernel) {
  Tensor y = x;
  for (int step = 0; step < 5; ++step) y = y.matmul(w) + Tensor::rand({40});
  const Plan p = plan(y);
  EXPECT_EQ(kernels(p), 1u) << to_string(p);
  for (const PlanLaunch& l : p.launches) EXPECT_EQ(l.scalars.size(), 2u);
}
TEST_F(Sharing, GivesTheBitsOfEachStepAlone) {
  const auto step = [this](const Tensor& y, int i) {
    return (y.matmul(w) * std::pow(-0.3, i)).tanh() * (0.1 * i) + (y / (i + 0.5)).exp();
  };
  Tensor all = x, each = x;
  for (int i = 1; i < 7; ++i) all = step(all, i), each = step(each, i).realize();
  EXPECT_EQ(all.to_vector<float>(), each.to_vector<float>());
}

}  // namespace
}  // namespace tg
