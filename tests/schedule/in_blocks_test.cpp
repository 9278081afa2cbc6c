// Which launches become steps of one, on the made-up machine whose L2 has a megabyte.
#include "schedule/in_blocks.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/canonical.hpp"
#include "schedule_testing.hpp"
#include "tensor/impl.hpp"
#include "tg/device.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

Plan blocked(const std::vector<Tensor>& results) {
  std::vector<UOp> nodes;
  for (const Tensor& t : results) nodes.push_back(node_of(t, "test"));
  Plan p = schedule(Canonical(nodes).roots());
  in_blocks(p, device("null").target());
  return p;
}
int64_t steps(const Plan& p) {
  return std::count_if(p.launches.begin(), p.launches.end(), [](const PlanLaunch& l) { return l.blocks > 0; });
}

TEST(InBlocks, ProductsWithSomethingBetween) {
  const Tensor x = input({16, 512, 32}), y = input({16, 512, 32}), z = input({16, 512, 8});
  const Tensor scores = x.matmul(y.transpose(-2, -1));
  EXPECT_EQ(steps(blocked({scores.relu().matmul(z)})), 2);
  EXPECT_EQ(steps(blocked({(scores / (1 + scores.square().sum({.axis = -1, .keepdim = true}))).matmul(z)})), 3);
}
TEST(InBlocks, WhatIsAskedForIsInMemory) {
  const Tensor x = input({16, 512, 32}), scores = x.matmul(x.transpose(-2, -1)).relu();
  EXPECT_EQ(steps(blocked({scores, scores.matmul(x)})), 0);
}
// What each block would read again is more than what it saves; and what fits the cache saves nothing.
TEST(InBlocks, NotWithLargeWeightsOrSmallArrays) {
  EXPECT_EQ(steps(blocked({input({4096, 512}).matmul(input({512, 2048})).gelu().matmul(input({2048, 512}))})), 0);
  const Tensor x = input({2, 64, 32});
  EXPECT_EQ(steps(blocked({x.matmul(x.transpose(-2, -1)).relu().matmul(x)})), 0);
}
// Sums over rows are added up in the order of blocks, in eight chains at least. Chains that are parts of one sum are added up behind.
TEST(InBlocks, SumsOverRows) {
  struct Case { int64_t n, rows, in_order; };
  for (const Case c : {Case{16, 1024, 16}, Case{2, 1024, 4}, Case{1, 2048, 4}, Case{1, 64 * 35, 5}, Case{1, 64 * 36, 4}}) {
    const Tensor x = input({c.n, c.rows, 32}), y = input({c.n, 1024, 32}), p = x.matmul(y.transpose(-2, -1)).relu();
    const Plan made = blocked({p.transpose(-2, -1).matmul(x), p.matmul(y)});
    EXPECT_EQ(steps(made), 3) << c.n << " x " << c.rows;
    EXPECT_EQ(made.launches.size(), c.n >= 8 ? 3u : 4u) << c.n << " x " << c.rows;
    for (const PlanLaunch& l : made.launches) EXPECT_EQ(l.in_order, l.blocks > 0 ? c.in_order : 1) << c.n << " x " << c.rows;
  }
}
// ... and over rows of several heads, which then are sums of each head, added up behind; unless they take more memory than blocks save.
TEST(InBlocks, SumsOverRowsOfSeveralHeads) {
  const auto made = [](int64_t heads, int64_t width) {
    const Tensor x = input({4, heads, 512, 32}), y = input({4, 1, 512, 32}), z = input({4, heads, 512, width});
    const Tensor p = x.matmul(y.transpose(-2, -1)).relu();
    return blocked({p.transpose(-2, -1).matmul(z).sum({.axis = 1}), p.matmul(y)});
  };
  EXPECT_EQ(steps(made(4, 32)), 3);
  EXPECT_EQ(made(4, 32).launches.size(), 4u);
  EXPECT_LT(steps(made(4, 512)), 3);
}
// The last block has fewer rows. How many a block may have is known all the same: verbs are chosen by that.
TEST(InBlocks, RowsThatDoNotDivide) {
  const Tensor x = input({16, 509, 32});
  const Plan made = blocked({x.matmul(x.transpose(-2, -1)).relu().matmul(x)});
  EXPECT_EQ(steps(made), 2);
  for (const PlanLaunch& l : made.launches) {
    const Bounds rows = l.kernel.ranges.at(0).src(0).bounds();
    EXPECT_EQ(rows, (Bounds{509 - 7 * 64, 64}));
  }
}
// A launch between that needs the first and that the last does not need goes behind.
TEST(InBlocks, OthersGoBeforeOrBehind) {
  const Tensor x = input({16, 512, 32}), y = input({16, 512, 32}), z = input({16, 512, 32});
  const Tensor out = x.matmul(y.transpose(-2, -1)).relu().matmul((z * 3).contiguous());
  const Plan p = blocked({out, (out * 2).sum(), (y - 1).contiguous()});
  EXPECT_EQ(steps(p), 2);
  bool behind = false;
  for (size_t i = 0; i < p.launches.size(); ++i) {
    if (p.launches[i].blocks == 0 || p.launches[i].with_previous) continue;
    ASSERT_LT(i + 1, p.launches.size());
    EXPECT_TRUE(p.launches[i + 1].with_previous);
    behind = i + 2 < p.launches.size();
  }
  EXPECT_TRUE(behind);
}

}  // namespace
}  // namespace tg
