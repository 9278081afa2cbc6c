// The cpu device end to end on hand-written IR: phases in order, blocks on the pool, scratch, scalars, offsets, faults.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <numeric>
#include <thread>

#include "runtime/cpu/pool.hpp"
#include "tg/device.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

// Phase one doubles each of the block's eight numbers by way of scratch; phase two adds the scalar's double, reading the block's mirror
// image, so it is right only if phase one was finished everywhere; phase three reports every block from number `scalar 1` on.
const char* const kKernel = R"(
define void @double_it(ptr %buffers, ptr %scalars, i64 %first, i64 %last, ptr %worker) {
entry:
  %in.p = getelementptr ptr, ptr %buffers, i64 1
  %in = load ptr, ptr %in.p
  %out = load ptr, ptr %buffers
  %scratch = load ptr, ptr %worker
  br label %body
body:
  %i = phi i64 [%first, %entry], [%next, %body]
  %at = mul i64 %i, 8
  %p = getelementptr double, ptr %in, i64 %at
  %v = load <8 x double>, ptr %p, align 8
  store <8 x double> %v, ptr %scratch, align 64
  %again = load volatile <8 x double>, ptr %scratch, align 64
  %w = fadd <8 x double> %v, %again
  %q = getelementptr double, ptr %out, i64 %at
  store <8 x double> %w, ptr %q, align 8
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %last
  br i1 %more, label %body, label %done
done:
  ret void
}
define void @mirror(ptr %buffers, ptr %scalars, i64 %first, i64 %last, ptr %worker) {
entry:
  %mid = load ptr, ptr %buffers
  %out.p = getelementptr ptr, ptr %buffers, i64 2
  %out = load ptr, ptr %out.p
  %a = load double, ptr %scalars
  %n.p = getelementptr i64, ptr %scalars, i64 2
  %n = load i64, ptr %n.p
  %top = sub i64 %n, 1
  br label %body
body:
  %i = phi i64 [%first, %entry], [%next, %body]
  %j = sub i64 %top, %i
  %j8 = mul i64 %j, 8
  %i8 = mul i64 %i, 8
  %p = getelementptr double, ptr %mid, i64 %j8
  %v = load <8 x double>, ptr %p, align 8
  %s = insertelement <8 x double> poison, double %a, i64 0
  %b = shufflevector <8 x double> %s, <8 x double> poison, <8 x i32> zeroinitializer
  %w = fadd <8 x double> %v, %b
  %q = getelementptr double, ptr %out, i64 %i8
  store <8 x double> %w, ptr %q, align 8
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %last
  br i1 %more, label %body, label %done
done:
  ret void
}
define void @check(ptr %buffers, ptr %scalars, i64 %first, i64 %last, ptr %worker) {
entry:
  %bound.p = getelementptr i64, ptr %scalars, i64 1
  %bound = load i64, ptr %bound.p
  %status.p = getelementptr ptr, ptr %worker, i64 1
  %status = load ptr, ptr %status.p
  br label %body
body:
  %i = phi i64 [%first, %entry], [%next, %step]
  %bad = icmp sge i64 %i, %bound
  br i1 %bad, label %report, label %step
report:
  %pair = cmpxchg ptr %status, i64 0, i64 1 monotonic monotonic
  %won = extractvalue { i64, i1 } %pair, 1
  br i1 %won, label %write, label %step
write:
  %s1 = getelementptr i64, ptr %status, i64 1
  store i64 42, ptr %s1
  %s2 = getelementptr i64, ptr %status, i64 2
  store i64 %i, ptr %s2
  %s3 = getelementptr i64, ptr %status, i64 3
  store i64 %bound, ptr %s3
  br label %step
step:
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %last
  br i1 %more, label %body, label %done
done:
  ret void
})";

struct Kernel {
  static constexpr int64_t kBlocks = 300;
  static constexpr size_t kBytes = kBlocks * 8 * sizeof(double);
  Device& cpu = device("cpu");
  std::shared_ptr<Program> program;
  void* in = cpu.allocate(kBytes + kAlignment);
  void* middle = cpu.allocate(kBytes);
  void* out = cpu.allocate(kBytes);

  Kernel() {
    PhaseInfo phases[3];
    phases[0].entry = "double_it";
    phases[0].scratch_bytes = 1 << 20;
    phases[1].entry = "mirror";
    phases[2].entry = "check";
    program = cpu.load(cpu.compile(kKernel), phases);
    std::vector<double> values(kBlocks * 8);
    std::iota(values.begin(), values.end(), 0.0);
    cpu.copy_in({in, kAlignment}, values.data(), kBytes);
  }
  ~Kernel() {
    cpu.free(in, kBytes + kAlignment);
    cpu.free(middle, kBytes);
    cpu.free(out, kBytes);
  }
  void launch(double add, int64_t bound) {
    const MemoryRef buffers[3] = {{middle, 0}, {in, kAlignment}, {out, 0}};
    const int64_t scalars[3] = {std::bit_cast<int64_t>(add), bound, kBlocks};
    Grid grids[3];
    for (Grid& g : grids) g.n[0] = kBlocks;
    cpu.launch(*program, {buffers, scalars, grids});
  }
  bool right(double add) {
    std::vector<double> got(kBlocks * 8);
    cpu.copy_out(got.data(), {out, 0}, kBytes);
    for (size_t i = 0; i < got.size(); ++i)
      if (got[i] != 2 * static_cast<double>((kBlocks - 1 - i / 8) * 8 + i % 8) + add) return false;
    return true;
  }
};

TEST(Cpu, TellsTheMachinesFacts) {
  const Target& t = device("cpu").target();
  EXPECT_EQ(t.renderer, "llvm");
  EXPECT_EQ(t.name.rfind("cpu ", 0), 0u) << t.name;
  EXPECT_EQ(t.cores, Pool::shared().size());
  EXPECT_TRUE(t.supports(bfloat16) && t.supports(float64));
  EXPECT_GE(t.l2_bytes, t.l1_bytes);
  EXPECT_FALSE(t.grid);
}

TEST(Cpu, RunsPhasesInOrder) {
  Kernel k;
  for (int i = 0; i < 50; ++i) {
    k.launch(i, Kernel::kBlocks);
    ASSERT_TRUE(k.right(i)) << i;
  }
  EXPECT_FALSE(k.cpu.synchronize().has_value());
}

TEST(Cpu, FirstFaultIsKeptUntilAskedFor) {
  Kernel k;
  k.launch(1, 299);
  k.launch(1, 0);
  k.launch(1, Kernel::kBlocks);
  const std::optional<Fault> fault = k.cpu.synchronize();
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->site, 42);
  EXPECT_EQ(fault->index, 299);
  EXPECT_EQ(fault->bound, 299);
  EXPECT_FALSE(k.cpu.synchronize().has_value());
  EXPECT_TRUE(k.right(1));
}

TEST(Cpu, ThreadsLaunchAtOnceAndSeeTheirOwnFaults) {
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Kernel k;
      for (int i = 0; i < 20; ++i) {
        const bool faulty = t % 2;
        k.launch(t, faulty ? 100 : Kernel::kBlocks);
        good += k.right(t) && k.cpu.synchronize().has_value() == faulty;
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(good, 80);
}

TEST(Cpu, MissingEntryAndWrongGrids) {
  Kernel k;
  PhaseInfo phase;
  phase.entry = "absent";
  try {
    k.cpu.load(k.cpu.compile(kKernel), {&phase, 1});
    FAIL();
  } catch (const DeviceError& e) { EXPECT_THAT(e.what(), testing::HasSubstr("no function absent; it has: check, double_it, mirror")); }
  EXPECT_THROW(k.cpu.launch(*k.program, {}), InternalError);
}

TEST(Cpu, ImpossibleScratchIsAnErrorAndTheDeviceGoesOn) {
  Kernel k;
  PhaseInfo phase;
  phase.entry = "double_it";
  phase.scratch_bytes = int64_t{1} << 60;
  const auto program = k.cpu.load(k.cpu.compile(kKernel), {&phase, 1});
  const MemoryRef buffers[2] = {{k.middle, 0}, {k.in, 0}};
  const Grid grid{{4, 1, 1}};
  EXPECT_THROW(k.cpu.launch(*program, {buffers, {}, {&grid, 1}}), DeviceError);
  k.launch(3, Kernel::kBlocks);
  EXPECT_TRUE(k.right(3));
}

}  // namespace
}  // namespace tg
