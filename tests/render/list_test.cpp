// Loops, phis, masks, vectors, memory and reports: small kernels written by hand, run from LLVM and (with one lane) from C.
#include <cmath>
#include <numeric>

#include <gmock/gmock.h>

#include "render_testing.hpp"

namespace tg {
namespace {

using namespace testing_;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::unique_ptr<Code>> compiled(const Phase& phase) {
  std::vector<std::unique_ptr<Code>> out;
  out.push_back(std::make_unique<LlvmCode>(render_llvm({&phase, 1}, cpu_target())));
  bool one_lane = true;
  for (const Inst& u : phase.insts) one_lane &= u.lanes == 1;
  for (const char* optimization : {"-O0", "-O2"})
    if (one_lane) out.push_back(std::make_unique<CCode>(render_c({&phase, 1}, cpu_target()), optimization));
  return out;
}

/// y[i] = x[i] * x[i] for i < n, 16 at a time, the last vector masked. Blocks are vectors.
TEST(List, ElementwiseWithMaskedTail) {
  constexpr int kLanes = 16;
  Builder b("square", {float32, float32});
  const Id y = b.buffer(0), x = b.buffer(1), n = b.scalar(0, DType::index);
  const Id chunk = b.loop(b.first(), b.last());
  const Id start = b.alu(Op::Mul, {chunk, b.integer(kLanes)});
  const Id lane = b.alu(Op::Add, {b.broadcast(start, kLanes), b.ramp(DType::index, kLanes)});
  const Id mask = b.alu(Op::Less, {lane, b.broadcast(n, kLanes)});
  const Id v = b.load(x, start, kLanes, mask);
  b.store(y, start, b.alu(Op::Mul, {v, v}), mask);
  b.end_loop(chunk);
  for (const auto& code : compiled(b.phase))
    for (const size_t size : {0u, 1u, 15u, 16u, 17u, 100u}) {
      Array<float> in(size), out(size + 32, -1.0f);
      for (size_t i = 0; i < size; ++i) in[i] = static_cast<float>(i) - 3.5f;
      const int64_t chunks = static_cast<int64_t>((size + kLanes - 1) / kLanes);
      run(*code, "square", {out, in}, {static_cast<int64_t>(size)}, 0, chunks / 2);
      run(*code, "square", {out, in}, {static_cast<int64_t>(size)}, chunks / 2, chunks);
      for (size_t i = 0; i < size; ++i) ASSERT_EQ(out[i], in[i] * in[i]) << i << " of " << size;
      for (size_t i = size; i < size + 32; ++i) ASSERT_EQ(out[i], -1.0f) << i << " of " << size;
    }
}

/// With one lane a masked access does not happen: the pointer may be null where the mask is false.
TEST(List, MaskedAccessOfOneLaneDoesNotHappen) {
  for (const DType t : {float32, bool_, int64}) {
    Builder b("gate", {t, t});
    const Id i = b.scalar(0, DType::index), open = b.alu(Op::Less, {i, b.integer(0)});
    const Id v = b.load(b.buffer(1), i, 1, open);
    b.store(b.buffer(0), b.integer(0), v);
    b.store(b.buffer(1), i, v, open);
    for (const auto& code : compiled(b.phase)) {
      Array<int64_t> out(1, -1);
      run(*code, "gate", {out, nullptr}, {7});
      EXPECT_EQ(out[0] & (size_of(t) == 8 ? -1 : t == bool_ ? 0xff : 0xffffffff), 0);
      Array<int64_t> memory(2, 0x0101010101010101);
      run(*code, "gate", {out, static_cast<std::byte*>(static_cast<void*>(memory)) + 8}, {-1});
      EXPECT_EQ(static_cast<uint8_t>(out[0]), 1);
    }
  }
}

/// A loop with two phis that swap, one that sums; zero trips and steps that do not divide the range.
TEST(List, PhisAreAssignedTogether) {
  Builder b("swap", {int32});
  const Id n = b.scalar(0, DType::index), out = b.buffer(0);
  const Id ten = b.integer(10, int32), twenty = b.integer(20, int32), zero = b.integer(0, int32);
  const Id i = b.loop(b.integer(1), n, 3);
  const Id p = b.phi(ten), q = b.phi(twenty), sum = b.phi(zero);
  const Id mixed = b.alu(Op::Add, {b.alu(Op::Add, {sum, p}), b.alu(Op::Mul, {q, b.integer(100, int32)})});
  b.end_loop(i, {q, p, mixed});
  b.store(out, b.integer(0), p);
  b.store(out, b.integer(1), q);
  b.store(out, b.integer(2), sum);
  for (const auto& code : compiled(b.phase))
    for (const int64_t size : {-5, 0, 1, 2, 4, 5, 11}) {
      Array<int32_t> got(3);
      run(*code, "swap", {got}, {size});
      int32_t x = 10, y = 20, s = 0;
      for (int64_t k = 1; k < size; k += 3) s += x + 100 * y, std::swap(x, y);
      EXPECT_THAT(std::vector<int32_t>({got[0], got[1], got[2]}), ElementsAre(x, y, s)) << size;
    }
}

/// c[i, j] = sum over k of a[i, k] * b[k, j]: nested loops, the accumulator a vector or a scalar; a constant trip count drops the guard.
TEST(List, NestedLoopsWithAccumulator) {
  constexpr int64_t kM = 5, kK = 7, kN = 32;
  for (const int lanes : {1, 8, 16}) {
    Builder b("matmul", {float32, float32, float32});
    const Id c = b.buffer(0), a = b.buffer(1), w = b.buffer(2), zero = b.broadcast(b.real(0), lanes);
    const Id i = b.loop(b.integer(0), b.integer(kM)), j = b.loop(b.integer(0), b.integer(kN), lanes),
             k = b.loop(b.integer(0), b.scalar(0, DType::index));
    const Id acc = b.phi(zero);
    const Id left = b.broadcast(b.load(a, b.alu(Op::Add, {b.alu(Op::Mul, {i, b.integer(kK)}), k})), lanes);
    const Id right = b.load(w, b.alu(Op::Add, {b.alu(Op::Mul, {k, b.integer(kN)}), j}), lanes);
    b.end_loop(k, {b.alu(Op::Add, {acc, b.alu(Op::Mul, {left, right})})});
    b.store(c, b.alu(Op::Add, {b.alu(Op::Mul, {i, b.integer(kN)}), j}), acc);
    b.end_loop(j);
    b.end_loop(i);
    Array<float> x(kM * kK), y(kK * kN), out(kM * kN);
    for (size_t n = 0; n < x.size; ++n) x[n] = static_cast<float>(n % 11) - 4;
    for (size_t n = 0; n < y.size; ++n) y[n] = static_cast<float>(n % 13) - 5;
    for (const auto& code : compiled(b.phase))
      for (const size_t depth : {0u, 1u, 7u}) {
        run(*code, "matmul", {out, x, y}, {static_cast<int64_t>(depth)});
        for (size_t r = 0; r < kM; ++r)
          for (size_t s = 0; s < kN; ++s) {
            float expected = 0;
            for (size_t t = 0; t < depth; ++t) expected += x[r * kK + t] * y[t * kN + s];
            ASSERT_EQ(out[r * kN + s], expected) << lanes << " lanes, depth " << depth << " at " << r << ", " << s;
          }
      }
  }
}

/// A row's sum: 16 partial sums, then shuffles down to one lane.
TEST(List, ShufflesReduceLanes) {
  Builder b("row_sum", {float32, float32});
  const Id zero = b.broadcast(b.real(0), 16), i = b.loop(b.integer(0), b.integer(64), 16), acc = b.phi(zero);
  b.end_loop(i, {b.alu(Op::Add, {acc, b.load(b.buffer(1), i, 16)})});
  Id v = acc;
  for (const int half : {8, 4, 2, 1}) {
    std::vector<int32_t> low(static_cast<size_t>(half)), high(low.size());
    std::iota(low.begin(), low.end(), 0);
    std::iota(high.begin(), high.end(), half);
    v = b.alu(Op::Add, {b.shuffle(v, v, low), b.shuffle(v, v, high)});
  }
  b.store(b.buffer(0), b.integer(0), v);
  Array<float> in(64), out(1);
  for (size_t k = 0; k < 64; ++k) in[k] = static_cast<float>(k * k);
  for (const auto& code : compiled(b.phase)) {
    run(*code, "row_sum", {out, in});
    EXPECT_EQ(out[0], 63.0f * 64 * 127 / 6);
  }
}

TEST(List, ShufflesInterleaveAndBuildVectors) {
  for (const DType t : {int32, float32, bool_, float16}) {
    Builder b("mix", {t, t});
    const Id x = b.load(b.buffer(1), b.integer(0), 4), y = b.load(b.buffer(1), b.integer(4), 4);
    b.store(b.buffer(0), b.integer(0), b.shuffle(x, y, {0, 4, 1, 5, 2, 6, 3, 7}));
    b.store(b.buffer(0), b.integer(8), b.shuffle(b.extract(x, 3), b.extract(y, 1), {0, 1, 1, 0}));  // from scalars
    b.store(b.buffer(0), b.integer(12), b.shuffle(x, y, {6}));                                      // to a scalar
    b.store(b.buffer(0), b.integer(13), b.broadcast(b.extract(y, 0), 3));
    const size_t bytes = size_of(t);
    Array<uint8_t> in(8 * bytes), out(16 * bytes);
    for (size_t i = 0; i < in.size; ++i) in[i] = t == bool_ ? i % 3 == 0 : static_cast<uint8_t>(i / bytes);
    for (const auto& code : compiled(b.phase)) {
      run(*code, "mix", {out, in});
      const size_t from[] = {0, 4, 1, 5, 2, 6, 3, 7, 3, 5, 5, 3, 6, 4, 4, 4};
      for (size_t i = 0; i < out.size; ++i) ASSERT_EQ(out[i], in[from[i / bytes] * bytes + i % bytes]) << name_of(t) << " byte " << i;
    }
  }
}

/// out[n - 1 - i] = table[index[i]], masked, for every kind of element; bounds are respected where the mask is false.
TEST(List, GatherAndScatter) {
  for (const int lanes : {1, 8, 16})
    for (const DType t : {bool_, int8, int16, int32, int64, float16, float32, float64}) {
      constexpr int64_t kN = 48, kTable = 20;
      Builder b("gather", {t, t, int64});
      const Id i = b.loop(b.integer(0), b.integer(kN), lanes);
      const Id index = b.cast(b.load(b.buffer(2), i, lanes), DType::index);
      const Id mask = b.alu(Op::Less, {index, b.broadcast(b.integer(kTable), lanes)});
      const Id v = b.gather(b.buffer(1), index, mask);
      const Id lane = b.alu(Op::Add, {b.broadcast(i, lanes), b.ramp(DType::index, lanes)});
      const Id to = b.alu(Op::Add, {b.broadcast(b.integer(kN - 1), lanes), b.alu(Op::Mul, {lane, b.broadcast(b.integer(-1), lanes)})});
      b.scatter(b.buffer(0), to, v, mask);
      b.end_loop(i);
      const size_t bytes = size_of(t);
      Array<uint8_t> table(kTable * bytes), out(kN * bytes);
      Array<int64_t> indices(kN);
      for (size_t k = 0; k < table.size; ++k) table[k] = t == bool_ ? k % 3 == 0 : static_cast<uint8_t>(k * 7 + 1);
      for (size_t k = 0; k < kN; ++k) indices[k] = k % 5 == 4 ? int64_t{1} << 40 : static_cast<int64_t>(k * 7 % kTable);
      for (const auto& code : compiled(b.phase)) {
        for (size_t k = 0; k < out.size; ++k) out[k] = 0x7f;
        run(*code, "gather", {out, table, indices});
        for (size_t k = 0; k < kN; ++k)
          for (size_t at = 0; at < bytes; ++at)
            ASSERT_EQ(out[(kN - 1 - k) * bytes + at], k % 5 == 4 ? 0x7f : table[static_cast<size_t>(indices[k]) * bytes + at])
                << name_of(t) << " x" << lanes << " at " << k;
      }
    }
}

/// Only the first report is kept, and nothing else of the body is left out.
TEST(List, FirstReportWins) {
  Builder b("check", {int64, int64});
  const Id i = b.loop(b.first(), b.last());
  const Id index = b.cast(b.load(b.buffer(1), i), DType::index), bound = b.integer(10);
  b.report(b.alu(Op::Less, {b.integer(9), index}), index, bound, 42);
  b.store(b.buffer(0), i, b.integer(1, int64));
  b.end_loop(i);
  for (const auto& code : compiled(b.phase)) {
    Array<int64_t> in(6), out(6);
    for (size_t k = 0; k < 6; ++k) in[k] = static_cast<int64_t>(k);
    EXPECT_THAT(run(*code, "check", {out, in}, {}, 0, 6), ElementsAre(0, 0, 0, 0));
    in[2] = 11;
    in[4] = 12;
    out[5] = 0;
    EXPECT_THAT(run(*code, "check", {out, in}, {}, 0, 6), ElementsAre(1, 42, 11, 10));
    EXPECT_EQ(out[5], 1);
  }
}

/// Of a vector the first lane that is out is reported, and its own bound if the bounds are a vector too.
TEST(List, ReportsOfVectors) {
  for (const int lanes : {2, 3, 8, 16, 64})
    for (const bool own_bounds : {false, true}) {
      Builder b("check", {int64});
      const Id at = b.load(b.buffer(0), b.integer(0), lanes), one = b.integer(10), many = b.load(b.buffer(0), b.integer(lanes), lanes);
      b.report(b.alu(Op::Less, {own_bounds ? many : b.broadcast(one, lanes), at}), at, own_bounds ? many : one, 7);
      for (const auto& code : compiled(b.phase)) {
        Array<int64_t> in(2 * static_cast<size_t>(lanes));
        for (int k = 0; k < lanes; ++k) in[k] = -k, in[lanes + k] = 10 + k;
        EXPECT_THAT(run(*code, "check", {in}), ElementsAre(0, 0, 0, 0)) << lanes;
        for (int k = lanes - 1; k >= 0; --k) {
          in[k] = 100 + k;
          EXPECT_THAT(run(*code, "check", {in}), ElementsAre(1, 7, 100 + k, own_bounds ? 10 + k : 10)) << lanes;
        }
      }
    }
}

/// Values of an if are not written where it is not entered; loops inside it keep their phis.
TEST(List, IfAroundALoop) {
  Builder b("maybe", {float64});
  const Id n = b.scalar(0, DType::index), factor = b.scalar(1, float64);
  b.if_(b.alu(Op::Less, {n, b.integer(5)}));
  const Id one = b.real(1, float64), i = b.loop(b.integer(0), n), acc = b.phi(one);
  b.end_loop(i, {b.alu(Op::Mul, {acc, factor})});
  b.store(b.buffer(0), b.integer(0), acc);
  b.end_if();
  for (const auto& code : compiled(b.phase))
    for (const int64_t size : {0, 3, 5}) {
      Array<double> out(1, -1.0);
      run(*code, "maybe", {out}, {size, std::bit_cast<int64_t>(1.5)});
      EXPECT_EQ(out[0], size == 5 ? -1.0 : size == 3 ? 3.375 : 1.0);
    }
}

/// A value loaded before a store to the same slot is the old one, wherever it is used.
TEST(List, LoadsDoNotMovePastStores) {
  Builder b("rotate", {float32});
  const Id p = b.buffer(0), x = b.load(p, b.integer(0)), y = b.load(p, b.integer(1));
  b.store(p, b.integer(0), y);
  b.store(p, b.integer(1), x);
  const Id i = b.loop(b.integer(2), b.integer(4));
  const Id v = b.load(p, i);
  b.store(p, i, b.real(0));
  b.store(p, b.alu(Op::Add, {i, b.integer(2)}), v);
  b.end_loop(i);
  for (const auto& code : compiled(b.phase)) {
    Array<float> memory(6);
    for (size_t k = 0; k < 6; ++k) memory[k] = static_cast<float>(k + 1);
    run(*code, "rotate", {memory});
    EXPECT_THAT(std::vector<float>(&memory[0], &memory[0] + 6), ElementsAre(2, 1, 0, 0, 3, 4));
  }
}

/// Scratch of two element types; prefetching past the end is harmless; a streamed store arrives.
TEST(List, ScratchPrefetchAndNonTemporalStores) {
  for (const int lanes : {1, 16}) {
    Builder b("staged", {float32, float32});
    const Id floats = b.scratch(0, float32), ints = b.scratch(4096, int32);
    const Id i = b.loop(b.integer(0), b.integer(64), lanes);
    b.add({.op = InstOp::prefetch, .src = {b.buffer(1), b.alu(Op::Add, {i, b.integer(int64_t{1} << 20)})}});
    b.store(floats, i, b.load(b.buffer(1), i, lanes));
    b.store(ints, i, b.alu(Op::Add, {b.ramp(int32, lanes), b.broadcast(b.integer(1, int32), lanes)}));
    b.end_loop(i);
    const Id j = b.loop(b.integer(0), b.integer(64), lanes);
    b.store(b.buffer(0), j, b.alu(Op::Mul, {b.load(floats, j, lanes), b.cast(b.load(ints, j, lanes), float32)}), -1, Hint::non_temporal);
    b.end_loop(j);
    Array<float> in(64), out(64);
    for (size_t k = 0; k < 64; ++k) in[k] = static_cast<float>(k);
    for (const auto& code : compiled(b.phase)) {
      run(*code, "staged", {out, in});
      for (size_t k = 0; k < 64; ++k) ASSERT_EQ(out[k], static_cast<float>(k * (k % static_cast<size_t>(lanes) + 1))) << k;
    }
    const std::string text = render_llvm({&b.phase, 1}, cpu_target());
    EXPECT_EQ(text.find("align 64") != std::string::npos, lanes == 16);
    EXPECT_EQ(text.find("!nontemporal") != std::string::npos, lanes == 16);
    EXPECT_EQ(text.find("fence seq_cst") != std::string::npos, lanes == 16);
  }
}

/// Invariant loads leave a loop that stores to another slot: the metadata says that slots do not overlap.
TEST(List, SlotsAreToldApart) {
  Builder b("scale", {float32, float32, float32});
  const Id i = b.loop(b.first(), b.last());
  b.store(b.buffer(0), i, b.load(b.buffer(2), b.integer(0)));
  b.store(b.buffer(1), i, b.load(b.buffer(0), i));
  b.end_loop(i);
  const std::string text = render_llvm({&b.phase, 1}, cpu_target());
  EXPECT_THAT(text, HasSubstr("alias.scope"));
  EXPECT_THAT(text, HasSubstr("noalias"));
  Array<float> x(8), y(8), z(1, 2.5f);
  run(LlvmCode(text), "scale", {x, y, z}, {}, 2, 7);
  EXPECT_EQ(x[6] + y[2], 5.0f);
  EXPECT_EQ(x[7] + y[1], 0.0f);
}

/// Several phases in one text, with more written slots than get metadata.
TEST(List, ManyPhasesAndManySlots) {
  std::vector<Phase> phases;
  for (const char* entry : {"first_pass", "second_pass"}) {
    Builder b(entry, std::vector<DType>(50, int32));
    for (int s = 0; s < 50; ++s)
      b.store(b.buffer(s), b.integer(0), b.alu(Op::Add, {b.load(b.buffer((s + 1) % 50), b.integer(0)), b.integer(1, int32)}));
    phases.push_back(b.phase);
  }
  const LlvmCode llvm(render_llvm(phases, cpu_target()));
  const CCode c(render_c(phases, cpu_target()));
  for (const Code* code : {static_cast<const Code*>(&llvm), static_cast<const Code*>(&c)}) {
    Array<int32_t> memory(50 * 128);
    std::vector<void*> buffers;
    for (size_t s = 0; s < 50; ++s) buffers.push_back(&memory[s * 128]), memory[s * 128] = static_cast<int32_t>(s);
    for (const Phase& phase : phases) run(*code, phase.entry, buffers);
    for (size_t s = 0; s < 50; ++s) ASSERT_EQ(memory[s * 128], s < 48 ? static_cast<int32_t>(s) + 4 : s == 48 ? 4 : 5) << s;
  }
}

TEST(List, WhatALanguageLacksIsRefused) {
  Builder lanes("lanes", {float32});
  lanes.store(lanes.buffer(0), lanes.integer(0), lanes.broadcast(lanes.real(1), 4));
  EXPECT_THROW(render_c({&lanes.phase, 1}, cpu_target()), InternalError);
  Builder grid("grid", {float32});
  grid.store(grid.buffer(0), grid.add({.op = InstOp::block, .dtype = DType::index}), grid.real(1));
  EXPECT_THROW(render_llvm({&grid.phase, 1}, cpu_target()), InternalError);
  EXPECT_THROW(render_c({&grid.phase, 1}, cpu_target()), InternalError);
  Builder chunks("chunks", {float32});
  chunks.store(chunks.buffer(0), chunks.first(), chunks.real(1));
  EXPECT_THROW(render_opencl({&chunks.phase, 1}, cpu_target()), InternalError);
  Builder pointer("pointer", {float32});
  pointer.store(pointer.integer(0), pointer.integer(0), pointer.real(1));
  EXPECT_THROW(render_llvm({&pointer.phase, 1}, cpu_target()), InternalError);
  EXPECT_THROW(render_c({&pointer.phase, 1}, cpu_target()), InternalError);
  try {
    Builder loop("loop", {float32});
    const Id zero = loop.real(0), i = loop.loop(loop.integer(0), loop.integer(4)), acc = loop.phi(zero);
    loop.store(loop.buffer(0), i, acc);
    loop.end_loop(i);
    render_llvm({&loop.phase, 1}, cpu_target());
    FAIL() << "a phi without its next value was accepted";
  } catch (const InternalError& e) { EXPECT_THAT(e.what(), HasSubstr("instruction %7: end_loop has fewer values")); }
}

TEST(List, Prints) {
  Builder b("sum", {float32, float32});
  const Id out = b.buffer(0), in = b.buffer(1), n = b.scalar(0, DType::index), begin = b.integer(0), half = b.real(0.5),
           start = b.broadcast(half, 16);
  const Id i = b.loop(begin, n, 16), acc = b.phi(start), x = b.load(in, i, 16);
  b.end_loop(i, {b.alu(Op::Add, {acc, x})});
  const Id last = b.extract(acc, 3), rest = b.alu(Op::Mod, {n, n}, 1), gate = b.alu(Op::Less, {rest, n});
  b.store(out, begin, last, gate);
  EXPECT_EQ(to_string(b.phase.insts), R"(%0 = buffer 0 float32
%1 = buffer 1 float32
%2 = scalar 0 index
%3 = constant 0 index
%4 = constant 0.5 float32
%5 = broadcast %4 x16
%6 = loop %3 %2 step 16
  %7 = phi %5 x16
  %8 = load float32 %1 [%6] x16
  %9 = alu Add float32 %7 %8 x16
end_loop %6 %9
%11 = extract %7 lane 3
%12 = alu Mod nonnegative index %2 %2
%13 = alu Less bool %12 %2
store %0 [%3] %11 if %13
)");
}

}  // namespace
}  // namespace tg
