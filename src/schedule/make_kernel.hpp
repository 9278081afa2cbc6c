#pragma once
// A group to a kernel: what it stores, as scalar expressions over memory and the group's loops.
//
//   in:  the group of softmax(x)      out: out[i, j] = exp(x[i, j] - max_r x[i, r]) / sum_r exp(x[i, r] - max_r' x[i, r'])
#include <functional>

#include "schedule/demand.hpp"
#include "schedule/plan.hpp"

namespace tg {

/// The plan's buffer of a node that is in memory, given or stored.
using BufferOf = std::function<int(const UOp&)>;

PlanLaunch make_kernel(const Demands& demands, int group, const BufferOf& buffer_of);

}  // namespace tg
