#pragma once
// Kernel: what the scheduler hands to codegen. Stores of scalar expressions over loops that are not yet loops.
//
//   out[i] = sum over r of a[i, r]      stores  {Store(p0, i0, Reduce<Sum>(Load(p1, i0*8 + r1), r1))}
//                                       ranges  {i0}
//
// A Reduce closes its ranges; where in the loop nest it is computed follows from the ranges that stay open in it.
#include <string>
#include <vector>

#include "tg/ir/uop.hpp"

namespace tg {

/// A value that is computed once for several walks over a range: an array in the core's scratch, filled before it is read, anew in each
/// round of the loops outside. Its index names them, but there is memory for one round.
struct Kept {
  UOp store;  // Store(Param, index, value)
  UOp range;
};

struct Kernel {
  std::vector<UOp> stores;     // Store(Param, index, value[, gate]), all over `ranges`
  std::vector<UOp> ranges;     // output ranges, outermost first
  uint64_t sequential = 0;     // bit per range id: must run in order, on one worker (scatter)
  bool alone = false;          // one thread makes all of it: a step of a launch in blocks, whose number is the first variable
  std::vector<Kept> kept = {}; // in Params behind those of the kernel
  std::vector<UOp> params;     // Param by slot
  std::vector<UOp> variables;  // scalar arguments by number
  std::vector<UOp> roots() const;  // the stores, then those of what is kept
  Hash128 hash() const;        // of the structure
  std::string name() const;    // "r_64_128_3", from what it does and its sizes
};

/// A Check as it is where a condition holds; where it does not it has nothing to report.
UOp passing_outside(const UOp& condition, const UOp& check);

/// The loops a Reduce of a kernel closes. Behind them a tuple-valued one (ArgMax) carries the position of its value among those reduced.
std::span<const UOp> reduce_ranges(const UOp& reduce);
/// The loop a Scan of a kernel runs along: the innermost of its output, which stays open. Codegen splits it into a loop and its lanes.
std::span<const UOp> scan_ranges(const UOp& scan);

}  // namespace tg
