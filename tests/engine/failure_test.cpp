// A compiler, an allocator or a launch that fails: an error, and every tensor is as usable as before.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/env.hpp"
#include "tg/device.hpp"
#include "tg/nn.hpp"
#include "tg/optim.hpp"
#include "tg/settings.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

struct Interrupted {};

/// The cpu, but for what is told to fail.
class Failing : public Device {
 public:
  std::atomic<bool> compiler = false, memory = false, launches = false, slow = false;
  const Target& target() const override { return target_; }
  void* allocate(size_t bytes) override {
    if (memory) throw DeviceError("no memory today");
    return cpu_.allocate(bytes);
  }
  void free(void* handle, size_t bytes) noexcept override { cpu_.free(handle, bytes); }
  void copy_in(MemoryRef to, const void* from, size_t bytes) override { cpu_.copy_in(to, from, bytes); }
  void copy_out(void* to, MemoryRef from, size_t bytes) override { cpu_.copy_out(to, from, bytes); }
  std::string compile(const std::string& text) override { return cpu_.compile(text); }
  std::shared_ptr<Program> load(const std::string& binary, std::span<const PhaseInfo> phases) override {
    if (compiler) throw DeviceError("no code today");  // here, since the text may have been compiled by an earlier process
    return cpu_.load(binary, phases);
  }
  void launch(Program& program, const LaunchArgs& args) override {
    if (slow) std::this_thread::sleep_for(std::chrono::milliseconds(60));
    cpu_.launch(program, args);
    if (launches) throw DeviceError("no result today");
  }
  std::optional<Fault> synchronize() override { return cpu_.synchronize(); }

 private:
  static Target renamed(Target t) { t.name += ", failing"; return t; }  // kernels on disk are found by it
  Device& cpu_ = device("cpu");
  const Target target_ = renamed(cpu_.target());
};

Failing& opened() {
  register_device("failing", [] { return std::make_unique<Failing>(); });
  return dynamic_cast<Failing&>(device("failing"));
}
struct Failure : testing::TestWithParam<std::atomic<bool> Failing::*> {
  Failing& failing = opened();
  std::atomic<bool>& broken = failing.*GetParam();
  const TensorOptions on{.device = "failing"};
  const float odd = next_ += 0.25f;  // of this case alone, so that no kernel is known already

 private:
  static inline float next_ = 3;
};
INSTANTIATE_TEST_SUITE_P(, Failure, testing::Values(&Failing::compiler, &Failing::memory),
                         [](const auto& i) { return i.param == &Failing::compiler ? "OfTheCompiler" : "OfMemory"; });

TEST_P(Failure, LeavesOperandsAndResultUsable) {
  const Tensor x({1.f, 2.f, 3.f}, on);
  Tensor y;
  const auto compute = [&] {
    if (!y.defined()) y = (x * odd + 1).sum();
    return y.item<float>();
  };
  broken = true;
  for (int i = 0; i < 2; ++i) EXPECT_THROW((void)compute(), DeviceError);
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, 2, 3}));
  broken = false;
  EXPECT_NEAR(compute(), 6 * odd + 3, 1e-3);
}

TEST(Interruption, EndsWhatIsComputedBeforeAnythingIsOverwritten) {
  const WithSettings lazily({.eager = false});
  register_device("failing", [] { return std::make_unique<Failing>(); });
  auto& failing = dynamic_cast<Failing&>(device("failing"));
  const TensorOptions on{.device = "failing"};
  Tensor x = Tensor::full({2, 2}, 2.f, on).contiguous().realize();
  const Tensor y = x.matmul(x).matmul(x).matmul(x);
  failing.slow = true;
  set_interruption([] { throw Interrupted(); });
  EXPECT_THROW(y.realize(), Interrupted);
  EXPECT_THROW(x.assign(y).realize(), Interrupted);
  set_interruption(nullptr);
  failing.slow = false;
  EXPECT_EQ(y.at(0, 0).item<float>(), 128);  // 2, 8, 32, 128: of the x that was not overwritten
}

TEST_P(Failure, OfAnAssignmentMeansItHasNotHappened) {
  Tensor x = Tensor::full({4}, 1.f, on).contiguous().realize();
  broken = true;
  EXPECT_THROW(x.assign(x * 2 + odd).realize(), DeviceError);
  EXPECT_THROW((x + odd).realize(), DeviceError);
  broken = false;
  EXPECT_EQ(x.to_vector<float>(), std::vector<float>(4, 1));
  EXPECT_EQ(x.assign(x * 2 + odd).to_vector<float>(), std::vector<float>(4, 2 + odd));
}

TEST_P(Failure, LeavesATensorThatWasToRequireAGradient) {
  const WithSettings lazily({.eager = false});
  Tensor x({1.f, odd}, on);
  const Tensor same = x.detach();
  broken = true;
  if (&broken == &failing.memory) { EXPECT_THROW(x.set_requires_grad(), DeviceError); }
  broken = false;
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, odd}));
  EXPECT_EQ(same.to_vector<float>(), (std::vector<float>{1, odd}));
}

TEST_P(Failure, OfATrainingStepMeansItHasNotHappened) {
  const auto trained = [&](bool fails) {
    Tensor w({1.f, -2.f}, {.device = "failing", .requires_grad = true});
    nn::Adam optimizer({{"w", w}}, {.lr = 0.5});
    const auto differentiate = [&] { (w * w.flip(0) * w.sum() * (odd + 1)).sum().backward(); };  // a sum in memory of the step's own
    if (fails) {
      differentiate();
      broken = true;
      EXPECT_THROW(optimizer.step(), DeviceError);
      broken = false;
      EXPECT_EQ(w.to_vector<float>(), (std::vector<float>{1, -2}));
    }
    for (int i = 0; i < 2; ++i) differentiate(), optimizer.step();
    return w.to_vector<float>();
  };
  const auto failed = trained(true), made = trained(false);
  if (!settings().eager) { EXPECT_EQ(failed, made); }  // else every operation is a step of its own
}

TEST(IndexOutside, IsForgottenWhereTheLaunchFails) {
  Failing& failing = opened();
  const Tensor table = Tensor::arange(4, {.dtype = float32, .device = "failing"}).realize();
  failing.launches = true;
  EXPECT_THROW(table.take(Tensor({0, 9}, {.device = "failing"})).realize(), DeviceError);
  failing.launches = false;
  EXPECT_EQ(table.take(Tensor({0, 3}, {.device = "failing"})).to_vector<float>(), (std::vector<float>{0, 3}));
}

TEST(IndexOutside, LeavesWhatWasToBeOverwritten) {
  const std::string device = settings().device;
  const Tensor table = Tensor::arange(4, {.dtype = float32, .device = device}).realize(), bad({0, 9}, {.device = device});
  Tensor w = (Tensor::arange(5, {.dtype = float32, .device = device}) + 1).realize();
  const std::vector<float> before = w.to_vector<float>();
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(w.assign(w * 2 + table.take(bad).sum()).realize(), IndexError);  // fused, or a kernel before
    EXPECT_THROW(w.assign(w + table.take(bad).reshape({2, 1}).expand({2, 5}).sum({.axis = 0})).realize(), IndexError);
    EXPECT_THROW(w.set(bad, 50.f).realize(), IndexError);
    EXPECT_EQ(w.to_vector<float>(), before);
  }
}

TEST(IndexOutside, IsAStepThatHasNotHappened) {
  const std::string device = settings().device;
  const auto trained = [&](bool fails) {
    manual_seed(1);
    nn::Sequential net{{"in", nn::Linear(3, 4, {.tensor = {.device = device}})},
                       {"norm", nn::BatchNorm(4, {.tensor = {.device = device}})}};
    nn::Adam optimizer(net.state(), {.lr = 0.1});
    const Tensor x = Tensor::uniform({6, 3}, {.tensor = {.device = device}}).realize();
    const auto step = [&](int last) {
      const Tensor loss = net(x).cross_entropy(Tensor({0, 1, 2, 3, 0, last}, {.device = device}));
      loss.backward();
      optimizer.step({loss});
    };
    step(1);
    if (fails) { EXPECT_THROW(step(4), IndexError); }
    step(2);
    std::vector<float> all;
    for (const auto& [name, t] : net.state()) for (float v : t.to_vector<float>()) all.push_back(v);
    return all;
  };
  const auto failed = trained(true), made = trained(false);
  if (!settings().eager) { EXPECT_EQ(failed, made); }  // else every operation is a step of its own
}

}  // namespace
}  // namespace tg
