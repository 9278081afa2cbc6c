// Matching, building, the rewrite engine, and what it says of rules that go in circles.
#include "ir_testing.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

constexpr Var x{0}, y{1};
constexpr Var c{2, true};

TEST(Patterns, CommutingOpsMatchBothWays) {
  const UOp a = param(0, float32), b = param(1, float32);
  const auto matches = [](const Pat& p, const UOp& u) { Match m; return match(p, u, m); };
  EXPECT_TRUE(matches(x + c, constant(float32, 2) + a));
  EXPECT_TRUE(matches(x * y + x, b + b * a));
  EXPECT_FALSE(matches(x / c, constant(float32, 2) * a));
  EXPECT_FALSE(matches(Pat(Op::Div, {x, c}), UOp::make(Op::Div, {constant(float32, 2), a})));
  EXPECT_FALSE(matches(x + x, a + b));
  EXPECT_TRUE(matches(any(Op::Add), a + b));
  EXPECT_TRUE(matches(x * 2, a * 2));
  EXPECT_FALSE(matches(x * 2, a * 3));
}
TEST(Patterns, BuildGivesNumbersTheDtypeBesideThem) {
  const Rules rules = {{x * 2, x + x}, {where(x, y, y), y}, {max(x, c), where(less(x, 0), c, x)}};
  const UOp a = param(0, int8, Shape{3});
  EXPECT_EQ(rewrite(a * 2, rules), a + a);
  const UOp m = UOp::make(Op::Max, {a, constant(int8, 5)});
  EXPECT_EQ(rewrite(m, rules), where(less(a, 0), constant(int8, 5), a));
}
TEST(Rewrite, ShapesAreKept) {
  const Rules rules = {{x * 0, 0}};
  const UOp a = param(0, int32, Shape{2, 3});
  const UOp zero = rewrite(a * 0, rules);
  EXPECT_EQ(zero.shape(), a.shape());
  EXPECT_EQ(zero, broadcast_to(constant(int32, 0), Shape{2, 3}));
}
TEST(Rewrite, TheFirstRuleThatFiresWinsAndTheResultIsRewrittenAgain) {
  const Rules rules = {{sin(sin(x)), exp2(x)}, {exp2(x), sqrt(x)}, {sqrt(x), log2(x)}};
  const UOp a = param(0, float32);
  EXPECT_EQ(rewrite(UOp::make(Op::Sin, {UOp::make(Op::Sin, {a})}), rules), UOp::make(Op::Log2, {a}));
}
TEST(Rewrite, SharedPartsAreRewrittenOnce) {
  int times = 0;
  const Rules rules = {{sin(x), [&](const Match& m) { ++times; return UOp::make(Op::Sqrt, {m[x]}); }}};
  const UOp s = UOp::make(Op::Sin, {param(0, float32)});
  rewrite((s + s) * s, rules);
  EXPECT_EQ(times, 1);
}
TEST(Rewrite, CirclesAreReportedWithTheRulesLine) {
  const int line = __LINE__ + 1;
  const Rules rules = {{exp2(x), log2(x)},
                       {log2(x), exp2(x)}};
  try {
    rewrite(UOp::make(Op::Exp2, {param(0, float32)}), rules);
    FAIL() << "it settled";
  } catch (const InternalError& e) {
    EXPECT_THAT(e.what(), testing::AnyOf(testing::HasSubstr("pattern_test.cpp:" + std::to_string(line)),
                                         testing::HasSubstr("pattern_test.cpp:" + std::to_string(line + 1))));
  }
}
TEST(Rewrite, ARuleThatChangesTheDtypeIsReported) {
  const Rules rules = {{exp2(x), [](const Match& m) { return cast(m[x], float64); }}};
  EXPECT_THROW(rewrite(UOp::make(Op::Exp2, {param(0, float32)}), rules), InternalError);
}
TEST(Substitute, ReplacesEverywhere) {
  const UOp a = param(0, float32), b = param(1, float32), d = param(2, float32);
  EXPECT_EQ(substitute((a + b) * a, {{a, d}}), (d + b) * d);
  EXPECT_EQ(substitute(a, {{b, d}}), a);
}
TEST(Simplify, TheOrderOfBuffersIsNotDecidedByTheirSerials) {
  for (int i = 0; i < 20; ++i) {
    const UOp p = buffer(std::make_shared<Storage>(), float32, Shape{}), q = buffer(std::make_shared<Storage>(), float32, Shape{});
    EXPECT_EQ(simplify(p * q), p * q);
    EXPECT_EQ(simplify(q * p), q * p);
  }
  const UOp a = param(0, float32), b = param(1, float32);
  EXPECT_EQ(simplify(a * b), simplify(b * a));
}

}  // namespace
}  // namespace tg
