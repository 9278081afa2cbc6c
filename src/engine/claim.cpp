// See claim.hpp. All or none are taken at once, so that no two runs wait for each other.
#include "engine/claim.hpp"

#include <algorithm>
#include <atomic>
#include <unordered_set>

#include "base/fork.hpp"

namespace tg {
namespace {

struct Taken {
  Mutex mutex;
  std::unordered_set<const detail::Node*> nodes;
  std::atomic<uint32_t> released = 0;  // counts: what those who wait watch
  InChild forget{[](void* self) { static_cast<Taken*>(self)->nodes.clear(); }, this};  // no other thread lives in a child
};
Taken& taken() { static auto& leaked = *new Taken; return leaked; }

}  // namespace

Claim::Claim(std::span<const UOp> assignments) : assignments_(assignments.begin(), assignments.end()) {
  if (assignments_.empty()) return;
  for (;;) {
    const uint32_t seen = taken().released.load();
    {
      const std::lock_guard lock(taken().mutex);
      if (std::ranges::none_of(assignments_, [](const UOp& a) { return taken().nodes.contains(a.node()); })) {
        for (const UOp& a : assignments_) taken().nodes.insert(a.node());
        return;
      }
    }
    const ForkMayCome meanwhile;
    taken().released.wait(seen);
  }
}

Claim::~Claim() {
  if (assignments_.empty()) return;
  {
    const std::lock_guard lock(taken().mutex);
    for (const UOp& a : assignments_) taken().nodes.erase(a.node());
  }
  ++taken().released;
  taken().released.notify_all();
}

}  // namespace tg
