// See heuristic.hpp. Two kinds of kernels: contractions, whose time is arithmetic and which get a register tile, and all others, whose
// time is memory and which get lanes along what lies side by side.
#include "codegen/heuristic.hpp"

#include <algorithm>
#include <bit>

#include "codegen/access.hpp"
#include "codegen/heuristic_gpu.hpp"
#include "codegen/pack.hpp"

namespace tg {
namespace {

constexpr double kWorthSplitting = 256e3;  // elements of a reduction that one core should not do alone
constexpr double kNear = 0.5, kFar = 1, kDistant = 4;  // cycles of a vector load from L1, and of streaming one from L2 or beyond
constexpr double kMissed = 4, kCopied = 8;  // of a number that has to be waited for, and of copying one
constexpr double kPacked = 10, kWaited = 10,
                 kBeyond = 0.15;             // of packing a vector, of one and of a number from beyond L2, the latter foreseen
constexpr double kCrossed = 12;            // of storing a vector column by column where the output does not fit L2
constexpr double kOverlapped = 0.15;       // of what loads cost that arithmetic does not hide
constexpr double kMask = 1, kWindow = 0.05;  // cycles that a test adds to a row's load, and that packing windows does
constexpr double kDone = 0.8;     // what is left to do where the rounds in which a test fails are left out
constexpr int64_t kRun = 64;               // elements side by side, for the processor to fetch ahead
constexpr int64_t kPanels = 4;             // of lanes that read packed rows again, before packing them pays
constexpr int64_t kAddresses =
    12;                           // the last rows of a tile that does not divide its range are clamped: each has an address, in a register
constexpr int64_t kBlock = 4096;  // elements of a streaming block: some microseconds of work, small beside L2

double efficiency(int64_t n, int64_t tile) { return static_cast<double>(n) / static_cast<double>(ceil_div(n, tile) * tile); }

struct Access { UOp index, gate; double times; bool store; };

class Chooser {
 public:
  Chooser(const Kernel& k, const Target& t) : kernel_(k), target_(t), nest_(k) {
    for (const UOp& u : toposort(k.stores)) {
      if (u.op() == Op::Reduce) reduces_.push_back(u), widest_ = std::max(widest_, size_of(u.dtype()));
      if (u.op() == Op::Load || u.op() == Op::Store)
        widest_ = std::max(widest_, size_of(u.op() == Op::Load ? u.dtype() : u.src(2).dtype()));
      if (u.op() == Op::Load)
        accesses_.push_back({u.src(1), u.src().size() > 2 ? u.src(2) : UOp(), times(u.src(1)), false}), gates_ |= u.src().size() > 2;
      if (u.op() == Op::Store) accesses_.push_back({u.src(1), {}, times(u.src(1)), true});
    }
    lanes_ = static_cast<int64_t>(static_cast<size_t>(t.vector_bytes) / widest_);
  }

  Verbs run(const Phases& may) {
    if (!(may.group && split_long_reduction()) && lanes_ > 1 && !contraction(may.copy)) streaming();
    return std::move(verbs_);
  }

 private:
  // ---- bookkeeping ----

  bool apply(Verb v) {
    if (!nest_.fits(v)) return false;
    nest_.apply(v);
    verbs_.push_back(std::move(v));
    return true;
  }
  // Splits, and says what the inner part is called; empty if it does not fit.
  std::string tile(const std::string& axis, int64_t n, AxisKind as) {
    return n > 1 && apply(Verb::tile(axis, n, as)) ? nest_.axes.back().name : std::string();
  }
  std::string name(const UOp& r) const { return nest_.axes[static_cast<size_t>(nest_.split_of(r).axes[0])].name; }
  double times(const UOp& idx) const {  // how often this access happens, all loops counted that it depends on
    double n = 1;
    for (const Split& s : nest_.splits) if (stride(idx, s.original) != 0) n *= static_cast<double>(extent(s.original));
    return n;
  }
  bool sequential(const UOp& r) const { return (r.ranges() & kernel_.sequential) != 0 && r.as<RangeArg>().kind == RangeKind::Output; }

  // ---- reductions longer than the output can keep the cores busy, or than a packed panel can be ----

  bool split_long_reduction() {
    for (const Split& s : nest_.splits) if (s.original.as<RangeArg>().id > 60) return false;
    if (kernel_.sequential) return false;
    for (const UOp& u : reduces_) {
      if (reduce_ranges(u).empty() || u.as<ReduceArg>().monoid == Monoid::ArgMax) continue;
      const bool inner = std::any_of(reduces_.begin(), reduces_.end(), [&](const UOp& o) { return !(o == u) && reads(u, o); });
      if (inner || !alone(u)) continue;
      const UOp& r = *std::max_element(reduce_ranges(u).begin(), reduce_ranges(u).end(),
                                       [](const UOp& a, const UOp& b) { return extent(a) < extent(b); });
      double outputs = 1;
      for (const UOp& o : kernel_.ranges) if (u.ranges() & o.ranges()) outputs *= static_cast<double>(extent(o));
      const double n = length(u);
      int64_t parts = 0;
      if (outputs < 16 && outputs * n >= kWorthSplitting)
        parts = std::min<int64_t>(64, static_cast<int64_t>(outputs * n / (kWorthSplitting / 8)));
      else if (is_contraction(u)) {
        const double panel = n * static_cast<double>(2 * lanes_) * static_cast<double>(widest_),
                     most = 0.4 * static_cast<double>(target_.l2_bytes);
        if (panel > 2 * most && panel / most < static_cast<double>(extent(r))) parts = static_cast<int64_t>(panel / most) + 1;
      }
      if (parts < 2 || extent(r) < 2 * parts) continue;
      verbs_.push_back(Verb::group(name(r), even_parts(extent(r), parts)));
      return true;
    }
    return false;
  }
  bool alone(const UOp& u) const {  // no other reduction over any of its ranges
    for (const UOp& r : reduce_ranges(u))
      for (const UOp& o : reduces_) {
        const auto closed = reduce_ranges(o);
        if (!(o == u) && std::find(closed.begin(), closed.end(), r) != closed.end()) return false;
      }
    return true;
  }
  bool is_contraction(const UOp& u) const {
    if (u.as<ReduceArg>().monoid != Monoid::Sum || u.src(0).op() != Op::Mul) return false;
    bool a = false, b = false;
    for (const UOp& r : kernel_.ranges) {
      if (!(u.ranges() & r.ranges())) continue;
      const bool in_a = reads(u.src(0).src(0), r), in_b = reads(u.src(0).src(1), r);
      a |= in_a && !in_b;
      b |= in_b && !in_a;
    }
    return a && b;
  }

  // ---- memory-bound kernels ----

  // What lanes along r would win: accesses side by side, against accesses far apart. An irregular one is no worse than lane by lane, and
  // the arithmetic around it is better.
  double gain(const UOp& r) const {
    const bool divided = divisor(r) > 1;
    double sum = 0;
    for (const Access& a : accesses_) {
      const int64_t s = stride(a.index, r);
      if (s == 0) continue;
      const bool few = (s > 1 && s <= 4) || (divided && s == 1), across = !a.store && crossing(a, r);
      sum += a.times * (few                                      ? 0.5
                        : s == 1 || (divided && s == kIrregular) ? 1.0
                        : across                                 ? -0.2
                        : a.store                                ? -4.0
                        : s == kIrregular                        ? 0.1
                                                                 : -2.0);
    }
    return sum;
  }
  // The number by which all indices divide r, if it is small and goes into its extent: a register tile of so many makes them regular.
  int64_t divisor(const UOp& r) const {
    int64_t n = 1;
    for (const UOp& u : toposort(kernel_.stores)) {
      if ((u.op() != Op::IDiv && u.op() != Op::Mod) || !(u.src(0) == r) || !is_const(u.src(1))) continue;
      const auto by = u.src(1).as<int64_t>();
      if (by < 2 || by > 4 || extent(r) % by != 0 || (n > 1 && n != by)) return 1;
      n = by;
    }
    return n;
  }

  // The range along which a load's elements lie side by side, if it is not that of the lanes: a tile of it uses whole lines (a transpose).
  const UOp* crossing(const Access& a, const UOp& lanes) const {
    if (!reduces_.empty()) return nullptr;
    for (const UOp& r : kernel_.ranges)
      if (!(r == lanes) && !sequential(r) && extent(r) >= lanes_ && std::abs(stride(a.index, r)) == 1) return &r;
    return nullptr;
  }

  const UOp* crossed(const UOp& lanes) const {
    for (const Access& a : accesses_)
      if (const UOp* other = a.store || stride(a.index, lanes) == 0 || std::abs(stride(a.index, lanes)) == 1 ? nullptr : crossing(a, lanes))
        return other;
    return nullptr;
  }

  void streaming() {
    for (const UOp& r : kernel_.ranges) if (!sequential(r) && reduces_.empty()) tile(name(r), divisor(r), AxisKind::Unroll);
    const UOp* best = nullptr;
    double best_gain = 0;
    for (const UOp& r : kernel_.ranges)
      if (const double g = gain(r); (!sequential(r) || scans(r)) && extent(r) > 1 && g > best_gain) { best = &r; best_gain = g; }
    if (best) scans(*best) ? scan_lanes(*best) : crossed(*best) ? transpose(*best, *crossed(*best)) : lanes_along(*best);
    for (const Split& s : std::vector<Split>(nest_.splits))
      if (s.reduces() && gain(s.original) > 0 && !open_over_lanes(s.original, best) && !has_lanes_beside(s.original))
        reduce_lanes(s.original);
  }
  // Whether lanes may go along a loop whose rounds follow each other: those of scans do, elements that are put in their places do not.
  bool scans(const UOp& r) const {
    const auto all = toposort(kernel_.stores);
    return std::any_of(all.begin(), all.end(), [&](const UOp& u) { return u.op() == Op::Scan && scan_ranges(u)[0] == r; });
  }
  void scan_lanes(const UOp& r) {
    tile(name(r), std::min<int64_t>(lanes_, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(extent(r))))), AxisKind::Vector);
  }
  // Tiles of lanes by other, and of those a row of some, so that whole pieces of rows are written one after the other.
  void transpose(const UOp& lanes, const UOp& other) {
    tile(name(lanes), lanes_, AxisKind::Vector);
    tile(name(other), lanes_, AxisKind::Unroll);
    const std::string row = tile(name(lanes), 16, AxisKind::Loop);
    Verb order = Verb::order(nest_.loops());
    for (const std::string& last : {name(other), row})
      if (const auto at = std::find(order.axes.begin(), order.axes.end(), last); at != order.axes.end())
        std::rotate(at, at + 1, order.axes.end());
    apply(std::move(order));
  }
  void lanes_along(const UOp& r) {
    std::string axis = name(r);
    const int64_t n = extent(r);
    if (reduces_.empty() && (n >= 2 * kBlock || kernel_.ranges.size() == 1)) {
      if (const std::string inner = tile(axis, kBlock, AxisKind::Loop); !inner.empty()) axis = inner;
    }
    const int64_t width = std::min<int64_t>(lanes_, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(n))));
    tile(axis, width, AxisKind::Vector);
    if (reduces_.empty() ? n >= 4 * width : walks_columns(r))
      tile(axis, reduces_.empty() ? 4 : wide_tile(ceil_div(n, width)), AxisKind::Unroll);
  }
  // Whether sums for lanes along r read a column each: then a wide tile of them reads long pieces of rows.
  bool walks_columns(const UOp& r) const {
    for (const Access& a : accesses_)
      if (!a.store && stride(a.index, r) == 1)
        for (const UOp& u : reduces_)
          for (const UOp& k : reduce_ranges(u)) if (extent(k) > 8 && std::abs(stride(a.index, k)) > kBlock / 64) return true;
    return false;
  }
  // A tile of at most 16 of n vectors, and some tiles for each core.
  int64_t wide_tile(int64_t n) const {
    int64_t tile = 16;
    while (tile > 1 && (n / tile < 8 || efficiency(n, tile) < 0.9)) --tile;
    return tile;
  }
  // Whether some reduction over r is itself computed for each lane of `lanes`.
  bool open_over_lanes(const UOp& r, const UOp* lanes) const {
    if (!lanes) return false;
    for (const UOp& u : reduces_) {
      const auto closed = reduce_ranges(u);
      if (std::find(closed.begin(), closed.end(), r) == closed.end()) continue;
      for (const UOp& n : toposort(u)) if (n == *lanes && (u.ranges() & lanes->ranges())) return true;
    }
    return false;
  }
  // Whether a reduction over r has lanes along another of its ranges.
  bool has_lanes_beside(const UOp& r) const {
    for (const UOp& u : reduces_) {
      const auto closed = reduce_ranges(u);
      if (std::find(closed.begin(), closed.end(), r) == closed.end()) continue;
      for (const UOp& o : closed)
        for (int a : nest_.split_of(o).axes) if (nest_.axes[static_cast<size_t>(a)].kind == AxisKind::Vector) return true;
    }
    return false;
  }
  void reduce_lanes(const UOp& r) {
    const int64_t n = extent(r);
    if (n < lanes_ / 2) return;
    tile(name(r), lanes_, AxisKind::Vector);
    if (n >= 4 * lanes_) tile(name(r), 4, AxisKind::Unroll);
  }

  // ---- contractions ----

  // sum(a * b) where a and b each have loops of their own: every loaded value serves many products, so keep a tile of sums in registers.
  bool contraction(bool may_copy) {
    const UOp* best = nullptr;
    for (const UOp& u : reduces_) {
      if (u.as<ReduceArg>().monoid != Monoid::Sum || u.src(0).op() != Op::Mul || !is_float(u.dtype())) continue;
      if (!best || length(u) > length(*best)) best = &u;
    }
    if (!best) return false;
    const UOp &a = best->src(0).src(0), &b = best->src(0).src(1);
    std::vector<UOp> only_a, only_b;
    for (const UOp& r : kernel_.ranges) {
      if (!(best->ranges() & r.ranges()) || extent(r) < 2 || sequential(r)) continue;
      const bool in_a = reads(a, r), in_b = reads(b, r);
      if (in_a && !in_b) only_a.push_back(r);
      if (in_b && !in_a) only_b.push_back(r);
    }
    if (only_a.empty() || only_b.empty()) return false;
    const Plan from_a = plan(only_a, only_b, *best, may_copy), from_b = plan(only_b, only_a, *best, may_copy);
    const Plan& p = from_a.cost < from_b.cost ? from_a : from_b;
    if (p.cost >= 1e30) return false;
    if (p.copied >= 0) {  // the verbs that follow are chosen for what then is left
      verbs_.push_back(Verb::stage(p.copied, "phase"));
      return true;
    }
    tile(name(p.lanes), lanes_, AxisKind::Vector);
    tile(name(p.lanes), p.vectors, AxisKind::Unroll);
    tile(name(p.rows), p.height, AxisKind::Unroll);
    matrix(*best);
    const bool first = reads(a, p.lanes);
    if (p.packing == Packing::None) return true;
    stage(first ? a : b, p, *best);
    stage_rows(first ? b : a, p, *best);
    return true;
  }
  // Steps of the sum in pairs, where the target has an instruction for such products.
  void matrix(const UOp& reduce) {
    const UOp& k = reduce_ranges(reduce).back();
    for (const MatrixInstruction& m : target_.matrix) {
      if (!multiplies(m, reduce) || reduces_.size() > 1 || extent(k) % m.depth != 0) continue;
      if (!tile(name(k), m.depth, AxisKind::Unroll).empty()) apply(Verb::mma(m.name));
      return;
    }
  }
  static double length(const UOp& reduce) {
    double n = 1;
    for (const UOp& r : reduce_ranges(reduce)) n *= static_cast<double>(extent(r));
    return n;
  }

  // How the operand that has the lanes is packed: not; all of it by each core; a panel at a time, for each of so many blocks of rows.
  enum class Packing : uint8_t { None, Whole, Panels };
  // copied: the operand whose rows are first copied
  struct Plan {
    UOp lanes, rows;
    int64_t vectors = 1, height = 1, blocks = 1;
    double cost = 1e30;
    Packing packing = Packing::None;
    int copied = -1;
  };
  // Lanes along one of `along`, a register tile over one of `across`: the cheapest, in cycles for one product of one lane.
  Plan plan(const std::vector<UOp>& along, const std::vector<UOp>& across, const UOp& reduce, bool may_copy) const {
    const UOp &a = reduce.src(0).src(0), &b = reduce.src(0).src(1), &of_lanes = reads(a, along[0]) ? a : b,
              &of_rows = reads(a, along[0]) ? b : a;
    Plan best;
    double rows = 1, batch = 1;  // how often a staged panel is read, and how many products there are
    for (const UOp& r : across) rows *= static_cast<double>(extent(r));
    for (const UOp& r : kernel_.ranges) if (in_both(reduce, r)) batch *= static_cast<double>(extent(r));
    const double all = footprint(of_lanes) / batch, beyond = stream_cost(footprint(of_rows)) < kDistant ? 0 : kBeyond;
    double outputs = static_cast<double>(widest_);
    for (const UOp& r : kernel_.ranges) outputs *= static_cast<double>(extent(r));
    const double by_columns = stream_cost(outputs / batch) < kDistant ? 0 : kCrossed;
    const bool fits = stream_cost(all) < kDistant && batch == 1;
    for (const UOp& v : along) {
      const bool windows = rows_of(of_lanes, v, reduce).windowed, waits = !windows && stream_cost(all) >= kDistant;
      const double unpacked = (windows ? kNear : waits ? kWaited : stream_cost(all)) * (misaligned(of_lanes, v) ? 1.5 : 1);
      for (const UOp& r : across) {
        const Rows how = rows_of(of_rows, r, reduce);
        const double window = how.windowed ? window_bytes(of_rows, r, reduce) : 0;
        const bool copied = may_copy && length(reduce) >= kRun && scattered(of_rows, how) && sole_read(kernel_, how.param).load;
        const double done = gates_ && !gated(r) && !gated(v) ? kDone : 1;
        for (int64_t vectors = 1; vectors <= std::min<int64_t>(6, ceil_div(extent(v), lanes_)); ++vectors) {
          const int64_t panels = ceil_div(extent(v), vectors * lanes_);
          const double unpacked_row = copied ? kNear + kCopied / static_cast<double>(panels) : row_cost(of_rows, r, how, panels);
          const double panel = length(reduce) * static_cast<double>(vectors * lanes_) * static_cast<double>(widest_);
          for (int64_t height = 1; height <= std::min<int64_t>(extent(r), (target_.vector_registers - 2 - vectors) / vectors); ++height) {
            const bool packed = packs(window, r, height);
            const bool addressed = packed || extent(r) % height == 0 || height <= kAddresses;
            const double row = packed ? kNear + kWindow : unpacked_row * (addressed ? 1 : 2);
            const double tile = static_cast<double>(vectors * height);
            const double used = tile * efficiency(extent(v), lanes_ * vectors) * efficiency(extent(r), height);
            const double packing = (load_cost(v) + kPacked) * static_cast<double>(height) / rows;
            const auto consider = [&](Packing how_packed, int64_t blocks, double load, double far, double store, int64_t units) {
              const double of_vectors = static_cast<double>(vectors) * load,
                           loads = of_vectors + static_cast<double>(height) * (row + (how.windowed ? 0 : far));
              const double cycles = std::max({tile / 2, loads, 4.0}) + kOverlapped * (loads + (packed ? of_vectors : 0));
              const double cost = done * cycles / (used * efficiency(units, target_.cores)) + (store_cost(v) + store) / length(reduce);
              if (cost < best.cost) best = {v, r, vectors, height, blocks, cost, how_packed, copied ? how.param : -1};
            };
            const auto products = static_cast<int64_t>(batch);
            const int64_t tiles = products * panels * ceil_div(static_cast<int64_t>(rows), height);
            // rows and vectors that all lie pages apart share few places of L1
            consider(Packing::None, 1, unpacked + load_cost(v), waits && height >= 8 ? 1 : 0, 0, tiles);
            if (fits) consider(Packing::Whole, 1, std::min(stream_cost(all), kFar) + packing * target_.cores, 0, 0, tiles);
            if (panel > 0.75 * static_cast<double>(target_.l2_bytes)) continue;
            const bool may_cut = across.size() == 1 && !how.packable;
            for (int64_t blocks = 1; blocks == 1 || (may_cut && blocks <= 8 && blocks * 4 * height <= extent(r)); blocks *= 2)
              consider(Packing::Panels, blocks, std::min(stream_cost(panel), kFar) + packing * static_cast<double>(blocks), beyond,
                       by_columns, products * panels * blocks);
          }
        }
      }
    }
    return best;
  }
  // Whether loads are tested along r.
  bool gated(const UOp& r) const {
    return std::any_of(accesses_.begin(), accesses_.end(), [&](const Access& a) { return a.gate && reads(a.gate, r); });
  }
  // Whether rows of lanes begin in the middle of a vector, so that loads take two cache lines.
  bool misaligned(const UOp& operand, const UOp& v) const {
    for (const UOp& u : toposort(operand)) {
      if (u.op() != Op::Load || stride(u.src(1), v) != 1) continue;
      for (const Split& s : nest_.splits)
        if (const int64_t step = stride(u.src(1), s.original); step != kIrregular && step != 0 && step != 1 && step % lanes_ != 0)
          return true;
    }
    return false;
  }
  // A vector of what is read again and again and takes so many bytes in all.
  double stream_cost(double bytes) const {
    return bytes < 0.5 * static_cast<double>(target_.l1_bytes)   ? kNear
           : bytes < 0.5 * static_cast<double>(target_.l2_bytes) ? kFar
                                                                 : kDistant;
  }
  double footprint(const UOp& operand) const {
    double n = static_cast<double>(widest_);
    for (const Split& s : nest_.splits) if (reads(operand, s.original)) n *= static_cast<double>(extent(s.original));
    return n;
  }
  // Bytes that one row along r takes when windows over it are packed, each element once. 0: they lie well as they are.
  double window_bytes(const UOp& operand, const UOp& r, const UOp& reduce) const {
    UOp load;
    for (const UOp& u : toposort(operand)) {
      if (u.op() != Op::Load || !reads(u.src(1), r)) continue;
      if (load) return 0;
      load = u;
    }
    if (!load || in_both(reduce, r) || std::abs(stride(load.src(1), r)) < 64 / static_cast<int64_t>(widest_)) return 0;
    struct Part { int64_t step, most; bool sum; };
    std::vector<Part> parts;
    const auto add = [&](const UOp& k, bool sum) {
      const int64_t step = std::abs(stride(load.src(1), k)), most = extent(k) - 1;
      if (k == r || step == 0 || step == kIrregular) return;
      for (Part& p : parts)
        if (p.sum != sum && p.step == step) {
          p.most = gates_ ? std::max(p.most, most) : p.most + most;  // what is tested is inside
          return;
        }
      parts.push_back({step, most, sum});
    };
    for (const UOp& k : kernel_.ranges) add(k, false);
    for (const UOp& k : reduce_ranges(reduce)) add(k, true);
    auto bytes = static_cast<double>(widest_);
    for (const Part& p : parts) bytes *= static_cast<double>(p.most + 1);
    return bytes;
  }
  // Whether a tile of rows of windows is worth packing: it fits L2 beside what the lanes read, and there are tiles for all cores.
  bool packs(double window, const UOp& r, int64_t height) const {
    return window > 0 && window * static_cast<double>(height) <= 0.5 * static_cast<double>(target_.l2_bytes) &&
           ceil_div(extent(r), height) >= 4 * target_.cores;
  }
  struct Rows { int param = -1; int64_t step = 0; bool windowed = false, streams = false, packable = false; };
  // One number of each row: packed, from one cache line, each from its own, and maybe all of them from beyond L2.
  double row_cost(const UOp& operand, const UOp& r, const Rows& rows, int64_t panels) const {
    if (rows.streams || (rows.packable && panels >= kPanels)) return kNear;
    const bool side_by_side = rows.step < 64 / static_cast<int64_t>(widest_);
    const double far = rows.windowed && gates_ && !side_by_side ? 1.5 : scattered(operand, rows) ? kMissed : 0;
    return kNear * (side_by_side ? 1 : 2) + (gated(r) ? kMask : 0) + far;
  }
  // Whether each step of the sum reads from another place beyond L2, which the processor does not see coming.
  bool scattered(const UOp& operand, const Rows& rows) const {
    return !rows.streams && !rows.windowed && rows.param >= 0 && stream_cost(footprint(operand)) >= kDistant;
  }
  // Windows are not packed: they share elements, and lie together as they are.
  Rows rows_of(const UOp& operand, const UOp& r, const UOp& reduce) const {
    Rows out;
    for (const UOp& u : toposort(operand)) {
      if (u.op() != Op::Load || !reads(u.src(1), r)) continue;
      out.param = u.src(0).as<ParamArg>().slot;
      out.step = std::abs(stride(u.src(1), r));
      int64_t run = 1;  // elements that the sum passes one after the other, at least a quarter of which it reads
      for (size_t k = reduce_ranges(reduce).size(); k-- > 0;)
        if (const int64_t step = std::abs(stride(u.src(1), reduce_ranges(reduce)[k])); step <= 4 * run)
          run = std::max(run, step * extent(reduce_ranges(reduce)[k]));
        else break;
      out.streams |= run >= kRun;
      for (const UOp& k : reduce_ranges(reduce))
        for (const UOp& o : kernel_.ranges) {
          const int64_t step = stride(u.src(1), o);
          out.windowed |= extent(k) > 1 && step != 0 && step != kIrregular && std::abs(step) == std::abs(stride(u.src(1), k));
        }
    }
    out.packable = out.param >= 0 && !out.windowed && !out.streams && out.step >= 64 / static_cast<int64_t>(widest_);
    return out;
  }
  // What lanes that do not lie side by side add to a load.
  double load_cost(const UOp& v) const {
    double worst = 0;
    for (const Access& a : accesses_)
      if (const int64_t s = stride(a.index, v); !a.store && s != 0 && s != 1) worst = static_cast<double>(lanes_) / 2;
    return worst;
  }
  // A packed panel of the operand that has the lanes: of all of it before any loop, or of one block of lanes, whose loop then goes
  // outermost so that everything else, or all of a block of rows, reuses it.
  void stage(const UOp& operand, const Plan& p, const UOp& reduce) {
    Verb v = Verb::stage(-1, "launch");
    for (const UOp& u : toposort(operand)) if (u.op() == Op::Load && stride(u.src(1), p.lanes) != 0) v.param = u.src(0).as<ParamArg>().slot;
    if (p.packing == Packing::Panels) {
      v.axis = name(p.lanes);
      if (p.blocks > 1) tile(name(p.rows), ceil_div(ceil_div(extent(p.rows), p.height), p.blocks), AxisKind::Loop);
      Verb order = Verb::order({});
      // outermost what both operands have and blocks of rows, then the loops of this one, those of lanes last
      const auto place = [&](const std::string& n) {
        return is_batch(n, reduce) || (p.blocks > 1 && n == name(p.rows)) ? 0 : n == v.axis ? 2 : loops_over(n, operand) ? 1 : 3;
      };
      for (int n = 0; n < 4; ++n) for (const std::string& axis : nest_.loops()) if (place(axis) == n) order.axes.push_back(axis);
      apply(std::move(order));
    }
    apply(std::move(v));
  }
  // The other operand, when its rows lie far apart and all lanes read them again: packed too, in blocks of rows that stay in L2 while the
  // panels of lanes pass by.
  void stage_rows(const UOp& operand, const Plan& p, const UOp& reduce) {
    const Rows rows = rows_of(operand, p.rows, reduce);
    if (rows.windowed && nest_.staged.back().at < 0 && packs(window_bytes(operand, p.rows, reduce), p.rows, p.height)) {
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
  bool in_both(const UOp& reduce, const UOp& r) const { return reads(reduce.src(0).src(0), r) && reads(reduce.src(0).src(1), r); }
  bool loops_over(const std::string& axis, const UOp& operand) const {
    for (const UOp& r : kernel_.ranges) if (name(r) == axis) return reads(operand, r);
    return false;
  }
  bool is_batch(const std::string& axis, const UOp& reduce) const {
    for (const UOp& r : kernel_.ranges) if (name(r) == axis) return in_both(reduce, r);
    return false;
  }
  double store_cost(const UOp& v) const {
    double sum = 0;
    for (const Access& a : accesses_)
      if (const int64_t s = stride(a.index, v); a.store && s != 0) sum += s == 1 ? 1.0 : static_cast<double>(lanes_);
    return sum;
  }

  const Kernel& kernel_;
  const Target& target_;
  Nest nest_;
  Verbs verbs_;
  std::vector<UOp> reduces_;
  std::vector<Access> accesses_;
  size_t widest_ = 1;
  bool gates_ = false;  // some load is tested
  int64_t lanes_ = 1;
};

}  // namespace

Verbs choose_verbs(const Kernel& k, const Target& t, const Phases& may) {
  return t.grid ? choose_gpu_verbs(k, t, may.group) : Chooser(k, t).run(may);
}

}  // namespace tg
