// The device "cpu": LLVM IR compiled in this process, phases run in pieces by the thread pool, launches done when launch returns.
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/env.hpp"
#include "runtime/cpu/jit.hpp"
#include "runtime/cpu/loader.hpp"
#include "runtime/cpu/pool.hpp"
#include "runtime/host_device.hpp"
#include "runtime/registry.hpp"
#include "tg/error.hpp"
#include "tg/ir/hash.hpp"

namespace tg {
namespace {

using Entry = void(void* const* buffers, const int64_t* scalars, int64_t first, int64_t last, const CpuWorker*);

int64_t cache_bytes(int what, int64_t otherwise) {
  const long bytes = sysconf(what);  // zero on some virtual machines
  return bytes > 0 ? bytes : otherwise;
}

#if defined(__x86_64__)
struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};
Registers cpuid(unsigned leaf, unsigned sub = 0) {
  Registers r;
  __get_cpuid_count(leaf, sub, &r.a, &r.b, &r.c, &r.d);
  return r;
}

std::string model_name() {
  std::string name;
  for (unsigned leaf = 0x80000002; leaf <= 0x80000004; ++leaf) {
    const Registers r = cpuid(leaf);
    for (unsigned word : {r.a, r.b, r.c, r.d})
      for (int i = 0; i < 4; ++i) name += static_cast<char>(word >> 8 * i & 0xff);
  }
  name = name.c_str();
  while (!name.empty() && name.back() == ' ') name.pop_back();
  return name.empty() ? "unnamed" : name;
}

/// Everything that decides which code is right for this machine: family, model and stepping; the instruction sets.
uint64_t feature_hash() {
  const Registers basic = cpuid(1), more = cpuid(7), yet_more = cpuid(7, 1), extended = cpuid(0x80000001);
  Hash128 h = kHashSeed;
  for (unsigned word : {basic.a, basic.c, basic.d, more.b, more.c, more.d, yet_more.a, yet_more.d, extended.c, extended.d})
    h = mix(h, word);
  return h.low;
}

int widest_vector() {
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  return avx512 ? 64 : __builtin_cpu_supports("avx2") ? 32 : 16;
}
bool has_fma() { return __builtin_cpu_supports("fma"); }
// Zen 4 has two units of 32 bytes, which make a vector of 64 together.
int fma_per_cycle(int vector_bytes) { return vector_bytes == 64 && __builtin_cpu_is("amdfam19h") ? 1 : 2; }
// Whether there are registers for matrix tiles: the system lets a process have them that asks (arch_prctl(2)).
bool has_tiles() {
  constexpr unsigned kTile = 1u << 24;
  if (!(cpuid(7).d & kTile)) return false;
#if defined(__linux__)
  constexpr long kAskForState = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kAskForState, kTileData) == 0;
#else
  return false;
#endif
}
// Intel's cores reach the last cache through a mesh.
int line_cycles() { return __builtin_cpu_is("intel") ? 24 : 12; }
std::vector<MatrixInstruction> matrix_instructions(int vector_bytes) {
  constexpr unsigned kOfBfloat16 = 1u << 22, kOfBytes = 1u << 25;
  std::vector<MatrixInstruction> out;
  if (vector_bytes >= 64 && has_tiles()) {
    const auto tile = [&](const char* name, DType a, DType b, DType sum, int depth) {
      out.push_back({.name = name, .a = a, .b = b, .accumulator = sum, .depth = depth, .rows = 16, .steps = 16});
    };
    const unsigned d = cpuid(7).d;
    if (d & kOfBfloat16) tile("bf16_tile", DType::bfloat16, DType::bfloat16, DType::float32, 2);
    if (d & kOfBytes)
      tile("u8_tile", DType::uint8, DType::int8, DType::int32, 4), tile("s8_tile", DType::int8, DType::int8, DType::int32, 4);
  }
  if (vector_bytes >= 64 && __builtin_cpu_supports("avx512bf16"))
    out.push_back({.name = "bf16_dot", .a = DType::bfloat16, .b = DType::bfloat16, .accumulator = DType::float32, .depth = 2});
  if (vector_bytes >= 64 && __builtin_cpu_supports("avx512vnni")) {
    out.push_back({.name = "u8_dot", .a = DType::uint8, .b = DType::int8, .accumulator = DType::int32, .depth = 4});
    out.push_back({.name = "s8_dot", .a = DType::int8, .b = DType::int8, .accumulator = DType::int32, .depth = 4, .by_shift = true});
  }
  return out;
}
constexpr const char* kMachine = "x86-64";
#else
std::string model_name() { return "unnamed"; }
uint64_t feature_hash() { return 0; }
int widest_vector() { return 16; }
bool has_fma() { return true; }
int fma_per_cycle(int) { return 2; }
int line_cycles() { return 12; }
std::vector<MatrixInstruction> matrix_instructions(int) { return {}; }
constexpr const char* kMachine = "generic";
#endif

constexpr int64_t kLargestL3 = 32 << 20;  // what cores share one of; the system may sum up all that the machine has

Target describe_machine() {
  Target t;
  const int widest = widest_vector();
  t.vector_bytes = std::min(widest, settings().cpu_vector.value_or(widest));
  t.vector_registers = t.vector_bytes == 64 ? 32 : 16;
  t.alignment = 64;
  t.fma = has_fma() && t.vector_bytes >= 32;
  t.fma_per_cycle = fma_per_cycle(t.vector_bytes);
  t.l1_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, t.l1_bytes);
  t.l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, t.l2_bytes);
  t.l3_bytes = std::min(cache_bytes(_SC_LEVEL3_CACHE_SIZE, t.l3_bytes), kLargestL3);
  t.line_cycles = line_cycles();
  t.matrix = matrix_instructions(t.vector_bytes);
  t.cores = Pool::shared().size();
  t.blocks = true;
  const bool tiles = std::ranges::any_of(t.matrix, [](const MatrixInstruction& m) { return m.rows > 1; });  // which the system may refuse
  t.name = fmt::format("cpu {} {} {}-bit{} {:016x}", kMachine, model_name(), 8 * t.vector_bytes, tiles ? " tiles" : "", feature_hash());
  return t;
}

/// Scratch memory of one thread: grows to the most that any kernel has asked for.
struct Scratch {
  std::byte* memory = nullptr;
  size_t size = 0;
  uint64_t job = 0;  // whose set of arguments it holds what was staged for
  size_t set = 0;

  std::byte* get(int64_t bytes) {
    const auto wanted = static_cast<size_t>(bytes);
    if (wanted <= size) return memory;
    release();
    const size_t rounded = (wanted + kHugePage - 1) / kHugePage * kHugePage;
    memory = static_cast<std::byte*>(map_pages(rounded));
    if (memory) size = rounded;
    return memory;
  }
  void release() {
    if (memory) munmap(std::exchange(memory, nullptr), std::exchange(size, 0));
  }
  ~Scratch() { release(); }  // a kernel run later, by a static object's destructor, maps anew
};
thread_local Scratch scratch;

struct CpuProgram : Program {
  struct Phase {
    Entry* entry;
    int64_t scratch_bytes;
  };
  explicit CpuProgram(const std::string& object) : code(object) {}
  size_t code_bytes() const override { return code.code_bytes(); }
  LoadedObject code;
  std::vector<Phase> phases;
};

/// One phase in flight over one or more sets of arguments, as the pool's threads see it.
struct Job {
  struct Set {
    std::vector<void*> buffers;
    const int64_t* scalars;
    int64_t end;  // the number of blocks of this set and those before
  };
  const CpuProgram::Phase& phase;
  std::span<const Set> sets;
  int64_t* status;
  std::atomic<bool>* out_of_memory;
  uint64_t number = next.fetch_add(1, std::memory_order_relaxed);
  static inline std::atomic<uint64_t> next = 1;

  static void run(void* context, int64_t first, int64_t last) {
    const Job& job = *static_cast<Job*>(context);
    CpuWorker worker{scratch.get(job.phase.scratch_bytes), job.status};
    if (job.phase.scratch_bytes && !worker.scratch) return job.out_of_memory->store(true, std::memory_order_relaxed);
    auto set = std::upper_bound(job.sets.begin(), job.sets.end(), first, [](int64_t block, const Set& s) { return block < s.end; });
    for (; first < last; first = std::min(last, set++->end)) {
      const int64_t begin = set == job.sets.begin() ? 0 : std::prev(set)->end;
      const auto which = static_cast<size_t>(set - job.sets.begin());
      worker.begun = scratch.job == job.number && scratch.set == which;
      scratch.job = job.number, scratch.set = which;
      job.phase.entry(set->buffers.data(), set->scalars, first - begin, std::min(last, set->end) - begin, &worker);
    }
  }
};

/// Steps in flight, block by block. Of the thread's memory the beginning is what its block's steps hand on.
struct BlockJob {
  const BlockLaunch& launch;
  std::span<const std::vector<std::byte*>> buffers;  // of each step; those that are the block's own are null
  size_t local_bytes, scratch_bytes;
  int64_t* status;
  std::atomic<bool>* out_of_memory;

  static void run(void* context, int64_t first, int64_t last) { static_cast<const BlockJob*>(context)->run(first, last); }
  void run(int64_t first, int64_t last) const {
    std::byte* const own = scratch.get(static_cast<int64_t>(local_bytes + scratch_bytes));
    if (!own && local_bytes + scratch_bytes) return out_of_memory->store(true, std::memory_order_relaxed);
    const CpuWorker worker{own + local_bytes, status};
    struct Arguments { std::vector<void*> buffers; std::vector<int64_t> scalars; };
    std::vector<Arguments> all;
    for (size_t s = 0; s < launch.steps.size(); ++s) {
      const BlockStep& step = launch.steps[s];
      Arguments& a = all.emplace_back(Arguments{{buffers[s].begin(), buffers[s].end()}, {step.scalars.begin(), step.scalars.end()}});
      for (size_t b = 0; b < a.buffers.size(); ++b) if (!step.buffers[b].handle) a.buffers[b] = own + step.buffers[b].offset;
    }
    for (; first < last; ++first)
      for (int64_t block = (first + 1) * launch.in_order; block-- > first * launch.in_order;)
        for (size_t s = 0; s < all.size(); ++s) {
          all[s].scalars[0] = block;
          static_cast<CpuProgram*>(launch.steps[s].program)->phases[0].entry(all[s].buffers.data(), all[s].scalars.data(), 0, 1, &worker);
        }
  }
};

/// This thread's first fault since it last synchronized.
thread_local std::optional<Fault> pending_fault;

class CpuDevice : public HostDevice {
 public:
  CpuDevice() : target_(describe_machine()) {}
  const Target& target() const override { return target_; }

  std::string compile(const std::string& text) override { return compile_llvm_ir(text, {.vector_bytes = target_.vector_bytes}); }

  std::shared_ptr<Program> load(const std::string& binary, std::span<const PhaseInfo> phases) override {
    auto program = std::make_shared<CpuProgram>(binary);
    for (const PhaseInfo& p : phases)
      program->phases.push_back({reinterpret_cast<Entry*>(program->code.address(p.entry)), p.scratch_bytes});
    return program;
  }

  void launch(Program& p, const LaunchArgs& args) override { launch_all(p, std::span(&args, 1)); }
  void launch_all(Program& p, std::span<const LaunchArgs> all) override {
    const auto& program = static_cast<CpuProgram&>(p);
    std::vector<Job::Set> sets;
    sets.reserve(all.size());
    for (const LaunchArgs& args : all) {
      if (args.grids.size() != program.phases.size())
        throw InternalError(fmt::format("cpu: {} grids for a kernel of {} phases", args.grids.size(), program.phases.size()));
      std::vector<void*> buffers;
      buffers.reserve(args.buffers.size());
      for (const MemoryRef& b : args.buffers) buffers.push_back(address(b));
      sets.push_back({std::move(buffers), args.scalars.data(), 0});
    }
    int64_t status[4] = {};
    std::atomic<bool> out_of_memory = false;
    for (size_t i = 0; i < program.phases.size(); ++i) {
      int64_t blocks = 0;
      for (size_t s = 0; s < sets.size(); ++s) sets[s].end = blocks += all[s].grids[i].n[0];
      Job job{program.phases[i], sets, status, &out_of_memory};
      Pool::shared().run(blocks, Job::run, &job);
    }
    finish(status, out_of_memory);
  }
  void launch_blocks(const BlockLaunch& l) override {
    std::vector<std::vector<std::byte*>> buffers;
    int64_t most = 0;
    for (const BlockStep& s : l.steps) {
      buffers.emplace_back();
      for (const MemoryRef& b : s.buffers) buffers.back().push_back(b.handle ? address(b) : nullptr);
      most = std::max(most, static_cast<CpuProgram*>(s.program)->phases[0].scratch_bytes);
    }
    int64_t status[4] = {};
    std::atomic<bool> out_of_memory = false;
    BlockJob job{l, buffers, l.local_bytes, static_cast<size_t>(most), status, &out_of_memory};
    Pool::shared().run(l.blocks / l.in_order, BlockJob::run, &job);
    finish(status, out_of_memory);
  }

  std::optional<Fault> synchronize() override { return std::exchange(pending_fault, std::nullopt); }

 private:
  static void finish(const int64_t* status, bool out_of_memory) {
    if (status[0] && !pending_fault) pending_fault = Fault{status[1], status[2], status[3]};
    if (out_of_memory) throw DeviceError("cpu: no memory for a kernel's scratch space");
  }
  const Target target_;
};

}  // namespace

std::unique_ptr<Device> open_cpu() { return std::make_unique<CpuDevice>(); }

}  // namespace tg
