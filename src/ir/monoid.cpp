// Identity, lift and combine of each monoid, one row each.
//
//   row of Sum: state (s), identity (0), lift(x) = (x), combine(a, b) = (a + b)
#include "ir/monoid.hpp"

#include <limits>
#include <numbers>

#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Conversion of a constant saturates, so infinities become the end of any integer type's range.
UOp lowest(DType t) { return constant(t, t == DType::bool_ ? 0 : -kInfinity); }
UOp highest(DType t) { return constant(t, kInfinity); }
UOp is_nan(const UOp& x) { return is_float(x.dtype()) ? not_equal(x, x) : constant(DType::bool_, 0); }
UOp is_equal(const UOp& a, const UOp& b) { return logical_not(not_equal(a, b)); }
UOp maximum(const UOp& a, const UOp& b) { return UOp::make(Op::Max, {a, b}); }
UOp minimum(const UOp& a, const UOp& b) {
  const UOp first = less(a, b);
  return where(is_float(a.dtype()) ? first | is_nan(a) : first, a, b);
}

State arg_max(const State& a, const State& b) {
  UOp later = less(a[0], b[0]), tie = is_equal(a[0], b[0]);
  if (is_float(a[0].dtype())) {
    later = later | (is_nan(b[0]) & logical_not(is_nan(a[0])));
    tie = tie | (is_nan(a[0]) & is_nan(b[0]));
  }
  const UOp take_b = later | (tie & less(b[1], a[1]));
  return {where(take_b, b[0], a[0]), where(take_b, b[1], a[1])};
}

// Shifts by the larger maximum. A sum already relative to it is taken as it is, which also keeps inf - inf away.
State log_sum_exp(const State& a, const State& b) {
  const UOp m = maximum(a[0], b[0]);
  const auto shifted = [&](const State& s) {
    const UOp scale = UOp::make(Op::Exp2, {(s[0] - m) * constant(m.dtype(), std::numbers::log2e)});
    return where(not_equal(s[0], m), s[1] * scale, s[1]);
  };
  return {m, shifted(a) + shifted(b)};
}

struct Row {
  Monoid monoid;
  State (*identity)(DType);
  State (*lift)(const UOp& value, const UOp& index);
  State (*combine)(const State&, const State&);
};

#define IDENTITY(...) []([[maybe_unused]] DType t) -> State { return {__VA_ARGS__}; }
#define LIFT(...) []([[maybe_unused]] const UOp& x, [[maybe_unused]] const UOp& i) -> State { return {__VA_ARGS__}; }
#define COMBINE(expression) [](const State& a, const State& b) -> State { return {expression}; }
constexpr Row kRows[] = {
    {Monoid::Sum,       IDENTITY(constant(t, 0)),                      LIFT(x),                        COMBINE(a[0] + b[0])},
    {Monoid::Prod,      IDENTITY(constant(t, 1)),                      LIFT(x),                        COMBINE(a[0] * b[0])},
    {Monoid::Max,       IDENTITY(lowest(t)),                           LIFT(x),                        COMBINE(maximum(a[0], b[0]))},
    {Monoid::Min,       IDENTITY(highest(t)),                          LIFT(x),                        COMBINE(minimum(a[0], b[0]))},
    {Monoid::ArgMax,    IDENTITY(lowest(t), highest(DType::index)),    LIFT(x, i),                     arg_max},
    {Monoid::LogSumExp, IDENTITY(lowest(t), constant(t, 0)),           LIFT(x, constant(x.dtype(), 1)), log_sum_exp},
};
#undef IDENTITY
#undef LIFT
#undef COMBINE

struct Declared { std::string_view name; size_t components; };
constexpr Declared kDeclared[] = {
#define MONOID(name, components) {#name, components},
#include "tg/ir/monoids.def"
#undef MONOID
};
consteval bool rows_in_declared_order() {
  for (size_t i = 0; i < std::size(kRows); ++i) if (static_cast<size_t>(kRows[i].monoid) != i) return false;
  return std::size(kRows) == std::size(kDeclared);
}
static_assert(rows_in_declared_order());

const Row& row(Monoid m) { return kRows[static_cast<size_t>(m)]; }

}  // namespace

std::string_view name_of(Monoid m) { return kDeclared[static_cast<size_t>(m)].name; }
size_t components(Monoid m) { return kDeclared[static_cast<size_t>(m)].components; }
DType component_dtype(Monoid m, size_t component, DType value) { return m == Monoid::ArgMax && component == 1 ? DType::index : value; }
State identity(Monoid m, DType value) { return row(m).identity(value); }
State lift(Monoid m, const UOp& value, const UOp& index) { return row(m).lift(value, index); }
State combine(Monoid m, const State& a, const State& b) { return row(m).combine(a, b); }

}  // namespace tg
