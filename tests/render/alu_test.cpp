// Every alu row on every dtype it has a meaning for, every conversion, and the corner cases of division and shifts: the rendered code
// must agree bit for bit with the scalar meaning of ops.def, with one lane and with vectors, from LLVM and from C.
#include <cstring>
#include <random>

#include "alu_cases.hpp"

namespace tg {
namespace {

using namespace testing_;

/// Elements of one dtype, as bits.
struct Memory {
  Memory(DType t, size_t n) : dtype(t), bytes(n * 8) {}
  void set(size_t i, Number v) {
    const uint64_t bits = encode(dtype, v);
    std::memcpy(static_cast<std::byte*>(static_cast<void*>(bytes)) + i * size_of(dtype), &bits, size_of(dtype));
  }
  uint64_t bits(size_t i) {
    uint64_t out = 0;
    std::memcpy(&out, static_cast<std::byte*>(static_cast<void*>(bytes)) + i * size_of(dtype), size_of(dtype));
    return out;
  }
  DType dtype;
  Array<std::byte> bytes;
};

/// c applied to n elements, `lanes` at a time: slot 0 is the result, the operands follow.
Phase kernel(const Case& c, int lanes, int64_t n) {
  std::vector<DType> buffers{c.out};
  buffers.insert(buffers.end(), c.in.begin(), c.in.end());
  for (DType& t : buffers) if (t == DType::index) t = int64;
  Builder b(c.name + "_x" + std::to_string(lanes), buffers);
  const Id out = b.buffer(0), i = b.loop(b.integer(0), b.integer(n), lanes);
  std::vector<Id> values;
  for (size_t k = 0; k < c.in.size(); ++k) {
    Id v = b.load(b.buffer(static_cast<int>(k) + 1), i, lanes);
    if (c.in[k] == DType::index) v = b.cast(v, DType::index);
    values.push_back(v);
  }
  Id r = c.make(b, values);
  if (c.out == DType::index) r = b.cast(r, int64);
  b.store(out, i, r);
  b.end_loop(i);
  return b.phase;
}

/// Every combination of corner values (a random choice of them where they are too many) through every case.
void check(const std::vector<Case>& cases, const Code& code, int lanes, int64_t n) {
  std::mt19937 random(7);
  for (const Case& c : cases) {
    std::vector<std::vector<Number>> values;
    size_t combinations = 1;
    for (const DType t : c.in) values.push_back(corners(t)), combinations *= values.back().size();
    std::vector<Memory> memory;
    memory.emplace_back(c.out, static_cast<size_t>(n));
    for (const DType t : c.in) memory.emplace_back(t, static_cast<size_t>(n));
    for (size_t done = 0; done < std::min<size_t>(combinations, 4 * static_cast<size_t>(n)); done += static_cast<size_t>(n)) {
      std::vector<std::vector<Number>> rows;
      for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
        size_t pick = combinations > 4 * static_cast<size_t>(n) ? random() % combinations : (done + i) % combinations;
        std::vector<Number> row;
        for (const auto& v : values) row.push_back(v[pick % v.size()]), pick /= v.size();
        for (size_t k = 0; k < row.size(); ++k) memory[k + 1].set(i, row[k]);
        rows.push_back(row);
      }
      std::vector<void*> buffers;
      for (Memory& m : memory) buffers.push_back(m.bytes);
      run(code, c.name + "_x" + std::to_string(lanes), buffers);
      for (size_t i = 0; i < rows.size(); ++i) {
        const Number expected = c.expect(rows[i]);
        Memory one(c.out, 1);
        one.set(0, expected);
        std::string operands;
        for (size_t k = 0; k < rows[i].size(); ++k)
          operands += " " + (is_float(c.in[k]) ? std::to_string(rows[i][k].d) : std::to_string(rows[i][k].i));
        ASSERT_TRUE(same(c.out, memory[0].bits(i), one.bits(0)))
            << c.name << " x" << lanes << " of" << operands << ": got bits "
                                                                 << std::hex << memory[0].bits(i) << ", expected " << one.bits(0);
      }
    }
  }
}

void check_everywhere(const std::vector<Case>& cases, std::vector<const char*> c_options = {"-O1"}) {
  constexpr int64_t kN = 512;
  for (const int lanes : {1, 8, 16}) {
    std::vector<Phase> phases;
    for (const Case& c : cases) phases.push_back(kernel(c, lanes, kN));
    ASSERT_NO_FATAL_FAILURE(check(cases, LlvmCode(render_llvm(phases, cpu_target())), lanes, kN)) << "llvm";
    if (lanes > 1) continue;
    for (const char* optimization : c_options)
      ASSERT_NO_FATAL_FAILURE(check(cases, CCode(render_c(phases, cpu_target()), optimization), lanes, kN)) << "c " << optimization;
  }
}

TEST(Alu, EveryRowOnEveryDtype) {
  const std::vector<Case> cases = alu_cases();
  ASSERT_EQ(cases.size(), 5 * 2 + 5 * 12 + 4 * 9 + 3 * 10 + 14u);
  check_everywhere(cases, {"-O0", "-O2"});  // -O0: needs no library even so
}

TEST(Alu, WhatHasNoMeaningIsRefused) {
  for (const DType t : kTypes)
    for (size_t op = 0; op < kOpCount; ++op) {
      if (!is_elementwise(static_cast<Op>(op)) || has_meaning(static_cast<Op>(op), t)) continue;
      if (static_cast<Op>(op) == Op::Cast || static_cast<Op>(op) == Op::Bitcast) continue;
      const Phase phase = kernel(alu_case(static_cast<Op>(op), t), 1, 1);
      EXPECT_THROW(render_llvm({&phase, 1}, cpu_target()), InternalError) << name_of(static_cast<Op>(op)) << " " << name_of(t);
      EXPECT_THROW(render_c({&phase, 1}, cpu_target()), InternalError) << name_of(static_cast<Op>(op)) << " " << name_of(t);
    }
}

/// Division by constants, where the renderer may choose a shorter form, and of operands proven non-negative.
TEST(Alu, DivisionByConstantsAndOfNonNegatives) {
  std::vector<Case> cases;
  for (const Op op : {Op::IDiv, Op::Mod})
    for (const DType t : {int8, int32, int64, uint8, uint32, uint64, DType::index})
      for (const int64_t d : {0, 1, 2, 3, 16, 100, -1, -2, -7}) {
        if (d < 0 && is_unsigned(t)) continue;
        Case c = alu_case(op, t);
        c.name += "_by" + std::to_string(d < 0 ? 1000 - d : d);
        c.in = {t};
        c.make = [=](Builder& b, const std::vector<Id>& v) { return b.alu(op, {v[0], b.broadcast(b.integer(d, t), b.at(v[0]).lanes)}); };
        c.expect = [=](const std::vector<Number>& v) { return evaluate(op, t, t, v[0], {d, 0}); };
        cases.push_back(c);
        if (d <= 0) continue;
        c.name += "_easy";  // clears the sign first
        const Number mask = round_to(t, {std::numeric_limits<int64_t>::max() >> (64 - 8 * size_of(t)), 0});
        c.make = [=](Builder& b, const std::vector<Id>& v) {
          const int lanes = b.at(v[0]).lanes;
          return b.alu(op, {b.alu(Op::And, {v[0], b.broadcast(b.integer(mask.i, t), lanes)}), b.broadcast(b.integer(d, t), lanes)}, 1);
        };
        c.expect = [=](const std::vector<Number>& v) { return evaluate(op, t, t, {v[0].i & mask.i, 0}, {d, 0}); };
        cases.push_back(c);
      }
  check_everywhere(cases);
}

TEST(Alu, ShiftsByConstants) {
  std::vector<Case> cases;
  for (const Op op : {Op::Shl, Op::Shr})
    for (const DType t : {int8, int32, uint16, uint32, uint64, DType::index})
      for (const int64_t d : {0, 1, 7, 8, 31, 32, 64}) {
        if (op == Op::Shl && t == DType::index && d > 7) continue;  // would wrap
        Case c = alu_case(op, t);
        c.name += "_by" + std::to_string(d);
        c.in = {t};
        c.make = [=](Builder& b, const std::vector<Id>& v) { return b.alu(op, {v[0], b.broadcast(b.integer(d, t), b.at(v[0]).lanes)}); };
        c.expect = [=](const std::vector<Number>& v) { return evaluate(op, t, t, v[0], {d, 0}); };
        cases.push_back(c);
      }
  check_everywhere(cases);
}

TEST(Alu, EveryCast) { check_everywhere(cast_cases()); }
TEST(Alu, EveryBitcast) { check_everywhere(bitcast_cases()); }

/// Constants of every dtype come back exactly.
TEST(Alu, EveryConstant) {
  std::vector<Case> cases;
  for (const DType t : kTypes)
    for (const Number v : corners(t))
      cases.push_back({"constant_" + std::string(name_of(t)) + "_" + std::to_string(cases.size()), {}, t,
                       [=](Builder& b, const std::vector<Id>&) { return is_float(t) ? b.real(v.d, t) : b.integer(v.i, t); },
                       [=](const std::vector<Number>&) { return v; }});
  std::vector<Phase> phases;
  for (const Case& c : cases) phases.push_back(kernel(c, 1, 1));
  check(cases, LlvmCode(render_llvm(phases, cpu_target())), 1, 1);
  check(cases, CCode(render_c(phases, cpu_target())), 1, 1);
}

}  // namespace
}  // namespace tg
