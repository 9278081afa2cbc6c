// Reductions: axes, dtypes, edges.
#include "tensor_testing.hpp"

namespace tg {
namespace {

const Tensor& table() { static const Tensor t({{1.f, 5.f, 2.f}, {4.f, 3.f, 6.f}}); return t; }

TEST(Reductions, Axes) {
  expect_equal(table().sum(), {}, {21});
  expect_equal(table().sum({.axis = 0}), {3}, {5, 8, 8});
  expect_equal(table().sum({.axis = -1}), {2}, {8, 13});
  expect_equal(table().sum({.axis = {0, 1}, .keepdim = true}), {1, 1}, {21});
  expect_equal(table().sum({.axis = 1, .keepdim = true}), {2, 1}, {8, 13});
  expect_equal(table().max({.axis = 1}), {2}, {5, 6});
  expect_equal(table().min({.axis = 0}), {3}, {1, 3, 2});
  expect_equal(table().prod(), {}, {720});
  expect_near(table().mean({.axis = 1}), {8 / 3., 13 / 3.});
  expect_equal((table() > 4).any({.axis = 1}), {2}, {1, 1});
  expect_equal((table() > 2).all({.axis = 0}), {3}, {0, 1, 0});
  expect_near(table().var(), {3.5});
  expect_near(table().var({.axis = 1, .correction = 0}), {26 / 9., 14 / 9.});
  expect_near(table().std({.axis = 1, .keepdim = true}), {std::sqrt(13 / 3.), std::sqrt(7 / 3.)});
  EXPECT_EQ(table().std({.axis = 1, .keepdim = true}).shape(), (Sizes{2, 1}));
  expect_equal(Tensor::full({}, 3).sum(), {}, {3});
}

TEST(Reductions, Arguments) {
  expect_equal(table().argmax(), {}, {5});
  expect_equal(table().argmax({.axis = 1}), {2}, {1, 2});
  expect_equal(table().argmin({.axis = 0, .keepdim = true}), {1, 3}, {0, 1, 0});
  EXPECT_EQ(table().argmax().dtype(), int32);
  expect_equal(Tensor({2, 7, 7}).argmax(), {}, {1});
  expect_equal(Tensor({1.f, NAN, 2.f}).argmax(), {}, {1});
  expect_equal(Tensor({1, 0, 255}, {.dtype = uint8}).argmin(), {}, {1});
  expect_equal(Tensor({0, INT32_MIN}).argmin(), {}, {1});
  expect_throw<ValueError>([] { (void)table().argmax({.axis = {0, 1}}); },
                           "argmax: 2 axes; it takes one, or none for the index into the flattened tensor");
}

TEST(Reductions, Dtypes) {
  const auto sum = [](DType t) { return Tensor::ones({2}, {.dtype = t}).sum().dtype(); };
  EXPECT_EQ(sum(tg::bool_), int32);
  EXPECT_EQ(sum(int8), int32);
  EXPECT_EQ(sum(int16), int32);
  EXPECT_EQ(sum(uint8), uint32);
  EXPECT_EQ(sum(int64), int64);
  EXPECT_EQ(sum(float16), float16);
  EXPECT_EQ(Tensor({1, 2}).mean().dtype(), float32);
  EXPECT_EQ(Tensor({1, 2}).sum({.dtype = float32}).dtype(), float32);
  expect_equal(Tensor::full({300}, 100, {.dtype = int8}).sum(), {}, {30000});
}

TEST(Reductions, HalvesAccumulateInFloat32) {
  expect_near(Tensor::full({5000}, 1, {.dtype = float16}).sum(), {5000});  // in float16 it would stop at 2048
  expect_near(Tensor::full({5000}, 1, {.dtype = bfloat16}).mean(), {1});
  expect_near(Tensor::ones({1, 4000}, {.dtype = float16}).matmul(Tensor::ones({4000, 1}, {.dtype = float16})), {4000});
}

TEST(Reductions, Edges) {
  expect_equal(Tensor::zeros({0}).sum(), {}, {0});
  expect_equal(Tensor::zeros({2, 0}).sum({.axis = 1}), {2}, {0, 0});
  expect_equal(Tensor::zeros({0}).prod(), {}, {1});
  expect_near(Tensor::zeros({0}).mean(), {NAN});
  expect_near(Tensor({1.f}).var(), {NAN});
  expect_near(Tensor({1.f, NAN, 2.f}).max(), {NAN});
  expect_near(Tensor({1.f, NAN, 2.f}).min(), {NAN});
  expect_equal(Tensor::zeros({0, 2}).max({.axis = 1}), {0}, {});
  expect_throw<ValueError>([] { (void)Tensor::zeros({2, 0}).max({.axis = 1}); },
                           "max: of no elements, in shape (2, 0); it has no identity, so the reduced axes must not be empty");
  expect_throw<IndexError>([] { (void)table().sum({.axis = 2}); }, "sum: axis 2 is out of range for 2 axes; it takes -2 to 1");
  expect_throw<ValueError>([] { (void)table().sum({.axis = {0, -2}}); }, "sum: axis 0 is given twice in {0, -2}");
  expect_throw<IndexError>([] { (void)Tensor::full({}, 1).sum({.axis = 1}); }, "sum: axis 1 of a tensor of shape (), which has no axes");
}

TEST(Softmax, StableAndNormalised) {
  const Tensor x({{1000.f, 1001.f}, {-1000.f, -1002.f}});
  const double a = 1 / (1 + std::exp(1.)), b = 1 / (1 + std::exp(-2.));
  expect_near(x.softmax(), {a, 1 - a, b, 1 - b});
  expect_near(x.log_softmax(), {std::log(a), std::log(1 - a), std::log(b), std::log(1 - b)});
  expect_near(x.softmax(0).sum({.axis = 0}), {1, 1});
  expect_near(x.logsumexp({.axis = 1}), {1000 - std::log(a), -1000 - std::log(b)});
  expect_near(Tensor({-INFINITY, -INFINITY}).logsumexp(), {-INFINITY});
  expect_near(Tensor({-INFINITY, 1.f}).softmax(), {0, 1});
  EXPECT_EQ(x.cast(float16).softmax().dtype(), float16);
  EXPECT_EQ(x.logsumexp({.axis = 1, .keepdim = true}).shape(), (Sizes{2, 1}));
}

}  // namespace
TEST(Reductions, AScalarIsALineOfOne) {
  const Tensor x = Tensor::full({}, 3.f);
  for (const int axis : {0, -1}) {
    EXPECT_EQ(x.sum({.axis = axis, .keepdim = true}).shape(), Sizes{});
    EXPECT_EQ(x.sum({.axis = axis}).item(), 3);
    EXPECT_EQ(x.max({.axis = axis}).item(), 3);
    EXPECT_EQ(x.argmax({.axis = axis}).item(), 0);
    EXPECT_EQ(x.logsumexp({.axis = axis}).item(), 3);
    EXPECT_EQ(x.softmax(axis).item(), 1);
    EXPECT_EQ(x.log_softmax(axis).item(), 0);
    EXPECT_EQ(x.flip(axis).item(), 3);
    EXPECT_EQ(x.median({.axis = axis}).item(), 3);
  }
}
TEST(Reductions, NormsOfZerosHaveAGradient) {
  for (const double p : {1.0, 2.0, 3.0}) {
    const Tensor x({{0.f, 0.f}, {3.f, 0.f}}, {.requires_grad = true});
    expect_near(gradient(norm(x, {.p = p, .axis = 1}).sum(), {x})[0], {0, 0, 1, 0});
  }
  const Tensor x({2.f, 2.f}, {.requires_grad = true});
  expect_equal(gradient(x.std(), {x})[0], {2}, {0, 0});
  expect_near(norm(Tensor({NAN, 1.f})), {NAN}, 0);
}
TEST(Reductions, OfNothing) {
  const Tensor x = Tensor::zeros({2, 0});
  expect_equal(x.logsumexp({.axis = 1}), {2}, {-INFINITY, -INFINITY});
  EXPECT_EQ(x.logsumexp({.axis = 0}).shape(), Sizes{0});
  expect_equal(norm(x, {.p = INFINITY, .axis = 1}), {2}, {0, 0});
  EXPECT_EQ(x.logcumsumexp(1).shape(), (Sizes{2, 0}));
}

}  // namespace tg
