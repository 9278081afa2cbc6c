#pragma once
// The interpreter: values of tensor graphs, op by op, straight from what ops.def and the monoid table say. The oracle for all else.
//
//   HostArray v = evaluate(std::span(&root, 1))[0];       v.number(0)
//
// Float sums and products are accumulated in float64 and rounded once, so results are the best a float kernel can hope for.
#include <span>
#include <vector>

#include "runtime/interpreter/host_array.hpp"
#include "tg/device.hpp"
#include "tg/ir/uop.hpp"

namespace tg {

/// Values of the roots (of a tuple-valued one: its first component). Nodes that have memory are read from it; nothing is attached.
/// Assignments yield the assigned value and write nowhere. Throws IndexError where Gather or Scatter meets an index outside its axis,
/// ValueError for a variable that nothing binds, InternalError for ops that exist only inside kernels.
std::vector<HostArray> evaluate(std::span<const UOp> roots);

/// Computes the roots that have no memory yet and attaches buffers on `device` to them. On a throw nothing was attached.
void interpret(std::span<const UOp> roots, Device& device);

}  // namespace tg
