// Passes added by a program: what is computed while they are in force goes through them, nothing else does, and what they may not return
// is refused by name.
#include "tg/passes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/log.hpp"
#include "tensor/batching.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr Var x{0};

Tensor data() { return Tensor({0.0f, 1.0f, 2.0f}).realize(); }
std::vector<UOp> as_given(std::span<const UOp> roots) { return {roots.begin(), roots.end()}; }

TEST(Passes, RulesOfAGraphHoldWhileTheyAreInForce) {
  const auto doubled = [] { return (data() * 2 + 1).to_vector<float>(); };
  EXPECT_THAT(doubled(), ElementsAre(1, 3, 5));
  {
    const AddedPass triples("triples", Stage::Tensor, rewriting({{x * 2, x * 3}}));  // means something else, so that it shows
    EXPECT_THAT(doubled(), ElementsAre(1, 4, 7));
    {
      const AddedPass then("then", Stage::Tensor, rewriting({{x * 3, x * 4}}));
      EXPECT_THAT(doubled(), ElementsAre(1, 5, 9)) << "in the order in which they were added";
    }
    EXPECT_THAT(doubled(), ElementsAre(1, 4, 7));
  }
  EXPECT_THAT(doubled(), ElementsAre(1, 3, 5)) << "plans made with them are not used without";
}

TEST(Passes, RulesOfKernels) {
  const auto sum = [] { return (data() * 2).sum().item<float>(); };
  EXPECT_EQ(sum(), 6);
  const AddedPass triples("triples", Stage::Kernel, rewriting({{x * 2, x * 3}}));
  EXPECT_EQ(sum(), 9);
}

TEST(Passes, SeeTheGraphAndThenItsKernels) {
  std::vector<Op> seen;
  std::mutex mutex;
  const auto look = [&](std::span<const UOp> roots) {
    const std::lock_guard lock(mutex);
    for (const UOp& r : roots) seen.push_back(r.op());
    return as_given(roots);
  };
  const AddedPass kernels("kernels", Stage::Kernel, look), graphs("graphs", Stage::Tensor, look);
  const Tensor t = data();
  const auto flipped = [&] {
    const Tracing nothing_is_computed_yet;
    return t.flip({0});
  };
  seen.clear();
  const Tensor y = flipped();
  EXPECT_THAT(y.to_vector<float>(), ElementsAre(2, 1, 0));
  EXPECT_THAT(seen, ElementsAre(Op::Flip, Op::Store));
  EXPECT_THAT(flipped().to_vector<float>(), ElementsAre(2, 1, 0));
  EXPECT_EQ(seen.size(), 2u) << "a plan is made once";
}

TEST(Passes, AreShownAndLogged) {
  const AddedPass triples("triples", Stage::Tensor, rewriting({{x * 2, x * 3}}));
  const Tensor t = data();
  const Tracing nothing_is_computed_yet;
  const Tensor y = t * 2;
  EXPECT_THAT(explain(y, "rewrites"), HasSubstr("passes_test.cpp"));
  EXPECT_THAT(explain(y, "schedule"), testing::Not(HasSubstr("2.0")));
}

TEST(Passes, WhatTheyReturnIsChecked) {
  const Tensor t = data();
  const auto refuses = [&](Stage stage, const Pass& pass, const std::string& why) {
    {
      const AddedPass wrong("wrong", stage, pass);
      EXPECT_THAT([&] { (void)(t + 1).to_vector<float>(); }, ThrowsMessage<ValueError>(HasSubstr("pass \"wrong\": " + why)));
    }
    EXPECT_THAT((t + 1).to_vector<float>(), ElementsAre(1, 2, 3));
  };
  const auto each = [](const std::function<UOp(const UOp&)>& f) {
    return [f](std::span<const UOp> roots) {
      std::vector<UOp> out;
      for (const UOp& r : roots) out.push_back(f(r));
      return out;
    };
  };
  refuses(Stage::Tensor, [](std::span<const UOp>) { return std::vector<UOp>(); }, "it was given 1 roots and returned 0");
  refuses(Stage::Tensor, each([](const UOp&) { return UOp(); }), "root 0 was Add float32 (3,) and is nothing");
  refuses(Stage::Tensor, each([](const UOp& u) { return cast(u, DType::int32); }), "root 0 was Add float32 (3,) and is Cast int32 (3,)");
  refuses(Stage::Tensor, each([](const UOp&) { return param(9, DType::float32, Shape{3}); }), "p9 was not there before");
  refuses(Stage::Kernel, each([](const UOp& u) { return u.src(2); }), "root 0 was Store void () and is ");
  refuses(Stage::Kernel, each([](const UOp& u) { return store(u.src(0), u.src(1) + range(3, 40), u.src(2)); }), "root 0 is over loops");
  refuses(Stage::Tensor, [](std::span<const UOp>) -> std::vector<UOp> { throw ValueError("pass \"wrong\": of its own"); }, "of its own");
}

TEST(Passes, ComeAndGoWhileOthersCompute) {
  std::atomic<bool> done = false;
  const Tensor t = data();
  std::thread other([&] {
    while (!done) EXPECT_THAT((t * 2 + t).to_vector<float>(), ElementsAre(0, 3, 6));
  });
  for (int i = 0; i < 20; ++i) {
    const AddedPass sums("sums", Stage::Tensor, rewriting({{x * 2, x + x}}));
    EXPECT_THAT((t * 2 + t).to_vector<float>(), ElementsAre(0, 3, 6));
  }
  done = true;
  other.join();
}

}  // namespace
}  // namespace tg
