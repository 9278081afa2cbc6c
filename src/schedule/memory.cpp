// The memory plan: temporaries share one arena; two overlap only if no launch needs both. The same of what is a block's own, where it is
// the steps of a block that need it.
//
// Greedy by size (largest first, each at the lowest place free for its whole life), as in Pisarchyk and Lee, "Efficient Memory Management
// for Deep Neural Net Inference", 2020.
#include <algorithm>

#include "schedule/plan.hpp"
#include "tg/device.hpp"

namespace tg {
namespace {

/// Places for all buffers of a kind; `when`: the time of each launch. Returns the bytes of all.
int64_t place(Plan& plan, PlanBuffer::Kind kind, const std::vector<int>& when) {
  struct Life { size_t buffer; int first, last; int64_t bytes; };
  std::vector<Life> lives;
  for (size_t b = 0; b < plan.buffers.size(); ++b) {
    if (plan.buffers[b].kind != kind) continue;
    Life life{b, -1, -1, 0};
    for (int i = 0; i < static_cast<int>(plan.launches.size()); ++i) {
      const auto& used = plan.launches[static_cast<size_t>(i)].buffers;
      if (std::find(used.begin(), used.end(), static_cast<int>(b)) == used.end()) continue;
      if (life.first < 0) life.first = when[static_cast<size_t>(i)];
      life.last = when[static_cast<size_t>(i)];
    }
    const auto align = static_cast<int64_t>(kAlignment);
    life.bytes = (plan.buffers[b].elements.max() * static_cast<int64_t>(size_of(plan.buffers[b].dtype)) + align - 1) / align * align;
    lives.push_back(life);
  }
  std::sort(lives.begin(), lives.end(),
            [](const Life& a, const Life& b) { return a.bytes != b.bytes ? a.bytes > b.bytes : a.buffer < b.buffer; });
  std::vector<const Life*> placed;  // by offset
  int64_t all = 0;
  for (const Life& life : lives) {
    int64_t at = 0;
    for (const Life* p : placed) {
      if (p->last < life.first || life.last < p->first) continue;
      const int64_t from = plan.buffers[p->buffer].offset;
      if (at + life.bytes <= from) break;
      at = std::max(at, from + p->bytes);
    }
    plan.buffers[life.buffer].offset = at;
    all = std::max(all, at + life.bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), at, [&](int64_t o, const Life* p) { return o < plan.buffers[p->buffer].offset; }),
        &life);
  }
  return all;
}

}  // namespace

void plan_memory(Plan& plan) {
  std::vector<int> together, each;  // launches that are made one run at the same time; steps follow each other
  for (size_t i = 0; i < plan.launches.size(); ++i) {
    together.push_back(i == 0 ? 0 : together.back() + !plan.launches[i].with_previous);
    each.push_back(static_cast<int>(i));
  }
  plan.arena_bytes = place(plan, PlanBuffer::Kind::Temporary, together);
  plan.local_bytes = place(plan, PlanBuffer::Kind::Local, each);
}

}  // namespace tg
