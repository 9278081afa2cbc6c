// See lowering.hpp. Loads and stores, and what is kept of rows.
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

constexpr int64_t kFew = 4;      // elements between lanes, or the points of a tile, that still share lines

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
    if (walking_ && k == &kept_[0] && at == k->store.src(1)) {  // it is what the walk keeps there
      const int value = emit(k->store.src(2)), lanes = e_.lanes(value), mask = u.src().size() > 2 ? mask_of(u.src(2), lanes) : -1;
      const int none = e_.broadcast(e_.constant(u.dtype(), 0), lanes);
      return mask < 0 ? value : e_.alu(level, Op::Where, u.dtype(), {mask, value, none});
    }
    if (!row_before_) fill_row(*k);
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
  if (!contiguous && !written_.contains(slot)) {
    const auto [free, inside] = unclamped(at, gate, lanes);
    const Axis* const rows = vector ? crossing(free, address(free, vector), lanes) : nullptr;
    if (rows && !(gate && (gate.ranges() & bit(rows->range))))
      return load_transposed(u, free, inside, *rows, level);
  }
  Inst i = make(contiguous ? InstOp::load : InstOp::gather, u.dtype(), 0, {pointers_[static_cast<size_t>(slot)]});
  i.lanes = static_cast<uint16_t>(step > 1 ? lanes * step : lanes);
  i.src.push_back(contiguous ? a.base : e_.broadcast(offsets(level, a, lanes), lanes));
  if (step > 1) i.src.push_back(every(level, step, lanes, mask));
  else if (mask >= 0) i.src.push_back(mask);
  const int loaded = e_.push(level, std::move(i));
  const int64_t far = level < e_.depth() ? 0 : !lanes_from ? behind_tile(u) : step == 1 ? ahead(u) : 0;
  if (far > 0) ask(u, level, e_.alu(level, Op::Add, DType::index, {a.base, e_.constant(DType::index, far)}));
  return step > 1 ? shuffle(level, loaded, lanes, [&](int k) { return k * step; }) : loaded;
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
  if (const int64_t next = contiguous && i.hint != Hint::non_temporal ? below_tile(s) : 0)
    ask(s, level, e_.alu(level, Op::Add, DType::index, {a.base, e_.constant(DType::index, next)}));
  if (const int sole = block_.sole(); sole >= 0) {
    if (i.src.size() > 3) i.src[3] = e_.alu(level, Op::And, DType::bool_, {sole, i.src[3]});
    else i.src.push_back(e_.broadcast(sole, lanes));
  }
  e_.push(level, std::move(i));
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

// An index without what moves points of a tile of so many (0: of any) that are beyond the range to its last element, and the condition
// that makes it needless.
std::pair<UOp, UOp> Lower::unclamped(const UOp& at, UOp gate, int lanes) const {
  Substitution free;
  for (const Split& s : nest_.splits) {
    const bool tile = std::ranges::any_of(s.axes, [&](int i) {
      const Axis& a = nest_.axes[static_cast<size_t>(i)];
      return a.kind == AxisKind::Unroll && (lanes == 0 || a.most == lanes);
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
    if (asks) ask(u, level, e_.alu(level, Op::Add, DType::index, {from, e_.constant(DType::index, 2 * lanes - 1)}));
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

// The loop each round of which reads from another page of an operand that does not fit L2: the innermost one, or where a panel is filled
// the one around it if that has few rounds; null: there is none. And how many rounds those further in have.
std::pair<const Axis*, int64_t> Lower::pages_apart(const UOp& load) const {
  constexpr int64_t kFewRounds = 8;
  auto bytes = static_cast<double>(size_of(load.dtype()));
  for (const Axis& a : nest_.axes) if (load.ranges() & bit(a.range)) bytes *= static_cast<double>(a.most);
  if (target_.grid || bytes <= static_cast<double>(target_.l2_bytes)) return {};
  int64_t rounds = 1;
  for (int depth = e_.depth(); depth > 0; --depth) {
    const auto loop = std::ranges::find_if(nest_.axes, [&](const Axis& a) {
      return (load.ranges() & bit(a.range)) && a.kind == AxisKind::Loop && depth_of_[id(a.range)] == depth;
    });
    if (loop == nest_.axes.end()) break;
    const int64_t step = stride(load.src(1), loop->range);
    if (step != kIrregular && std::abs(step) * static_cast<int64_t>(size_of(load.dtype())) >= kPage) return {&*loop, rounds};
    rounds *= loop->most;
    if (!filling_ || rounds > kFewRounds) break;
  }
  return {};
}

// How many elements ahead of a load memory is asked for what comes next, some rounds of the innermost loop; 0: not at all. The processor
// does this by itself, but not beyond a page; where a register tile reads several rows pages apart, it follows them all. Where a row is
// passed several times only its first pass waits for memory: another one asks for the next row. That is the one that keeps it, or the
// last, but where that reads other arrays as well the first: lines asked for and lines from L2 are waited for in the same few places.
int64_t Lower::ahead(const UOp& load) const {
  constexpr int64_t kAhead = 4096;  // bytes
  const UOp at = unshifted(load.src(1));
  const auto [far, rounds] = pages_apart(load);
  if (kept(load) || (!far && !streams(load.src(1), load.dtype()))) return 0;
  const auto pages = [&](const Axis& a) {
    const int64_t s = stride(at, a.range);
    return s != kIrregular && std::abs(s) * static_cast<int64_t>(size_of(load.dtype())) >= kPage;
  };
  if (!far && std::ranges::any_of(nest_.axes, [&](const Axis& a) { return a.kind == AxisKind::Unroll && pages(a); })) return 0;
  bool again = false, keeps = false, others = false;
  for (const UOp& u : toposort(far ? std::vector<UOp>() : results())) {
    if (u.op() != Op::Load) continue;
    again |= u.src(0) == load.src(0) && u.ranges() != load.ranges();
    others |= u.src(0) != load.src(0) && !order_.empty() && (u.ranges() & bit(nest_.axes[static_cast<size_t>(order_.back())].range));
  }
  for (const KeptArray& k : kept_) keeps |= reads(k.store, load.src(0));
  const auto step = [&](const Axis& a) {
    const int64_t s = stride(at, a.range);
    return s == kIrregular ? 0 : s;
  };
  const auto asks = [&] {
    if (keeps || pipeline_) return filling_row_;
    if (!others) return level_ == INT_MAX;
    const auto all = toposort(scope_);
    return std::ranges::none_of(all, [](const UOp& u) { return u.op() == Op::Reduce; });
  };
  again |= keeps;
  if (again && !asks()) return 0;
  int64_t bytes = static_cast<int64_t>(size_of(load.dtype()));  // a round
  for (const Axis& a : nest_.axes)
    if (a.kind != AxisKind::Loop && (load.ranges() & bit(a.range))) bytes *= a.most;
  if (far && !again) return step(*far) * ceil_div(kAhead, bytes * rounds);
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

// How many elements behind a number memory is asked for the line where the next tile begins; 0: not at all. For the last of a tile of
// numbers a few elements apart, as of windows along a row: each step of the sum reads them in another row, which the processor does not
// see coming, and arithmetic hides what comes from L2 but not from beyond. There is one such question a step for all that a tile
// multiplies.
int64_t Lower::behind_tile(const UOp& load) const {
  const auto size = static_cast<int64_t>(size_of(load.dtype()));
  const Bounds all = load.src(1).bounds();
  if (target_.grid || all.max - all.min < target_.l2_bytes / size) return 0;
  const UOp at = unclamped(load.src(1), {}, 0).first;
  const bool last = std::ranges::any_of(nest_.axes, [&](const Axis& a) {
    const int64_t step = a.kind == AxisKind::Unroll ? stride(at, a.range) : 0;
    return step > 0 && step <= kFew && point_[id(a.range)] == a.most - 1;
  });
  return last ? kLine / size : 0;
}

// How many elements behind a stored one the tile of the rows below it is stored; 0 where memory is not asked for that. Rows pages apart are
// written to a piece at a time, so the processor foresees none of them, and lines are read before they are written in part.
int64_t Lower::below_tile(const UOp& store) const {
  const auto size = static_cast<int64_t>(size_of(store.src(2).dtype()));
  const Bounds all = store.src(1).bounds();
  if (target_.grid || !reduces_.empty() || kept(store) || all.max - all.min < target_.l2_bytes / size) return 0;
  const UOp at = unclamped(store.src(1), {}, 0).first;
  for (const Axis& a : nest_.axes) {
    const int64_t step = a.kind == AxisKind::Unroll ? stride(at, a.range) : 0;
    if (step != kIrregular && step * size >= kPage) return step * a.most;
  }
  return 0;
}

// Before a tile of products is summed, where the rows begin that the next tile reads straight through: the processor foresees the rest of
// each, but not its first lines. Of rows longer than a page these are too few to matter.
void Lower::ask_for_next_rows(const UOp& sum) {
  constexpr int64_t kAsked = 2, kLeast = 4;  // lines of a row: those that are asked for, and those that it has
  const UOp& innermost = reduce_ranges(sum).back();
  if (target_.grid || tile_rows_) return;
  for (const UOp& u : toposort(sum.src(0))) {
    if (u.op() != Op::Load || staging(u) || kept(u) || vector_axis(u.src(1).ranges())) continue;
    const int64_t line = kLine / static_cast<int64_t>(size_of(u.dtype()));
    UOp at = unclamped(u.src(1), {}, 0).first;
    const auto moves = [&](int i) { return (at.ranges() & bit(nest_.axes[static_cast<size_t>(i)].range)) != 0; };
    const auto next = std::find_if(order_.rbegin(), order_.rend(), moves);
    const int64_t lines = ceil_div(innermost.src(0).bounds().max, line);
    if (stride(at, innermost) != 1 || lines < kLeast || lines > kPage / kLine || next == order_.rend()) continue;
    Substitution there{{nest_.axes[static_cast<size_t>(*next)].range, nest_.axes[static_cast<size_t>(*next)].range + 1}};
    for (const UOp& r : reduce_ranges(sum)) there[r] = index(0);
    at = keep_.emplace_back(simplify(substitute(at, there)));
    for_points(axes_in(unrolled(at.ranges())), [&] {
      for (int64_t n = 0; n < kAsked; ++n)
        ask(u, e_.depth(), e_.alu(e_.depth(), Op::Add, DType::index, {address(at, nullptr).base, e_.constant(DType::index, n * line)}));
    });
  }
}

// Asks memory for the line of an element of what a load or a store accesses.
void Lower::ask(const UOp& access, int level, int at) {
  const UOp& array = access.src(0);
  e_.push(level, make(InstOp::prefetch, array.dtype(), filling_row_, {pointers_[static_cast<size_t>(array.as<ParamArg>().slot)], at}));
}

// ---- lanes a few elements apart: memory is accessed as if they were side by side, with a mask, and shuffled ----

// How many elements apart, if few enough; 1 for side by side, 0 for whatever needs an address for each lane.
int Lower::spread(const Address& a, int lanes) {
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
  if (pipeline_) {  // what is stored begins in tiles of its own
    int64_t stored = 1;
    for (int i : nest_.split_of(kernel_.ranges.back()).axes) stored *= nest_.axes[static_cast<size_t>(i)].most;
    covered = std::max(covered, stored);
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

// A load waits for a store just before it whose address is the same within a page. Arrays begin where pages do, and so do rows of many
// sizes; what is kept of them lies half a page further, so that its stores are like no load that soon follows.
int Lower::place(const KeptArray& k) {
  int64_t& bytes = out_.phase.scratch_bytes;
  bytes = ceil_div(bytes + target_.vector_bytes - kPage / 2, kPage) * kPage + kPage / 2 - target_.vector_bytes;
  return block_.shared(k.store.src(2).dtype(), k.elements);
}

const Lower::KeptArray* Lower::kept(const UOp& access) const {
  const size_t slot = static_cast<size_t>(access.src(0).as<ParamArg>().slot), first = kernel_.params.size();
  if (slot >= first + kept_.size()) throw InternalError("what is handed on to the next row is in no memory: " + nest_.text());
  return slot < first ? nullptr : &kept_[slot - first];
}

// An index in the memory that there is: of one row.
UOp Lower::in_row(const UOp& index, const KeptArray& k) const {
  return simplify(index - (row_before_ ? substitute(k.begin, pipeline_->before) : k.begin));
}
UOp Lower::in_scratch(const UOp& store, const KeptArray& k) {
  std::vector<UOp> src(store.src().begin(), store.src().end());
  src[1] = in_row(src[1], k);
  keep_.push_back(store.with(src));
  return keep_.back();
}

void Lower::fill_row(const KeptArray& k) {
  const int level = level_of(k.outside);
  if (!e_.levels[static_cast<size_t>(level)].memo.try_emplace(key(k.store.src(0), 0), 0).second) return;
  at_level(level, [&] { walk_row(k); });
}

void Lower::walk_row(const KeptArray& k) {
  const UOp row = in_scratch(k.store, k);
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
  for (size_t i = 0; i + 1 < loops.size(); ++i) open(loops[i]);
  for (const Part& p : loops.empty() ? std::vector<Part>(1) : parts(loops.back())) {
    if (!loops.empty()) open(loops.back(), p);
    for_points(tile, [&] { emit_store(row); });
    if (!loops.empty()) close({});
  }
  for (size_t i = 0; i + 1 < loops.size(); ++i) close({});
  scope_ = scope;
  changed_ = changed;
  filling_row_ = outer;
}

}  // namespace tg
