// The structural hash: fixed values across runs and machines, no loss of input, every input bit moves every output bit.
#include "tg/ir/hash.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <unordered_set>

namespace tg {
namespace {

TEST(Hash, IsTheSameInEveryRun) {
  EXPECT_EQ(hex(kHashSeed), "13198a2e03707344243f6a8885a308d3");
  EXPECT_EQ(hex(mix(kHashSeed, 1)), "9dde6c35735760a8315d8876b6106268");
  EXPECT_EQ(hex(hash_of("tinygrad")), "277b5bcf830a43d3aecf8ee666c8c4db");
}

TEST(Hash, TellsSimilarInputsApart) {
  std::unordered_set<Hash128> seen;
  for (uint64_t a = 0; a < 300; ++a)
    for (uint64_t b = 0; b < 300; ++b) seen.insert(mix(mix(kHashSeed, a), b));
  EXPECT_EQ(seen.size(), 90000u);
  std::unordered_set<uint64_t> halves;
  for (const Hash128& h : seen) halves.insert({h.low});
  EXPECT_EQ(halves.size(), 90000u);
  EXPECT_NE(hash_of(""), hash_of(std::string_view("\0", 1)));
  EXPECT_NE(hash_of("ab"), hash_of("ba"));
  EXPECT_NE(mix(kHashSeed, hash_of("a")), mix(hash_of("a"), kHashSeed));
}

TEST(Hash, EveryInputBitMovesHalfOfTheOutput) {
  const int samples = 200;
  for (int bit = 0; bit < 64; ++bit) {
    int low = 0, high = 0;
    for (int i = 0; i < samples; ++i) {
      const uint64_t value = static_cast<uint64_t>(i) * 7;
      const Hash128 a = mix(kHashSeed, value), b = mix(kHashSeed, value ^ uint64_t{1} << bit);
      low += std::popcount(a.low ^ b.low);
      high += std::popcount(a.high ^ b.high);
    }
    EXPECT_NEAR(low, 32 * samples, 2 * samples) << bit;
    EXPECT_NEAR(high, 32 * samples, 2 * samples) << bit;
  }
}

}  // namespace
}  // namespace tg
