// A process that meets new shapes for ever: what it keeps of them is bounded, and what it computes is right.
#include "engine/plans.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include <unistd.h>

#include "base/env.hpp"
#include "engine/canonical.hpp"
#include "sanitizers.hpp"
#include "tensor/impl.hpp"
#include "tg/ir/uop.hpp"
#include "tg/passes.hpp"
#include "tg/settings.hpp"
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
#if !TG_ADDRESS_SANITIZER && !TG_THREAD_SANITIZER  // which keep what was freed, and a shadow of all memory
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

// ---- numbers that differ from run to run ----

struct Numbers : testing::Test {
  Numbers() { Plans::shared().forget(); }
  /// How many plans were made for x * each of these, all of which are right.
  static std::vector<size_t> plans(const std::vector<double>& factors) {
    const Tensor x = Tensor({1.f, -3.f, 0.1f}).realize();
    std::vector<size_t> out;
    const size_t before = Plans::shared().counts().plans;
    for (const double c : factors) {
      const auto found = (x * c).to_vector<float>();
      for (size_t i = 0; i < 3; ++i) EXPECT_EQ(found[i], x.to_vector<float>()[i] * static_cast<float>(c)) << c;
      out.push_back(Plans::shared().counts().plans - before);
    }
    return out;
  }
};

TEST_F(Numbers, AreBoundOnceTheyDiffer) {
  EXPECT_EQ(plans({0.1, 0.2, 0.3, 0.1, 7, 2, 0.2}), (std::vector<size_t>{1, 2, 2, 2, 2, 2, 2}));
}
TEST_F(Numbers, ThatRulesKnowAreNot) { EXPECT_EQ(plans({0.1, 0.2, -1, 0.3}), (std::vector<size_t>{1, 2, 3, 3})); }
TEST_F(Numbers, AreWhatPassesOfTheProgramSee) {
  const AddedPass look("look", Stage::Tensor, [](std::span<const UOp> roots) { return std::vector(roots.begin(), roots.end()); });
  EXPECT_EQ(plans({0.1, 0.2, 0.3}), (std::vector<size_t>{1, 2, 3}));
}
TEST_F(Numbers, ThatStayTheSameStayInTheCode) {
  const WithSettings lazily({.eager = false});
  const auto graph = [](double a, double b) { return node_of((Tensor({1.f, 2.f}).realize() * a + b).exp(), "test"); };
  std::vector<UOp> roots{graph(0.3, 5)};
  Canonical g(roots);
  EXPECT_EQ(g.numbers().size(), 2);  // the exponential's own is none of them
  const Plans::Key form{nullptr, 0, g.form()};
  EXPECT_EQ(Plans::shared().varying(form, g.numbers()), std::vector<size_t>{});
  roots = {graph(0.4, 5)};
  Canonical other(roots);
  EXPECT_EQ(other.form(), std::get<Hash128>(form));
  const std::vector<size_t> varying = Plans::shared().varying(form, other.numbers());
  ASSERT_EQ(varying.size(), 1);
  EXPECT_EQ(other.numbers()[varying[0]], static_cast<double>(0.4f));
  const Hash128 before = other.key();
  other.bind_numbers(varying);
  EXPECT_NE(other.key(), before);
  EXPECT_EQ(other.values.size(), 1);
  EXPECT_NE(to_string(other.roots()[0]).find("v0"), std::string::npos);
}

}  // namespace
}  // namespace tg
