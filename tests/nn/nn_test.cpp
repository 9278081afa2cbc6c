// Layers against what their formulas say, in training and in evaluation; names of what they hold.
#include "tg/nn.hpp"
#include "tg/transformer.hpp"

#include <numeric>

#include "tensor/tensor_testing.hpp"

namespace tg::nn {
namespace {

std::vector<std::string> names(const State& s) {
  std::vector<std::string> out;
  for (const auto& entry : s) out.push_back(entry.first);
  return out;
}
const Tensor& at(const State& s, const std::string& name) {
  for (const auto& entry : s)
    if (entry.first == name) return entry.second;
  throw ValueError("no " + name);
}
Tensor sequence(const Sizes& shape, double scale = 0.1) {
  return (Tensor::arange(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>())).cast(float32) * scale)
      .reshape(shape);
}

TEST(Linear, IsTheProductWithTheTransposedWeightPlusTheBias) {
  const Linear l(3, 2);
  Tensor(l.weight).assign(Tensor({{1.f, 2.f, 3.f}, {-1.f, 0.f, 1.f}}));
  Tensor(l.bias).assign(Tensor({0.5f, -0.5f}));
  expect_equal(l(Tensor({{1.f, 1.f, 1.f}, {0.f, 2.f, 0.f}})), {2, 2}, {6.5, -0.5, 4.5, -0.5});
  EXPECT_EQ(names(l.state()), (std::vector<std::string>{"weight", "bias"}));
  EXPECT_EQ(names(Linear(3, 2, {.bias = false}).state()), std::vector<std::string>{"weight"});
}

TEST(Linear, StartsWithinTheBoundAndSpreadsOverIt) {
  manual_seed(3);
  const auto w = Linear(100, 50).weight.to_vector<double>();
  double low = 1, high = -1, squares = 0;
  for (const double v : w) low = std::min(low, v), high = std::max(high, v), squares += v * v;
  EXPECT_GE(low, -0.1);
  EXPECT_LE(high, 0.1);
  EXPECT_NEAR(squares / static_cast<double>(w.size()), 0.01 / 3, 2e-4);  // the variance of a uniform number in +-0.1
}

TEST(Linear, RefusesSizesWithoutMeaning) {
  expect_throw<ValueError>([] { Linear(0, 2); }, "Linear: in is 0; it takes 1 or more");
}

TEST(Conv2d, HandsItsOptionsOn) {
  const Conv2d c(2, 4, {3, 2}, {.stride = 2, .padding = 1, .groups = 2});
  EXPECT_EQ(c.weight.shape(), (Sizes{4, 1, 3, 2}));
  const Tensor x = sequence({1, 2, 5, 6});
  expect_close(c(x), x.conv2d(c.weight, c.bias, {.stride = 2, .padding = 1, .groups = 2}));
  expect_throw<ValueError>([] { Conv2d(3, 4, 3, {.groups = 2}); }, "Conv2d: 3 channels in and 4 out do not both divide by 2 groups");
}

TEST(BatchNorm, NormalisesByTheBatchAndMovesTheRunningStatistics) {
  const BatchNorm b(2, {.eps = 0, .momentum = 0.25});
  Tensor(b.weight).assign(Tensor({2.f, 1.f}));
  Tensor(b.bias).assign(Tensor({0.f, 10.f}));
  // channel 0: 1, 2, 3, 6: mean 3, variance 3.5 (14/3 of a sample); channel 1: 0, 0, 4, 4: mean 2, variance 4 (16/3)
  const Tensor x({{{1.f, 2.f}, {0.f, 0.f}}, {{3.f, 6.f}, {4.f, 4.f}}});
  const double s = 2 / std::sqrt(3.5);
  expect_near(b(x), {-2 * s, -s, 9, 9, 0, 3 * s, 11, 11});
  expect_near(b.running_mean, {0.75, 0.5});
  expect_near(b.running_var, {0.75 + 0.25 * 14 / 3, 0.75 + 0.25 * 16 / 3});
  const Evaluation mode;
  expect_near(b(Tensor({{0.75f, 0.5f}})), {0, 10});
  expect_near(b.running_mean, {0.75, 0.5});
}

TEST(BatchNorm, RefusesWhatHasNoVariance) {
  const BatchNorm b(2);
  expect_throw<ValueError>([&] { return b(Tensor({{1.f, 2.f}})); },
                           "BatchNorm: an input of shape (1, 2) has one number a channel, which has no variance");
  expect_throw<ShapeError>([&] { return b(Tensor({{1.f, 2.f, 3.f}})); },
                           "BatchNorm: the input's shape (1, 3) has not 2 channels on axis 1");
}

TEST(LayerNorm, NormalisesTheLastAxes) {
  const LayerNorm l({2}, {.eps = 0});
  expect_near(l(Tensor({{1.f, 3.f}, {10.f, 2.f}})), {-1, 1, 1, -1});
  const LayerNorm plain({2}, {.eps = 0, .affine = false});
  expect_near(plain(Tensor({{1.f, 3.f}, {10.f, 2.f}})), {-1, 1, 1, -1});
  EXPECT_TRUE(plain.state().empty());
}

TEST(Embedding, TakesRowsAndSendsTheirGradientsBack) {
  const Embedding e(4, 2);
  const Tensor x({{3, 1}, {3, 3}});
  EXPECT_EQ(e(x).shape(), (Sizes{2, 2, 2}));
  expect_close(e(x), e.weight.take(x));
  e(x).sum().backward();
  expect_equal(e.weight.grad(), {4, 2}, {0, 0, 1, 1, 0, 0, 3, 3});
}

TEST(Dropout, DropsInTrainingAlone) {
  manual_seed(1);
  const Dropout d(0.25);
  const Tensor ones = Tensor::ones({4000});
  int zeros = 0;
  for (const float v : d(ones).to_vector<float>()) {
    zeros += v == 0;
    EXPECT_TRUE(v == 0 || std::abs(v - 4.0f / 3) < 1e-6f) << v;
  }
  EXPECT_NEAR(zeros, 1000, 120);  // more than four standard deviations
  const Evaluation mode;
  expect_close(d(ones), ones, 0);
  expect_throw<ValueError>([] { Dropout(1.0); }, "Dropout: the probability is 1; it takes 0 or more and less than 1");
}

TEST(Evaluation, EndsWithItsScope) {
  EXPECT_TRUE(training());
  {
    const Evaluation outer;
    { const Evaluation inner; }
    EXPECT_FALSE(training());
  }
  EXPECT_TRUE(training());
}

TEST(Sequential, CallsInOrderAndNamesByNameOrPosition) {
  const Sequential net{{"hidden", Linear(3, 4)}, relu, Linear(4, 2), BatchNorm(2)};
  EXPECT_EQ(names(net.state()), (std::vector<std::string>{"hidden.weight", "hidden.bias", "2.weight", "2.bias", "3.weight", "3.bias",
                                                          "3.running_mean", "3.running_var"}));
  EXPECT_EQ(parameters(net.state()).size(), 6u);
  const Evaluation mode;
  const Tensor x = sequence({2, 3}), hidden = x.matmul(at(net.state(), "hidden.weight").T()) + at(net.state(), "hidden.bias");
  const Tensor y = hidden.relu().matmul(at(net.state(), "2.weight").T()) + at(net.state(), "2.bias");
  expect_close(net(x), y / std::sqrt(1 + 1e-5), 1e-5);
}

TEST(State, NamesATiedWeightTwiceAndHasOneParameter) {
  const Embedding tokens(5, 3);
  Linear out(3, 5, {.bias = false});
  out.weight = tokens.weight;
  const Sequential net{{"tokens", tokens}, {"out", out}};
  EXPECT_EQ(names(net.state()), (std::vector<std::string>{"tokens.weight", "out.weight"}));
  EXPECT_EQ(names(parameters(net.state())), std::vector<std::string>{"tokens.weight"});
}

TEST(Sequential, TakesAnyCallable) {
  struct Twice {
    Tensor operator()(const Tensor& x) const { return x * 2; }
  };
  const Sequential inner{Twice(), [](const Tensor& x) { return x + 1; }};
  const Sequential outer{inner, Twice()};
  expect_equal(outer(Tensor({1.f, 2.f})), {2}, {6, 10});
  EXPECT_TRUE(outer.state().empty());
}

TEST(Transformers, AreStacksOfCopies) {
  const TransformerEncoderLayer block(4, 2, {.feedforward = 6, .dropout = 0, .batch_first = true});
  const TransformerEncoder encoder(block, 2, LayerNorm({4}));
  const std::vector<std::string> all = names(encoder.state());
  EXPECT_EQ(all.size(), 2 * block.state().size() + 2);
  EXPECT_EQ(all.front(), "layers.0.self_attn.in_proj_weight");
  EXPECT_EQ(all.back(), "norm.bias");
  const Tensor x = sequence({2, 3, 4});
  expect_close(encoder(x, {.causal = true}), (*encoder.norm)(block(block(x, {.causal = true}), {.causal = true})), 1e-6);
  Tensor(encoder.layers[0].linear1.weight).assign(0);  // its own
  EXPECT_NE(block.linear1.weight.abs().sum().item<float>(), 0);
  EXPECT_NE(encoder.layers[1].linear1.weight.abs().sum().item<float>(), 0);

  const TransformerDecoderLayer deep(4, 2, {.feedforward = 6, .dropout = 0, .batch_first = true});
  const TransformerDecoder decoder(deep, 2);
  const Tensor memory = sequence({2, 5, 4});
  expect_close(decoder(x, memory), deep(deep(x, memory), memory), 1e-6);
  expect_throw<ValueError>([&] { TransformerDecoder(deep, 0); }, "TransformerDecoder: 0 layers; it takes 1 or more");
  manual_seed(1);
  const std::vector<float> next = Tensor::rand({3}).to_vector<float>();
  manual_seed(1);
  const TransformerEncoder undrawn(block, 3);
  EXPECT_EQ(Tensor::rand({3}).to_vector<float>(), next);
}

}  // namespace
}  // namespace tg::nn
