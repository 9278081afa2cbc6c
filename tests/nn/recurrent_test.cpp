// Recurrent layers: a step by hand, agreement with the interpreter, and how many kernels a sequence costs.
#include "tg/recurrent.hpp"

#include "runtime/null/null.hpp"
#include "tensor/tensor_testing.hpp"

namespace tg::nn {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST(LSTMCell, AStepByHand) {
  LSTMCell cell(1, 1);
  cell.weight_ih = Tensor({{0.5f}, {-0.25f}, {1.f}, {2.f}});
  cell.weight_hh = Tensor({{1.f}, {0.5f}, {-1.f}, {0.25f}});
  cell.bias_ih = Tensor({0.1f, 0.2f, 0.3f, 0.4f});
  cell.bias_hh = Tensor({0.f, 0.1f, 0.f, -0.1f});
  const Memory m = cell(Tensor({{2.f}}), {Tensor({{0.5f}}), Tensor({{-1.f}})});
  const double i = sigmoid(1 + 0.5 + 0.1), f = sigmoid(-0.5 + 0.25 + 0.3), g = std::tanh(2 - 0.5 + 0.3), o = sigmoid(4 + 0.125 + 0.3);
  const double c = f * -1 + i * g;
  expect_near(m.c, {c});
  expect_near(m.h, {o * std::tanh(c)});
}
TEST(GRUCell, AStepByHand) {
  GRUCell cell(1, 1);
  cell.weight_ih = Tensor({{0.5f}, {-0.25f}, {1.f}});
  cell.weight_hh = Tensor({{1.f}, {0.5f}, {-1.f}});
  cell.bias_ih = Tensor({0.1f, 0.2f, 0.3f});
  cell.bias_hh = Tensor({0.f, 0.1f, 0.7f});
  const double r = sigmoid(1 + 0.5 + 0.1), u = sigmoid(-0.5 + 0.25 + 0.3), n = std::tanh(2 + 0.3 + r * (-0.5 + 0.7));
  expect_near(cell(Tensor({{2.f}}), Tensor({{0.5f}})), {(1 - u) * n + u * 0.5});
}

/// Output, states and gradients of two layers in both directions.
std::vector<double> values(const std::string& device, Gates gates) {
  manual_seed(3);
  const Recurrent layer(gates, 3, 4, {.layers = 2, .bidirectional = true, .tensor = {.device = device}});
  const int64_t steps = settings().device == "opencl" ? 2 : 5;  // each has kernels of its own, which its compiler takes long for
  const Tensor x = Tensor::from(samples(6 * steps, -1, 1), {steps, 2, 3}, {.dtype = float32, .device = device, .requires_grad = true});
  const Recurred r = layer(x);
  Tensor sum = r.output.square().sum() + r.h.sum();
  if (r.c.defined()) sum = sum + r.c.square().sum();
  sum.backward();
  std::vector<double> out = r.output.to_vector<double>();
  for (const Tensor& t : {r.h, x.grad(), layer.cells[0].weight_hh.grad(), layer.cells[3].bias_ih.grad()})
    for (double v : t.to_vector<double>()) out.push_back(v);
  return out;
}
TEST(Recurrent, AgreesWithTheInterpreter) {
  for (const Gates gates : {Gates::Tanh, Gates::Relu, Gates::Lstm, Gates::Gru}) {
    const auto here = values(settings().device, gates), there = values("interpreter", gates);
    ASSERT_EQ(here.size(), there.size());
    for (size_t i = 0; i < here.size(); ++i) EXPECT_NEAR(here[i], there[i], 2e-5) << i;
  }
}

TEST(Recurrent, AStepCostsOneToThreeKernels) {
  if (settings().eager) return;
  auto& null = dynamic_cast<NullDevice&>(device("null"));
  const auto cost = [&](Gates gates, int64_t time) {
    const Recurrent layer(gates, 32, 64, {.tensor = {.device = "null"}});
    for (const auto& entry : layer.state()) entry.second.realize();
    const Tensor x = Tensor::ones({time, 8, 32}, {.device = "null"}).realize();
    const int64_t kernels = null.counts().kernels;
    const NoGrad none;
    const Recurred r = layer(x);
    realize({r.output, r.h});
    return null.counts().kernels - kernels;
  };
  for (const auto& [gates, most] : {std::pair(Gates::Tanh, 1), {Gates::Lstm, 3}, {Gates::Gru, 2}})
    EXPECT_LE(cost(gates, 8) - cost(gates, 4), 4 * most) << static_cast<int>(gates);
}

}  // namespace
}  // namespace tg::nn
