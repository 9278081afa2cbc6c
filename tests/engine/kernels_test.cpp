// Kernels that a plan needs are compiled side by side, also where there are no more than two of them.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tg/device.hpp"
#include "tg/settings.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

/// The cpu, whose compiler waits until it is asked for two kernels at once.
class Meeting : public Device {
 public:
  std::atomic<int> compiling = 0;
  const Target& target() const override { return cpu_.target(); }
  void* allocate(size_t bytes) override { return cpu_.allocate(bytes); }
  void free(void* handle, size_t bytes) noexcept override { cpu_.free(handle, bytes); }
  void copy_in(MemoryRef to, const void* from, size_t bytes) override { cpu_.copy_in(to, from, bytes); }
  void copy_out(void* to, MemoryRef from, size_t bytes) override { cpu_.copy_out(to, from, bytes); }
  std::string compile(const std::string& text) override {
    ++compiling;
    for (int i = 0; i < 2000 && compiling < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (compiling < 2) throw DeviceError("the other kernel waits for this one");
    return cpu_.compile(text);
  }
  std::shared_ptr<Program> load(const std::string& binary, std::span<const PhaseInfo> phases) override {
    return cpu_.load(binary, phases);
  }
  void launch(Program& program, const LaunchArgs& args) override { cpu_.launch(program, args); }
  std::optional<Fault> synchronize() override { return cpu_.synchronize(); }

 private:
  Device& cpu_ = device("cpu");
};

TEST(Kernels, AreCompiledSideBySide) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "one core";
  const WithSettings lazily({.eager = false});
  register_device("meeting", [] { return std::make_unique<Meeting>(); });
  auto& meeting = dynamic_cast<Meeting&>(device("meeting"));
  // a number that no kernel on disk has
  const auto odd = static_cast<double>(std::chrono::system_clock::now().time_since_epoch().count() % 1'000'000'007);
  const Tensor x({1.0, 2.0, 3.0}, {.dtype = float64, .device = "meeting"}), y = (x * odd).sum(), z = (x.reshape({3, 1}) + x * odd).max();
  meeting.compiling = 0;
  realize({y, z});
  EXPECT_EQ(meeting.compiling, 2);
  EXPECT_EQ(y.item<double>(), 6 * odd);
}

}  // namespace
}  // namespace tg
