#pragma once
// Kernels without the constants that all their indices of an array have in common: where it begins is said by the launch. So what differs
// in such a constant alone, as the steps of a recurrent network do, is one kernel.
//
//   out[i] = tanh(z[i + 6150] + w[i])      over z      out[i] = tanh(z[i + 6] + w[i])      over z from byte 24576 on
#include "schedule/plan.hpp"

namespace tg {

/// Sets the launches' offsets, to multiples of so many bytes, and takes them from the indices of their kernels.
void hoist_offsets(Plan&, int64_t alignment);

}  // namespace tg
