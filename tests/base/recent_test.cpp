// What is kept of a table with a limit, and in which order the rest goes; checked against a plain list.
#include "base/recent.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace tg {
namespace {

TEST(Recent, WhatWasNotUsedForLongestGoes) {
  Recent<int, std::string> names(3);
  EXPECT_TRUE(names.put(1, "one", 2).empty());
  EXPECT_TRUE(names.put(2, "two", 1).empty());
  ASSERT_NE(names.find(1), nullptr);
  EXPECT_EQ(names.put(3, "three", 1), std::vector<std::string>{"two"});
  EXPECT_EQ(*names.find(1), "one");
  EXPECT_EQ(names.find(2), nullptr);
  EXPECT_EQ(names.put(1, "uno", 1), std::vector<std::string>{"one"});
  EXPECT_EQ(names.size(), 2);
  EXPECT_EQ(names.put(4, "much more than fits", 9), (std::vector<std::string>{"three", "uno"}));
  EXPECT_EQ(names.count(), 1) << "the newest stays";
  EXPECT_EQ(names.clear().size(), 1);
  EXPECT_EQ(names.size(), 0);
}

TEST(Recent, AgreesWithAPlainList) {
  std::mt19937 random(5);
  Recent<int, int> table(20);
  struct Entry { int key, value; size_t size; };
  std::vector<Entry> list;  // the one used last at the end
  for (int round = 0; round < 20'000; ++round) {
    const int key = static_cast<int>(random() % 30);
    const auto at = std::ranges::find(list, key, &Entry::key);
    if (random() % 2) {
      const int* found = table.find(key);
      ASSERT_EQ(found != nullptr, at != list.end());
      if (found) { ASSERT_EQ(*found, at->value); std::rotate(at, at + 1, list.end()); }
      continue;
    }
    if (at != list.end()) list.erase(at);
    const size_t size = random() % 6;
    list.push_back({key, round, size});
    size_t total = 0;
    for (const Entry& e : list) total += e.size;
    while (total > 20) total -= list.front().size, list.erase(list.begin());
    (void)table.put(key, round, size);
    ASSERT_EQ(table.size(), total);
    ASSERT_EQ(table.count(), list.size());
  }
}

}  // namespace
}  // namespace tg
