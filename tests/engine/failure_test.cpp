// A compiler, an allocator or a launch that fails: an error, and every tensor is as usable as before.
#include <gtest/gtest.h>

#include <atomic>

#include "base/env.hpp"
#include "tg/device.hpp"
#include "tg/nn.hpp"
#include "tg/optim.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

/// The cpu, but for what is told to fail.
class Failing : public Device {
 public:
  std::atomic<bool> compiler = false, memory = false;
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
  void launch(Program& program, const LaunchArgs& args) override { cpu_.launch(program, args); }
  std::optional<Fault> synchronize() override { return cpu_.synchronize(); }

 private:
  static Target renamed(Target t) { t.name += ", failing"; return t; }  // kernels on disk are found by it
  Device& cpu_ = device("cpu");
  const Target target_ = renamed(cpu_.target());
};

struct Failure : testing::TestWithParam<std::atomic<bool> Failing::*> {
  static Failing& opened() {
    register_device("failing", [] { return std::make_unique<Failing>(); });
    return dynamic_cast<Failing&>(device("failing"));
  }
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

// Where operations are computed at once (TG_EAGER=1) the one that fails has not happened, else it is still to come.
TEST_P(Failure, NeverMakesAnAssignmentTwice) {
  Tensor x = Tensor::full({4}, 1.f, on).contiguous().realize();
  broken = true;
  EXPECT_THROW(x.assign(x * 2 + odd).realize(), DeviceError);
  EXPECT_THROW((x + 1).realize(), DeviceError);
  broken = false;
  EXPECT_EQ(x.to_vector<float>(), std::vector<float>(4, settings().eager ? 1 : 2 + odd));
}

TEST_P(Failure, NeverMakesATrainingStepTwice) {
  const auto after_a_step = [&](bool fails) {
    Tensor w({1.f, -2.f}, {.device = "failing", .requires_grad = true});
    nn::Adam optimizer({{"w", w}}, {.lr = 0.5});
    (w * w * (odd + 1)).sum().backward();
    broken = fails;
    if (fails) EXPECT_THROW(optimizer.step(), DeviceError);
    else optimizer.step();
    broken = false;
    return w.to_vector<float>();
  };
  const auto failed = after_a_step(true), made = after_a_step(false);
  EXPECT_EQ(failed, settings().eager ? (std::vector<float>{1, -2}) : made);
}

}  // namespace
}  // namespace tg
