// See heuristic_gpu.hpp.
#include "codegen/heuristic_gpu.hpp"

#include <algorithm>
#include <bit>

#include "codegen/access.hpp"
#include "codegen/bind.hpp"
#include "codegen/threads.hpp"
#include "ir/monoid.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

constexpr int64_t kThreads = 256;         // threads of a block: several blocks fit a processor, and barriers stay cheap
constexpr int64_t kWarp = 32;             // a reduction shorter than this is left to one thread
constexpr int64_t kSide = 16;             // threads along each side of a tile
constexpr int64_t kTile = 4;              // sums a thread along each side
constexpr int64_t kDepth = 16;            // products between two barriers; up to twice as many where that is a whole number of loops
constexpr double kEnoughThreads = 16384;  // that keep the machine busy

int64_t power_of_two(int64_t n) { return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(n))); }

class GpuChooser {
 public:
  GpuChooser(const Kernel& k, const Target& t) : kernel_(k), target_(t), nest_(k), budget_(std::min<int64_t>(kThreads, t.max_threads)) {
    for (const UOp& u : toposort(k.stores)) {
      if (u.op() == Op::Reduce) reduces_.push_back(u);
      if (u.op() == Op::Load || u.op() == Op::Store) accesses_.push_back(u);
    }
    for (const UOp& r : k.ranges) if (!(r.ranges() & k.sequential)) outputs_.push_back(r);
  }

  Verbs run(bool may_group) {
    if (!(may_group && split_long_reduction()) && !contraction() && !transpose() && !rows()) columns();
    return std::move(verbs_);
  }

 private:
  // Applies a verb if the nest and a block's threads take it.
  bool apply(Verb v) {
    Nest next = nest_;
    try {
      next.apply(v);
      Threads(next, bind(kernel_, next), target_);
    } catch (const ValueError&) {
      return false;
    }
    nest_ = std::move(next);
    verbs_.push_back(std::move(v));
    return true;
  }
  bool tile(const UOp& r, int64_t n, AxisKind as) {
    return n > 1 && apply(Verb::tile(name(r), n, as));
  }
  bool stage(int param, const std::string& axis) {
    return apply(Verb::stage(param, axis));
  }
  std::string name(const UOp& r) const { return nest_.axes[static_cast<size_t>(nest_.split_of(r).axes[0])].name; }

  static double length(const UOp& reduce) {
    double n = 1;
    for (const UOp& r : reduce_ranges(reduce)) n *= static_cast<double>(extent(r));
    return n;
  }
  static UOp longest(const UOp& reduce) {
    const auto closed = reduce_ranges(reduce);
    return *std::max_element(closed.begin(), closed.end(), [](const UOp& a, const UOp& b) { return extent(a) < extent(b); });
  }
  static bool closes(const UOp& reduce, const UOp& r) {
    const auto closed = reduce_ranges(reduce);
    return std::find(closed.begin(), closed.end(), r) != closed.end();
  }
  double points() const {
    double n = 1;
    for (const UOp& r : outputs_) n *= static_cast<double>(extent(r));
    return n;
  }
  // What is won when neighbouring threads go along r: elements side by side in memory, against elements apart, by how often they are used.
  double gain(const UOp& r) const {
    double sum = 0;
    for (const UOp& a : accesses_) {
      const int64_t s = stride(a.src(1), r);
      if (s == 0) continue;
      double times = 1;
      for (const Split& x : nest_.splits) if (reads(a.src(1), x.original)) times *= static_cast<double>(extent(x.original));
      sum += s == 1 ? times : -2 * times;
    }
    return sum;
  }

  // Blocks for all processors where there are few results of many elements each.
  bool split_long_reduction() {
    if (kernel_.sequential) return false;
    for (const UOp& u : reduces_) {
      if (reduce_ranges(u).empty() || components(u.as<ReduceArg>().monoid) > 1) continue;
      const UOp r = longest(u);
      const bool alone =
          std::none_of(reduces_.begin(), reduces_.end(), [&](const UOp& o) { return !(o == u) && (closes(o, r) || reads(u, o)); });
      double results = 1, beside = 0;
      for (const UOp& o : kernel_.ranges) {
        if (!(u.ranges() & o.ranges())) continue;
        results *= static_cast<double>(extent(o));
        beside = std::max(beside, gain(o));
      }
      const auto threads = static_cast<double>(gain(r) > beside ? kThreads : kThreads / kWarp);  // that share out one result, below
      int64_t parts = std::min<int64_t>(4 * target_.cores, extent(r) / (8 * kThreads));
      if (!alone || results * length(u) < 8 * kEnoughThreads || results * threads >= kEnoughThreads || parts < 4) continue;
      verbs_.push_back(Verb::group(name(r), even_parts(extent(r), parts)));
      return true;
    }
    return false;
  }

  // sum(a * b) where each has an output loop of its own: what a block's threads read of them, many read.
  bool contraction() {
    const UOp* best = nullptr;
    for (const UOp& u : reduces_)
      if (u.as<ReduceArg>().monoid == Monoid::Sum && u.src(0).op() == Op::Mul && (!best || length(u) > length(*best))) best = &u;
    if (!best || kernel_.sequential) return false;
    UOp a = best->src(0).src(0), b = best->src(0).src(1), rows, columns;
    for (const UOp& r : outputs_) {
      if (!(best->ranges() & r.ranges())) continue;
      const bool in_a = reads(a, r), in_b = reads(b, r);
      if (in_a == in_b || extent(r) < kSide / 2) continue;
      UOp& side = in_a ? rows : columns;
      if (!side || better_side(r, side)) side = r;
    }
    if (!rows || !columns) return false;
    if (better_side(rows, columns)) { std::swap(rows, columns); std::swap(a, b); }
    // A tile of the result a block, smaller while there would be fewer blocks than processors.
    const int64_t height = std::min(kSide, power_of_two(extent(rows))),
                  width = std::min(budget_ / height, std::min(kSide, power_of_two(extent(columns))));
    int64_t high = std::min(kTile, ceil_div(extent(rows), height)), wide = std::min(kTile, ceil_div(extent(columns), width));
    const auto blocks = [&] {
      const double area = static_cast<double>(extent(rows)) * static_cast<double>(extent(columns));
      return points() / area * static_cast<double>(ceil_div(extent(rows), height * high) * ceil_div(extent(columns), width * wide));
    };
    while (high * wide > 1 && blocks() < target_.cores) --(high > wide ? high : wide);
    if (!tile(columns, width, AxisKind::Thread) || !tile(rows, height, AxisKind::Thread)) return false;
    tile(columns, wide, AxisKind::Unroll);
    tile(rows, high, AxisKind::Unroll);
    stage_operands(*best, {&a, &b}, std::max(height * high, width * wide));
    return true;
  }
  // Neighbours in the result's memory first, then the longer one.
  bool better_side(const UOp& r, const UOp& than) const {
    const auto beside = [&](const UOp& x) { return stride(kernel_.stores[0].src(1), x) == 1; };
    return beside(r) != beside(than) ? beside(r) : extent(r) > extent(than);
  }
  // In each round of a loop that leaves enough products for the loops inside it.
  void stage_operands(const UOp& reduce, std::initializer_list<const UOp*> operands, int64_t side) {
    const auto closed = reduce_ranges(reduce);
    int64_t depth = 1;
    size_t at = closed.size();
    while (at > 0 && depth * extent(closed[at - 1]) <= 2 * kDepth) depth *= extent(closed[--at]);
    std::string axis = "launch";  // all of it
    if (at > 0) {
      const UOp& r = closed[at - 1];
      const int64_t n = kDepth / depth;
      tile(r, n, AxisKind::Loop);
      depth *= std::max<int64_t>(n, 1);
      axis = name(r);
    }
    int64_t bytes = 0;
    for (const UOp* operand : operands)
      for (const UOp& u : toposort(*operand)) {
        if (u.op() != Op::Load || (at > 0 && !reads(u.src(1), closed[at - 1]))) continue;
        bytes += depth * side * static_cast<int64_t>(size_of(u.dtype())) + kAlign;
        if (bytes <= target_.shared_bytes) stage(u.src(0).as<ParamArg>().slot, axis);
      }
  }

  // Elements that lie side by side along one loop where they are read and along another where they are written.
  bool transpose() {
    if (!reduces_.empty() || kernel_.sequential) return false;
    for (const UOp& out : outputs_) {
      if (stride(kernel_.stores[0].src(1), out) != 1 || extent(out) < kSide) continue;
      for (const UOp& u : accesses_) {
        if (u.op() != Op::Load || stride(u.src(1), out) <= 1) continue;
        for (const UOp& in : outputs_)
          if (stride(u.src(1), in) == 1 && extent(in) >= kSide)
            return tile(out, kSide, AxisKind::Thread) && tile(in, kSide, AxisKind::Thread) && stage(u.src(0).as<ParamArg>().slot, "launch");
      }
    }
    return false;
  }

  // Reductions whose elements lie side by side: a block's threads share out each of them, and the loops that use their results.
  bool rows() {
    if (kernel_.sequential) return false;
    std::vector<UOp> inner;
    int64_t most = 0;
    for (const UOp& u : reduces_) {
      if (reduce_ranges(u).empty() || extent(longest(u)) < kWarp || std::find(inner.begin(), inner.end(), longest(u)) != inner.end())
        continue;
      inner.push_back(longest(u));
      most = std::max(most, extent(inner.back()));
    }
    double along = 0, across = 0;
    for (const UOp& r : inner) along = std::max(along, gain(r));
    for (const UOp& r : outputs_) {
      if (uses_result(r)) inner.push_back(r);
      else across = std::max(across, gain(r));
    }
    if (across >= along) return false;
    const int64_t n = std::min(budget_, std::max(kWarp, power_of_two(ceil_div(most, 4))));
    for (const UOp& r : inner) tile(r, n, AxisKind::Thread);
    for (size_t i = outputs_.size(); i-- > 0;)
      if (!uses_result(outputs_[i]) && points() >= kEnoughThreads) {
        tile(outputs_[i], std::min(budget_ / n, power_of_two(extent(outputs_[i]))), AxisKind::Thread);
        break;
      }
    return true;
  }
  // Whether an output loop runs inside the rows that a reduction is made of: it uses the result and does not shape it.
  bool uses_result(const UOp& r) const {
    return std::any_of(reduces_.begin(), reduces_.end(), [&](const UOp& u) { return !(u.ranges() & r.ranges()); });
  }

  // All else: neighbouring results side by side, in as many directions as fill a block, and what is left of it shares out a long reduction.
  void columns() {
    std::vector<std::pair<double, size_t>> order;  // what is won, and which
    for (size_t i = 0; i < outputs_.size(); ++i) order.emplace_back(gain(outputs_[i]), i);
    std::sort(order.rbegin(), order.rend());
    const UOp* sum = nullptr;
    for (const UOp& u : reduces_)
      if (!reduce_ranges(u).empty() && extent(longest(u)) >= kWarp && (!sum || length(u) > length(*sum))) sum = &u;
    const bool share = sum && !kernel_.sequential && points() < kEnoughThreads;
    int64_t left = budget_;
    for (const auto& [won, i] : order) {
      const UOp& r = outputs_[i];
      const int64_t n = std::min({left, extent(r), share ? kWarp : left});
      if (tile(r, n, AxisKind::Thread)) left /= n;
    }
    if (share) tile(longest(*sum), std::min(left, power_of_two(extent(longest(*sum)))), AxisKind::Thread);
  }

  static constexpr int64_t kAlign = 64;
  const Kernel& kernel_;
  const Target& target_;
  Nest nest_;
  Verbs verbs_;
  std::vector<UOp> reduces_, accesses_, outputs_;
  int64_t budget_;
};

}  // namespace

Verbs choose_gpu_verbs(const Kernel& k, const Target& t, bool may_group) { return GpuChooser(k, t).run(may_group); }

}  // namespace tg
