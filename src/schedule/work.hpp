#pragma once
// What a launch costs at the least: bytes that reach memory and operations on floats, read off the kernel's expressions.
//
//   out[i] = sum over r < 64 of a[i, r] * b[r], i < 1000      read 4 * (64000 + 64), written 4 * 1000, operations 2 * 64000
//
// An element counts as read once a launch, however often the kernel looks at it, as long as what lies between two looks fits a near
// cache: the row of a softmax is read once, an array that is normalised as a whole by one kernel as often as it is walked through. Blocking
// is trusted: a matrix product counts each operand once. Elements, not arrays: a gather of k rows counts k rows.
#include <functional>

#include "schedule/plan.hpp"

namespace tg {

inline constexpr double kNearBytes = 512 << 10;  // what a core's cache keeps beside everything else

struct Work {
  double read = 0, written = 0;  // bytes
  double operations = 0;         // elementwise and reduction steps of floats, a transcendental being one of them
  double bytes() const { return read + written; }
};

/// `size` gives the number that the extent of a loop or of an array is; without it upper bounds count.
Work work_of(const Plan&, const PlanLaunch&, const std::function<int64_t(const Dim&)>& size = [](const Dim& d) { return d.max(); });

}  // namespace tg
