#pragma once
// The whole contract between the engine and a machine. Adding a device is one subclass and one line of registration;
// tests/out_of_tree_device builds one from public headers alone.
//
//   struct MyDevice : tg::Device { ... };
//   const bool registered = tg::register_device("mine", [] { return std::make_unique<MyDevice>(); });
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tg/inst.hpp"
#include "tg/target.hpp"

namespace tg {

/// A piece of device memory: what allocate returned, where it begins there, and its length. Offsets are multiples of the target's
/// alignment. Pieces of one allocation that a launch is given are the same or do not overlap.
struct MemoryRef {
  void* handle = nullptr;
  size_t offset = 0;
  size_t bytes = 0;  // 0: all that follows
};
inline constexpr size_t kAlignment = 512;     // what every OpenCL driver grants a sub-buffer
inline constexpr size_t kHostAlignment = 16;  // of the host's memory that a device is lent (tg/memory.hpp): what malloc grants

/// What a device must know of a phase to run it; travels with the binary through the compile cache.
struct PhaseInfo {
  std::string entry;
  std::vector<bool> written;
  int64_t scratch_bytes = 0;
  int64_t block[3] = {1, 1, 1};
};

/// Sizes of one phase's launch. CPU: grid[0] blocks, claimed in pieces by the pool's threads. GPU: the grid.
struct Grid { int64_t n[3] = {1, 1, 1}; };

struct LaunchArgs {  // what one launch is given
  std::span<const MemoryRef> buffers;  // by slot
  std::span<const int64_t> scalars;    // floats as the bits of a double
  std::span<const Grid> grids;         // one a phase
};

/// Loaded code of one kernel.
class Program {
 public:
  virtual ~Program() = default;
  /// Of machine code with its constants; 0 where the device does not know.
  virtual size_t code_bytes() const { return 0; }
};

/// Kernels that follow each other in each of many blocks, with memory between them that is a block's own and stays near its core.
struct BlockStep {
  Program* program;                    // of one phase, one block of it
  std::span<const MemoryRef> buffers;  // by slot; one without a handle is an offset into the thread's own memory
  std::span<const int64_t> scalars;    // the first is the number of the block: the device fills it in
};
struct BlockLaunch {
  std::span<const BlockStep> steps;
  int64_t blocks = 1;
  int64_t in_order = 1;                // so many neighbouring blocks are run one after the other, the last first; divides `blocks`
  size_t local_bytes = 0;              // of each thread's own memory, aligned to 64; contents undefined
};

/// A data-dependent index was outside its bound; the access did not happen.
struct Fault { int64_t site = 0, index = 0, bound = 0; };

/// What a CPU kernel is given beside its arguments. The ABI of one phase's entry point, blocks [first, last):
///   void entry(void* const* buffers, const int64_t* scalars, int64_t first, int64_t last, const CpuWorker* worker)
/// A report (InstOp::report) must set status[0] from 0 to 1 with one atomic compare-exchange (monotonic ordering is enough); who
/// succeeds, and nobody else, then stores the site, the index and the bound to status[1], status[2], status[3].
struct CpuWorker {
  std::byte* scratch;  // PhaseInfo::scratch_bytes of this thread's own, aligned to 64; contents undefined in its first call of a launch
  int64_t* status;     // four words shared by all threads of the launch
  int64_t begun = 0;   // 1 where scratch is as this thread's last call of this very launch left it, else 0
};

class Device {  // what there is to implement of a device
 public:
  virtual ~Device() = default;
  virtual const Target& target() const = 0;  // what the compiler must know of it

  /// Memory aligned to kAlignment. Throws DeviceError naming the size when there is none.
  virtual void* allocate(size_t bytes) = 0;
  virtual void free(void* handle, size_t bytes) noexcept = 0;
  virtual void copy_in(MemoryRef to, const void* from, size_t bytes) = 0;
  virtual void copy_out(void* to, MemoryRef from, size_t bytes) = 0;
  /// The address of memory the host can use directly, or null.
  virtual std::byte* host_pointer(MemoryRef) { return nullptr; }
  /// Whether a handle is an address of the host's memory, of any that is aligned to kHostAlignment.
  virtual bool uses_host_memory() const { return false; }

  /// Text to binary. Pure: the result may be cached on disk. Throws DeviceError with the compiler's message.
  virtual std::string compile(const std::string& text) = 0;
  virtual std::shared_ptr<Program> load(const std::string& binary, std::span<const PhaseInfo> phases) = 0;
  /// Enqueues; runs after everything enqueued before.
  virtual void launch(Program&, const LaunchArgs&) = 0;
  /// One program over several sets of arguments that do not depend on each other, such as an optimizer's update of each parameter. A
  /// device that can makes it one launch.
  virtual void launch_all(Program& program, std::span<const LaunchArgs> sets) {
    for (const LaunchArgs& args : sets) launch(program, args);
  }
  /// All steps of a block, then those of another, on as many threads as there are. Called only where Target::blocks says so.
  virtual void launch_blocks(const BlockLaunch&);
  /// Waits for all that the calling thread has enqueued; the first fault of its launches since its last call, if any. Each thread is told
  /// of its own launches only.
  virtual std::optional<Fault> synchronize() = 0;

  /// True for devices that evaluate graphs themselves (the interpreter): compile, load and launch are never called.
  virtual bool interprets() const { return false; }
};

/// Text from phases, for Target::renderer. Must be deterministic.
using Renderer = std::function<std::string(std::span<const Phase>, const Target&)>;

/// False, and nothing changes, where the name is taken.
using DeviceFactory = std::function<std::unique_ptr<Device>()>;
bool register_device(std::string name, DeviceFactory);
bool register_renderer(std::string name, Renderer);
/// The device of that name, opened at first use. Throws DeviceError listing the known names, or why it cannot be opened.
Device& device(std::string_view name);
/// All registered names, and for each whether it can be opened here (an empty string) or why not.
struct DeviceStatus { std::string name, problem, description; };
std::vector<DeviceStatus> devices();

}  // namespace tg
