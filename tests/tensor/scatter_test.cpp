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

// Nothing that is read depends on such an index.
TEST(Indices, OutsideAreReportedOfOneElementAndOfConstants) {
  const std::string said = "index 3 is out of bounds for an axis of size ";
  const Tensor three({3}), one({1.f}), row({{1.f, 2.f}});
  const auto fails = [&](int size, const std::function<Tensor()>& f) {
    expect_throw<IndexError>([&] { (void)f().realize(); }, said + std::to_string(size));
  };
  for (const DType t : {bool_, int8, uint64, float16, float32, float64}) {
    SCOPED_TRACE(name_of(t));
    if (!supported(t)) continue;
    fails(1, [&] { return one.cast(t).take(three); });
    fails(2, [&] { return Tensor::zeros({2}, {.dtype = t}).take(three); });
    fails(2, [&] { return Tensor::ones({2}, {.dtype = t}).take(three); });
    fails(3, [&] { return one.cast(t).expand({3}).take(three); });
    fails(1, [&] { return Tensor(one.cast(t).clone()).set(three, 1); });
    fails(1, [&] { return scatter(one.cast(t), 0, three, Tensor({1}).cast(t)); });
  }
  fails(1, [&] { return one.gather(0, three); });
  fails(1, [&] { return row.take(three); });
  fails(1, [&] { return row.at(three, Tensor({1})); });
  fails(1, [&] { return row.gather(0, Tensor({{0, 3}})); });
  fails(1, [&] { return Tensor::arange(1).take(Tensor::full({2}, 3)); });
  fails(1, [&] { return index_add(one, 0, three, one); });
  fails(1, [&] { return one.take(three).sum() + 1; });
  fails(2, [&] { return Tensor::ones({2}).take(Tensor({{0, 3}, {1, 0}})).sum({.axis = 1}); });
  fails(2, [&] { return Tensor::ones({2}).take(Tensor({{0, 1}, {3, 0}}).sum({.axis = 1})).sum().expand({2, 2}); });
  fails(1, [&] { return one_hot(three, 1); });
  fails(2, [&] { return Tensor::zeros({2}).take(three).pad({{1, 0}}); });
  expect_equal(row.take(Tensor({0, -1})), {2, 2}, {1, 2, 1, 2});
}
// Where a tensor is padded no index was given, whatever is computed from zeros there.
TEST(Indices, OutsideAPaddedTensorAreNobodys) {
  const Tensor x({1.f, 2.f}), i = Tensor({-2, -1}), two({2.f});
  expect_equal(x.take(i + 2).pad({{1, 1}}), {4}, {0, 1, 2, 0});
  expect_equal(two.expand({2}).take(i + 2).pad({{1, 1}}), {4}, {0, 2, 2, 0});
  expect_equal(two.take(i.shrink({{0, 1}}) + 2).pad({{2, 1}}), {4}, {0, 0, 2, 0});
  expect_equal(Tensor::zeros({0}).take(Tensor::zeros({0}, {.dtype = int64})).pad({{1, 1}}), {2}, {0, 0});
}
TEST(Indices, OfAnAxisWithoutElements) {
  const Tensor empty = Tensor::zeros({0, 2}), first({0});
  const auto fails = [](const std::function<Tensor()>& f) { EXPECT_THROW((void)f(), IndexError); };
  expect_throw<IndexError>([&] { (void)empty.take(first); },
                           "at: an index of shape (1,) into an axis that has no elements; it takes an index that has none either");
  fails([&] { return empty.at(first, first); });
  fails([&] { return empty.gather(0, Tensor({{0, 0}})); });
  fails([&] { return Tensor(empty.clone()).set(first, 1); });
  fails([&] { return index_add(empty, 0, first, Tensor::ones({1, 2})); });
  fails([&] { return scatter(empty, 0, Tensor({{0, 0}}), 1.f); });
  fails([&] { return Tensor::zeros({2, 0}).take(first, 1); });
  expect_equal(empty.take(Tensor::zeros({3, 0}, {.dtype = int64})).pad({{0, 0}, {0, 1}, {0, 0}}), {3, 1, 2}, {0, 0, 0, 0, 0, 0});
  expect_equal(Tensor::zeros({0}).take(Tensor::zeros({0}, {.dtype = int64})).sum(), {}, {0});
  expect_equal(Tensor::ones({2}).take(Tensor::zeros({0}, {.dtype = int64}) + 7).sum(), {}, {0});
}
TEST(Indices, ClassesOutside) {
  for (const int64_t i : {-1, 3, 1000})
    expect_throw<IndexError>([&] { (void)one_hot(Tensor({{1, i}}), 3).realize(); },
                             "index " + std::to_string(i) + " is out of bounds for an axis of size 3");
  const std::string remedy = "; there is one more than the largest index, and none is below 0";
  expect_throw<IndexError>([] { (void)one_hot(Tensor({-2, -1})); }, "one_hot: 0 classes for indices of shape (2,)" + remedy);
  expect_throw<IndexError>([] { (void)one_hot(Tensor({0}), 0); }, "one_hot: 0 classes for indices of shape (1,)" + remedy);
  expect_equal(one_hot(Tensor({{2, 1}}).cast(uint8), 3), {1, 2, 3}, {0, 0, 1, 0, 1, 0});
  EXPECT_EQ(one_hot(Tensor::zeros({0}, {.dtype = int32}), 0).shape(), (Sizes{0, 0}));
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
