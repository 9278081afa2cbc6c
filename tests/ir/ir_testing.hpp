#pragma once
// What the ir tests share: a direct evaluator of scalar expressions, and a small generator of random numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <unordered_map>

#include "ir/symbolic.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/uop.hpp"

namespace tg {

inline void PrintTo(const UOp& u, std::ostream* out) { *out << (u ? to_string(u) : "(none)"); }
inline void PrintTo(const Shape& s, std::ostream* out) { *out << to_string(s); }
inline void PrintTo(const Dim& d, std::ostream* out) { *out << to_string(d); }
inline void PrintTo(const Bounds& b, std::ostream* out) { *out << "[" << b.min << ", " << b.max << "]"; }

using Values = std::unordered_map<UOp, Number>;

/// The value of an expression of elementwise ops, where `leaves` gives the others. A Load is `memory(index)`, 0 where its gate is false.
inline Number value_of(const UOp& root, const Values& leaves) {
  Values v = leaves;
  for (const UOp& u : toposort(root)) {
    if (v.contains(u)) continue;
    if (is_const(u)) { v[u] = is_float(u.dtype()) ? Number{0, u.as<double>()} : Number{u.as<int64_t>(), 0}; continue; }
    if (u.op() == Op::Param) continue;
    if (u.op() == Op::Load) {
      const bool open = u.src().size() < 3 || v.at(u.src(2)).i != 0;
      const int64_t cell = v.at(u.src(1)).i;
      v[u] = open ? round_to(u.dtype(), {cell * 7 + 3, static_cast<double>(cell) * 0.5 + 1}) : Number{};
      continue;
    }
    if (u.op() == Op::Reshape || u.op() == Op::Expand) { v[u] = v.at(u.src(0)); continue; }  // one element of many alike
    if (!is_elementwise(u.op())) ADD_FAILURE() << "no value for " << to_string(u);
    Number s[3];
    for (size_t i = 0; i < u.src().size(); ++i) s[i] = v.at(u.src(i));
    const DType t = u.src(u.op() == Op::Where ? 1 : 0).dtype();
    v[u] = u.op() == Op::Cast      ? convert(s[0], t, u.dtype())
           : u.op() == Op::Bitcast ? bitcast(s[0], t, u.dtype())
                                   : evaluate(u.op(), t, u.dtype(), s[0], s[1], s[2]);
  }
  return v.at(root);
}
/// Equal bit for bit; any nan is any other.
inline bool same(DType t, Number a, Number b) {
  if (!is_float(t)) return a.i == b.i;
  return (a.d != a.d && b.d != b.d) || std::bit_cast<uint64_t>(a.d) == std::bit_cast<uint64_t>(b.d);
}

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int64_t below(int64_t n) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(n)); }
  int64_t between(int64_t lo, int64_t hi) { return lo + below(hi - lo + 1); }
  bool coin() { return engine_() & 1; }
  uint64_t bits() { return engine_(); }
  template <class C> const auto& pick(const C& c) { return c[static_cast<size_t>(below(static_cast<int64_t>(std::size(c))))]; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace tg
