// Kernels in blocks against the interpreter: random programs on a machine that is the cpu with caches of next to nothing, so that small
// arrays do not fit them. Every launch in blocks runs twice, by all threads and by one: that gives the same bits.
#include "schedule/in_blocks.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>

#include "base/env.hpp"
#include "engine/random_rows.hpp"
#include "engine/realize.hpp"
#include "fuzzing.hpp"
#include "runtime/cpu/pool.hpp"
#include "runtime/interpreter/evaluate.hpp"
#include "tensor/batching.hpp"
#include "tensor/impl.hpp"

namespace tg {
namespace {

/// The cpu, with a kilobyte of L2. New memory is nan, so that what is never stored is seen.
class SmallCaches : public Device {
 public:
  static SmallCaches& get() {
    register_device("small caches", [] { return std::make_unique<SmallCaches>(); });
    return dynamic_cast<SmallCaches&>(device("small caches"));
  }
  SmallCaches() {
    target_.l1_bytes = 512, target_.l2_bytes = 1024, target_.l3_bytes = 4096;
    target_.name += ", small caches";
  }
  const Target& target() const override { return target_; }
  void* allocate(size_t bytes) override {
    void* const out = cpu_.allocate(bytes);
    if (bytes) std::memset(out, 0xff, bytes);
    return out;
  }
  void free(void* handle, size_t bytes) noexcept override { cpu_.free(handle, bytes); }
  void copy_in(MemoryRef to, const void* from, size_t bytes) override { cpu_.copy_in(to, from, bytes); }
  void copy_out(void* to, MemoryRef from, size_t bytes) override { cpu_.copy_out(to, from, bytes); }
  std::byte* host_pointer(MemoryRef ref) override { return cpu_.host_pointer(ref); }
  std::string compile(const std::string& text) override { return cpu_.compile(text); }
  std::shared_ptr<Program> load(const std::string& binary, std::span<const PhaseInfo> phases) override { return cpu_.load(binary, phases); }
  void launch(Program& p, const LaunchArgs& args) override { cpu_.launch(p, args); }
  std::optional<Fault> synchronize() override { return cpu_.synchronize(); }

  void launch_blocks(const BlockLaunch& l) override {
    cpu_.launch_blocks(l);
    const std::vector<std::byte> by_all = memory(l);
    struct Again { Device& cpu; const BlockLaunch& launch; } again{cpu_, l};
    Pool::shared().run(
        2,
        [](void* c, int64_t first, int64_t) {
          if (first == 0) static_cast<Again*>(c)->cpu.launch_blocks(static_cast<Again*>(c)->launch);
        },
        &again);  // jobs in a job are one thread's
    different += by_all != memory(l);
    ++launches, in_order += l.in_order > 1;
  }
  std::atomic<int64_t> launches = 0, in_order = 0, different = 0;

 private:
  std::vector<std::byte> memory(const BlockLaunch& l) {
    std::vector<std::byte> out;
    for (const BlockStep& s : l.steps)
      for (const MemoryRef& b : s.buffers)
        if (b.handle) out.insert(out.end(), cpu_.host_pointer(b), cpu_.host_pointer(b) + b.bytes);
    return out;
  }
  Device& cpu_ = device("cpu");
  Target target_ = cpu_.target();
};

struct Failures {
  std::mutex mutex;
  std::vector<std::string> text;
  std::atomic<int> count = 0;
};

void check(uint64_t seed, Failures& failures) {
  std::string wrong, text;
  try {
    const Tracing nothing_is_computed_yet;
    const RandomRows p(seed, "small caches");
    text = p.text();
    std::vector<UOp> roots;
    for (const Tensor& t : p.roots) roots.push_back(node_of(t, "test"));
    const std::vector<HostArray> expected = evaluate(roots);
    realize(roots, "small caches");
    for (size_t i = 0; i < roots.size(); ++i) {
      const std::vector<double> found = p.roots[i].to_vector<double>();
      double largest = 0;
      for (size_t e = 0; e < found.size(); ++e) largest = std::fmax(largest, std::abs(expected[i].number(e)));
      for (size_t e = 0; e < found.size() && wrong.empty(); ++e)
        if (const double x = expected[i].number(e), y = found[e]; !(std::abs(x - y) <= p.error(largest)) && x != y)
          wrong = fmt::format("root {}, element {}: {:.9g} by the interpreter and {:.9g}, of at most {:.3g}", i, e, x, y, largest);
    }
  } catch (const std::exception& e) { wrong = fmt::format("it throws {}", e.what()); }
  if (wrong.empty()) return;
  ++failures.count;
  const std::lock_guard lock(failures.mutex);
  failures.text.push_back(fmt::format("program {}:{}\n  {}", seed, text, wrong));
}

TEST(InBlocks, RandomProgramsGiveWhatTheInterpreterGives) {
  SmallCaches& d = SmallCaches::get();
  const int64_t before = d.launches, ordered = d.in_order;
  Failures failures;
  const auto programs = fuzz_seeds(80);
  if (const char* one = std::getenv("TG_FUZZ_PROGRAM")) check(std::strtoull(one, nullptr, 10), failures);
  else {
    std::atomic<uint64_t> next{0};
    const auto work = [&] { for (uint64_t seed; (seed = next.fetch_add(1)) < programs && failures.count < 10;) check(seed, failures); };
    std::vector<std::jthread> threads;
    for (int t = 1; t < settings().threads; ++t) threads.emplace_back(work);
    work();
    threads.clear();
    EXPECT_GE(d.launches - before, static_cast<int64_t>(programs / 2)) << "in blocks";
    EXPECT_GE(d.in_order - ordered, static_cast<int64_t>(programs / 5)) << "with blocks that are added up";
  }
  for (const std::string& f : failures.text) ADD_FAILURE() << f;
  EXPECT_EQ(d.different, 0) << "bits depend on the threads";
  fmt::print("{} programs, {} launches in blocks, {} with sums over them\n", programs, d.launches - before, d.in_order - ordered);
}

}  // namespace
}  // namespace tg
