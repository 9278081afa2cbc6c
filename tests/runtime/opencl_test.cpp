// The opencl device on whatever driver the machine has (PoCL in CI): sums at offsets, phases, shared memory, faults, build errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <numeric>
#include <string>
#include <thread>

#include "tg/device.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

using testing::HasSubstr;

const char* const kOpenClKernel = R"(
__kernel void add(__global float* out, __global float* a, __global float* b, long n, long scale, __global long* status) {
  const long i = get_group_id(0) * get_local_size(0) + get_local_id(0);
  if (i < n) out[i] = a[i] + (float)as_double(scale) * b[i];
}
__kernel void reverse_block(__global float* out, __global float* a, __global float* b, long n, long scale, __global long* status) {
  __local float block[8];
  const long i = get_global_id(0);
  block[get_local_id(0)] = out[i];
  barrier(CLK_LOCAL_MEM_FENCE);
  out[i] = block[7 - get_local_id(0)];
  if (i == n && atomic_cmpxchg((volatile __global int*)status, 0, 1) == 0) { status[1] = 5; status[2] = i; status[3] = n; }
}
)";

struct OpenCl : testing::Test {
  static constexpr size_t kCount = 64;
  static constexpr size_t kBytes = kCount * sizeof(float);
  Device& cl = device("opencl");
  void* arena = cl.allocate(3 * kAlignment + kBytes);
  MemoryRef a{arena, kAlignment, kBytes}, b{arena, 2 * kAlignment, kBytes}, out{arena, 3 * kAlignment};
  std::shared_ptr<Program> program;

  void SetUp() override {
    PhaseInfo phases[2];
    phases[0].entry = "add";
    phases[0].block[0] = 16;
    phases[1].entry = "reverse_block";
    phases[1].block[0] = 8;
    program = cl.load(cl.compile(kOpenClKernel), phases);
    std::vector<float> values(kCount);
    std::iota(values.begin(), values.end(), 0.0f);
    cl.copy_in(a, values.data(), kBytes);
    cl.copy_in(b, values.data(), kBytes);
  }
  void TearDown() override { cl.free(arena, 3 * kAlignment + kBytes); }

  void launch(int64_t n, double scale) {
    const MemoryRef buffers[3] = {out, a, b};
    const int64_t scalars[2] = {n, std::bit_cast<int64_t>(scale)};
    const Grid grids[2] = {{{4, 1, 1}}, {{8, 1, 1}}};
    cl.launch(*program, {buffers, scalars, grids});
  }
};

TEST_F(OpenCl, AddsAtOffsetsInTwoPhases) {
  for (double scale : {2.0, 0.5}) {
    launch(kCount, scale);
    EXPECT_FALSE(cl.synchronize().has_value());
    std::vector<float> got(kCount);
    cl.copy_out(got.data(), out, kBytes);
    for (size_t i = 0; i < kCount; ++i) EXPECT_EQ(got[i], (1 + scale) * static_cast<double>(i / 8 * 8 + 7 - i % 8)) << i;
  }
}

TEST_F(OpenCl, ReportsAFaultOnce) {
  launch(40, 1);
  launch(30, 1);
  const std::optional<Fault> fault = cl.synchronize();
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->site, 5);
  EXPECT_EQ(fault->index, 40);
  EXPECT_EQ(fault->bound, 40);
  launch(kCount, 1);
  EXPECT_FALSE(cl.synchronize().has_value());
}

TEST_F(OpenCl, TellsEachThreadOfItsOwnFaults) {
  launch(40, 1);
  std::thread([&] {
    EXPECT_FALSE(cl.synchronize().has_value());
    launch(kCount, 1);
    EXPECT_FALSE(cl.synchronize().has_value());
  }).join();
  EXPECT_TRUE(cl.synchronize().has_value());
}

TEST_F(OpenCl, TellsItsFacts) {
  const Target& t = cl.target();
  EXPECT_EQ(t.renderer, "opencl");
  EXPECT_TRUE(t.grid);
  EXPECT_GE(t.max_threads, 16);
  EXPECT_GE(t.shared_bytes, 16 << 10);
  EXPECT_TRUE(t.supports(float32));
  EXPECT_FALSE(t.supports(bfloat16));
}

TEST_F(OpenCl, ErrorsAreShortAndPrecise) {
  try {
    cl.compile("__kernel void f(__global float* p) {\n  p[0] = nonsense;\n}\n");
    FAIL();
  } catch (const DeviceError& e) {
    const std::string what = e.what();
    EXPECT_THAT(what, HasSubstr("opencl: the driver rejects the kernel: "));
    EXPECT_THAT(what, HasSubstr("nonsense"));
    EXPECT_LE(std::count(what.begin(), what.end(), '\n'), 3);
  }
  PhaseInfo absent;
  absent.entry = "absent";
  EXPECT_THROW(cl.load(kOpenClKernel, {&absent, 1}), DeviceError);
  EXPECT_THROW(cl.launch(*program, {}), InternalError);
  try {
    cl.allocate(size_t{1} << 50);
    FAIL();
  } catch (const DeviceError& e) { EXPECT_THAT(e.what(), HasSubstr("opencl: no memory for 1125899906842624 bytes")); }
  launch(kCount, 1);
  EXPECT_FALSE(cl.synchronize().has_value());
}

TEST_F(OpenCl, ReusesFreedMemory) {
  void* first = cl.allocate(5000);
  cl.free(first, 5000);
  void* second = cl.allocate(5001);
  EXPECT_EQ(first, second);
  cl.free(second, 5001);
}

TEST_F(OpenCl, ThreadsLaunchAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 1; t <= 3; ++t)
    threads.emplace_back([&, t] {
      void* mine = cl.allocate(kBytes);
      for (int round = 0; round < 20; ++round) {
        const MemoryRef buffers[3] = {{mine, 0}, a, b};
        const int64_t scalars[2] = {kCount, std::bit_cast<int64_t>(static_cast<double>(t))};
        const Grid grids[2] = {{{4, 1, 1}}, {{8, 1, 1}}};
        cl.launch(*program, {buffers, scalars, grids});
        float got = 0;
        cl.copy_out(&got, {mine, 0}, sizeof got);
        good += got == 7.0f * static_cast<float>(1 + t);
      }
      cl.free(mine, kBytes);
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(good, 60);
}

}  // namespace
}  // namespace tg
