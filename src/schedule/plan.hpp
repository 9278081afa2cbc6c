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
  enum class Kind : uint8_t { Input, Output, Temporary, Local };  // Local: of one block, in the memory of the thread that runs it
  Kind kind = Kind::Temporary;
  DType dtype = DType::void_;
  Dim elements;             // allocated by its upper bound
  int input = -1;           // Input: its slot. Output: the input whose memory it takes over (an assignment in place), or -1
  int64_t offset = -1;      // Temporary: bytes from the start of the arena. Local: of the thread's memory
  std::string why;          // for people: why this memory exists
};

struct PlanLaunch {
  Kernel kernel;
  std::vector<int> buffers;     // plan buffer of each of the kernel's params
  std::vector<int64_t> offsets = {};  // bytes from where each begins to what the kernel takes for its beginning (hoist_offsets.hpp)
  std::vector<UOp> scalars = {};      // for each of the kernel's variables the plan's, or a number
  Dim elements = 0;             // of a kernel over element_count()
  bool with_previous = false;   // in one launch with the one before: the same kernel over other memory, or the next step of a block
  int64_t blocks = 0;           // of a step: how often it runs, each time with the number of its block; 0 of what is no step
  int64_t in_order = 1;         // how many neighbouring blocks follow each other, the last first
};

struct Plan {
  std::vector<PlanBuffer> buffers;
  std::vector<PlanLaunch> launches;
  std::vector<int> roots;    // plan buffer of each root
  int64_t arena_bytes = 0;
  int64_t local_bytes = 0;   // of each thread's own memory

  /// The number of a buffer's memory, which an assignment in place shares with its input.
  int memory_of(int buffer) const {
    const PlanBuffer& b = buffers[static_cast<size_t>(buffer)];
    return b.input >= 0 ? static_cast<int>(buffers.size()) + b.input : buffer;
  }
};

/// Roots become Output buffers (or name an Input when nothing has to be computed). An Assign whose argument is 1 is written in place.
Plan schedule(std::span<const UOp> roots);
std::string to_string(const Plan&);

/// Gives temporaries places in one arena by lifetime, and what is a block's own in the threads' memory; sets offsets and bytes.
void plan_memory(Plan&);

}  // namespace tg
