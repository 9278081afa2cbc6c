// Values of which there is one copy: it is the same while somebody holds it, and those that nobody holds do not pile up.
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "tg/ir/interned.hpp"

namespace tg {
namespace {

template <int>
struct Counted {
  static inline std::atomic<int> live = 0;
  int value;
  explicit Counted(int v) : value(v) { ++live; }
  Counted(const Counted& o) : Counted(o.value) {}
  ~Counted() { --live; }
  friend bool operator==(const Counted& a, const Counted& b) { return a.value == b.value; }
  friend Hash128 hash_of(const Counted& c) { return mix(kHashSeed, static_cast<uint64_t>(c.value)); }
};

TEST(Interned, StaysWhileHeldAndOthersGoInTime) {
  using Value = Counted<0>;
  const Interned<Value> held(Value(7));
  const Value* const at = &*held;
  for (int i = 0; i < 100'000; ++i) {
    const Interned<Value> once{Value(i)};
    ASSERT_EQ(once->value, i);
    ASSERT_EQ(once == held, i == 7);
    ASSERT_LT(Value::live, 200) << i;
  }
  EXPECT_EQ(&*Interned<Value>(Value(7)), at);
  std::vector<Interned<Value>> all;
  for (int i = 0; i < 1000; ++i) all.emplace_back(Value(i));
  EXPECT_GE(Value::live, 1000);
  all.clear();
  for (int i = 0; i < 1000; ++i) const Interned<Value> next{Value(-i)};
  EXPECT_LT(Value::live, 200);
}

TEST(Interned, ThreadsRaceToNameAndDrop) {
  using Value = Counted<1>;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([t] {
        for (int i = 0; i < 50'000; ++i) {
          const Interned<Value> shared{Value(i % 5)}, own{Value(1000 + i * 4 + t)}, copy = shared;
          if (shared->value != i % 5 || own->value != 1000 + i * 4 + t || !(copy == Interned<Value>(Value(i % 5)))) std::abort();
        }
      });
  }
  for (int i = 0; i < 1000; ++i) const Interned<Value> next{Value(-i)};
  EXPECT_LT(Value::live, 200);
}

}  // namespace
}  // namespace tg
