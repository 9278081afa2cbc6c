// What is told of many numbers, and arrangements of several tensors: known values, gradients, what they refuse.
#include <numbers>

#include "tensor_testing.hpp"

namespace tg {
namespace {

const float kInf = INFINITY;

TEST(Unique, ValuesPlacesAndCounts) {
  const Distinct d = unique(Tensor({{3, 1}, {3, -2}}));
  expect_equal(d.values, {3}, {-2, 1, 3});
  expect_equal(d.indices, {3}, {3, 1, 0});
  expect_equal(d.inverse, {2, 2}, {2, 1, 2, 0});
  expect_equal(d.counts, {3}, {1, 1, 2});
  const Distinct c = unique_consecutive(Tensor({1, 1, 2, 1}));
  expect_equal(c.values, {3}, {1, 2, 1});
  expect_equal(c.counts, {3}, {2, 1, 1});
  expect_equal(c.indices, {3}, {0, 2, 3});
  expect_equal(unique(Tensor({NAN, 1.f, NAN})).values, {3}, {1, NAN, NAN});
  expect_equal(unique(Tensor::zeros({0, 2})).values, {0}, {});
  expect_equal(unique(Tensor::zeros({0, 2})).inverse, {0, 2}, {});
  const Tensor x({2.f, 1.f, 2.f}, {.requires_grad = true});
  (unique(x).values * Tensor({10.f, 20.f})).sum().backward();  // of equals the first
  expect_near(x.grad(), {20, 10, 0});
}
TEST(Bincount, CountsAndWeights) {
  expect_equal(bincount(Tensor({1, 3, 1})), {4}, {0, 2, 0, 1});
  expect_equal(bincount(Tensor({1, 3, 1}), Tensor({0.5f, 2.f, 0.25f}), 6), {6}, {0, 0.75, 0, 2, 0, 0});
  expect_equal(bincount(Tensor::zeros({0}, {.dtype = int32}), {}, 2), {2}, {0, 0});
  expect_throw<ValueError>([] { (void)bincount(Tensor({1, -2})); }, "bincount: it holds -2; it counts numbers from 0 on");
  expect_throw<ShapeError>([] { (void)bincount(Tensor({{1}})); }, "bincount: shape (1, 1) is not a vector");
  EXPECT_THROW((void)bincount(Tensor({1.f})), DTypeError);
}
TEST(Histogram, PartsOfARange) {
  const Tensor x({-5.f, 0.f, 0.5f, 1.f, 2.f, NAN, kInf});
  expect_equal(histc(x, 2, 0, 2), {2}, {2, 2});
  expect_equal(histc(Tensor({3, 3, 3}), 4), {4}, {0, 0, 3, 0});
  const auto [counts, edges] = histogram(Tensor({0.f, 1.f, 4.f}), 4);
  expect_equal(counts, {4}, {1, 1, 0, 1});
  expect_equal(edges, {5}, {0, 1, 2, 3, 4});
  expect_throw<ValueError>([&] { (void)histc(x, 0); }, "histc: 0 bins; it takes 1 or more");
  expect_throw<ValueError>([&] { (void)histc(x, 2, 3, 1); }, "histc: from 3 to 1; it takes finite numbers in order");
}
TEST(Searchsorted, BeforeAndBehindEquals) {
  const Tensor sorted({1.f, 2.f, 2.f, 5.f}), v({0.f, 1.f, 2.f, 3.f, 9.f, NAN});
  expect_equal(searchsorted(sorted, v), {6}, {0, 0, 1, 3, 4, 4});
  expect_equal(searchsorted(sorted, v, true), {6}, {0, 1, 3, 3, 4, 4});
  expect_equal(searchsorted(sorted, 2), {}, {1});
  expect_equal(searchsorted(Tensor({1.f, NAN}), Tensor({2.f, NAN})), {2}, {1, 1});
  expect_equal(searchsorted(Tensor({{1, 3}, {2, 4}}), Tensor({{2, 3}, {2, 9}})), {2, 2}, {1, 1, 0, 2});
  expect_equal(searchsorted(Tensor::zeros({0}), v), {6}, {0, 0, 0, 0, 0, 0});
  expect_throw<ShapeError>([&] { (void)searchsorted(Tensor({{1, 3}}), v); },
                           "searchsorted: shape (1, 2) for values of shape (6,); it is a vector, or of their shape but for the last axis");
  for (int64_t n : {1, 2, 3, 7, 8, 9, 1000}) {
    const Tensor all = Tensor::arange(n);
    expect_close(searchsorted(all, all), all, 0);
    expect_close(searchsorted(all, all, true), all + 1, 0);
  }
}
TEST(Quantile, BetweenNeighbours) {
  const Tensor x = leaf({1, 4, 2, 8}, {4});
  expect_near(quantile(x, {0, 0.25, 0.5, 1}), {1, 1.75, 3, 8});
  expect_near(quantile(x, 0.5, {.between = Between::Lower}), {2}, 0);
  expect_near(quantile(x, 0.5, {.between = Between::Higher}), {4}, 0);
  expect_near(quantile(x, 0.9, {.between = Between::Midpoint}), {6}, 0);
  expect_near(quantile(x, 0.9, {.between = Between::Nearest}), {8}, 0);
  quantile(x, 0.25).backward();
  expect_near(x.grad(), {0.25, 0, 0.75, 0});
  expect_equal(quantile(Tensor({{1, 3}, {5, 9}}), std::vector{0.5}, {.axis = 1, .keepdim = true}), {1, 2, 1}, {2, 7});
  expect_near(quantile(Tensor({1.f, NAN}), 0), {NAN});
  expect_near(quantile(Tensor({1.f, kInf}), 1), {INFINITY});
  expect_throw<ValueError>([&] { (void)quantile(x, 1.5); }, "quantile: 1.5; it takes parts from 0 to 1");
  expect_throw<ValueError>([] { (void)quantile(Tensor::zeros({0}), 0.5); }, "quantile: of no elements; the axis must not be empty");
  expect_throw<ValueError>([&] { (void)kthvalue(x, 5); }, "kthvalue: the 5-th of 4 elements; k must be from 1 to 4");
}
TEST(Statistics, SumsWithoutNanAndSlopes) {
  const Tensor x({{1.f, NAN, 3.f}, {NAN, NAN, NAN}});
  expect_near(nansum(x, {.axis = 1}), {4, 0});
  expect_near(nanmean(x, {.axis = 1}), {2, NAN});
  expect_equal(diff(Tensor({1, 4, 9, 16}), 2), {2}, {2, 2});
  expect_equal(diff(Tensor({1}), 3), {0}, {});
  expect_equal(diff(Tensor({true, true, false})), {2}, {0, 1});
  expect_near(trapezoid(Tensor({1.f, 2.f, 3.f}), 2), {8});
  expect_near(trapezoid(Tensor({1.f, 2.f, 3.f}), Tensor({0.f, 1.f, 3.f})), {6.5});
  expect_near(cov(Tensor({{1.f, 2.f, 3.f}, {3.f, 2.f, 1.f}})), {1, -1, -1, 1});
  expect_near(corrcoef(Tensor({{1.f, 2.f, 3.f}, {6.f, 4.f, 2.f}})), {1, -1, -1, 1});
}
TEST(Compositions, LimitsAndNan) {
  expect_near(xlogy(Tensor({0.f, 0.f, 0.f, 2.f}), Tensor({0.f, -1.f, NAN, 1.f})), {0, 0, NAN, 0});
  expect_near(fmax(Tensor({1.f, NAN, NAN}), Tensor({NAN, 2.f, NAN})), {1, 2, NAN});
  expect_near(fmin(Tensor({1, 5}), 3), {1, 3});
  expect_near(heaviside(Tensor({-1.f, 0.f, 2.f, NAN}), 0.5), {0, 0.5, 1, NAN});
  expect_near(sinc(Tensor({0.f, 0.5f, 1.f})), {1, 2 / std::numbers::pi, 0}, 1e-7);
  expect_equal(tg::signbit(Tensor({-0.f, 0.f, -1.f})), {3}, {1, 0, 1});
  expect_equal(tg::signbit(Tensor({-1, 1})), {2}, {1, 0});
  const Tensor x = leaf({0, 2}, {2}), y = leaf({0, 3}, {2});
  xlogy(x, y).sum().backward();
  expect_near(x.grad(), {0, std::log(3)});
  expect_near(y.grad(), {0, 2 / 3.});
}
TEST(AddProducts, WhatIsScaledBy0IsNotLookedAt) {
  const Tensor a({{1.f, 2.f}, {3.f, 4.f}});
  expect_equal(addmm(Tensor({NAN, NAN}), a, a, {.beta = 0}), {2, 2}, {7, 10, 15, 22});
  expect_equal(addmm(Tensor({{1, 1}}), Tensor({{2}}), Tensor({{3, 4}}), {.alpha = 2}), {1, 2}, {13, 17});
  expect_throw<ShapeError>([&] { (void)addmm(a, a, Tensor({1.f, 2.f})); },
                           "addmm: factors of shapes (2, 2) and (2,); they have 2 and 2 axes");
  expect_throw<ShapeError>([&] { (void)addmv(a, a, Tensor({1.f, 2.f})); },
                           "addmv: shape (2, 2) does not broadcast to the product's (2,)");
  expect_throw<ShapeError>([&] { (void)cross(a, a); }, "cross: shapes (2, 2) and (2, 2); the axis of the vectors has 3 elements");
}
TEST(Assemble, BlocksChoicesAndPieces) {
  expect_equal(block_diag({Tensor({{1, 2}}), Tensor::full({}, 7)}), {2, 3}, {1, 2, 0, 0, 0, 7});
  expect_equal(combinations(Tensor({1, 2, 3})), {3, 2}, {1, 2, 1, 3, 2, 3});
  expect_equal(combinations(Tensor({1, 2}), 3), {0, 3}, {});
  expect_equal(cartesian_prod({Tensor({1, 2}), Tensor({5, 6})}), {4, 2}, {1, 5, 1, 6, 2, 5, 2, 6});
  expect_equal(rot90(Tensor({{1, 2}, {3, 4}})), {2, 2}, {2, 4, 1, 3});
  const auto pieces = tensor_split(Tensor::arange(7), 3);
  expect_equal(pieces[0], {3}, {0, 1, 2});
  expect_equal(pieces[2], {2}, {5, 6});
  EXPECT_EQ(tensor_split(Tensor::arange(4), {3, 1})[1].numel(), 0);
  expect_equal(pixel_shuffle(Tensor({{{1}}, {{2}}, {{3}}, {{4}}}), 2), {1, 2, 2}, {1, 2, 3, 4});
  expect_equal(diag_embed(Tensor({1, 2}), -1), {3, 3}, {0, 0, 0, 1, 0, 0, 0, 2, 0});
  expect_throw<ShapeError>([] { (void)pixel_shuffle(Tensor::zeros({3, 1, 1}), 2); },
                           "pixel_shuffle: shape (3, 1, 1) and 2: channels divide by its square");
}
TEST(MaskedScatter, TakesValuesInOrder) {
  const Tensor x({1.f, 2.f, 3.f, 4.f}), mask({true, false, true, false});
  expect_equal(masked_scatter(x, mask, Tensor({10.f, 20.f, 30.f})), {4}, {10, 2, 20, 4});
  for (const int64_t n : {0, 1, 2}) EXPECT_THROW((void)masked_scatter(x, x > 1, Tensor::ones({n})).realize(), IndexError) << n;
  for (const int64_t n : {0, 1}) expect_equal(masked_scatter(x, x > 4, Tensor::ones({n})), {4}, {1, 2, 3, 4});
  expect_equal(index_fill(x, 0, Tensor({1, -1}), 0), {4}, {1, 0, 3, 0});
  expect_equal(index_copy(x, 0, Tensor({3, 0}), Tensor({7.f, 8.f})), {4}, {8, 2, 3, 7});
}

}  // namespace
}  // namespace tg
