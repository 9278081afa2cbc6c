// explain: what each part says, and that asking changes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/env.hpp"
#include "tensor/impl.hpp"
#include "tg/ir/uop.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kParts[] = {"graph", "gradient", "schedule", "loops", "source", "all"};

Tensor given(std::string device, bool requires_grad = false) {
  Tensor t = Tensor::ones({4, 8}, {.device = std::move(device), .requires_grad = requires_grad});
  return t.realize();
}

/// Where every op is computed at once there is nothing left to explain, and explain says so.
bool computed(const Tensor& t) {
  if (!settings().eager) return false;
  EXPECT_EQ(explain(t, "schedule"), "nothing: the value is in memory\n");
  return true;
}

TEST(Explain, EveryPartOfAFusedKernel) {
  const Tensor x = given("null", true), y = given("null"), z = x * y + 1;
  if (computed(z)) return;
  EXPECT_THAT(explain(z, "graph"), AllOf(HasSubstr("= Mul float32 (4, 8) %0 %1\n"), HasSubstr("= Add float32 (4, 8) %2")));
  EXPECT_THAT(explain(z, "gradient"), AllOf(HasSubstr("Mul        d%0 += (d%2*%1)"), Not(HasSubstr("d%1 +="))));
  EXPECT_THAT(explain(z, "schedule"), AllOf(HasSubstr("output float32 x 32"), HasSubstr("e_4_8(b0, b1, b2)"), Not(HasSubstr("temporary"))));
  EXPECT_THAT(explain(z, "loops"), HasSubstr("vector"));
  EXPECT_THAT(explain(z, "source"), AllOf(HasSubstr("define void @"), HasSubstr("fmul <16 x float>")));
  EXPECT_THAT(explain(given("null").sin(), "rewrites"), testing::ContainsRegex("decompose.cpp:[0-9]+: sin\\(.*\\) -> "));
  EXPECT_THAT(explain(z), AllOf(HasSubstr("-- graph --"), HasSubstr("-- gradient --"), HasSubstr("-- source --")));
  EXPECT_THAT(explain(z.detach()), Not(HasSubstr("-- gradient --")));
}

TEST(Explain, ChangesNothing) {
  Tensor x = given("cpu", true), y = (x * 3).softmax(1).sum();
  const size_t handles = detail::uses(node_of(y, "test"));
  const std::string graph = explain(y, "graph");
  for (const char* part : kParts) EXPECT_EQ(explain(y, part), explain(y, part)) << part;
  EXPECT_EQ(explain(y, "graph"), graph);
  EXPECT_EQ(detail::uses(node_of(y, "test")), handles);
  EXPECT_FALSE(x.has_grad());
  y.backward();
  EXPECT_TRUE(x.has_grad());
}

TEST(Explain, SaysWhatIsThereAlready) {
  const Tensor x = given("null");
  EXPECT_EQ(explain(x, "schedule"), "nothing: the value is in memory\n");
  EXPECT_EQ(explain(x, "loops"), "");
}

TEST(Explain, ADeviceThatInterprets) {
  const Tensor x = given("interpreter"), y = x + 1;
  if (computed(y)) return;
  EXPECT_EQ(explain(y, "schedule"), "none: this device evaluates the graph op by op\n");
  EXPECT_EQ(explain(y, "source"), "");
}

TEST(Explain, ACopyIsMemory) {
  const Tensor x = given("interpreter"), y = (x + 1).to("null") * given("null");
  if (computed(y)) return;
  EXPECT_THAT(explain(y, "graph"), HasSubstr("= Copy float32 (4, 8) {null}"));
  EXPECT_THAT(explain(y, "schedule"), AllOf(HasSubstr("e_4_8(b0, b1, b2)"), Not(HasSubstr("Copy"))));
  EXPECT_EQ(node_of(y, "test").src(0).storage(), nullptr);
}

TEST(Explain, Mistakes) {
  const Tensor x = given("null");
  EXPECT_THROW((void)explain(Tensor()), ValueError);
  EXPECT_THROW((void)explain(x, "gradient"), GradientError);
  try {
    (void)explain(x, "graphs");
    ADD_FAILURE();
  } catch (const ValueError& e) {
    EXPECT_STREQ(e.what(), "explain: there is no part \"graphs\"; there are: graph, gradient, schedule, loops, source, rewrites, all");
  }
}

}  // namespace
}  // namespace tg
