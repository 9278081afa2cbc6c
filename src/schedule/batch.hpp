#pragma once
// Launches made one: equal kernels over other memory that do not wait for each other, such as an optimizer's update of each parameter.
//
//   p[i] -= 0.1 * g[i], i < 800;   q[i, j] -= 0.1 * h[i, j], i < 64, j < 9        one kernel over n numbers, once with 800 and once with
//   576
//
// Kernels that differ in sizes alone can be made equal when they take memory element by element in order: then they are over n numbers.
#include <optional>
#include <set>

#include "schedule/plan.hpp"

namespace tg {

/// The size of a kernel over any number of elements; PlanLaunch::elements is its value.
const UOp& element_count();

/// The order of launches with equal kernels side by side and marked PlanLaunch::with_previous. order[i] is the i-th to run, after[l] those
/// that launch l must come after.
std::vector<PlanLaunch> batch(std::vector<PlanLaunch> launches, const std::vector<int>& order, const std::vector<std::set<int>>& after);

}  // namespace tg
