// See lowering.hpp. Staging: copies in scratch of what one round of a loop reads, laid out in the order in which it is read.
//
//   stage(p2, i1)    a panel of b for the columns of this round of i1: its rows one after the other, as wide as the register tile
#include <algorithm>

#include "codegen/access.hpp"
#include "codegen/lowering.hpp"
#include "tg/error.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {

// The number of the first of some ranges that lowering adds.
int Lower::next_id(int added) const {
  const int next = next_id();
  if (next + added > 64) throw ValueError("more than 64 axes: " + nest_.text());
  return next;
}
int Lower::next_id() const {
  int next = 0;
  for (const Axis& a : nest_.axes) next = std::max(next, id(a.range) + 1);
  return next;
}

// Where a load is staged: in a loop that it depends on, unless there is one round of it. A block's threads cannot share out elements
// whose places are data.
const Nest::Staged* Lower::staging(const UOp& u) const {
  const int slot = u.src(0).as<ParamArg>().slot;
  if (written_.contains(slot)) return nullptr;
  const auto is_load = [](const UOp& n) { return n.op() == Op::Load; };
  for (const Nest::Staged& s : nest_.staged) {
    if (s.param != slot) continue;
    if (const Axis* at = s.at < 0 ? nullptr : &nest_.axes[static_cast<size_t>(s.at)];
        at && !at->single() && !(u.ranges() & bit(at->range)))
      continue;
    const auto below = toposort(u);
    if (!target_.grid || std::count_if(below.begin(), below.end(), is_load) == 1) return &s;
  }
  return nullptr;
}

// A loop of one round may be further in than a reduction that it does not matter to.
int Lower::depth_of(const Nest::Staged& s, const UOp& u) const {
  if (s.at < 0) return 0;
  const UOp& r = nest_.axes[static_cast<size_t>(s.at)].range;
  const auto first = std::ranges::find(reopened_, id(r), &std::pair<int, int>::first);
  const int depth = first == reopened_.end() ? depth_of_[id(r)] : first->second;
  return u.ranges() & bit(r) ? depth : std::min(depth, level_);
}

const Lower::Panel& Lower::panel(const UOp& u, const Nest::Staged& s) {
  if (!panels_.contains(u)) {
    const int depth = depth_of(s, u);
    const auto known = depth_of_;  // out there is where rounds were opened first
    for (const auto& [range, first] : reopened_) if (first <= depth) depth_of_[static_cast<size_t>(range)] = first;
    if (target_.grid) fill_together(u, s.at, depth);
    else panels_.emplace(u, fill(u, depth));
    depth_of_ = known;
  }
  return panels_.at(u);
}

int Lower::load_staged(const UOp& u, const Nest::Staged& s, int level) {
  const int depth = depth_of(s, u);
  const Panel& p = panel(u, s);
  const UOp where = p.place();
  keep_.push_back(where);
  const UOp* vector = vector_axis(u.ranges());
  Inst i = make(InstOp::load, u.dtype(), 0, {p.pointer, address(where, vector).base});
  i.lanes = static_cast<uint16_t>((vector ? width(*vector) : 1) * (p.pair ? p.pair->most : 1));
  if (const int mask = p.late ? mask_of(p.late, i.lanes) : -1; mask >= 0) i.src.push_back(mask);
  return e_.push(std::max(depth, level), std::move(i));
}

// The loops further in become the panel's axes: those of the output outermost, then those of reductions, register tile, lanes and
// threads innermost, so that a reduction reads straight through its part.
Lower::Panel Lower::layout(const UOp& u, int depth) {
  Panel p{.pointer = -1, .depth = depth, .axes = {}, .loops = {}, .tile = {}};
  std::vector<const Axis*> loops, closed, threads, lanes;
  for (const Axis& a : nest_.axes) {
    if (!(u.ranges() & bit(a.range) & ~blocks_)) continue;
    const int at = depth_of_[id(a.range)];
    if (&a == pair_) p.pair = &a;
    else if (in_tiles(u) && (&a == tile_rows_ || &a == tile_steps_)) continue;
    else if (a.kind == AxisKind::Unroll) p.tile.push_back(&a);
    else if (a.kind == AxisKind::Thread) threads.insert(threads.begin(), &a);
    else if (a.kind == AxisKind::Vector) lanes.push_back(&a);
    else if (at > depth) loops.push_back(&a);
    else if (at == 0) closed.push_back(&a);
  }
  for (const Axis* a : {tile_rows_, tile_steps_}) if (in_tiles(u) && (u.ranges() & bit(a->range))) p.tile.push_back(a);
  std::ranges::stable_sort(loops, {}, [&](const Axis* a) { return depth_of_[id(a->range)]; });
  loops.insert(loops.end(), closed.begin(), closed.end());
  for (const Axis* a : loops) p.loops.push_back(a->range);
  for (const auto* part : {&loops, &p.tile, &threads, &lanes})
    for (const Axis* a : *part) p.axes.push_back({a->range, a->most, 1});
  if (p.pair) p.axes.push_back({p.pair->range, p.pair->most, 1});
  for (size_t i = p.axes.size(); i-- > 0;) { p.axes[i].stride = p.size; p.size *= p.axes[i].most; }
  p.pointer = block_.shared(u.dtype(), p.size);
  return p;
}

Lower::Panel Lower::fill(const UOp& u, int depth) {
  if (in_tiles(u)) return fill_tiles(u, depth);
  if (const Windows w = windows_of(u, depth); !w.coordinates.empty()) return fill_windows(u, w, depth);
  Panel p = layout(u, depth);
  filling(depth, [&] {
    UOp what = u, to = p.place();
    join_loops(p, what, to);
    const UOp* const turned = across_lanes_of(what, p);
    std::vector<UOp> loops = p.loops;  // as memory lies, unless one of them decides how long another is
    if (std::ranges::all_of(loops, [](const UOp& r) { return is_const(r.src(0)); }))
      std::ranges::stable_sort(loops, std::greater(), [&](const UOp& r) { return std::abs(stride(what.src(1), r)); });
    for (const UOp& r : loops) if (!turned || !(r == *turned)) open(r);
    keep_.insert(keep_.end(), {what, to});
    const UOp done = turned ? fill_turned(p, what, to, *turned) : UOp();
    const bool all_done = turned && done == turned->src(0);
    if (turned && !all_done) open(*turned, {done, turned->src(0), {}});
    if (!all_done)
      for_points(p.tile, [&] {
        const std::vector<const Axis*> pair(p.pair ? 1 : 0, p.pair);
        store_staged(p, what, to, {});
        for_points(pair, [&] { e_.levels[static_cast<size_t>(level_of(what.ranges()))].memo.erase(key(what, 0)); });
      });
    for (size_t i = all_done ? 1 : 0; i < p.loops.size(); ++i) e_.close_loop({});
  });
  return p;
}

// Two loops that memory passes as if they were one, and the panel as well, become one: rows of an image that follow each other.
void Lower::join_loops(Panel& p, UOp& what, UOp& to) const {
  for (size_t i = p.loops.size(); i-- > 1;) {
    const UOp outer = p.loops[i - 1], inner = p.loops[i], index_of = what.src(1);
    const int64_t n = extent(inner), step = stride(index_of, inner);
    const auto told_apart = [&](const UOp& x) { return reads(x, inner) || reads(x, outer); };
    const bool tested = (what.src().size() > 2 && told_apart(what.src(2))) ||
                        std::ranges::any_of(p.loops, [&](const UOp& r) { return told_apart(r.src(0)); });
    if (tested || !is_const(outer.src(0)) || !is_const(inner.src(0)) || step == kIrregular || stride(index_of, outer) != step * n ||
        stride(to, outer) != stride(to, inner) * n)
      continue;
    p.loops[i - 1] = range(Dim(extent(outer) * n), id(inner), RangeKind::Tile);
    p.loops.erase(p.loops.begin() + static_cast<ptrdiff_t>(i));
    const Substitution joined{{outer, index(0)}, {inner, p.loops[i - 1]}};
    what = load(what.src(0), simplify(substitute(index_of, joined)), what.src().size() > 2 ? what.src(2) : UOp());
    to = simplify(substitute(to, joined));
  }
}

// Where lanes lie far apart: a loop of the panel along which elements lie side by side, which whole vectors can be loaded along.
const UOp* Lower::across_lanes_of(const UOp& u, const Panel& p) const {
  const UOp* const vector = vector_axis(u.src(1).ranges());
  if (!vector || p.pair) return nullptr;
  const int64_t apart = stride(u.src(1), *vector);
  if (apart == kIrregular || (apart >= 0 && apart <= 4)) return nullptr;
  for (const UOp& r : p.loops)
    if (stride(u.src(1), r) == 1 && extent(r) >= width(*vector) && !(u.src().size() > 2 && (u.src(2).ranges() & bit(r)))) return &r;
  return nullptr;
}

// As many steps of a loop at once as there are lanes, transposed in registers; says at which step fewer are left. Where it is known how
// many there are none are left: the last lanes overlap those before, and what is copied twice is the same twice.
UOp Lower::fill_turned(const Panel& p, const UOp& u, const UOp& to, const UOp& loop) {
  const int lanes = width(*vector_axis(u.src(1).ranges()));
  const int next = next_id(2);
  const UOp& steps = loop.src(0);
  const bool overlap = is_const(steps) && steps.as<int64_t>() % lanes != 0;
  const UOp rounds = simplify(floor_div(overlap ? steps + (lanes - 1) : steps, index(lanes))),
            round = range(Dim(rounds), next, RangeKind::Tile);
  const UOp first = overlap ? smaller(round * lanes, steps - lanes) : round * lanes;
  const Axis step{"", range(Dim(lanes), next + 1, RangeKind::Tile), AxisKind::Unroll, lanes, 1};
  axis_of_[id(step.range)] = &step;
  depth_of_[id(step.range)] = 0;
  const Substitution at{{loop, first + step.range}};
  const UOp what = substitute(u, at), place = simplify(substitute(to, at));
  keep_.insert(keep_.end(), {round, step.range, what, place});
  open(round);
  std::vector<const Axis*> points = p.tile;
  points.push_back(&step);
  for_points(points, [&] { store_staged(p, what, place, {}); });
  e_.close_loop({});
  axis_of_[id(step.range)] = nullptr;
  return overlap ? steps : simplify(rounds * lanes);
}

void Lower::store_staged(const Panel& p, const UOp& what, const UOp& place, const UOp& inside) {
  const int value = p.pair ? interleaved(what) : emit(what);
  Inst i = make(InstOp::store, what.dtype(), 0, {p.pointer, address(place, vector_axis(place.ranges())).base, value});
  i.lanes = static_cast<uint16_t>(e_.lanes(value));
  if (inside) i.src.push_back(emit(inside));
  e_.push(e_.depth(), std::move(i));
}

// Everything that is staged in this loop for what is being computed, copied by all threads of the block, and then one barrier.
void Lower::fill_together(const UOp& needed, int at, int depth) {
  std::vector<UOp> loads{needed};
  for (const UOp& u : toposort(scope_)) {
    if (u.op() != Op::Load || u == needed || panels_.contains(u)) continue;
    if (const Nest::Staged* s = staging(u); s && s->at == at) loads.push_back(u);
  }
  const int next = next_id(2);
  const int64_t threads = threads_.count();
  const UOp thread = threads > 1 ? range(Dim(threads), next, RangeKind::Tile) : index(0);
  if (threads > 1) bind_at(0, thread, block_.flat());
  for (const UOp& u : loads) {
    const Panel p = layout(u, depth);
    const int64_t rounds = (p.size + threads - 1) / threads;
    const UOp round = rounds > 1 ? range(Dim(rounds), next + 1, RangeKind::Tile) : index(0);
    const BlockCopy copy = plan_copy(u, p.axes, round, thread, threads);
    keep_.insert(keep_.end(), {round, thread, copy.place});
    filling(depth, [&] {
      if (rounds > 1) open(round);
      store_staged(p, copy.value, copy.place, copy.inside);
      if (rounds > 1) e_.close_loop({});
    });
    panels_.emplace(u, p);
  }
  block_.barrier(depth);
}

}  // namespace tg
