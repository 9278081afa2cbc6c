#pragma once
// The search for a kernel's verbs on the device that will run it: a beam of verb lists, their neighbours compiled on all cores and timed
// in turns.
//
//   in:  a launch of a plan, the compiler's own verbs, a deadline      out: verbs that are faster by 3% or more, or the same ones
#include <chrono>

#include "codegen/codegen.hpp"
#include "schedule/plan.hpp"
#include "tg/device.hpp"

namespace tg {

struct SearchOptions {
  int beam = 4;
  std::chrono::steady_clock::time_point deadline = {};
};

struct SearchResult {
  Verbs verbs, default_verbs;
  double seconds = 0, default_seconds = 0;  // medians of both in turns
  int tried = 0;                            // programs that were timed
  bool finished = false;                    // no neighbour was better; otherwise time ran out
};

/// Deterministic but for the clock. The winner has computed what the default computes, up to rounding.
SearchResult search(const Plan&, const PlanLaunch&, Device&, const SearchOptions&);

/// Both measured in turns, and what they compute compared: throws ValueError where that differs by more than rounding.
SearchResult race(const Plan&, const PlanLaunch&, Device&, const Generated& candidate);

}  // namespace tg
