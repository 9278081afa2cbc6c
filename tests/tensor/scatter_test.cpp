// Writing by index against a loop, with its gradients; and what dtypes can hold.
#include "tensor_testing.hpp"
#include "tg/transform.hpp"

namespace tg {
namespace {

TEST(Scatter, IsTheLoop) {
  REQUIRE_DTYPE(float64);
  const auto base = samples(12, -2, 2), values = samples(8, -2, 2, 2);
  const std::vector<int64_t> index{2, 0, 2, 1, 2, 2, 0, 1};  // (4, 2) along axis 0 of (3, 4)
  const Tensor x = f64(base, {3, 4}, true), v = f64(values, {4, 2}, true), i = Tensor::from(index, {4, 2});
  for (const Scatter mode : {Scatter::Set, Scatter::Add, Scatter::Mul, Scatter::Max, Scatter::Min, Scatter::Mean}) {
    SCOPED_TRACE(static_cast<int>(mode));
    std::vector<double> wanted = base, count(12, 1);
    for (size_t n = 0; n < 8; ++n) {
      double& to = wanted[static_cast<size_t>(index[n]) * 4 + n % 2];
      ++count[static_cast<size_t>(index[n]) * 4 + n % 2];
      to = mode == Scatter::Set ? values[n] : mode == Scatter::Mul ? to * values[n] : mode == Scatter::Max ? std::max(to, values[n])
           : mode == Scatter::Min ? std::min(to, values[n]) : to + values[n];
    }
    if (mode == Scatter::Mean) for (size_t n = 0; n < 12; ++n) wanted[n] /= count[n];
    expect_near(scatter(x, 0, i, v, mode), wanted);
    // Without what is there: as if it were what changes nothing.
    const double nothing = mode == Scatter::Mul ? 1 : mode == Scatter::Max ? -HUGE_VAL : mode == Scatter::Min ? HUGE_VAL : 0;
    const Tensor zeros = scatter(Tensor::zeros({3, 4}, {.dtype = float64}), 0, i, v, Scatter::Add);
    const Tensor hit = scatter(Tensor::zeros({3, 4}), 0, i, 1.f), empty = where(hit != 0, nothing, x.detach());
    const Tensor sum = where(hit != 0, zeros, x), hits = scatter_add(1 - hit, 0, i, 1.f);
    expect_close(scatter(x, 0, i, v, mode, false), mode == Scatter::Mean ? sum / hits : scatter(empty, 0, i, v, mode));
    EXPECT_TRUE(gradcheck([&](const Tensors& t) { return Tensors{scatter(t[0], 0, i, t[1], mode, false)}; }, {x, v}));
    EXPECT_TRUE(gradcheck([&](const Tensors& t) { return Tensors{scatter(t[0], 0, i, t[1], mode)}; }, {x, v}));
  }
}

TEST(Indices, OutsideAreReportedAsTheyWereGiven) {
  const Tensor x = Tensor::arange(5, {.dtype = float32});
  for (const int64_t i : {-1000, -7, -6, 5, 6, 11}) {
    const std::string said = "index " + std::to_string(i) + " is out of bounds for an axis of size 5";
    const Tensor places({2, i});
    expect_throw<IndexError>([&] { x.take(places).realize(); }, said);
    expect_throw<IndexError>([&] { x.gather(0, places.cast(int16)).realize(); }, said);
    expect_throw<IndexError>([&] { Tensor(x.clone()).set(places, 1).realize(); }, said);
    expect_throw<IndexError>([&] { scatter(x, 0, places, 1.f, Scatter::Add).realize(); }, said);
  }
  expect_near(x.take(Tensor({-5, -1, 4}, {.dtype = int8})), {0, 4, 4});
}

TEST(Scatter, OfEveryDtypeWithoutWhatIsThere) {
  const Tensor places({0, 2, 0});
  for (const DType t : {int8, uint8, int16, uint16, int32, uint32, int64, uint64, float16, bfloat16, float32, float64}) {
    if (!supported(t)) continue;
    const Tensor x = Tensor({9, 9, 9}).cast(t), v = Tensor({4, 5, 2}).cast(t);
    SCOPED_TRACE(name_of(t));
    expect_near(scatter(x, 0, places, v, Scatter::Add, false), {6, 9, 5});
    expect_near(scatter(x, 0, places, v, Scatter::Mul, false), {8, 9, 5});
    expect_near(scatter(x, 0, places, v, Scatter::Max, false), {4, 9, 5});
    expect_near(scatter(x, 0, places, v, Scatter::Min, false), {2, 9, 5});
    expect_near(scatter(x, 0, places, v, Scatter::Mean, false), {3, 9, 5});
  }
}

TEST(Scatter, OfNumbersNanAndErrors) {
  const Tensor x = Tensor::zeros({2, 2});
  expect_near(scatter(x, 1, Tensor({{1}, {0}}), 5), {0, 5, 5, 0});
  expect_near(scatter(x, 1, Tensor({{1}, {-2}}), 5), {0, 5, 5, 0});
  expect_near(scatter(Tensor({1.f, 2.f}), 0, Tensor({0, 0}), Tensor({NAN, 9.f}), Scatter::Max), {NAN, 2});
  EXPECT_THROW((void)scatter(x.contiguous(), 0, Tensor({{2, 0}}), Tensor({{1.f, 2.f}})).to_vector<float>(), IndexError);
  EXPECT_THROW((void)scatter(x, 0, Tensor({1}), 5), ShapeError);
  EXPECT_THROW((void)scatter(x, 0, Tensor({{1}}), Tensor({{1}})), DTypeError);
}

TEST(Scatter, Relatives) {
  const Tensor x = Tensor::ones({2, 3});
  expect_near(index_add(x, 1, Tensor({2, 0, 2}), Tensor({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}}), 2), {5, 1, 9, 11, 1, 21});
  expect_near(masked_fill(Tensor({1.f, -2.f, 3.f}), Tensor({false, true, false}), 0), {1, 0, 3});
  expect_equal(masked_select(Tensor({{1, 2}, {3, 4}}), Tensor({true, false})), {2}, {1, 3});
  expect_equal(nonzero(Tensor({{0, 2, 0}, {3, 0, 4}})), {3, 2}, {0, 1, 1, 0, 1, 2});
  EXPECT_EQ(nonzero(Tensor::zeros({2, 0})).shape(), (Sizes{0, 2}));
  expect_equal(one_hot(Tensor({2, 0})), {2, 3}, {0, 0, 1, 1, 0, 0});
  EXPECT_EQ(one_hot(Tensor::zeros({0, 2}, {.dtype = int64}), 4).shape(), (Sizes{0, 2, 4}));
  EXPECT_THROW((void)index_add(x, 1, Tensor({0}), x), ShapeError);
}

TEST(Limits, AreThoseOfTheDtype) {
  EXPECT_EQ(finfo(float32).max, 3.4028234663852886e38);
  EXPECT_EQ(finfo(float32).eps, 0x1p-23);
  EXPECT_EQ(finfo(float32).tiny, 0x1p-126);
  EXPECT_EQ(finfo(float64).max, 1.7976931348623157e308);
  EXPECT_EQ(finfo(float16).max, 65504);
  EXPECT_EQ(finfo(bfloat16).eps, 0x1p-7);
  EXPECT_EQ(finfo(float16).smallest_subnormal, 0x1p-24);
  EXPECT_EQ(iinfo(int8).min, -128);
  EXPECT_EQ(iinfo(int64).max, 9223372036854775807u);
  EXPECT_EQ(iinfo(int64).min, INT64_MIN);
  EXPECT_EQ(iinfo(uint64).max, 18446744073709551615u);
  EXPECT_THROW((void)finfo(int32), DTypeError);
  EXPECT_THROW((void)iinfo(float32), DTypeError);
}

}  // namespace
}  // namespace tg
