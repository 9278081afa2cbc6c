// See lowering.hpp. Results of a sum whose lanes lie far apart where they are stored: they are collected in scratch, block by block, and
// what is made of them is computed and stored by loops of its own, with lanes along the axis that lies side by side.
//
//   stage(p0, i2)     for each round of i2: for x: t[x, c] = sum over k of ..., lanes along c
//                                           for c, x: out[n, c, y, x] = f(t[x, c], ...), lanes along x: tiles of t are transposed
//
// p0 is what is stored. Where it does not fit, the verb changes nothing.
#include <algorithm>
#include <bit>
#include <utility>

#include "codegen/access.hpp"
#include "codegen/bind.hpp"
#include "codegen/lowering.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

constexpr int64_t kOfCache = 16;  // parts of L2: what is asked for while sums of one part are made is still there when they are stored

bool reads_memory(const UOp& index) {
  return std::ranges::any_of(toposort(index), [](const UOp& u) { return u.op() == Op::Load; });
}

}  // namespace

std::optional<Lower::Result> Lower::staged_result() const {
  const auto staged =
      std::ranges::find_if(nest_.staged, [&](const Nest::Staged& s) { return s.at >= 0 && written_.contains(s.param); });
  if (target_.grid || tile_rows_ || staged == nest_.staged.end() || kernel_.sequential || !kernel_.kept.empty()) return {};
  Result out;
  const UOp* store = nullptr;
  for (const UOp& s : kernel_.stores) if (s.src(0).as<ParamArg>().slot == staged->param) store = &s;
  for (const UOp& u : toposort(kernel_.stores)) {
    if (u.op() == Op::Scan || (u.op() == Op::Reduce && out.sum)) return {};
    if (u.op() == Op::Reduce) out.sum = u;
  }
  const auto at = std::ranges::find(order_, staged->at);
  if (!store || !out.sum || !rounds_off(out.sum) || !changing_.empty() || at == order_.end()) return {};
  if (nest_.axes[static_cast<size_t>(*at)].single()) return {};
  out.outside = static_cast<size_t>(at - order_.begin()) + 1;
  int added = 2;
  for (const Split& s : nest_.splits) {
    if (s.reduces()) continue;
    if (s.before) return {};
    bool inside = true;
    for (int i : s.axes) {
      const Axis& a = nest_.axes[static_cast<size_t>(i)];
      if (a.kind == AxisKind::Vector) out.lanes = s.original;
      inside &= within_block(i, out);
      if (within_block(i, out) && (++added, !is_const(a.range.src(0)))) return {};
    }
    if (inside && extent(s.original) > 1 && stride(store->src(1), s.original) == 1) out.along = s.original;
  }
  const bool apart = out.lanes && out.along && !(out.lanes == out.along) && reads(out.sum, out.lanes) && reads(out.sum, out.along);
  return apart && next_id() + added < 64 ? std::optional(out) : std::nullopt;
}

bool Lower::within_block(int axis, const Result& r) const {
  const auto end = order_.begin() + static_cast<ptrdiff_t>(r.outside);
  return std::find(order_.begin(), end, axis) == end;
}

// The loops outside as they are; in a block the sum's lanes become a register tile, as long as the lanes of the stores, and the rest loops.
Nest Lower::nest_of_stores(const Result& r) const {
  Nest out = nest_;
  out.staged.clear();
  out.matrix.clear();
  out.order.resize(r.outside);
  int next = next_id();
  const auto add = [&](Split& s, int64_t n, AxisKind kind, int64_t step) {
    s.axes.push_back(static_cast<int>(out.axes.size()));
    if (kind == AxisKind::Loop) out.order.push_back(s.axes.back());
    out.axes.push_back({"", range(Dim(n), next++, RangeKind::Tile), kind, n, step});
  };
  const int64_t n = extent(r.along);
  int64_t lanes = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(n)));
  for (const Axis& a : nest_.axes) if (a.kind == AxisKind::Vector) lanes = std::min(lanes, a.most);
  for (Split& s : out.splits) {
    if (s.reduces()) continue;
    for (int i : std::exchange(s.axes, {})) {
      if (!within_block(i, r)) { s.axes.push_back(i); continue; }
      if (s.original == r.along) continue;
      const Axis a = nest_.axes[static_cast<size_t>(i)];
      const int64_t tile = a.kind == AxisKind::Vector ? lanes : 1;
      add(s, a.most / tile, AxisKind::Loop, a.step * tile);
      if (tile > 1) add(s, tile, AxisKind::Unroll, a.step);
    }
  }
  Split& along = *std::ranges::find(out.splits, r.along, &Split::original);
  along.exact = true;
  add(along, ceil_div(n, lanes), AxisKind::Loop, lanes);
  const UOp& round = out.axes.back().range;
  if (n % lanes != 0)  // the last lanes overlap those before
    along.before = round * lanes - smaller(round * lanes, index(n - lanes));
  add(along, lanes, AxisKind::Vector, 1);
  return out;
}

// What the stores of a block access beyond L2, at the places that one tile of its sums asks for. When a block is stored there is no
// arithmetic to hide what all its rows wait for; so each tile asks for the rows of a few lanes, and its place along them says of which.
std::vector<UOp> Lower::accesses_ahead(const Result& r, const std::vector<UOp>& stores) {
  const Split& along = nest_.split_of(r.along);
  const int64_t n = extent(r.along);
  Substitution places;
  for (const Split& s : nest_.splits) if (!s.reduces()) places[s.original] = nest_.expression(s);
  UOp vector;
  int64_t lanes = 0;
  for (int i : nest_.split_of(r.lanes).axes)
    if (const Axis& a = nest_.axes[static_cast<size_t>(i)]; a.kind == AxisKind::Vector) vector = a.range, lanes = a.most;
  std::vector<UOp> out;
  for (const UOp& u : toposort(stores)) {
    if ((u.op() != Op::Load && u.op() != Op::Store) || reads_memory(u.src(1))) continue;
    const auto size = static_cast<int64_t>(size_of(u.src(0).dtype())), line = kLine / size;
    const Bounds all = u.src(1).bounds();
    if (stride(u.src(1), r.along) != 1 || !reads(u.src(1), r.lanes) || all.max - all.min < target_.l2_bytes / size) continue;
    for (int64_t first = 0; first < lanes; first += n)
      for (int64_t element = 0; element < n + line - 1; element += line) {
        places[r.along] = index(std::min(element, n - 1));
        const UOp at = substitute(u.src(1), places), lane = floor_mod(nest_.expression(along) + first, lanes);
        out.push_back(load(u.src(0), simplify(substitute(at, {{vector, lane}}))));
      }
  }
  return out;
}

// Makes the sums of a block; what is stored then is lowered as another kernel would be that reads them.
void Lower::collect(const Result& r) {
  const Nest stores = nest_of_stores(r);
  const UOp sum = reduces_[0];
  // where an element is in the block: for the sum's loops, and for those of the stores
  UOp to = index(0), from = index(0);
  int64_t size = 1;
  const auto add = [&](const UOp& range) {
    int64_t most = 1;
    const auto part = [&](const Nest& nest) {
      const Split& split = nest.split_of(range);
      UOp at = index(0);
      int64_t last = 0;
      for (int i : split.axes)
        if (const Axis& a = nest.axes[static_cast<size_t>(i)]; within_block(i, r))
          at = at + a.range * a.step, last += (a.most - 1) * a.step;
      if (!split.before) most = std::max(most, last + 1);
      return split.before ? at - split.before : at;
    };
    to = to + part(nest_) * size;
    from = from + part(stores) * size;
    size *= most;
  };
  add(r.lanes);
  add(r.along);
  for (const UOp& range : kernel_.ranges)
    if (!(range == r.lanes) && !(range == r.along) && reads(r.sum, range)) add(range);
  Panel p{.pointer = block_.shared(sum.dtype(), size), .depth = 0, .axes = {}, .loops = {}, .tile = {}};
  pointers_.push_back(p.pointer);
  to = simplify(to);
  keep_.push_back(to);
  const UOp round = nest_.axes[static_cast<size_t>(order_[r.outside - 1])].range;
  Kernel rest = kernel_;
  const UOp stand_in = param(static_cast<int>(kernel_.params.size()), sum.dtype());
  rest.stores = substitute(kernel_.stores, {{r.sum, stand_in}});
  const bool near = kOfCache * size * static_cast<int64_t>(size_of(sum.dtype())) <= target_.l2_bytes;
  const std::vector<UOp> asked = near ? accesses_ahead(r, rest.stores) : std::vector<UOp>();
  keep_.insert(keep_.end(), asked.begin(), asked.end());

  open_to(r.outside);
  size_t opened = 0;
  for (size_t i = r.outside; i < order_.size(); ++i)
    if (const UOp& loop = nest_.axes[static_cast<size_t>(order_[i])].range; sum.ranges() & bit(loop)) open(loop), ++opened;
  std::vector<const Axis*> tile = output_axes(AxisKind::Unroll);
  std::erase_if(tile, [&](const Axis* a) { return !(sum.ranges() & bit(a->range)); });
  scope_ = {sum};
  for_points(tile, [&] {
    store_staged(p, sum, to, {});
    for (const UOp& u : asked) ask(u, e_.depth(), address(u.src(1), nullptr).base);
  });
  while (opened-- > 0) close({});

  // The stores read an array that is kept for one round of the loop around, and has been filled.
  const std::vector<UOp> bound = bind(rest, stores);
  // Last, so that no choice between a sum and zero becomes a condition for reading it: tiles are transposed only if all is read.
  stores_ = substitute(decompose(simplify(bound), target_), {{stand_in, load(stand_in, simplify(from + round * size))}});
  kept_.push_back({store(stand_in, index(0), stand_in), nullptr, size, simplify(round * size), bit(round)});
  e_.levels.back().memo[key(stand_in, 0)] = 0;
  scope_ = stores_;
  nest_ = stores;
  order_ = nest_.order;
  axis_of_.fill(nullptr);
  for (const Axis& a : nest_.axes) axis_of_[id(a.range)] = &a;
  reduces_.clear();
  matrix_ = nullptr, pair_ = nullptr;
}

}  // namespace tg
