#pragma once
// Plan: what to launch, in order, over which memory. Pure data: it names no device and no address, so equal graphs share one.
//
//   in:  a graph whose memory is Params (slot = number of an input)      out: kernels in order, and the buffers between them
#include <span>
#include <string>
#include <vector>

#include "ir/kernel.hpp"

namespace tg {

struct PlanBuffer {
  enum class Kind : uint8_t { Input, Output, Temporary };
  Kind kind = Kind::Temporary;
  DType dtype = DType::void_;
  Dim elements;             // allocated by its upper bound
  int input = -1;           // Input: its slot. Output: the input whose memory it takes over (an assignment in place), or -1
  int64_t offset = -1;      // Temporary: bytes from the start of the arena
  std::string why;          // for people: why this memory exists
};

struct PlanLaunch {
  Kernel kernel;
  std::vector<int> buffers;     // plan buffer of each of the kernel's params
  Dim elements = 0;             // of a kernel over element_count()
  bool with_previous = false;   // the same kernel as before over other memory: in one launch with it
};

struct Plan {
  std::vector<PlanBuffer> buffers;
  std::vector<PlanLaunch> launches;
  std::vector<int> roots;    // plan buffer of each root
  int64_t arena_bytes = 0;
};

/// Roots become Output buffers (or name an Input when nothing has to be computed). An Assign whose argument is 1 is written in place.
Plan schedule(std::span<const UOp> roots);
std::string to_string(const Plan&);

/// Gives temporaries places in one arena by lifetime; sets offsets and arena_bytes.
void plan_memory(Plan&);

}  // namespace tg
