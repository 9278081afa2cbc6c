// Every alu row on every dtype it has a meaning for, every conversion, and the corner cases of division and shifts: the rendered code
// must agree bit for bit with the scalar meaning of ops.def, with one lane and with vectors, from LLVM and from C.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "base/float16.hpp"
#include "ir/op_info.hpp"
#include "render_testing.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

using namespace testing_;

constexpr DType kTypes[] = {bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, bfloat16, float32, float64, DType::index};

uint64_t encode(DType t, Number v) {
  if (t == float16) return half_from(v.d);
  if (t == bfloat16) return bfloat16_from(v.d);
  if (t == float32) return std::bit_cast<uint32_t>(static_cast<float>(v.d));
  if (t == float64) return std::bit_cast<uint64_t>(v.d);
  return static_cast<uint64_t>(v.i);
}
Number decode(DType t, uint64_t bits) {
  if (t == float16) return {0, static_cast<double>(half_to_float(static_cast<uint16_t>(bits)))};
  if (t == bfloat16) return {0, static_cast<double>(bfloat16_to_float(static_cast<uint16_t>(bits)))};
  if (t == float32) return {0, static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)))};
  if (t == float64) return {0, std::bit_cast<double>(bits)};
  return round_to(t, {static_cast<int64_t>(bits), 0});
}

/// Numbers where conversions and operations change their ways, and a few others, in `t`.
std::vector<Number> corners(DType t) {
  std::vector<Number> out;
  if (t == bool_) return {{0, 0}, {1, 0}};
  if (t == DType::index) {  // never wraps: small enough for any product
    for (const int64_t v : {0LL, 1LL, -1LL, 2LL, 3LL, 7LL, 8LL, -3LL, -8LL, 63LL, 64LL, 100LL, -1000003LL, 1LL << 30}) out.push_back({v, 0});
    return out;
  }
  if (is_int(t)) {
    const int bits = 8 * static_cast<int>(size_of(t));
    for (const int64_t v : {0, 1, -1, 2, 3, -3, 5, 7, 8, 31, 32, 63, 64, 100, -100}) out.push_back(round_to(t, {v, 0}));
    for (const int shift : {bits - 1, bits - 2, 24, 53})
      for (const int64_t d : {-1, 0, 1}) out.push_back(round_to(t, {static_cast<int64_t>((uint64_t{1} << (shift & 63)) + static_cast<uint64_t>(d)), 0}));
    return out;
  }
  const double inf = std::numeric_limits<double>::infinity();
  for (const double v : {0.0, 0.5, 0.999, 1.0, 1.5, 2.5, 3.0, 100.7, 127.0, 128.0, 255.0, 256.0, 32768.0, 65504.0, 65519.0, 65520.0, 0x1p31, 0x1p32, 0x1p63, 0x1p64,
                         0x1p-14, 0x1p-24, 0x1p-25, 0x1.8p-25, 0x1p-126, 0x1p-133, 0x1p-140, 1e-300, 1e300, 3.4e38, inf, 1.00390625, 1.01171875, 0x1.004000000001p0,
                         0x1.002000000001p0, 0x1.01000000001p0, 0x1.fffffp63, 2147483647.0, 16777217.0})
    for (const double s : {1.0, -1.0}) out.push_back(round_to(t, {0, s * v}));
  out.push_back({0, std::numeric_limits<double>::quiet_NaN()});
  return out;
}

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

/// One kernel to check: `make` writes the operation on loaded values; memory of dtype index is int64, cast on the way.
struct Case {
  std::string name;
  std::vector<DType> in;
  DType out;
  std::function<Id(Builder&, const std::vector<Id>&)> make;
  std::function<Number(const std::vector<Number>&)> expect;
};

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

bool same(DType t, uint64_t a, uint64_t b) {
  if (a == b) return true;
  return is_float(t) && std::isnan(decode(t, a).d) && std::isnan(decode(t, b).d);
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
        for (size_t k = 0; k < rows[i].size(); ++k) operands += " " + (is_float(c.in[k]) ? std::to_string(rows[i][k].d) : std::to_string(rows[i][k].i));
        ASSERT_TRUE(same(c.out, memory[0].bits(i), one.bits(0)))
            << c.name << " x" << lanes << " of" << operands << ": got bits " << std::hex << memory[0].bits(i) << ", expected " << one.bits(0);
      }
    }
  }
}

void check_everywhere(const std::vector<Case>& cases) {
  constexpr int64_t kN = 512;
  for (const int lanes : {1, 8, 16}) {
    std::vector<Phase> phases;
    for (const Case& c : cases) phases.push_back(kernel(c, lanes, kN));
    ASSERT_NO_FATAL_FAILURE(check(cases, LlvmCode(render_llvm(phases, cpu_target())), lanes, kN)) << "llvm";
    if (lanes > 1) continue;
    for (const char* optimization : {"-O0", "-O2"})
      ASSERT_NO_FATAL_FAILURE(check(cases, CCode(render_c(phases, cpu_target()), optimization), lanes, kN)) << "c " << optimization;
  }
}

bool has_meaning(Op op, DType t) {
  switch (op) {
    case Op::Sqrt: case Op::Recip: case Op::Trunc: case Op::Div: case Op::Fma: return t == float32 || t == float64;
    case Op::Add: case Op::Mul: case Op::Max: case Op::Less: case Op::NotEqual: return t != float16 && t != bfloat16;
    case Op::IDiv: case Op::Mod: case Op::Shl: case Op::Shr: return is_int(t);
    case Op::And: case Op::Or: case Op::Xor: return !is_float(t);
    case Op::Where: return true;
    default: return false;
  }
}
Case alu_case(Op op, DType t, int64_t value = 0) {
  Case c;
  c.name = std::string(name_of(op)) + "_" + std::string(name_of(t)) + (value ? "_easy" : "");
  c.in.assign(static_cast<size_t>(info(op).arity), t);
  if (op == Op::Where) c.in[0] = bool_;
  c.out = op == Op::Less || op == Op::NotEqual ? bool_ : t;
  c.make = [=](Builder& b, const std::vector<Id>& v) { return b.alu(op, v, value); };
  c.expect = [=, out = c.out](const std::vector<Number>& v) {
    return evaluate(op, t, out, v[0], v.size() > 1 ? v[1] : Number{}, v.size() > 2 ? v[2] : Number{});
  };
  return c;
}

TEST(Alu, EveryRowOnEveryDtype) {
  std::vector<Case> cases;
  for (size_t op = 0; op < kOpCount; ++op)
    for (const DType t : kTypes)
      if (is_elementwise(static_cast<Op>(op)) && has_meaning(static_cast<Op>(op), t)) cases.push_back(alu_case(static_cast<Op>(op), t));
  ASSERT_EQ(cases.size(), 5 * 2 + 5 * 12 + 4 * 9 + 3 * 10 + 14u);
  check_everywhere(cases);
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

TEST(Alu, EveryCast) {
  std::vector<Case> cases;
  for (const DType from : kTypes)
    for (const DType to : kTypes)
      cases.push_back({"cast_" + std::string(name_of(from)) + "_" + std::string(name_of(to)), {from}, to,
                       [=](Builder& b, const std::vector<Id>& v) { return b.cast(v[0], to); }, [=](const std::vector<Number>& v) { return convert(v[0], from, to); }});
  check_everywhere(cases);
}

TEST(Alu, EveryBitcast) {
  std::vector<Case> cases;
  for (const DType from : kTypes)
    for (const DType to : kTypes) {
      if (size_of(from) != size_of(to) || from == to || to == bool_) continue;
      cases.push_back({"bitcast_" + std::string(name_of(from)) + "_" + std::string(name_of(to)), {from}, to,
                       [=](Builder& b, const std::vector<Id>& v) { return b.bitcast(v[0], to); }, [=](const std::vector<Number>& v) { return decode(to, encode(from, v[0])); }});
    }
  check_everywhere(cases);
}

/// Constants of every dtype come back exactly.
TEST(Alu, EveryConstant) {
  std::vector<Case> cases;
  for (const DType t : kTypes)
    for (const Number v : corners(t))
      cases.push_back({"constant_" + std::string(name_of(t)) + "_" + std::to_string(cases.size()), {}, t,
                       [=](Builder& b, const std::vector<Id>&) { return b.add({.op = InstOp::constant, .dtype = t, .value = v.i, .real = v.d}); },
                       [=](const std::vector<Number>&) { return v; }});
  std::vector<Phase> phases;
  for (const Case& c : cases) phases.push_back(kernel(c, 1, 1));
  check(cases, LlvmCode(render_llvm(phases, cpu_target())), 1, 1);
  check(cases, CCode(render_c(phases, cpu_target())), 1, 1);
}

}  // namespace
}  // namespace tg
