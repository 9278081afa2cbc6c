#pragma once
// The device that runs nothing and counts everything, for tests of schedules and of code for machines one does not have.
//
//   auto& null = dynamic_cast<NullDevice&>(device("null"));  null.reset();  train_step();  EXPECT_LE(null.counts().phases, 60);
//
// "null" has the facts of a fixed CPU with 512-bit vectors, "null:gpu" those of a GPU. Memory is only counted; all reads give zeros.

#include "tg/device.hpp"
#include "tg/ir/mutex.hpp"

namespace tg {

class NullDevice : public Device {
 public:
  explicit NullDevice(Target target) : target_(std::move(target)) {}
  const Target& target() const override { return target_; }

  struct Counts {
    int64_t kernels = 0;  // calls of launch
    int64_t phases = 0;   // entry points run by them
    int64_t compiles = 0, loads = 0;
    size_t bytes_in = 0, bytes_out = 0;     // copied
    size_t live_bytes = 0, peak_bytes = 0;  // allocated
  };
  Counts counts() const;
  /// Back to zero, but for the memory that lives.
  void reset();

  void* allocate(size_t bytes) override;
  void free(void* handle, size_t bytes) noexcept override;
  void copy_in(MemoryRef to, const void* from, size_t bytes) override;
  void copy_out(void* to, MemoryRef from, size_t bytes) override;
  std::string compile(const std::string& text) override;
  std::shared_ptr<Program> load(const std::string& binary, std::span<const PhaseInfo> phases) override;
  void launch(Program& program, const LaunchArgs& args) override;
  void launch_all(Program& program, std::span<const LaunchArgs> sets) override { launch(program, sets[0]); }
  void launch_blocks(const BlockLaunch& l) override { launch(*l.steps[0].program, {}); }
  std::optional<Fault> synchronize() override { return {}; }

 private:
  const Target target_;
  mutable Mutex mutex_;
  size_t next_handle_ = kAlignment;
  Counts counts_;
};

}  // namespace tg
