// The rules. What an op needs depends on its operands' type: transcendental functions of floats, anything of 16-bit floats, bools.
#include "codegen/decompose.hpp"

#include <numbers>

#include "codegen/exp_log.hpp"
#include "codegen/sin.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

constexpr Var x{0}, y{1}, z{2}, c{3, true};

bool is_wide_float(DType t) { return t == float32 || t == float64; }
bool is_half(DType t) { return t == float16 || t == bfloat16; }

Rule::When bools(Var v) { return [v](const Match& m) { return m[v].dtype() == bool_; }; }
Rule::When integers(Var v) { return [v](const Match& m) { return is_int(m[v].dtype()); }; }
/// The function of the argument, of a float that has polynomials.
Rule::Build polynomial(UOp (*of)(const UOp&)) {
  return [of](const Match& m) { return is_wide_float(m[x].dtype()) ? of(m[x]) : UOp{}; };
}
/// The same where a power or logarithm to the base 2 was scaled by `factor` to mean one to the base e: the product's rounding, which
/// the exponential of a large number would magnify, and the constant's never happen.
Rule::Build natural(UOp (*of)(const UOp&), double factor) {
  return [of, factor](const Match& m) {
    const DType t = m[x].dtype();
    return is_wide_float(t) && m[c] == constant(t, factor) ? of(m[x]) : UOp{};
  };
}

/// 16-bit floats are memory formats: arithmetic is done in float32 and every result rounded. Where only moves bits.
UOp in_float32(const Match& m) {
  const UOp& u = *m.root;
  if (u.op() == Op::Cast || u.op() == Op::Bitcast || u.op() == Op::Where || !is_half(u.src(0).dtype())) return {};
  std::vector<UOp> src;
  for (const UOp& s : u.src()) src.push_back(is_half(s.dtype()) ? cast(s, float32) : s);
  return cast(UOp::make(u.op(), src, u.arg()), u.dtype());
}
/// Get of a reduction or scan that was of 16-bit floats: the cast belongs after it.
UOp component_of_float32(const Match& m) {
  const UOp &u = *m.root, &reduce = u.src(0).op() == Op::Cast ? u.src(0).src(0) : u.src(0);
  if (reduce == u.src(0) || (reduce.op() != Op::Reduce && reduce.op() != Op::Scan)) return {};
  return cast(UOp::make(Op::Get, {reduce}, u.arg(), is_half(u.dtype()) ? float32 : u.dtype()), u.dtype());
}

Rules half_rules() {
  Rules rules = {{any(Op::Reduce), in_float32}, {any(Op::Scan), in_float32}, {any(Op::Get), component_of_float32}};
  for (size_t i = 0; i < kOpCount; ++i)
    if (const auto op = static_cast<Op>(i); is_elementwise(op)) rules = std::move(rules) + Rules{{any(op), in_float32}};
  return rules;
}

const Rules& natural_rules() {  // before the others, which would leave no Log2 to be seen below the product
  static const Rules& rules = *new Rules{
      {exp2(x * c),      natural(codegen::exp_polynomial, std::numbers::log2e)},
      {log2(x) * c,      natural(codegen::log_polynomial, std::numbers::ln2)},
  };
  return rules;
}
const Rules& decompositions() {
  static const Rules& rules = *new Rules(half_rules() + Rules{
                                                {exp2(x),          polynomial(codegen::exp2_polynomial)},
      {log2(x),          polynomial(codegen::log2_polynomial)},
      {sin(x),           polynomial(codegen::sin_polynomial)},
      {cos(x),           polynomial(codegen::cos_polynomial)},
      {x + y,            x | y,                   bools(x)},
      {x * y,            x & y,                   bools(x)},
      {max(x, y),        x | y,                   bools(x)},
      {less(x, y),       not_equal(x, 1) & y,     bools(x)},
      {fma(x, y, z),     (x & y) | z,             bools(x)},
      {fma(x, y, z),     x * y + z,               integers(x)},
  });
  return rules;
}

}  // namespace

std::vector<UOp> decompose(std::span<const UOp> roots, const Target&) { return rewrite(rewrite(roots, natural_rules()), decompositions()); }
UOp decompose(const UOp& root, const Target& target) { return decompose(std::span(&root, 1), target)[0]; }

}  // namespace tg
