#pragma once
// What is computed in the tests of arithmetic: single operations, the values they are tried on, and their scalar meaning (ir/op_info).
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "base/float16.hpp"
#include "render_testing.hpp"
#include "tg/ir/op_info.hpp"

namespace tg::testing_ {

inline constexpr DType kTypes[] = {bool_,  int8,   int16,   int32,    int64,   uint8,   uint16,
                                   uint32, uint64, float16, bfloat16, float32, float64, DType::index};

inline uint64_t encode(DType t, Number v) {
  if (t == float16) return half_from(v.d);
  if (t == bfloat16) return bfloat16_from(v.d);
  if (t == float32) return std::bit_cast<uint32_t>(static_cast<float>(v.d));
  if (t == float64) return std::bit_cast<uint64_t>(v.d);
  return static_cast<uint64_t>(v.i);
}
inline Number decode(DType t, uint64_t bits) {
  if (t == float16) return {0, static_cast<double>(half_to_float(static_cast<uint16_t>(bits)))};
  if (t == bfloat16) return {0, static_cast<double>(bfloat16_to_float(static_cast<uint16_t>(bits)))};
  if (t == float32) return {0, static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)))};
  if (t == float64) return {0, std::bit_cast<double>(bits)};
  return round_to(t, {static_cast<int64_t>(bits), 0});
}

/// Numbers where conversions and operations change their ways, and a few others, in `t`.
inline std::vector<Number> corners(DType t) {
  std::vector<Number> out;
  if (t == bool_) return {{0, 0}, {1, 0}};
  if (t == DType::index) {  // never wraps: small enough for any product
    for (const int64_t v : {0LL, 1LL, -1LL, 2LL, 3LL, 7LL, 8LL, -3LL, -8LL, 63LL, 64LL, 100LL, -1000003LL, 1LL << 30})
      out.push_back({v, 0});
    return out;
  }
  if (is_int(t)) {
    const int bits = 8 * static_cast<int>(size_of(t));
    for (const int64_t v : {0, 1, -1, 2, 3, -3, 5, 7, 8, 31, 32, 63, 64, 100, -100}) out.push_back(round_to(t, {v, 0}));
    for (const int shift : {bits - 1, bits - 2, 24, 53})
      for (const int64_t d : {-1, 0, 1})
        out.push_back(round_to(t, {static_cast<int64_t>((uint64_t{1} << (shift & 63)) + static_cast<uint64_t>(d)), 0}));
    return out;
  }
  const double inf = std::numeric_limits<double>::infinity();
  for (const double v : {0.0,
                         0.5,
                         0.999,
                         1.0,
                         1.5,
                         2.5,
                         3.0,
                         100.7,
                         127.0,
                         128.0,
                         255.0,
                         256.0,
                         32768.0,
                         65504.0,
                         65519.0,
                         65520.0,
                         0x1p31,
                         0x1p32,
                         0x1p63,
                         0x1p64,
                         0x1p-14,
                         0x1p-24,
                         0x1p-25,
                         0x1.8p-25,
                         0x1p-126,
                         0x1p-133,
                         0x1p-140,
                         1e-300,
                         1e300,
                         3.4e38,
                         inf,
                         1.00390625,
                         1.01171875,
                         0x1.004000000001p0,
                         0x1.002000000001p0, 0x1.01000000001p0, 0x1.fffffp63, 2147483647.0, 16777217.0})
    for (const double s : {1.0, -1.0}) out.push_back(round_to(t, {0, s * v}));
  out.push_back({0, std::numeric_limits<double>::quiet_NaN()});
  return out;
}

/// One operation: `make` writes it on loaded values of types `in`; memory of dtype index is int64, cast on the way.
struct Case {
  std::string name;
  std::vector<DType> in;
  DType out;
  std::function<Id(Builder&, const std::vector<Id>&)> make;
  std::function<Number(const std::vector<Number>&)> expect;
};

inline bool same(DType t, uint64_t a, uint64_t b) {
  if (a == b) return true;
  return is_float(t) && std::isnan(decode(t, a).d) && std::isnan(decode(t, b).d);
}

inline bool has_meaning(Op op, DType t) {
  switch (op) {
    case Op::Sqrt: case Op::Recip: case Op::Trunc: case Op::Div: case Op::Fma: return t == float32 || t == float64;
    case Op::Add: case Op::Mul: case Op::Max: case Op::Less: case Op::NotEqual: return t != float16 && t != bfloat16;
    case Op::IDiv: case Op::Mod: case Op::Shl: case Op::Shr: return is_int(t);
    case Op::And: case Op::Or: case Op::Xor: return !is_float(t);
    case Op::Where: return true;
    default: return false;
  }
}
inline Case alu_case(Op op, DType t, int64_t value = 0) {
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

/// Every alu row on every dtype it has a meaning for.
inline std::vector<Case> alu_cases() {
  std::vector<Case> out;
  for (size_t op = 0; op < kOpCount; ++op)
    for (const DType t : kTypes)
      if (is_elementwise(static_cast<Op>(op)) && has_meaning(static_cast<Op>(op), t)) out.push_back(alu_case(static_cast<Op>(op), t));
  return out;
}
inline std::vector<Case> cast_cases() {
  std::vector<Case> out;
  for (const DType from : kTypes)
    for (const DType to : kTypes)
      out.push_back({"cast_" + std::string(name_of(from)) + "_" + std::string(name_of(to)), {from}, to,
                     [=](Builder& b, const std::vector<Id>& v) { return b.cast(v[0], to); },
                     [=](const std::vector<Number>& v) { return convert(v[0], from, to); }});
  return out;
}
inline std::vector<Case> bitcast_cases() {
  std::vector<Case> out;
  for (const DType from : kTypes)
    for (const DType to : kTypes) {
      if (size_of(from) != size_of(to) || from == to || to == bool_) continue;
      out.push_back({"bitcast_" + std::string(name_of(from)) + "_" + std::string(name_of(to)), {from}, to,
                     [=](Builder& b, const std::vector<Id>& v) { return b.bitcast(v[0], to); },
                     [=](const std::vector<Number>& v) { return decode(to, encode(from, v[0])); }});
    }
  return out;
}

}  // namespace tg::testing_
