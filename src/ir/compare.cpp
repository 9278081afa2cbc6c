// Comparisons of integers and the logic of conditions: decided by bounds, or written one canonical way.
//
//   less(i * 4 + j, 10) with j < 4     i < 2 | ... stays, but less(i * 4 + j, 12) is less(i, 3)
//   less(-i, -3)                       less(3, i):  terms with a plus stand left, those with a minus right
//   less(i, 5) & less(i, 7)            less(i, 5)
#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "ir/sum.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

UOp boolean(bool v) { return constant(DType::bool_, v); }
UOp negation(const UOp& u) {
  const UOp f = fold_not(u);
  return f ? f : logical_not(u);
}

// The largest value a sum can take, as a sum over variables alone: ranges with symbolic extents are set to their ends.
Sum at_most(Sum s) {
  for (int round = 0; round < 8; ++round) {
    bool changed = false;
    const Sum now = s;
    for (const Sum::Term& t : now.terms()) {
      const UOp* range = nullptr;
      Sum rest(s.dtype());
      rest.add_constant(1);
      bool positive = true;
      const std::vector<UOp> parts = factors(t.atom);
      for (const UOp& f : parts) {
        if (!range && f.op() == Op::Range && !is_const(f.src(0))) { range = &f; continue; }
        positive &= f.bounds().min >= 0;
        rest = product(rest, Sum(f));
      }
      if (!range || !positive) continue;
      s.add(t.atom, -t.coef);
      if (t.coef > 0) s.add(product(rest, Sum(range->src(0) - 1)), t.coef);
      changed = true;
    }
    if (!changed || !s.ok()) break;
  }
  return s;
}

bool has_symbol(const Sum& s) {
  for (const Sum::Term& t : s.terms()) if (t.atom.op() == Op::Variable || t.atom.op() == Op::Mul || t.atom.op() == Op::Range) return true;
  return false;
}

// Terms of a comparison with a minus go right; the constant goes where there is something, and right if in doubt.
struct Sides { UOp left, right; };
std::optional<Sides> sides(const Sum& d) {  // of d < 0 or d != 0
  Sum l(d.dtype()), r(d.dtype());
  for (const Sum::Term& t : d.terms()) t.coef > 0 ? l.add(t.atom, t.coef) : r.add(t.atom, -t.coef);
  if (l.is_constant() || (r.is_constant() == false && d.constant() > 0)) l.add_constant(d.constant());
  else r.add_constant(-d.constant());
  if (!l.ok() || !r.ok() || !l.representable() || !r.representable()) return {};
  return Sides{l.expr(), r.expr()};
}

Sum difference(const UOp& a, const UOp& b) {
  Sum d(a);
  d.add(b, -1);
  return d;
}

// d < 0 with d = g * a + b + constant, b in [0, g): whether a < m for some m. Common factors are the case of no b.
bool drop_small_terms(Sum& d) {
  int64_t best = 1;
  for (const Sum::Term& t : d.terms()) {
    const int64_t g = t.coef < 0 ? -t.coef : t.coef;
    if (g <= best) continue;
    Bounds b{0, 0};
    for (const Sum::Term& u : d.terms()) if (u.coef % g != 0) b = add(b, scale(u.atom.bounds(), u.coef));
    const int64_t r = ops::floor_mod(d.constant(), g);  // g * (a + q) + (b + r) < 0
    if (b.min == INT64_MIN || b.max == INT64_MAX) continue;
    if (ops::floor_div(b.min + r, g) == ops::floor_div(b.max + r, g)) best = g;
  }
  int64_t g = 0;
  for (const Sum::Term& t : d.terms()) g = std::gcd(g, t.coef);
  if (best == 1 && g > 1) best = g;
  if (best == 1) return false;
  Sum a(d.dtype());
  Bounds b{0, 0};
  for (const Sum::Term& t : d.terms()) {
    if (t.coef % best == 0) a.add(t.atom, t.coef / best);
    else b = add(b, scale(t.atom.bounds(), t.coef));
  }
  // g * (a + q) + s < 0 with s in [m * g, m * g + g) is a + q + m < 0
  a.add_constant(ops::floor_div(d.constant(), best));
  a.add_constant(ops::floor_div(b.min + ops::floor_mod(d.constant(), best), best));
  d = a;
  return true;
}

}  // namespace

bool provably_less(const Sum& a, const Sum& b) {
  Sum d = a;
  d.add(b, -1);
  if (!d.ok()) return false;
  if (d.bounds().max < 0) return true;
  if (d.dtype() != DType::index || !has_symbol(d)) return false;
  const Sum most = at_most(d);
  return most.ok() && most.bounds().max < 0;
}

UOp fold_less(const UOp& u) {
  const UOp &a = u.src(0), &b = u.src(1);
  if (a == b) return boolean(false);
  const DType t = a.dtype();
  if (!is_int(t) || t == DType::uint64) return {};
  Sum d = difference(a, b);
  if (!d.ok()) return {};
  const Bounds r = d.bounds();
  if (r.max < 0) return boolean(true);
  if (r.min >= 0) return boolean(false);
  if (t == DType::index && has_symbol(d)) {
    const Sum x(a), y(b);
    if (provably_less(x, y)) return boolean(true);
    Sum above = x;
    above.add_constant(1);
    if (above.ok() && provably_less(y, above)) return boolean(false);
  }
  while (drop_small_terms(d)) {}
  // x // k < c is x < c * k, and c < x // k is c * k + k - 1 < x
  if (d.terms().size() == 1) {
    const auto [q, coef] = d.terms()[0];
    int64_t bound;
    if (q.op() == Op::IDiv && is_const(q.src(1)) && (coef == 1 || coef == -1) && q.src(1).as<int64_t>() > 0) {
      const int64_t k = q.src(1).as<int64_t>(), c = coef == 1 ? -d.constant() : d.constant() + 1;
      const Bounds all = detail::all_of(t);
      if (!__builtin_mul_overflow(c, k, &bound) && bound > all.min && bound <= all.max)
        return coef == 1 ? less(q.src(0), bound) : less(constant(t, bound - 1), q.src(0));
    }
  }
  const auto s = d.ok() ? sides(d) : std::nullopt;
  return s ? less(s->left, s->right) : UOp{};
}

UOp fold_not_equal(const UOp& u) {
  const UOp &a = u.src(0), &b = u.src(1);
  const DType t = a.dtype();
  if (is_float(t)) return {};
  if (a == b) return boolean(false);
  if (t == DType::bool_) {
    for (int side : {0, 1}) {
      const UOp &x = u.src(static_cast<size_t>(side)), &c = u.src(static_cast<size_t>(1 - side));
      if (is_const(c, 0)) return x;
      if (is_const(c, 1)) return fold_not(x);
    }
    return {};
  }
  if (t == DType::uint64) return {};
  Sum d = difference(a, b);
  if (!d.ok()) return {};
  const Bounds r = d.bounds();
  if (r.max < 0 || r.min > 0) return boolean(true);
  if (d.is_constant()) return boolean(d.constant() != 0);
  if (t != DType::index) return {};
  int64_t g = 0;
  for (const Sum::Term& term : d.terms()) g = std::gcd(g, term.coef);
  if (d.constant() % g != 0) return boolean(true);
  Sum reduced(t);
  const int64_t sign = d.leading()->coef < 0 ? -1 : 1;
  for (const Sum::Term& term : d.terms()) reduced.add(term.atom, sign * (term.coef / g));
  if (d.constant()) reduced.add_constant(sign * (d.constant() / g));
  const auto s = sides(reduced);
  return s ? not_equal(s->left, s->right) : UOp{};
}

UOp fold_max(const UOp& u) {
  const UOp &a = u.src(0), &b = u.src(1);
  if (a == b) return a;
  if (!is_int(u.dtype()) || u.dtype() == DType::uint64) return {};
  const Sum d = difference(a, b);
  if (!d.ok()) return {};
  if (d.bounds().min >= 0) return a;
  if (d.bounds().max <= 0) return b;
  return {};
}

UOp fold_not(const UOp& u) {
  if (is_const(u)) return boolean(!u.as<int64_t>());
  if (u.op() == Op::NotEqual && u.dtype() == DType::bool_ && u.src(0).dtype() == DType::bool_) {
    if (is_const(u.src(1), 1)) return u.src(0);
    if (is_const(u.src(0), 1)) return u.src(1);
  }
  if (u.op() == Op::Less && u.src(0).dtype() == DType::index) {  // not (a < b) is b < a + 1
    Sum a(u.src(0));
    if (is_const(u.src(1))) return less(constant(DType::index, u.src(1).as<int64_t>() - 1), u.src(0));
    a.add_constant(1);
    return a.ok() ? less(u.src(1), a.expr()) : UOp{};
  }
  return {};
}

namespace {

// x < c or c < x, as a bound on x.
struct Limit { UOp x; int64_t c; bool upper; };
std::optional<Limit> limit_of(const UOp& u) {
  if (u.op() != Op::Less || !is_int(u.src(0).dtype()) || u.src(0).dtype() == DType::uint64) return {};
  if (is_const(u.src(1))) return Limit{u.src(0), u.src(1).as<int64_t>(), true};
  if (is_const(u.src(0))) return Limit{u.src(1), u.src(0).as<int64_t>(), false};
  return {};
}

// What one part of a conjunction (or disjunction) says of another.
enum class Verdict { Nothing, KeepFirst, KeepSecond, Decided };
Verdict weigh(const UOp& a, const UOp& b, bool conjunction) {
  if (a == b) return Verdict::KeepFirst;
  if (negation(a) == b || negation(b) == a) return Verdict::Decided;
  const Op inner = conjunction ? Op::Or : Op::And;  // absorption: a & (a | x) is a
  if (b.op() == inner && (b.src(0) == a || b.src(1) == a)) return Verdict::KeepFirst;
  if (a.op() == inner && (a.src(0) == b || a.src(1) == b)) return Verdict::KeepSecond;
  const auto p = limit_of(a), q = limit_of(b);
  if (!p || !q || !(p->x == q->x)) return Verdict::Nothing;
  if (p->upper == q->upper) {
    const bool first_tighter = p->upper ? p->c <= q->c : p->c >= q->c;
    return first_tighter == conjunction ? Verdict::KeepFirst : Verdict::KeepSecond;
  }
  const int64_t low = p->upper ? q->c : p->c, high = p->upper ? p->c : q->c;  // low < x and x < high
  const bool decided = conjunction ? low >= high - 1 : low < high;
  return decided ? Verdict::Decided : Verdict::Nothing;
}

}  // namespace

UOp fold_logic(const UOp& u) {
  if (u.dtype() != DType::bool_) return {};
  const bool conjunction = u.op() == Op::And;
  std::vector<UOp> parts;
  std::vector<const UOp*> stack{&u};
  while (!stack.empty()) {
    const UOp& v = *stack.back();
    stack.pop_back();
    if (v.op() == u.op()) { stack.push_back(&v.src(1)); stack.push_back(&v.src(0)); continue; }
    if (is_const(v)) {
      if ((v.as<int64_t>() != 0) == conjunction) continue;
      return boolean(!conjunction);
    }
    bool kept = true;
    for (size_t i = 0; i < parts.size() && kept;) {
      const Verdict w = weigh(parts[i], v, conjunction);
      if (w == Verdict::Decided) return boolean(!conjunction);
      if (w == Verdict::KeepFirst) kept = false;
      if (w == Verdict::KeepSecond) parts.erase(parts.begin() + static_cast<ptrdiff_t>(i));
      else ++i;
    }
    if (kept) parts.push_back(v);
    if (parts.size() > 16) return {};
  }
  if (parts.empty()) return boolean(conjunction);
  if (u.shape().empty()) std::sort(parts.begin(), parts.end(), [](const UOp& a, const UOp& b) { return a.hash() < b.hash(); });
  UOp all = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) all = UOp::make(u.op(), {all, parts[i]});
  return all;
}

}  // namespace tg
