// Assignments that are not made yet. What a thread has written to its tensors is part of the next thing that it computes:
//
//   in:  w -= 0.1 * gradient; loss.item()      out: one run that computes the loss and the new w
//
// Otherwise a loop that asks for its loss alone would compute all earlier steps again at each one, and hold what they read.
#include <algorithm>
#include <map>
#include <thread>
#include <unordered_set>

#include "engine/canonical.hpp"
#include "tensor/impl.hpp"

namespace tg {
namespace {

struct Pending {
  struct Entry {
    TensorImpl* target;
    std::thread::id writer;
  };
  Mutex mutex;
  uint64_t last = 0;
  std::map<uint64_t, Entry> entries;  // in the order in which they were written
  std::atomic<size_t> size = 0;       // of the entries
};
Pending& pending() { static auto& leaked = *new Pending; return leaked; }  // static tensors may die late

bool is_pending(const UOp& node) { return node.op() == Op::Assign && !node.storage(); }

void forget(TensorImpl& target) {  // with the lock
  if (target.pending == 0) return;
  pending().entries.erase(std::exchange(target.pending, 0));
  pending().size = pending().entries.size();
}

/// Whether it stands for a whole batch: it was written inside a function under vmap, from the function's argument.
bool has_no_value(const UOp& node) {
  return std::ranges::any_of(nodes_to_compute(std::span(&node, 1)), [](const UOp* u) { return u->op() == Op::Param; });
}

}  // namespace

void note_assignment(TensorImpl& target) {
  {
    const std::lock_guard lock(target.mutex);
    if (!is_pending(target.value) && target.pending == 0) return;
  }
  const std::scoped_lock lock(pending().mutex, target.mutex);
  forget(target);
  if (!is_pending(target.value)) return;
  target.pending = ++pending().last;
  pending().entries[target.pending] = {&target, std::this_thread::get_id()};
  pending().size = pending().entries.size();
}
void forget_assignment(TensorImpl& target) noexcept {
  const std::lock_guard lock(pending().mutex);
  forget(target);
}

std::vector<Tensor> pending_assignments(std::span<const Tensor> besides, std::string_view device) {
  std::vector<Tensor> out;
  if (pending().size == 0) return out;
  std::unordered_set<const TensorImpl*> known;
  for (const Tensor& t : besides) known.insert(&impl_of(t, "realize"));
  {
    const std::lock_guard lock(pending().mutex);
    out.reserve(pending().entries.size());
    for (const auto& [number, entry] : pending().entries) {
      TensorImpl& target = *entry.target;
      if (entry.writer != std::this_thread::get_id() || target.device != device || known.contains(&target)) continue;
      if (auto handle = TensorImpl::handle_of_living(target)) out.push_back(TensorImpl::wrap(std::move(handle)));
    }
  }
  std::erase_if(out, [](const Tensor& t) { return has_no_value(node_of(t, "realize")); });
  return out;
}

}  // namespace tg
