// The verifier takes what passes make and refuses, by name, what they must not make.
#include "tg/ir/verify.hpp"

#include "ir_testing.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

std::string refusal(const UOp& u, Stage stage) {
  try {
    verify(u, stage);
  } catch (const InternalError& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Verify, TakesTensorGraphs) {
  const UOp x = param(0, float32, Shape{2, 3}), flipped = UOp::make(Op::Flip, {x}, Ints({1}));
  const UOp sum = UOp::make(Op::Reduce, {x + flipped}, ReduceArg{Monoid::Sum, 2});
  EXPECT_EQ(refusal(sum, Stage::Tensor), "accepted");
  EXPECT_EQ(refusal(UOp::make(Op::Get, {UOp::make(Op::Sort, {x}, SortArg{0, false})}, int64_t{1}, int64), Stage::Tensor), "accepted");
}
TEST(Verify, TakesKernels) {
  const UOp x = param(0, float32, Shape{8}), y = param(1, float32, Shape{2}), i = range(2, 0), r = range(4, 1, RangeKind::Reduce);
  const UOp sum = UOp::make(Op::Reduce, {load(x, i * 4 + r), r}, ReduceArg{Monoid::Sum, 0});
  EXPECT_EQ(refusal(UOp::make(Op::Sink, {UOp::make(Op::End, {store(y, i, sum), i}, Arg{})}), Stage::Kernel), "accepted");
}
TEST(Verify, RefusesWhatBelongsElsewhere) {
  const UOp x = param(0, float32, Shape{8}), i = range(8, 0);
  EXPECT_EQ(refusal(UOp::make(Op::Reshape, {x}, Shape{2, 4}), Stage::Kernel),
            "Reshape float32 (2, 4): this op has no place in a kernel; sources Param float32 (8,)");
  EXPECT_THAT(refusal(load(x, i), Stage::Tensor), testing::HasSubstr("no place in a graph of tensors"));
  EXPECT_THAT(refusal(x + x, Stage::Kernel), testing::HasSubstr("scalars"));
  EXPECT_THAT(refusal(UOp::make(Op::Iota, {}, Shape{4}, DType::index), Stage::Tensor), testing::HasSubstr("index"));
}
TEST(Verify, RefusesWhatDoesNotFit) {
  const UOp x = param(0, float32, Shape{2, 3}), m = param(1, float32, Shape{8}), i = range(8, 0), zero = constant(int32, 0);
  const auto tensor = [&](Op op, Arg arg) { return refusal(UOp::make(op, {x}, std::move(arg)), Stage::Tensor); };
  EXPECT_THAT(tensor(Op::Permute, Ints({0, 0})), testing::HasSubstr("no permutation"));
  EXPECT_THAT(tensor(Op::Flip, Ints({2})), testing::HasSubstr("its axes"));
  EXPECT_THAT(tensor(Op::Shrink, Shape{0, 5, 0, 3}), testing::HasSubstr("cuts outside"));
  EXPECT_THAT(tensor(Op::Pad, Shape{-1, 0, 0, 0}), testing::HasSubstr("negative"));
  EXPECT_THAT(tensor(Op::Reduce, ReduceArg{Monoid::Sum, 4}), testing::HasSubstr("its axes"));
  EXPECT_THAT(tensor(Op::Window, WindowArg{.axis = 0, .size = 1, .stride = 0}), testing::HasSubstr("no window"));
  EXPECT_THAT(tensor(Op::Sort, SortArg{2, false}), testing::HasSubstr("axis"));
  EXPECT_THAT(tensor(Op::Scan, ScanArg{Monoid::Sum, 2}), testing::HasSubstr("axis"));
  EXPECT_THAT(refusal(UOp::make(Op::Gather, {x, constant(float32, 0.0)}, int64_t{0}), Stage::Tensor), testing::HasSubstr("index"));
  EXPECT_THAT(refusal(UOp::make(Op::Scatter, {x, zero, zero}, ScatterArg{0, ScatterMode::Add}), Stage::Tensor),
              testing::HasSubstr("values"));
  EXPECT_THAT(refusal(UOp::make(Op::Assign, {x, m}), Stage::Tensor), testing::HasSubstr("differ"));
  EXPECT_THAT(refusal(UOp::make(Op::Bind, {x, zero}), Stage::Tensor), testing::HasSubstr("binds no"));
  const UOp sum = UOp::make(Op::Reduce, {x}, ReduceArg{Monoid::ArgMax, 1});
  EXPECT_EQ(refusal(UOp::make(Op::Get, {sum}, int64_t{1}, int32), Stage::Tensor), "accepted");
  EXPECT_THAT(refusal(UOp::make(Op::Get, {sum}, int64_t{2}, int32), Stage::Tensor), testing::HasSubstr("component"));
  EXPECT_THAT(refusal(load(m, zero), Stage::Kernel), testing::HasSubstr("index"));
  EXPECT_THAT(refusal(store(m, i, zero), Stage::Kernel), testing::HasSubstr("value"));
  EXPECT_THAT(refusal(range(Dim(i), 1), Stage::Kernel), testing::HasSubstr("extent"));
  EXPECT_THAT(refusal(UOp::make(Op::Check, {zero, zero}, int64_t{0}), Stage::Kernel), testing::HasSubstr("no index"));
  EXPECT_THAT(refusal(UOp::make(Op::Reduce, {load(m, i), load(m, i)}, ReduceArg{Monoid::Sum, 0}), Stage::Kernel),
              testing::HasSubstr("no range"));
  EXPECT_THAT(refusal(UOp::make(Op::End, {i + 1, i}, Arg{}), Stage::Kernel), testing::HasSubstr("neither store"));
}
TEST(Verify, IsOnInDebugBuilds) {
#ifndef NDEBUG
  EXPECT_TRUE(verifying());
#else
  EXPECT_FALSE(verifying());
#endif
}

}  // namespace
}  // namespace tg
