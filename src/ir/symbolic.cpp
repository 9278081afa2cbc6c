// The rule sets. What needs more than a pattern is a function on flat sums: sum.cpp, divmod.cpp, compare.cpp.
#include "ir/symbolic.hpp"

#include <cmath>
#include <limits>

#include "ir/sum.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

constexpr Var x{0}, y{1}, z{2}, a{3}, b{4};
constexpr Var c{5, true}, d{6, true};  // constants only

template <class F> Rule::Build on_root(F f) { return [f](const Match& m) { return f(*m.root); }; }
Rule::When integers(Var v) { return [v](const Match& m) { return is_int(m[v].dtype()); }; }
Rule::When bools(Var v) { return [v](const Match& m) { return m[v].dtype() == DType::bool_; }; }
bool is_zero(const UOp& u) { return is_const(u, 0) && !std::signbit(number(u)); }

// ---- every elementwise op ----

UOp folded(const UOp& u) { return fold(u.op(), u.src(), u.dtype()); }
UOp decided(const UOp& u) {
  if (is_float(u.dtype()) || u.dtype() == DType::uint64 || u.bounds().min != u.bounds().max) return {};
  return constant(u.dtype(), u.bounds().min);
}
// Constants last, the rest by structural hash. An order that a buffer's serial would decide is left as it is. Index sums,
// products and comparisons and chains of conditions have an order of their own.
UOp ordered(const UOp& u) {
  const UOp &p = u.src(0), &q = u.src(1);
  const bool sum = p.dtype() == DType::index && u.op() != Op::Max;
  const bool chain = u.dtype() == DType::bool_ && (u.op() == Op::And || u.op() == Op::Or);
  if (sum || chain) return {};
  if (is_const(q) || p == q) return {};
  const bool swap = is_const(p) || (u.shape().empty() && !p.holds_buffer() && !q.holds_buffer() && q.hash() < p.hash());
  return swap ? UOp::make(u.op(), {q, p}) : UOp{};
}
Rules every_op() {
  constexpr Op kBounded[] = {Op::Add, Op::Mul, Op::Max, Op::IDiv, Op::Mod, Op::And, Op::Or, Op::Less, Op::NotEqual, Op::Where, Op::Cast};
  Rules rules{};
  for (const Op op : kBounded) rules = std::move(rules) + Rules{{any(op), on_root(decided)}};
  for (size_t i = 0; i < kOpCount; ++i)
    if (const auto op = static_cast<Op>(i); is_elementwise(op)) rules = std::move(rules) + Rules{{any(op), on_root(folded)}};
  return rules;
}
Rules commuting() {
  Rules rules{};
  for (size_t i = 0; i < kOpCount; ++i)
    if (const auto op = static_cast<Op>(i); commutes(op)) rules = std::move(rules) + Rules{{any(op), on_root(ordered)}};
  return rules;
}

// ---- casts ----

int mantissa_bits(DType t) { return t == DType::float16 ? 11 : t == DType::bfloat16 ? 8 : t == DType::float32 ? 24 : 53; }
int exponent_bits(DType t) { return t == DType::float16 ? 5 : t == DType::float64 ? 11 : 8; }
// Whether every value of u, taken to `mid` and from there to `to`, arrives as it would directly.
bool harmless(const UOp& u, DType mid, DType to) {
  const DType from = u.dtype();
  if (is_float(from)) return is_float(mid) && mantissa_bits(mid) >= mantissa_bits(from) && exponent_bits(mid) >= exponent_bits(from);
  if (from == DType::uint64) return false;
  const Bounds v = u.bounds();
  if (!is_float(mid)) {
    const Bounds all = mid == DType::uint64 ? Bounds{0, std::numeric_limits<int64_t>::max()} : detail::all_of(mid);
    return v.min >= all.min && v.max <= all.max;
  }
  const int64_t most = int64_t{1} << mantissa_bits(mid);  // float16 reaches beyond 2^11, the others much further
  if (v.min < -most || v.max > most) return false;
  if (is_float(to) || to == DType::bool_) return true;
  const Bounds all = to == DType::uint64 ? Bounds{0, most} : detail::all_of(to);  // a float saturates where an integer wraps
  return v.min >= all.min && v.max <= all.max;
}
UOp cast_chain(const UOp& u) {
  const UOp& mid = u.src(0);
  if (u.src(0).dtype() == u.dtype()) return mid;
  if (mid.op() != Op::Cast || !harmless(mid.src(0), mid.dtype(), u.dtype())) return {};
  return cast(mid.src(0), u.dtype());
}

// ---- loads and loops ----

// Of a gate: always open, it goes; never open, the value is the zero it gives.
UOp load_gate(const UOp& u) {
  if (u.src().size() != 3 || !is_const(u.src(2))) return {};
  return is_const(u.src(2), 0) ? constant(u.dtype(), 0) : UOp::make(Op::Load, {u.src(0), u.src(1)}, u.arg(), u.dtype());
}
UOp store_gate(const UOp& u) {
  return u.src().size() == 4 && is_const(u.src(3), 1) ? store(u.src(0), u.src(1), u.src(2)) : UOp{};
}
// where(g, load, 0) is a load with a gate.
UOp gated(const UOp& gate, const UOp& from) {
  if (from.op() != Op::Load) return {};
  const UOp both = from.src().size() == 3 ? from.src(2) & gate : gate;
  return UOp::make(Op::Load, {from.src(0), from.src(1), both}, from.arg(), from.dtype());
}
UOp single_range(const UOp& u) { return is_const(u.src(0), 1) ? index(0) : UOp{}; }
// Ranges that became constants (extent 1) are no loops any more.
UOp without_constant_ranges(const UOp& u) {
  std::vector<UOp> src{u.src(0)};
  for (const UOp& s : u.src().subspan(1)) if (!is_const(s)) src.push_back(s);
  if (src.size() == u.src().size()) return {};
  if (u.op() == Op::Reduce && src.size() == 1) {
    const Monoid m = u.as<ReduceArg>().monoid;
    const bool plain = m == Monoid::Sum || m == Monoid::Prod || m == Monoid::Max || m == Monoid::Min;
    return plain ? src[0] : UOp{};
  }
  return UOp::make(u.op(), src, u.arg(), u.dtype());
}

UOp shift_left(const UOp& u) {
  if (u.dtype() != DType::index || !is_const(u.src(1)) || static_cast<uint64_t>(u.src(1).as<int64_t>()) > 62) return {};
  return u.src(0) * (int64_t{1} << u.src(1).as<int64_t>());
}
UOp shift_right(const UOp& u) {
  if (u.dtype() != DType::index || !is_const(u.src(1)) || static_cast<uint64_t>(u.src(1).as<int64_t>()) > 62) return {};
  return floor_div(u.src(0), int64_t{1} << u.src(1).as<int64_t>());
}
UOp add_nothing(const Match& m) {  // -0 is the zero that leaves every float as it is
  return is_const(m[c], 0) && (!is_float(m[c].dtype()) || std::signbit(number(m[c]))) ? m[x] : UOp{};
}
bool integer_beside(const Match& m) { return is_int(m[x].dtype()) && !is_const(m[y]); }
// x / 2^k is x * 2^-k where that number exists: both are the same real number, rounded once.
UOp divide_by_power(const Match& m) {
  int exponent;
  const double v = number(m[c]);
  if (std::fabs(std::frexp(v, &exponent)) != 0.5) return {};
  const int limit = (1 << (exponent_bits(m[c].dtype()) - 1)) - 3;  // both numbers stay normal
  return exponent > -limit && exponent < limit ? m[x] * constant(m[c].dtype(), 1 / v) : UOp{};
}
UOp negate_condition(const Match& m) {  // where(not a, x, y) is where(a, y, x)
  return m[a].dtype() == DType::bool_ && is_const(m[c], 1) ? where(m[a], m[y], m[x]) : UOp{};
}

}  // namespace

const Rules& exact_rules() {
  static const Rules& rules = *new Rules((every_op() + Rules{
      // floats, as IEEE 754 has them: x + 0 is not among these (-0 + 0 is 0), x - x neither (nan)
      {x + c,                              add_nothing},
      {x * 1,                              x},
      {x / 1,                              x},
      {(x * -1) * -1,                      x},
      {x / c,                              divide_by_power},
      {less(x, x),                         0},
      // integers
      {any(Op::Add),                       on_root(fold_sum)},
      {any(Op::Mul),                       on_root(fold_product)},
      {(x * c) * y,                        (x * y) * c,                     integer_beside},
      {any(Op::IDiv),                      on_root(fold_idiv)},
      {any(Op::Mod),                       on_root(fold_mod)},
      {any(Op::Less),                      on_root(fold_less)},
      {any(Op::NotEqual),                  on_root(fold_not_equal)},
      {any(Op::Max),                       on_root(fold_max)},
      {max(max(x, c), d),                  max(x, max(c, d))},
      {max(max(x, y), x),                  max(x, y)},
      {any(Op::Shl),                       on_root(shift_left)},
      {any(Op::Shr),                       on_root(shift_right)},
      {shl(x, 0),                          x},
      {shr(x, 0),                          x},
      {x & x,                              x},
      {x | x,                              x},
      {x & 0,                              0},
      {x | 0,                              x},
      {bit_xor(x, x),                      0},
      {bit_xor(x, 0),                      x},
      {(x & c) & d,                        x & (c & d),                     integers(x)},
      {(x | c) | d,                        x | (c | d),                     integers(x)},
      {bit_xor(bit_xor(x, c), d),          bit_xor(x, bit_xor(c, d))},
      {x * x,                              x,                               bools(x)},
      // conditions
      {any(Op::And),                       on_root(fold_logic)},
      {any(Op::Or),                        on_root(fold_logic)},
      {where(c, x, y),                     [](const Match& m) { return m[c].as<int64_t>() != 0 ? m[x] : m[y]; }},
      {where(a, x, x),                     x},
      {where(not_equal(a, c), x, y),       negate_condition},
      {where(a, 1, 0),                     a,                               [](const Match& m) { return m.root->dtype() == DType::bool_; }},
      {where(a, x, 0),                     a & x,                           bools(x)},
      {where(a, 1, x),                     a | x,                           bools(x)},
      {where(a, where(a, x, y), z),        where(a, x, z)},
      {where(a, x, where(a, y, z)),        where(a, x, z)},
      {where(a, where(b, x, y), y),        where(a & b, x, y)},
      {where(a, x, where(b, x, y)),        where(a | b, x, y)},
      {where(a, x, c),                     [](const Match& m) { return is_zero(m[c]) ? gated(m[a], m[x]) : UOp{}; }},
      {any(Op::Cast),                      on_root(cast_chain)},
      // memory and loops
      {any(Op::Load),                      on_root(load_gate)},
      {any(Op::Store),                     on_root(store_gate)},
      {any(Op::Range),                     on_root(single_range)},
      {any(Op::Reduce),                    on_root(without_constant_ranges)},
      {any(Op::End),                       on_root(without_constant_ranges)},
  } + commuting()).remembered());
  return rules;
}

const Rules& fast_math_rules() {
  const auto floats = [](const Match& m) { return is_float(m.root->dtype()); };
  static const Rules& rules = *new Rules{
      {x + 0,                              x,                               floats},
      {x * 0,                              0,                               floats},
      {x / x,                              1},
      {x * recip(x),                       1},
      {recip(recip(x)),                    x},
      {x + x,                              x * 2,                           floats},
      {x + x * c,                          x * (c + 1),                     floats},
      {x * c + x * d,                      x * (c + d),                     floats},
      {(x + c) + d,                        x + (c + d),                     floats},
      {(x * c) * d,                        x * (c * d),                     floats},
      {(x * y) / y,                        x},
      {x * (y / x),                        y},
      {x * recip(y),                       x / y},
      {x / c,                              x * recip(c),                    [](const Match& m) { return number(m[c]) != 0; }},
      {sqrt(x * x),                        max(x, -x)},
      {log2(exp2(x)),                      x},
      {exp2(log2(x)),                      x},
      {exp2(x) * exp2(y),                  exp2(x + y)},
      {where(less(x, y), y, x),            max(x, y),                       floats},
  };
  return rules;
}

UOp simplify(const UOp& u) { return rewrite(u, exact_rules()); }
std::vector<UOp> simplify(std::span<const UOp> roots) { return rewrite(roots, exact_rules()); }

UOp smaller(const UOp& one, const UOp& other) { return UOp::make(Op::Max, {one * -1, other * -1}) * -1; }

}  // namespace tg
