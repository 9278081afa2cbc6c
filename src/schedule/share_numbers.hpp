#pragma once
// Kernels of one plan that differ in numbers alone are one kernel, to which each launch hands its own: the steps of an iteration, with the
// coefficients of each.
//
//   out[i] = x[i] * 0.9    out[i] = x[i] * 0.81      out[i] = x[i] * n0, launched with 0.9 and with 0.81
#include "schedule/plan.hpp"

namespace tg {

/// Whether the compiler makes something else of it than of any number: 0, 1, infinity, ln 2 (exact_rules, and codegen's decompositions).
bool is_known_to_rules(const UOp& number);
/// A number that may be handed over at launch instead, with the same bits in every result.
bool may_be_bound(const UOp&);

void share_numbers(Plan&);

}  // namespace tg
