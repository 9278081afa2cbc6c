// Work on other threads and on large stacks (src/base/parallel.hpp).
#include "base/parallel.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace tg {
namespace {

TEST(OnThreads, EachItemOnce) {
  for (size_t threads : {0, 1, 2, 7})
    for (size_t count : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> calls(count);
      on_threads(threads, count, [&](size_t i) { ++calls[i]; });
      for (const auto& n : calls) EXPECT_EQ(n, 1) << threads << " threads, " << count << " items";
    }
}

TEST(OnThreads, AFailureIsTheCallersAndTheLast) {
  for (size_t threads : {1, 3}) {
    std::atomic<size_t> calls = 0, running = 0;
    const auto item = [&](size_t i) {
      ++running, ++calls;
      if (i == 10) {
        --running;
        throw std::runtime_error("the tenth");
      }
      --running;
    };
    EXPECT_THROW(on_threads(threads, 1'000'000, item), std::runtime_error);
    EXPECT_EQ(running, 0u);
    EXPECT_LT(calls, 1'000'000u) << "none begins after it";
  }
}

/// Uses 4 KiB of stack a level, which no compiler may fold into a loop.
int descend(int levels) {  // NOLINT(misc-no-recursion)
  std::array<volatile char, 4096> room;
  room[static_cast<size_t>(levels) % 4096] = 1;
  return levels == 0 ? 0 : descend(levels - 1) + room[static_cast<size_t>(levels) % 4096];
}

TEST(OnLargeStack, HoldsFortyMegabytes) {
  constexpr int kLevels = 10'000;  // 40 MB and what frames need besides: the usual stack is 8
  int reached = 0;
  on_large_stack([&] { reached = descend(kLevels); });
  EXPECT_EQ(reached, kLevels);
}
TEST(OnLargeStack, ServesWhatIsCalledOnIt) {
  std::thread::id outer, inner, of_item;
  on_large_stack([&] {
    outer = std::this_thread::get_id();
    on_large_stack([&] { inner = std::this_thread::get_id(); });
    on_threads(1, 1, [&](size_t) { of_item = std::this_thread::get_id(); });
  });
  EXPECT_NE(outer, std::this_thread::get_id());
  EXPECT_EQ(inner, outer);
  EXPECT_EQ(of_item, outer);
  std::atomic<int> waiting = 2, served = 0;  // two items at once, so that one is another thread's
  on_threads(2, 2, [&](size_t) {
    --waiting;
    while (waiting > 0) std::this_thread::yield();
    const std::thread::id here = std::this_thread::get_id();
    on_large_stack([&] { served += std::this_thread::get_id() == here; });
  });
  EXPECT_EQ(served, 1) << "the thread that was made has a large stack of its own, the caller has not";
}
TEST(OnLargeStack, ThrowsWhatItsWorkThrows) {
  EXPECT_THROW(on_large_stack([] { throw std::runtime_error("deep down"); }), std::runtime_error);
}

}  // namespace
}  // namespace tg
