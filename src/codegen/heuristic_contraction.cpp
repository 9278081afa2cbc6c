// Verbs for contractions: which lanes, which register tile, what is packed and in which order, each by its cost in cycles.
#include <algorithm>
#include <cmath>

#include "codegen/operands.hpp"
#include "codegen/pack.hpp"

namespace tg {
namespace {

constexpr double kWaited = 6;                          // of a vector from beyond L2, asked for ahead, where each lies in another page
constexpr double kShared = 0.99;                       // of the time that cores worked, where fewer and larger pieces are shared
constexpr double kBeyond = 0.15;                       // of a number from beyond L2, foreseen
constexpr double kPacked = 2, kTurned = 5;             // of packing a vector beside reading it, and of transposing one for that
constexpr double kCrossed = 12;                        // of storing a vector column by column where the output does not fit L2
constexpr double kCollected = 16;                      // of storing a vector in scratch, and what is made of it with lanes of its own
constexpr double kResults = 0.25;                      // of L2, for results that are collected
constexpr double kApartStored = 2, kScattered = 8;     // of storing a lane of a vector by itself, and into a page of its own
constexpr double kOverlapped = 0.15, kHidden = 0.025;  // of what loads cost that arithmetic does not hide: two a cycle, one a cycle
constexpr double kBegun = 10;                          // of beginning and ending a tile
constexpr double kTwice = 0.02;                        // what a tile that does not divide its range costs, as code that is made twice
constexpr double kAnew = 1.5;       // of a step whose windows were in L2 for the panel before and no longer are: a tile waits
constexpr double kDone = 0.8;       // what is left to do where the rounds in which a test fails are left out
constexpr double kAcross = 5;       // of adding up the lanes of a vector
constexpr int64_t kRounds = 8;      // of a matrix instruction, beside which a last one that is masked is little
constexpr double kPaired = 4;       // of putting a row's numbers side by side for one
constexpr double kInterleaved = 2;  // of a vector whose steps are put side by side for a matrix instruction
// Rows have an address each, in a register, where they are not whole steps apart; beyond these, arithmetic waits for some of them.
constexpr int64_t kAddresses = 12;
constexpr int64_t kWritten = 1536;  // nodes of operands that a tile makes for each of its rows or vectors: code that takes long to compile

class Contraction : public Operands {
 public:
  explicit Contraction(const Choice& c) : Operands(c) {}

  // sum(a * b) where a and b each have loops of their own: every loaded value serves many products, so keep a tile of sums in registers.
  Verbs run(bool may_copy) {
    const UOp* best = nullptr;
    for (const UOp& u : reduces_) {
      if (u.as<ReduceArg>().monoid != Monoid::Sum || u.src(0).op() != Op::Mul) continue;
      if (!best || length(u) > length(*best)) best = &u;
    }
    if (!best) return {};
    const UOp &a = best->src(0).src(0), &b = best->src(0).src(1);
    std::vector<UOp> only_a, only_b;
    for (const UOp& r : kernel_.ranges) {
      if (!(best->ranges() & r.ranges()) || extent(r) < 2 || sequential(r)) continue;
      const bool in_a = reads(a, r), in_b = reads(b, r);
      if (in_a && !in_b) only_a.push_back(r);
      if (in_b && !in_a) only_b.push_back(r);
    }
    if (only_a.empty() || only_b.empty()) return {};
    const Plan p = std::ranges::min({plan(only_a, only_b, *best, may_copy), plan(only_b, only_a, *best, may_copy),
                                     along_sum(only_a, only_b, *best), along_sum(only_b, only_a, *best)}, {}, &Plan::cost);
    if (p.cost >= 1e30) return {};
    if (p.sum) {
      along_sum(p);
      return take();
    }
    if (p.copied >= 0) {  // the verbs that follow are chosen for what then is left
      verbs_.push_back(Verb::stage(p.copied, "phase"));
      return take();
    }
    tile(name(p.lanes), lanes_, AxisKind::Vector);
    tile(name(p.lanes), p.vectors, AxisKind::Unroll);
    tile(name(p.rows), p.height, AxisKind::Unroll);
    if (p.also) tile(name(p.also), extent(p.also), AxisKind::Unroll);
    if (kernel_.sequential && p.packing != Packing::Panels) rows_innermost(p);
    matrix(*best);
    const bool first = reads(a, p.lanes);
    if (p.packing != Packing::None) {
      stage(first ? a : b, p, *best);
      stage_rows(first ? b : a, p, *best);
    }
    stage_result(first ? a : b, p);
    return take();
  }

 private:
  // What makes steps of the sum in pairs, if the target has an instruction for such products, in vectors of as many lanes.
  const MatrixInstruction* matrix_instruction(const UOp& reduce) const {
    const auto closed = reduce_ranges(reduce);
    if (reduces_.size() != 1 || closed.empty()) return nullptr;
    const int64_t n = extent(closed.back());
    for (const MatrixInstruction& m : target_.matrix)
      if (m.rows == 1 && multiplies(m, reduce) && lanes_ * static_cast<int64_t>(size_of(m.accumulator)) == target_.vector_bytes)
        return n % m.depth == 0 || n >= kRounds * m.depth ? &m : nullptr;
    return nullptr;
  }
  void matrix(const UOp& reduce) {
    const MatrixInstruction* const m = matrix_instruction(reduce);
    if (m && !tile(name(reduce_ranges(reduce).back()), m->depth, AxisKind::Unroll).empty()) apply(Verb::mma(m->name));
  }

  // How the operand that has the lanes is packed: not; all of it by each core; a panel at a time, for each of so many blocks of rows.
  enum class Packing : uint8_t { None, Whole, Panels };
  // copied: the operand whose rows are first copied. sum: the range of the sum that has the lanes instead, if any. also: the other axis
  // of a window, where the tile has all of both
  struct Plan {
    UOp lanes, rows, sum = {}, also = {};
    int64_t vectors = 1, height = 1, blocks = 1, together = 1;
    double cost = 1e30;
    Packing packing = Packing::None;
    int copied = -1;
  };
  // A product seen from the operand that has the lanes.
  struct Sides {
    const UOp &reduce, &of_lanes, &of_rows;
    const std::vector<UOp>&along, &across;  // loops that either has alone
    double rows = 1, batch = 1;             // how often a staged panel is read, and how many products there are
    double all = 0;                         // bytes of the operand that has the lanes, of one product
    double beyond = 0;                      // what a number of the other one costs more from beyond L2
    double by_columns = 0;                  // of a vector of results that is stored there column by column
  };
  // Lanes along one of its loops.
  struct Lanes {
    UOp range;
    int64_t rounds;                      // of panels along it
    double unpacked, shuffled, to_pack;  // a vector as it lies, what of that arithmetic does not hide, and packing one
    bool waits;                          // packing it, each step of the sum for another page
    bool cut;                            // last rounds make what is inside of their range and nothing else
  };
  // Rows of a tile along a loop of the other operand, or all along both axes of its windows.
  struct Across {
    UOp range, also;
    int64_t each;  // rows for each along the range
    Rows how;
    double window;  // bytes of a row of windows, if these are packed
    bool copied;    // before the product
    bool apart;     // steps that an instruction takes together do not lie side by side
    double done;    // the part of the work that tests leave
  };
  // Sums in registers: so many rows of so many vectors.
  struct Tile {
    int64_t vectors, height, panels;
    bool packed;              // its windows are
    double panel, row, anew;  // bytes of a panel, cycles of a row's number, and of windows that another panel has driven out
  };
  // Where a tile's vectors come from, and what that costs: a vector's load, its packing shared by the rows it serves, what each row's
  // number and each vector of results takes more, and the part of the time that cores work.
  struct Source {
    Packing packing;
    int64_t blocks;  // of rows
    double load, pack, more, store, used;
  };

  // The cheapest, in cycles for one product of one lane.
  Plan plan(const std::vector<UOp>& along, const std::vector<UOp>& across, const UOp& reduce, bool may_copy) const {
    const Sides s = sides(along, across, reduce);
    const int64_t written = std::max<int64_t>(1, kWritten / std::ssize(toposort(reduce.src(0))));
    Plan best;
    for (const UOp& v : along) {
      const Lanes lanes = lanes_along(v, s);
      for (const Across& rows : all_across(s, may_copy))
        for (int64_t vectors = 1; vectors <= std::min<int64_t>({6, written, ceil_div(extent(v), lanes_)}); ++vectors) {
          const int64_t most = (target_.vector_registers - 2 - vectors) / vectors / rows.each;
          for (int64_t height = rows.also ? extent(rows.range) : 1; height <= std::min({extent(rows.range), most, written}); ++height) {
            const Tile tile = tile_of(vectors, height, lanes, rows, s);
            each_source(tile, lanes, rows, s, [&](const Source& from) {
              const double cost = cost_of(tile, from, lanes, rows, s);
              if (cost < best.cost)
                best = {
                    v, rows.range, {}, rows.also, vectors, height, from.blocks, 1, cost, from.packing, rows.copied ? rows.how.param : -1};
            });
          }
        }
    }
    if (best.packing == Packing::Panels) best.together = together(best, s);
    return best;
  }
  Sides sides(const std::vector<UOp>& along, const std::vector<UOp>& across, const UOp& reduce) const {
    const UOp &a = reduce.src(0).src(0), &b = reduce.src(0).src(1);
    const bool first = reads(a, along[0]);
    Sides s{reduce, first ? a : b, first ? b : a, along, across};
    for (const UOp& r : across) s.rows *= static_cast<double>(extent(r));
    for (const UOp& r : kernel_.ranges)
      if (in_both(reduce, r)) s.batch *= static_cast<double>(extent(r));
    s.all = footprint(s.of_lanes) / s.batch;
    s.beyond = stream_cost(footprint(s.of_rows)) < kDistant ? 0 : kBeyond;
    double outputs = static_cast<double>(widest_);
    for (const UOp& r : kernel_.ranges) outputs *= static_cast<double>(extent(r));
    s.by_columns = stream_cost(outputs / s.batch) < kDistant ? 0 : kCrossed;
    return s;
  }
  Lanes lanes_along(const UOp& v, const Sides& s) const {
    auto rounds = static_cast<int64_t>(s.batch);
    for (const UOp& o : kernel_.ranges)
      if (sequential(o) && in_both(s.reduce, o)) rounds /= extent(o);
    for (const UOp& o : s.along)
      if (!(o == v)) rounds *= extent(o);
    const bool windows = rows_of(s.of_lanes, v, s.reduce).windowed, turned = !windows && turns(v, s.reduce);
    const double once = stream_cost(s.all) < kDistant || (turned && !load_pages_apart(v)) ? stream_cost(s.all) : kWaited;
    const double unpacked = (windows ? kNear : once) * (misaligned(s.of_lanes, v) ? 2 : 1);
    const double shuffled = (matrix_instruction(s.reduce) ? kInterleaved : 0) + (turned ? load_cost(v) : 0);
    const double to_pack = kPacked + once + (turned ? kTurned : load_cost(v));
    const bool waits = !turned && !windows && once >= kWaited && steps_pages_apart(s.of_lanes, s.reduce);
    return {v, rounds, unpacked, shuffled, to_pack, waits, !beside(v)};
  }
  std::vector<Across> all_across(const Sides& s, bool may_copy) const {
    std::vector<Across> out;
    for (const UOp& r : s.across) {
      const Rows how = rows_of(s.of_rows, r, s.reduce);
      const bool apart = matrix_instruction(s.reduce) && !straight(s.of_rows, reduce_ranges(s.reduce).back());
      const bool copied =
          may_copy && length(s.reduce) >= kRun && (apart || scattered(s.of_rows, how)) && sole_read(kernel_, how.param).load;
      const double window = how.windowed ? window_bytes(s.of_rows, r, s.reduce) : 0;
      out.push_back({r, {}, 1, how, window, copied, apart, gates_ && !gated(r) ? kDone : 1});
      for (const UOp& o : s.across)
        if (o.as<RangeArg>().id > r.as<RangeArg>().id && !gates_ && over_window(s.of_rows, r, s.reduce) &&
            over_window(s.of_rows, o, s.reduce))
          out.push_back({r, o, extent(o), how, 0, false, false, 1});
    }
    return out;
  }
  Tile tile_of(int64_t vectors, int64_t height, const Lanes& lanes, const Across& rows, const Sides& s) const {
    const Rows& how = rows.how;
    const UOp& r = rows.range;
    const int64_t panels = ceil_div(extent(lanes.range), vectors * lanes_);
    const bool packed = packs(rows.window, r, height);
    const bool addressed = packed || rows.also || (extent(r) % height == 0 && target_.fma_per_cycle > 1) || height <= kAddresses;
    const double unpacked = rows.copied ? kNear + kCopied / static_cast<double>(panels)
                                        : row_cost(s.of_rows, r, how, panels) + (rows.apart ? kPaired : 0);
    const double row = packed ? kNear + kWindow : unpacked * (addressed ? 1 : 2) + (how.crowded(height, widest_) ? kFar : 0);
    const bool unforeseen = how.windowed && s.beyond > 0 && panels > 1 && !packed && !how.streams && !how.foreseen;
    const double panel = length(s.reduce) * static_cast<double>(vectors * lanes_) * static_cast<double>(widest_);
    return {vectors, height, panels, packed, panel, row, unforeseen ? kAnew / static_cast<double>(vectors) : 0};
  }
  // The vectors as they lie, all of them packed, or a panel at a time for each of some blocks of rows.
  template <class F>
  void each_source(const Tile& tile, const Lanes& lanes, const Across& rows, const Sides& s, F consider) const {
    const UOp& r = rows.range;
    const Rows& how = rows.how;
    const int64_t high = tile.height * rows.each,
                  tiles = static_cast<int64_t>(s.batch) * tile.panels * ceil_div(static_cast<int64_t>(s.rows), high);
    const double used = efficiency(tiles, target_.cores), more = beyond(tile, rows, s);
    const double pack = lanes.to_pack * static_cast<double>(high) / s.rows;
    if (!rows.also) consider(Source{Packing::None, 1, lanes.unpacked + load_cost(lanes.range), lanes.shuffled, 0, 0, used});
    // what all panels may take where windows rather than panels are to stay in L2: each core has them in its share of the last cache
    const double most_shared = 0.5 * static_cast<double>(target_.l3_bytes) / static_cast<double>(target_.cores);
    const bool passing = how.windowed && !tile.packed && !how.streams && s.all <= most_shared;
    if (s.batch == 1 && (stream_cost(s.all) < kDistant || passing))
      consider(Source{Packing::Whole, 1, std::min(stream_cost(s.all), kFar), pack * target_.cores, more, 0, used});
    if (tile.panel > 0.75 * static_cast<double>(target_.l2_bytes)) return;
    const bool may_cut = s.across.size() == 1 && !how.packable;
    const double last = lanes.cut ? last_of(lanes.range, tile.vectors * lanes_) : 1;
    for (int64_t blocks = 1; blocks == 1 || (may_cut && blocks <= 8 && blocks * 4 * tile.height <= extent(r)); blocks *= 2) {
      const double packing = pack * static_cast<double>(blocks) + tile.anew, working = busy(lanes.rounds * blocks, tile.panels, last);
      consider(Source{Packing::Panels, blocks, std::min(stream_cost(tile.panel), kFar), packing, more, s.by_columns, working});
    }
  }
  // How many panels are packed at once, so that packing reads longer pieces of rows in pages of their own; each tile of rows then passes by
  // all of these. As many as stay in L2, while the rows of a tile stay in L1, and leave equal shares for all cores.
  int64_t together(const Plan& p, const Sides& s) const {
    const Rows rows = rows_of(s.of_rows, p.rows, s.reduce);
    const Lanes lanes = lanes_along(p.lanes, s);
    const double element = length(s.reduce) * static_cast<double>(widest_), of_rows = element * static_cast<double>(p.height);
    const int64_t width = p.vectors * lanes_;
    const bool passing = kernel_.sequential != 0;  // rounds that add to results: the rows come from beyond L2 for each panel
    if (!(lanes.waits || passing) || rows.windowed || rows.packable || of_rows > 0.75 * static_cast<double>(target_.l1_bytes)) return 1;
    const UOp* const along = beside(p.lanes);
    const auto fits = [&](int64_t panels) {
      const int64_t columns = panels * width;
      return columns <= extent(p.lanes) && (!along || fit_results(columns, *along, p.rows, p.height)) &&
             columns * static_cast<int64_t>(widest_) <= kPiece &&
             element * static_cast<double>(columns) <= (passing ? 0.5 : 0.25) * static_cast<double>(target_.l2_bytes);
    };
    const auto working = [&](int64_t panels) {
      const int64_t columns = panels * width;
      return busy(lanes.rounds * p.blocks, ceil_div(extent(p.lanes), columns), lanes.cut ? last_of(p.lanes, columns) : 1);
    };
    int64_t out = 1;
    while (fits(2 * out) && working(2 * out) >= kShared * working(1)) out *= 2;
    return out;
  }
  // What each row's number takes more from beyond L2: all that its windows pass, if those of a tile do not stay in L2.
  double beyond(const Tile& tile, const Across& rows, const Sides& s) const {
    const Rows& how = rows.how;
    if (!how.windowed) return s.beyond;
    const double passed = static_cast<double>(how.passed * (how.step <= kApart ? 1 : tile.height)) * static_cast<double>(widest_);
    const bool streamed = how.streams && !tile.packed && stream_cost(passed) >= kDistant;
    return streamed ? s.beyond * static_cast<double>(how.passed) / length(s.reduce) : 0;
  }
  double cost_of(const Tile& tile, const Source& from, const Lanes& lanes, const Across& rows, const Sides& s) const {
    const UOp &v = lanes.range, &r = rows.range;
    const auto each = static_cast<double>(rows.each);
    const auto cycles = [&](double wide, double high) {  // a step of a tile
      const double of_vectors = std::ceil(wide) * from.load, loads = of_vectors + high * (tile.row + from.more);
      return std::max({wide * high / 2, loads, 4.0}) + overlapped_ * (loads + (tile.packed ? of_vectors : 0)) + kBegun / length(s.reduce) +
             static_cast<double>(tile.vectors) * from.pack;
    };
    const double all_cycles = over_tiles(r, tile.height, 1, !lanes.cut, [&](double high) {
      return over_tiles(v, tile.vectors, lanes_, !lanes.cut, [&](double wide) { return cycles(wide, high * each); });
    });
    const double done = gated(v) ? 1 : rows.done;
    const double vectors_of_rows = each * static_cast<double>(extent(r)) * static_cast<double>(extent(v)) / static_cast<double>(lanes_);
    return done * all_cycles / (vectors_of_rows * from.used) + (store_cost(v, r, tile, from.blocks) + from.store) / length(s.reduce);
  }
  // The part of the time that cores work which share so many rounds of panels. The last of a round takes a part of the others' time: it
  // counts for the core that works longest where that one has whole rounds, or where it comes alone at the end.
  double busy(int64_t rounds, int64_t panels, double last) const {
    const int64_t all = rounds * panels, most = ceil_div(all, target_.cores), whole = most / panels;
    const auto time = [&](int64_t n, int64_t lasts) { return static_cast<double>(n) - static_cast<double>(lasts) * (1 - last); };
    return time(all, rounds) / (target_.cores * time(most, whole == 0 && all % target_.cores == 1 ? 1 : whole));
  }
  // What all tiles over a range cost, each of so many points of `step` elements: `cost` is of how many points, half ones in narrower
  // vectors where these take half the time. `whole`: the last one is as large as the others.
  template <class F>
  double over_tiles(const UOp& r, int64_t points, int64_t step, bool whole, F cost) const {
    const int64_t n = extent(r), tiles = n / (points * step), left = n - tiles * points * step;
    const double all = static_cast<double>(tiles) * (tiles > 0 ? cost(static_cast<double>(points)) : 0);
    if (left == 0) return all;
    if (whole) return all + cost(static_cast<double>(points));
    return (all + cost(points_of(left, step))) * (1 + (tiles > 0 ? kTwice : 0));
  }
  double points_of(int64_t left, int64_t step) const {
    const bool half = target_.fma_per_cycle == 1 && 2 * (left % step) <= step;
    return static_cast<double>(left / step) + (left % step == 0 ? 0 : half ? 0.5 : 1);
  }
  // The last of panels of so many lanes, as a part of the others.
  double last_of(const UOp& v, int64_t width) const {
    const int64_t left = extent(v) % width;
    return left == 0 ? 1 : points_of(left, lanes_) * static_cast<double>(lanes_) / static_cast<double>(width);
  }
  // Lanes along the sum, a register tile of rows of one operand by rows of the other: for sums that both operands read straight through.
  // Nothing is packed; a tile of one operand's rows stays near while all rows of the other pass by, and lanes are added up at the end.
  Plan along_sum(const std::vector<UOp>& inner, const std::vector<UOp>& outer, const UOp& reduce) const {
    Plan best;
    if (reduce_ranges(reduce).size() != 1 || gates_) return best;
    const UOp &k = reduce_ranges(reduce)[0], &product = reduce.src(0), &a = product.src(0), &b = product.src(1);
    if (extent(k) < lanes_ || !straight(product, k)) return best;
    double batch = 1;
    for (const UOp& r : kernel_.ranges)
      if (in_both(reduce, r)) batch *= static_cast<double>(extent(r));
    const bool first = reads(a, inner[0]);
    const double passing = stream_cost(footprint(first ? a : b) / batch), coming = stream_cost(footprint(first ? b : a) / batch);
    const double row = length(reduce) * static_cast<double>(widest_), end = kAcross * static_cast<double>(lanes_) / length(reduce);
    const double split = misaligned(product, k) ? 2 : 1, steps = matrix_instruction(reduce) ? 2 : 1;  // that others make at once
    for (const UOp& v : inner)
      for (const UOp& r : outer)
        for (int64_t height = 1; height <= std::min<int64_t>(extent(r), target_.vector_registers); ++height)
          for (int64_t width = 1; width <= extent(v) && height * width + std::min(height, width) + 2 <= target_.vector_registers; ++width) {
            const auto across = static_cast<double>(height), along = static_cast<double>(width), tile = across * along;
            const int64_t addresses = (extent(r) % height ? height : 0) + (extent(v) % width ? width : 0);
            const double again = stream_cost(row * across), first_of = 1 / static_cast<double>(ceil_div(extent(v), width));
            const double loads =
                split * (addresses > kAddresses ? 2 : 1) * (across * (again + (coming - again) * first_of) + along * passing);
            const double cycles = std::max({tile / 2, loads, 4.0}) + overlapped_ * loads;
            const double used = tile * efficiency(extent(r), height) * efficiency(extent(v), width) * efficiency(extent(k), lanes_);
            const auto tiles = static_cast<int64_t>(batch) * ceil_div(extent(r), height) * ceil_div(extent(v), width);
            const double cost = steps * cycles / (used * efficiency(tiles, target_.cores)) + end;
            if (cost < best.cost) best = {.lanes = v, .rows = r, .sum = k, .vectors = width, .height = height, .cost = cost};
          }
    return best;
  }
  void along_sum(const Plan& p) {
    tile(name(p.sum), lanes_, AxisKind::Vector);
    tile(name(p.rows), p.height, AxisKind::Unroll);
    tile(name(p.lanes), p.vectors, AxisKind::Unroll);
    Verb order = Verb::order(nest_.loops());
    const auto rows = std::find(order.axes.begin(), order.axes.end(), name(p.rows)),
               passing = std::find(order.axes.begin(), order.axes.end(), name(p.lanes));
    if (passing < rows) std::iter_swap(rows, passing), apply(std::move(order));
  }
  // Rounds that add to results read each vector once: the tiles of rows that it serves follow each other.
  void rows_innermost(const Plan& p) {
    Verb order = Verb::order(nest_.loops());
    const auto rows = std::ranges::find(order.axes, name(p.rows));
    std::rotate(rows, rows + 1, order.axes.end());
    apply(std::move(order));
  }
  // A packed panel of the operand that has the lanes: of all of it before any loop, or of one block of lanes, whose loop then goes
  // outermost so that everything else, or all of a block of rows, reuses it.
  void stage(const UOp& operand, const Plan& p, const UOp& reduce) {
    Verb v = Verb::stage(-1, "launch");
    for (const UOp& u : toposort(operand))
      if (u.op() == Op::Load && stride(u.src(1), p.lanes) != 0) v.param = u.src(0).as<ParamArg>().slot;
    if (p.packing == Packing::Panels) {
      v.axis = name(p.lanes);
      const std::string panel = tile(v.axis, p.together, AxisKind::Loop);
      if (p.blocks > 1) tile(name(p.rows), ceil_div(ceil_div(extent(p.rows), p.height), p.blocks), AxisKind::Loop);
      Verb order = Verb::order({});
      // outermost what both operands have and blocks of rows, then the loops of this one, those of lanes last, and rounds that add to
      // results; innermost the panels
      const auto place = [&](const std::string& n) {
        if (n == panel) return 5;
        const UOp* const r = range_of(n);
        if (r && sequential(*r)) return 3;
        return (r && in_both(reduce, *r)) || (p.blocks > 1 && n == name(p.rows)) ? 0 : n == v.axis ? 2 : loops_over(n, operand) ? 1 : 4;
      };
      for (int n = 0; n < 6; ++n)
        for (const std::string& axis : nest_.loops()) {
          if (place(axis) != n) continue;
          order.axes.push_back(axis);
          if (n == 3) v.axis = axis;
        }
      apply(std::move(order));
    }
    apply(std::move(v));
  }
  // The other operand, when its rows lie far apart and all lanes read them again: packed too, in blocks of rows that stay in L2 while the
  // panels of lanes pass by.
  void stage_rows(const UOp& operand, const Plan& p, const UOp& reduce) {
    const Rows rows = rows_of(operand, p.rows, reduce);
    const bool whole = !nest_.staged.empty() && nest_.staged.back().at < 0;
    if (p.also) return;
    if (rows.windowed && whole && packs(window_bytes(operand, p.rows, reduce), p.rows, p.height)) {
      Verb order = Verb::order(nest_.loops());  // the tile's rows outermost, and inside what does not read them
      const auto place = [&](const std::string& n) { return n == name(p.rows) ? 0 : loops_over(n, operand) ? 1 : 2; };
      std::stable_sort(order.axes.begin(), order.axes.end(), [&](const auto& x, const auto& y) { return place(x) < place(y); });
      apply(std::move(order));
      apply(Verb::stage(rows.param, name(p.rows)));
      return;
    }
    if (!rows.packable || ceil_div(extent(p.lanes), p.vectors * lanes_) < kPanels) return;
    Verb v = Verb::stage(rows.param, "launch");
    const double row = length(reduce) * static_cast<double>(widest_), panel = row * static_cast<double>(p.vectors * lanes_),
                 room = std::max(0.25 * static_cast<double>(target_.l2_bytes), 0.75 * static_cast<double>(target_.l2_bytes) - panel);
    if (footprint(operand) > room) {
      const auto most = static_cast<int64_t>(room / row) / p.height,
                 share = ceil_div(ceil_div(extent(p.rows), p.height), 2 * target_.cores);
      if (std::min(most, share) < 2) return;
      v.axis = name(p.rows);
      tile(v.axis, std::min(most, share), AxisKind::Loop);
      Verb order = Verb::order(nest_.loops());
      const auto lanes = std::find(order.axes.begin(), order.axes.end(), name(p.lanes)),
                 block = std::find(order.axes.begin(), order.axes.end(), v.axis);
      if (lanes < block) std::rotate(lanes, block, block + 1);
      apply(std::move(order));
    }
    apply(std::move(v));
  }
  // The output's axis that lies side by side where lanes along v lie apart: blocks of results can be stored with lanes along it.
  const UOp* beside(const UOp& v) const {
    if (reduces_.size() != 1 || kernel_.stores.size() != 1 || kernel_.sequential) return nullptr;
    const UOp& at = kernel_.stores[0].src(1);
    if (const int64_t apart = stride(at, v); apart == 0 || std::abs(apart) == 1) return nullptr;
    for (const UOp& r : kernel_.ranges)
      if (2 * extent(r) >= lanes_ && stride(at, r) == 1 && reads(reduces_[0], r)) return &r;
    return nullptr;
  }
  // Results are collected in the loop around those of the axis that lies side by side, where they fit L2 beside what is packed. If the
  // operand that has the lanes stays in L2, all of it passes by each part of the other one.
  void stage_result(const UOp& of_lanes, const Plan& p) {
    const UOp* const along = beside(p.lanes);
    if (!along) return;
    const auto axis = [&](const std::string& n) -> const Axis& { return nest_.axes[static_cast<size_t>(nest_.find(n))]; };
    std::vector<std::string> loops = nest_.loops();
    const auto of = [&](const std::string& loop) {
      return std::ranges::any_of(nest_.split_of(*along).axes, [&](int a) { return nest_.axes[static_cast<size_t>(a)].name == loop; });
    };
    auto first = std::ranges::find_if(loops, of);
    if (const auto lanes = std::ranges::find(loops, name(p.lanes));
        lanes < first && p.packing != Packing::Panels && footprint(of_lanes) <= 0.5 * static_cast<double>(target_.l2_bytes)) {
      std::rotate(lanes, lanes + 1, first);
      apply(Verb::order(loops));
    }
    double block = static_cast<double>(widest_);
    for (const Axis& a : nest_.axes)
      if (std::find(loops.begin(), first, a.name) == first && !of_sum(a)) block *= static_cast<double>(a.most);
    if (block > kResults * static_cast<double>(target_.l2_bytes)) return;
    while (first != loops.begin() && axis(*(first - 1)).single()) --first;
    if (first != loops.begin()) apply(Verb::stage(kernel_.stores[0].src(0).as<ParamArg>().slot, *(first - 1)));
  }
  bool of_sum(const Axis& a) const {
    return std::ranges::any_of(nest_.splits, [&](const Split& s) {
      return s.reduces() && std::ranges::any_of(s.axes, [&](int i) { return &nest_.axes[static_cast<size_t>(i)] == &a; });
    });
  }
  // Bytes of results that are collected, so many lanes of all of the axis that lies side by side.
  double results(int64_t width, const UOp& along, const UOp& rows, int64_t height) const {
    const int64_t high = along == rows ? ceil_div(extent(rows), height) * height : extent(along);
    return static_cast<double>(width * high) * static_cast<double>(widest_);
  }
  bool fit_results(int64_t width, const UOp& along, const UOp& rows, int64_t height) const {
    return results(width, along, rows, height) <= kResults * static_cast<double>(target_.l2_bytes);
  }
  // Cycles for a vector of results: collected where all of the axis that lies side by side is in one block, else stored as it is.
  double store_cost(const UOp& v, const UOp& rows, const Tile& tile, int64_t blocks) const {
    const int64_t width = tile.vectors * lanes_;
    const UOp* const along = beside(v);
    if (along && (blocks == 1 || !(*along == rows))) {
      const auto around = [&](const UOp& r) { return !(r == *along) && extent(r) > (r == v ? width : 1); };  // loops to collect results in
      if (fit_results(width, *along, rows, tile.height) && std::ranges::any_of(kernel_.ranges, around))
        return kCollected + (results(width, *along, rows, tile.height) < static_cast<double>(target_.l1_bytes) ? 0 : kCrossed);
    }
    double sum = 0;
    for (const Access& a : accesses_)
      if (const int64_t s = stride(a.index, v); a.store && s != 0)
        sum += s == 1 ? 1.0 : static_cast<double>(lanes_) * (pages_apart(s) ? kScattered : kApartStored);
    return sum;
  }
  const double overlapped_ = target_.fma_per_cycle > 1 ? kOverlapped : kHidden;
};

}  // namespace

Verbs choose_contraction(const Choice& c, bool may_copy) { return Contraction(c).run(may_copy); }

}  // namespace tg
