// Host memory: alignment, reuse, counts, and the refusal of what the machine does not have.
#include "runtime/host_memory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "tg/device.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

constexpr size_t kMega = 1 << 20;

TEST(HostMemory, ClassesWasteAtMostAnEighth) {
  size_t last = 0;
  for (size_t bytes = 1; bytes < 100 * kMega; bytes += bytes / 3 + 1) {
    const size_t size = size_class(bytes);
    EXPECT_GE(size, bytes);
    EXPECT_GE(size, last);
    EXPECT_EQ(size % kAlignment, 0u);
    EXPECT_EQ(size_class(size), size);
    if (bytes > 4096 && bytes < 2 * kMega) { EXPECT_LE(size, bytes + bytes / 8 + kAlignment); }
    last = size;
  }
  EXPECT_EQ(size_class(0), kAlignment);
  EXPECT_EQ(size_class(3 * kMega), 4 * kMega);
  EXPECT_EQ(size_class(20 * kMega + 1), 22 * kMega);
}

TEST(HostMemory, BlocksAreAlignedDisjointAndReused) {
  HostMemory memory;
  std::vector<std::pair<std::byte*, size_t>> blocks;
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{513}, size_t{70000}, kMega, 3 * kMega, 9 * kMega, size_t{512}}) {
    auto* p = static_cast<std::byte*>(memory.allocate(bytes));
    EXPECT_EQ(reinterpret_cast<size_t>(p) % (bytes >= 2 * kMega ? 2 * kMega : kAlignment), 0u);
    std::memset(p, static_cast<int>(blocks.size()), bytes);
    blocks.emplace_back(p, bytes);
  }
  for (size_t b = 0; b < blocks.size(); ++b)
    for (size_t i = 0; i < blocks[b].second; i += 100) ASSERT_EQ(blocks[b].first[i], static_cast<std::byte>(b));
  EXPECT_EQ(memory.counts().live_blocks, blocks.size());
  std::set<void*> first;
  for (auto [p, bytes] : blocks) first.insert(p), memory.free(p, bytes);
  EXPECT_EQ(memory.counts().live_bytes, 0u);
  EXPECT_GT(memory.counts().cached_bytes, 12 * kMega);
  std::set<void*> second;
  for (auto [p, bytes] : blocks) second.insert(memory.allocate(bytes));
  EXPECT_EQ(first, second);
  EXPECT_EQ(memory.counts().cached_bytes, 0u);
}

TEST(HostMemory, RefusesWhatTheMachineDoesNotHave) {
  HostMemory memory;
  for (size_t bytes : {size_t{1} << 50, ~size_t{0}}) {
    try {
      memory.allocate(bytes);
      FAIL();
    } catch (const DeviceError& e) {
      EXPECT_THAT(e.what(), testing::HasSubstr("no memory for " + std::to_string(bytes) + " bytes: 0 are in use, of "));
    }
  }
  void* p = memory.allocate(100);
  EXPECT_EQ(memory.counts().live_blocks, 1u);
  memory.free(p, 100);
}

TEST(HostMemory, RefusesWhatOtherProgramsDoNotLeave) {
  const std::string path = std::filesystem::temp_directory_path() / ("tg-meminfo-" + std::to_string(::getpid()));
  std::ofstream(path)
      << "MemTotal:       24684084 kB\nMemAvailable:        100 kB\nHugePages_Total:       0\nSwapFree:             20 kB\n";
  EXPECT_EQ(available_bytes(path), size_t{120} << 10);
  std::filesystem::remove(path);
  EXPECT_EQ(available_bytes(path), SIZE_MAX);
  const size_t all = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)), left = available_bytes();
  if (left == SIZE_MAX || left + 256 * kMega > all) GTEST_SKIP() << "nobody else uses memory";
  HostMemory memory;
  const size_t bytes = left + (all - left) / 2;
  EXPECT_THROW(memory.allocate(bytes), DeviceError);  // it would have been granted, since it is not touched here
  EXPECT_EQ(memory.counts().live_bytes, 0u);
}

TEST(HostMemory, SeveralThreads) {
  HostMemory memory;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 500; ++i) {
        const size_t bytes = 1 + i * 97;
        auto* p = static_cast<char*>(memory.allocate(bytes));
        std::memset(p, t, bytes);
        ASSERT_EQ(p[bytes - 1], t);
        memory.free(p, bytes);
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(memory.counts().live_bytes, 0u);
}

}  // namespace
}  // namespace tg
