// Where launches' arguments begin, and that kernels which differed in that alone are one.
#include "schedule/hoist_offsets.hpp"

#include <gtest/gtest.h>

#include <set>

#include "engine/canonical.hpp"
#include "schedule_testing.hpp"
#include "tensor/impl.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

using Offsets = std::vector<int64_t>;

Plan hoisted(const Tensor& t, int64_t alignment = 64) {
  const UOp node = node_of(t, "test");
  Plan p = schedule(Canonical(std::span(&node, 1)).roots());
  hoist_offsets(p, alignment);
  return p;
}
// Of the result and of the one array that it is made of.
Offsets offsets(const Tensor& t, int64_t alignment = 64) {
  const Plan p = hoisted(t, alignment);
  return p.launches.size() == 1 ? p.launches[0].offsets : Offsets{};
}

// One kernel by hand: of so many elements of an input, to an output.
struct CopyByHand {
  const UOp i = range(16, 0), to = param(0, float32), from = param(1, float32);
  PlanLaunch operator()(const UOp& stored, int64_t elements, bool in_place) const {
    PlanBuffer out, in;
    out.kind = PlanBuffer::Kind::Output, in.kind = PlanBuffer::Kind::Input;
    out.dtype = in.dtype = float32;
    out.elements = in.elements = elements;
    in.input = 0;
    if (in_place) out.input = 0;
    Plan p;
    p.buffers = {out, in};
    PlanLaunch& l = p.launches.emplace_back();
    l.kernel.stores = {stored};
    l.kernel.ranges = {i};
    l.kernel.params = {to, from};
    l.buffers = {0, 1};
    hoist_offsets(p, 64);
    return l;
  }
};

TEST(HoistOffsets, WhatAllAccessesHaveInCommon) {
  const Tensor x = input({8, 16}), odd = input({8, 3});
  EXPECT_EQ(offsets(x.at(3) + x.at(5)), (Offsets{0, 192}));
  EXPECT_EQ(offsets(x.at(3) + x.at(5), 128), (Offsets{0, 128}));
  EXPECT_EQ(offsets(x.at(3) + x.sum()), (Offsets{0, 0}));
  EXPECT_EQ(offsets(odd.at(5) + odd.at(7)), (Offsets{0, 0})) << "60 bytes";
  EXPECT_EQ(offsets(odd.at(6) + odd.at(7)), (Offsets{0, 64})) << "72 bytes";
}
TEST(HoistOffsets, WhereverAnIndexBegins) {
  const Tensor x = input({8, 16});
  EXPECT_EQ(offsets(x.slice(0, 2, 6).flip(0) + x.slice(0, 4, 8)), (Offsets{0, 128}));
  EXPECT_EQ(offsets(x.slice(0, 3, 6).pad({{1, 1}, {0, 0}}) + x.at(7)), (Offsets{0, 128})) << "under a gate";
  EXPECT_EQ(offsets(x.slice(0, 0, 6).pad({{1, 1}, {0, 0}}) + x.at(7)), (Offsets{0, 0})) << "outside, under a gate";
}
// An index under a gate that never holds may lie anywhere; an argument begins inside of its memory.
TEST(HoistOffsets, NotOutsideOfMemory) {
  const CopyByHand k;
  EXPECT_EQ(k(store(k.to, k.i, load(k.from, k.i + 5000, less(variable("n", 0, 9), index(4)))), 40, false).offsets, (Offsets{0, 128}));
}
// What an assignment in place writes and what it reads is one piece of memory.
TEST(HoistOffsets, TheSameOfWhatSharesMemory) {
  const CopyByHand k;
  const PlanLaunch l = k(store(k.to, k.i + 48, load(k.from, k.i + 16)), 64, true);
  EXPECT_EQ(l.offsets, (Offsets{64, 64}));
  EXPECT_EQ(l.kernel.stores[0], store(k.to, k.i + 32, load(k.from, k.i)));
  EXPECT_EQ(k(store(k.to, k.i + 48, load(k.from, k.i + 16)), 64, false).offsets, (Offsets{192, 64}));
}
// Commuting operands are in an order that constants have a part in, which those that are taken out no longer have.
TEST(HoistOffsets, OneKernelForAllSteps) {
  const Tensor x = input({20, 16}), y = input({20, 16});
  std::set<std::string> kernels;
  for (int64_t t = 0; t + 2 < 20; ++t)
    kernels.insert(to_string(hoisted((x.at(t) * y.at(t + 1) + x.at(t + 2)) * (y.at(t) + x.at(t + 1))).launches.at(0).kernel.stores[0]));
  EXPECT_EQ(kernels.size(), 1u);
}
// Of a Stack at one place nothing is read but what is there.
TEST(HoistOffsets, OneKernelForAllParts) {
  std::vector<Tensor> parts;
  for (int i = 0; i < 6; ++i) parts.push_back(input({16}));
  std::set<Hash128> kernels;
  for (int64_t t = 0; t < 6; ++t) {
    const Plan p = hoisted((Tensor::stack(parts) * 2).at(t));
    kernels.insert(p.launches.at(0).kernel.hash());
    EXPECT_EQ(p.launches[0].buffers.size(), 2u);
  }
  EXPECT_EQ(kernels.size(), 1u);
}

}  // namespace
}  // namespace tg
