#pragma once
// Rules over tensors: values that are better made another way, before anything is decided about them.
//
//   overlap_add(windows that lie side by side)  ->  the windows, reshaped         where(max(x, 0) != 0, x, 0)  ->  max(x, 0)
#include "tg/ir/pattern.hpp"

namespace tg {

const Rules& same_values();

}  // namespace tg
