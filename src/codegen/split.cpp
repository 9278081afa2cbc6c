// See split.hpp.
#include "codegen/split.hpp"

#include <algorithm>
#include <set>

#include "codegen/access.hpp"
#include "ir/monoid.hpp"
#include "ir/symbolic.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

constexpr int kMostIds = 32;  // of ranges: verbs split them further

bool divides(const UOp& u) { return (u.op() == Op::IDiv || u.op() == Op::Mod) && u.dtype() == DType::index; }

// Constants by which sums of products divide multiples of r, in terms of r itself; the largest first.
std::set<int64_t, std::greater<>> divisors(const Kernel& k, const UOp& r) {
  std::set<int64_t, std::greater<>> out;
  std::vector<UOp> products;
  for (const UOp& u : toposort(k.stores))
    if (u.op() == Op::Reduce && u.as<ReduceArg>().monoid == Monoid::Sum && u.src(0).op() == Op::Mul) products.push_back(u.src(0));
  for (const UOp& u : toposort(products)) {
    if (!divides(u) || !is_const(u.src(1))) continue;
    const int64_t step = stride(u.src(0), r), by = u.src(1).as<int64_t>();
    if (step > 0 && step != kIrregular && by % step == 0 && by / step > 1 && by / step < extent(r)) out.insert(by / step);
  }
  return out;
}

// Loads that read both parts test that they are inside; those of one part stay where they were.
UOp inside(const UOp& root, const UOp& outer, const UOp& inner, const UOp& in) {
  Substitution loads;
  for (const UOp& u : toposort(root))
    if (u.op() == Op::Load && reads(u.src(1), outer) && reads(u.src(1), inner))
      loads[u] = load(u.src(0), u.src(1), u.src().size() > 2 ? u.src(2) & in : in);
  return substitute(root, loads);
}

bool split(Kernel& k, size_t at, int64_t by) {
  const UOp r = k.ranges[at];
  int next = 0;
  bool checks = false;
  for (const UOp& u : toposort(k.stores)) {
    if (u.op() == Op::Range) next = std::max(next, u.as<RangeArg>().id + 1);
    checks |= u.op() == Op::Check;
  }
  const bool even = extent(r) % by == 0;
  if (next >= kMostIds || (checks && !even)) return false;
  const UOp outer = range(Dim(ceil_div(extent(r), by)), r.as<RangeArg>().id, RangeKind::Output),
            inner = range(Dim(by), next, RangeKind::Output), both = outer * by + inner, in = less(both, r.src(0));
  std::vector<UOp> stores = simplify(substitute(k.stores, {{r, both}}));
  for (const UOp& u : toposort(stores)) if (divides(u) && reads(u, outer)) return false;
  if (!even)
    for (UOp& s : stores)
      s = store(s.src(0), s.src(1), inside(s.src(2), outer, inner, in), s.src().size() > 3 ? s.src(3) & in : in);
  k.stores = simplify(stores);
  k.ranges[at] = outer;
  k.ranges.insert(k.ranges.begin() + static_cast<ptrdiff_t>(at) + 1, inner);
  return true;
}

bool split_one(Kernel& k) {
  for (size_t at = 0; at < k.ranges.size(); ++at) {
    if (k.ranges[at].src(0).op() != Op::Const || (k.ranges[at].ranges() & k.sequential)) continue;
    for (const int64_t by : divisors(k, k.ranges[at])) if (split(k, at, by)) return true;
  }
  return false;
}

}  // namespace

Kernel split(Kernel k) {
  while (split_one(k)) {}
  return k;
}

}  // namespace tg
