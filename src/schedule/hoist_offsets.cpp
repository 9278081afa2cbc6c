// See hoist_offsets.hpp.
#include "schedule/hoist_offsets.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "ir/symbolic.hpp"
#include "schedule/block_steps.hpp"

namespace tg {
namespace {

/// Bytes of each memory that lie before all that a launch accesses of it. An index under a gate that never holds may lie outside.
std::map<int, int64_t> unused_before(const Plan& plan, const PlanLaunch& l) {
  std::map<int, int64_t> out;
  for (const UOp& u : toposort(l.kernel.stores)) {
    if (!accesses_memory(u)) continue;
    const int b = buffer_of(l, u);
    const PlanBuffer& p = plan.buffers[static_cast<size_t>(b)];
    const int64_t first = std::clamp<int64_t>(u.src(1).bounds().min, 0, std::max<int64_t>(1, p.elements.min()) - 1),
                  at = first * static_cast<int64_t>(size_of(p.dtype));
    const auto [it, fresh] = out.try_emplace(plan.memory_of(b), at);
    it->second = std::min(it->second, at);
  }
  return out;
}

/// The stores over memory that begins later. What commutes is put in order anew, since that depends on constants.
std::vector<UOp> from_offsets(const PlanLaunch& l) {
  std::unordered_map<UOp, UOp> done;
  for (const UOp& u : toposort(l.kernel.stores)) {
    std::vector<UOp> src;
    for (const UOp& s : u.src()) src.push_back(done.at(s));
    if (accesses_memory(u)) {
      const UOp& array = u.src(0);
      src[1] = src[1] - l.offsets[static_cast<size_t>(array.as<ParamArg>().slot)] / static_cast<int64_t>(size_of(array.dtype()));
    }
    done[u] = std::equal(src.begin(), src.end(), u.src().begin(), u.src().end()) ? u : u.with(src);
  }
  std::vector<UOp> out;
  for (const UOp& s : l.kernel.stores) out.push_back(done.at(s));
  return simplify(out);
}

}  // namespace

void hoist_offsets(Plan& plan, int64_t alignment) {
  for (PlanLaunch& l : plan.launches) {
    const std::map<int, int64_t> unused = unused_before(plan, l);
    for (const int b : l.buffers) {
      const auto at = unused.find(plan.memory_of(b));
      l.offsets.push_back(at == unused.end() ? 0 : at->second / alignment * alignment);
    }
    if (std::ranges::any_of(l.offsets, [](int64_t n) { return n > 0; })) l.kernel.stores = from_offsets(l);
  }
}

}  // namespace tg
