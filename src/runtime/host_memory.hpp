#pragma once
// Host memory for devices that use it, kept for reuse: the first touch of a fresh page costs more than most kernels.
//
//   HostMemory memory;  void* p = memory.allocate(1000);  memory.free(p, 1000);  memory.allocate(1001) == p
//
// Sizes are rounded up to classes, at most an eighth larger. Small blocks are cut from 8 MiB pieces, larger ones are mappings of
// their own; both lie on huge pages. Freed blocks are kept, up to half of what this process may use: the machine's memory, or what a
// container leaves it of that.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tg/ir/mutex.hpp"

namespace tg {

class HostMemory {
 public:
  HostMemory() = default;
  ~HostMemory();
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  /// Aligned to kAlignment; contents undefined. Throws DeviceError naming the size, what is in use and what the machine has: also where
  /// a large block is more than other programs leave, which the system would grant, and end a program for when it is written.
  void* allocate(size_t bytes);
  void free(void* block, size_t bytes) noexcept;

  struct Counts {
    size_t live_bytes = 0, live_blocks = 0, cached_bytes = 0;
  };  // after rounding up
  Counts counts() const;

 private:
  void* cut(size_t bytes);
  void release_cached();

  mutable Mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;  // by class size
  std::vector<std::pair<void*, size_t>> pieces_;
  std::byte* next_ = nullptr;  // the rest of the piece being cut
  size_t left_ = 0;
  Counts counts_;
};

/// What all programs of the machine leave of its memory and swap, by /proc/meminfo; SIZE_MAX where that does not say.
size_t available_bytes(const std::string& meminfo = "/proc/meminfo");

inline constexpr size_t kHugePage = size_t{2} << 20;
/// Fresh memory of so many bytes (a multiple of kHugePage) at a huge page's border, or null; to be returned with munmap.
void* map_pages(size_t bytes) noexcept;

/// The class of a size: a multiple of kAlignment (of 2 MiB from there on) with at most four significant bits.
size_t size_class(size_t bytes);

}  // namespace tg
