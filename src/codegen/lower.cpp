// See lower.hpp. The parts: grid and output loops (run), expressions (emit), memory (emit_load, emit_store), reductions (emit_reduce).
#include "codegen/lower.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/bind.hpp"
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
  Lower(const Kernel& k, const Nest& nest, const Target& target) : kernel_(k), nest_(nest), target_(target) {}

  LoweredPhase run() {
    stores_ = decompose(bind(kernel_, nest_), target_);
    for (const UOp& s : stores_) written_ |= uint64_t{1} << s.src(0).as<ParamArg>().slot;
    for (const Axis& a : nest_.axes) axis_of_[id(a.range)] = &a;
    for (const UOp& u : toposort(stores_)) if (u.op() == Op::Reduce) add_reduce(u);
    buffers_and_scalars();
    open_output_loops();
    for_points(output_axes(AxisKind::Unroll), [&] {
      for (const UOp& s : stores_) emit_store(s);
    });
    while (e_.depth() > 0) e_.close_loop({});
    out_.phase.insts = e_.finish();
    return std::move(out_);
  }

 private:
  static int id(const UOp& range) { return range.as<RangeArg>().id; }
  static uint64_t bit(const UOp& range) { return uint64_t{1} << id(range); }
  void add_reduce(const UOp& r) {
    bool own = false;
    for (const UOp& x : reduce_ranges(r)) own |= is_kind(id(x), AxisKind::Vector);
    if (own && vector_axis(r.ranges()))
      throw ValueError("a reduction over lanes cannot be computed for lanes of another axis: " + nest_.text());
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
    for (size_t i = 0; i < grid_axes_; ++i) out_.grid[0] = out_.grid[0] * Dim(grid_axis(i).src(0));
    if (target_.grid) {
      bind_grid(e_.push(0, make(InstOp::block, DType::index)));
      int next = 0;
      for (const Axis* a : output_axes(AxisKind::Thread)) {
        out_.phase.block[next] = a->range.src(0).bounds().max;
        bind_range(a->range, e_.push(0, make(InstOp::thread, DType::index, next++)));
      }
    } else {
      const int first = e_.push(0, make(InstOp::first_chunk, DType::index)), last = e_.push(0, make(InstOp::last_chunk, DType::index));
      bind_grid(e_.open_loop(first, last));
    }
    for (size_t i = grid_axes_; i < nest_.order.size(); ++i) open(nest_.axes[static_cast<size_t>(nest_.order[i])].range);
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
  void bind_range(const UOp& r, int inst) {
    depth_of_[id(r)] = e_.depth();
    e_.levels.back().memo[key(r, 0)] = inst;
  }

  // The outermost parallel loops, flattened into one count of blocks, until there are enough to share out.
  void choose_grid(int64_t enough) {
    int64_t blocks = 1;
    for (; grid_axes_ < nest_.order.size() && blocks < enough; ++grid_axes_) {
      const Axis& a = nest_.axes[static_cast<size_t>(nest_.order[grid_axes_])];
      if (sequential(a) || a.range.src(0).ranges() != 0) break;
      if (grid_axes_ > 0 && staged_at(nest_.order[grid_axes_ - 1])) break;  // what is staged serves all loops further in
      blocks *= std::max<int64_t>(1, a.range.src(0).bounds().max);
    }
  }
  const UOp& grid_axis(size_t i) const { return nest_.axes[static_cast<size_t>(nest_.order[i])].range; }

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
    for (const Nest::Staged& s : nest_.staged)
      if (s.param == slot && !filling_ && !(written_ >> slot & 1))
        return load_staged(u, s.at < 0 ? 0 : depth_of_[id(nest_.axes[static_cast<size_t>(s.at)].range)]);
    const UOp gate = u.src().size() > 2 ? u.src(2) : UOp();
    const UOp* vector = vector_axis(u.src(1).ranges());
    const UOp* gate_vector = gate ? vector_axis(gate.ranges()) : nullptr;
    const UOp* lanes_from = vector ? vector : gate_vector;
    const int lanes = lanes_from ? width(*lanes_from) : 1;
    const Address a = address(u.src(1), vector);
    const bool contiguous = lanes == 1 || (a.affine && a.lane_step == 1);
    Inst i = make(contiguous ? InstOp::load : InstOp::gather, u.dtype(), 0, {pointers_[static_cast<size_t>(slot)]});
    i.lanes = static_cast<uint16_t>(lanes);
    i.src.push_back(contiguous ? a.base : e_.broadcast(offsets(level, a, lanes), lanes));
    if (gate) i.src.push_back(e_.broadcast(emit(gate), lanes));
    return e_.push(level, std::move(i));
  }

  // ---- staging: a copy in scratch of what one round of a loop reads, laid out in the order in which it is read ----

  struct Panel { int pointer; std::vector<UOp> axes; std::vector<int64_t> strides; };

  int load_staged(const UOp& u, int depth) {
    auto at = panels_.find(u);
    if (at == panels_.end()) at = panels_.emplace(u, fill(u, depth)).first;
    const Panel& p = at->second;
    UOp idx = index(0);
    for (size_t i = 0; i < p.axes.size(); ++i) idx = idx + p.axes[i] * p.strides[i];
    const UOp where = simplify(idx);
    keep_.push_back(where);
    const UOp* vector = vector_axis(u.ranges());
    Inst i = make(InstOp::load, u.dtype(), 0, {p.pointer, address(where, vector).base});
    i.lanes = static_cast<uint16_t>(vector ? width(*vector) : 1);
    return e_.push(std::max(depth, level_of(u.ranges())), std::move(i));
  }

  // The loops further in become the panel's axes: those of the output outermost, then those of reductions, register tile and lanes
  // innermost, so that a reduction reads straight through its part.
  Panel fill(const UOp& u, int depth) {
    std::vector<UOp> loops;
    std::vector<const Axis*> tile;
    const UOp* vector = vector_axis(u.ranges());
    for (const Axis& a : nest_.axes) {
      if (!(u.ranges() & bit(a.range))) continue;
      if (a.kind == AxisKind::Unroll) tile.push_back(&a);
      else if (a.kind == AxisKind::Loop && (depth_of_[id(a.range)] == 0 || depth_of_[id(a.range)] > depth)) loops.push_back(a.range);
    }
    std::stable_partition(loops.begin(), loops.end(), [&](const UOp& r) { return depth_of_[id(r)] > depth; });
    Panel p;
    p.axes = loops;
    for (const Axis* a : tile) p.axes.push_back(a->range);
    if (vector) p.axes.push_back(*vector);
    int64_t size = 1;
    p.strides.resize(p.axes.size());
    for (size_t i = p.axes.size(); i-- > 0;) { p.strides[i] = size; size *= p.axes[i].src(0).bounds().max; }
    int64_t& bytes = out_.phase.scratch_bytes;
    p.pointer = e_.push(0, make(InstOp::scratch, u.dtype(), bytes));
    bytes += (size * static_cast<int64_t>(size_of(u.dtype())) + 63) / 64 * 64;

    std::vector<Emitter::Level> inner(std::make_move_iterator(e_.levels.begin() + depth + 1), std::make_move_iterator(e_.levels.end()));
    e_.levels.resize(static_cast<size_t>(depth) + 1);
    const auto outer_point = point_;
    const auto outer_depth = depth_of_;
    filling_ = true;
    for (const UOp& r : loops) open(r);
    UOp idx = index(0);
    for (size_t i = 0; i < p.axes.size(); ++i) idx = idx + p.axes[i] * p.strides[i];
    const UOp to = simplify(idx);
    keep_.push_back(to);
    for_points(tile, [&] {
      const int value = emit(u);
      Inst i = make(InstOp::store, u.dtype(), 0, {p.pointer, address(to, vector).base, value});
      i.lanes = static_cast<uint16_t>(e_.lanes(value));
      e_.push(e_.depth(), std::move(i));
      e_.levels[static_cast<size_t>(level_of(u.ranges()))].memo.erase(key(u, 0));
    });
    for (size_t i = 0; i < loops.size(); ++i) e_.close_loop({});
    filling_ = false;
    point_ = outer_point;
    depth_of_ = outer_depth;
    e_.levels.insert(e_.levels.end(), std::make_move_iterator(inner.begin()), std::make_move_iterator(inner.end()));
    return p;
  }

  void emit_store(const UOp& s) {
    const UOp* vector = vector_axis(s.src(1).ranges());
    const int lanes = vector ? width(*vector) : 1, level = e_.depth();
    const Address a = address(s.src(1), vector);
    const bool contiguous = lanes == 1 || (a.affine && a.lane_step == 1);
    const int value = e_.broadcast(emit(s.src(2)), lanes);
    Inst i = make(contiguous ? InstOp::store : InstOp::scatter, s.src(2).dtype(), 0,
                  {pointers_[static_cast<size_t>(s.src(0).as<ParamArg>().slot)]});
    i.lanes = static_cast<uint16_t>(lanes);
    i.src.push_back(contiguous ? a.base : e_.broadcast(offsets(level, a, lanes), lanes));
    i.src.push_back(value);
    if (s.src().size() > 3) {
      const int gate = emit(s.src(3));
      if (e_.insts[static_cast<size_t>(gate)].op == InstOp::constant && e_.insts[static_cast<size_t>(gate)].value == 0) return;
      i.src.push_back(e_.broadcast(gate, lanes));
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
  std::vector<const Axis*> axes_in(uint64_t ranges) const {
    std::vector<const Axis*> out;
    for (; ranges; ranges &= ranges - 1) out.push_back(axis_of_[__builtin_ctzll(ranges)]);
    return out;
  }

  void emit_reduces(const UOp& first) {
    const std::vector<UOp> group = together(first);
    const int level = level_of(first.ranges());
    std::vector<Emitter::Level> inner(std::make_move_iterator(e_.levels.begin() + level + 1), std::make_move_iterator(e_.levels.end()));
    e_.levels.resize(static_cast<size_t>(level) + 1);
    const auto outer_point = point_;
    const auto outer_depth = depth_of_;  // a loop around this one may run over the same range

    std::vector<UOp> loops;
    uint64_t own_unrolled = 0;
    const UOp* lanes_of = nullptr;
    for (const UOp& r : reduce_ranges(first)) {
      if (is_kind(id(r), AxisKind::Unroll)) own_unrolled |= bit(r);
      else if (is_kind(id(r), AxisKind::Vector)) lanes_of = &axis_of_[id(r)]->range;
      else loops.push_back(r);
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
      e_.close_loop(next);
      size_t n = 0;
      for (auto& a : acc) for (auto& x : a) for (State& s : x) for (int& v : s) v = phis[n++];
    }
    for (size_t g = 0; g < group.size(); ++g) {
      o = 0;
      for_points(outs, [&] {
        State s = tree(group[g], std::move(acc[g][o++]));
        if (lanes_of) s = across_lanes(group[g], std::move(s));
        for (size_t c = 0; c < s.size(); ++c) e_.levels[static_cast<size_t>(level)].memo[key(group[g], c)] = s[c];
      });
    }
    point_ = outer_point;
    depth_of_ = outer_depth;
    e_.levels.insert(e_.levels.end(), std::make_move_iterator(inner.begin()), std::make_move_iterator(inner.end()));
  }

  using State = std::vector<int>;
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
    Inst i = make(InstOp::shuffle, e_.dtype(v), 0, {v, v});
    i.lanes = static_cast<uint16_t>(n);
    for (int k = 0; k < n; ++k) i.list.push_back(from + k);
    return e_.push(e_.depth(), std::move(i));
  }

  const Kernel& kernel_;
  const Nest& nest_;
  const Target& target_;
  LoweredPhase out_;
  Emitter e_;
  std::vector<UOp> stores_, reduces_;
  std::vector<UOp> keep_;
  std::vector<int> pointers_;
  std::unordered_map<UOp, int> variables_;
  std::array<const Axis*, 64> axis_of_{};
  std::array<int, 64> depth_of_{};
  std::array<int64_t, 64> point_{};
  uint64_t written_ = 0;
  std::unordered_map<UOp, Panel> panels_;
  bool filling_ = false;
  size_t grid_axes_ = 0;
};

}  // namespace

LoweredPhase lower(const Kernel& k, const Nest& nest, const Target& target) { return Lower(k, nest, target).run(); }

}  // namespace tg
