// Matrix instructions: which sums of products they are chosen for, and that their sums are exact where the numbers are whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "one_kernel.hpp"

namespace tg {
namespace {

TEST(Mma, IsChosenWhereTheTargetHasIt) {
  const Inputs in{"null"};
  const auto dots = [](const Tensor& y) {
    const Case c(y, device("null"));
    const Generated g = generate(c.kernel, c.device.target());
    return std::count_if(g.phases[0].phase.insts.begin(), g.phases[0].phase.insts.end(), [](const Inst& i) { return i.op == InstOp::dot; });
  };
  EXPECT_GT(dots(half(in({64, 48})).matmul(half(in({48, 64})))), 0);
  EXPECT_GT(dots(half(in({64, 47})).matmul(half(in({47, 64})))), 0) << "the last step by itself";
  EXPECT_EQ(dots(half(in({64, 15})).matmul(half(in({15, 64})))), 0) << "of eight";
  EXPECT_EQ(dots(in({64, 48}).matmul(in({48, 64}))), 0);
  const Tensor doubles = in({64, 48}).cast(float64).realize();
  EXPECT_EQ(dots(doubles.cast(bfloat16).matmul(half(in({48, 64})))), 0) << "a vector of float64s has half the lanes of the instruction";
  const auto wide = [&](const Sizes& shape, DType from) { return in(shape).cast(from).realize().cast(int32); };
  EXPECT_GT(dots(wide({64, 48}, uint8).matmul(wide({48, 64}, int8))), 0);
  EXPECT_GT(dots(wide({64, 48}, int8).matmul(wide({48, 64}, uint8))), 0);
  EXPECT_GT(dots(wide({64, 50}, uint8).matmul(wide({50, 64}, int8))), 0);
  EXPECT_GT(dots(wide({64, 48}, int8).matmul(wide({48, 64}, int8))), 0) << "shifted";
  EXPECT_EQ(dots(wide({64, 48}, uint8).matmul(wide({48, 64}, uint8))), 0);
}

// A row's numbers that an instruction takes together lie apart where the rows do: those are copied first, if that pays.
TEST(Mma, RowsWhoseStepsLieApartAreCopied) {
  const Inputs in{"null"};
  const auto chosen = [](const Tensor& y) {
    const Case c(y, device("null"));
    return to_string(generate(c.kernel, c.device.target()).verbs);
  };
  const auto copied = testing::HasSubstr("phase)");
  EXPECT_THAT(chosen(half(in({516, 1021})).T().matmul(half(in({516, 403})))), copied);
  EXPECT_THAT(chosen(half(in({1021, 516})).matmul(half(in({403, 516})).T())), testing::Not(copied)) << "those of both lie along the sum";
  EXPECT_THAT(chosen(in({516, 1021}).T().matmul(in({516, 403}))), testing::Not(copied)) << "one step at a time";
}

// On this machine, whether or not it has such instructions: the largest bytes too.
TEST(Mma, ProductsOfBytesAreExact) {
  const auto bytes = [](const Sizes& shape, DType type) {
    const int64_t low = type == int8 ? -128 : 0;
    std::vector<int32_t> v(static_cast<size_t>(shape[0] * shape[1]));
    for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<int32_t>(i % 7 == 0 ? low : (static_cast<int64_t>(i) * 89) % 256 + low);
    return Tensor::from(v, shape, {.device = "cpu"}).cast(type).realize();
  };
  for (const DType first : {uint8, int8})
    for (const auto& [m, k, n] :
         {std::tuple{1, 4, 16}, {64, 48, 64}, {37, 52, 75}, {5, 256, 33}, {200, 1000, 130}, {64, 50, 64}, {37, 1021, 75}, {3, 35, 40}}) {
      const Tensor a = bytes({m, k}, first), b = bytes({k, n}, int8), t = bytes({n, k}, int8);
      const auto exact = [](const Tensor& x, const Tensor& y) {
        return x.cast(float64).matmul(y.cast(float64)).to_vector<double>();
      };
      const auto ours = [](const Tensor& x, const Tensor& y) {
        return x.cast(int32).matmul(y.cast(int32)).to_vector<double>();
      };
      EXPECT_EQ(ours(a, b), exact(a, b)) << name_of(first) << " " << m << " " << k << " " << n;
      EXPECT_EQ(ours(a, t.T()), exact(a, t.T())) << name_of(first) << " " << m << " " << k << " " << n;
      EXPECT_EQ(ours(b.T(), a.T()), exact(b.T(), a.T())) << name_of(first) << " " << m << " " << k << " " << n;
      EXPECT_EQ(ours(a * 3, b), exact(a * 3, b)) << name_of(first) << " " << m << " " << k << " " << n;
    }
}

// Numbers of which products are exact, and others around them that must not be read: what is not a number would show.
TEST(Mma, TheLastOddStepReadsNothingElse) {
  for (const auto& [m, k, n] : {std::tuple{64, 47, 64}, {37, 1021, 75}, {3, 35, 40}, {130, 17, 16}}) {
    const auto inner = [](int64_t rows, int64_t columns) {  // of a larger one
      const Tensor inside = half(Inputs{"cpu"}({rows, columns}));
      return inside.pad({{0, 1}, {0, 1}}, {.value = std::nan("")}).realize().shrink({{0, rows}, {0, columns}});
    };
    const Tensor a = inner(m, k), b = inner(k, n);
    EXPECT_EQ(a.cast(float32).matmul(b.cast(float32)).to_vector<double>(), a.cast(float64).matmul(b.cast(float64)).to_vector<double>());
    const Tensor c = a.contiguous().realize(), d = b.contiguous().realize();
    EXPECT_EQ(c.cast(float32).matmul(d.cast(float32)).to_vector<double>(), a.cast(float64).matmul(b.cast(float64)).to_vector<double>());
  }
}

}  // namespace
}  // namespace tg
