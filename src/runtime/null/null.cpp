// Counting, and the facts of two made-up machines that no test machine changes.
#include "runtime/null/null.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/registry.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

struct NullProgram : Program {
  explicit NullProgram(size_t n) : phases(n) {}
  const size_t phases;
};

constexpr size_t kMostBytes = size_t{1} << 40;  // so that a size gone wrong is refused here as on a real device

}  // namespace

void* NullDevice::allocate(size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes > kMostBytes) throw DeviceError(fmt::format("null: no memory for {} bytes; at most {} are pretended", bytes, kMostBytes));
  counts_.live_bytes += bytes;
  counts_.peak_bytes = std::max(counts_.peak_bytes, counts_.live_bytes);
  next_handle_ += kAlignment;
  return reinterpret_cast<void*>(next_handle_);  // unique, and never followed
}

void NullDevice::free(void*, size_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  counts_.live_bytes -= bytes;
}

void NullDevice::copy_in(MemoryRef, const void*, size_t bytes) {
  const std::lock_guard lock(mutex_);
  counts_.bytes_in += bytes;
}

void NullDevice::copy_out(void* to, MemoryRef, size_t bytes) {
  if (bytes) std::memset(to, 0, bytes);
  const std::lock_guard lock(mutex_);
  counts_.bytes_out += bytes;
}

std::string NullDevice::compile(const std::string& text) {
  const std::lock_guard lock(mutex_);
  ++counts_.compiles;
  return text;
}

std::shared_ptr<Program> NullDevice::load(const std::string&, std::span<const PhaseInfo> phases) {
  const std::lock_guard lock(mutex_);
  ++counts_.loads;
  return std::make_shared<NullProgram>(phases.size());
}

void NullDevice::launch(Program& program, const LaunchArgs&) {
  const std::lock_guard lock(mutex_);
  ++counts_.kernels;
  counts_.phases += static_cast<int64_t>(static_cast<NullProgram&>(program).phases);
}

NullDevice::Counts NullDevice::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void NullDevice::reset() {
  const std::lock_guard lock(mutex_);
  const size_t live = counts_.live_bytes;
  counts_ = {};
  counts_.live_bytes = counts_.peak_bytes = live;
}

std::unique_ptr<Device> open_null() {
  return std::make_unique<NullDevice>(Target{.name = "null cpu avx512",
                                             .renderer = "llvm",
                                             .vector_bytes = 64,
                                             .vector_registers = 32,
                                             .alignment = 64,
                                             .l1_bytes = 48 << 10,
                                             .l2_bytes = 1 << 20,
                                             .l3_bytes = 32 << 20,
                                             .cores = 8,
                                             .blocks = true,
                                             .matrix = {{"bf16_dot", DType::bfloat16, DType::bfloat16, DType::float32, 2},
                                                        {"u8_dot", DType::uint8, DType::int8, DType::int32, 4},
                                                        {"s8_dot", DType::int8, DType::int8, DType::int32, 4, true}}});
}

std::unique_ptr<Device> open_null_gpu() {
  Target target{.name = "null gpu",
                .renderer = "opencl",
                .vector_bytes = 16,
                .vector_registers = 255,
                .l1_bytes = 128 << 10,
                .l2_bytes = 32 << 20,
                .l3_bytes = 0,
                .cores = 128,
                .grid = true,
                .max_threads = 1024,
                .shared_bytes = 48 << 10};
  target.dtypes &= ~(1u << static_cast<int>(bfloat16));
  return std::make_unique<NullDevice>(std::move(target));
}

}  // namespace tg
