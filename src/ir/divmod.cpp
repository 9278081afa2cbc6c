// Quotients and remainders of sums, rounded down. One decomposition serves both:
//
//   x // c = whole + sign * (rest // d)          x % c = low + sign * unit * (rest % d)
//
//   (i * 64 + j * 4 + k) // 32  with k < 4:  whole = i * 2, rest = j, d = 8, unit = 4, low = k
#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "ir/sum.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

struct Division {
  Sum whole, rest, low;
  int64_t d, unit = 1, sign = 1;
};

// How a coefficient is split into multiples of d and what is left: towards zero, down, or to the nearest.
enum class Round { Zero, Down, Nearest };
int64_t quotient(int64_t coef, int64_t d, Round r) {
  if (r == Round::Zero) return coef / d;
  return ops::floor_div(r == Round::Down ? coef : coef + d / 2, d);
}

// Takes the multiples of d out of `rest`; they count into `whole`.
Sum take_multiples(const Sum& rest, int64_t d, Round round, int64_t sign, Sum& whole) {
  Sum left(rest.dtype());
  for (const Sum::Term& t : rest.terms()) {
    const int64_t q = quotient(t.coef, d, round);
    if (q) whole.add(t.atom, q * sign);
    left.add(t.atom, t.coef - q * d);
  }
  whole.add_constant(ops::floor_div(rest.constant(), d), sign);
  left.add_constant(ops::floor_mod(rest.constant(), d));
  return left;
}

// The quotient by d that all values of the sum share.
std::optional<int64_t> one_quotient(const Sum& s, int64_t d) {
  const Bounds b = s.bounds();
  if (b.min == INT64_MIN || b.max == INT64_MAX) return {};
  const int64_t q = ops::floor_div(b.min, d);
  return q == ops::floor_div(b.max, d) ? std::optional(q) : std::nullopt;
}

bool settle(Division& v) {  // no division is left when all values share one quotient
  for (Round round : {Round::Zero, Round::Down, Round::Nearest}) {
    Sum whole = v.whole;
    Sum rest = take_multiples(v.rest, v.d, round, v.sign, whole);
    const auto q = one_quotient(rest, v.d);
    if (!q) continue;
    whole.add_constant(*q, v.sign);
    rest.add_constant(-*q, v.d);
    v.low.add(rest, v.sign * v.unit);
    v.whole = whole;
    v.rest = Sum(v.rest.dtype());
    return true;
  }
  return false;
}

// rest = g * a + b with b in [0, g): then only a is divided, by d / g.
bool take_factor(Division& v) {
  int64_t best = 1;
  for (const Sum::Term& t : v.rest.terms()) {
    const int64_t g = std::gcd(t.coef, v.d);
    if (g <= best) continue;
    Sum b(v.rest.dtype());
    for (const Sum::Term& u : v.rest.terms()) if (u.coef % g != 0) b.add(u.atom, u.coef);
    b.add_constant(ops::floor_mod(v.rest.constant(), g));
    if (one_quotient(b, g)) best = g;
  }
  if (best == 1) return false;
  Sum a(v.rest.dtype()), b(v.rest.dtype());
  for (const Sum::Term& t : v.rest.terms()) {
    if (t.coef % best == 0) a.add(t.atom, t.coef / best);
    else b.add(t.atom, t.coef);
  }
  a.add_constant(ops::floor_div(v.rest.constant(), best));
  b.add_constant(ops::floor_mod(v.rest.constant(), best));
  const int64_t q = *one_quotient(b, best);
  a.add_constant(q);
  b.add_constant(-q, best);
  v.low.add(b, v.sign * v.unit);
  v.rest = a;
  v.d /= best;
  v.unit *= best;
  return true;
}

// A sum that leads with a minus: rest // d = -(w // d), rest % d = d - 1 - w % d, where w = d - 1 - rest.
bool negate(Division& v) {
  const Sum::Term* leading = v.rest.leading();
  if (!leading || leading->coef > 0) return false;
  Sum w(v.rest.dtype());
  w.add_constant(v.d - 1);
  w.add(v.rest, -1);
  v.low.add_constant(v.d - 1, v.sign * v.unit);
  v.rest = w;
  v.sign = -v.sign;
  return true;
}

Division divide(const Sum& x, int64_t c) {
  const DType t = x.dtype();
  Division v{Sum(t), x, Sum(t), c};
  do {
    if (settle(v)) return v;
    v.rest = take_multiples(v.rest, v.d, Round::Zero, v.sign, v.whole);
  } while (take_factor(v) || negate(v));
  return v;
}

// y // a alone, with a constant offset: (y // a + k) // d = (y + k * a) // (a * d).
struct Nested { const UOp* y; int64_t a; };
std::optional<Nested> lone(const Sum& s, Op op) {
  if (s.terms().size() != 1 || s.terms()[0].coef != 1) return {};
  const UOp& u = s.terms()[0].atom;
  if (u.op() != op || !is_const(u.src(1)) || u.src(1).as<int64_t>() <= 0) return {};
  return Nested{&u.src(0), u.src(1).as<int64_t>()};
}

// `rest` as an expression: x where it is x's own terms, since other rules than Sum order those of tensors, and would put them back.
UOp written(const Sum& rest, const Sum& own, const UOp& x) {
  const auto equal = [](const Sum::Term& a, const Sum::Term& b) { return a.atom == b.atom && a.coef == b.coef; };
  const bool same = rest.constant() == own.constant() && std::ranges::equal(rest.terms(), own.terms(), equal);
  return same && x.dtype() != DType::index ? x : rest.expr();
}
UOp quotient_of(const Sum& rest, int64_t d, const Sum& own, const UOp& x) {
  if (const auto n = lone(rest, Op::IDiv)) {
    int64_t ad;
    Sum y(*n->y);
    if (rest.constant()) y.add_constant(rest.constant(), n->a);
    if (!__builtin_mul_overflow(n->a, d, &ad) && ad <= detail::all_of(rest.dtype()).max && y.ok() && y.representable())
      return floor_div(rest.constant() ? y.expr() : *n->y, ad);
  }
  if (const auto n = lone(rest, Op::Mod); n && n->a % d == 0 && rest.constant() == 0)
    return floor_mod(floor_div(*n->y, d), n->a / d);
  return floor_div(written(rest, own, x), d);
}

// Division by a symbol: x = whole * n + rest by monomials, with 0 <= rest < n proven.
struct SymbolicDivision { Sum whole, rest; };

// The monomial m such that a = m * n, if it is one.
UOp divide_monomial(const UOp& a, const UOp& n) {
  std::vector<UOp> left = factors(a);
  for (const UOp& f : factors(n)) {
    const auto it = std::find(left.begin(), left.end(), f);
    if (it == left.end()) return {};
    left.erase(it);
  }
  UOp m;
  for (const UOp& f : left) m = m ? m * f : f;
  return m ? m : index(1);
}

std::optional<SymbolicDivision> divide(const UOp& x, const UOp& by) {
  if (x.dtype() != DType::index || by.bounds().min <= 0 || is_const(by)) return {};
  const Sum n(by);
  SymbolicDivision v{Sum(x.dtype()), Sum(x)};
  if (!n.ok() || !v.rest.ok() || !n.leading()) return {};
  const Sum::Term lead = *n.leading();
  for (int round = 0; round < 8; ++round) {
    bool taken = false;
    const Sum now = v.rest;
    for (const Sum::Term& t : now.terms()) {
      const UOp m = t.coef % lead.coef == 0 ? divide_monomial(t.atom, lead.atom) : UOp{};
      if (!m) continue;
      const int64_t k = t.coef / lead.coef;
      v.whole.add(m, k);
      v.rest.add(product(Sum(m), n), -k);
      taken = true;
    }
    if (!taken || !v.rest.ok()) break;
  }
  if (!v.whole.ok() || !v.rest.ok() || v.rest.bounds().min < 0 || !provably_less(v.rest, n)) return {};
  return v;
}

}  // namespace

UOp fold_idiv(const UOp& u) {
  const UOp &x = u.src(0), &by = u.src(1);
  if (!is_int(u.dtype())) return {};
  if (!is_const(by)) {
    const auto v = divide(x, by);
    return v ? v->whole.expr() : UOp{};
  }
  const int64_t c = by.as<int64_t>();
  if (c == 0) return constant(u.dtype(), 0);
  if (c < 0) return u.dtype() == DType::index && c != INT64_MIN ? floor_div(x * -1, -c) : UOp{};
  Sum sum(x);
  if (!sum.ok()) return {};
  Division v = divide(sum, c);
  if (!v.whole.ok() || !v.rest.ok() || !v.whole.representable() || !v.rest.representable()) return {};
  if (v.rest.is_constant() && v.rest.constant() == 0) return v.whole.expr();
  const UOp q = quotient_of(v.rest, v.d, sum, x);
  if (v.sign == 1 && v.whole.is_constant() && v.whole.constant() == 0) return q;
  v.whole.add(q, v.sign);
  return v.whole.ok() && v.whole.representable() ? v.whole.expr() : UOp{};
}

UOp fold_mod(const UOp& u) {
  const UOp &x = u.src(0), &by = u.src(1);
  if (!is_int(u.dtype())) return {};
  if (!is_const(by)) {
    const auto v = divide(x, by);
    return v ? v->rest.expr() : UOp{};
  }
  const int64_t c = by.as<int64_t>();
  if (c == 0) return constant(u.dtype(), 0);
  if (c < 0) return u.dtype() == DType::index && c != INT64_MIN ? floor_mod(x * -1, -c) * -1 : UOp{};
  const Sum read(x);
  if (!read.ok()) return {};
  Sum sum(u.dtype());
  for (const Sum::Term& t : read.terms()) {  // k * (y % a) is k * y modulo c, where c divides k * a
    const UOp& a = t.atom;
    int64_t ka;
    const int64_t m = a.op() == Op::Mod && is_const(a.src(1)) ? a.src(1).as<int64_t>() : 0;
    const bool inner = m > 0 && !__builtin_mul_overflow(t.coef, m, &ka) && ka % c == 0;
    sum.add(inner ? a.src(0) : a, t.coef);
  }
  sum.add_constant(read.constant());
  if (!sum.ok()) return {};
  Division v = divide(sum, c);
  if (!v.low.ok() || !v.rest.ok() || !v.rest.representable()) return {};
  if (!(v.rest.is_constant() && v.rest.constant() == 0)) v.low.add(floor_mod(written(v.rest, read, x), v.d), v.sign * v.unit);
  return v.low.ok() && v.low.representable() ? v.low.expr() : UOp{};
}

}  // namespace tg
