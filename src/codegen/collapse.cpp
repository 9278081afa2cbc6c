// See collapse.hpp.
#include "codegen/collapse.hpp"

#include <algorithm>

#include "ir/monoid.hpp"
#include "ir/symbolic.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

size_t divisions(std::span<const UOp> stores) {
  size_t n = 0;
  for (const UOp& u : toposort(stores)) n += (u.op() == Op::IDiv || u.op() == Op::Mod) && u.dtype() == DType::index;
  return n;
}

// Every expression with the pair replaced; a Reduce that closes the pair closes the merged range, one that closes half of it forbids.
bool merge(Kernel& k, const UOp& outer, const UOp& inner) {
  const UOp &n = inner.src(0), merged = range(Dim(simplify(outer.src(0) * n)), outer.as<RangeArg>().id, outer.as<RangeArg>().kind);
  std::unordered_map<UOp, UOp> done{{outer, floor_div(merged, n)}, {inner, floor_mod(merged, n)}};
  for (const UOp& u : toposort(k.stores)) {
    if (done.contains(u)) continue;
    std::vector<UOp> src;
    if (u.op() == Op::Reduce) {
      const auto closed = reduce_ranges(u);
      const bool o = std::find(closed.begin(), closed.end(), outer) != closed.end(),
                 i = std::find(closed.begin(), closed.end(), inner) != closed.end();
      if (o != i) return false;
      src.push_back(done.at(u.src(0)));
      for (const UOp& r : closed) if (!(r == inner)) src.push_back(r == outer ? merged : r);
      if (components(u.as<ReduceArg>().monoid) > 1) src.push_back(done.at(u.src().back()));
    } else {
      for (const UOp& s : u.src()) src.push_back(done.at(s));
    }
    done[u] = std::equal(src.begin(), src.end(), u.src().begin(), u.src().end()) ? u : u.with(src);
  }
  std::vector<UOp> stores;
  for (const UOp& s : k.stores) stores.push_back(done.at(s));
  stores = simplify(stores);
  if (divisions(stores) > divisions(k.stores)) return false;
  k.stores = std::move(stores);
  if (auto at = std::find(k.ranges.begin(), k.ranges.end(), outer); at != k.ranges.end()) {
    *at = merged;
    k.ranges.erase(std::find(k.ranges.begin(), k.ranges.end(), inner));
  }
  return true;
}

bool merge_one(Kernel& k) {
  for (size_t i = k.ranges.size(); i-- > 1;) {
    const bool mixed = ((k.ranges[i].ranges() | k.ranges[i - 1].ranges()) & k.sequential) != 0;
    if (!mixed && merge(k, k.ranges[i - 1], k.ranges[i])) return true;
  }
  for (const UOp& u : toposort(k.stores)) {
    if (u.op() != Op::Reduce) continue;
    const auto closed = reduce_ranges(u);
    for (size_t i = closed.size(); i-- > 1;) if (merge(k, UOp(closed[i - 1]), UOp(closed[i]))) return true;
  }
  return false;
}

}  // namespace

Kernel collapse(Kernel k) {
  while (merge_one(k)) {}
  return k;
}

}  // namespace tg
