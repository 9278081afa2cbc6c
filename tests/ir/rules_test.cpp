// Every rule of every rule set, instantiated from its own left side: both sides must have one value. A rule that never fires fails.
#include "fuzzing.hpp"
#include "ir_testing.hpp"

#include <cfenv>
#include <limits>
#include <optional>

#include "tg/error.hpp"

namespace tg {
namespace {

constexpr DType kTypes[] = {DType::bool_, DType::int8,   DType::int16,   DType::int32,    DType::int64,   DType::uint8,   DType::uint16,
                            DType::uint32, DType::uint64, DType::float16, DType::bfloat16, DType::float32, DType::float64, DType::index};

class Instance {
 public:
  Instance(Random& r, const Rule& rule, bool tame)
      : random_(r), tame_(tame), shaped_(is_elementwise(rule.left.op) && r.below(4) == 0) {}

  /// An expression that the pattern matches (mostly), of this dtype.
  UOp of(const Pat& p, DType t) {
    if (p.var) {
      UOp& u = bound_[p.var->slot];
      if (!u) u = p.var->only_const ? number_like(t) : expression(t, static_cast<int>(random_.below(3)));
      return u;
    }
    if (p.value) return constant(t, *p.value);
    if (p.any_src) return any_of(p.op, t);
    std::vector<UOp> src(p.src.size());
    for (size_t i = src.size(); i-- > 0;) {  // a Where's condition last: what it compares may be bound by then
      const bool condition = p.op == Op::Where && i == 0;
      src[i] = of(p.src[i], condition ? DType::bool_ : info(p.op).result == Result::Bool ? operand_type(p, t) : t);
    }
    return UOp::make(p.op, src, Arg{}, t);
  }

  /// Random numbers for what stands free in the expressions.
  Values values(std::span<const UOp> roots) {
    Values v;
    for (const UOp& u : toposort(roots)) {
      if (u.op() == Op::Range) v[u] = {random_.below(std::max<int64_t>(1, u.bounds().max + 1)), 0};
      else if (u.op() == Op::Variable) v[u] = {random_.between(u.bounds().min, u.bounds().max), 0};
      else if (u.op() == Op::Param) v[u] = is_float(u.dtype()) ? round_to(u.dtype(), {0, real()}) : round_to(u.dtype(), {integer(), 0});
    }
    return v;
  }

 private:
  DType operand_type(const Pat& p, DType) {
    for (const Pat& s : p.src) if (s.var && bound_.contains(s.var->slot)) return bound_[s.var->slot].dtype();
    return random_.pick(kTypes);
  }
  double real() {
    static constexpr double special[] = {0.0, -0.0, 1, -1, 2, 0.5, 3, 1e-40, 65504, -1e30, INFINITY, -INFINITY, NAN};
    if (tame_) return static_cast<double>(random_.between(1, 400)) / 100;
    return random_.coin() ? random_.pick(special)
                          : std::ldexp(static_cast<double>(random_.between(-9999, 9999)), static_cast<int>(random_.between(-20, 8)));
  }
  int64_t integer() {
    switch (random_.below(4)) {
      case 0: return static_cast<int64_t>(random_.bits());
      case 1: return int64_t{1} << random_.below(64);
      default: return random_.between(-12, 20);
    }
  }
  UOp number_like(DType t) {
    if (is_float(t))
      return constant(t, random_.coin() ? std::ldexp(random_.coin() ? 1.0 : -1.0, static_cast<int>(random_.between(-6, 6))) : real());
    return constant(t, t == DType::index ? random_.between(-6, 40) : random_.below(3) ? random_.between(-2, 17) : integer());
  }
  UOp leaf(DType t) {
    if (random_.below(5) == 0) return number_like(t);
    const UOp r = range(random_.between(1, 9), static_cast<int>(random_.below(2)));
    if (t == DType::index) return random_.below(3) ? r : variable(random_.coin() ? "m" : "n", -7, 30);
    if (t != DType::bool_ && random_.below(3) == 0) return cast(r, t);  // something with bounds
    return param(static_cast<int>(random_.below(2)), t, shaped_ && random_.coin() ? Shape{3} : Shape{});
  }
  UOp expression(DType t, int depth) {
    if (depth == 0) return leaf(t);
    if (!shaped_ && random_.below(12) == 0 && t != DType::index)
      return UOp::make(Op::Load, {param(5, t, Shape{100}), expression(DType::index, 1)}, Arg{}, t);
    static constexpr Op kOps[] = {Op::Add, Op::Mul,  Op::Max,      Op::IDiv,  Op::Mod,  Op::And,
                                  Op::Or,  Op::Less, Op::NotEqual, Op::Where, Op::Cast, Op::Div};
    for (int tries = 0; tries < 20; ++tries) {
      const Op op = random_.pick(kOps);
      if ((info(op).result == Result::Bool) != (t == DType::bool_ && op != Op::And && op != Op::Or && op != Op::Where)) continue;
      if (op == Op::Cast && t == DType::index) continue;
      try {
        return elementwise(op, t, depth);
      } catch (const InternalError&) {  // no meaning for this dtype
      }
    }
    return leaf(t);
  }
  UOp elementwise(Op op, DType t, int depth) {
    const DType operand = info(op).result == Result::Bool || op == Op::Cast ? random_.pick(kTypes) : t;
    std::vector<UOp> src;
    for (int i = 0; i < info(op).arity; ++i) {
      const DType s = op == Op::Where && i == 0 ? DType::bool_ : operand;
      const bool divisor = (op == Op::IDiv || op == Op::Mod || op == Op::Shl || op == Op::Shr) && i == 1;
      if (divisor && random_.below(4)) src.push_back(constant(s, random_.between(1, 12)));
      else if (i == 1 && random_.below(6) == 0 && src[0].dtype() == s) src.push_back(src[0]);
      else src.push_back(expression(s, depth - 1));
    }
    if (random_.below(6) == 0)  // what folds
      for (UOp& s : src) s = number_like(s.dtype());
    return UOp::make(op, src, Arg{}, t);
  }
  UOp any_of(Op op, DType t) {
    if (is_elementwise(op)) return elementwise(op, t, 1 + static_cast<int>(random_.below(3)));
    const auto gate = [&] { return random_.coin() ? constant(DType::bool_, random_.below(2)) : expression(DType::bool_, 1); };
    if (t == DType::index) t = DType::float32;
    const UOp memory = param(5, t, Shape{100}), at = expression(DType::index, 1);
    switch (op) {
      case Op::Load: return load(memory, at, gate());
      case Op::Store: return store(memory, at, expression(t, 1), gate());
      case Op::Range: return range(random_.between(1, 2), static_cast<int>(random_.below(2)));
      case Op::Reduce:
        return UOp::make(op, {expression(t, 1), random_.coin() ? index(0) : range(3, 0), index(0)}, ReduceArg{random_.pick(kPlain), 0});
      case Op::End: return UOp::make(op, {store(memory, at, expression(t, 1)), random_.coin() ? index(0) : range(3, 0)}, Arg{});
      default: throw InternalError("no instance of this op");
    }
  }
  static constexpr Monoid kPlain[] = {Monoid::Sum, Monoid::Prod, Monoid::Max, Monoid::Min};

  Random& random_;
  const bool tame_;
  const bool shaped_;  // as in a tensor graph; without loads, which belong to kernels
  std::unordered_map<int, UOp> bound_;
};

// value_of for roots that are no elementwise value: what a store does, what a loop or a reduction comes to.
Number outcome(const UOp& u, Values v) {
  if (u.op() == Op::Store) {
    if (u.src().size() == 4 && !value_of(u.src(3), v).i) return {-1, 0};
    const Number at = value_of(u.src(1), v), x = value_of(u.src(2), v);
    return {static_cast<int64_t>(static_cast<uint64_t>(at.i) * 1000003 + static_cast<uint64_t>(x.i)), x.d};
  }
  if (u.op() != Op::Reduce && u.op() != Op::End) return value_of(u, v);
  UOp loop;
  for (const UOp& s : u.src().subspan(1)) if (s.op() == Op::Range) loop = s;
  std::optional<Number> all;
  const DType t = u.op() == Op::End ? DType::int64 : u.dtype();
  for (int64_t i = 0; i < (loop ? loop.src(0).as<int64_t>() : 1); ++i) {
    if (loop) v[loop] = {i, 0};
    const Number x = outcome(u.src(0), v);
    const Monoid m = u.op() == Op::End ? Monoid::Sum : u.as<ReduceArg>().monoid;
    if (!all) all = x;
    else if (m == Monoid::Min) all = evaluate(Op::Where, t, t, evaluate(Op::Less, t, DType::bool_, x, *all), x, *all);
    else all = evaluate(m == Monoid::Sum ? Op::Add : m == Monoid::Prod ? Op::Mul : Op::Max, t, t, *all, x);
  }
  return *all;
}

bool close(double a, double b) { return std::fabs(a - b) <= 1e-9 * std::max({1.0, std::fabs(a), std::fabs(b)}); }

void fuzz(const Rules& rules, bool tame, int wanted) {
  Random random(7);
  for (size_t o = 0; o < kOpCount; ++o) {
    for (const Rule& rule : rules.of(static_cast<Op>(o))) {
      const Rules alone{rule};
      int fired = 0;
      for (int tries = 0; fired < wanted && tries < 400 * wanted; ++tries) {
        Instance instance(random, rule, tame);
        UOp u;
        try {
          const bool boolean = info(rule.left.op).result == Result::Bool;
          u = instance.of(rule.left, tame ? DType::float64 : boolean ? DType::bool_ : random.pick(kTypes));
        } catch (const InternalError&) {  // the op means nothing for this dtype
          continue;
        }
        const UOp to = alone.apply(u);
        if (!to) continue;
        ++fired;
        ASSERT_EQ(to.dtype(), u.dtype());
        ASSERT_EQ(to.shape(), u.shape());
        for (int point = 0; point < 6; ++point) {
          const Values v = instance.values(std::array{u, to});
          const Number x = outcome(u, v), y = outcome(to, v);
          if (tame && !(std::isfinite(x.d) && std::isfinite(y.d))) continue;
          ASSERT_TRUE(tame && is_float(u.dtype()) ? close(x.d, y.d) : same(u.dtype(), x, y))
              << rule.file << ":" << rule.line() << " on " << name_of(u.dtype()) << "\n  " << to_string(u) << " = " << x.i << " " << x.d
              << "\n  "
              << to_string(to) << " = " << y.i << " " << y.d << "\n" << dump(u);
        }
      }
      EXPECT_GE(fired, wanted / 10 + 1) << rule.file << ":" << rule.line() << " on " << name_of(rule.left.op) << " fired " << fired
                                        << " times";
    }
  }
}

TEST(RuleSets, ExactRulesKeepEveryBit) { fuzz(exact_rules(), false, fuzz_runs(150)); }
TEST(RuleSets, FastMathRulesHoldForRealNumbers) { fuzz(fast_math_rules(), true, fuzz_runs(100)); }

}  // namespace
}  // namespace tg
