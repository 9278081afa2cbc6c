// See batch.hpp.
#include "schedule/batch.hpp"

#include <algorithm>

#include "ir/symbolic.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

// The kernel over `element_count()` elements, if it is elementwise and all its memory is read and written in the same order.
std::optional<Kernel> of_any_size(const Kernel& k) {
  if (k.sequential || k.stores.empty()) return {};
  const UOp at = k.stores[0].src(1), i = range(Dim(element_count()), 0, RangeKind::Output);
  Substitution in_order;
  for (const UOp& u : toposort(k.stores)) {
    const bool memory = u.op() == Op::Load || u.op() == Op::Store;
    if (u.op() == Op::Reduce || u.op() == Op::Check) return {};
    if (memory && (!(u.src(1) == at) || u.src().size() > (u.op() == Op::Load ? 2 : 3))) return {};
    if (u.op() == Op::Load) in_order[u] = load(u.src(0), i);
  }
  Kernel out = k;
  for (UOp& s : out.stores) s = store(s.src(0), i, substitute(s.src(2), in_order));
  for (const UOp& u : toposort(out.stores)) if (u.op() == Op::Range && !(u == i)) return {};
  out.stores = simplify(out.stores);
  out.ranges = {i};
  out.variables.push_back(element_count());
  return out;
}

}  // namespace

const UOp& element_count() {
  static const UOp& n = *new UOp(variable("elements", 1, int64_t{1} << 40));
  return n;
}

std::vector<PlanLaunch> batch(std::vector<PlanLaunch> launches, const std::vector<int>& order, const std::vector<std::set<int>>& after) {
  std::vector<std::optional<Kernel>> general;
  std::vector<Hash128> keys;
  for (const PlanLaunch& l : launches) {
    general.push_back(of_any_size(l.kernel));
    keys.push_back(general.back() ? general.back()->hash() : Hash128{});
  }
  // From the last to the first, each joins an equal kernel that runs later, unless something between the two waits for it.
  std::vector<std::vector<int>> batches;
  for (size_t i = order.size(); i-- > 0;) {
    const int l = order[i];
    size_t to = batches.size();
    for (size_t b = batches.size(); general[static_cast<size_t>(l)] && b-- > 0;) {
      if (std::any_of(batches[b].begin(), batches[b].end(), [&](int m) { return after[static_cast<size_t>(m)].contains(l); })) break;
      if (general[static_cast<size_t>(batches[b][0])] && keys[static_cast<size_t>(batches[b][0])] == keys[static_cast<size_t>(l)]) {
        to = b;
        break;
      }
    }
    if (to == batches.size()) batches.emplace_back();
    batches[to].push_back(l);
  }
  std::vector<PlanLaunch> out;
  for (auto b = batches.rbegin(); b != batches.rend(); ++b)
    for (auto l = b->rbegin(); l != b->rend(); ++l) {
      PlanLaunch& launch = out.emplace_back(std::move(launches[static_cast<size_t>(*l)]));
      launch.with_previous = l != b->rbegin();
      if (b->size() == 1) continue;
      launch.elements = 1;
      for (const UOp& r : launch.kernel.ranges) launch.elements = launch.elements * Dim(r.src(0));
      launch.kernel = *general[static_cast<size_t>(*l)];
      launch.scalars.push_back(element_count());
    }
  return out;
}

}  // namespace tg
