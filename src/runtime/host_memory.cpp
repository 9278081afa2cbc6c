// Free lists by size class over mappings on huge pages.
#include "runtime/host_memory.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <new>
#include <sstream>
#include <string>

#include "tg/device.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

constexpr size_t kPiece = size_t{8} << 20;
constexpr size_t kLarge = size_t{256} << 20;  // from here on a block costs so much to touch that a look at what is left costs nothing

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

/// The least of what is written in that file of a control group and of those around it: {"/sys/fs/cgroup", "/a/b", "memory.max"}.
size_t least_of_groups(const std::string& root, std::string group, const std::string& file) {
  size_t least = SIZE_MAX;
  for (;;) {
    std::ifstream in(root + group + "/" + file);
    if (size_t bytes = 0; in >> bytes) least = std::min(least, bytes);
    if (group.empty()) return least;
    group.resize(group.rfind('/'));
  }
}

/// What this process may use: the machine's memory, or what a container leaves it of that.
size_t usable_bytes() {
  static const size_t bytes = [] {
    size_t least = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
    std::ifstream groups("/proc/self/cgroup");  // lines 4:memory:/a/b of version 1, 0::/a/b of version 2
    for (std::string line; std::getline(groups, line);) {
      const size_t at = line.find(":/");
      if (at == line.npos) continue;
      const std::string group = line.size() == at + 2 ? "" : line.substr(at + 1);
      if (line.substr(0, at) == "0:") least = std::min(least, least_of_groups("/sys/fs/cgroup", group, "memory.max"));
      if (line.substr(0, at).ends_with(":memory"))
        least = std::min(least, least_of_groups("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
    return least;
  }();
  return bytes;
}

}  // namespace

size_t available_bytes(const std::string& meminfo) {
  std::ifstream in(meminfo);  // lines MemAvailable:   23372204 kB
  size_t available = SIZE_MAX, swap = 0, kilobytes = 0;
  std::string name;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    if (!(words >> name >> kilobytes)) continue;
    if (name == "MemAvailable:") available = kilobytes << 10;
    if (name == "SwapFree:") swap = kilobytes << 10;
  }
  return available == SIZE_MAX ? available : available + swap;
}

void* map_pages(size_t bytes) noexcept {
  void* const got = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got == MAP_FAILED) return nullptr;
  auto* const begin = static_cast<std::byte*>(got);
  auto* const aligned = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<size_t>(begin), kHugePage));
  if (aligned != begin) munmap(begin, static_cast<size_t>(aligned - begin));
  if (const size_t tail = static_cast<size_t>(begin + kHugePage - aligned)) munmap(aligned + bytes, tail);
  madvise(aligned, bytes, MADV_HUGEPAGE);  // refused where there are no huge pages: slower, not wrong
  return aligned;
}

size_t size_class(size_t bytes) {
  const size_t significant = std::bit_floor(std::max<size_t>(bytes, 1)) / 8;  // steps of an eighth
  return round_up(std::max<size_t>(bytes, 1), std::max(significant, bytes >= kHugePage ? kHugePage : kAlignment));
}

void* HostMemory::allocate(size_t bytes) {
  const std::lock_guard lock(mutex_);
  const size_t size = bytes <= usable_bytes() ? size_class(bytes) : 0;
  size_t left = SIZE_MAX;
  void* block = nullptr;
  if (size) {
    auto& kept = free_[size];
    if (!kept.empty()) {
      block = kept.back();
      kept.pop_back();
      counts_.cached_bytes -= size;
    } else if (counts_.live_bytes + size <= usable_bytes()) {
      if (counts_.live_bytes + counts_.cached_bytes + size > usable_bytes()) release_cached();
      const auto fresh = [&]() -> void* {
        if (size >= kLarge) left = available_bytes();
        return size > left ? nullptr : size < kHugePage ? cut(size) : map_pages(size);
      };
      block = fresh();
      if (!block && counts_.cached_bytes) {
        release_cached();
        block = fresh();
      }
    }
  }
  if (!block)
    throw DeviceError(
        fmt::format("no memory for {} bytes: {} are in use, of {} that there are{}", bytes, counts_.live_bytes, usable_bytes(),
                    size > left ? fmt::format("; other programs leave {}", left) : ""));
  counts_.live_bytes += size;
  ++counts_.live_blocks;
  return block;
}

void HostMemory::free(void* block, size_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  const size_t size = size_class(bytes);
  counts_.live_bytes -= size;
  --counts_.live_blocks;
  if (size >= kHugePage && counts_.cached_bytes + size > usable_bytes() / 2) {
    munmap(block, size);
    return;
  }
  try {
    free_[size].push_back(block);
    counts_.cached_bytes += size;
  } catch (const std::bad_alloc&) {
    if (size >= kHugePage) munmap(block, size);  // a small block stays unused until its piece goes
  }
}

HostMemory::Counts HostMemory::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

/// A small block from the current piece. What is left of the piece before is given up: less than one block of this size.
void* HostMemory::cut(size_t bytes) {
  if (left_ < bytes) {
    void* const piece = map_pages(kPiece);
    if (!piece) return nullptr;
    pieces_.emplace_back(piece, kPiece);
    next_ = static_cast<std::byte*>(piece);
    left_ = kPiece;
  }
  std::byte* const block = next_;
  next_ += bytes;
  left_ -= bytes;
  return block;
}

void HostMemory::release_cached() {
  for (auto& [size, blocks] : free_) {
    if (size < kHugePage) continue;
    for (void* block : blocks) munmap(block, size);
    counts_.cached_bytes -= size * blocks.size();
    blocks.clear();
  }
}

HostMemory::~HostMemory() {
  release_cached();
  for (const auto& [piece, size] : pieces_) munmap(piece, size);
}

}  // namespace tg
