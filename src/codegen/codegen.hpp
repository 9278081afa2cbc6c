#pragma once
// The compiler's front: a kernel to phases of instructions.
//
//   kernel -> split, collapse -> verbs (chosen or given) -> nest -> lower -> instruction list
#include <optional>

#include "codegen/lower.hpp"

namespace tg {

struct Generated {
  std::vector<LoweredPhase> phases;
  Kernel kernel;        // after split and collapse: what the verbs' axes name
  Verbs verbs;
  std::string nest;     // for people
  std::vector<std::pair<DType, Dim>> temporaries;  // memory between phases, behind the kernel's params: element type and number
};

/// Deterministic in its arguments. Throws ValueError when given verbs that do not fit the kernel.
Generated generate(const Kernel&, const Target&, const std::optional<Verbs>& verbs = std::nullopt);

}  // namespace tg
