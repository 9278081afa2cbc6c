// See heuristic.hpp. Two kinds of kernels: contractions, whose time is arithmetic and which get a register tile
// (heuristic_contraction.cpp), and all others, whose time is memory: lanes along what lies side by side. Split first: heuristic_group.cpp.
#include "codegen/heuristic.hpp"

#include <algorithm>
#include <bit>

#include "codegen/choice.hpp"
#include "codegen/heuristic_gpu.hpp"
#include "codegen/keep.hpp"
#include "codegen/part.hpp"

namespace tg {
namespace {

constexpr int64_t kBlock = 4096;  // elements of a streaming block: some microseconds of work, small beside L2
constexpr int64_t kRowsOfScan = 4;  // at once
constexpr double kFewTerms = 9;  // of sums that are written out: a window of 3 x 3

class Chooser : public Choice {
 public:
  using Choice::Choice;

  Verbs run(const Phases& may) {
    if (Verbs verbs = choose_tiles(*this); !verbs.empty()) return verbs;
    if (Verbs verbs = may.group && !kernel_.sequential ? choose_groups(*this) : Verbs(); !verbs.empty()) return verbs;
    if ((may.keep && keep_row()) || lanes_ < 2) return take();
    if (Verbs verbs = choose_contraction(*this, may.copy); !verbs.empty()) return verbs;
    streaming();
    return take();
  }

 private:
  // ---- rows that are walked several times, with the same computation ----

  bool keep_row() {
    for (const UOp& u : reduces_) if (is_contraction(u)) return false;
    for (const Split& s : nest_.splits) {
      if (!s.reduces() || extent(s.original) < 4 * lanes_) continue;
      const double row = static_cast<double>(extent(s.original));
      double bytes = 0;
      for (const UOp& v : computed_again(kernel_, s.original)) bytes += row * static_cast<double>(size_of(v.dtype()));
      if (bytes == 0 || bytes > 0.5 * static_cast<double>(target_.l2_bytes)) continue;
      verbs_.push_back(Verb::keep(name(s.original)));
      return true;
    }
    return false;
  }
  // Whether something is kept in each round of this loop, which then must stay one.
  bool outside_of_row(const UOp& r) const {
    return std::any_of(kernel_.kept.begin(), kernel_.kept.end(), [&](const Kept& k) {
      return (k.store.src(2).ranges() & ~k.range.ranges() & r.ranges()) != 0;
    });
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
      if (const double g = gain(r); (!sequential(r) || scans(r)) && !outside_of_row(r) && extent(r) > 1 && g > best_gain) {
        best = &r;
        best_gain = g;
      }
    if (best) scans(*best) ? scan_lanes(*best) : crossed(*best) ? transpose(*best, *crossed(*best)) : lanes_along(*best);
    for (const Split& s : std::vector<Split>(nest_.splits))
      if (s.reduces() && best && (adds_rounds(*best) || of_few_terms(s.original, *best)))
        tile(name(s.original), extent(s.original), AxisKind::Unroll);
      else if (s.reduces() && gain(s.original) > 0 && !open_over_lanes(s.original, best) && !has_lanes_beside(s.original))
        reduce_lanes(s.original);
    overlap_rows();
  }
  // Whether all reductions over r are made for each lane, of so few terms that they are written out: several of the same ones (a maximum,
  // and how many there are) then share what those are made of.
  bool of_few_terms(const UOp& r, const UOp& lanes) const {
    return is_const(r.src(0)) && std::ranges::all_of(reduces_, [&](const UOp& u) {
      return !closes(u, r) || (reads(u, lanes) && length(u) <= kFewTerms);
    });
  }
  // A row's last walk inside one over the next, which takes some cycles a row: that which keeps it, or one with much arithmetic.
  void overlap_rows() {
    if (kernel_.ranges.empty()) return;
    const UOp& last = kernel_.ranges.back();
    const auto loops = [&](const Split& s) {
      return std::ranges::count_if(s.axes, [&](int a) { return nest_.axes[static_cast<size_t>(a)].kind == AxisKind::Loop; });
    };
    const bool fits = std::ranges::all_of(nest_.splits, [&](const Split& s) {
      return s.reduces() || s.original == last ? loops(s) == 1 : loops(s) == std::ssize(s.axes);
    });
    const bool much = !kernel_.kept.empty() || std::ranges::any_of(reduces_, [&](const UOp& u) {
      return reduce_ranges(u).size() == 1 && much_work(u.src(0), reduce_ranges(u)[0]);
    });
    if (fits && much && extent(last) >= 8 * lanes_) apply(Verb::pipeline(name(last)));
  }
  // Whether lanes may go along a loop whose rounds follow each other: those of scans do, elements that are put in their places do not.
  bool scans(const UOp& r) const {
    const auto all = toposort(kernel_.stores);
    return std::any_of(all.begin(), all.end(), [&](const UOp& u) { return u.op() == Op::Scan && scan_ranges(u)[0] == r; });
  }
  void scan_lanes(const UOp& r) {
    tile(name(r), std::min<int64_t>(lanes_, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(extent(r))))), AxisKind::Vector);
    for (const UOp& rows : kernel_.ranges)  // each vector waits for the one before; those of other rows do not
      if (!sequential(rows) && extent(rows) % kRowsOfScan == 0 && extent(rows) >= kRowsOfScan * target_.cores)
        return void(tile(name(rows), kRowsOfScan, AxisKind::Unroll));
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
    if (stores_around_cache(r)) apply(Verb::align(name(r), lanes_));
    std::string axis = name(r);
    const int64_t n = extent(r);
    if (reduces_.empty() ? n >= 2 * kBlock || kernel_.ranges.size() == 1 : n >= 2 * kBlock && adds_rounds(r)) {
      if (const std::string inner = tile(axis, kBlock, AxisKind::Loop); !inner.empty()) {
        if (!reduces_.empty()) inside_of_rounds(axis);
        axis = inner;
      }
    }
    const int64_t width = std::min<int64_t>(lanes_, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(n))));
    tile(axis, width, AxisKind::Vector);
    if (walks_columns(r)) tile(axis, wide_tile(r, ceil_div(n, width), kWidestTile), AxisKind::Unroll);
    else if (scans_columns()) tile(axis, wide_tile(r, ceil_div(n, width), 4), AxisKind::Unroll);
    else if (reduces_.empty() && n >= 4 * width && !gathers(r)) tile(axis, 4, AxisKind::Unroll);
  }
  // Whether what is read along r lies where other data say: a load for each lane takes long enough, several vectors are only more code.
  bool gathers(const UOp& r) const {
    return std::ranges::any_of(accesses_, [&](const Access& a) {
      const auto nodes = toposort(a.index);
      return std::ranges::any_of(nodes, [&](const UOp& u) { return u.op() == Op::Load && reads(u, r); });
    });
  }
  // Whether something that does not fit the cache is stored in rows along r of many vectors: where these begin inside a line, whole lines
  // can be stored around the cache if the tiles of each row begin where a line does.
  bool stores_around_cache(const UOp& r) const {
    return extent(r) >= 8 * lanes_ && std::any_of(kernel_.stores.begin(), kernel_.stores.end(), [&](const UOp& s) {
      const double bytes = times(s.src(1)) * static_cast<double>(size_of(s.src(2).dtype()));
      return stride(s.src(1), r) == 1 && size_of(s.src(2).dtype()) == widest_ && bytes > static_cast<double>(target_.l3_bytes);
    });
  }
  // Whether sums for lanes along r read a column each, or scans one whose numbers lie pages apart: then a wide tile of them reads long
  // pieces of rows.
  bool walks_columns(const UOp& r) const {
    const auto far = [&](const UOp& k, int64_t apart) {
      return extent(k) > kFewRows && std::ranges::any_of(accesses_, [&](const Access& a) {
        return !a.store && stride(a.index, r) == 1 && std::abs(stride(a.index, k)) >= apart;
      });
    };
    for (const UOp& u : reduces_)
      for (const UOp& k : reduce_ranges(u)) if (far(k, kFarApart)) return true;
    return std::ranges::any_of(kernel_.ranges, [&](const UOp& k) { return scans(k) && far(k, kPage / static_cast<int64_t>(widest_)); });
  }
  // Whether the lanes each have a scan of their own.
  bool scans_columns() const { return std::ranges::any_of(kernel_.ranges, [&](const UOp& k) { return scans(k); }); }
  // Whether the rounds of a loop right outside of r add to what the kernel stores along r (the parts of a group).
  bool adds_rounds(const UOp& r) const {
    const size_t n = kernel_.ranges.size();
    if (n < 2 || !(kernel_.ranges[n - 1] == r) || !sequential(kernel_.ranges[n - 2])) return false;
    return std::all_of(accesses_.begin(), accesses_.end(), [&](const Access& a) {
      return !a.store || (stride(a.index, kernel_.ranges[n - 2]) == 0 && stride(a.index, r) == 1);
    });
  }
  // All rounds for one block of what they add to, which stays in L1, before the next.
  void inside_of_rounds(const std::string& block) {
    Verb order = Verb::order(nest_.loops());
    const auto at = std::find(order.axes.begin(), order.axes.end(), block);
    std::rotate(at - 1, at, at + 1);
    apply(std::move(order));
  }
  // A tile of some of n vectors along r, and some tiles for each core.
  int64_t wide_tile(const UOp& r, int64_t n, int64_t tile) const {
    int64_t others = 1;
    for (const UOp& o : kernel_.ranges) if (!(o == r) && !sequential(o)) others *= extent(o);
    while (tile > 1 && (n * others / tile < 8 || efficiency(n, tile) < 0.9)) --tile;
    return tile;
  }
  // Whether some reduction over r is itself computed for each lane of `lanes`.
  bool open_over_lanes(const UOp& r, const UOp* lanes) const {
    if (!lanes) return false;
    for (const UOp& u : reduces_) {
      if (!closes(u, r)) continue;
      for (const UOp& n : toposort(u)) if (n == *lanes && (u.ranges() & lanes->ranges())) return true;
    }
    return false;
  }
  // Whether a reduction over r has lanes along another of its ranges.
  bool has_lanes_beside(const UOp& r) const {
    for (const UOp& u : reduces_) {
      if (!closes(u, r)) continue;
      for (const UOp& o : reduce_ranges(u))
        for (int a : nest_.split_of(o).axes) if (nest_.axes[static_cast<size_t>(a)].kind == AxisKind::Vector) return true;
    }
    return false;
  }
  void reduce_lanes(const UOp& r) {
    const int64_t n = extent(r);
    if (n < lanes_ / 2) return;
    tile(name(r), lanes_, AxisKind::Vector);
    if (n >= 4 * lanes_ && !gathers(r)) tile(name(r), n % lanes_ == 0 ? even_parts(n / lanes_, 4) : 4, AxisKind::Unroll);
  }
};

}  // namespace

Choice::Choice(const Kernel& k, const Target& t) : kernel_(k), target_(t), nest_(k) {
  for (const UOp& u : toposort(k.roots())) {
    if (u.op() == Op::Reduce) reduces_.push_back(u), widest_ = std::max(widest_, size_of(u.dtype()));
    if (u.op() == Op::Load || u.op() == Op::Store)
      widest_ = std::max(widest_, size_of(u.op() == Op::Load ? u.dtype() : u.src(2).dtype()));
    if (u.op() == Op::Load)
      accesses_.push_back({u.src(1), u.src().size() > 2 ? u.src(2) : UOp(), times(u.src(1)), false}), gates_ |= u.src().size() > 2;
    if (u.op() == Op::Store) accesses_.push_back({u.src(1), {}, times(u.src(1)), true});
  }
  lanes_ = static_cast<int64_t>(static_cast<size_t>(t.vector_bytes) / widest_);
}

bool Choice::is_contraction(const UOp& u) const {
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

bool Choice::apply(Verb v) {
  if (!nest_.fits(v)) return false;
  nest_.apply(v);
  verbs_.push_back(std::move(v));
  return true;
}

std::string Choice::tile(const std::string& axis, int64_t n, AxisKind as) {
  return n > 1 && apply(Verb::tile(axis, n, as)) ? nest_.axes.back().name : std::string();
}

double Choice::times(const UOp& idx) const {
  double n = 1;
  for (const Split& s : nest_.splits) if (stride(idx, s.original) != 0) n *= static_cast<double>(extent(s.original));
  return n;
}

const UOp* Choice::range_of(const std::string& loop) const {
  const auto found = std::ranges::find_if(kernel_.ranges, [&](const UOp& r) { return name(r) == loop; });
  return found == kernel_.ranges.end() ? nullptr : &*found;
}

bool Choice::loops_over(const std::string& loop, const UOp& operand) const {
  const UOp* const r = range_of(loop);
  return r && reads(operand, *r);
}

bool Choice::sequential(const UOp& r) const {
  return (r.ranges() & kernel_.sequential) != 0 && r.as<RangeArg>().kind == RangeKind::Output;
}

double Choice::footprint(const UOp& operand) const {
  double n = static_cast<double>(widest_);
  for (const Split& s : nest_.splits) if (reads(operand, s.original)) n *= static_cast<double>(extent(s.original));
  return n;
}

double Choice::length(const UOp& reduce) {
  double n = 1;
  for (const UOp& r : reduce_ranges(reduce)) n *= static_cast<double>(extent(r));
  return n;
}

Verbs choose_verbs(const Kernel& k, const Target& t, const Phases& may) {
  if (t.grid) return choose_gpu_verbs(k, t, may.group);
  if (may.part) if (std::optional<Verb> v = worth_parting(k)) return {*std::move(v)};
  return Chooser(k, t).run(may);
}

}  // namespace tg
