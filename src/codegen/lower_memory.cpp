// See lowering.hpp. Loads and stores, and copies in scratch of what loops read.
#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include "codegen/access.hpp"
#include "codegen/lowering.hpp"

#include "ir/sum.hpp"
#include "tg/error.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

constexpr int64_t kPage = 4096;  // bytes

}  // namespace

// ---- memory ----

Lower::Address Lower::address(const UOp& idx, const UOp* vector) {
  const Sum sum(idx);
  Sum common(DType::index);
  int64_t constant = sum.constant(), step = 0;
  for (const Sum::Term& t : sum.terms()) {
    if (vector && t.atom == *vector) { step = t.coef; continue; }
    if (vector && (t.atom.ranges() & bit(*vector))) return {emit(idx), 0, false};
    if (t.atom.op() == Op::Range && is_kind(id(t.atom), AxisKind::Unroll)) { constant += t.coef * point_[id(t.atom)]; continue; }
    common.add(t.atom, t.coef);
  }
  const UOp base = common.expr();
  const int at = emit(base);
  const int level = level_of(base.ranges());
  return {e_.alu(level, Op::Add, DType::index, {at, e_.constant(DType::index, constant)}), step, true};
}

int Lower::offsets(int level, const Address& a, int lanes) {
  if (!a.affine) return a.base;
  Inst ramp = make(InstOp::ramp, DType::index);
  ramp.lanes = static_cast<uint16_t>(lanes);
  const int steps = e_.alu(0, Op::Mul, DType::index, {e_.push(0, std::move(ramp)), e_.constant(DType::index, a.lane_step)});
  return e_.alu(level, Op::Add, DType::index, {a.base, steps});
}

// A condition for each lane; -1 where it always holds.
int Lower::mask_of(const UOp& gate, int lanes) {
  const int m = emit(gate);
  const Inst& i = e_.insts[static_cast<size_t>(m)];
  return i.op == InstOp::constant && i.value == 1 ? -1 : e_.broadcast(m, lanes);
}

int Lower::emit_load(const UOp& u, int level) {
  UOp at = u.src(1);
  if (const KeptArray* k = kept(u)) {
    fill_row(*k);
    at = in_row(at, *k);
    keep_.push_back(at);
  }
  const int slot = u.src(0).as<ParamArg>().slot;
  if (const Nest::Staged* s = staging(u); s && !filling_ && depth_of(*s, u) <= level) return load_staged(u, *s, level);
  const UOp gate = u.src().size() > 2 ? u.src(2) : UOp();
  const UOp* vector = vector_axis(at.ranges());
  const UOp* gate_vector = gate ? vector_axis(gate.ranges()) : nullptr;
  const UOp* lanes_from = vector ? vector : gate_vector;
  const int lanes = lanes_from ? width(*lanes_from) : 1;
  const Address a = address(at, vector);
  const int mask = gate ? mask_of(gate, lanes) : -1, step = spread(a, lanes);
  const bool contiguous = lanes == 1 || step > 0;
  if (!contiguous && !(written_ >> slot & 1)) {
    const auto [free, inside] = unclamped(at, gate, lanes);
    if (const Axis* rows = crossing(free, address(free, vector), lanes); rows && !(gate && (gate.ranges() & bit(rows->range))))
      return load_transposed(u, free, inside, *rows, level);
  }
  Inst i = make(contiguous ? InstOp::load : InstOp::gather, u.dtype(), 0, {pointers_[static_cast<size_t>(slot)]});
  i.lanes = static_cast<uint16_t>(step > 1 ? lanes * step : lanes);
  i.src.push_back(contiguous ? a.base : e_.broadcast(offsets(level, a, lanes), lanes));
  if (step > 1) i.src.push_back(every(level, step, lanes, mask));
  else if (mask >= 0) i.src.push_back(mask);
  const int loaded = e_.push(level, std::move(i));
  if (const int64_t far = step == 1 && mask < 0 && level == e_.depth() ? ahead(u) : 0)
    e_.push(level, make(InstOp::prefetch, u.dtype(), 0, {pointers_[static_cast<size_t>(slot)],
                        e_.alu(level, Op::Add, DType::index, {a.base, e_.constant(DType::index, far)})}));
  return step > 1 ? shuffle(level, loaded, lanes, [&](int k) { return k * step; }) : loaded;
}

// ---- lanes far apart beside a tile of elements side by side: loaded along the tile, and transposed in registers ----

// A register tile of as many points as there are lanes, along which the elements lie side by side.
const Axis* Lower::crossing(const UOp& idx, const Address& a, int lanes) const {
  if (!a.affine || lanes < 2 || !std::has_single_bit(static_cast<unsigned>(lanes))) return nullptr;
  const Sum sum(idx);
  for (const Sum::Term& t : sum.terms())
    if (t.coef == 1 && t.atom.op() == Op::Range && is_kind(id(t.atom), AxisKind::Unroll) && axis_of_[id(t.atom)]->most == lanes)
      return axis_of_[id(t.atom)];
  return nullptr;
}

// As many vectors as they have lanes. Stage by stage rows i and i + h exchange their lanes of which bit h differs from the row's, as in a
// recursive transpose of halves.
void Lower::transpose(int level, std::vector<int>& x) {
  const auto lanes = static_cast<int>(x.size());
  for (int h = 1; h < lanes; h *= 2)
    for (int i = 0; i < lanes; ++i) {
      if (i & h) continue;
      const int a = x[static_cast<size_t>(i)], b = x[static_cast<size_t>(i | h)];
      x[static_cast<size_t>(i)] = shuffle(level, a, b, lanes, [&](int l) { return l & h ? lanes + (l ^ h) : l; });
      x[static_cast<size_t>(i | h)] = shuffle(level, a, b, lanes, [&](int l) { return l & h ? lanes + l : l ^ h; });
    }
}

// An index without what moves points of a tile of so many that are beyond the range to its last element, and the condition that makes it
// needless.
std::pair<UOp, UOp> Lower::unclamped(const UOp& at, UOp gate, int lanes) const {
  Substitution free;
  for (const Split& s : nest_.splits) {
    const bool tile = std::ranges::any_of(s.axes, [&](int i) {
      const Axis& a = nest_.axes[static_cast<size_t>(i)];
      return a.kind == AxisKind::Unroll && a.most == lanes;
    });
    if (s.exact || !tile) continue;
    const UOp point = nest_.expression(s), inside = nest_.inside(s), clamped = simplify(where(inside, point, nest_.extent_of(s) - 1));
    if (!reads(at, clamped)) continue;
    free[clamped] = point;
    gate = gate ? gate & inside : inside;
  }
  return {free.empty() ? at : simplify(substitute(at, free)), gate};
}

// All points of the tile at once: row l, loaded, holds lane l of each of them. What is masked off is zeros.
int Lower::load_transposed(const UOp& u, const UOp& idx, const UOp& gate, const Axis& rows, int level) {
  int64_t& at = point_[id(rows.range)];
  const int64_t here = std::exchange(at, 0);
  const UOp& vector = *vector_axis(idx.ranges());
  const int lanes = width(vector);
  const Address first = address(idx, &vector);
  const bool asks = level == e_.depth() && streams(idx, u.dtype());
  // the tile as lanes; a panel that is being filled has two more ranges (fill_turned)
  const Axis along{"", gate ? range(Dim(lanes), next_id(3) + 2, RangeKind::Tile) : rows.range, AxisKind::Vector, lanes, 1};
  if (gate) axis_of_[id(along.range)] = &along;
  std::vector<int> x;
  for (int l = 0; l < lanes; ++l) {
    const int from = e_.alu(level, Op::Add, DType::index, {first.base, e_.constant(DType::index, l * first.lane_step)});
    Inst i = make(InstOp::load, u.dtype(), 0, {pointers_[static_cast<size_t>(u.src(0).as<ParamArg>().slot)], from});
    i.lanes = static_cast<uint16_t>(lanes);
    if (gate) {
      const UOp of_row = simplify(substitute(gate, {{vector, index(l)}, {rows.range, along.range}}));
      if (const int mask = mask_of(of_row, lanes); mask >= 0) i.src.push_back(mask);
    }
    x.push_back(e_.push(level, std::move(i)));
    if (asks)
      e_.push(level, make(InstOp::prefetch, u.dtype(), 0, {e_.insts[static_cast<size_t>(x.back())].src[0],
                          e_.alu(level, Op::Add, DType::index, {from, e_.constant(DType::index, 2 * lanes - 1)})}));
  }
  if (gate) axis_of_[id(along.range)] = nullptr;
  transpose(level, x);
  for (at = 0; at < lanes; ++at) e_.levels[static_cast<size_t>(level)].memo[key(u, 0)] = x[static_cast<size_t>(at)];
  at = here;
  return x[static_cast<size_t>(here)];
}

// ---- streams: arrays larger than the caches, passed once ----

// An index as it would be if no tiles were shifted (by less than a vector, another one for each row).
UOp Lower::unshifted(const UOp& at) const {
  Substitution shifts;
  for (const Split& s : nest_.splits) if (s.before) shifts[s.before] = index(0);
  return shifts.empty() ? at : simplify(substitute(at, shifts));
}

// Whether each element of more than the last cache holds is accessed once by what is being computed.
bool Lower::streams(const UOp& at, DType dtype) const {
  if (target_.grid) return false;
  const UOp index = unshifted(at);
  uint64_t around = 0;
  for (const UOp& u : scope_) around |= u.ranges();
  double bytes = static_cast<double>(size_of(dtype));
  for (const Axis& a : nest_.axes) {
    if (index.ranges() & bit(a.range)) bytes *= static_cast<double>(a.most);
    else if (around & bit(a.range) && a.most > 1) return false;
  }
  return bytes > static_cast<double>(target_.l3_bytes);
}

// Whether vectors at this index begin at multiples of their size, if the array does. Modulo the lanes a remainder is what it is of.
bool Lower::aligned(const UOp& index, int lanes) const {
  Sum sum(DType::index);
  const Sum given(index);
  sum.add_constant(given.constant());
  for (const Sum::Term& t : given.terms()) {
    const bool remainder = t.atom.op() == Op::Mod && is_const(t.atom.src(1)) && t.coef * t.atom.src(1).as<int64_t>() % lanes == 0;
    sum.add(remainder ? t.atom.src(0) : t.atom, t.coef);
  }
  bool out = sum.ok() && sum.constant() % lanes == 0;
  for (const Sum::Term& t : sum.terms())
    out &= t.coef % lanes == 0 || (t.coef == 1 && t.atom.op() == Op::Range && is_kind(id(t.atom), AxisKind::Vector));
  return out;
}

// Whether each round of the innermost loop reads from another page of an operand that does not fit L2.
bool Lower::pages_apart(const UOp& load) const {
  if (target_.grid) return false;
  auto bytes = static_cast<double>(size_of(load.dtype()));
  bool far = false;
  for (const Axis& a : nest_.axes) {
    if (!(load.ranges() & bit(a.range))) continue;
    bytes *= static_cast<double>(a.most);
    if (a.kind != AxisKind::Loop || depth_of_[id(a.range)] != e_.depth()) continue;
    const int64_t step = stride(load.src(1), a.range);
    far |= step != kIrregular && std::abs(step) * static_cast<int64_t>(size_of(load.dtype())) >= kPage;
  }
  return far && bytes > static_cast<double>(target_.l2_bytes);
}

// How many elements ahead of a load memory is asked for what comes next, some rounds of the innermost loop; 0: not at all. The processor
// does this by itself, but not beyond a page; where a register tile reads several rows pages apart, it follows them all. Where a row is
// passed several times only its first pass waits for memory: another one asks for the next row. That is the one that keeps it, or the
// last, but where that reads other arrays as well the first: lines asked for and lines from L2 are waited for in the same few places.
int64_t Lower::ahead(const UOp& load) const {
  constexpr int64_t kAhead = 4096;  // bytes
  const UOp at = unshifted(load.src(1));
  const bool far = pages_apart(load);
  if (kept(load) || (!far && !streams(load.src(1), load.dtype()))) return 0;
  const auto pages = [&](const Axis& a) {
    const int64_t s = stride(at, a.range);
    return s != kIrregular && std::abs(s) * static_cast<int64_t>(size_of(load.dtype())) >= kPage;
  };
  if (!far && std::ranges::any_of(nest_.axes, [&](const Axis& a) { return a.kind == AxisKind::Unroll && pages(a); })) return 0;
  bool again = false, keeps = false, others = false;
  for (const UOp& u : toposort(far ? std::vector<UOp>() : stores_)) {
    if (u.op() != Op::Load) continue;
    again |= u.src(0) == load.src(0) && u.ranges() != load.ranges();
    others |= u.src(0) != load.src(0) && !order_.empty() && (u.ranges() & bit(nest_.axes[static_cast<size_t>(order_.back())].range));
  }
  for (const KeptArray& k : kept_) keeps |= reads(k.store, load);
  const auto step = [&](const Axis& a) {
    const int64_t s = stride(at, a.range);
    return s == kIrregular ? 0 : s;
  };
  const auto asks = [&] {
    if (keeps) return filling_row_;
    if (!others) return level_ == INT_MAX;
    const auto all = toposort(scope_);
    return std::ranges::none_of(all, [](const UOp& u) { return u.op() == Op::Reduce; });
  };
  again |= keeps;
  if (again && !asks()) return 0;
  int64_t bytes = static_cast<int64_t>(size_of(load.dtype()));  // a round
  for (const Axis& a : nest_.axes)
    if (a.kind != AxisKind::Loop && (load.ranges() & bit(a.range))) bytes *= a.most;
  for (const Axis& a : nest_.axes)
    if (!again && a.kind == AxisKind::Loop && depth_of_[id(a.range)] == e_.depth() && (load.ranges() & bit(a.range)))
      return step(a) * ceil_div(kAhead, bytes);
  const auto of_row = [&](const Axis& a) {
    return std::all_of(reduces_.begin(), reduces_.end(), [&](const UOp& r) { return (r.ranges() & bit(a.range)) != 0; });
  };
  for (size_t i = order_.size(); again && i-- > 0;)
    if (const Axis& a = nest_.axes[static_cast<size_t>(order_[i])]; of_row(a)) return step(a);
  return 0;
}

// ---- lanes a few elements apart: memory is accessed as if they were side by side, with a mask, and shuffled ----

// How many elements apart, if few enough; 1 for side by side, 0 for whatever needs an address for each lane.
int Lower::spread(const Address& a, int lanes) {
  constexpr int64_t kFew = 4;
  return lanes > 1 && a.affine && a.lane_step >= 1 && a.lane_step <= kFew ? static_cast<int>(a.lane_step) : 0;
}

// True in every step-th of lanes * step lanes, where its mask (-1: none) is.
int Lower::every(int level, int step, int lanes, int mask) {
  Inst ramp = make(InstOp::ramp, DType::index);
  ramp.lanes = static_cast<uint16_t>(lanes * step);
  const int at = e_.push(0, std::move(ramp)), n = e_.constant(DType::index, step);
  const int in = e_.alu(0, Op::Less, DType::bool_, {e_.alu(0, Op::Mod, DType::index, {at, n}, true), e_.constant(DType::index, 1)});
  return mask < 0 ? in : e_.alu(level, Op::And, DType::bool_, {in, shuffle(level, mask, lanes * step, [&](int k) { return k / step; })});
}

// ---- staging: a copy in scratch of what one round of a loop reads, laid out in the order in which it is read ----

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
  if (written_ >> slot & 1) return nullptr;
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

int Lower::load_staged(const UOp& u, const Nest::Staged& s, int level) {
  const int depth = depth_of(s, u);
  if (!panels_.contains(u)) {
    const auto known = depth_of_;  // out there is where rounds were opened first
    for (const auto& [range, first] : reopened_) if (first <= depth) depth_of_[static_cast<size_t>(range)] = first;
    if (target_.grid) fill_together(u, s.at, depth);
    else panels_.emplace(u, fill(u, depth));
    depth_of_ = known;
  }
  const Panel& p = panels_.at(u);
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
    else if (a.kind == AxisKind::Unroll) p.tile.push_back(&a);
    else if (a.kind == AxisKind::Thread) threads.insert(threads.begin(), &a);
    else if (a.kind == AxisKind::Vector) lanes.push_back(&a);
    else if (at > depth) loops.push_back(&a);
    else if (at == 0) closed.push_back(&a);
  }
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
  if (const Windows w = windows_of(u, depth); !w.coordinates.empty()) return fill_windows(u, w, depth);
  Panel p = layout(u, depth);
  filling(depth, [&] {
    const UOp* const turned = across_lanes_of(u, p);
    for (const UOp& r : p.loops) if (!turned || !(r == *turned)) open(r);
    const UOp to = p.place();
    keep_.push_back(to);
    const UOp done = turned ? fill_turned(p, u, to, *turned) : UOp();
    const bool all_done = turned && done == turned->src(0);
    if (turned && !all_done) open(*turned, {done, turned->src(0), {}});
    if (!all_done)
      for_points(p.tile, [&] {
        const std::vector<const Axis*> pair(p.pair ? 1 : 0, p.pair);
        store_staged(p, u, to, {});
        for_points(pair, [&] { e_.levels[static_cast<size_t>(level_of(u.ranges()))].memo.erase(key(u, 0)); });
      });
    for (size_t i = all_done ? 1 : 0; i < p.loops.size(); ++i) e_.close_loop({});
  });
  return p;
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

void Lower::emit_store(const UOp& s) {
  changed_.clear();
  const UOp* vector = vector_axis(s.src(1).ranges());
  const int lanes = vector ? width(*vector) : 1, level = e_.depth();
  const Address a = address(s.src(1), vector);
  const int step = spread(a, lanes);
  const bool contiguous = lanes == 1 || step > 0;
  const int value = e_.broadcast(emit(s.src(2)), lanes);
  Inst i = make(contiguous ? InstOp::store : InstOp::scatter, s.src(2).dtype(), 0,
                {pointers_[static_cast<size_t>(s.src(0).as<ParamArg>().slot)]});
  i.lanes = static_cast<uint16_t>(step > 1 ? lanes * step : lanes);
  i.src.push_back(contiguous ? a.base : e_.broadcast(offsets(level, a, lanes), lanes));
  i.src.push_back(step > 1 ? shuffle(level, value, lanes * step, [&](int k) { return k / step; }) : value);
  int mask = -1;
  if (s.src().size() > 3) {
    const Inst& gate = e_.insts[static_cast<size_t>(emit(s.src(3)))];
    if (gate.op == InstOp::constant && gate.value == 0) return;
    mask = mask_of(s.src(3), lanes);
  }
  if (step > 1) mask = every(level, step, lanes, mask);
  if (mask >= 0) i.src.push_back(mask);
  else if (!kept(s) && step == 1 && lanes * static_cast<int>(size_of(i.dtype)) == target_.vector_bytes && streams(s.src(1), i.dtype) &&
           aligned(s.src(1), lanes))
    i.hint = Hint::non_temporal;
  if (const int sole = block_.sole(); sole >= 0) {
    if (i.src.size() > 3) i.src[3] = e_.alu(level, Op::And, DType::bool_, {sole, i.src[3]});
    else i.src.push_back(e_.broadcast(sole, lanes));
  }
  e_.push(level, std::move(i));
}

// ---- arrays in scratch of what several walks over a row need: of one round of the loops outside ----

// What masked lanes reach beyond the row is there too: outside of all memory they take hundreds of cycles. That is what the tiles cover
// and a vector before and after it.
void Lower::add_kept(const Kept& k, const UOp& bound) {
  const int64_t room = target_.vector_bytes / static_cast<int64_t>(size_of(bound.src(2).dtype()));
  int64_t covered = 1;
  KeptArray out{bound, &nest_.split_of(k.range), 0, {}, 0};
  Substitution first;
  for (int i : out.row->axes) {
    const Axis& a = nest_.axes[static_cast<size_t>(i)];
    first[a.range] = index(0);
    covered *= a.most;
  }
  out.elements = room + covered + room;
  out.begin = simplify(substitute(bound.src(1), first) - room);
  if (target_.grid) throw ValueError(fmt::format("keep({}): this target's threads share no row", to_string(k.range)));
  for (const Axis& a : nest_.axes) {
    const auto at = std::find(out.row->axes.begin(), out.row->axes.end(), static_cast<int>(&a - nest_.axes.data()));
    if (at != out.row->axes.end() || !(bound.src(2).ranges() & bit(a.range))) continue;
    if (a.kind != AxisKind::Loop) throw ValueError(fmt::format("keep({}): {} is not a loop", to_string(k.range), a.name));
    out.outside |= bit(a.range);
  }
  kept_.push_back(std::move(out));
}

const Lower::KeptArray* Lower::kept(const UOp& access) const {
  const size_t slot = static_cast<size_t>(access.src(0).as<ParamArg>().slot), first = kernel_.params.size();
  return slot < first ? nullptr : &kept_[slot - first];
}

// An index in the memory that there is: of one row.
UOp Lower::in_row(const UOp& index, const KeptArray& k) { return simplify(index - k.begin); }

void Lower::fill_row(const KeptArray& k) {
  const int level = level_of(k.outside);
  if (!e_.levels[static_cast<size_t>(level)].memo.try_emplace(key(k.store.src(0), 0), 0).second) return;
  std::vector<UOp> src(k.store.src().begin(), k.store.src().end());
  src[1] = in_row(src[1], k);
  const UOp row = k.store.with(src);
  keep_.push_back(row);
  const auto scope = std::exchange(scope_, {row});
  const auto changed = changed_;
  const bool outer = std::exchange(filling_row_, true);
  std::vector<UOp> loops;
  std::vector<const Axis*> tile;
  for (int i : k.row->axes) {
    const Axis& a = nest_.axes[static_cast<size_t>(i)];
    if (a.kind == AxisKind::Loop) loops.push_back(a.range);
    if (a.kind == AxisKind::Unroll) tile.push_back(&a);
  }
  at_level(level, [&] {
    for (size_t i = 0; i + 1 < loops.size(); ++i) open(loops[i]);
    for (const Part& p : loops.empty() ? std::vector<Part>(1) : parts(loops.back())) {
      if (!loops.empty()) open(loops.back(), p);
      for_points(tile, [&] { emit_store(row); });
      if (!loops.empty()) close({});
    }
    for (size_t i = 0; i + 1 < loops.size(); ++i) close({});
  });
  scope_ = scope;
  changed_ = changed;
  filling_row_ = outer;
}

}  // namespace tg
