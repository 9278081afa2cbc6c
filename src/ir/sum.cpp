// Flat sums of integer terms: reading them off an expression, writing them canonically, and the folders of Add and Mul.
#include "ir/sum.hpp"

#include <algorithm>

#include "tg/ir/op_info.hpp"

namespace tg {

namespace {
// Whether the value of an Add or Mul is what its mathematics says, never wrapped. infer gives the whole dtype to what may wrap.
bool never_wraps(const UOp& u) {
  if (u.dtype() == DType::index) return true;
  if (u.dtype() == DType::uint64 || u.dtype() == DType::bool_) return false;
  const Bounds all = detail::all_of(u.dtype()), b = u.bounds();
  return b.min > all.min || b.max < all.max;
}
const UOp* constant_factor(const UOp& u) {
  return is_const(u.src(1)) ? &u.src(1) : is_const(u.src(0)) ? &u.src(0) : nullptr;
}
bool before(const Sum::Term& a, const Sum::Term& b) {
  const uint64_t x = a.coef < 0 ? 0 - static_cast<uint64_t>(a.coef) : static_cast<uint64_t>(a.coef);
  const uint64_t y = b.coef < 0 ? 0 - static_cast<uint64_t>(b.coef) : static_cast<uint64_t>(b.coef);
  return x != y ? x > y : a.atom.hash() < b.atom.hash();
}
}  // namespace

Bounds add(Bounds a, Bounds b) {
  const auto plus = [](int64_t x, int64_t y) {
    int64_t r;
    return __builtin_add_overflow(x, y, &r) ? (x < 0 ? INT64_MIN : INT64_MAX) : r;
  };
  return {plus(a.min, b.min), plus(a.max, b.max)};
}
Bounds scale(Bounds a, int64_t k) {
  const auto times = [](int64_t x, int64_t y) {
    int64_t r;
    return __builtin_mul_overflow(x, y, &r) ? ((x < 0) == (y < 0) ? INT64_MAX : INT64_MIN) : r;
  };
  return k < 0 ? Bounds{times(a.max, k), times(a.min, k)} : Bounds{times(a.min, k), times(a.max, k)};
}

int64_t Sum::plus(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_add_overflow(a, b, &r) && exact_) ok_ = false;
  return r;
}
int64_t Sum::times(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_mul_overflow(a, b, &r) && exact_) ok_ = false;
  return r;
}

void Sum::add_constant(int64_t v, int64_t k) {
  merged_ |= has_constant_;
  has_constant_ = true;
  if (exact_ && dtype_ == DType::uint64 && v < 0) ok_ = false;  // beyond what 64 bits with a sign say
  constant_ = plus(constant_, times(v, k));
  if (!exact_) constant_ = round_to(dtype_, {constant_}).i;
}

void Sum::add_term(const UOp& atom, int64_t coef) {
  for (size_t i = 0; i < size_; ++i) {
    if (!(terms_[i].atom == atom)) continue;
    merged_ = true;
    terms_[i].coef = plus(terms_[i].coef, coef);
    if (!exact_) terms_[i].coef = round_to(dtype_, {terms_[i].coef}).i;
    if (terms_[i].coef == 0) {
      terms_[i] = terms_[--size_];
      terms_[size_] = {};
    }
    return;
  }
  if (coef == 0) return;
  if (size_ == kMaxTerms) { ok_ = false; return; }
  terms_[size_++] = {atom, coef};
}

void Sum::add(const UOp& u, int64_t k) {
  std::array<std::pair<const UOp*, int64_t>, 2 * kMaxTerms> stack{{{&u, k}}};
  for (size_t depth = 1; depth > 0 && ok_;) {
    const auto [v, coef] = stack[--depth];
    if (is_const(*v)) { add_constant(v->as<int64_t>(), coef); continue; }
    const bool open = (v->op() == Op::Add || v->op() == Op::Mul) && (!exact_ || never_wraps(*v));
    if (open && v->op() == Op::Add) {
      if (depth + 2 > stack.size()) { ok_ = false; return; }
      stack[depth++] = {&v->src(1), coef};
      stack[depth++] = {&v->src(0), coef};
    } else if (const UOp* c = open ? constant_factor(*v) : nullptr) {
      int64_t product = times(coef, c->as<int64_t>());
      if (!exact_) product = round_to(dtype_, {product}).i;
      stack[depth++] = {c == &v->src(1) ? &v->src(0) : &v->src(1), product};
    } else {
      add_term(*v, coef);
    }
  }
}

void Sum::add(const Sum& s, int64_t k) {
  for (const Term& t : s.terms()) add_term(t.atom, times(t.coef, k));
  constant_ = plus(constant_, times(s.constant_, k));
  ok_ &= s.ok_;
}

Bounds Sum::bounds() const {
  Bounds b{constant_, constant_};
  for (const Term& t : terms()) b = tg::add(b, scale(t.atom.bounds(), t.coef));
  return b;
}
bool Sum::representable() const {
  if (dtype_ == DType::index) return true;
  const Bounds all = detail::all_of(dtype_), b = bounds();
  return b.min >= all.min && b.max <= all.max && (dtype_ != DType::int64 || (b.min > all.min && b.max < all.max));
}
const Sum::Term* Sum::leading() const {
  return size_ ? &*std::min_element(terms_.begin(), terms_.begin() + size_, before) : nullptr;
}

UOp Sum::expr() const {
  std::array<const Term*, kMaxTerms> order;
  for (size_t i = 0; i < size_; ++i) order[i] = &terms_[i];
  std::sort(order.begin(), order.begin() + size_, [](const Term* a, const Term* b) { return before(*a, *b); });
  UOp sum;
  for (size_t i = 0; i < size_; ++i) {
    UOp term = order[i]->coef == 1 ? order[i]->atom : order[i]->atom * order[i]->coef;
    sum = sum ? sum + term : std::move(term);
  }
  if (!sum) return tg::constant(dtype_, constant_);
  return constant_ == 0 ? sum : sum + constant_;
}

namespace {

// a * b as a left-nested product with its factors in order.
UOp monomial(const UOp& a, const UOp& b) {
  std::vector<UOp> f = factors(a);
  for (UOp& u : factors(b)) f.push_back(std::move(u));
  std::sort(f.begin(), f.end(), [](const UOp& x, const UOp& y) { return x.hash() < y.hash(); });
  UOp m = f[0];
  for (size_t i = 1; i < f.size(); ++i) m = m * f[i];
  return m;
}

// k * (y % m) beside its quotient: y % m = y - m * (y // m), where that makes the sum shorter. (x // 4) * 4 + x % 4 is x.
bool recombine(Sum& s) {
  for (const Sum::Term& mod : s.terms()) {
    if (mod.atom.op() != Op::Mod || !is_const(mod.atom.src(1))) continue;
    const int64_t m = mod.atom.src(1).as<int64_t>();
    int64_t km;
    if (m <= 0 || __builtin_mul_overflow(mod.coef, m, &km)) continue;
    const UOp& y = mod.atom.src(0);
    for (const Sum::Term& other : s.terms()) {
      if (other.coef == km && other.atom.op() == Op::Mod && other.atom.src(0) == floor_div(y, m) && is_const(other.atom.src(1))) {
        // (y // m) % n * m + y % m is y % (m * n)
        int64_t n = other.atom.src(1).as<int64_t>(), mn;
        if (n <= 0 || __builtin_mul_overflow(m, n, &mn)) continue;
        Sum shorter = s;
        shorter.add(mod.atom, -mod.coef);
        shorter.add(other.atom, -other.coef);
        shorter.add(floor_mod(y, mn), mod.coef);
        s = shorter;
        return true;
      }
      if (other.coef % km != 0 || other.atom.op() == Op::Mod) continue;
      Sum shorter = s;
      const UOp quotient = floor_div(y, m), folded = fold_idiv(quotient);
      shorter.add(mod.atom, -mod.coef);
      shorter.add(y, mod.coef);
      shorter.add(folded ? folded : quotient, -km);
      if (!shorter.ok() || shorter.terms().size() >= s.terms().size()) continue;
      s = shorter;
      return true;
    }
  }
  return false;
}

}  // namespace

std::vector<UOp> factors(const UOp& u) {
  std::vector<UOp> found;
  std::vector<const UOp*> stack{&u};
  while (!stack.empty()) {
    const UOp& v = *stack.back();
    stack.pop_back();
    if (v.op() != Op::Mul) { found.push_back(v); continue; }
    stack.push_back(&v.src(1));
    stack.push_back(&v.src(0));
  }
  return found;
}

Sum product(const Sum& a, const Sum& b) {
  Sum p(a.dtype());
  for (const Sum::Term& x : a.terms()) {
    for (const Sum::Term& y : b.terms()) {
      Sum one(a.dtype());
      one.add(monomial(x.atom, y.atom), x.coef);
      p.add(one, y.coef);
    }
    Sum one(a.dtype());
    one.add(x.atom, x.coef);
    p.add(one, b.constant());
  }
  Sum rest(a.dtype());
  for (const Sum::Term& y : b.terms()) rest.add(y.atom, y.coef);
  rest.add_constant(b.constant());
  p.add(rest, a.constant());
  return p;
}

UOp fold_sum(const UOp& u) {
  if (!is_int(u.dtype())) return {};
  if (u.op() == Op::Mul && !constant_factor(u)) return {};
  const bool index = u.dtype() == DType::index;
  Sum s(u, Sum::Reading::Ring);
  if (!s.ok()) return {};
  if (index) while (recombine(s)) {}
  // Wrapping integers live in tensor graphs too, where parts of a sum are shared: only what gets shorter is worth rewriting.
  return index || s.merged() ? s.expr() : UOp{};
}

UOp fold_product(const UOp& u) {
  if (!is_int(u.dtype())) return {};
  if (const UOp* c = constant_factor(u)) return is_const(*c, 0) ? *c : fold_sum(u);
  if (u.dtype() != DType::index) return {};
  const Sum p = product(Sum(u.src(0)), Sum(u.src(1)));
  return p.ok() ? p.expr() : UOp{};
}

}  // namespace tg
