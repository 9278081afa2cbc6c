#pragma once
// How much fuzz tests try: TG_FUZZ=0.1 is a tenth of what they try where it is not set.
#include <algorithm>
#include <cstdlib>

namespace tg {

inline double fuzz_budget() {
  const char* part = std::getenv("TG_FUZZ");
  return part ? std::strtod(part, nullptr) : 1;
}
/// That part of a number of runs, and at least one.
inline int fuzz_runs(int most) { return std::max(1, static_cast<int>(most * fuzz_budget())); }

}  // namespace tg
