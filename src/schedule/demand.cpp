// See demand.hpp.
#include "schedule/demand.hpp"

#include <algorithm>
#include <bit>
#include <map>

#include <fmt/format.h>

#include "ir/monoid.hpp"
#include "ir/symbolic.hpp"
#include "tg/error.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

constexpr double kRepeated = 3;    // a value with so many times more elements than its sources is never stored
constexpr double kMergedSum = 4;   // a merged sum may visit so many times the elements of the inner one (windows overlap the border)
constexpr size_t kMostCopied = 160;  // nodes of one kernel that make the same value, each time at another place
constexpr int kMostInlined = 400;  // nodes of one kernel, before it is cut for compile time's sake

uint64_t open_ranges(const Indices& idx) {
  uint64_t open = 0;
  for (const UOp& i : idx) open |= i.ranges();
  return open;
}
// Whether the result of this reduction depends on the order in which it is made.
bool rounds(const UOp& u) {
  if (u.op() == Op::OverlapAdd) return is_float(u.dtype());
  if (u.op() != Op::Reduce && u.op() != Op::Scan) return false;
  const Monoid m = u.op() == Op::Reduce ? u.as<ReduceArg>().monoid : u.as<ScanArg>().monoid;
  return is_float(u.dtype()) && m != Monoid::Max && m != Monoid::Min && m != Monoid::ArgMax;
}
/// The scan that u is, or is a component of.
const UOp* scan_of(const UOp& u) {
  const UOp& s = u.op() == Op::Get ? u.src(0) : u;
  return s.op() == Op::Scan ? &s : nullptr;
}
bool rearranges(const UOp& u) { return u.op() == Op::Reshape || u.op() == Op::Permute; }

}  // namespace

std::vector<UOp> fresh_ranges(const Indices& idx, std::span<const Dim> extents) {
  int id = 64 - std::countl_zero(open_ranges(idx));
  std::vector<UOp> out;
  for (const Dim& e : extents) out.push_back(e == Dim(1) ? index(0) : range(e, id++, RangeKind::Reduce));
  return out;
}
std::vector<Dim> reduced_extents(const UOp& u) {
  std::vector<Dim> out;
  for (size_t a = 0; a < u.shape().rank(); ++a) if (u.as<ReduceArg>().axes >> a & 1) out.push_back(u.src(0).shape()[a]);
  return out;
}

std::vector<UOp> Demands::Demand::needed() const {
  const uint64_t open = open_ranges(idx);
  size_t n = nest.size();
  while (n > 0 && !(nest[n - 1].ranges() & open)) --n;
  return {nest.begin(), nest.begin() + static_cast<ptrdiff_t>(n)};
}
double Demands::Demand::evaluations() const {
  double n = 1;
  for (const UOp& r : needed()) n *= static_cast<double>(std::max<int64_t>(1, r.bounds().max + 1));
  return n;
}
bool Demands::Demand::reduces(uint64_t ranges) const {
  return std::ranges::any_of(nest, [&](const UOp& r) { return r.as<RangeArg>().kind == RangeKind::Reduce && (r.ranges() & ranges); });
}

Demands::Demands(std::span<const UOp> roots, const Stored& stored) {
  const std::vector<UOp> order = toposort(roots);
  Cost cost(stored);
  for (const UOp& u : order) {
    for (const UOp& s : u.src()) ++users_[s.node()];
    cost_[u] = cost(u);
    double behind = is_elementwise(u.op()) || is_movement(u.op()) ? 0 : elements(u.shape());
    if (behind == 0) for (const UOp& s : u.src()) behind += behind_.at(s);
    behind_[u] = std::min(behind, elements(u.shape()));
    switch (u.op()) {
      case Op::Assign: case Op::Contiguous: case Op::Scatter: forced_.insert(u.node()); break;
      case Op::Get: if (u.src(0).op() == Op::Scatter) forced_.insert(u.node()); break;
      case Op::AllReduce: case Op::Call: case Op::Copy:
        throw DeviceError(fmt::format("{} is not yet compiled for this device; the interpreter device evaluates it", name_of(u.op())));
      default: break;
    }
  }
  for (const UOp& u : order) {
    if (!is_elementwise(u.op()) && !rearranges(u)) continue;
    const bool ends_sum = std::ranges::any_of(u.src(), [&](const UOp& s) {
      return users_.at(s.node()) == 1 && s.shape().numel() == u.shape().numel() && (rounds(s) || sums_end_.contains(s.node()));
    });
    if (ends_sum) sums_end_.insert(u.node());
  }
  for (const UOp& r : roots) if (r.op() != Op::Param) forced_.insert(r.node());
  for (auto u = order.rbegin(); u != order.rend(); ++u) decide(*u);
  fill_wide_borders();
}
Stored Demands::stored() const {
  Stored out;
  for (const auto& [u, group] : home) out.insert(u);
  return out;
}

// Nothing is computed, so nothing is worth storing. What is computed only to be rearranged is stored in the order in which it is wanted,
// and what is computed only to be widened before it is widened.
bool Demands::is_free(const UOp& u) const {
  if (u.op() == Op::Const || u.op() == Op::Iota || u.op() == Op::Variable) return true;
  if (u.op() == Op::Cast && u.src(0).dtype() != DType::bool_ && is_float(u.dtype()) == is_float(u.src(0).dtype()) &&
      size_of(u.dtype()) > size_of(u.src(0).dtype()))
    return true;
  if (!is_movement(u.op()) || u.op() == Op::Pad) return false;
  const UOp* from = &u;
  while (rearranges(*from) && users_.at(from->src(0).node()) == 1) from = &from->src(0);
  return from == &u || from->op() == Op::Param || is_free(*from);
}

void Demands::demand(const UOp& u, Demand d) {
  auto& all = demands_[u];
  const bool known =
      std::any_of(all.begin(), all.end(), [&](const Demand& o) { return o.group == d.group && o.idx == d.idx && o.nest == d.nest; });
  if (!known) all.push_back(std::move(d));
}

void Demands::decide(const UOp& u) {
  if (u.op() == Op::Param) return;  // in memory already
  std::string reason;
  if (u.op() == Op::Detach) surround(u);
  else if (forced_.contains(u.node())) store(u, u.op() == Op::Assign ? "assigned" : u.op() == Op::Contiguous ? "contiguous" : "asked for");
  else if (!is_free(u) && !worth_inlining(u, reason)) store(u, std::move(reason));
  else for (const Demand& d : std::vector<Demand>(std::move(demands_[u]))) inline_into(u, d);
}

bool Demands::worth_inlining(const UOp& u, std::string& reason) {
  std::vector<Demand>& all = demands_[u];
  std::vector<const Demand*> distinct;
  for (const Demand& d : all)
    if (std::none_of(distinct.begin(), distinct.end(), [&](const Demand* o) { return o->group == d.group && o->idx == d.idx; }))
      distinct.push_back(&d);
  const bool tuple = (u.op() == Op::Reduce && components(u.as<ReduceArg>().monoid) > 1) ||
                     (u.op() == Op::Scan && components(u.as<ScanArg>().monoid) > 1);
  if (distinct.empty() || tuple) return true;
  if (const UOp* scan = scan_of(u)) {
    if (std::all_of(all.begin(), all.end(), [&](const Demand& d) { return runs_along(*scan, d) && d.group == all[0].group; })) return true;
    reason = "made in order";
    return false;
  }
  const double size = std::max(1.0, elements(u.shape()));
  if (behind_.at(u) * kRepeated < size) return true;  // what it is made of takes less room: store that instead
  double times = 0;
  for (const Demand* d : distinct) times += d->evaluations();
  const bool reduces = loops(u) || (u.op() == Op::Get && loops(u.src(0)));
  if (reduces) {
    const bool nested =
        std::any_of(distinct.begin(), distinct.end(), [](const Demand* d) { return d->reduces(open_ranges(d->idx)); });
    const bool merges = std::all_of(distinct.begin(), distinct.end(), [](const Demand* d) { return d->summed; });
    if (nested && merges && times <= kMergedSum * size) return true;  // a sum of sums is one sum: nothing is computed twice
    if (nested) {
      reason = "reduced inside another reduction";
      return false;
    }
    if (std::any_of(distinct.begin(), distinct.end(),
                    [&](const Demand* d) { return groups[static_cast<size_t>(d->group)].sequential != 0; })) {
      reason = "reduced in parallel, before what goes on in order";
      return false;
    }
  }
  std::map<int, size_t> kernels;  // and at how many places each wants it
  for (const Demand* d : distinct) ++kernels[d->group];
  if (kernels.size() > 1 && rounds(u)) {
    reason = "summed once, since another order of summing would round differently";
    return false;
  }
  for (const Demand* d : distinct)
    if (groups[static_cast<size_t>(d->group)].inlined > kMostInlined && times * 0.25 <= size) {
      reason = "its kernel is large enough";
      return false;
    }
  const auto [operations, nodes, read] = cost_.at(u);
  for (const auto& [kernel, places] : kernels)
    if (places > 1 && places * nodes > kMostCopied) {
      reason = fmt::format("wanted at {} places, {} nodes each", places, nodes);
      return false;
    }
  if (times <= size) return true;
  // Each kernel streams what is behind the value anew; within one it is still in cache.
  double again = times * operations + static_cast<double>(kernels.size()) * read * kStreamCost;
  const bool stored_below =  // what u is made of, if u is not
      kernels.size() > 1 || std::any_of(distinct.begin(), distinct.end(), [](const Demand* d) { return d->reduces(open_ranges(d->idx)); });
  const bool ends_sum = stored_below && sums_end_.contains(u.node());
  if (ends_sum) again += kLaunchCost + size * kStreamCost;
  const double moved = read + size * (1.0 + static_cast<double>(distinct.size()));
  const double stored = kLaunchCost + size * operations + moved * kStreamCost + times;
  if (again <= stored) return true;
  reason = ends_sum ? "in place of the sum that it is made of"
                    : fmt::format("computed {:.3g} times otherwise, at {:.3g} operations each", times / size, operations);
  return false;
}

bool Demands::reaches(int from, int to) const {
  std::vector<int> stack{from};
  std::vector<bool> seen(groups.size());
  while (!stack.empty()) {
    const int g = stack.back();
    stack.pop_back();
    if (g == to) return true;
    for (int next : groups[static_cast<size_t>(g)].after)
      if (const auto n = static_cast<size_t>(next); !seen[n]) seen[n] = true, stack.push_back(next);
  }
  return false;
}

bool Demands::merge(int a, int b) {
  Group &to = groups[static_cast<size_t>(a)], &from = groups[static_cast<size_t>(b)];
  if (!to.loops_over(from.shape) || to.sequential || from.sequential || to.inlined + from.inlined > kMostInlined || reaches(a, b) ||
      reaches(b, a))
    return false;
  for (const Group* g : {&to, &from}) for (const UOp& u : g->outputs) if (halo.contains(u) || first_store.contains(u)) return false;
  for (const UOp& u : from.outputs) home[u] = a;
  to.outputs.insert(to.outputs.end(), from.outputs.begin(), from.outputs.end());
  to.after.insert(from.after.begin(), from.after.end());
  to.inlined += from.inlined;
  from.outputs.clear();
  for (Group& g : groups) if (g.after.erase(b)) g.after.insert(a);
  return true;
}

// Whether the group can make the scan in its own loops: it wants each result once, in order.
bool Demands::runs_along(const UOp& scan, const Demand& d) const {
  const Group& g = groups[static_cast<size_t>(d.group)];
  const auto axis = static_cast<size_t>(scan.as<ScanArg>().axis);
  const UOp& r = d.idx[axis];
  if (r.op() != Op::Range) return scan.shape()[axis] == Dim(1);  // one element
  if (std::find(g.ranges.begin(), g.ranges.end(), r) == g.ranges.end() || (g.sequential && g.sequential != r.ranges())) return false;
  if (std::any_of(d.nest.begin(), d.nest.end(), [](const UOp& n) { return n.as<RangeArg>().kind == RangeKind::Reduce; })) return false;
  if (std::any_of(g.outputs.begin(), g.outputs.end(), [&](const UOp& u) { return halo.contains(u) || first_store.contains(u); }))
    return false;
  for (size_t a = 0; a < d.idx.size(); ++a) if (a != axis && (d.idx[a].ranges() & r.ranges())) return false;
  for (const UOp& n : g.ranges) if (!(open_ranges(d.idx) & n.ranges())) return false;
  return true;
}

// A group that can store u on the way: one that reads it element for element, over the same loops, or that makes another component of the
// same scan; -1 if there is none.
int Demands::joinable(const UOp& u) const {
  const auto it = demands_.find(u);
  const UOp* const scan = scan_of(u);
  const std::vector<Demand> none, &all = it == demands_.end() ? none : it->second;
  const auto fits = [&](int to) {
    const Group& g = groups[static_cast<size_t>(to)];
    if (!g.loops_over(u.shape()) || g.outputs.empty() || g.inlined > kMostInlined) return false;
    if (std::ranges::any_of(g.outputs, [&](const UOp& o) { return halo.contains(o); })) return false;  // its loops may leave the border out
    const Indices own = g.index_of(u.shape());
    return std::all_of(all.begin(), all.end(), [&](const Demand& o) { return o.group == to ? o.idx == own : !reaches(to, o.group); });
  };
  if (const auto sibling = scan ? runs_in_.find(*scan) : runs_in_.end(); sibling != runs_in_.end() && fits(sibling->second))
    return sibling->second;
  for (const Demand& d : all)
    if (!groups[static_cast<size_t>(d.group)].sequential && fits(d.group) &&
        (!scan || runs_along(*scan, {d.group, groups[static_cast<size_t>(d.group)].index_of(u.shape()), {}, false})))
      return d.group;
  return -1;
}

int Demands::open_group(const Shape& shape) {
  groups.emplace_back().open_loops(shape);
  return static_cast<int>(groups.size()) - 1;
}

void Demands::store(const UOp& u, std::string reason) {
  why[u] = std::move(reason);
  if (u.op() == Op::Scatter) return store_scatter(u);
  if (u.op() == Op::Get && u.src(0).op() == Op::Scatter) return store_before(u);
  if (Halo zeros; wants_halo(u, zeros)) {
    const int g = open_group(zeros.padded(u.shape()));
    home[u] = g;
    for (const Demand& d : demands_[u]) groups[static_cast<size_t>(d.group)].after.insert(g);
    Group& group = groups[static_cast<size_t>(g)];
    group.outputs.push_back(u);
    const Indices idx = zeros.inner(group.index);
    halo[u] = std::move(zeros);
    return inline_into(u, {g, idx, group.ranges, false});
  }
  int g = joinable(u);
  if (g < 0) g = open_group(u.shape());
  home[u] = g;
  for (const Demand& d : demands_[u]) if (d.group != g) groups[static_cast<size_t>(d.group)].after.insert(g);
  Group& group = groups[static_cast<size_t>(g)];
  group.outputs.push_back(u);
  inline_into(u, {g, group.index_of(u.shape()), group.ranges, false});
}

// What a scatter found in its places is stored by the group that writes there.
void Demands::store_before(const UOp& u) {
  const int g = open_group(u.shape());
  home[u] = runs_in_[u.src(0)] = g;
  for (const Demand& d : demands_[u]) groups[static_cast<size_t>(d.group)].after.insert(g);
  groups[static_cast<size_t>(g)].outputs.push_back(u);
  demand(u.src(0), {g, groups[static_cast<size_t>(g)].index, groups[static_cast<size_t>(g)].ranges, false});
}

// base stored first; then, in the order of the indices, each value is put or added in its place. Parallel over the other axes.
void Demands::store_scatter(const UOp& u) {
  const UOp &base = u.src(0), &at = u.src(1), &values = u.src(2);
  const auto axis = static_cast<size_t>(u.as<ScatterArg>().axis), apart = static_cast<size_t>(u.as<ScatterArg>().apart);
  const auto looping = runs_in_.find(u);
  const int g = looping == runs_in_.end() ? open_group(values.shape()) : looping->second;
  home[u] = g;
  if (apart < at.shape().rank() || !(at.shape().numel() == u.shape()[axis])) {  // a permutation leaves nothing of the base
    const int init = open_group(u.shape());
    first_store[u] = init;
    groups[static_cast<size_t>(init)].outputs.push_back(u);
    groups[static_cast<size_t>(g)].after.insert(init);
    demand(base, {init, groups[static_cast<size_t>(init)].index, groups[static_cast<size_t>(init)].ranges, false});
  }
  Group& group = groups[static_cast<size_t>(g)];
  for (const Demand& d : demands_[u]) if (d.group != g) groups[static_cast<size_t>(d.group)].after.insert(g);
  group.outputs.push_back(u);
  const Indices along(group.index.begin() + static_cast<ptrdiff_t>(axis),
                    group.index.begin() + static_cast<ptrdiff_t>(axis + at.shape().rank()));
  group.sequential = open_ranges(Indices(along.begin() + static_cast<ptrdiff_t>(apart), along.end()));
  std::vector<UOp> parallel, ordered;  // those in order go innermost
  for (const UOp& r : group.ranges) (r.ranges() & group.sequential ? ordered : parallel).push_back(r);
  parallel.insert(parallel.end(), ordered.begin(), ordered.end());
  group.ranges = std::move(parallel);
  demand(at, {g, along, group.ranges, false});
  demand(values, {g, group.index, group.ranges, false});
}

// The loop that a scan runs along becomes the innermost of the group.
void Demands::run_in_order(const UOp& scan, const Demand& d) {
  Group& g = groups[static_cast<size_t>(d.group)];
  if (d.idx == g.index) runs_in_[scan] = d.group;
  const UOp& along = d.idx[static_cast<size_t>(scan.as<ScanArg>().axis)];
  g.sequential |= along.ranges();
  if (const auto at = std::find(g.ranges.begin(), g.ranges.end(), along); at != g.ranges.end()) std::rotate(at, at + 1, g.ranges.end());
}

void Demands::inline_into(const UOp& u, const Demand& d) {
  ++groups[static_cast<size_t>(d.group)].inlined;
  switch (u.op()) {
    case Op::Const: case Op::Iota: case Op::Variable: case Op::Param: return;
    case Op::Scan:
      run_in_order(u, d);
      for (const UOp& s : u.src()) demand(s, {d.group, d.idx, groups[static_cast<size_t>(d.group)].ranges, false});
      return;
    case Op::Reduce: case Op::OverlapAdd: {
      const bool overlap = u.op() == Op::OverlapAdd;
      std::vector<UOp> nest = d.needed();
      const std::vector<Dim> extents = overlap ? std::vector<Dim>{overlap_terms(u)} : reduced_extents(u);
      const std::vector<UOp> opened = fresh_ranges(d.idx, extents);
      for (const UOp& r : opened) if (r.op() == Op::Range) nest.push_back(r);
      Indices idx = d.idx;
      if (overlap) {
        UOp& at = idx[static_cast<size_t>(u.as<WindowArg>().axis)];
        const Overlap term = overlap_term(u, at, opened[0]);
        at = term.position;
        idx.push_back(term.element);
      } else {
        size_t next = 0;
        for (size_t a = 0; a < idx.size(); ++a) if (u.as<ReduceArg>().axes >> a & 1) idx[a] = opened[next++];
      }
      demand(u.src(0), {d.group, idx, nest, overlap || (u.op() == Op::Reduce && u.as<ReduceArg>().monoid == Monoid::Sum)});
      return;
    }
    case Op::Gather: {
      const auto axis = static_cast<size_t>(std::get<int64_t>(u.arg()));
      const size_t rank = u.src(1).shape().rank();
      const Indices at(d.idx.begin() + static_cast<ptrdiff_t>(axis), d.idx.begin() + static_cast<ptrdiff_t>(axis + rank));
      Indices idx(d.idx.begin(), d.idx.begin() + static_cast<ptrdiff_t>(axis));
      const UOp bound = u.src(0).shape()[axis].expr();
      idx.push_back(
          UOp::make(Op::Check, {linear(at, u.src(1).shape()), bound}, int64_t{0}));  // stands for the index, depends on the same loops
      idx.insert(idx.end(), d.idx.begin() + static_cast<ptrdiff_t>(axis + rank), d.idx.end());
      demand(u.src(1), {d.group, at, d.nest, false});
      demand(u.src(0), {d.group, idx, d.nest, false});
      return;
    }
    case Op::Stack:
      for (const UOp& s : u.src()) demand(s, {d.group, Indices(d.idx.begin() + 1, d.idx.end()), d.nest, false});
      return;
    case Op::Assign: demand(u.src(1), {d.group, d.idx, d.nest, false}); return;
    case Op::Get:
      if (u.src(0).op() == Op::Scan) run_in_order(u.src(0), d);
      demand(u.src(0), {d.group, d.idx, d.nest, false}); return;
    default:
      for (size_t i = 0; i < u.src().size(); ++i)
        demand(u.src(i), {d.group, source_index(u, i, d.idx), d.nest, d.summed && (is_movement(u.op()))});
  }
}

}  // namespace tg
