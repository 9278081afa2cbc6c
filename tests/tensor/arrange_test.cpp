// Arrangements and contractions besides the methods of Tensor: known values, gradients, what they refuse.
#include "tensor_testing.hpp"

namespace tg {
namespace {

const Tensor& counted() { static const Tensor x = Tensor::arange(6).reshape({2, 3}); return x; }

TEST(Arrange, Creation) {
  const Tensor half({{1.f, 2.f}}, {.dtype = float16});
  EXPECT_EQ(zeros_like(half).dtype(), float16);
  expect_equal(ones_like(half, {.dtype = int8}), {1, 2}, {1, 1});
  expect_equal(full_like(counted(), 7), {2, 3}, {7, 7, 7, 7, 7, 7});
  EXPECT_EQ(rand_like(half).shape(), half.shape());
  EXPECT_EQ(randn_like(half).dtype(), float16);
  EXPECT_EQ(empty({2, 0}).shape(), (Sizes{2, 0}));
  EXPECT_EQ(empty_like(half).shape(), half.shape());
  expect_near(linspace(0, 1, 5), {0, 0.25, 0.5, 0.75, 1}, 0);
  expect_near(linspace(-1, 0.3, 4), {-1, -1 + 1.3 / 3, -1 + 2.6 / 3, static_cast<double>(0.3f)}, 1e-7);
  expect_equal(linspace(3, 9, 1), {1}, {3});
  expect_equal(linspace(3, 9, 0), {0}, {});
  expect_equal(tri(2, 3), {2, 3}, {1, 0, 0, 1, 1, 0});
  expect_equal(tri(2, 3, 1, {.dtype = int32}), {2, 3}, {1, 1, 0, 1, 1, 1});
  const auto grid = meshgrid({Tensor({1, 2}), Tensor({3, 4, 5})});
  expect_equal(grid[0], {2, 3}, {1, 1, 1, 2, 2, 2});
  expect_equal(grid[1], {2, 3}, {3, 4, 5, 3, 4, 5});
  expect_equal(meshgrid({Tensor({1, 2}), Tensor({3, 4, 5})}, true)[0], {3, 2}, {1, 2, 1, 2, 1, 2});
}
TEST(Arrange, RollAndRepeat) {
  expect_equal(roll(counted(), {1}), {2, 3}, {5, 0, 1, 2, 3, 4});
  expect_equal(roll(counted(), {-1, 4}, {0, 1}), {2, 3}, {5, 3, 4, 2, 0, 1});
  expect_equal(roll(Tensor::zeros({0, 2}), {1}, 0), {0, 2}, {});
  expect_equal(repeat_interleave(counted(), 2, 1), {2, 6}, {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5});
  expect_equal(repeat_interleave(Tensor({1, 2}), 2), {4}, {1, 1, 2, 2});
  expect_equal(repeat_interleave(counted(), Tensor({0, 2}), 0), {2, 3}, {3, 4, 5, 3, 4, 5});
  expect_equal(repeat_interleave(Tensor({2, 0, 1})), {3}, {0, 0, 2});
  expect_throw<ShapeError>([] { (void)repeat_interleave(Tensor({{1, 2}})); },
                           "repeat_interleave: counts of shape (1, 2); alone they are a vector");
  expect_throw<ValueError>([] { (void)roll(counted(), {1, 2}, 0); }, "roll: 2 shifts for 1 axes; give one an axis");
}
TEST(Arrange, Diagonals) {
  expect_equal(diagonal(counted()), {2}, {0, 4});
  expect_equal(diagonal(counted(), 1), {2}, {1, 5});
  expect_equal(diagonal(counted(), 2), {1}, {2});
  expect_equal(diagonal(counted(), -1), {1}, {3});
  expect_equal(diagonal(counted(), 5), {0}, {});
  expect_equal(diagonal(Tensor::arange(8).reshape({2, 2, 2}), 0, 0, 2), {2, 2}, {0, 5, 2, 7});
  expect_equal(diag(Tensor({1, 2})), {2, 2}, {1, 0, 0, 2});
  expect_equal(diag(Tensor({1, 2}), 1), {3, 3}, {0, 1, 0, 0, 0, 2, 0, 0, 0});
  expect_equal(diag(Tensor({1}), -1), {2, 2}, {0, 0, 1, 0});
  expect_equal(diag(counted()), {2}, {0, 4});
  expect_equal(diag_embed(Tensor({{1, 2}}), 0, 0, 2), {2, 1, 2}, {1, 0, 0, 2});
  expect_throw<ValueError>([] { (void)diag_embed(counted(), 0, 1, -2); }, "diag_embed: axis 1 twice; it takes two");
  expect_equal(tril(counted()), {2, 3}, {0, 0, 0, 3, 4, 0});
  expect_equal(triu(counted(), 1), {2, 3}, {0, 1, 2, 0, 0, 5});
  expect_equal(unfold(Tensor::arange(5), 0, 3, 2), {2, 3}, {0, 1, 2, 2, 3, 4});
  expect_throw<ShapeError>([] { (void)unfold(counted(), 1, 4, 1); }, "unfold: a window of 4 does not fit into axis 1 of shape (2, 3)");
}
TEST(Arrange, PadsWithItself) {
  const Tensor x({1, 2, 3});
  expect_equal(pad(x, {{2, 1}}, PadMode::Reflect), {6}, {3, 2, 1, 2, 3, 2});
  expect_equal(pad(x, {{2, 1}}, PadMode::Replicate), {6}, {1, 1, 1, 2, 3, 3});
  expect_equal(pad(x, {{2, 1}}, PadMode::Circular), {6}, {2, 3, 1, 2, 3, 1});
  expect_equal(pad(x, {{-1, 1}}, PadMode::Replicate), {3}, {2, 3, 3});
  expect_equal(pad(counted(), {{1, 0}, {0, 1}}, PadMode::Circular), {3, 4}, {3, 4, 5, 3, 0, 1, 2, 0, 3, 4, 5, 3});
  expect_throw<ShapeError>([&] { (void)pad(x, {{3, 0}}, PadMode::Reflect); },
                           "pad: (3, 0) of axis 0 of 3 elements; this mode has at most 2 to fill with");
}
TEST(Arrange, Rearrange) {
  const Tensor x = Tensor::arange(12).reshape({2, 6});
  expect_equal(rearrange(x, "a b -> b a"), {6, 2}, {0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11});
  expect_equal(rearrange(x, "b (h w) -> (b h) w", {{"h", 3}}), {6, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  expect_equal(rearrange(x, "b (h w) -> w b 1 h", {{"w", 3}}), {3, 2, 1, 2}, {0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11});
  EXPECT_EQ(rearrange(Tensor::zeros({2, 3, 4, 5}), "a ... b -> b ... a").shape(), (Sizes{5, 3, 4, 2}));
  EXPECT_EQ(rearrange(Tensor::zeros({2, 3, 4, 5}), "... b -> (...) b").shape(), (Sizes{24, 5}));
  EXPECT_EQ(rearrange(Tensor::zeros({1, 3}), "1 a -> a").shape(), (Sizes{3}));
  expect_throw<ValueError>([&] { (void)rearrange(x, "a b -> a c"); },
                           "rearrange: \"a b -> a c\": c stands on the right alone; every name stands on both sides");
  expect_throw<ValueError>([&] { (void)rearrange(x, "a b"); }, "rearrange: \"a b\": it has no ->");
  expect_throw<ValueError>([&] { (void)rearrange(x, "a (b c) -> a b c"); },
                           "rearrange: \"a (b c) -> a b c\": the sizes of b and c are open; give one");
  expect_throw<ValueError>([&] { (void)rearrange(x, "a (b c) -> a b c", {{"b", 4}}); },
                           "rearrange: \"a (b c) -> a b c\": axis 1 of size 6 does not divide by b 4");
}
TEST(Contract, Einsum) {
  const Tensor a = Tensor::arange(6).reshape({2, 3}), b = Tensor::arange(12).reshape({3, 4}), s = Tensor::arange(9).reshape({3, 3});
  expect_close(einsum("ij,jk->ik", {a, b}), a.matmul(b), 0);
  expect_close(einsum("ij,jk", {a, b}), a.matmul(b), 0);
  expect_equal(einsum("ij->", {a}), {}, {15});
  expect_equal(einsum("ij->ji", {a}), {3, 2}, {0, 3, 1, 4, 2, 5});
  expect_equal(einsum("ii", {s}), {}, {12});
  expect_equal(einsum("ii->i", {s}), {3}, {0, 4, 8});
  expect_equal(einsum("i,j->ij", {Tensor({1, 2}), Tensor({3, 4})}), {2, 2}, {3, 4, 6, 8});
  expect_close(einsum("ij,jk,lk->il", {a, b, b}), a.matmul(b).matmul(b.T()), 0);
  const Tensor batch = Tensor::arange(12).reshape({2, 2, 3}), other = Tensor::arange(6).reshape({1, 3, 2});
  expect_close(einsum("...ij,...jk->...ik", {batch, other}), batch.matmul(other), 0);
  expect_close(einsum("...j,j", {batch, Tensor({1, 2, 3})}), batch.matmul(Tensor({1, 2, 3})), 0);
  EXPECT_EQ(einsum("i,i->", {Tensor({1.f}, {.dtype = float16}), Tensor({2.f}, {.dtype = float16})}).dtype(), float16);
  expect_throw<ValueError>([&] { (void)einsum("ij,jk->il", {a, b}); },
                           "einsum: \"ij,jk->il\": l must name one axis of the result, and of an operand");
  expect_throw<ShapeError>([&] { (void)einsum("ij,ik->jk", {a, b}); },
                           "einsum: \"ij,ik->jk\": axis i has 2 elements and, in operand 1, 3");
  expect_throw<ValueError>([&] { (void)einsum("ijk->i", {a}); },
                           "einsum: \"ijk->i\": \"ijk\" names 3 axes of operand 0, whose shape is (2, 3)");
}
TEST(Contract, ProductsAndNorms) {
  expect_equal(outer(Tensor({1, 2}), Tensor({3, 4, 5})), {2, 3}, {3, 4, 5, 6, 8, 10});
  const Tensor a = Tensor::arange(24).reshape({2, 3, 4}), b = Tensor::arange(24).reshape({3, 4, 2});
  expect_equal(tensordot(a, b), {2, 2}, {1012, 1078, 2596, 2806});
  expect_close(tensordot(a, b, {1}, {0}), einsum("ijk,jlm->iklm", {a, b}), 0);
  expect_equal(tensordot(Tensor({1, 2}), Tensor({3, 4}), 0), {2, 2}, {3, 4, 6, 8});
  const Tensor x({{3.f, -4.f}, {0.f, 1.f}});
  expect_near(norm(x, {.axis = 1}), {5, 1}, 0);
  expect_near(norm(x, {.p = 1}), {8}, 0);
  expect_near(norm(x, {.p = HUGE_VAL, .axis = 0, .keepdim = true}), {3, 4}, 0);
  expect_near(norm(x, {.p = -HUGE_VAL}), {0}, 0);
  expect_near(norm(x, {.p = 0, .axis = 1}), {2, 1}, 0);
  expect_near(norm(x, {.p = 3}), {std::cbrt(27 + 64 + 1)}, 1e-6);
  expect_equal(count_nonzero(x, {.axis = 0}), {2}, {1, 2});
}
TEST(Contract, Gradients) {
  REQUIRE_DTYPE(float64);
  const Tensor x = f64({1, 2, 3, 4, 5, 6}, {2, 3}, true);
  const Tensor y = einsum("ij,kj->ik", {x, x}).sum() + norm(x).square() + diagonal(x).sum() * 10 + roll(x, {1}).at(0, 0) +
                   pad(x, {{1, 1}}, PadMode::Reflect).sum() + tril(x).sum() * 100;
  y.backward();
  std::vector<double> expected;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      expected.push_back(2 * (2 * j + 5) + 2 * (3 * i + j + 1) + (i == j ? 10 : 0) + (i == 1 && j == 2) + (j == 1 ? 3 : 1) +
                         (j <= i ? 100 : 0));
  expect_near(x.grad(), expected);
}

}  // namespace
}  // namespace tg
