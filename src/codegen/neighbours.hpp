#pragma once
// Verb lists that differ from a given one by a single edit, for whoever searches. Which of them is fast is not known here.
//
//   tile(i0, 16, vector)      ->      no verbs | tile(i0, 8, vector) | tile(i0, 16, vector); tile(i0, 4, unroll) | ...
#include "codegen/nest.hpp"
#include "tg/target.hpp"

namespace tg {

/// A size doubled, halved or moved by one, a verb left out, a tile or a staged operand added, two loops exchanged, a long reduction in
/// more or fewer parts. Each fits the kernel, which is one after collapse(), as a nest; lowering may still refuse it. No list twice.
std::vector<Verbs> neighbours(const Kernel&, const Target&, const Verbs&);

}  // namespace tg
