#pragma once
// explain: how a tensor's value will be computed, as text.
//
//   tg::Tensor z = x * y + w;
//   std::cout << tg::explain(z, "schedule");      one fused kernel, and the memory it reads and writes
//
// Nothing is computed, compiled or kept: the tensor and its graph stay as they were.
#include <string>
#include <string_view>

#include "tg/tensor.hpp"

namespace tg {

/// `part` is one of
///   "graph"     the nodes, a line each, sources first: number, op, dtype, shape, argument in braces, numbers of the sources
///   "gradient"  the reverse walk that backward() would take, a line a step, with the gradient table's row; d%3 is the gradient of %3
///   "schedule"  the memory and why it exists, then the kernels in order: loops, and what is stored
///   "loops"     of each distinct kernel: the verbs that were applied, and each original loop with what it became
///   "source"    of each distinct kernel: the text that the device's compiler is given
///   "rewrites"  the rules that fired on the way to the source, in order: file:line: before -> after. What was simplified already stays so
///   "all"       all of these but "rewrites" under headings; "gradient" only where the tensor requires one
/// Of what lives on another device the schedule shows the part after the copy; explain the tensor there for what comes before.
/// Throws ValueError for another part or an undefined tensor, GradientError for "gradient" where nothing requires one, DeviceError where
/// the tensor's device cannot be opened.
[[nodiscard]] std::string explain(const Tensor& tensor, std::string_view part = "all");

}  // namespace tg
