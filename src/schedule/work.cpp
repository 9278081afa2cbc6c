// See work.hpp. One walk notes which loops are open at each node and who uses it; the rest is counting.
#include "schedule/work.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

using Loops = std::vector<UOp>;  // Range nodes
bool holds(const Loops& loops, const UOp& r) { return std::find(loops.begin(), loops.end(), r) != loops.end(); }

class Counting {
 public:
  Counting(const Plan& plan, const PlanLaunch& launch, const std::function<int64_t(const Dim&)>& size)
      : plan_(plan), launch_(launch), size_(size), order_(toposort(launch.kernel.stores)) {
    for (const UOp& u : order_) {
      Loops& open = open_[u];
      if (u.op() == Op::Range) { open.push_back(u); continue; }
      Loops closed;
      if (u.op() == Op::Reduce) closed.assign(reduce_ranges(u).begin(), reduce_ranges(u).end());
      for (const UOp& s : u.src()) {
        users_[s].push_back(u);
        for (const UOp& r : open_.at(s)) if (!holds(closed, r) && !holds(open, r)) open.push_back(r);
      }
    }
  }

  Work operator()() const {
    Work out;
    std::map<int, std::vector<UOp>> loads;  // by the slot of what they read
    for (const UOp& u : order_) {
      if (u.op() == Op::Load) loads[u.src(0).as<ParamArg>().slot].push_back(u);
      if (u.op() == Op::Store) out.written += bytes(u.src(0)) * std::min(elements(u.src(0)), times(open_.at(u.src(1))));
      if (!is_float(u.dtype()) || (!is_elementwise(u.op()) && u.op() != Op::Reduce && u.op() != Op::Scan)) continue;
      double n = times(open_.at(u));
      if (u.op() == Op::Reduce) for (const UOp& r : reduce_ranges(u)) n *= extent(r);
      out.operations += n;
    }
    for (const auto& [slot, from] : loads) out.read += read(from);
    return out;
  }

 private:
  double extent(const UOp& range) const { return static_cast<double>(size_(Dim(range.src(0)))); }
  double times(const Loops& loops) const {
    double n = 1;
    for (const UOp& r : loops) n *= extent(r);
    return n;
  }
  double elements(const UOp& param) const {
    const int buffer = launch_.buffers[static_cast<size_t>(param.as<ParamArg>().slot)];
    return static_cast<double>(size_(plan_.buffers[static_cast<size_t>(buffer)].elements));
  }
  static double bytes(const UOp& param) { return static_cast<double>(size_of(param.dtype())); }

  /// Bytes that loads of one array bring from memory.
  double read(const std::vector<UOp>& loads) const {
    std::unordered_map<UOp, double> distinct;  // by index with its loops renamed: the same elements
    double between = 0;
    for (const UOp& l : loads) {
      const Loops& open = open_.at(l.src(1));
      Substitution renamed;
      double inside = 1;
      for (const UOp& r : open) {
        renamed[r] = range(Dim(r.src(0)), static_cast<int>(renamed.size()));
        const bool shared = holds(launch_.kernel.ranges, r) && std::all_of(loads.begin(), loads.end(), [&](const UOp& other) {
                              return holds(open_.at(other.src(1)), r);
                            });
        if (!shared) inside *= extent(r);
      }
      distinct[substitute(l.src(1), renamed)] = times(open);
      between = std::max(between, inside);
    }
    double n = 0;
    for (const auto& [index, count] : distinct) n += count;
    const UOp& array = loads[0].src(0);
    const double once = bytes(array) * std::min(n, elements(array));
    return bytes(array) * std::min(between, elements(array)) <= kNearBytes ? once : once * static_cast<double>(walks(loads));
  }

  /// How many loops that look at the loads must follow each other: a reduction over the array whose result another loop over it needs.
  int walks(const std::vector<UOp>& loads) const {
    std::unordered_set<UOp> looping, seen;
    std::vector<UOp> stack(loads);
    while (!stack.empty()) {
      const UOp u = stack.back();
      stack.pop_back();
      if (!seen.insert(u).second) continue;
      if (u.op() == Op::Reduce || u.op() == Op::Store) looping.insert(u);
      else if (auto it = users_.find(u); it != users_.end()) stack.insert(stack.end(), it->second.begin(), it->second.end());
    }
    std::unordered_map<UOp, int> depth;
    int most = 0;
    for (const UOp& u : order_) {
      int d = 0;
      for (const UOp& s : u.src()) d = std::max(d, depth[s]);
      most = std::max(most, depth[u] = d + static_cast<int>(looping.contains(u)));
    }
    return most;
  }

  const Plan& plan_;
  const PlanLaunch& launch_;
  const std::function<int64_t(const Dim&)>& size_;
  const std::vector<UOp> order_;
  std::unordered_map<UOp, Loops> open_;
  std::unordered_map<UOp, std::vector<UOp>> users_;
};

}  // namespace

Work work_of(const Plan& plan, const PlanLaunch& launch, const std::function<int64_t(const Dim&)>& size) {
  return Counting(plan, launch, size)();
}

}  // namespace tg
