#pragma once
// The verb part(i0): the kernel once for each stretch of a range between the places where it is told apart, each a phase of its own.
//
//   out[i] = i < 4 ? a[i % 4] : b[i % 4], i < 8      part(i0)      out[i] = a[i], i < 4      out[4 + i] = b[i], i < 4
//
// That is what arrays joined along an axis are: the parts divide nothing, choose nothing, and read one operand each.
#include "codegen/nest.hpp"

namespace tg {

/// The kernels of the stretches, over the same params. Throws ValueError where the range is none of the output's, is not told apart from
/// constants, or the kernel does more than compute elements one by one.
std::vector<Kernel> part(const Kernel&, const Nest&, const Verb&);

/// The verb, for the first range of which the stretches are long and each reads less than the whole does; none where there is none.
std::optional<Verb> worth_parting(const Kernel&);

}  // namespace tg
