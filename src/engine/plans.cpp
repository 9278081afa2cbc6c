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
std::vector<size_t> Plans::varying(const Key& key, const std::vector<double>& numbers) {
  const std::lock_guard lock(mutex_);
  const Form* const known = forms_.find(key);
  Form form = known ? *known : Form{numbers, {}};
  for (size_t i = 0; i < numbers.size(); ++i)
    if (numbers[i] != form.first[i] && !std::ranges::binary_search(form.varying, i))
      form.varying.insert(std::ranges::upper_bound(form.varying, i), i);
  if (!known || form.varying.size() > known->varying.size()) (void)forms_.put(key, form, numbers.size());
  return form.varying;
}
void Plans::forget() {
  std::vector<std::shared_ptr<const ReadyPlan>> dropped;
  const std::lock_guard lock(mutex_);
  dropped = recent_.clear();
  (void)forms_.clear();
}
Plans::Counts Plans::counts() const {
  const std::lock_guard lock(mutex_);
  return {recent_.count(), recent_.size()};
}
void Plans::set_limit(size_t kernels) {
  const std::lock_guard lock(mutex_);
  recent_.set_limit(kernels);
  forms_.set_limit(kernels);
}

Plans& Plans::shared() {
  static auto& leaked = *new Plans(static_cast<size_t>(settings().kernels));
  return leaked;
}

}  // namespace tg
