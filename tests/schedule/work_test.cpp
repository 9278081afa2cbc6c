// The bytes that reach memory and the operations of well-known programs: counted from the schedule, and as the device null reports them.
#include "schedule/work.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "base/log.hpp"
#include "engine/canonical.hpp"
#include "schedule/plan.hpp"
#include "schedule_testing.hpp"
#include "tensor/impl.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

Tensor indices(const std::vector<int32_t>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.device = "null"}).realize();
}

struct Total {
  size_t launches = 0;
  double read = 0, written = 0, operations = 0;
};
Total total(const Tensor& t) {
  const UOp node = node_of(t, "test");
  Total out;
  const Plan plan = schedule(Canonical(std::span(&node, 1)).roots());
  for (const PlanLaunch& l : plan.launches) {
    const Work w = work_of(plan, l);
    ++out.launches;
    out.read += w.read, out.written += w.written, out.operations += w.operations;
  }
  return out;
}
void expect_work(const Tensor& t, size_t launches, double elements_read, double elements_written) {
  const Total w = total(t);
  EXPECT_EQ(w.launches, launches);
  EXPECT_EQ(w.read, 4 * elements_read);
  EXPECT_EQ(w.written, 4 * elements_written);
}

TEST(Traffic, ElementwiseChain) {
  const Tensor a = input({64, 33}), b = input({64, 33}), c = input({33});
  expect_work(((a * b + c).sigmoid() - a).exp2() * 2, 1, 2 * 64 * 33 + 33, 64 * 33);
  expect_work(a + 1.0f + a.transpose(0, 1).reshape({64, 33}), 1, 64 * 33, 64 * 33);  // an array twice is still one array
}
TEST(Traffic, ProductWithBiasAndActivation) {
  expect_work((input({256, 512}).matmul(input({512, 128})) + input({128})).gelu(), 1, 256 * 512 + 512 * 128 + 128, 256 * 128);
}
TEST(Traffic, ProductActivationAndSum) {
  const Total w = total(input({256, 512}).matmul(input({512, 128})).relu().sum());
  EXPECT_LE(w.launches, 2u);
  EXPECT_LE(w.read, 4 * (256 * 512 + 512 * 128 + 256 * 128));  // at most the activations come back from memory
  EXPECT_LE(w.written, 4 * (256 * 128 + 1));
}
TEST(Traffic, SoftmaxAndLayerNorm) {
  const Tensor x = input({64, 1000});
  expect_work(x.softmax(1), 1, 64 * 1000, 64 * 1000);
  expect_work(x.layer_norm(input({1000}), input({1000})), 1, 64 * 1000 + 2 * 1000, 64 * 1000);
}
TEST(Traffic, GatherReadsTheRowsItIsAskedFor) {
  const Tensor table = input({1000, 64});
  expect_work(table.take(indices({1, 999, 3})), 1, 3 * 64 + 3, 3 * 64);
  expect_work(table.take(indices(std::vector<int32_t>(70, 5))), 1, 70 * 64 + 70, 70 * 64);
  EXPECT_EQ(total(table.gather(0, indices({1, 2}).reshape({2, 1}))).read, 4 * (2 + 2));
}
TEST(Traffic, BytesAreThoseOfTheDtype) {
  const Total w = total(input({128}, uint8).cast(float64));
  EXPECT_EQ(w.read, 128);
  EXPECT_EQ(w.written, 8 * 128);
}
TEST(Traffic, ConvolutionReadsItsInputOnce) {
  const Total w = total(input({4, 3, 20, 20}).conv2d(input({8, 3, 5, 5}), input({8})));
  EXPECT_EQ(w.launches, 1u);
  EXPECT_EQ(w.read, 4 * (4 * 3 * 20 * 20 + 8 * 3 * 5 * 5 + 8));
  EXPECT_EQ(w.written, 4 * 4 * 8 * 16 * 16);
  EXPECT_NEAR(w.operations, 2.0 * 4 * 8 * 16 * 16 * 75, 4 * 8 * 16 * 16 + 1);  // and the bias
}

// Kernels written by hand, since the scheduler would not make them: p0 = value over the ranges, from p1 of as many elements.
struct ByHand {
  Dim elements;
  UOp p0 = param(0, float32), p1 = param(1, float32);
  Work work(const std::vector<UOp>& ranges, const UOp& at, const UOp& value, const std::function<int64_t(const Dim&)>& size) const {
    Plan plan;
    for (int i = 0; i < 2; ++i) plan.buffers.push_back({.dtype = float32, .elements = elements, .why = ""});
    const PlanLaunch launch{{.stores = {store(p0, at, value)}, .ranges = ranges, .kept = {}, .params = {p0, p1}, .variables = {}}, {0, 1}};
    return work_of(plan, launch, size);
  }
  Work work(const std::vector<UOp>& ranges, const UOp& at, const UOp& value) const {
    return work(ranges, at, value, [](const Dim& d) { return d.max(); });
  }
};

TEST(Work, ArrayWalkedTwiceIsReadTwiceWhereItDoesNotFitACache) {
  for (const auto& [n, times] : {std::pair<int64_t, double>{1024, 1}, {1 << 20, 2}}) {
    const ByHand k{n};
    const UOp i = range(n, 0), r = range(n, 1, RangeKind::Reduce);
    const UOp sum = UOp::make(Op::Reduce, {load(k.p1, r), r}, ReduceArg{Monoid::Sum, 0});
    const Work w = k.work({i}, i, load(k.p1, i) + sum);
    EXPECT_EQ(w.read, 4.0 * static_cast<double>(n) * times);
    EXPECT_EQ(w.written, 4.0 * static_cast<double>(n));
    EXPECT_EQ(w.operations, 2.0 * static_cast<double>(n));
  }
}
TEST(Work, RowsThatFitACacheAreReadOnce) {
  const int64_t rows = 1 << 16, n = 1024;
  const ByHand k{rows * n};
  const UOp i = range(rows, 0), j = range(n, 1), r = range(n, 1, RangeKind::Reduce);
  const UOp largest = UOp::make(Op::Reduce, {load(k.p1, i * n + r), r}, ReduceArg{Monoid::Max, 0});
  EXPECT_EQ(k.work({i, j}, i * n + j, load(k.p1, i * n + j) + largest).read, 4.0 * rows * n);
}
TEST(Work, DifferentPartsOfAnArrayAddUp) {
  const ByHand k{1000};
  const UOp i = range(10, 0);
  EXPECT_EQ(k.work({i}, i, load(k.p1, i) + load(k.p1, i + 500)).read, 4 * 20);
}
TEST(Work, SizesThatAreBoundAtLaunch) {
  const ByHand k{Dim(variable("n", 0, 100))};
  const UOp i = range(k.elements, 0);
  EXPECT_EQ(k.work({i}, i, load(k.p1, i)).bytes(), 2 * 4 * 100);
  EXPECT_EQ(k.work({i}, i, load(k.p1, i), [](const Dim& d) { return d.known() ? d.value() : 7; }).bytes(), 2 * 4 * 7);
}

TEST(Work, DebugLevelOneReportsIt) {
  const Tensor a = input({16, 8}), b = input({8, 4});
  const LogCapture lines(1);
  a.matmul(b).realize();
  std::istringstream in(lines.text());
  std::string name, line;
  in >> name;
  std::getline(in, line);
  EXPECT_EQ(name, "r_16_4_8");
  for (const char* part : {" us ", " GFLOP/s ", " GB/s ", " 1024 flop, 896 bytes"})
    EXPECT_NE(line.find(part), std::string::npos) << part << line;
  EXPECT_FALSE(std::getline(in, line)) << line;
}

}  // namespace
}  // namespace tg
