// The interpreter against values worked out by hand, op by op.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>

#include "interpreting.hpp"
#include "ir/monoid.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::NanSensitiveDoubleEq;
using testing::Pointwise;
using Numbers = std::vector<double>;
constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

template <class Exception, class F> std::string problem_of(F f) {
  try {
    f();
  } catch (const Exception& e) {
    return e.what();
  }
  return "none";
}
UOp make(Op op, std::initializer_list<UOp> src, Arg arg = {}, DType t = DType::void_) { return UOp::make(op, src, std::move(arg), t); }
auto same(const Numbers& v) { return Pointwise(NanSensitiveDoubleEq(), v); }

TEST(Interpreter, Leaves) {
  EXPECT_EQ(value(constant(float32, 2.5)).numbers(), Numbers{2.5});
  EXPECT_EQ(value(constant(bool_, 7)).integers(), std::vector<int64_t>{1});
  EXPECT_EQ(integers(iota(4)), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(numbers(iota(3, float16)), (Numbers{0, 1, 2}));
  const HostArray x = value(leaf(float32, {2, 3}, {1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(x.shape, ElementsAre(2, 3));
  EXPECT_EQ(x.numbers(), (Numbers{1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(numbers(leaf(float32, {0, 3}, {})), IsEmpty());
}

TEST(Interpreter, EveryDTypeSurvivesStorage) {
  for (DType t : {bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, bfloat16, float32, float64}) {
    EXPECT_EQ(numbers(leaf(t, {2}, {0, 1})), (Numbers{0, 1})) << t;
    if (is_signed_int(t) || is_float(t)) { EXPECT_EQ(numbers(leaf(t, {2}, {-5, 100})), (Numbers{-5, 100})) << t; }
  }
  EXPECT_THROW(HostArray::of(float32, {3}, {1, 2}), ShapeError);
}

TEST(Interpreter, BuffersAtAnOffset) {
  const auto whole = buffer_of(leaf(float32, {256}, Numbers(256, 7)));
  const auto part = std::make_shared<Buffer>(whole->memory, 8, 512);
  EXPECT_EQ(numbers(buffer(part, float32, {2})), (Numbers{7, 7}));
  EXPECT_THROW(value(buffer(part, float32, {3})), InternalError);
}

TEST(Interpreter, Elementwise) {
  const UOp a = leaf(float32, {3}, {1, -2, 4}), b = leaf(float32, {3}, {4, 8, -1});
  EXPECT_EQ(numbers(a + b), (Numbers{5, 6, 3}));
  EXPECT_EQ(numbers(a * b), (Numbers{4, -16, -4}));
  EXPECT_EQ(numbers(make(Op::Div, {a, b})), (Numbers{0.25, -0.25, -4}));
  EXPECT_EQ(numbers(make(Op::Max, {a, b})), (Numbers{4, 8, 4}));
  EXPECT_EQ(numbers(make(Op::Exp2, {a})), (Numbers{2, 0.25, 16}));
  EXPECT_THAT(numbers(make(Op::Log2, {a})), same({0, kNan, 2}));
  EXPECT_THAT(numbers(make(Op::Sqrt, {a})), same({1, kNan, 2}));
  EXPECT_EQ(numbers(make(Op::Recip, {a})), (Numbers{1, -0.5, 0.25}));
  EXPECT_EQ(numbers(make(Op::Sin, {constant(float64, 1.0)})), Numbers{std::sin(1.0)});
  EXPECT_EQ(numbers(make(Op::Trunc, {leaf(float64, {2}, {2.7, -2.7})})), (Numbers{2, -2}));
  EXPECT_EQ(numbers(make(Op::Fma, {a, b, a})), (Numbers{5, -18, 0}));
  EXPECT_EQ(value(less(a, b)).dtype, bool_);
  EXPECT_EQ(integers(less(a, b)), (std::vector<int64_t>{1, 1, 0}));
  EXPECT_EQ(numbers(where(less(a, b), a, b)), (Numbers{1, -2, -1}));
  EXPECT_EQ(numbers(a + constant(float32, 1.0)), (Numbers{2, -1, 5}));  // a scalar beside an array
  EXPECT_EQ(numbers(where(constant(bool_, 1), a, b)), (Numbers{1, -2, 4}));
}

TEST(Interpreter, IntegersWrapAndFloor) {
  const UOp a = leaf(int8, {4}, {127, -7, 7, 5}), b = leaf(int8, {4}, {1, 2, -2, 0});
  EXPECT_EQ(integers(a + b), (std::vector<int64_t>{-128, -5, 5, 5}));
  EXPECT_EQ(integers(floor_div(a, b)), (std::vector<int64_t>{127, -4, -4, 0}));
  EXPECT_EQ(integers(floor_mod(a, b)), (std::vector<int64_t>{0, 1, -1, 0}));
  const UOp u = leaf(uint8, {2}, {200, 3});
  EXPECT_EQ(integers(u + u), (std::vector<int64_t>{144, 6}));
  EXPECT_EQ(integers(make(Op::Xor, {u, u})), (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(integers(make(Op::Shl, {u, constant(uint8, 1)})), (std::vector<int64_t>{144, 6}));
}

TEST(Interpreter, Conversions) {
  const UOp x = leaf(float32, {4}, {2.9, -2.9, 1e20, kNan});
  EXPECT_EQ(integers(cast(x, int32)), (std::vector<int64_t>{2, -2, 2147483647, 0}));
  EXPECT_EQ(integers(cast(x, uint8)), (std::vector<int64_t>{2, 0, 255, 0}));
  EXPECT_EQ(numbers(cast(leaf(float32, {1}, {1.0001}), float16)), Numbers{1});
  EXPECT_EQ(integers(make(Op::Bitcast, {leaf(float32, {1}, {1})}, {}, uint32)), std::vector<int64_t>{0x3f800000});
}

TEST(Interpreter, Movement) {
  const UOp x = leaf(int32, {2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(numbers(make(Op::Permute, {x}, ints({1, 0}))), (Numbers{1, 4, 2, 5, 3, 6}));
  EXPECT_THAT(value(reshape(x, {3, 2})).shape, ElementsAre(3, 2));
  EXPECT_EQ(numbers(expand(reshape(leaf(int32, {2}, {7, 8}), {2, 1}), {2, 3})), (Numbers{7, 7, 7, 8, 8, 8}));
  EXPECT_EQ(numbers(make(Op::Pad, {x}, Shape{1, 0, 0, 2})), (Numbers{0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 4, 5, 6, 0, 0}));
  EXPECT_EQ(numbers(make(Op::Shrink, {x}, Shape{1, 2, 0, 2})), (Numbers{4, 5}));
  EXPECT_EQ(numbers(make(Op::Flip, {x}, ints({1}))), (Numbers{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(numbers(make(Op::Flip, {x}, ints({0, 1}))), (Numbers{6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(numbers(make(Op::Stack, {x, x + x})), (Numbers{1, 2, 3, 4, 5, 6, 2, 4, 6, 8, 10, 12}));
  const UOp none = leaf(int32, {0, 3}, {});
  EXPECT_THAT(numbers(make(Op::Flip, {none}, ints({0, 1}))), IsEmpty());
  EXPECT_EQ(numbers(make(Op::Pad, {none}, Shape{1, 0, 0, 0})), (Numbers{0, 0, 0}));
}

TEST(Interpreter, WindowAndItsAdjoint) {
  const UOp x = leaf(float32, {7}, {0, 1, 2, 3, 4, 5, 6});
  const WindowArg arg{0, 3, 2, 1, -1};
  const UOp w = make(Op::Window, {x}, arg);
  EXPECT_THAT(value(w).shape, ElementsAre(3, 3));
  EXPECT_EQ(numbers(w), (Numbers{0, 1, 2, 2, 3, 4, 4, 5, 6}));
  EXPECT_EQ(numbers(make(Op::OverlapAdd, {w}, WindowArg{0, 3, 2, 1, 7})), (Numbers{0, 1, 4, 3, 8, 5, 6}));
  EXPECT_EQ(numbers(make(Op::Window, {x}, WindowArg{0, 2, 1, 3, -1})), (Numbers{0, 3, 1, 4, 2, 5, 3, 6}));
  const UOp rows = make(Op::Window, {reshape(x, {7, 1})}, arg);  // the new axis is the last
  EXPECT_THAT(value(rows).shape, ElementsAre(3, 1, 3));
  EXPECT_EQ(numbers(rows), numbers(w));
}

TEST(Interpreter, GatherReplacesTheAxis) {
  const UOp x = leaf(float32, {2, 3}, {1, 2, 3, 4, 5, 6}), i = leaf(int64, {2, 2}, {2, 0, 1, 2});
  const HostArray g = value(make(Op::Gather, {x, i}, int64_t{1}));
  EXPECT_THAT(g.shape, ElementsAre(2, 2, 2));
  EXPECT_EQ(g.numbers(), (Numbers{3, 1, 2, 3, 6, 4, 5, 6}));
  EXPECT_EQ(numbers(make(Op::Gather, {x, constant(int32, 1)}, int64_t{0})), (Numbers{4, 5, 6}));
}

TEST(Interpreter, IndicesAreChecked) {
  const UOp x = leaf(float32, {2, 3}, {1, 2, 3, 4, 5, 6});
  const auto gather = [&](int64_t i) {
    return problem_of<IndexError>([&] { value(make(Op::Gather, {x, constant(int64, i)}, int64_t{1})); });
  };
  EXPECT_EQ(gather(3), "Gather: index 3 is outside axis 1 of size 3");
  EXPECT_EQ(gather(-1), "Gather: index -1 is outside axis 1 of size 3");
  const UOp column = leaf(float32, {2}, {0, 0});
  EXPECT_THAT(problem_of<IndexError>([&] { value(make(Op::Scatter, {x, constant(int64, 9), column}, ScatterArg{1, ScatterMode::Set})); }),
              HasSubstr("index 9 is outside axis 1 of size 3"));
}

TEST(Interpreter, ScatterSetsAndAdds) {
  const UOp base = leaf(float32, {2, 3}, {1, 1, 1, 1, 1, 1}), i = leaf(int64, {3}, {0, 2, 0});
  const UOp v = leaf(float32, {2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(numbers(make(Op::Scatter, {base, i, v}, ScatterArg{1, ScatterMode::Set})), (Numbers{3, 1, 2, 6, 1, 5}));  // the later wins
  EXPECT_EQ(numbers(make(Op::Scatter, {base, i, v}, ScatterArg{1, ScatterMode::Add})), (Numbers{5, 1, 3, 11, 1, 6}));
}

TEST(Interpreter, Reductions) {
  const UOp x = leaf(float32, {2, 3}, {1, 5, 3, -4, 2, 2});
  EXPECT_THAT(value(reduce(x, Monoid::Sum, 2)).shape, ElementsAre(2, 1));
  EXPECT_EQ(numbers(reduce(x, Monoid::Sum, 2)), (Numbers{9, 0}));
  EXPECT_EQ(numbers(reduce(x, Monoid::Sum, 1)), (Numbers{-3, 7, 5}));
  EXPECT_EQ(numbers(reduce(x, Monoid::Sum, 3)), Numbers{9});
  EXPECT_EQ(numbers(reduce(x, Monoid::Sum, 0)), (Numbers{1, 5, 3, -4, 2, 2}));
  EXPECT_EQ(numbers(reduce(x, Monoid::Prod, 2)), (Numbers{15, -16}));
  EXPECT_EQ(numbers(reduce(x, Monoid::Max, 2)), (Numbers{5, 2}));
  EXPECT_EQ(numbers(reduce(x, Monoid::Min, 1)), (Numbers{-4, 2, 2}));
  const UOp arg_max = reduce(x, Monoid::ArgMax, 2);
  EXPECT_EQ(numbers(get(arg_max, 0, float32)), (Numbers{5, 2}));
  EXPECT_EQ(integers(get(arg_max, 1, int64)), (std::vector<int64_t>{1, 1}));  // the first of equals
  EXPECT_EQ(integers(get(reduce(x, Monoid::ArgMax, 3), 1, int32)), std::vector<int64_t>{1});
  EXPECT_EQ(integers(get(reduce(x, Monoid::ArgMax, 1), 1, int32)), (std::vector<int64_t>{0, 0, 0}));
}

TEST(Interpreter, ReductionsOfNothingAndOfNan) {
  const UOp none = leaf(float32, {2, 0}, {});
  EXPECT_EQ(numbers(reduce(none, Monoid::Sum, 2)), (Numbers{0, 0}));
  EXPECT_EQ(numbers(reduce(none, Monoid::Prod, 3)), Numbers{1});
  EXPECT_EQ(numbers(reduce(none, Monoid::Max, 3)), Numbers{-kInf});
  EXPECT_EQ(integers(reduce(leaf(uint8, {0}, {}), Monoid::Min, 1)), std::vector<int64_t>{255});
  const UOp x = leaf(float32, {4}, {1, kNan, 3, kNan});
  for (Monoid m : {Monoid::Sum, Monoid::Prod, Monoid::Max, Monoid::Min}) EXPECT_THAT(numbers(reduce(x, m, 1)), same({kNan})) << name_of(m);
  EXPECT_EQ(integers(get(reduce(x, Monoid::ArgMax, 1), 1, int64)), std::vector<int64_t>{1});
  const UOp low = leaf(float32, {3}, {-kInf, -kInf, -kInf});
  EXPECT_EQ(integers(get(reduce(low, Monoid::ArgMax, 1), 1, int64)), std::vector<int64_t>{0});
}

TEST(Interpreter, SumsAreKeptWide) {
  const UOp ones = expand(leaf(float16, {1}, {1}), {60000});
  EXPECT_EQ(numbers(reduce(ones, Monoid::Sum, 1)), Numbers{60000});  // in halves 2048 + 1 is 2048
  EXPECT_EQ(numbers(reduce(leaf(float32, {3}, {1e8, 1, -1e8}), Monoid::Sum, 1)), Numbers{1});
  EXPECT_EQ(integers(reduce(leaf(int8, {2}, {100, 100}), Monoid::Sum, 1)), std::vector<int64_t>{-56});
}

TEST(Interpreter, TupleMonoids) {
  const UOp x = leaf(float64, {4}, {1, 2, 3, 6});
  const UOp lse = reduce(x, Monoid::LogSumExp, 1);
  EXPECT_EQ(numbers(get(lse, 0, float64)), Numbers{6});
  EXPECT_NEAR(numbers(get(lse, 1, float64))[0], std::exp(-5) + std::exp(-4) + std::exp(-3) + 1, 1e-15);
  const UOp low = reduce(leaf(float64, {2}, {-kInf, -kInf}), Monoid::LogSumExp, 1);  // log(sum) is -inf, not nan
  EXPECT_EQ(numbers(get(low, 0, float64)), Numbers{-kInf});
  EXPECT_EQ(numbers(get(low, 1, float64)), Numbers{2});
}

// Joining partial states in any grouping, empty ones included, gives what one pass gives; also in the value's own precision.
TEST(Monoids, IdentityAndAssociativity) {
  const std::vector<Numbers> runs = {{}, {3}, {1, -2, 5}, {5, 5}, {-kInf}, {0.5, 7, 7, -1}};
  for (size_t k = 0; k <= static_cast<size_t>(Monoid::LogSumExp); ++k) {
    const auto m = static_cast<Monoid>(k);
    int64_t at = 0;
    std::vector<State> parts;
    State one_pass = identity(m, float64);
    for (const Numbers& run : runs) {
      State s = identity(m, float64);
      for (double v : run) {
        const State l = lift(m, constant(float64, v), index(at++));
        s = combine(m, s, l);
        one_pass = combine(m, one_pass, l);
      }
      parts.push_back(s);
    }
    const auto folded = [](const State& s) {
      Numbers n;
      for (const UOp& u : s) n.push_back(numbers(u)[0]);
      return n;
    };
    State left = parts[0], right = parts.back();
    for (size_t i = 1; i < parts.size(); ++i) left = combine(m, left, parts[i]);
    for (size_t i = parts.size() - 1; i-- > 0;) right = combine(m, parts[i], right);
    const Numbers want = folded(one_pass);
    ASSERT_EQ(want.size(), components(m));
    EXPECT_THAT(folded(left), Pointwise(testing::DoubleNear(1e-12), want)) << name_of(m);
    EXPECT_THAT(folded(right), Pointwise(testing::DoubleNear(1e-12), want)) << name_of(m);
    EXPECT_EQ(folded(combine(m, identity(m, float64), one_pass)), want) << name_of(m);
    EXPECT_EQ(folded(combine(m, one_pass, identity(m, float64))), want) << name_of(m);
  }
}

TEST(Interpreter, Scans) {
  const UOp x = leaf(float32, {2, 3}, {1, 5, 3, -4, 2, 2});
  const auto scan = [&](Monoid m, int axis, bool inclusive) { return make(Op::Scan, {x}, ScanArg{m, axis, inclusive}); };
  EXPECT_EQ(numbers(scan(Monoid::Sum, 1, true)), (Numbers{1, 6, 9, -4, -2, 0}));
  EXPECT_EQ(numbers(scan(Monoid::Sum, 1, false)), (Numbers{0, 1, 6, 0, -4, -2}));
  EXPECT_EQ(numbers(scan(Monoid::Sum, 0, true)), (Numbers{1, 5, 3, -3, 7, 5}));
  EXPECT_EQ(numbers(scan(Monoid::Prod, 1, true)), (Numbers{1, 5, 15, -4, -8, -16}));
  EXPECT_EQ(numbers(scan(Monoid::Max, 1, false)), (Numbers{-kInf, 1, 5, -kInf, -4, 2}));
  EXPECT_EQ(integers(get(scan(Monoid::ArgMax, 1, true), 1, int64)), (std::vector<int64_t>{0, 1, 1, 0, 1, 1}));
}

TEST(Interpreter, Sorts) {
  const UOp x = leaf(float32, {6}, {3, kNan, 1, 3, -kInf, 2});
  const UOp up = make(Op::Sort, {x}, SortArg{0, false}), down = make(Op::Sort, {x}, SortArg{0, true});
  EXPECT_THAT(numbers(get(up, 0, float32)), same({-kInf, 1, 2, 3, 3, kNan}));
  EXPECT_EQ(integers(get(up, 1, int64)), (std::vector<int64_t>{4, 2, 5, 0, 3, 1}));  // stable
  EXPECT_THAT(numbers(get(down, 0, float32)), same({3, 3, 2, 1, -kInf, kNan}));
  EXPECT_EQ(integers(get(down, 1, int32)), (std::vector<int64_t>{0, 3, 5, 2, 4, 1}));
  const UOp y = leaf(uint8, {2, 2}, {200, 3, 100, 4});
  EXPECT_EQ(numbers(get(make(Op::Sort, {y}, SortArg{0, false}), 0, uint8)), (Numbers{100, 3, 200, 4}));
}

TEST(Interpreter, StateAndPlacement) {
  const UOp x = leaf(float32, {2}, {1, 2}), y = leaf(float32, {2}, {3, 4});
  EXPECT_EQ(numbers(make(Op::Contiguous, {x})), (Numbers{1, 2}));
  EXPECT_EQ(numbers(make(Op::Detach, {x})), (Numbers{1, 2}));
  EXPECT_EQ(numbers(make(Op::Copy, {x}, Name("cpu"))), (Numbers{1, 2}));
  EXPECT_EQ(numbers(make(Op::Assign, {x, y})), (Numbers{3, 4}));
  EXPECT_EQ(numbers(x), (Numbers{1, 2}));  // nothing was written
}

TEST(Interpreter, BoundVariablesAndSizes) {
  const UOp n = variable("n", 1, 8), lr = scalar_variable("lr", float32);
  const UOp two = make(Op::Bind, {lr, constant(float32, 2.0)});
  EXPECT_EQ(numbers(leaf(float32, {2}, {1, 3}) * two), (Numbers{2, 6}));
  const UOp bound = make(Op::Bind, {n, index(3)});
  const Dim size{n};
  const UOp row = UOp::make(Op::Iota, {}, Shape{size + 1}, int64);
  const UOp sum = reduce(row, Monoid::Sum, 1) + reshape(cast(bound, int64), {1});
  EXPECT_EQ(integers(sum), std::vector<int64_t>{9});  // 0+1+2+3, and n itself
  EXPECT_THAT(problem_of<ValueError>([&] { value(row); }), HasSubstr("bind"));
  EXPECT_THAT(problem_of<ValueError>([&] { value(cast(n, int64)); }), HasSubstr("n has no value"));
  EXPECT_THROW(value(cast(bound, int64) + cast(make(Op::Bind, {n, index(4)}), int64)), ValueError);
}

TEST(Interpreter, AttachesMemoryOnceAllIsComputed) {
  const UOp x = leaf(float32, {2}, {1, 2});
  const UOp sum = x + x, bad = make(Op::Gather, {x, constant(int64, 2)}, int64_t{0});
  const UOp both[] = {sum, bad};
  EXPECT_THROW(interpret(both, interpreter_device()), IndexError);
  EXPECT_FALSE(sum.storage());
  interpret(std::span(both, 1), interpreter_device());
  ASSERT_TRUE(sum.storage());
  const float other[] = {10, 20};  // later readers take the memory, not the definition
  interpreter_device().copy_in(buffer_of(sum)->ref(), other, sizeof other);
  EXPECT_EQ(numbers(sum + x), (Numbers{11, 22}));
}

TEST(Interpreter, RefusesWhatLivesInKernels) {
  EXPECT_THAT(problem_of<InternalError>([] { value(param(0, float32)); }), HasSubstr("no meaning outside a kernel"));
}

TEST(Interpreter, DeepChainsAndLargeArrays) {
  UOp u = constant(float64, 1.0) + leaf(float64, {}, {0});
  for (int i = 0; i < 200000; ++i) u = u + constant(float64, 1.0);
  EXPECT_EQ(numbers(u), Numbers{200001});
  const auto start = std::chrono::steady_clock::now();
  const UOp x = cast(iota(1000000), float32);
  EXPECT_EQ(numbers(reduce(x * x + x, Monoid::Max, 1)), Numbers{static_cast<double>(999999.0f * 999999.0f + 999999.0f)});
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));  // about 0.2 s where nothing else runs
}

}  // namespace
}  // namespace tg
