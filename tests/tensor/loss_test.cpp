// Losses, attention and norms: values by hand where formulas have edges, and what is wrong with arguments.
#include "tensor_testing.hpp"

namespace tg {
namespace {

TEST(Losses, ElementByElement) {
  const Tensor x({0.f, 1.f, 3.f}), t({0.5f, 1.f, 0.f});
  expect_near(mse_loss(x, t), {9.25 / 3});
  expect_near(l1_loss(x, t, Reduction::Sum), {3.5});
  expect_near(huber_loss(x, t, 2, Reduction::None), {0.125, 0, 4});
  expect_near(smooth_l1_loss(x, t, 2, Reduction::None), {0.0625, 0, 2});
  expect_near(smooth_l1_loss(x, t, 0), {3.5 / 3});
  expect_near(mse_loss(Tensor({{1.f, 2.f}, {3.f, 4.f}}), Tensor({1.f, 2.f}), Reduction::BatchMean), {4});
  expect_near(mse_loss(Tensor({1, 2}), Tensor({3, 3})), {2.5});
}
TEST(Losses, BinaryCrossEntropyHasNoInfinities) {
  expect_near(binary_cross_entropy(Tensor({0.f, 1.f, 0.5f}), Tensor({1.f, 1.f, 0.f}), {.reduction = Reduction::None}),
              {100, 0, std::log(2.)});
  const Tensor logits({-100.f, 100.f, -20.f});
  expect_near(binary_cross_entropy_with_logits(logits, Tensor({1.f, 0.f, 0.f}), {.reduction = Reduction::None}),
              {100, 100, std::log1p(std::exp(-20.))}, 1e-12 + 3e-6);
  EXPECT_NEAR(binary_cross_entropy_with_logits(Tensor({-20.f}), Tensor({0.f})).item<double>(), 2.06e-9, 1e-11);
}
TEST(Losses, OfClassesThatAreIgnoredOrOutside) {
  const Tensor x({{1.f, 2.f}, {3.f, NAN}});
  expect_near(nll_loss(x, Tensor({1, -100})), {-2});
  expect_near(nll_loss(x, Tensor({0, 0}), {.ignore_index = 0}), {NAN});  // the mean of nothing
  expect_near(nll_loss(x, Tensor({0, 0}), {.weight = Tensor({2.f, 1.f})}), {-2});
  expect_throw<IndexError>([&] { nll_loss(x, Tensor({0, 2})).realize(); }, "index 2 is out of bounds for an axis of size 2");
  for (const DType t : {int8, int16, int32, int64})
    expect_throw<IndexError>([&] { nll_loss(x, Tensor({0, -1}, {.dtype = t})).realize(); },
                             "index -1 is out of bounds for an axis of size 2");
  expect_throw<IndexError>([&] { cross_entropy(x, Tensor({-3, 0})).realize(); }, "index -3 is out of bounds for an axis of size 2");
  expect_near(nll_loss(x, Tensor({-1, 1}), {.ignore_index = -1}), nll_loss(x, Tensor({-100, 1})).to_vector<double>());
  expect_throw<ShapeError>([&] { (void)nll_loss(x, Tensor({0})); },
                           "nll_loss: targets of shape (1,) for an input of shape (2, 2); they must be (2,), one class index each");
  expect_throw<ShapeError>([&] { (void)nll_loss(x, Tensor({0, 1}), {.weight = Tensor({1.f})}); },
                           "nll_loss: a weight of shape (1,) for 2 classes; it takes one each");
  expect_throw<DTypeError>([&] { (void)nll_loss(x, Tensor({0.f, 1.f})); },
                           "nll_loss: not defined for float32; targets are integers; cast them");
  expect_throw<ValueError>([&] { (void)cross_entropy(x, Tensor({0, 1}), {.label_smoothing = 2}); },
                           "cross_entropy: label_smoothing is 2; it takes a number from 0 to 1");
  expect_throw<ValueError>([&] { (void)huber_loss(x, x, 0); }, "huber_loss: delta is 0; it takes a number above 0");
}
TEST(Losses, HalvesAreComputedInFloat32) {
  REQUIRE_DTYPE(float16);
  const Tensor x = Tensor::full({4096}, 1.f, {.dtype = float16});
  expect_near(mse_loss(x, x * 0, Reduction::Sum), {4096}, 0);
  EXPECT_EQ(mse_loss(x, x).dtype(), float16);
  expect_near(kl_div(Tensor({-1.f, -2.f}), Tensor({0.f, 1.f}), false, Reduction::Sum), {2});
}

TEST(Attention, MasksAndGroups) {
  const Tensor q = f64(samples(24, -1, 1, 1), {1, 4, 2, 3}).cast(float32), k = f64(samples(12, -1, 1, 2), {1, 2, 2, 3}).cast(float32);
  const Tensor shared = k.unsqueeze(2).expand({1, 2, 2, 2, 3}).flatten(1, 2);
  expect_close(scaled_dot_product_attention(q, k, k, {.grouped = true}), scaled_dot_product_attention(q, shared, shared), 1e-6);
  const Tensor causal = scaled_dot_product_attention(q, shared, shared, {.causal = true});
  expect_close(causal.at(0, slice(), 0), shared.at(0, slice(), 0), 1e-6);  // the first query sees the first key alone
  const Tensor mask({{true, false}, {true, true}});
  expect_close(scaled_dot_product_attention(q, shared, shared, {.mask = mask}), causal, 1e-6);
  expect_close(scaled_dot_product_attention(q, k, k, {.mask = mask.expand({4, 2, 2}), .grouped = true}), causal, 1e-6);
  expect_near(attention_weights(q, k, {.grouped = true}).sum({.axis = -1}), std::vector<double>(8, 1));
  EXPECT_THROW((void)scaled_dot_product_attention(q, k.at(slice(), slice(), slice(), slice(0, 2)), k), ShapeError);
  expect_throw<ValueError>([&] { (void)scaled_dot_product_attention(q.at(slice(), slice(0, 3)), k, k, {.grouped = true}); },
                           "scaled_dot_product_attention: 3 heads of queries do not divide by 2 of keys");
}

TEST(Norms, OfGroupsAndInstances) {
  const Tensor x = f64(samples(48, -3, 5, 1), {2, 4, 6}).cast(float32);
  expect_near(group_norm(x, 2).reshape({2, 2, 12}).mean({.axis = 2}), {0, 0, 0, 0}, 1e-6);
  expect_near(group_norm(x, 2, Tensor(), Tensor(), {.eps = 0}).reshape({2, 2, 12}).var({.axis = 2, .correction = 0}), {1, 1, 1, 1}, 1e-5);
  expect_close(instance_norm(x), group_norm(x, 4), 1e-6);
  expect_near(rms_norm(x, Tensor::ones({6}), {.eps = 0}).square().mean({.axis = 2}), std::vector<double>(8, 1), 1e-5);
  expect_throw<ValueError>([&] { (void)group_norm(x, 3); }, "group_norm: the 4 channels of shape (2, 4, 6) do not divide by 3 groups");
  expect_throw<ShapeError>([&] { (void)rms_norm(x, Tensor::ones({4})); },
                           "rms_norm: the weight's shape (4,) is not that of the last axes of (2, 4, 6), over which it normalises");
}

}  // namespace
}  // namespace tg
