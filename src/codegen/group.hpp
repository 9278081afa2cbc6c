#pragma once
// The verb group(r, n): a reduction in n parts at once, then the parts combined in order.
//
//   out[i] = sum_r x[i, r]      phase 1: part[g, i] = sum of the r in block g      phase 2: out[i] = sum_g part[g, i]
//
// group(r, n, k): a part in rounds of k steps, which all outputs along the last range take before the next round begins. Where x[r, i] lies
// in rows along i, these are read straight through, k at once:
//
//   out[i] = sum_r x[r, i]      phase 1: for each round t, for each i:  part[g, i] += x[k t, i] + ... + x[k t + k - 1, i]
//
// With one part, of a reduction that is stored as it is, rounds add to what is stored, and there is no second phase.
//
// Reductions side by side, of which none needs another's result, are split together.
//
// The parts depend on shape and verb alone, never on how many threads there are, so every run gives the same bits.
#include "codegen/nest.hpp"

namespace tg {

struct Grouped {
  Kernel partial, final;      // over the same params; the last one is the memory of the parts
  Dim elements;               // of that memory
  bool in_place = false;      // there is no such memory, and no final kernel
};

/// Throws ValueError where the reduction cannot be split: no such range, a tuple-valued monoid, or others over it that cannot be split with
/// it.
Grouped group(const Kernel&, const Nest&, const Verb&);

/// The range of a reduction that a verb names. Throws ValueError where its axis is none.
UOp reduced_range(const Nest&, const Verb&);

}  // namespace tg
