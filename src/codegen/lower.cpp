// See lower.hpp. Arguments, loops and expressions; run() is the whole story.
#include <algorithm>

#include <fmt/format.h>

#include "codegen/access.hpp"
#include "codegen/bind.hpp"
#include "codegen/lowering.hpp"
#include "tg/error.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

constexpr int64_t kEnoughBlocks = 64;    // the outermost loops become the grid until there are so many blocks
constexpr double kTinyWork = 30e3;       // operations that are not worth waking another core for

UOp least(const UOp& a, const UOp& b) { return where(less(a, b), a, b); }

}  // namespace

LoweredPhase Lower::run() {
  for (const Axis& a : nest_.axes) axis_of_[id(a.range)] = &a;
  const std::vector<UOp> roots = decompose(shifted(bind(kernel_, nest_, has_tiles())), target_);
  stores_.assign(roots.begin(), roots.begin() + static_cast<ptrdiff_t>(kernel_.stores.size()));
  for (const UOp& s : stores_) written_.insert(s.src(0).as<ParamArg>().slot);
  threads_ = Threads(nest_, stores_, target_);
  scope_ = stores_;
  const size_t arrays = pipeline_ ? pipeline_->kept : kernel_.kept.size();
  for (size_t i = 0; i < arrays; ++i) add_kept(kernel_.kept[i], roots[stores_.size() + i]);
  if (pipeline_) add_pipeline(std::span(roots).subspan(stores_.size() + arrays));
  for (const UOp& u : toposort(roots)) {
    if (u.op() == Op::Reduce) add_reduce(u);
    if (u.op() == Op::Scan) place_scan(u);
    const bool load = u.op() == Op::Load && written_.contains(u.src(0).as<ParamArg>().slot);
    if (load || std::ranges::any_of(u.src(), [&](const UOp& s) { return changing_.contains(s.node()); })) changing_.insert(u.node());
  }
  if (!nest_.matrix.empty()) choose_matrix();
  buffers_and_scalars();
  open_grid();
  if (pipeline_) {
    emit_pipeline();
    return finish();
  }
  std::vector<Part> rounds;
  if (const auto r = staged_result()) collect(*r);
  if (!order_.empty()) open_to(order_.size() - 1);
  const std::vector<Edge> beyond = edges();
  const auto stores = [&] {
    for_edges(beyond, [&] { emit_tile(); });
  };
  if (!order_.empty()) {
    const UOp& last = nest_.axes[static_cast<size_t>(order_.back())].range;
    rounds = beyond.empty() && worth_parting(last) ? parts(last) : std::vector{all(last)};
    const Part end = rounds.back();
    if (grid_axes_ == order_.size()) {  // its counter is known: one round, of one of the parts
      if (rounds.size() == 1) rounds.clear();
      for (Part& p : rounds) {
        p.begin = is_const(p.begin, 0) ? last : where(less(last, p.begin), p.begin, last);
        p.end = &p == &rounds.back() ? last + 1 : least(last + 1, p.end);
      }
    }
    for_parts(last, rounds, end, stores);
  }
  if (rounds.empty()) stores();
  return finish();
}

LoweredPhase Lower::finish() {
  while (e_.depth() > 0) close(std::exchange(carried_, {}));
  if (target_.grid && out_.phase.scratch_bytes > target_.shared_bytes)
    throw ValueError(fmt::format("{} bytes of shared memory for a block of {}: this target has {}; stage less", out_.phase.scratch_bytes,
                                 kernel_.name(), target_.shared_bytes));
  out_.phase.insts = e_.finish();
  return std::move(out_);
}

void Lower::add_reduce(const UOp& r) {
  int lanes = vector_axis(r.ranges()) != nullptr;
  bool own = false;
  for (const UOp& x : reduce_ranges(r)) if (is_kind(id(x), AxisKind::Vector)) { own = true; ++lanes; }
  if (own && lanes > 1) throw ValueError("a reduction over lanes cannot be computed for lanes of another axis: " + nest_.text());
  reduces_.push_back(r);
}

Inst Lower::make(InstOp op, DType dtype, int64_t value, std::vector<int32_t> src) {
  Inst i(op);
  i.dtype = dtype;
  i.value = value;
  i.src = std::move(src);
  return i;
}

// ---- arguments ----

void Lower::buffers_and_scalars() {
  Phase& p = out_.phase;
  p.entry = fmt::format("{}_{}", kernel_.name(), hex(kernel_.hash()).substr(0, 8));
  for (const UOp& b : kernel_.params) {
    const int slot = b.as<ParamArg>().slot;
    p.buffers.push_back(b.dtype());
    p.written.push_back(written_.contains(slot));
    pointers_.push_back(e_.push(0, make(InstOp::buffer, b.dtype(), slot)));
  }
  for (const KeptArray& k : kept_) pointers_.push_back(place(k));
  p.scalars = static_cast<int>(kernel_.variables.size());
  for (int i = 0; i < p.scalars; ++i) {
    const UOp& v = kernel_.variables[static_cast<size_t>(i)];
    const int raw = e_.push(0, make(InstOp::scalar, is_float(v.dtype()) ? DType::float64 : DType::index, i));
    variables_[v] = e_.cast(0, raw, v.dtype());
  }
}

// ---- loops ----

std::vector<const Axis*> Lower::output_axes(AxisKind kind) const {
  std::vector<const Axis*> out;
  for (const Split& s : nest_.splits)
    if (!s.reduces())
      for (int a : s.axes) if (nest_.axes[static_cast<size_t>(a)].kind == kind) out.push_back(&nest_.axes[static_cast<size_t>(a)]);
  return out;
}

bool Lower::sequential(const Axis& a) const {
  for (const Split& s : nest_.splits)
    for (int i : s.axes) if (&nest_.axes[static_cast<size_t>(i)] == &a) return (kernel_.sequential & s.original.ranges()) && !s.reduces();
  return false;
}

bool Lower::staged_at(int axis) const {
  return std::any_of(nest_.staged.begin(), nest_.staged.end(), [&](const Nest::Staged& s) { return s.at == axis; });
}

// What a round makes in the end: what is stored, and what the next round takes of it.
std::vector<UOp> Lower::results() const {
  std::vector<UOp> out = stores_;
  out.insert(out.end(), handed_on_.begin(), handed_on_.end());
  return out;
}

double Lower::work() const {
  double per_point = 0, points = 1;
  for (const UOp& u : toposort(results())) {
    double n = 1;
    if (u.op() == Op::Reduce) for (const UOp& r : reduce_ranges(u)) n *= static_cast<double>(r.src(0).bounds().max);
    per_point += n;
  }
  for (const UOp& r : kernel_.ranges) points *= static_cast<double>(r.src(0).bounds().max);
  return per_point * points;
}

void Lower::open_grid() {
  if (!kernel_.alone && (target_.grid || work() > kTinyWork)) choose_grid(target_.grid ? INT64_MAX : kEnoughBlocks);
  if (target_.grid) {
    bind_blocks_and_threads();
  } else {
    for (size_t i = 0; i < grid_axes_; ++i) out_.grid[0] = out_.grid[0] * Dim(grid_axis(i).src(0));
    const int first = e_.push(0, make(InstOp::first_chunk, DType::index)), last = e_.push(0, make(InstOp::last_chunk, DType::index));
    bind_grid(e_.open_loop(first, last));
  }
  open_loops_ = grid_axes_;
}

// The outermost loops of the output, up to so many.
void Lower::open_to(size_t loops) {
  for (; open_loops_ < loops; ++open_loops_) open(nest_.axes[static_cast<size_t>(order_[open_loops_])].range);
}

// A grid has three directions; axes go to them as they are where they fit, the innermost to the first, and flattened into it otherwise.
void Lower::bind_blocks_and_threads() {
  constexpr int64_t kMostBlocks = 65535;  // in the second and third direction
  bool fits = grid_axes_ <= 3;
  for (size_t i = 0; i + 1 < grid_axes_; ++i) fits &= grid_axis(i).src(0).bounds().max <= kMostBlocks;
  for (size_t i = 0; i < grid_axes_; ++i) {
    const size_t to = fits ? grid_axes_ - 1 - i : 0;
    out_.grid[to] = out_.grid[to] * Dim(grid_axis(i).src(0));
    std::string& names = out_.grid_axes[to];
    names += (names.empty() ? "" : " ") + nest_.axes[static_cast<size_t>(order_[i])].name;
    blocks_ |= bit(grid_axis(i));
    if (fits) bind_range(grid_axis(i), e_.push(0, make(InstOp::block, DType::index, static_cast<int64_t>(to))));
  }
  if (fits) out_.phase.grid_axes = std::max(1, static_cast<int>(grid_axes_));
  else bind_grid(e_.push(0, make(InstOp::block, DType::index)));
  for (int n = 0; n < 3; ++n) out_.phase.block[n] = threads_.extent(n);
  for (const Axis& a : nest_.axes) if (a.kind == AxisKind::Thread) bind_range(a.range, block_.thread(threads_.number(id(a.range))));
}

// The flat number of a block, back into one counter a grid axis.
void Lower::bind_grid(int rest, const Substitution& in_place) {
  const int level = e_.depth();
  for (size_t i = grid_axes_; i-- > 0;) {
    const int n = emit(grid_axis(i).src(0));
    const auto other = in_place.find(grid_axis(i));
    bind_range(other == in_place.end() ? grid_axis(i) : other->second,
               i == 0 ? rest : e_.alu(level, Op::Mod, DType::index, {rest, n}, true));
    if (i > 0) rest = e_.alu(level, Op::IDiv, DType::index, {rest, n}, true);
  }
}

Lower::Part Lower::all(const UOp& r) { return {index(0), r.src(0), {}}; }
void Lower::open(const UOp& r) { open(r, all(r)); }
void Lower::open(const UOp& r, const Part& part) {
  const int begin = emit(part.begin), end = emit(part.end);
  bind_range(r, e_.open_loop(begin, end));
  for (const UOp& c : part.holds) holds_.push_back({c, e_.depth()});
}

// Loops over parts of a range's rounds; end: the last of them as it is where all rounds are in the loop.
void Lower::for_parts(const UOp& r, std::span<const Part> rounds, const Part& end, const std::function<void()>& body) {
  for (const Part& p : rounds) {
    const int known = depth_of_[id(r)];
    open(r, p);
    if (&p == &rounds.back()) leave_out(r, end);
    body();
    close(std::exchange(carried_, {}));
    depth_of_[id(r)] = known;
  }
}

// The rounds of a loop whose tile is wholly inside the range that was tiled, and the rest; all together where that would win nothing.
std::vector<Lower::Part> Lower::parts(const UOp& r) const {
  if (tile_rows_) return {all(r)};
  for (const Split& s : nest_.splits) {
    const auto own = [&](int a) { return nest_.axes[static_cast<size_t>(a)].range == r; };
    if (target_.grid || s.exact || std::none_of(s.axes.begin(), s.axes.end(), own)) continue;
    UOp nearest = s.before ? simplify(index(0) - s.before) : index(0), furthest = nearest;  // of what the round that is 0 reaches
    int64_t step = 0;
    bool lanes = false;
    for (int i : s.axes) {
      const Axis& a = nest_.axes[static_cast<size_t>(i)];
      lanes |= a.kind == AxisKind::Vector || &a == pair_;
      if (own(i)) step = a.step;
      else furthest = furthest + (a.kind == AxisKind::Loop ? a.range : index(a.most - 1)) * a.step;
      if (!own(i) && a.kind == AxisKind::Loop) nearest = nearest + a.range * a.step;
    }
    if (!lanes) return {all(r)};
    const UOp extent = nest_.extent_of(s), room = extent - 1 - furthest, whole = floor_div(room, index(step)) + 1;
    UOp end = simplify(where(less(whole, 0), index(0), least(whole, r.src(0))));
    if (end.bounds().max <= 0) return {all(r)};
    std::vector<Part> out;
    UOp begin = index(0);
    if (s.before) {
      begin = simplify(where(less(nearest, 0), least(floor_div(index(step - 1) - nearest, index(step)), r.src(0)), index(0)));
      end = simplify(where(less(end, begin), begin, end));
      out.push_back({index(0), begin, {}});
    }
    out.push_back({begin, end, conjunction(nest_.inside(s))});
    out.push_back({end, r.src(0), {}});
    return out;
  }
  return {all(r)};
}

// In a last round of its own: points of the register tile beyond the end of the range that was tiled.
void Lower::leave_out(const UOp& r, const Part& part) {
  if (!part.holds.empty() || !is_const(part.begin) || !is_const(part.end) || part.end.as<int64_t>() != part.begin.as<int64_t>() + 1) return;
  for (const Split& s : nest_.splits) {
    const Axis *outer = nullptr, *tile = nullptr;
    bool alone = is_const(s.original.src(0));
    for (int i : s.axes) {
      const Axis& a = nest_.axes[static_cast<size_t>(i)];
      if (a.range == r) outer = &a;
      else if (a.kind == AxisKind::Unroll) alone &= !std::exchange(tile, &a);
      else alone &= a.kind == AxisKind::Vector || a.single();
    }
    if (!outer || !tile || !alone) continue;
    const int64_t before = s.before ? s.before.bounds().max : 0;
    const int64_t left = before + s.original.src(0).as<int64_t>() - part.begin.as<int64_t>() * outer->step;
    inside_[id(tile->range)] = std::min(tile->most, ceil_div(left, tile->step));
  }
}

// Whether making rounds of this loop twice is worth the code: not where a reduction inside reads packed operands, which have no masks, or
// where a scan carries something from round to round.
bool Lower::worth_parting(const UOp& r) const {
  for (const UOp& u : toposort(stores_)) if (u.op() == Op::Scan) return false;
  return nest_.staged.empty() ||
         std::none_of(reduces_.begin(), reduces_.end(), [&](const UOp& u) { return (u.ranges() & bit(r)) != 0; });
}

// Closes the innermost loop. What its rounds staged is dropped, when all threads have read it.
void Lower::close(const std::vector<int>& next) {
  const auto inside = [&](const auto& panel) { return panel.second.depth >= e_.depth(); };
  if (target_.grid && std::any_of(panels_.begin(), panels_.end(), inside)) block_.barrier(e_.depth());
  std::erase_if(panels_, inside);
  std::erase_if(holds_, [&](const Hold& h) { return h.depth >= e_.depth(); });
  e_.close_loop(next);
}

void Lower::bind_at(int level, const UOp& r, int inst) {
  depth_of_[id(r)] = level;
  e_.levels[static_cast<size_t>(level)].memo[key(r, 0)] = inst;
}

// The outermost parallel loops, flattened into one count of blocks, until there are enough to share out.
void Lower::choose_grid(int64_t enough) {
  int64_t blocks = 1;
  for (; grid_axes_ < order_.size() && blocks < enough; ++grid_axes_) {
    const Axis& a = nest_.axes[static_cast<size_t>(order_[grid_axes_])];
    if (sequential(a) || a.range.src(0).ranges() != 0) break;
    if (grid_axes_ > 0 && staged_at(order_[grid_axes_ - 1])) break;  // what is staged serves all loops further in
    if (recomputes(a)) break;
    blocks *= std::max<int64_t>(1, a.range.src(0).bounds().max);
  }
}

// Whether blocks along an axis would each make a reduction that is the same for all of them. What depends on no axis of the grid a CPU
// makes once for all blocks of a call.
bool Lower::recomputes(const Axis& a) const {
  uint64_t chosen = 0;
  for (size_t i = 0; i < grid_axes_; ++i) chosen |= bit(grid_axis(i));
  return std::any_of(reduces_.begin(), reduces_.end(), [&](const UOp& r) {
    return !(r.ranges() & bit(a.range)) && (target_.grid || (r.ranges() & chosen));
  });
}

// ---- expressions ----

// Where an expression that depends on these ranges can be emitted at the earliest.
int Lower::level_of(uint64_t ranges) const {
  int level = 0;
  for (; ranges; ranges &= ranges - 1) level = std::max(level, depth_of_[__builtin_ctzll(ranges)]);
  return level;
}

// The same, where part of it is a condition that holds in an open loop alone: there it is true, and what follows from that stays there.
int Lower::level_under_conditions(const UOp& u) {
  int level = level_of(u.ranges());
  for (const Hold& h : holds_) {
    if (h.depth <= level || (h.condition.ranges() & ~u.ranges()) || !holds(h)) continue;
    const auto [it, fresh] = contains_.try_emplace({u.node(), h.condition.node()}, false);
    if (fresh) it->second = contains(u, h.condition);
    if (it->second) level = h.depth;
  }
  return level;
}

bool Lower::is_kind(int range_id, AxisKind kind) const { return axis_of_[range_id] && axis_of_[range_id]->kind == kind; }

// The coordinates in the register tile that an expression depends on, as one number.
uint64_t Lower::point(uint64_t ranges) const {
  uint64_t at = 0;
  for (; ranges; ranges &= ranges - 1) {
    const int i = __builtin_ctzll(ranges);
    if (is_kind(i, AxisKind::Unroll)) at = at * 4099 + static_cast<uint64_t>(point_[i]) + 1;
  }
  return at;
}

uint64_t Lower::key(const UOp& u, size_t component) const {
  const uint64_t at = point(u.ranges()) * 2 + narrow(u.ranges());
  return (reinterpret_cast<uintptr_t>(u.node()) ^ at * 0x9E3779B97F4A7C15ull) * 8 + component;
}

const UOp* Lower::vector_axis(uint64_t ranges) const {
  for (; ranges; ranges &= ranges - 1)
    if (const int i = __builtin_ctzll(ranges); is_kind(i, AxisKind::Vector)) return &axis_of_[i]->range;
  return nullptr;
}

int Lower::emit(const UOp& u, size_t component) {
  keep_.push_back(u);  // its address is a key
  for (const Hold& h : holds_) if (u == h.condition && holds(h)) return e_.constant(DType::bool_, 1);
  const uint64_t k = key(u, component);
  if (changing_.contains(u.node())) {  // computed anew for every store, in every round, whatever it depends on
    if (auto it = changed_.find(k); it != changed_.end()) return it->second;
    const int anew = emit_new(u, e_.depth());
    return changed_[k] = anew;
  }
  const bool combines = u.op() == Op::Reduce || u.op() == Op::Scan;
  const int level = combines ? level_of(u.ranges()) : level_under_conditions(u);
  auto& memo = e_.levels[static_cast<size_t>(level)].memo;
  if (auto it = memo.find(k); it != memo.end()) return it->second;
  if (combines) {
    u.op() == Op::Reduce ? emit_reduces(u) : emit_scan(u);
    return e_.levels[static_cast<size_t>(level)].memo.at(k);
  }
  const int out = emit_new(u, level);
  e_.levels[static_cast<size_t>(level)].memo[k] = out;
  return out;
}

int Lower::emit_new(const UOp& u, int level) {
  switch (u.op()) {
    case Op::Const: return is_float(u.dtype()) ? e_.constant(u.dtype(), 0, u.as<double>()) : e_.constant(u.dtype(), u.as<int64_t>());
    case Op::Variable: return variables_.at(u);
    case Op::Range: return emit_range(u);
    case Op::Load: return emit_load(u, level);
    case Op::Check: return emit_check(u, level);
    case Op::After:
      for (const UOp& first : u.src().subspan(1)) emit(first);
      return emit(u.src(0));
    case Op::Get: return e_.cast(level, emit(u.src(0), static_cast<size_t>(u.as<int64_t>())), u.dtype());
    case Op::Cast: return e_.cast(level, emit(u.src(0)), u.dtype());
    case Op::Bitcast: return bitcast(level, emit(u.src(0)), u.dtype());
    default: break;
  }
  if (!is_elementwise(u.op())) throw InternalError(fmt::format("{} cannot be lowered: {}", name_of(u.op()), to_string(u)));
  std::vector<int> src;
  for (const UOp& s : u.src()) src.push_back(emit(s));
  const bool nonnegative = (u.op() == Op::IDiv || u.op() == Op::Mod) && u.src(0).bounds().min >= 0 && u.src(1).bounds().min > 0;
  return e_.alu(level, u.op(), u.dtype(), std::move(src), nonnegative);
}

int Lower::bitcast(int level, int a, DType to) {
  Inst i = make(InstOp::bitcast, to, 0, {a});
  i.lanes = static_cast<uint16_t>(static_cast<size_t>(e_.lanes(a)) * size_of(e_.dtype(a)) / size_of(to));
  return e_.push(level, std::move(i));
}

int Lower::emit_range(const UOp& r) {
  const int i = id(r);
  if (is_kind(i, AxisKind::Unroll)) return e_.constant(DType::index, point_[i]);
  if (is_kind(i, AxisKind::Vector)) {
    if (width(r) == 1) return e_.constant(DType::index, 0);
    Inst ramp = make(InstOp::ramp, DType::index);
    ramp.lanes = static_cast<uint16_t>(width(r));
    return e_.push(0, std::move(ramp));
  }
  throw InternalError(fmt::format("range {} of kernel {} is used outside its loop", to_string(r), kernel_.name()));
}

int Lower::emit_check(const UOp& u, int level) {
  const int at = emit(u.src(0)), bound = emit(u.src(1)), zero = e_.constant(DType::index, 0);
  const int low = e_.alu(level, Op::Less, DType::bool_, {at, zero}), high = e_.alu(level, Op::Less, DType::bool_, {at, bound});
  const int out =
      e_.alu(level, Op::Or, DType::bool_, {low, e_.alu(level, Op::NotEqual, DType::bool_, {high, e_.constant(DType::bool_, 1)})});
  e_.push(level, make(InstOp::report, DType::void_, u.as<int64_t>(), {out, at, bound}));
  return e_.alu(level, Op::Where, DType::index, {out, zero, at});
}

int Lower::pick(int level, int a, int lane) {
  if (e_.lanes(a) == 1) return a;
  return e_.push(level, make(InstOp::extract, e_.dtype(a), lane, {a}));
}

LoweredPhase lower(const Kernel& k, const Nest& nest, const Target& target) {
  if (!nest.pipelined) return Lower(k, nest, target).run();
  const Pipeline p = pipeline(k, nest, target);
  return Lower(p.kernel, p.nest, target, &p).run();
}

}  // namespace tg
