// A process that meets new shapes for ever: what it keeps of them is bounded, and what it computes is right.
#include "engine/plans.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include <unistd.h>

#include "base/env.hpp"
#include "tg/ir/uop.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

size_t resident_bytes() {
  size_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}
/// A graph of two kernels that no other size has; what it gives is known.
float computed(int64_t n) {
  const Tensor x = Tensor::arange(n, {.dtype = float32});
  return (x.contiguous() + x.sum()).max().item<float>();
}
float expected(int64_t n) { return static_cast<float>(n * (n - 1) / 2 + n - 1); }

/// How many are tried: fewer where a kernel takes a compiler some tenths of a second.
int64_t some(int64_t most, int64_t few) { return settings().device == "cpu" ? most : few; }

struct Kept : testing::Test {
  static constexpr size_t kLimit = 12;
  Kept() { Plans::shared().forget(); Plans::shared().set_limit(kLimit); }
  ~Kept() override { Plans::shared().set_limit(8192); }
};

TEST_F(Kept, IsBounded) {
  const auto shapes = [](int64_t from, int64_t to) { for (int64_t n = from; n < to; ++n) ASSERT_EQ(computed(n), expected(n)); };
  const int64_t few = some(40, 12), more = 2 * few;
  shapes(2, few);
  const size_t nodes = detail::live_nodes();
  [[maybe_unused]] const size_t bytes = resident_bytes();
  for (int round = 0; round < 3; ++round) {
    shapes(few, more);
    EXPECT_LE(Plans::shared().counts().launches, kLimit);
    EXPECT_LE(known_kernels(), kLimit);
    shapes(2, few);
  }
  EXPECT_LE(detail::live_nodes(), nodes + nodes / 4);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which keep what was freed, and a shadow of all memory
  EXPECT_LE(resident_bytes(), bytes + (size_t{16} << 20));
#endif
}

TEST_F(Kept, IsWhatWasUsedLast) {
  EXPECT_EQ(computed(301), expected(301));
  const size_t one = Plans::shared().counts().launches;
  for (int64_t n = 302; n < 317; ++n) {
    EXPECT_EQ(computed(n), expected(n));
    const size_t before = Plans::shared().counts().launches;
    EXPECT_EQ(computed(301), expected(301));
    EXPECT_EQ(Plans::shared().counts().launches, before) << "it was there";
  }
  EXPECT_GT(one, 0);
}

TEST_F(Kept, MayGoWhileItRuns) {
  Plans::shared().set_limit(1);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < some(64, 8); ++i) {
        const int64_t n = 400 + (i * (t + 1)) % 23;
        wrong += computed(n) != expected(n);
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(Plans::shared().counts().plans, 1);
}

}  // namespace
}  // namespace tg
