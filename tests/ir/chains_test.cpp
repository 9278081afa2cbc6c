// The table that nodes and what is interned are kept in: it grows, finds the newest of equal hashes, and lets go of any of a chain.
#include <gtest/gtest.h>

#include <deque>

#include "tg/ir/chains.hpp"

namespace tg {
namespace {

struct Item {
  int value;
  Hash128 hash;
  Item* next = nullptr;
};

TEST(Chains, FindWhatIsInThemAndNothingElse) {
  std::deque<Item> items;
  Chains<Item> all;
  const auto hash = [](int i) { return i % 3 == 0 ? kHashSeed : mix(kHashSeed, static_cast<uint64_t>(i)); };  // a third share one chain
  const auto found = [&](int i) { return all.find(hash(i), [&](const Item& x) { return x.value == i; }); };
  EXPECT_EQ(found(0), nullptr);
  for (int i = 0; i < 1000; ++i) all.insert(&items.emplace_back(Item{i, hash(i)}));
  EXPECT_EQ(all.find(kHashSeed, [](const Item&) { return true; }), &items[999]) << "the newest";
  for (int i = 0; i < 1000; i += 2) EXPECT_TRUE(all.erase(&items[static_cast<size_t>(i)]));
  EXPECT_FALSE(all.erase(&items[0])) << "it is gone";
  EXPECT_EQ(all.count(), 500u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(found(i), i % 2 == 0 ? nullptr : &items[static_cast<size_t>(i)]) << i;
}

}  // namespace
}  // namespace tg
