#pragma once
// How the operands of a contraction lie in memory, and what reading them costs: rows, windows, lines and pages. Cycles, in what two
// multiply-adds take: one, or two, in which twice as many numbers can be repeated in all lanes.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "codegen/choice.hpp"

namespace tg {

class Operands : public Choice {
 public:
  explicit Operands(const Choice& c) : Choice(c) {}

 protected:
  static constexpr double kNear = 0.5, kFar = 1, kDistant = 4;  // cycles of a vector load from L1, and of streaming one from L2 or beyond
  static constexpr double kMissed = 4, kCopied = 8;             // of a number that has to be waited for, and of copying one
  static constexpr double kMask = 1, kWindow = 0.05;            // cycles that a test adds to a row's load, and that packing windows does
  static constexpr int64_t kApart = 4;  // steps of windows in steps of their elements, or the reverse: a stride, or a dilation
  static constexpr int64_t kWays = 8;                           // lines that are pages apart, which L1 holds at once
  static constexpr int64_t kRun = 64;                           // elements side by side, for the processor to fetch ahead
  static constexpr int64_t kTranslated = 1536;                  // pages whose addresses the processor knows
  static constexpr int64_t kPanels = 4;                         // of lanes that read packed rows again, before packing them pays

  bool in_both(const UOp& reduce, const UOp& r) const { return reads(reduce.src(0).src(0), r) && reads(reduce.src(0).src(1), r); }
  bool pages_apart(int64_t step) const { return step != kIrregular && std::abs(step) * static_cast<int64_t>(widest_) >= kPage; }
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
    if (gates_) bytes = std::min(bytes, static_cast<double>(std::abs(stride(load.src(1), r))) * static_cast<double>(widest_));
    return bytes;
  }
  // Whether a tile of rows of windows is worth packing: it fits L2 beside what the lanes read, and there are tiles for all cores.
  bool packs(double window, const UOp& r, int64_t height) const {
    return window > 0 && window * static_cast<double>(height) <= 0.5 * static_cast<double>(target_.l2_bytes) &&
           ceil_div(extent(r), height) >= 4 * target_.cores;
  }
  struct Rows {
    int param = -1;
    int64_t step = 0;
    int64_t passed = 1;  // elements in the pieces that the sum reads, each passed straight through, at least a quarter of it read
    bool windowed = false, streams = false, packable = false;
    bool foreseen = false;  // rows share lines, so that each step asks for the next tile's, and these stay in L2
    // Whether so many rows, whole pages apart, are more than L1 has places for.
    bool crowded(int64_t height, size_t bytes) const {
      return !packable && height > kWays && step > 0 && step * static_cast<int64_t>(bytes) % kPage == 0;
    }
  };
  // One number of each row: packed, from one cache line, each from its own, and maybe all of them from beyond L2.
  double row_cost(const UOp& operand, const UOp& r, const Rows& rows, int64_t panels) const {
    if (rows.streams || (rows.packable && panels >= kPanels)) return kNear * repeated_;
    const bool side_by_side = rows.step < 64 / static_cast<int64_t>(widest_);
    const double far = rows.windowed && gates_ && !side_by_side ? 1.5 : scattered(operand, rows) ? kMissed : 0;
    return kNear * repeated_ * (side_by_side ? 1 : 2) + (gated(r) ? kMask : 0) + far;
  }
  // Whether each step of the sum reads from another place beyond L2, which the processor does not see coming.
  bool scattered(const UOp& operand, const Rows& rows) const {
    return !rows.streams && !rows.windowed && !rows.foreseen && rows.param >= 0 && stream_cost(footprint(operand)) >= kDistant;
  }
  // Whether loops that move so far meet in windows.
  static bool together(int64_t a, int64_t b) {
    if (a == 0 || b == 0 || a == kIrregular || b == kIrregular) return false;
    const int64_t more = std::max(std::abs(a), std::abs(b)), less = std::min(std::abs(a), std::abs(b));
    return more % less == 0 && more / less <= kApart;
  }
  // Whether r moves a window along a loop of the sum, by less than it is wide.
  static bool over_window(const UOp& operand, const UOp& r, const UOp& reduce) {
    return std::ranges::any_of(toposort(operand), [&](const UOp& u) {
      return u.op() == Op::Load && std::ranges::any_of(reduce_ranges(reduce), [&](const UOp& k) {
        const int64_t of_r = stride(u.src(1), r), of_k = stride(u.src(1), k);
        return extent(k) > 1 && together(of_r, of_k) && std::abs(of_r) < extent(k) * std::abs(of_k);
      });
    });
  }
  // How many lines so many elements apart L2 has places for: fewer the larger the power of two that divides their distance.
  int64_t lines_in_l2(int64_t step) const {
    const int64_t bytes = step == kIrregular ? 0 : std::abs(step) * static_cast<int64_t>(widest_);
    return target_.l2_bytes / std::max<int64_t>(64, bytes & -bytes);
  }
  // Windows are not packed: they share elements, and lie together as they are.
  Rows rows_of(const UOp& operand, const UOp& r, const UOp& reduce) const {
    Rows out;
    bool stay = true;
    for (const UOp& u : toposort(operand)) {
      if (u.op() != Op::Load || !reads(u.src(1), r)) continue;
      out.param = u.src(0).as<ParamArg>().slot;
      out.step = std::abs(stride(u.src(1), r));
      int64_t run = 1, pieces = 1;
      for (size_t k = reduce_ranges(reduce).size(); k-- > 0;)
        if (const int64_t step = std::abs(stride(u.src(1), reduce_ranges(reduce)[k])); step <= 4 * run && pieces == 1)
          run = std::max(run, step * extent(reduce_ranges(reduce)[k]));
        else pieces *= extent(reduce_ranges(reduce)[k]);
      out.passed = std::max(out.passed, run * pieces);
      out.streams |= run >= kRun;
      for (const UOp& k : reduce_ranges(reduce)) {
        const int64_t of_sum = stride(u.src(1), k);
        for (const UOp& o : kernel_.ranges) out.windowed |= extent(k) > 1 && together(stride(u.src(1), o), of_sum);
        stay &= extent(k) <= lines_in_l2(of_sum);
      }
    }
    const bool in_time =
        (target_.vector_registers - 4) / target_.fma_per_cycle >= target_.line_cycles;  // beside a step of the largest tile
    out.foreseen = in_time && stay && out.step > 0 && out.step <= kApart && length(reduce) <= kTranslated;
    out.packable = out.param >= 0 && !out.windowed && !out.streams && out.step >= 64 / static_cast<int64_t>(widest_);
    return out;
  }
  // Whether lanes along v lie far apart in all that is loaded for them, and steps of the sum side by side: panels are packed by
  // transposing.
  bool turns(const UOp& v, const UOp& reduce) const {
    return load_cost(v) > 0 && std::ranges::all_of(accesses_, [&](const Access& a) {
      const int64_t apart = stride(a.index, v);
      return a.store || apart == 0 || (apart != kIrregular && !a.gate && side_by_side(a.index, reduce) >= lanes_);
    });
  }
  // So many elements, one after the other, does the sum pass in loops that follow each other.
  static int64_t side_by_side(const UOp& index, const UOp& reduce) {
    int64_t run = 1;
    const auto closed = reduce_ranges(reduce);
    for (size_t k = closed.size(); k-- > 0;)
      if (stride(index, closed[k]) == run) run *= extent(closed[k]);
      else if (run > 1) break;
    return run;
  }
  // What lanes that do not lie side by side add to a load.
  double load_cost(const UOp& v) const {
    double worst = 0;
    for (const Access& a : accesses_)
      if (const int64_t s = stride(a.index, v); !a.store && s != 0 && s != 1) worst = static_cast<double>(lanes_) / 2;
    return worst;
  }
  bool load_pages_apart(const UOp& v) const {
    return std::ranges::any_of(accesses_, [&](const Access& a) { return !a.store && pages_apart(stride(a.index, v)); });
  }

  // Whether the steps of the sum read an operand in pages of their own.
  bool steps_pages_apart(const UOp& operand, const UOp& reduce) const {
    return std::ranges::any_of(toposort(operand), [&](const UOp& u) {
      return u.op() == Op::Load && pages_apart(stride(u.src(1), reduce_ranges(reduce).back()));
    });
  }

  const double repeated_ = 0.5 * target_.fma_per_cycle;
};

}  // namespace tg
