#pragma once
// How much fuzz tests try: TG_FUZZ=0.1 is a tenth of what they try where it is not set.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace tg {

inline double fuzz_budget() {
  const char* part = std::getenv("TG_FUZZ");
  return part ? std::strtod(part, nullptr) : 1;
}
/// That part of a number of runs, and at least one; and of the last seed, where seeds begin at 1.
inline int fuzz_runs(int most) { return std::max(1, static_cast<int>(most * fuzz_budget())); }
inline uint64_t fuzz_seeds(int most) { return static_cast<uint64_t>(fuzz_runs(most)); }

}  // namespace tg
