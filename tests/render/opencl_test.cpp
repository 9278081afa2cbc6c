// The OpenCL dialect on the machine's OpenCL device: all arithmetic against its scalar meaning, and what only a grid has.
#include <cstring>

#include <gmock/gmock.h>

#include "alu_cases.hpp"

namespace tg {
namespace {

using namespace testing_;
using testing::HasSubstr;

/// Compiles, runs and reads back. Buffers are bytes, given and returned.
std::optional<Fault> run_on_device(std::span<const Phase> phases, std::vector<std::vector<std::byte>>& buffers,
                                   std::vector<int64_t> scalars, std::vector<Grid> grids) {
  Device& d = device("opencl");
  std::vector<PhaseInfo> infos;
  for (const Phase& p : phases) infos.push_back({p.entry, p.written, p.scratch_bytes, {p.block[0], p.block[1], p.block[2]}});
  // PoCL speaks up where it rejects a program: where kernels call a function that its short declarations (opencl.cpp) lack.
  testing::internal::CaptureStderr();
  const auto program = d.load(d.compile(render_opencl(phases, d.target())), infos);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  std::vector<MemoryRef> memory;
  for (const auto& b : buffers) {
    memory.push_back({d.allocate(b.size()), 0});
    d.copy_in(memory.back(), b.data(), b.size());
  }
  d.launch(*program, {memory, scalars, grids});
  const std::optional<Fault> fault = d.synchronize();
  for (size_t i = 0; i < buffers.size(); ++i) {
    d.copy_out(buffers[i].data(), memory[i], buffers[i].size());
    d.free(memory[i].handle, buffers[i].size());
  }
  return fault;
}

template <class T> std::vector<std::byte> bytes(const std::vector<T>& v) {
  std::vector<std::byte> out(v.size() * sizeof(T));
  std::memcpy(out.data(), v.data(), out.size());
  return out;
}
template <class T> std::vector<T> values(const std::vector<std::byte>& b) {
  std::vector<T> out(b.size() / sizeof(T));
  std::memcpy(out.data(), b.data(), b.size());
  return out;
}

/// All cases in one kernel (a driver compiles each kernel in a process of its own): 64 combinations of corners a case, one a thread.
void check(const std::string& name, const std::vector<Case>& cases) {
  constexpr int64_t kN = 64;
  Builder b(name, {uint8, uint8});
  b.phase.block[0] = 16;
  b.phase.written[0] = true;
  const Id i = b.alu(Op::Add, {b.alu(Op::Mul, {b.add({.op = InstOp::block, .dtype = DType::index}), b.integer(16)}),
                               b.add({.op = InstOp::thread, .dtype = DType::index})});
  std::vector<std::vector<std::byte>> buffers(2, std::vector<std::byte>(cases.size() * 3 * kN * 8));
  // Place k of a buffer is bytes [k * 8 * kN, (k + 1) * 8 * kN), seen as elements of the type that is there.
  const auto at = [&](size_t place, DType t) {
    return b.alu(Op::Add, {i, b.integer(static_cast<int64_t>(place) * kN * 8 / static_cast<int64_t>(size_of(t)))});
  };
  const auto view = [&](int slot, DType t) { return b.add({.op = InstOp::buffer, .dtype = t == DType::index ? int64 : t, .value = slot}); };
  const auto row = [&](const Case& c, size_t n) {
    std::vector<Number> out;
    size_t pick = n * 2654435761u;
    for (const DType t : c.in) {
      const std::vector<Number> from = corners(t);
      out.push_back(from[pick % from.size()]);
      pick = pick / from.size() + 7 * n;
    }
    return out;
  };
  for (size_t k = 0; k < cases.size(); ++k) {
    const Case& c = cases[k];
    std::vector<Id> operands;
    for (size_t n = 0; n < c.in.size(); ++n) {
      Id v = b.load(view(1, c.in[n]), at(3 * k + n, c.in[n]));
      operands.push_back(c.in[n] == DType::index ? b.cast(v, DType::index) : v);
      for (size_t e = 0; e < kN; ++e) {
        const uint64_t bits = encode(c.in[n], row(c, e)[n]);
        std::memcpy(&buffers[1][(3 * k + n) * kN * 8 + e * size_of(c.in[n])], &bits, size_of(c.in[n]));
      }
    }
    const Id r = c.make(b, operands);
    b.store(view(0, c.out), at(k, c.out), c.out == DType::index ? b.cast(r, int64) : r);
  }
  run_on_device({&b.phase, 1}, buffers, {}, {{{kN / 16, 1, 1}}});
  for (size_t k = 0; k < cases.size(); ++k)
    for (size_t e = 0; e < kN; ++e) {
      const std::vector<Number> operands = row(cases[k], e);
      uint64_t expected = encode(cases[k].out, cases[k].expect(operands)), got = 0;
      if (size_of(cases[k].out) < 8) expected &= (uint64_t{1} << (8 * size_of(cases[k].out))) - 1;
      std::memcpy(&got, &buffers[0][k * kN * 8 + e * size_of(cases[k].out)], size_of(cases[k].out));
      std::string text;
      for (size_t n = 0; n < operands.size(); ++n)
        text += " " + (is_float(cases[k].in[n]) ? std::to_string(operands[n].d) : std::to_string(operands[n].i));
      ASSERT_TRUE(same(cases[k].out, got, expected))
          << cases[k].name << " of" << text << ": got bits " << std::hex << got << ", expected " << expected;
    }
}

TEST(OpenCl, EveryAluRow) { check("rows", alu_cases()); }
TEST(OpenCl, EveryCast) { check("casts", cast_cases()); }
TEST(OpenCl, EveryBitcast) { check("bitcasts", bitcast_cases()); }

/// Each block reverses its part through shared memory; scalars of both kinds; two phases with different blocks.
TEST(OpenCl, BlocksThreadsSharedMemoryAndBarriers) {
  constexpr int64_t kBlock = 32, kBlocks = 4;
  Builder b("reverse", {float32, float32});
  b.phase.block[0] = kBlock;
  b.phase.scratch_bytes = kBlock * 4;
  const Id shared = b.scratch(0, float32), t = b.add({.op = InstOp::thread, .dtype = DType::index});
  const Id start = b.alu(Op::Mul, {b.add({.op = InstOp::block, .dtype = DType::index}), b.integer(kBlock)}), i = b.alu(Op::Add, {start, t});
  b.store(shared, t, b.load(b.buffer(1), i));
  b.add({.op = InstOp::barrier});
  const Id back = b.alu(Op::Add, {b.integer(kBlock - 1), b.alu(Op::Mul, {t, b.integer(-1)})});
  const Id n = b.scalar(0, DType::index), factor = b.scalar(1, float64);
  b.store(b.buffer(0), i, b.alu(Op::Mul, {b.load(shared, back), b.cast(factor, float32)}), b.alu(Op::Less, {i, n}));
  Builder second("plus_one", {float32, float32});
  second.phase.scalars = 2;
  second.phase.grid_axes = 2;
  second.phase.block[1] = 8;
  const Id y = second.add({.op = InstOp::thread, .dtype = DType::index, .value = 1}),
           x = second.add({.op = InstOp::block, .dtype = DType::index, .value = 0});
  const Id row = second.add({.op = InstOp::block, .dtype = DType::index, .value = 1});
  const Id e = second.alu(
      Op::Add, {second.alu(Op::Mul, {second.alu(Op::Add, {second.alu(Op::Mul, {row, second.integer(8)}), y}), second.integer(4)}), x});
  second.store(second.buffer(0), e, second.alu(Op::Add, {second.load(second.buffer(0), e), second.real(1)}));
  std::vector<float> in(kBlock * kBlocks);
  for (size_t k = 0; k < in.size(); ++k) in[k] = static_cast<float>(k);
  std::vector<std::vector<std::byte>> buffers{bytes(std::vector<float>(in.size(), 0)), bytes(in)};
  const Phase phases[] = {b.phase, second.phase};
  run_on_device(phases, buffers, {100, std::bit_cast<int64_t>(0.5)}, {{{kBlocks, 1, 1}}, {{4, 4, 1}}});
  const std::vector<float> out = values<float>(buffers[0]);
  for (size_t k = 0; k < out.size(); ++k) {
    const float reversed = k < 100 ? 0.5f * static_cast<float>(k / kBlock * kBlock + kBlock - 1 - k % kBlock) : 0;
    ASSERT_EQ(out[k], reversed + 1) << k;
  }
}

TEST(OpenCl, ReportsReachTheHost) {
  Builder b("report", {int64});
  b.phase.block[0] = 8;
  b.phase.written[0] = true;
  const Id i = b.add({.op = InstOp::thread, .dtype = DType::index}), bound = b.integer(6), at = b.alu(Op::Mul, {i, b.integer(2)});
  b.report(b.alu(Op::Less, {b.integer(5), i}), at, bound, 3);
  std::vector<std::vector<std::byte>> buffers{bytes(std::vector<int64_t>(1))};
  const std::optional<Fault> fault = run_on_device({&b.phase, 1}, buffers, {}, {{{1, 1, 1}}});
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->site, 3);
  EXPECT_EQ(fault->bound, 6);
  EXPECT_TRUE(fault->index == 12 || fault->index == 14) << fault->index;
}

/// The text a person sees: loops named, what is used once written in place.
TEST(OpenCl, TextIsReadable) {
  Builder b("row_max", {float32, float32});
  b.phase.block[0] = 64;
  const Id out = b.buffer(0), in = b.buffer(1), n = b.scalar(0, DType::index), zero = b.integer(0), low = b.real(-INFINITY);
  const Id row = b.alu(Op::Add, {b.alu(Op::Mul, {b.add({.op = InstOp::block, .dtype = DType::index}), b.integer(64)}),
                                 b.add({.op = InstOp::thread, .dtype = DType::index})});
  const Id i = b.loop(zero, n), acc = b.phi(low);
  b.end_loop(i, {b.alu(Op::Max, {acc, b.load(in, b.alu(Op::Add, {b.alu(Op::Mul, {row, n}), i}))})});
  b.store(out, row, acc);
  EXPECT_EQ(render_opencl({&b.phase, 1}, {}), R"(#pragma OPENCL FP_CONTRACT OFF
static float tg_max_float32(float a, float b) { return a > b || a != a ? a : b; }

)"
            "__kernel __attribute__((reqd_work_group_size(64, 1, 1))) void row_max("
            "__global float* restrict b0, const __global float* restrict b1, long s0, "
            R"(__global long* status) {
  const long g0 = (long)get_group_id(0);
  const long l0 = (long)get_local_id(0);
  const long t0 = (g0 * 64) + l0;
  float acc0 = (float)-INFINITY;
  for (long i0 = 0; i0 < s0; ++i0) {
    acc0 = tg_max_float32(acc0, b1[(t0 * s0) + i0]);
  }
  b0[t0] = acc0;
}
)");
}

}  // namespace
}  // namespace tg
