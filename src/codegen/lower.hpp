#pragma once
// A kernel and its loop nest to an instruction list.
//
//   in:  stores of scalar expressions, the nest that the verbs made, a target      out: one phase, and its number of blocks
//
// Every expression is emitted at the outermost loop that fixes all it depends on, so invariants leave loops by construction. A Reduce is
// a loop emitted where its value is first needed; the points of a register tile share its body, each with its own accumulator.
#include <array>

#include "codegen/nest.hpp"
#include "tg/inst.hpp"
#include "tg/target.hpp"

namespace tg {

struct LoweredPhase {
  Phase phase;
  std::array<Dim, 3> grid{1, 1, 1};  // blocks; may depend on variables
  std::array<std::string, 3> grid_axes;  // GPU: the axes they go along, for people
};

LoweredPhase lower(const Kernel&, const Nest&, const Target&);

}  // namespace tg
