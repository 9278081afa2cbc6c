// See plans.hpp. What a table lets go is destroyed when it is unlocked again: a plan may be the last owner of thousands of nodes.
#include "engine/plans.hpp"

#include <algorithm>

#include "base/env.hpp"

namespace tg {

std::shared_ptr<const ReadyPlan> Plans::find(const Key& key) {
  const std::lock_guard lock(mutex_);
  const auto* found = recent_.find(key);
  return found ? *found : nullptr;
}
void Plans::put(const Key& key, std::shared_ptr<const ReadyPlan> plan) {
  const size_t launches = std::max<size_t>(1, plan->plan.launches.size());
  std::vector<std::shared_ptr<const ReadyPlan>> dropped;
  const std::lock_guard lock(mutex_);
  dropped = recent_.put(key, std::move(plan), launches);
}
void Plans::forget() {
  std::vector<std::shared_ptr<const ReadyPlan>> dropped;
  const std::lock_guard lock(mutex_);
  dropped = recent_.clear();
}
Plans::Counts Plans::counts() const {
  const std::lock_guard lock(mutex_);
  return {recent_.count(), recent_.size()};
}
void Plans::set_limit(size_t kernels) {
  const std::lock_guard lock(mutex_);
  recent_.set_limit(kernels);
}

Plans& Plans::shared() {
  static auto& leaked = *new Plans(static_cast<size_t>(settings().kernels));
  return leaked;
}

}  // namespace tg
