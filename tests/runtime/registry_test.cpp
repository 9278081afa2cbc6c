// Names to devices and renderers: errors that list what there is, factories that fail, many threads opening at once.
#include "runtime/registry.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <unistd.h>

#include "runtime/null/null.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

using testing::HasSubstr;

template <typename F>
std::string problem_of(F f) {
  try {
    f();
  } catch (const DeviceError& e) { return e.what(); }
  return "none";
}

TEST(Registry, UnknownNamesListTheKnown) {
  const std::string problem = problem_of([] { device("gpu"); });
  EXPECT_THAT(problem, HasSubstr("no device is called \"gpu\"; known: "));
  for (const char* name : {"cpu", "interpreter", "null, ", "null:gpu", "opencl"}) EXPECT_THAT(problem, HasSubstr(name));
  EXPECT_THAT(problem, HasSubstr("tg::register_device"));
  EXPECT_THAT(problem_of([] { renderer("fortran"); }), HasSubstr("no renderer is called \"fortran\""));
}

TEST(Registry, FailuresSayWhyAndMayPass) {
  static bool broken = true;
  ASSERT_TRUE(register_device("test:broken", []() -> std::unique_ptr<Device> {
    if (broken) throw DeviceError("the cable is out");
    return open_null();
  }));
  EXPECT_FALSE(register_device("test:broken", open_null));
  EXPECT_EQ(problem_of([] { device("test:broken"); }), "device \"test:broken\" cannot be opened: the cable is out");
  const auto all = devices();
  const auto it = std::find_if(all.begin(), all.end(), [](const DeviceStatus& s) { return s.name == "test:broken"; });
  ASSERT_NE(it, all.end());
  EXPECT_THAT(it->problem, HasSubstr("the cable is out"));
  broken = false;
  EXPECT_EQ(device("test:broken").target().name, "null cpu avx512");

  ASSERT_TRUE(register_device("test:nothing", [] { return std::unique_ptr<Device>(); }));
  EXPECT_THAT(problem_of([] { device("test:nothing"); }), HasSubstr("its factory returned nothing"));
}

TEST(Registry, OpensOnceThoughManyAsk) {
  static std::atomic<int> opened = 0;
  register_device("test:once", [] {
    ++opened;
    device("null");  // a factory may use other devices
    return open_null();
  });
  std::vector<std::thread> threads;
  std::vector<Device*> seen(8);
  for (size_t t = 0; t < seen.size(); ++t) threads.emplace_back([&, t] { seen[t] = &device("test:once"); });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(opened, 1);
  for (Device* d : seen) EXPECT_EQ(d, seen[0]);
}

// Below: processes of their own that end while a device has something to do.
struct AtExit : testing::Test {
  AtExit() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};
using AtExitDeathTest = AtExit;

struct Busy : Device {
  std::unique_ptr<Device> null = open_null();
  const Target& target() const override { return null->target(); }
  void* allocate(size_t bytes) override { return null->allocate(bytes); }
  void free(void* handle, size_t bytes) noexcept override { null->free(handle, bytes); }
  void copy_in(MemoryRef, const void*, size_t) override {}
  void copy_out(void*, MemoryRef, size_t) override {}
  std::string compile(const std::string& text) override { return text; }
  std::shared_ptr<Program> load(const std::string&, std::span<const PhaseInfo>) override { return {}; }
  void launch(Program&, const LaunchArgs&) override {}
  std::optional<Fault> synchronize() override {
    std::fputs("finished\n", stderr);
    throw DeviceError("nobody is told");
  }
};
void end_while_busy() {
  register_device("test:busy", [] { return std::make_unique<Busy>(); });
  device("test:busy");
  std::exit(0);
}
void end_while_the_driver_compiles() {
  Device& cl = device("opencl");
  const MemoryRef out{cl.allocate(4096), 0, 4096};
  const Grid grid{{64, 1, 1}};
  PhaseInfo phase;
  phase.entry = "fill";
  phase.block[0] = 16;
  for (const char* what : {"first", "second"}) {  // kernels that no driver has seen
    const std::string text = fmt::format(
        "// {} {}\n__kernel void fill(__global float* out, __global long* status) {{ out[get_global_id(0)] = 1; }}", what, getpid());
    cl.launch(*cl.load(cl.compile(text), std::span(&phase, 1)), {std::span(&out, 1), {}, std::span(&grid, 1)});
  }
  std::exit(0);
}
TEST_F(AtExitDeathTest, WaitsForDevices) {
  EXPECT_EXIT(end_while_busy(), testing::ExitedWithCode(0), "finished");
  EXPECT_EXIT(end_while_the_driver_compiles(), testing::ExitedWithCode(0), "");
}

TEST(Registry, Renderers) {
  EXPECT_TRUE(register_renderer(
      "test:lines", [](std::span<const Phase> phases, const Target& t) { return t.name + " " + std::to_string(phases.size()); }));
  EXPECT_FALSE(register_renderer("test:lines", {}));
  EXPECT_EQ(renderer("test:lines")({}, device("null").target()), "null cpu avx512 0");
}

TEST(Null, CountsAndReadsZeros) {
  NullDevice null(device("null:gpu").target());
  EXPECT_TRUE(null.target().grid);
  EXPECT_FALSE(null.target().supports(bfloat16));
  void* a = null.allocate(1000);
  void* b = null.allocate(24);
  EXPECT_NE(a, b);
  EXPECT_EQ(null.host_pointer({a, 0}), nullptr);
  const int values[2] = {1, 2};
  null.copy_in({a, 0}, values, 8);
  int back[2] = {7, 7};
  null.copy_out(back, {a, 0}, 8);
  EXPECT_EQ(back[0], 0);
  null.free(b, 24);
  const PhaseInfo phases[3] = {};
  const auto program = null.load(null.compile("text"), phases);
  const Grid grids[3] = {};
  null.launch(*program, {.buffers = {}, .scalars = {}, .grids = grids});
  null.launch(*program, {.buffers = {}, .scalars = {}, .grids = grids});
  EXPECT_FALSE(null.synchronize().has_value());
  EXPECT_EQ(null.counts().kernels, 2);
  EXPECT_EQ(null.counts().phases, 6);
  EXPECT_EQ(null.counts().bytes_in, 8u);
  EXPECT_EQ(null.counts().bytes_out, 8u);
  EXPECT_EQ(null.counts().live_bytes, 1000u);
  EXPECT_EQ(null.counts().peak_bytes, 1024u);
  null.reset();
  EXPECT_EQ(null.counts().phases, 0);
  EXPECT_EQ(null.counts().live_bytes, 1000u);
  EXPECT_THROW(null.allocate(size_t{1} << 60), DeviceError);
}

TEST(Interpreter, HoldsMemoryAndNeverCompiles) {
  Device& d = device("interpreter");
  EXPECT_TRUE(d.interprets());
  void* p = d.allocate(16);
  const double in[2] = {1.5, 2.5};
  d.copy_in({p, 0}, in, 16);
  double out[2] = {};
  d.copy_out(out, {p, 0}, 16);
  EXPECT_EQ(out[1], 2.5);
  EXPECT_EQ(d.host_pointer({p, 8}), d.host_pointer({p, 0}) + 8);
  d.free(p, 16);
  EXPECT_THROW(d.compile(""), InternalError);
}

}  // namespace
}  // namespace tg
