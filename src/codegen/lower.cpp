// See lower.hpp. The parts: grid and output loops (run), expressions (emit), memory (emit_load, emit_store), reductions (emit_reduce).
#include "codegen/lower.hpp"

#include <algorithm>
#include <climits>

#include <fmt/format.h>

#include "codegen/bind.hpp"
#include "codegen/block.hpp"
#include "codegen/decompose.hpp"
#include "codegen/emit.hpp"
#include "ir/monoid.hpp"
#include "ir/op_info.hpp"
#include "ir/sum.hpp"
#include "ir/symbolic.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

constexpr int64_t kEnoughBlocks = 64;    // the outermost loops become the grid until there are so many blocks
constexpr double kTinyWork = 30e3;       // operations that are not worth waking another core for

class Lower {
 public:
  Lower(const Kernel& k, const Nest& nest, const Target& target) : kernel_(k), nest_(nest), target_(target) {
    for (int a : nest.order) if (!target.grid || !nest.axes[static_cast<size_t>(a)].single()) order_.push_back(a);
  }

  LoweredPhase run() {
    stores_ = decompose(bind(kernel_, nest_), target_);
    for (const UOp& s : stores_) written_ |= uint64_t{1} << s.src(0).as<ParamArg>().slot;
    for (const Axis& a : nest_.axes) axis_of_[id(a.range)] = &a;
    threads_ = Threads(nest_, stores_, target_);
    scope_ = stores_;
    for (const UOp& u : toposort(stores_)) if (u.op() == Op::Reduce) add_reduce(u);
    buffers_and_scalars();
    open_output_loops();
    for_points(output_axes(AxisKind::Unroll), [&] {
      for (const UOp& s : stores_) emit_store(s);
    });
    while (e_.depth() > 0) close({});
    if (target_.grid && out_.phase.scratch_bytes > target_.shared_bytes)
      throw ValueError(fmt::format("{} bytes of shared memory for a block of {}: this target has {}; stage less", out_.phase.scratch_bytes,
                                   kernel_.name(), target_.shared_bytes));
    out_.phase.insts = e_.finish();
    return std::move(out_);
  }

 private:
  static int id(const UOp& range) { return range.as<RangeArg>().id; }
  static uint64_t bit(const UOp& range) { return uint64_t{1} << id(range); }
  void add_reduce(const UOp& r) {
    int lanes = vector_axis(r.ranges()) != nullptr;
    bool own = false;
    for (const UOp& x : reduce_ranges(r)) if (is_kind(id(x), AxisKind::Vector)) { own = true; ++lanes; }
    if (own && lanes > 1) throw ValueError("a reduction over lanes cannot be computed for lanes of another axis: " + nest_.text());
    reduces_.push_back(r);
  }
  Inst make(InstOp op, DType dtype, int64_t value = 0, std::vector<int32_t> src = {}) {
    Inst i(op);
    i.dtype = dtype;
    i.value = value;
    i.src = std::move(src);
    return i;
  }

  // ---- arguments ----

  void buffers_and_scalars() {
    Phase& p = out_.phase;
    p.entry = fmt::format("{}_{}", kernel_.name(), hex(kernel_.hash()).substr(0, 8));
    for (const UOp& b : kernel_.params) {
      const int slot = b.as<ParamArg>().slot;
      p.buffers.push_back(b.dtype());
      p.written.push_back(written_ >> slot & 1);
      pointers_.push_back(e_.push(0, make(InstOp::buffer, b.dtype(), slot)));
    }
    p.scalars = static_cast<int>(kernel_.variables.size());
    for (int i = 0; i < p.scalars; ++i) {
      const UOp& v = kernel_.variables[static_cast<size_t>(i)];
      const int raw = e_.push(0, make(InstOp::scalar, is_float(v.dtype()) ? DType::float64 : DType::index, i));
      variables_[v] = e_.cast(0, raw, v.dtype());
    }
  }

  // ---- loops ----

  std::vector<const Axis*> output_axes(AxisKind kind) const {
    std::vector<const Axis*> out;
    for (const Split& s : nest_.splits)
      if (!s.reduces())
        for (int a : s.axes) if (nest_.axes[static_cast<size_t>(a)].kind == kind) out.push_back(&nest_.axes[static_cast<size_t>(a)]);
    return out;
  }
  bool sequential(const Axis& a) const {
    for (const Split& s : nest_.splits)
      for (int i : s.axes) if (&nest_.axes[static_cast<size_t>(i)] == &a) return (kernel_.sequential & s.original.ranges()) && !s.reduces();
    return false;
  }
  bool staged_at(int axis) const {
    return std::any_of(nest_.staged.begin(), nest_.staged.end(), [&](const Nest::Staged& s) { return s.at == axis; });
  }
  double work() const {
    double per_point = 0, points = 1;
    for (const UOp& u : toposort(stores_)) {
      double n = 1;
      if (u.op() == Op::Reduce) for (const UOp& r : reduce_ranges(u)) n *= static_cast<double>(r.src(0).bounds().max);
      per_point += n;
    }
    for (const UOp& r : kernel_.ranges) points *= static_cast<double>(r.src(0).bounds().max);
    return per_point * points;
  }

  void open_output_loops() {
    if (target_.grid || work() > kTinyWork) choose_grid(target_.grid ? INT64_MAX : kEnoughBlocks);
    if (target_.grid) {
      bind_blocks_and_threads();
    } else {
      for (size_t i = 0; i < grid_axes_; ++i) out_.grid[0] = out_.grid[0] * Dim(grid_axis(i).src(0));
      const int first = e_.push(0, make(InstOp::first_chunk, DType::index)), last = e_.push(0, make(InstOp::last_chunk, DType::index));
      bind_grid(e_.open_loop(first, last));
    }
    for (size_t i = grid_axes_; i < order_.size(); ++i) open(nest_.axes[static_cast<size_t>(order_[i])].range);
  }
  // A grid has three directions; axes go to them as they are where they fit, the innermost to the first, and flattened into it otherwise.
  void bind_blocks_and_threads() {
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
  void bind_grid(int rest) {
    const int level = e_.depth();
    for (size_t i = grid_axes_; i-- > 0;) {
      const int n = emit(grid_axis(i).src(0));
      bind_range(grid_axis(i), i == 0 ? rest : e_.alu(level, Op::Mod, DType::index, {rest, n}, true));
      if (i > 0) rest = e_.alu(level, Op::IDiv, DType::index, {rest, n}, true);
    }
  }
  void open(const UOp& r) {
    const int end = emit(r.src(0));
    const int counter = e_.open_loop(e_.constant(DType::index, 0), end);
    bind_range(r, counter);
  }
  // Closes the innermost loop. What its rounds staged is dropped, when all threads have read it.
  void close(const std::vector<int>& next) {
    const auto inside = [&](const auto& panel) { return panel.second.depth >= e_.depth(); };
    if (target_.grid && std::any_of(panels_.begin(), panels_.end(), inside)) block_.barrier(e_.depth());
    std::erase_if(panels_, inside);
    e_.close_loop(next);
  }
  // Runs body with only the loops down to `level` open; what is open further in goes on after it.
  template <class F> void at_level(int level, F body) {
    std::vector<Emitter::Level> inner(std::make_move_iterator(e_.levels.begin() + level + 1), std::make_move_iterator(e_.levels.end()));
    e_.levels.resize(static_cast<size_t>(level) + 1);
    const auto point = point_;
    const auto depth = depth_of_;  // a loop around this one may run over the same range
    auto panels = panels_;
    const int outer = std::exchange(level_, level);
    std::erase_if(panels_, [&](const auto& p) { return p.second.depth > level; });
    body();
    point_ = point;
    depth_of_ = depth;
    panels_.merge(panels);
    level_ = outer;
    e_.levels.insert(e_.levels.end(), std::make_move_iterator(inner.begin()), std::make_move_iterator(inner.end()));
  }
  void bind_range(const UOp& r, int inst) { bind_at(e_.depth(), r, inst); }
  void bind_at(int level, const UOp& r, int inst) {
    depth_of_[id(r)] = level;
    e_.levels[static_cast<size_t>(level)].memo[key(r, 0)] = inst;
  }

  // The outermost parallel loops, flattened into one count of blocks, until there are enough to share out.
  void choose_grid(int64_t enough) {
    int64_t blocks = 1;
    for (; grid_axes_ < order_.size() && blocks < enough; ++grid_axes_) {
      const Axis& a = nest_.axes[static_cast<size_t>(order_[grid_axes_])];
      if (sequential(a) || a.range.src(0).ranges() != 0) break;
      if (grid_axes_ > 0 && staged_at(order_[grid_axes_ - 1])) break;  // what is staged serves all loops further in
      if (target_.grid && recomputes(a)) break;
      blocks *= std::max<int64_t>(1, a.range.src(0).bounds().max);
    }
  }
  // Whether blocks along an axis would each make a reduction that is the same for all of them.
  bool recomputes(const Axis& a) const {
    return std::any_of(reduces_.begin(), reduces_.end(), [&](const UOp& r) { return !(r.ranges() & bit(a.range)); });
  }
  const UOp& grid_axis(size_t i) const { return nest_.axes[static_cast<size_t>(order_[i])].range; }

  template <class F> void for_points(const std::vector<const Axis*>& axes, F body) {
    for (const Axis* a : axes) point_[id(a->range)] = 0;
    for (;;) {
      body();
      size_t i = axes.size();
      while (i-- > 0) {
        int64_t& c = point_[id(axes[i]->range)];
        if (++c < axes[i]->range.src(0).bounds().max) break;
        c = 0;
      }
      if (i == static_cast<size_t>(-1)) return;
    }
  }

  // ---- expressions ----

  // Where an expression that depends on these ranges can be emitted at the earliest.
  int level_of(uint64_t ranges) const {
    int level = 0;
    for (; ranges; ranges &= ranges - 1) level = std::max(level, depth_of_[__builtin_ctzll(ranges)]);
    return level;
  }
  bool is_kind(int range_id, AxisKind kind) const { return axis_of_[range_id] && axis_of_[range_id]->kind == kind; }
  // The coordinates in the register tile that an expression depends on, as one number.
  uint64_t point(uint64_t ranges) const {
    uint64_t at = 0;
    for (; ranges; ranges &= ranges - 1) {
      const int i = __builtin_ctzll(ranges);
      if (is_kind(i, AxisKind::Unroll)) at = at * 4099 + static_cast<uint64_t>(point_[i]) + 1;
    }
    return at;
  }
  uint64_t key(const UOp& u, size_t component) const {
    return (reinterpret_cast<uintptr_t>(u.node()) ^ point(u.ranges()) * 0x9E3779B97F4A7C15ull) * 8 + component;
  }
  const UOp* vector_axis(uint64_t ranges) const {
    for (; ranges; ranges &= ranges - 1)
      if (const int i = __builtin_ctzll(ranges); is_kind(i, AxisKind::Vector)) return &axis_of_[i]->range;
    return nullptr;
  }
  static int width(const UOp& vector) { return static_cast<int>(vector.src(0).bounds().max); }

  int emit(const UOp& u, size_t component = 0) {
    keep_.push_back(u);  // its address is a key
    if (u.op() == Op::Load && (written_ >> u.src(0).as<ParamArg>().slot & 1)) return emit_load(u, e_.depth());  // read anew in every round
    const int level = level_of(u.ranges());
    const uint64_t k = key(u, component);
    auto& memo = e_.levels[static_cast<size_t>(level)].memo;
    if (auto it = memo.find(k); it != memo.end()) return it->second;
    if (u.op() == Op::Reduce) {
      emit_reduces(u);
      return e_.levels[static_cast<size_t>(level)].memo.at(k);
    }
    const int out = emit_new(u, level);
    e_.levels[static_cast<size_t>(level)].memo[k] = out;
    return out;
  }

  int emit_new(const UOp& u, int level) {
    switch (u.op()) {
      case Op::Const: return is_float(u.dtype()) ? e_.constant(u.dtype(), 0, u.as<double>()) : e_.constant(u.dtype(), u.as<int64_t>());
      case Op::Variable: return variables_.at(u);
      case Op::Range: return emit_range(u);
      case Op::Load: return emit_load(u, level);
      case Op::Check: return emit_check(u, level);
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

  int bitcast(int level, int a, DType to) {
    Inst i = make(InstOp::bitcast, to, 0, {a});
    i.lanes = static_cast<uint16_t>(e_.lanes(a));
    return e_.push(level, std::move(i));
  }

  int emit_range(const UOp& r) {
    const int i = id(r);
    if (is_kind(i, AxisKind::Unroll)) return e_.constant(DType::index, point_[i]);
    if (is_kind(i, AxisKind::Vector)) {
      Inst ramp = make(InstOp::ramp, DType::index);
      ramp.lanes = static_cast<uint16_t>(width(r));
      return e_.push(0, std::move(ramp));
    }
    throw InternalError(fmt::format("range {} of kernel {} is used outside its loop", to_string(r), kernel_.name()));
  }

  int emit_check(const UOp& u, int level) {
    const int at = emit(u.src(0)), bound = emit(u.src(1)), zero = e_.constant(DType::index, 0);
    const int low = e_.alu(level, Op::Less, DType::bool_, {at, zero}), high = e_.alu(level, Op::Less, DType::bool_, {at, bound});
    const int out =
        e_.alu(level, Op::Or, DType::bool_, {low, e_.alu(level, Op::NotEqual, DType::bool_, {high, e_.constant(DType::bool_, 1)})});
    for (int lane = 0; lane < e_.lanes(out); ++lane) {
      e_.push(level, make(InstOp::if_, DType::void_, 0, {pick(level, out, lane)}));
      e_.push(level, make(InstOp::report, DType::void_, u.as<int64_t>(), {pick(level, at, lane), pick(level, bound, lane)}));
      e_.push(level, make(InstOp::end_if, DType::void_));
    }
    return e_.alu(level, Op::Where, DType::index, {out, zero, at});
  }
  int pick(int level, int a, int lane) {
    if (e_.lanes(a) == 1) return a;
    return e_.push(level, make(InstOp::extract, e_.dtype(a), lane, {a}));
  }

  // ---- memory ----

  // An index as what is the same for all points of the tile, plus a constant for this point and how it moves with the lane.
  struct Address { int base; int64_t lane_step; bool affine; };
  Address address(const UOp& idx, const UOp* vector) {
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
  int offsets(int level, const Address& a, int lanes) {
    if (!a.affine) return a.base;
    Inst ramp = make(InstOp::ramp, DType::index);
    ramp.lanes = static_cast<uint16_t>(lanes);
    const int steps = e_.alu(0, Op::Mul, DType::index, {e_.push(0, std::move(ramp)), e_.constant(DType::index, a.lane_step)});
    return e_.alu(level, Op::Add, DType::index, {a.base, steps});
  }

  int emit_load(const UOp& u, int level) {
    const int slot = u.src(0).as<ParamArg>().slot;
    if (const Nest::Staged* s = staging(u); s && !filling_ && depth_of(*s, u) <= level) return load_staged(u, *s);
    const UOp gate = u.src().size() > 2 ? u.src(2) : UOp();
    const UOp* vector = vector_axis(u.src(1).ranges());
    const UOp* gate_vector = gate ? vector_axis(gate.ranges()) : nullptr;
    const UOp* lanes_from = vector ? vector : gate_vector;
    const int lanes = lanes_from ? width(*lanes_from) : 1;
    const Address a = address(u.src(1), vector);
    const int mask = gate ? e_.broadcast(emit(gate), lanes) : -1, step = spread(a, lanes);
    const bool contiguous = lanes == 1 || step > 0;
    Inst i = make(contiguous ? InstOp::load : InstOp::gather, u.dtype(), 0, {pointers_[static_cast<size_t>(slot)]});
    i.lanes = static_cast<uint16_t>(step > 1 ? lanes * step : lanes);
    i.src.push_back(contiguous ? a.base : e_.broadcast(offsets(level, a, lanes), lanes));
    if (step > 1) i.src.push_back(every(level, step, lanes, mask));
    else if (gate) i.src.push_back(mask);
    const int loaded = e_.push(level, std::move(i));
    return step > 1 ? shuffle(level, loaded, lanes, [&](int k) { return k * step; }) : loaded;
  }

  // ---- lanes a few elements apart: memory is accessed as if they were side by side, with a mask, and shuffled ----

  // How many elements apart, if few enough; 1 for side by side, 0 for whatever needs an address for each lane.
  static int spread(const Address& a, int lanes) {
    constexpr int64_t kFew = 4;
    return lanes > 1 && a.affine && a.lane_step >= 1 && a.lane_step <= kFew ? static_cast<int>(a.lane_step) : 0;
  }
  template <class F> int shuffle(int level, int v, int lanes, F from) {
    Inst i = make(InstOp::shuffle, e_.dtype(v), 0, {v, v});
    i.lanes = static_cast<uint16_t>(lanes);
    for (int k = 0; k < lanes; ++k) i.list.push_back(from(k));
    return e_.push(level, std::move(i));
  }
  // True in every step-th of lanes * step lanes, where its mask (-1: none) is.
  int every(int level, int step, int lanes, int mask) {
    Inst ramp = make(InstOp::ramp, DType::index);
    ramp.lanes = static_cast<uint16_t>(lanes * step);
    const int at = e_.push(0, std::move(ramp)), n = e_.constant(DType::index, step);
    const int in = e_.alu(0, Op::Less, DType::bool_, {e_.alu(0, Op::Mod, DType::index, {at, n}, true), e_.constant(DType::index, 1)});
    return mask < 0 ? in : e_.alu(level, Op::And, DType::bool_, {in, shuffle(level, mask, lanes * step, [&](int k) { return k / step; })});
  }

  // ---- staging: a copy in scratch of what one round of a loop reads, laid out in the order in which it is read ----

  struct Panel {
    int pointer, depth;
    std::vector<CopyAxis> axes;
    std::vector<UOp> loops;           // those axes that are loops
    std::vector<const Axis*> tile;    // those that are register tiles
    int64_t size = 1;
    UOp place() const {
      UOp out = index(0);
      for (const CopyAxis& a : axes) out = out + a.range * a.stride;
      return simplify(out);
    }
  };

  // Where a load is staged: in a loop that it depends on, unless there is one round of it. A block's threads cannot share out elements
  // whose places are data.
  const Nest::Staged* staging(const UOp& u) const {
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
  int depth_of(const Nest::Staged& s, const UOp& u) const {
    if (s.at < 0) return 0;
    const UOp& r = nest_.axes[static_cast<size_t>(s.at)].range;
    return u.ranges() & bit(r) ? depth_of_[id(r)] : std::min(depth_of_[id(r)], level_);
  }

  int load_staged(const UOp& u, const Nest::Staged& s) {
    const int depth = depth_of(s, u);
    if (!panels_.contains(u)) {
      if (target_.grid) fill_together(u, s.at, depth);
      else panels_.emplace(u, fill(u, depth));
    }
    const Panel& p = panels_.at(u);
    const UOp where = p.place();
    keep_.push_back(where);
    const UOp* vector = vector_axis(u.ranges());
    Inst i = make(InstOp::load, u.dtype(), 0, {p.pointer, address(where, vector).base});
    i.lanes = static_cast<uint16_t>(vector ? width(*vector) : 1);
    return e_.push(std::max(depth, level_of(u.ranges())), std::move(i));
  }

  // The loops further in become the panel's axes: those of the output outermost, then those of reductions, register tile, lanes and
  // threads innermost, so that a reduction reads straight through its part.
  Panel layout(const UOp& u, int depth) {
    Panel p{.pointer = -1, .depth = depth, .axes = {}, .loops = {}, .tile = {}};
    std::vector<const Axis*> loops, closed, threads, lanes;
    for (const Axis& a : nest_.axes) {
      if (!(u.ranges() & bit(a.range) & ~blocks_)) continue;
      const int at = depth_of_[id(a.range)];
      if (a.kind == AxisKind::Unroll) p.tile.push_back(&a);
      else if (a.kind == AxisKind::Thread) threads.insert(threads.begin(), &a);
      else if (a.kind == AxisKind::Vector) lanes.push_back(&a);
      else if (at > depth) loops.push_back(&a);
      else if (at == 0) closed.push_back(&a);
    }
    loops.insert(loops.end(), closed.begin(), closed.end());
    for (const Axis* a : loops) p.loops.push_back(a->range);
    for (const auto* part : {&loops, &p.tile, &threads, &lanes})
      for (const Axis* a : *part) p.axes.push_back({a->range, a->most, 1});
    for (size_t i = p.axes.size(); i-- > 0;) { p.axes[i].stride = p.size; p.size *= p.axes[i].most; }
    p.pointer = block_.shared(u.dtype(), p.size);
    return p;
  }

  Panel fill(const UOp& u, int depth) {
    Panel p = layout(u, depth);
    at_level(depth, [&] {
      filling_ = true;
      for (const UOp& r : p.loops) open(r);
      const UOp to = p.place();
      keep_.push_back(to);
      for_points(p.tile, [&] {
        store_staged(p, u, to, {});
        e_.levels[static_cast<size_t>(level_of(u.ranges()))].memo.erase(key(u, 0));
      });
      for (size_t i = 0; i < p.loops.size(); ++i) e_.close_loop({});
      filling_ = false;
    });
    return p;
  }
  void store_staged(const Panel& p, const UOp& what, const UOp& place, const UOp& inside) {
    const int value = emit(what);
    Inst i = make(InstOp::store, what.dtype(), 0, {p.pointer, address(place, vector_axis(place.ranges())).base, value});
    i.lanes = static_cast<uint16_t>(e_.lanes(value));
    if (inside) i.src.push_back(emit(inside));
    e_.push(e_.depth(), std::move(i));
  }

  // Everything that is staged in this loop for what is being computed, copied by all threads of the block, and then one barrier.
  void fill_together(const UOp& needed, int at, int depth) {
    std::vector<UOp> loads{needed};
    for (const UOp& u : toposort(scope_)) {
      if (u.op() != Op::Load || u == needed || panels_.contains(u)) continue;
      if (const Nest::Staged* s = staging(u); s && s->at == at) loads.push_back(u);
    }
    int next = 0;
    for (const Axis& a : nest_.axes) next = std::max(next, id(a.range) + 1);
    if (next + 2 > 64) throw ValueError("more than 64 axes: " + nest_.text());
    const int64_t threads = threads_.count();
    const UOp thread = threads > 1 ? range(Dim(threads), next, RangeKind::Tile) : index(0);
    if (threads > 1) bind_at(0, thread, block_.flat());
    for (const UOp& u : loads) {
      const Panel p = layout(u, depth);
      const int64_t rounds = (p.size + threads - 1) / threads;
      const UOp round = rounds > 1 ? range(Dim(rounds), next + 1, RangeKind::Tile) : index(0);
      const BlockCopy copy = plan_copy(u, p.axes, round, thread, threads);
      keep_.insert(keep_.end(), {round, thread, copy.place});
      at_level(depth, [&] {
        filling_ = true;
        if (rounds > 1) open(round);
        store_staged(p, copy.value, copy.place, copy.inside);
        if (rounds > 1) e_.close_loop({});
        filling_ = false;
      });
      panels_.emplace(u, p);
    }
    block_.barrier(depth);
  }

  void emit_store(const UOp& s) {
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
      const int gate = emit(s.src(3));
      if (e_.insts[static_cast<size_t>(gate)].op == InstOp::constant && e_.insts[static_cast<size_t>(gate)].value == 0) return;
      mask = e_.broadcast(gate, lanes);
    }
    if (step > 1) mask = every(level, step, lanes, mask);
    if (mask >= 0) i.src.push_back(mask);
    if (const int sole = block_.sole(); sole >= 0) {
      if (i.src.size() > 3) i.src[3] = e_.alu(level, Op::And, DType::bool_, {sole, i.src[3]});
      else i.src.push_back(e_.broadcast(sole, lanes));
    }
    e_.push(level, std::move(i));
  }

  // ---- reductions ----

  // Reductions over the same loops at the same depth that do not need each other share one loop.
  std::vector<UOp> together(const UOp& r) const {
    std::vector<UOp> out{r};
    const int level = level_of(r.ranges());
    for (const UOp& o : reduces_) {
      if (o == r || level_of(o.ranges()) != level || !std::equal(o.src().begin() + 1, o.src().end(), r.src().begin() + 1, r.src().end()))
        continue;
      if (unrolled(o.ranges()) != unrolled(r.ranges())) continue;
      const bool tied = std::any_of(out.begin(), out.end(), [&](const UOp& x) { return contains(x, o) || contains(o, x); });
      if (!tied && ready(o, level)) out.push_back(o);
    }
    return out;
  }
  static bool contains(const UOp& root, const UOp& u) {
    for (const UOp& n : toposort(root)) if (n == u) return true;
    return false;
  }
  // Whatever o needs from other reductions has been computed.
  bool ready(const UOp& o, int level) const {
    for (const UOp& n : toposort(o))
      if (n.op() == Op::Reduce && !(n == o) &&
          !e_.levels[static_cast<size_t>(std::min(level, level_of(n.ranges())))].memo.contains(key(n, 0)))
        return false;
    return true;
  }
  uint64_t unrolled(uint64_t ranges) const {
    uint64_t out = 0;
    for (uint64_t r = ranges; r; r &= r - 1) if (is_kind(__builtin_ctzll(r), AxisKind::Unroll)) out |= r & -r;
    return out;
  }
  // Vectors of lanes last: what is repeated in all lanes is then needed for one row of the tile at a time, in one register.
  std::vector<const Axis*> axes_in(uint64_t ranges) const {
    std::vector<const Axis*> rows, vectors;
    for (; ranges; ranges &= ranges - 1) {
      const Axis* const a = axis_of_[__builtin_ctzll(ranges)];
      (beside_lanes(*a) ? vectors : rows).push_back(a);
    }
    rows.insert(rows.end(), vectors.begin(), vectors.end());
    return rows;
  }
  bool beside_lanes(const Axis& a) const {
    return std::any_of(nest_.splits.begin(), nest_.splits.end(), [&](const Split& s) {
      bool here = false, lanes = false;
      for (int i : s.axes) {
        here |= &nest_.axes[static_cast<size_t>(i)] == &a;
        lanes |= nest_.axes[static_cast<size_t>(i)].kind == AxisKind::Vector;
      }
      return here && lanes;
    });
  }

  void emit_reduces(const UOp& first) {
    const std::vector<UOp> group = together(first);
    const int level = level_of(first.ranges());
    const std::vector<UOp> outer = std::exchange(scope_, {});
    for (const UOp& r : group) scope_.push_back(r.src(0));
    at_level(level, [&] { emit_loops(group, level); });
    scope_ = outer;
  }
  void emit_loops(const std::vector<UOp>& group, int level) {
    const UOp& first = group[0];
    std::vector<UOp> loops;
    uint64_t own_unrolled = 0;
    const UOp* lanes_of = nullptr;
    std::vector<int> numbers;  // of the threads that share out this reduction
    for (const UOp& r : reduce_ranges(first)) {
      if (is_kind(id(r), AxisKind::Unroll)) own_unrolled |= bit(r);
      else if (is_kind(id(r), AxisKind::Vector)) lanes_of = &axis_of_[id(r)]->range;
      else if (is_kind(id(r), AxisKind::Thread)) numbers.push_back(threads_.number(id(r)));
      else if (!target_.grid || !axis_of_[id(r)]->single()) loops.push_back(r);
    }
    const std::vector<const Axis*> outs = axes_in(unrolled(first.ranges())), own = axes_in(own_unrolled);

    // one accumulator a reduction, a point of the tile and a point of the unrolled reduction
    std::vector<std::vector<std::vector<State>>> acc(group.size());  // [reduction][out point][own point]
    for (size_t g = 0; g < group.size(); ++g)
      for_points(outs, [&] {
        acc[g].emplace_back();
        for_points(own, [&] { acc[g].back().push_back(initial(group[g], lanes_of)); });
      });
    for (const UOp& r : loops) {
      open(r);
      for (auto& a : acc) for (auto& o : a) for (State& s : o) for (int& v : s) v = e_.phi(v);
    }
    size_t o = 0;
    for_points(outs, [&] {
      size_t p = 0;
      for_points(own, [&] {
        for (size_t g = 0; g < group.size(); ++g) acc[g][o][p] = accumulate(group[g], acc[g][o][p]);
        ++p;
      });
      ++o;
    });
    for (size_t i = loops.size(); i-- > 0;) {
      std::vector<int> next, phis;
      for (auto& a : acc) for (auto& x : a) for (State& s : x) next.insert(next.end(), s.begin(), s.end());
      phis = e_.phis();
      close(next);
      size_t n = 0;
      for (auto& a : acc) for (auto& x : a) for (State& s : x) for (int& v : s) v = phis[n++];
    }
    std::vector<State> results;
    for (size_t g = 0; g < group.size(); ++g)
      for (auto& parts : acc[g]) {
        results.push_back(tree(group[g], std::move(parts)));
        if (lanes_of) results.back() = across_lanes(group[g], std::move(results.back()));
      }
    const auto reduction = [&](size_t i) -> const UOp& { return group[i / acc[0].size()]; };
    for (int n : numbers)
      block_.combine(results, n, [&](size_t i, const State& x, const State& y) { return combined(reduction(i), x, y); });
    size_t i = 0;
    for (size_t g = 0; g < group.size(); ++g)
      for_points(outs, [&] {
        for (size_t c = 0; c < results[i].size(); ++c)
          e_.levels[static_cast<size_t>(level)].memo[key(group[g], c)] = results[i][c];
        ++i;
      });
  }

  using State = Block::State;
  static Monoid monoid(const UOp& r) { return r.as<ReduceArg>().monoid; }
  int lanes_of_value(const UOp& r, const UOp* own) const {
    if (own) return width(*own);
    const UOp* v = vector_axis(r.ranges());
    return v ? width(*v) : 1;
  }
  State initial(const UOp& r, const UOp* own) {
    State out;
    for (const UOp& c : identity(monoid(r), r.dtype())) out.push_back(e_.broadcast(emit(c), lanes_of_value(r, own)));
    return out;
  }
  State accumulate(const UOp& r, const State& acc) {
    const UOp& v = r.src(0);
    const int lanes = e_.lanes(acc[0]);
    if (monoid(r) == Monoid::Sum && v.op() == Op::Mul && is_float(v.dtype()) && target_.fma) {
      const int a = emit(v.src(0)), b = emit(v.src(1));
      return {e_.alu(e_.depth(), Op::Fma, v.dtype(), {e_.broadcast(a, lanes), e_.broadcast(b, lanes), acc[0]})};
    }
    State value{e_.broadcast(emit(v), lanes)};
    if (components(monoid(r)) > 1) {
      const int position = emit(r.src().back());
      value =
          row(r, {value[0], e_.broadcast(position, lanes)}, [&](const std::vector<UOp>& x) { return lift(monoid(r), x[0], x[1]); }, true);
    }
    return combined(r, acc, value);
  }
  State combined(const UOp& r, const State& a, const State& b) {
    State both = a;
    both.insert(both.end(), b.begin(), b.end());
    return row(r, both, [&](const std::vector<UOp>& x) {
      const auto half = static_cast<ptrdiff_t>(x.size() / 2);
      return combine(monoid(r), {x.begin(), x.begin() + half}, {x.begin() + half, x.end()});
    }, false);
  }
  // A row of the monoid table on instructions: built as an expression over stand-ins, then emitted.
  template <class F> State row(const UOp& r, const State& in, F build, bool lifting) {
    std::vector<UOp> names;
    std::unordered_map<UOp, int> known;
    for (size_t i = 0; i < in.size(); ++i) {
      const DType t = lifting ? (i == 0 ? r.dtype() : DType::index) : component_dtype(monoid(r), i % components(monoid(r)), r.dtype());
      names.push_back(param(1000 + static_cast<int>(i), t));
      known[names.back()] = in[i];
    }
    State out;
    for (const UOp& u : decompose(build(names), target_)) out.push_back(expression(u, known));
    return out;
  }
  int expression(const UOp& root, std::unordered_map<UOp, int>& known) {
    for (const UOp& u : toposort(root)) {
      if (known.contains(u)) continue;
      if (is_const(u)) { known[u] = emit(u); continue; }
      std::vector<int> src;
      for (const UOp& s : u.src()) src.push_back(known.at(s));
      if (u.op() == Op::Cast) known[u] = e_.cast(e_.depth(), src[0], u.dtype());
      else if (u.op() == Op::Bitcast) known[u] = bitcast(e_.depth(), src[0], u.dtype());
      else known[u] = e_.alu(e_.depth(), u.op(), u.dtype(), std::move(src));
    }
    return known.at(root);
  }
  State tree(const UOp& r, std::vector<State> parts) {
    while (parts.size() > 1) {
      std::vector<State> next;
      for (size_t i = 0; i + 1 < parts.size(); i += 2) next.push_back(combined(r, parts[i], parts[i + 1]));
      if (parts.size() % 2) next.push_back(std::move(parts.back()));
      parts = std::move(next);
    }
    return parts[0];
  }
  State across_lanes(const UOp& r, State s) {
    for (int n = e_.lanes(s[0]); n > 1; n = (n + 1) / 2) {
      State low, high;
      for (int v : s) { low.push_back(half(v, 0, (n + 1) / 2)); high.push_back(half(v, n / 2, (n + 1) / 2)); }
      if (n % 2) throw InternalError("lanes are a power of two");
      s = combined(r, low, high);
    }
    return s;
  }
  int half(int v, int from, int n) {
    if (n == 1) return e_.push(e_.depth(), make(InstOp::extract, e_.dtype(v), from, {v}));
    return shuffle(e_.depth(), v, n, [&](int k) { return from + k; });
  }

  const Kernel& kernel_;
  const Nest& nest_;
  const Target& target_;
  LoweredPhase out_;
  Emitter e_;
  Threads threads_;
  Block block_{e_, out_.phase.scratch_bytes, threads_};
  std::vector<int> order_;  // the output's loops
  std::vector<UOp> stores_, reduces_;
  std::vector<UOp> scope_;  // what is being computed: the stores, or the values of the reductions whose loops are open
  std::vector<UOp> keep_;
  std::vector<int> pointers_;
  std::unordered_map<UOp, int> variables_;
  std::array<const Axis*, 64> axis_of_{};
  std::array<int, 64> depth_of_{};
  std::array<int64_t, 64> point_{};
  uint64_t written_ = 0, blocks_ = 0;
  std::unordered_map<UOp, Panel> panels_;
  bool filling_ = false;
  int level_ = INT_MAX;  // where the reduction that is being made will be
  size_t grid_axes_ = 0;
};

}  // namespace

LoweredPhase lower(const Kernel& k, const Nest& nest, const Target& target) { return Lower(k, nest, target).run(); }

}  // namespace tg
