#pragma once
// What lowers one kernel, for the twelve files that share the work: loops and expressions (lower.cpp), last rounds of register tiles
// (lower_edges.cpp), memory and what is kept of rows (lower_memory.cpp), copies in scratch (lower_stage.cpp), also of windows
// (lower_window.cpp), reductions (lower_reduce.cpp), what is made of a tile of them where that is long (lower_epilogue.cpp) and where it
// is stored with lanes of their own (lower_result.cpp), rows that are stored while the next one is reduced (lower_pipeline.cpp), scans
// (lower_scan.cpp) and matrix instructions (lower_matrix.cpp), also with tiles (lower_tiles.cpp). Each calls the others: a reduction is
// emitted where an expression needs it,
// its loads inside its loop.
//
// An instruction is known by its number. Every value is emitted in the outermost loop that fixes all it depends on (level_of), once for
// each point of the register tile that it depends on (key).
#include <array>
#include <climits>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "codegen/block.hpp"
#include "codegen/decompose.hpp"
#include "codegen/emit.hpp"
#include "codegen/lower.hpp"
#include "codegen/pipeline.hpp"
#include "codegen/threads.hpp"
#include "ir/monoid.hpp"
#include "ir/symbolic.hpp"

namespace tg {

class Lower {
 public:
  Lower(const Kernel& k, const Nest& nest, const Target& target, const Pipeline* pipeline = nullptr)
      : kernel_(k), nest_(nest), target_(target), pipeline_(pipeline) {
    for (int a : nest.order) if (!target.grid || !nest.axes[static_cast<size_t>(a)].single()) order_.push_back(a);
  }
  LoweredPhase run();

 private:
  LoweredPhase finish();
  static int id(const UOp& range) { return range.as<RangeArg>().id; }
  static uint64_t bit(const UOp& range) { return uint64_t{1} << id(range); }
  void add_reduce(const UOp& r);
  Inst make(InstOp op, DType dtype, int64_t value = 0, std::vector<int32_t> src = {});

  // ---- arguments ----

  void buffers_and_scalars();

  // ---- loops ----

  std::vector<const Axis*> output_axes(AxisKind kind) const;
  bool sequential(const Axis& a) const;
  bool staged_at(int axis) const;
  std::vector<UOp> results() const;
  double work() const;
  void open_grid();
  void bind_blocks_and_threads();
  void bind_grid(int rest, const Substitution& in_place = {});
  void open_to(size_t loops);
  void open(const UOp& r);
  void close(const std::vector<int>& next);

  // Part of a loop's rounds. In the whole ones every tile is inside its range, so nothing is masked there: these conditions hold.
  struct Part { UOp begin, end; std::vector<UOp> holds = {}; };
  static Part all(const UOp& r);
  std::vector<Part> parts(const UOp& r) const;
  void open(const UOp& r, const Part& part);
  bool worth_parting(const UOp& r) const;
  void for_parts(const UOp& r, std::span<const Part> rounds, const Part& end, const std::function<void()>& body);
  void leave_out(const UOp& r, const Part& part);

  // ---- register tiles that reach beyond the end of their range ----

  // outer: the innermost loop over tiles; round: the tile's number, of which the last one has so many elements left; tile: if there is one;
  // lanes: if it is of vectors
  struct Edge { const Split* split; const Axis *outer, *tile, *lanes; UOp round; int64_t last, left; };
  std::optional<Edge> edge_of(const Split& s) const;
  std::vector<Edge> edges() const;
  void for_edges(std::span<const Edge> edges, const std::function<void()>& body);
  void at_edge(const Edge& e);
  // Runs body with only the loops down to `level` open; what is open further in goes on after it.
  template <class F> void at_level(int level, F body) {
    std::vector<Emitter::Level> inner(std::make_move_iterator(e_.levels.begin() + level + 1), std::make_move_iterator(e_.levels.end()));
    e_.levels.resize(static_cast<size_t>(level) + 1);
    const auto point = point_;
    const auto depth = depth_of_;  // a loop around this one may run over the same range
    auto panels = panels_;
    const auto holds = holds_;
    const int outer = std::exchange(level_, level);
    std::erase_if(panels_, [&](const auto& p) { return p.second.depth > level; });
    std::erase_if(holds_, [&](const Hold& h) { return h.depth > level; });
    body();
    point_ = point;
    depth_of_ = depth;
    panels_.merge(panels);
    holds_ = holds;
    level_ = outer;
    e_.levels.insert(e_.levels.end(), std::make_move_iterator(inner.begin()), std::make_move_iterator(inner.end()));
  }
  // Runs body, which stages something, there. What is staged for a whole launch is there already in a thread's later calls.
  template <class F> void filling(int level, F body) {
    at_level(level, [&] {
      const bool once = level == 0 && !target_.grid;
      if (once) e_.open_loop(e_.push(0, make(InstOp::begun, DType::index)), e_.constant(DType::index, 1));
      const auto inside = std::exchange(inside_, {});
      const auto narrow = std::exchange(narrow_, {});
      filling_ = true;
      body();
      filling_ = false;
      inside_ = inside, narrow_ = narrow;
      if (once) e_.close_loop({});
    });
  }
  void bind_range(const UOp& r, int inst) { bind_at(e_.depth(), r, inst); }
  void bind_at(int level, const UOp& r, int inst);
  void choose_grid(int64_t enough);
  bool recomputes(const Axis& a) const;
  const UOp& grid_axis(size_t i) const { return nest_.axes[static_cast<size_t>(order_[i])].range; }
  template <class F> void for_points(const std::vector<const Axis*>& axes, F body) {
    for (const Axis* a : axes) point_[id(a->range)] = 0;
    for (;;) {
      body();
      size_t i = axes.size();
      while (i-- > 0) {
        const int n = id(axes[i]->range);
        int64_t& c = point_[n];
        if (++c < (inside_[n] ? inside_[n] : axes[i]->range.src(0).bounds().max)) break;
        c = 0;
      }
      if (i == static_cast<size_t>(-1)) return;
    }
  }

  // ---- expressions ----

  int level_of(uint64_t ranges) const;
  int level_under_conditions(const UOp& u);
  bool is_kind(int range_id, AxisKind kind) const;
  uint64_t point(uint64_t ranges) const;
  uint64_t key(const UOp& u, size_t component) const;
  const UOp* vector_axis(uint64_t ranges) const;
  bool narrow(uint64_t ranges) const;
  int width(const UOp& vector) const { return narrow(bit(vector)) ? narrow_.lanes : static_cast<int>(vector.src(0).bounds().max); }
  int emit(const UOp& u, size_t component = 0);
  int emit_new(const UOp& u, int level);
  int bitcast(int level, int a, DType to);
  int emit_range(const UOp& r);
  int emit_check(const UOp& u, int level);
  int pick(int level, int a, int lane);

  // ---- memory ----

  // An index as what is the same for all points of the tile, plus a constant for this point and how it moves with the lane.
  struct Address { int base; int64_t lane_step; bool affine; };
  Address address(const UOp& idx, const UOp* vector);
  int offsets(int level, const Address& a, int lanes);
  int mask_of(const UOp& gate, int lanes);
  int emit_load(const UOp& u, int level);
  const Axis* crossing(const UOp& index, const Address& a, int lanes) const;
  void transpose(int level, std::vector<int>& x);
  std::pair<UOp, UOp> unclamped(const UOp& at, UOp gate, int lanes) const;
  int load_transposed(const UOp& u, const UOp& idx, const UOp& gate, const Axis& rows, int level);
  UOp unshifted(const UOp& at) const;
  bool streams(const UOp& at, DType dtype) const;
  bool aligned(const UOp& index, int lanes) const;
  std::pair<const Axis*, int64_t> pages_apart(const UOp& load) const;
  int64_t ahead(const UOp& load) const;
  int64_t behind_tile(const UOp& load) const;
  int64_t below_tile(const UOp& store) const;
  static constexpr int64_t kLine = 64;  // bytes
  void ask(const UOp& access, int level, int at);
  void ask_for_next_rows(const UOp& sum);

  // ---- lanes a few elements apart: memory is accessed as if they were side by side, with a mask, and shuffled ----

  static int spread(const Address& a, int lanes);
  template <class F> int shuffle(int level, int v, int lanes, F from) { return shuffle(level, v, v, lanes, from); }
  template <class F> int shuffle(int level, int a, int b, int lanes, F from) {
    Inst i = make(InstOp::shuffle, e_.dtype(a), 0, {a, b});
    i.lanes = static_cast<uint16_t>(lanes);
    for (int k = 0; k < lanes; ++k) i.list.push_back(from(k));
    return e_.push(level, std::move(i));
  }
  int every(int level, int step, int lanes, int mask);

  // ---- staging: a copy in scratch of what one round of a loop reads, laid out in the order in which it is read ----

  struct Panel {
    int pointer, depth;
    std::vector<CopyAxis> axes;
    std::vector<UOp> loops;           // those axes that are loops
    std::vector<const Axis*> tile;    // those that are register tiles
    const Axis* pair = nullptr;       // what a matrix instruction takes side by side: innermost
    int64_t size = 1;
    UOp where = {}, late = {};        // of windows: where in the panel an element is, and what is tested when it is read
    UOp place() const {
      if (where) return where;
      UOp out = index(0);
      for (const CopyAxis& a : axes) out = out + a.range * a.stride;
      return simplify(out);
    }
  };
  int next_id(int added) const;
  int next_id() const;
  const Nest::Staged* staging(const UOp& u) const;
  int depth_of(const Nest::Staged& s, const UOp& u) const;
  const Panel& panel(const UOp& u, const Nest::Staged& s);
  int load_staged(const UOp& u, const Nest::Staged& s, int level);
  Panel layout(const UOp& u, int depth);
  Panel fill(const UOp& u, int depth);
  void join_loops(Panel& p, UOp& what, UOp& to) const;
  const UOp* across_lanes_of(const UOp& u, const Panel& p) const;
  UOp fill_turned(const Panel& p, const UOp& u, const UOp& to, const UOp& loop);

  // ---- windows: parts of an index in which loops of the output and of a sum meet ----

  // at: the part; scale: how far memory moves with it; box: what is copied of it. late: what is tested when it is read.
  struct Coordinate { UOp at; int64_t scale = 0; Bounds box; uint64_t ranges = 0; };
  struct Windows { std::vector<Coordinate> coordinates; UOp rest, gate, late; };
  Windows windows_of(const UOp& u, int depth) const;
  Panel fill_windows(const UOp& u, const Windows& w, int depth);
  void fill_squares(const Panel& p, const UOp& copied, const UOp& to, const UOp& along, int64_t lanes);
  void store_staged(const Panel& p, const UOp& what, const UOp& place, const UOp& inside);
  void fill_together(const UOp& needed, int at, int depth);
  void emit_store(const UOp& s);

  // ---- arrays in scratch of what several walks over a row need: of one round of the loops outside ----

  struct KeptArray { UOp store; const Split* row; int64_t elements; UOp begin; uint64_t outside; };  // begin: the index of a row's first
  void add_kept(const Kept& k, const UOp& bound);
  int place(const KeptArray& k);
  const KeptArray* kept(const UOp& access) const;
  UOp in_row(const UOp& index, const KeptArray& k) const;
  UOp in_scratch(const UOp& store, const KeptArray& k);
  void fill_row(const KeptArray& k);
  void walk_row(const KeptArray& k);

  // ---- rows that are stored while the next one is reduced ----

  void add_pipeline(std::span<const UOp> roots);
  void emit_pipeline();
  void bind_row_before(int row, const std::vector<int>& handed);
  void ask_for_ends();
  void walk_beside(int follows);
  Part beside(const Part& rounds) const;
  void store_row_before(const Part& rounds);

  // ---- matrix instructions ----

  bool is_whole(const UOp& r, const MatrixInstruction& m) const;
  std::vector<UOp> shifted(const std::vector<UOp>& roots);
  const MatrixInstruction* instruction_for(const UOp& r) const;
  void choose_matrix();
  int dot(const UOp& r, int accumulator);
  int pairs(const UOp& operand, int lanes);
  int interleaved(const UOp& u);
  int interleaved_parts(const UOp& u, int level);
  int load_pairs(const UOp& u, int level);

  // ---- matrix instructions with tiles ----

  bool has_tiles() const;
  [[noreturn]] void refuse_tiles(std::string_view why) const;
  void choose_tiles();
  int no_sums(DType dtype, int lanes);
  int load_tile(int level, DType dtype, int pointer, int at, int64_t stride, int lanes);
  void store_tile(int pointer, int at, int tile, int64_t stride);
  int dot_of_tiles(const UOp& r, int accumulator);
  bool in_tiles(const UOp& load) const { return tile_rows_ && (load.ranges() & bit(pair_->range)); }
  int tile_of(const UOp& u);
  Panel fill_tiles(const UOp& u, int depth);

  // ---- reductions ----

  std::vector<UOp> together(const UOp& r) const;
  std::vector<UOp> behind(const UOp& u) const;
  bool contains(const UOp& root, const UOp& u) const;
  bool ready(const UOp& o, int level) const;
  uint64_t unrolled(uint64_t ranges) const;
  std::vector<const Axis*> axes_in(uint64_t ranges) const;
  std::vector<const Axis*> axes_of_sums(const UOp& r) const;
  bool beside_lanes(const Axis& a) const;
  void emit_reduces(const UOp& first);
  class Loops;
  static bool rounds_off(const UOp& r);
  static bool is_contraction(const UOp& r);
  std::vector<std::vector<int64_t>> chain_blocks(const std::vector<UOp>& loops, const std::vector<UOp>& group) const;
  std::vector<UOp> known_before(const UOp& innermost, const std::vector<UOp>& group) const;
  using State = Block::State;
  std::vector<State> reduced(const std::vector<UOp>& group, std::function<void()> beside = {});
  void note(const std::vector<UOp>& group, const std::vector<State>& results, int level);
  static Monoid monoid(const UOp& r) { return r.op() == Op::Scan ? r.as<ScanArg>().monoid : r.as<ReduceArg>().monoid; }
  int lanes_of_value(const UOp& r, const UOp* own) const;
  State initial(const UOp& r, int lanes);
  State accumulate(const UOp& r, const State& acc);
  State set_aside(const State& s);
  int add_tile(int pointer, int tile);
  State combined(const UOp& r, const State& a, const State& b);
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
  int expression(const UOp& root, std::unordered_map<UOp, int>& known);
  State tree(const UOp& r, std::vector<State> parts);
  State across_lanes(const UOp& r, State s);
  int half(int v, int from, int n);

  // ---- scans ----

  void place_scan(const UOp& u);
  void emit_scan(const UOp& u);
  State scanned(const UOp& u, int level);
  State shifted(const State& s, const State& fill, int by);

  // ---- what is made of a tile of sums ----

  // row: the other axes of the tile; size: elements of a row
  struct SumsOfTile { UOp sum; int pointer; std::vector<const Axis*> row; int64_t lanes, size; };
  Axis* rows_of_epilogue();
  SumsOfTile put_aside(const UOp& sum, const Axis& rows);
  void take_back(const SumsOfTile& s, int row);
  void emit_tile();

  // ---- results of a sum, collected in scratch and stored with lanes of their own ----

  // sum: of the kernel; outside: how many of the output's loops are around a block; lanes, along: ranges that have the sum's lanes, and
  // the lanes of the stores
  struct Result { UOp sum, lanes, along; size_t outside; };
  std::optional<Result> staged_result() const;
  bool within_block(int axis, const Result& r) const;
  Nest nest_of_stores(const Result& r) const;
  std::vector<UOp> accesses_ahead(const Result& r, const std::vector<UOp>& stores);
  void collect(const Result& r);

  const Kernel& kernel_;
  Nest nest_;
  const Target& target_;
  LoweredPhase out_;
  Emitter e_;
  Threads threads_;
  Block block_{e_, out_.phase.scratch_bytes, threads_};
  std::vector<int> order_;  // the output's loops
  std::vector<UOp> stores_, reduces_;
  std::vector<KeptArray> kept_;
  const Pipeline* pipeline_;
  UOp driver_;                    // the reduction in whose walk the row before is stored,
  const Axis* reduced_ = nullptr; // and its loop
  bool walking_ = false;          // whether that walk is being emitted
  std::vector<UOp> handed_on_;    // Store(stand-in, 0, value)
  size_t rows_ = 0;               // how many loops of order_ are over rows
  bool row_before_ = false;       // whether it is what is being computed
  const MatrixInstruction* matrix_ = nullptr;
  std::optional<MatrixInstruction> shifted_;  // what its products are made with
  const Axis* pair_ = nullptr;  // the part of a reduction whose steps one matrix instruction makes,
  const Axis *tile_steps_ = nullptr, *tile_rows_ = nullptr;  // and those of its tiles, and their rows of sums
  int tile_sums_ = -1;                                       // memory for those that are added to others
  std::vector<UOp> scope_;  // what is being computed: the stores, or the values of the reductions whose loops are open
  std::vector<UOp> keep_;
  std::unordered_set<const void*> changing_;      // nodes that read what this kernel writes
  std::unordered_map<uint64_t, int> changed_;     // their values for the store that is being made
  std::vector<int> pointers_;
  std::unordered_map<UOp, int> variables_;
  std::array<const Axis*, 64> axis_of_{};
  std::array<int, 64> depth_of_{};
  std::array<int64_t, 64> point_{};
  std::array<int64_t, 64> inside_{};        // how many points of a register tile matter in the round that is open; 0: all
  std::unordered_set<int> written_;  // slots of parameters
  uint64_t blocks_ = 0;
  // A condition that is true in a loop that is open, but for the vectors that are at this point of a register tile.
  struct Hold { UOp condition; int depth; int tile = -1; int64_t but = 0; };
  bool holds(const Hold& h) const { return h.tile < 0 || point_[h.tile] != h.but; }
  std::vector<Hold> holds_;
  // Vectors along a range that have so many lanes only: at one point of a register tile, if there is one.
  struct Narrow { int vector = -1, tile = -1; int64_t at = 0; int lanes = 0; };
  Narrow narrow_;
  std::vector<std::pair<int, int>> reopened_;  // ranges whose round is open a second time, further in, and where the first time
  std::map<std::pair<const void*, const void*>, bool> contains_;  // whether an expression contains a condition
  std::unordered_map<UOp, Panel> panels_;
  bool filling_ = false, filling_row_ = false;
  int level_ = INT_MAX;  // where the reduction that is being made will be
  size_t grid_axes_ = 0, open_loops_ = 0;  // of order_
  std::vector<int> carried_;  // by scans, into the next round of the innermost loop
};

}  // namespace tg
