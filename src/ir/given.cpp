// simplify_given: an expression where a condition is known to hold, such as a load's index under the load's gate.
//
//   simplify_given((i + 2) // 4, i < 2) == 0
//
// Every comparison with a constant bounds a sum. One of its terms is written as a stand-in variable, which has those bounds, less the
// other terms; what then folds, folds; and the stand-in is replaced by the sum again. Quotients and remainders in the condition are made
// independent first: a range whose y // m or y % m is compared becomes q * m + r.
#include <algorithm>

#include "ir/sum.hpp"
#include "ir/symbolic.hpp"

namespace tg {
namespace {

struct Bounded { UOp sum; Bounds bounds; };

// What the facts say of sums, one entry a sum.
std::vector<Bounded> bounded_sums(std::span<const UOp> facts) {
  std::vector<Bounded> all;
  for (const UOp& f : facts) {
    if (f.op() != Op::Less || f.src(0).dtype() != DType::index || is_const(f.src(0)) == is_const(f.src(1))) continue;
    const bool upper = is_const(f.src(1));
    const UOp& sum = f.src(upper ? 0 : 1);
    auto it = std::ranges::find(all, sum, &Bounded::sum);
    if (it == all.end()) it = all.insert(all.end(), {sum, sum.bounds()});
    if (upper) it->bounds.max = std::min(it->bounds.max, f.src(1).as<int64_t>() - 1);
    else it->bounds.min = std::max(it->bounds.min, f.src(0).as<int64_t>() + 1);
  }
  std::erase_if(all, [](const Bounded& b) { return b.bounds.min > b.bounds.max; });  // the condition never holds
  return all;
}

// Ranges and variables whose quotient or remainder is compared, as q * m + r; and the way back.
struct Splits { Substitution there, back; };
Splits splits_of(std::span<const Bounded> sums) {
  Splits s;
  for (const Bounded& b : sums) {
    const Sum sum(b.sum);
    for (const Sum::Term& t : sum.terms()) {
      if ((t.atom.op() != Op::Mod && t.atom.op() != Op::IDiv) || !is_const(t.atom.src(1))) continue;
      const UOp y = t.atom.src(0);
      const int64_t m = t.atom.src(1).as<int64_t>();
      if ((y.op() != Op::Range && y.op() != Op::Variable) || m <= 0 || s.there.contains(y)) continue;
      const std::string name = std::to_string(s.there.size());
      const Bounds q = floor_div(y, m).bounds();
      const UOp quotient = variable("quotient" + name, q.min, q.max), rest = variable("remainder" + name, 0, m - 1);
      s.there.emplace(y, quotient * m + rest);
      s.back.emplace(quotient, floor_div(y, m));
      s.back.emplace(rest, floor_mod(y, m));
    }
  }
  return s;
}

size_t size_of(const UOp& u) { return toposort(u).size(); }

UOp narrowed(UOp out, std::span<const Bounded> sums) {
  int fresh = 0;
  for (const auto& [bounded, bounds] : sums) {
    const Sum sum(bounded);
    if (!sum.ok()) continue;
    for (const Sum::Term& t : sum.terms()) {
      if (t.coef != 1 && t.coef != -1) continue;
      const UOp stand_in = variable("given" + std::to_string(fresh++), bounds.min, bounds.max);
      Sum others(stand_in);  // atom = coef * (stand_in - the other terms)
      others.add(sum, -1);
      others.add(t.atom, t.coef);
      Sum atom(DType::index);
      atom.add(others, t.coef);
      if (!atom.ok()) continue;
      const UOp tried = simplify(substitute(simplify(substitute(out, {{t.atom, atom.expr()}})), {{stand_in, bounded}}));
      if (size_of(tried) < size_of(out)) out = tried;
    }
  }
  return out;
}

}  // namespace

std::vector<UOp> conjunction(const UOp& condition) {
  std::vector<UOp> facts, stack{condition};
  while (!stack.empty()) {
    const UOp u = std::move(stack.back());
    stack.pop_back();
    if (u.op() == Op::And) { stack.push_back(u.src(1)); stack.push_back(u.src(0)); }
    else facts.push_back(u);
  }
  return facts;
}

UOp simplify_given(const UOp& expr, const UOp& condition) {
  const UOp plain = simplify(expr);
  const Splits splits = splits_of(bounded_sums(conjunction(simplify(condition))));
  UOp out = plain, given = condition;
  if (!splits.there.empty()) {
    out = simplify(substitute(expr, splits.there));
    given = substitute(condition, splits.there);
  }
  const std::vector<UOp> facts = conjunction(simplify(given));
  for (const UOp& f : facts)
    if (!is_const(f)) out = simplify(substitute(out, {{f, constant(DType::bool_, 1)}}));
  out = simplify(substitute(narrowed(out, bounded_sums(facts)), splits.back));
  return size_of(out) <= size_of(plain) ? out : plain;
}

}  // namespace tg
