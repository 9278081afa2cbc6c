// See pipeline.hpp.
#include "codegen/pipeline.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "codegen/access.hpp"
#include "codegen/decompose.hpp"
#include "ir/symbolic.hpp"
#include "tg/error.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

bool has(const UOp& u, Op op) {
  const auto all = toposort(u);
  return std::ranges::any_of(all, [&](const UOp& n) { return n.op() == op; });
}

// What an expression of elements along `last` takes of whole rows: the largest parts that have reductions and are the same for all of the
// row. Reductions that are not are left to be found.
void of_rows(const UOp& u, const UOp& last, std::unordered_set<UOp>& seen, std::vector<UOp>& out) {
  if (!seen.insert(u).second) return;
  if (u.op() == Op::Reduce || !(u.ranges() & last.ranges())) {
    if (has(u, Op::Reduce)) out.push_back(u);
    return;
  }
  for (const UOp& s : u.src()) of_rows(s, last, seen, out);
}
std::vector<UOp> of_rows(const Kernel& k) {
  std::unordered_set<UOp> seen;
  std::vector<UOp> out;
  for (const UOp& s : k.stores) of_rows(s, k.ranges.back(), seen, out);
  return out;
}

const Kept* kept(const Kernel& k, const UOp& load) {
  for (const Kept& a : k.kept) if (a.store.src(0) == load.src(0)) return &a;
  return nullptr;
}

// The reduction in whose walk over a row the one before can be stored: that which reads first what is kept, or that with the most
// operations; none where no row is as long as what is stored.
UOp driver(const Kernel& k) {
  const UOp& last = k.ranges.back();
  const auto of_row = [&](const UOp& u) {
    if (u.op() != Op::Reduce || reduce_ranges(u).size() != 1) return false;
    const UOp& r = reduce_ranges(u)[0];
    return r.src(0) == last.src(0) && (k.kept.empty() || r == k.kept[0].range) &&
           std::ranges::all_of(k.ranges, [&](const UOp& o) { return o == last || reads(u, o); });
  };
  UOp out;
  size_t most = 0;
  for (const UOp& u : toposort(k.stores)) {
    if (!of_row(u)) continue;
    size_t operations = 0;
    for (const UOp& v : toposort(u.src(0))) {
      if (!(v.ranges() & reduce_ranges(u)[0].ranges())) continue;
      if (!k.kept.empty() && v.op() == Op::Load && kept(k, v) == &k.kept[0]) return u;
      operations += is_elementwise(v.op()) && v.dtype() != DType::index;
    }
    if (k.kept.empty() && (!out || operations > most)) out = u, most = operations;
  }
  return out;
}

}  // namespace

std::string_view pipeline_obstacle(const Kernel& k) {
  if (k.ranges.size() < 2) return "there is one row";
  if (k.sequential) return "rounds of this kernel's loops follow each other";
  const UOp& last = k.ranges.back();
  if (!k.kept.empty()) {
    const Kept& first = k.kept[0];
    if (!(first.range.src(0) == last.src(0))) return "the row that is kept is not as long as that which is stored";
    for (const UOp& r : k.ranges)
      if (!(r == last) && !reads(first.store, r)) return "what is kept is the same for several rows";
    for (const UOp& u : toposort(first.store)) if (u.op() == Op::Load && kept(k, u)) return "what is kept first needs what else is kept";
  }
  if (!driver(k)) return "no reduction walks along rows as long as what is stored";
  for (const UOp& u : of_rows(k)) if (u.ranges() & last.ranges()) return "a reduction is made for each element that is stored";
  std::unordered_set<UOp> written;
  for (const UOp& s : k.stores) written.insert(s.src(0));
  for (const UOp& u : toposort(k.roots())) {
    if (u.op() == Op::Scan) return "a scan runs along the row";
    if (u.op() != Op::Load) continue;
    if (written.contains(u.src(0))) return "the kernel reads what it stores";
    const Kept* a = kept(k, u);
    const auto own = [&] { return u.src(1) == simplify(substitute(a->store.src(1), {{a->range, last}})); };
    if (a && !(reads(u.src(1), a->range) || own())) return "what is kept is read at other places than it is stored from";
  }
  return {};
}

Pipeline pipeline(const Kernel& given, const Nest& nest, const Target& target) {
  if (target.grid)
    throw ValueError(fmt::format("pipeline({}): this target's rows do not follow each other", to_string(given.ranges.back())));
  Kernel k = given;  // decomposed, while it shows that a row's numbers are not above their maximum
  const std::vector<UOp> roots = decompose(given.roots(), target);
  for (size_t i = 0; i < k.stores.size(); ++i) k.stores[i] = roots[i];
  for (size_t i = 0; i < k.kept.size(); ++i) k.kept[i].store = roots[k.stores.size() + i];
  const UOp& last = k.ranges.back();
  Pipeline out{k, nest, k.kept.size(), {}};
  int next = 0;
  for (const Axis& a : nest.axes) next = std::max(next, a.range.as<RangeArg>().id + 1);
  const auto fresh = [&](const UOp& like) {
    if (next >= 64) throw ValueError("more than 64 axes: " + nest.text());
    return range(Dim(like.src(0)), next++, like.as<RangeArg>().kind);
  };
  Substitution rows;
  for (UOp& r : out.kernel.ranges) {
    if (r == last) continue;
    Split split = nest.split_of(r);
    for (int& i : split.axes) {
      Axis a = nest.axes[static_cast<size_t>(i)];
      if (a.kind != AxisKind::Loop) throw ValueError(fmt::format("pipeline({}): {} is not a loop", to_string(last), a.name));
      const UOp row = std::exchange(a.range, fresh(a.range));
      out.before[row] = a.range;
      i = static_cast<int>(out.nest.axes.size());
      out.nest.axes.push_back(std::move(a));
    }
    split.original = rows[r] = fresh(r);
    r = split.original;
    out.nest.splits.push_back(std::move(split));
  }
  for (Split& s : out.nest.splits) {
    if (!(s.original == last)) continue;
    if (s.before) s.before = substitute(s.before, out.before);
    for (int i : s.axes) {
      UOp& r = out.nest.axes[static_cast<size_t>(i)].range;
      r = substitute(r, out.before);
    }
  }
  const auto hand = [&](const UOp& value) {
    const UOp place = param(static_cast<int>(k.params.size() + out.kernel.kept.size()), value.dtype());
    out.kernel.kept.push_back({store(place, index(0), value), out.kernel.ranges[0]});
    return place;
  };
  hand(driver(k));
  UOp row_before = index(0);  // each row has other values
  for (const UOp& r : out.kernel.ranges) if (!(r == last)) row_before = row_before + r;
  for (const UOp& value : of_rows(k)) rows[value] = load(hand(value), row_before);
  out.kernel.stores = substitute(k.stores, rows);
  return out;
}

}  // namespace tg
