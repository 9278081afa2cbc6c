#pragma once
// The verb group(r, n): a reduction in n parts at once, then the parts combined in order.
//
//   out[i] = sum_r x[i, r]      phase 1: part[g, i] = sum of the r in block g      phase 2: out[i] = sum_g part[g, i]
//
// The parts depend on shape and verb alone, never on how many threads there are, so every run gives the same bits.
#include "codegen/nest.hpp"

namespace tg {

struct Grouped {
  Kernel partial, final;      // over the same params; the last one is the memory of the parts
  Dim elements;               // of that memory
};

/// Throws ValueError where the reduction cannot be split: no such range, a tuple-valued monoid, or more than one reduction over it.
Grouped group(const Kernel&, const Nest&, const Verb&);

/// The range of a reduction that a verb names. Throws ValueError where its axis is none.
UOp reduced_range(const Nest&, const Verb&);

}  // namespace tg
