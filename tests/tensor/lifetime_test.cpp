// What is left behind: nodes, memory and history return when nobody needs them any more, and constants belong to no one.
#include "runtime/null/null.hpp"
#include "tensor/impl.hpp"
#include "tensor_testing.hpp"
#include "tg/ir/uop.hpp"
#include "tg/settings.hpp"

namespace tg {
namespace {

/// Whose launches let go of a tensor, as another thread may at any time.
struct LettingGo : NullDevice {
  using NullDevice::NullDevice;
  void launch(Program& program, const LaunchArgs& args) override {
    held = Tensor();
    lives = !pending_assignments({}, "letting go").empty();
    NullDevice::launch(program, args);
  }
  static inline Tensor held;
  static inline bool lives = false;
};

TEST(Lifetime, WhatIsComputedLivesUntilItIs) {
  const WithSettings lazily({.eager = false});  // eager tensors keep nothing for later
  register_device("letting go", [] { return std::make_unique<LettingGo>(device("null").target()); });
  const Tensor x = Tensor::ones({3}, {.device = "letting go"}).realize();
  LettingGo::held = Tensor::ones({3}, {.device = "letting go"}).realize();
  LettingGo::held.assign(LettingGo::held + 1);
  ASSERT_EQ(pending_assignments({}, "letting go").size(), 1u);
  (x + 1).realize();
  EXPECT_TRUE(LettingGo::lives) << "it is computed with what is asked for";
  EXPECT_TRUE(pending_assignments({}, "letting go").empty()) << "and gone then";
}
TEST(Lifetime, CountsReturn) {
  const Tensor data({1.f, 2.f, 3.f});
  Tensor w = leaf({1, 2, 3}, {3});
  const auto step = [&] {
    const Tensor loss = (w * data).sigmoid().sum();
    loss.backward();
    w.assign(w - 0.1 * w.grad());
    realize({w, loss});
    w.zero_grad();
  };
  step();
  const size_t nodes = detail::live_nodes();
  for (int i = 0; i < 5; ++i) step();
  EXPECT_EQ(detail::live_nodes(), nodes);
}
TEST(Lifetime, BuffersReturn) {
  auto& null = dynamic_cast<NullDevice&>(device("null"));
  const TensorOptions on{.device = "null", .requires_grad = true};
  const auto scope = [&] {
    Tensor w = Tensor::ones({100}, on);
    for (int i = 0; i < 3; ++i) {
      const Tensor loss = (w * 2).sigmoid().sum();
      loss.backward();
      w.assign(w - 0.1 * w.grad());
      realize({w, loss});
      w.zero_grad();
    }
  };
  scope();
  const size_t bytes = null.counts().live_bytes;
  scope();
  EXPECT_EQ(null.counts().live_bytes, bytes);
  {
    const Tensor kept = Tensor::ones({256}, on);
    EXPECT_GE(null.counts().live_bytes, bytes + 1024);
  }
  EXPECT_EQ(null.counts().live_bytes, bytes);
}
TEST(Lifetime, ConstantsBelongToNoTensorAndNoDevice) {
  const Tensor here = Tensor::full({2}, 3.f), there = Tensor::full({2}, 3.f, {.device = "interpreter"}), number = Tensor::full({}, 3.f);
  realize({here, number});
  there.realize();
  EXPECT_EQ(constant(float32, 3.0).storage(), nullptr);
  EXPECT_EQ(buffer_of(node_of(there, "test"))->device().interprets(), true);
  EXPECT_EQ(&buffer_of(node_of(here, "test"))->device(), &device(here.device()));
  expect_near(here * 2, {6, 6});
  const Tensor x = leaf(1), slope = gradient(x * 2, {x}, {.create_graph = true})[0];
  expect_near(slope.realize(), {2});
}
TEST(Lifetime, ARealizedValueWithoutGradientForgetsItsHistory) {
  const auto run = [](int steps) {
    Tensor y({1.f, 2.f});
    for (int i = 0; i < steps; ++i) y = (y * 0.5 + 1).realize();
    return y;
  };
  const Tensor warm = run(3);  // what the engine keeps for the next time
  const size_t nodes = detail::live_nodes();
  const Tensor y = run(50);
  EXPECT_EQ(detail::live_nodes(), nodes + 1);
  expect_near(y, {2, 2});
}

}  // namespace
}  // namespace tg
