// What fuses with what: the number of launches of well-known programs, and where memory goes.
#include "schedule/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/canonical.hpp"
#include "schedule_testing.hpp"
#include "tensor/impl.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

Plan plan(const Tensor& t) {
  const UOp node = node_of(t, "test");
  return schedule(Canonical(std::span(&node, 1)).roots());
}
size_t launches(const Tensor& t) { return plan(t).launches.size(); }

TEST(Fusion, ElementwiseChainIsOneKernel) {
  const Tensor a = input({64, 33}), b = input({64, 33}), c = input({33});
  EXPECT_EQ(launches(((a * b + c).relu() - a).exp2() * 2), 1u);
}
TEST(Fusion, SoftmaxIsOneKernel) { EXPECT_EQ(launches(input({64, 1000}).softmax(1)), 1u); }
TEST(Fusion, LayerNormIsOneKernel) { EXPECT_EQ(launches(input({64, 1000}).layer_norm(input({1000}), input({1000}))), 1u); }
TEST(Fusion, ProductWithBiasAndActivationIsOneKernel) {
  EXPECT_EQ(launches((input({256, 512}).matmul(input({512, 128})) + input({128})).gelu()), 1u);
}
TEST(Fusion, ProductActivationAndSumAreTwo) { EXPECT_LE(launches(input({256, 512}).matmul(input({512, 128})).relu().sum()), 2u); }
// What is cut off a kernel is stored by another one, not by the same as a further output.
TEST(Fusion, KernelsOfLongProgramsAreOfBoundedSize) {
  Tensor a = input({1000}), b = input({1000});
  for (int i = 0; i < 400; ++i) {
    const Tensor next = a.sin() + b;
    b = a * 2 - next.relu();
    a = next;
  }
  const Plan p = plan(a + b);
  EXPECT_LE(p.launches.size(), 12u);
  for (const PlanLaunch& l : p.launches) {
    EXPECT_LE(l.kernel.stores.size(), 4u);
    EXPECT_LE(toposort(l.kernel.stores).size(), 1000u);
  }
}
// A value that a kernel reads at several places is code at each of them: stored where it is a long expression.
TEST(Fusion, LongExpressionsAreNotWrittenOutAtManyPlaces) {
  const auto read_at = [](int places, int length) {
    Tensor x = input({64});
    for (int i = 0; i < length; ++i) x = x * 0.5 + 1;
    Tensor y = x;
    for (int i = 1; i < places; ++i) y = y * roll(x, {i}, {0});
    return launches(y);
  };
  EXPECT_EQ(read_at(1, 60), 1u);
  EXPECT_EQ(read_at(3, 60), 2u);
  EXPECT_EQ(read_at(3, 6), 1u);
}
// Joining n parts takes of the order of n log n steps for n elements, not n squared.
TEST(Fusion, ManyPartsAreJoinedInSteps) {
  std::vector<Tensor> equal, unequal;
  for (int i = 0; i < 300; ++i) {
    equal.push_back(input({4, 3}));
    unequal.push_back(input({1 + i % 5, 3}));
  }
  for (const Tensor& t : {Tensor::stack(equal, 1), Tensor::cat(equal, 1), Tensor::cat(unequal)}) {
    for (const PlanLaunch& l : plan(t).launches) EXPECT_LE(l.buffers.size(), 17u);
  }
  equal.resize(16);
  EXPECT_EQ(launches(Tensor::cat(equal)), 1u);
}
TEST(Fusion, GatherIsOneKernelThatLoadsOnlyItsRows) {
  const Plan p = plan(input({1000, 64}).at(Tensor({1, 2, 3}, {.device = "null"}).realize()));
  ASSERT_EQ(p.launches.size(), 1u);
  EXPECT_EQ(p.launches[0].kernel.ranges.size(), 2u);
  EXPECT_EQ(p.launches[0].kernel.ranges[0].src(0).as<int64_t>(), 3);
}
TEST(Fusion, ValueOfTwoReductionsIsNotComputedTwice) {
  const Tensor y = input({512, 512}).matmul(input({512, 512}));
  EXPECT_EQ(launches(y.softmax(1)), 2u);  // the product is kept, not made three times
}
TEST(Fusion, WhatEndsASumIsStoredInPlaceOfIt) {
  Tensor x = input({64, 2});
  const Tensor w = input({2, 2});
  for (int step = 0; step < 4; ++step) x = (x - x.matmul(w).relu().matmul(w)).exp().sin().exp().sin();
  const Plan p = plan(x);
  ASSERT_EQ(p.launches.size(), 8u) << to_string(p);  // two products a step, and no step makes what an earlier one made
  for (const PlanLaunch& l : p.launches) EXPECT_LT(toposort(l.kernel.stores).size(), 40u) << to_string(p);
}
TEST(Fusion, GradientOfReluReadsItsResultAlone) {
  const Tensor x = input({64, 64}), w = input({64, 64}).set_requires_grad(true), y = x.matmul(w).relu(), loss = (y * y).sum();
  const UOp grad = node_of(gradient(loss, {w})[0], "test"), both[] = {node_of(loss, "test"), grad};
  const Plan p = schedule(Canonical(both).roots());
  size_t products = 0;
  for (const PlanBuffer& b : p.buffers) products += b.kind == PlanBuffer::Kind::Temporary && b.elements == Dim(64 * 64);
  EXPECT_EQ(products, 2u);  // the result and its gradient; what went into relu is nowhere in memory
}
TEST(Fusion, GradientOfWindowsThatDoNotOverlapIsOneKernelWithoutLoops) {
  const Tensor x = input({2, 3, 13, 14}).set_requires_grad(true);
  for (const PoolOptions& o : {PoolOptions{.size = {2, 2}}, PoolOptions{.size = {2, 3}, .stride = {4, 3}}}) {
    const Tensor loss = x.avg_pool2d(o).sum();
    const UOp grad = node_of(gradient(loss, {x})[0], "test");
    const Plan p = schedule(Canonical(std::span(&grad, 1)).roots());
    ASSERT_EQ(p.launches.size(), 1u);
    EXPECT_EQ(p.launches[0].kernel.name().substr(0, 2), "e_");
  }
}
TEST(Schedule, ZerosAroundWhatIsReducedAreNotReducedToo) {
  const Tensor x = input({4, 8, 10, 10}).set_requires_grad(true), v = input({8, 8, 3, 3}), w = input({8, 8, 3, 3});
  const UOp grad = node_of(gradient(conv2d(conv2d(x, v).relu(), w).sum(), {x})[0], "test");
  const Plan p = schedule(Canonical(std::span(&grad, 1)).roots());
  for (const PlanLaunch& l : p.launches)  // 12 x 12 is the gradient between the two, with its border
    EXPECT_EQ(l.kernel.name().find("r_4_8_12_12"), std::string::npos) << to_string(p);
}
TEST(Schedule, WhatIsGivenIsCopiedWhereMuchReadsPastItsBorder) {
  const auto kernels = [](int64_t batch, int64_t channels, int64_t size, int64_t stride = 1) {
    const Tensor x = input({batch, channels, size, size}).set_requires_grad(true);
    const Tensor y = conv2d(x, input({32, channels, 3, 3}), {.stride = stride, .padding = 1});
    return plan(gradient(y, {x}, {.seed = input(y.shape())})[0]);
  };
  const Plan p = kernels(8, 32, 12);
  ASSERT_EQ(p.launches.size(), 2u);
  for (const UOp& u : toposort(p.launches[1].kernel.stores))
    EXPECT_TRUE(u.op() != Op::Load || u.src().size() == 2) << "no test where there are zeros";
  EXPECT_EQ(kernels(8, 32, 25, 2).launches.size(), 2u) << "not the weight: its taps that hit nothing are left out";
  EXPECT_EQ(kernels(8, 4, 12).launches.size(), 1u) << "read too seldom";
  EXPECT_EQ(kernels(128, 32, 6).launches.size(), 1u) << "a tile over many images leaves the border out";
}
TEST(Fusion, SumsOfOneArrayAreOneKernel) {
  const Tensor x = input({512, 32, 40}), y = input({512, 32, 40});
  const UOp both[] = {node_of(x.sum({.axis = {0, 2}}), "test"), node_of((x * y).sum({.axis = {0, 2}}), "test")};
  EXPECT_EQ(schedule(Canonical(both).roots()).launches.size(), 1u);
  const UOp kept[] = {node_of(x.sum({.axis = {0, 2}, .keepdim = true}), "test"), both[1]};
  EXPECT_EQ(schedule(Canonical(kept).roots()).launches.size(), 1u) << "axes of one element are no other loops";
  const UOp scalars[] = {node_of(x.sum(), "test"), node_of((x * y).sum(), "test")};  // each of them is shared out among the cores
  EXPECT_EQ(schedule(Canonical(scalars).roots()).launches.size(), 2u);
}
// What is computed of a channel's few numbers is no reason to keep an array, and of a variance's gradient nothing is summed that is 0.
TEST(Fusion, BatchNormsGradientKeepsNoArray) {
  const Tensor x = input({256, 32, 400}).set_requires_grad(true), g = input({256, 32, 400});
  const Tensor weight = input({32}).set_requires_grad(true), bias = input({32}).set_requires_grad(true);
  const Tensor mean = x.mean({.axis = {0, 2}}), var = x.var({.axis = {0, 2}, .correction = 0});
  const Tensor y = x.batch_norm(mean, var, weight, bias);
  std::vector<UOp> all{node_of(y, "test")};
  for (const Tensor& t : gradient((y * g).sum(), {x, weight, bias})) all.push_back(node_of(t, "test"));
  const Plan p = schedule(Canonical(all).roots());
  const auto large = [&](int b) { return p.buffers[static_cast<size_t>(b)].elements.max() > 32; };
  size_t arrays = 0, walks = 0;
  for (const PlanBuffer& b : p.buffers) arrays += b.kind == PlanBuffer::Kind::Temporary && b.elements.max() > 32;
  for (const PlanLaunch& l : p.launches) walks += std::ranges::any_of(l.buffers, large);
  EXPECT_EQ(arrays, 0u) << to_string(p);
  EXPECT_EQ(walks, 3u) << to_string(p);  // sums; the sum of what is multiplied by the deviation; result and gradient
}
TEST(Fusion, ProductsOfOneArrayAreKernelsOfTheirOwn) {
  const Tensor x = input({256, 256}), y = input({256, 256}), z = input({256, 256});
  const UOp both[] = {node_of(x.matmul(y), "test"), node_of(x.T().matmul(z), "test")};
  EXPECT_EQ(schedule(Canonical(both).roots()).launches.size(), 2u);
}
TEST(Batch, EqualKernelsThatDoNotWaitForEachOtherAreOneLaunch) {
  const Tensor a = input({3, 5}), b = input({7}), c = input({2, 2, 2});
  const UOp two[] = {node_of(a * 2 + 1, "test"), node_of(b * 2 + 1, "test"), node_of(c * 3 + 1, "test")};
  const Plan p = schedule(Canonical(two).roots());
  ASSERT_EQ(p.launches.size(), 3u);
  size_t launches = 0;
  for (const PlanLaunch& l : p.launches) launches += !l.with_previous;
  EXPECT_EQ(launches, 2u) << to_string(p);
}
TEST(Batch, WhatWaitsForTheOtherIsALaunchOfItsOwn) {
  const Tensor a = input({64, 64}), b = (a * 2 + 1).contiguous();
  const UOp both[] = {node_of(b, "test"), node_of(b.matmul(a).contiguous() * 2 + 1, "test")};
  for (const PlanLaunch& l : schedule(Canonical(both).roots()).launches) EXPECT_FALSE(l.with_previous);
}
TEST(Schedule, ConstantsThatWereRealizedStayConstants) {
  const Tensor a = input({6, 4}), y = a + 1.5f;
  const UOp one_and_a_half = constant(DType::float32, 1.5);
  realize({one_and_a_half}, "null");
  EXPECT_EQ(plan(y).buffers.size(), 2u);
}
TEST(Schedule, ReshapeOfMemoryIsNoKernel) { EXPECT_EQ(launches(input({6, 4}).reshape({24})), 0u); }
TEST(Schedule, SameStructureOverOtherMemoryHasTheSameKey) {
  const Tensor a = input({5, 7}), b = input({5, 7});
  const UOp x = node_of(a * 2 + b, "test"), y = node_of(b * 2 + a, "test"), z = node_of(a * 2 + a, "test");
  const auto key = [](const UOp& u) { return Canonical(std::span(&u, 1)).key(); };
  EXPECT_EQ(key(x), key(y));
  EXPECT_NE(key(x), key(z));
}
// The key is computed without the graph that it is of.
TEST(Schedule, KeysAreEqualWhereGraphsWithoutTheirMemoryAre) {
  const Tensor a = input({5, 7}), b = input({5, 7}), c = input({7, 5});
  Tensor to = input({5, 7}), other = input({5, 7});
  to.assign(to * 2), other.assign(b * 2);
  std::vector<Tensor> all{a + b, b + a, a + a, a * b, a + 2, b + 2, a + 3, a.sum(), a.sum(0), b.sum(0)};
  for (const Tensor& t : {a.max({.axis = {0}}), a.reshape({35}) + 1, b.reshape({7, 5}) + 1, c + 1, a.T() + c, b.T() + c, a.T() + a.T()})
    all.push_back(t);
  for (const Tensor& t : {a.cast(int32), a.cast(int64), to, other, a.matmul(c), b.matmul(c), Tensor::arange(5, {.device = "null"})})
    all.push_back(t);
  std::vector<Canonical> graphs;
  std::vector<UOp> nodes;
  for (const Tensor& t : all) nodes.push_back(node_of(t, "test"));
  for (const UOp& n : nodes) graphs.emplace_back(std::span(&n, 1));
  for (const Canonical& x : graphs)
    for (const Canonical& y : graphs)
      EXPECT_EQ(x.key() == y.key(), x.roots() == y.roots()) << &x - graphs.data() << " " << &y - graphs.data();
}
TEST(Schedule, TemporariesThatAreNeverNeededTogetherShareMemory) {
  Tensor x = input({256, 256});
  for (int i = 0; i < 6; ++i) x = x.matmul(input({256, 256}));
  const Plan p = plan(x);
  EXPECT_EQ(p.launches.size(), 6u);
  EXPECT_LE(p.arena_bytes, 2 * 256 * 256 * 4);
}
TEST(Schedule, ReadersOfAnOldVersionRunBeforeItIsOverwritten) {
  Tensor x = input({1000});
  x.assign(x * 2);
  const Plan p = plan(x);
  ASSERT_EQ(p.launches.size(), 1u);
}

}  // namespace
}  // namespace tg
