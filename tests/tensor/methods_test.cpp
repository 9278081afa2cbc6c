// Methods beside functions: the rows of tg/methods.def, parts along an axis, walks over entries, axes and sizes by position.
#include <functional>
#include <sstream>

#include "tensor_testing.hpp"

namespace tg {
namespace {

Tensor matrix() { return Tensor::arange(6, {.dtype = float32}).reshape({2, 3}); }

// ---- the rows ----

/// The plain method is the function, and the one with an underline writes it.
void expect_both(const Tensor& function, const Tensor& plain, const std::function<Tensor&(Tensor&)>& write) {
  expect_equal(plain, function.shape(), function.to_vector<double>());
  Tensor x = matrix();
  EXPECT_EQ(&write(x), &x);
  expect_equal(x, function.shape(), function.to_vector<double>());
}
#define BOTH(name, ...)                                                                                        \
  expect_both(tg::name(matrix() __VA_OPT__(, ) __VA_ARGS__), matrix().name(__VA_ARGS__), [&](Tensor& x) -> Tensor& { \
    return x.name##_(__VA_ARGS__);                                                                             \
  })

TEST(Methods, ArithmeticIsTheFunctions) {
  const Tensor y = matrix() + 2;
  BOTH(add, y);
  BOTH(add, y, {.alpha = 3});
  BOTH(sub, 1);
  BOTH(mul, y);
  BOTH(div, y);
  BOTH(div, y, {.rounding = Rounding::Floor});
  BOTH(pow, 2);
  BOTH(fmod, 2);
  BOTH(lerp, y, 0.5);
  BOTH(clamp, 1, 4);
  BOTH(clamp, y - 3, y);
  BOTH(tril);
  BOTH(triu, 1);
  BOTH(masked_fill, matrix() > 2, -1);
  BOTH(index_add, 0, Tensor({1, 1}), y);
}
#undef BOTH

TEST(Methods, OfAnotherDtypeOrShapeHaveNoFormInPlace) {
  const Tensor x = matrix(), y = x.mT();
  expect_equal(x.eq(2), {2, 3}, {0, 0, 1, 0, 0, 0});
  EXPECT_EQ(x.ge(x).dtype(), bool_);
  expect_equal(x.lt(2).logical_and(x.ne(0)), {2, 3}, {0, 1, 0, 0, 0, 0});
  expect_equal(x.maximum(3), {2, 3}, {3, 3, 3, 3, 4, 5});
  expect_equal(x.mm(y), {2, 2}, {5, 14, 14, 50});
  expect_equal(x.t(), {3, 2}, {0, 3, 1, 4, 2, 5});
  expect_equal(x[0].outer(x[1]), {3, 3}, {0, 0, 0, 3, 4, 5, 6, 8, 10});
  expect_equal(x.nonzero()[0], {2}, {0, 1});
  expect_equal(x.masked_select(x > 3), {2}, {4, 5});
  expect_near(x.norm(), {std::sqrt(55)});
  expect_near(x.norm({.p = 1, .axis = 0}), {3, 5, 7});
  expect_throw<ShapeError>([&] { (void)x.unsqueeze(0).t(); }, "t: shape (1, 2, 3) has more than two axes; use transpose, T or mT");
}

TEST(Methods, RandomNumbersHaveTheUsualBounds) {
  Tensor x = Tensor::zeros({1000});
  x.uniform_();
  EXPECT_TRUE(((x >= 0) & (x < 1)).all().item<bool>());
  x.normal_();
  EXPECT_NEAR(x.std().item<double>(), 1, 0.1);
}

// ---- parts ----

TEST(PartsOfAnAxis, AreReadAndWrittenThrough) {
  Tensor x = matrix();
  expect_equal(x.select(1, -1), {2}, {2, 5});
  expect_equal(x.narrow(1, 1, 2), {2, 2}, {1, 2, 4, 5});
  expect_equal(x.narrow(-1, -2, 1), {2, 1}, {1, 4});
  expect_equal(x.slice(1, none, none, 2), {2, 2}, {0, 2, 3, 5});
  expect_equal(x.slice(0, 1), {1, 3}, {3, 4, 5});
  x.select(1, 0) += 10;
  x.narrow(0, 1, 1).slice(1, 1).zero_();
  expect_equal(x, {2, 3}, {10, 1, 2, 13, 0, 0});
  for (Tensor column : x.unbind(1)) column[0] = 7;
  expect_equal(x, {2, 3}, {7, 7, 7, 13, 0, 0});
}
TEST(PartsOfAnAxis, PassGradients) {
  Tensor x({1.f, 2.f, 3.f}, {.requires_grad = true});
  (x.narrow(0, 1, 2) * Tensor({5.f, 7.f})).sum().backward();
  expect_equal(x.grad(), {3}, {0, 5, 7});
}
TEST(PartsOfAnAxis, OutsideThrow) {
  expect_throw<IndexError>([] { (void)matrix().narrow(1, 2, 2); }, "narrow: 2 entries from 2 on are not all inside axis 1 of shape (2, 3)");
  expect_throw<IndexError>([] { (void)matrix().narrow(1, -4, 1); },
                           "narrow: 1 entries from -4 on are not all inside axis 1 of shape (2, 3)");
  EXPECT_THROW((void)matrix().narrow(0, 0, -1), IndexError);
  EXPECT_THROW((void)matrix().select(1, 3), IndexError);
  EXPECT_THROW((void)matrix().select(2, 0), IndexError);
}

TEST(Entries, AreWalkedOver) {
  Tensor x = matrix();
  double sum = 0;
  int count = 0;
  for (Tensor row : x) {
    sum += (++count) * row.sum().item<double>();
    row *= 2;
  }
  EXPECT_EQ(count, 2);
  EXPECT_EQ(sum, 3 + 2 * 12);
  expect_equal(x, {2, 3}, {0, 2, 4, 6, 8, 10});
  for (const Tensor& none_there : Tensor::zeros({0, 3})) FAIL() << none_there;
  expect_throw<ShapeError>([] { for (const Tensor& t : Tensor::ones({})) (void)t; },
                           "begin: a tensor without axes has no entries to walk over; item() is its value");
}

// ---- by position ----

TEST(ByPosition, ReductionsTakeAxes) {
  const Tensor x = matrix();
  expect_equal(x.sum(1), {2}, {3, 12});
  expect_equal(x.sum(-1, true), {2, 1}, {3, 12});
  expect_equal(x.sum({0, 1}), {}, {15});
  expect_equal(x.sum({0, 1}, true), {1, 1}, {15});
  expect_equal(sum(x, {0}), {3}, {3, 5, 7});
  expect_equal(mean(x, 0), {3}, {1.5, 2.5, 3.5});
  expect_equal(x.argmax(int64_t{1}), {2}, {2, 2});
  expect_equal(x.any(1), {2}, {1, 1});
  expect_equal(x.all(1), {2}, {0, 1});
  expect_near(x.var(1), {1, 1});
  expect_near(x.std(1, true), {1, 1});
  EXPECT_THROW((void)x.sum(2), IndexError);
}
TEST(ByPosition, PoolingTakesSizes) {
  const Tensor x = Tensor::arange(16, {.dtype = float32}).reshape({1, 1, 4, 4});
  expect_equal(max_pool2d(x, 2), {1, 1, 2, 2}, {5, 7, 13, 15});
  expect_equal(max_pool2d(x, {4, 2}), {1, 1, 1, 2}, {13, 15});
  expect_equal(avg_pool2d(x, {2, 4}), {1, 1, 2, 1}, {3.5, 11.5});
}
TEST(ByPosition, CreationTakesWhatPyTorchDoes) {
  expect_equal(tensor(2.5), {}, {2.5});
  EXPECT_EQ(tensor(2.5).dtype(), float32);
  EXPECT_EQ(tensor(true).dtype(), bool_);
  EXPECT_EQ(tensor(7, {.dtype = int8}).dtype(), int8);
  const std::vector<int64_t> numbers{3, 4};
  expect_equal(tensor(numbers), {2}, {3, 4});
  EXPECT_EQ(tensor(numbers).dtype(), int64);
  EXPECT_EQ(tensor(numbers, {.dtype = float32}).dtype(), float32);
  EXPECT_EQ(eye(2, {.dtype = int8}).dtype(), int8);
  const Tensor drawn = randint(5, 7, {100});
  EXPECT_TRUE(((drawn >= 5) & (drawn < 7)).all().item<bool>());
}
TEST(ByPosition, BackwardTakesTheSeed) {
  Tensor x({1.f, 2.f}, {.requires_grad = true});
  (x * x).backward(Tensor({1.f, 10.f}));
  expect_equal(x.grad(), {2}, {2, 40});
}

TEST(Shapes, ArePrinted) {
  std::ostringstream out;
  out << matrix().shape() << Sizes{4} << Tensor::ones({}).shape();
  EXPECT_EQ(out.str(), "(2, 3)(4,)()");
}

}  // namespace
}  // namespace tg
