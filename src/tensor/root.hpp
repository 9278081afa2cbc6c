#pragma once
// Roots of sums of powers, as norms and deviations are: where the sum is 0 its gradient is taken for 0, not for infinity times 0.
#include "tg/functions.hpp"

namespace tg {

/// f(sum), a root; 0, also for gradients, where the sum is 0.
template <class Root>
Tensor root_of(const Tensor& sum, const Root& f) {
  const Tensor zero = sum == 0;
  return where(zero, 0, f(where(zero, 1, sum)));
}

}  // namespace tg
