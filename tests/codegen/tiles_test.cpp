// Matrix instructions with tiles for registers: what they are chosen for, and that sums are those of the loops as they are. Small whole
// numbers, so that every order of adding them up comes to the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "codegen/neighbours.hpp"
#include "one_kernel.hpp"
#include "run_instructions.hpp"

namespace tg {
namespace {

bool has_tiles(const Target& t) {
  return std::ranges::any_of(t.matrix, [](const MatrixInstruction& m) { return m.rows > 1; });
}

// The null device's, and what this process cannot run.
Target with_tiles(Target t) {
  t.matrix.insert(t.matrix.begin(),
                  {{"bf16_tile", bfloat16, bfloat16, float32, 2, false, 16, 16}, {"s8_tile", int8, int8, int32, 4, false, 16, 16}});
  return t;
}

std::string verbs_of(const Tensor& y) {
  const Case c(y, device("null"));
  return to_string(generate(c.kernel, with_tiles(c.device.target())).verbs);
}

TEST(MatrixTiles, AreChosenForProductsOfWhatIsLoaded) {
  const Inputs in{"null"};
  const auto product = [&](int64_t m, int64_t k, int64_t n) { return half(in({m, k})).matmul(half(in({k, n}))); };
  using testing::HasSubstr, testing::Not;
  EXPECT_THAT(verbs_of(product(64, 64, 64)), HasSubstr("mma(bf16_tile)"));
  EXPECT_THAT(verbs_of(product(64, 64, 64)), Not(HasSubstr("stage(p1"))) << "rows lie as tiles take them";
  EXPECT_THAT(verbs_of(product(67, 64, 64)), HasSubstr("stage(p1")) << "some are beyond the end";
  EXPECT_THAT(verbs_of(product(64, 65, 64)), HasSubstr("stage(p1"));
  EXPECT_THAT(verbs_of(product(1, 512, 512)), Not(HasSubstr("tile)"))) << "one row of 16";
  EXPECT_THAT(verbs_of(product(64, 3, 64)), Not(HasSubstr("tile)"))) << "3 steps of 32";
  EXPECT_THAT(verbs_of((half(in({64, 64})) * 2).matmul(half(in({64, 64})))), Not(HasSubstr("tile)"))) << "computed";
  EXPECT_THAT(verbs_of(in({64, 64}).matmul(in({64, 64}))), Not(HasSubstr("tile)"))) << "of float32";
}

TEST(MatrixTiles, RefuseWhatTheyCannotMake) {
  const Inputs in{"null"};
  const Case c(half(in({64, 64})).matmul(half(in({64, 64}))), device("null"));
  const Target t = with_tiles(c.device.target());
  const auto refusal = [&](const std::string& verbs) -> std::string {
    try {
      generate(c.kernel, t, parse_verbs(verbs));
    } catch (const ValueError& e) {
      return e.what();
    }
    return "none";
  };
  const std::string tiles = "tile(i1, 16, vector); tile(i0, 16, unroll); mma(bf16_tile); tile(r2, 2, unroll)";
  using testing::HasSubstr;
  EXPECT_EQ(refusal(tiles + "; tile(r2, 16, unroll); stage(p2, i1)"), "none");
  EXPECT_THAT(refusal(tiles), HasSubstr("it takes 16 rows, and 16 times 2 steps of the sum"));
  EXPECT_THAT(refusal(tiles + "; tile(r2, 16, unroll)"), HasSubstr("p2 does not lie as it takes tiles; stage it"));
  EXPECT_THAT(refusal(tiles + "; tile(r2, 16, unroll); tile(r2, 2, unroll); stage(p2, i1)"), HasSubstr("other parts of the sum are loops"));
  EXPECT_THAT(refusal("mma(bf16_tile); tile(r2, 2, unroll); tile(r2, 16, unroll)"), HasSubstr("whole vectors of lanes"));
}

// Instruction by instruction, whatever this machine has, beside the loops as they are.
class TilesOneByOne : public testing::Test {
 protected:
  static void check(const Tensor& y, const char* verbs = nullptr) {
    const Case c(y, device("cpu"));
    Target t = with_tiles(device("null").target());
    t.cores = 2;
    const Generated g = verbs ? generate(c.kernel, t, parse_verbs(verbs)) : generate(c.kernel, t);
    SCOPED_TRACE(to_string(g.verbs));
    EXPECT_THAT(to_string(g.verbs), testing::HasSubstr("_tile)"));
    ASSERT_EQ(g.phases.size(), 1u);
    const LoweredPhase& p = g.phases[0];
    MemoryOfKernel memory;
    for (const auto& b : c.buffers) {
      memory.emplace_back(b->bytes);
      c.device.copy_out(memory.back().data(), b->ref(), b->bytes);
    }
    memory.emplace_back(static_cast<size_t>(p.phase.scratch_bytes), std::byte{0x7f});  // no numbers, where nothing is put
    Instructions(p.phase, p.grid[0].value(), memory).run();
    std::vector<float> stored(static_cast<size_t>(y.numel()));
    std::memcpy(stored.data(), memory[static_cast<size_t>(c.kernel.stores[0].src(0).as<ParamArg>().slot)].data(),
                stored.size() * sizeof(float));
    Numbers numbers;
    for (const float v : stored) numbers.push_back(y.dtype() == int32 ? std::bit_cast<int32_t>(v) : v);
    EXPECT_EQ(numbers, c.run(Verbs{}));
  }
  const Inputs in_{"cpu"};
};

TEST_F(TilesOneByOne, ProductsOfAllLayouts) {
  for (const auto& [m, k, n] : {std::tuple{64, 64, 64}, {51, 65, 83}, {70, 60, 40}, {40, 96, 100}}) {
    const auto a = [&](bool turned) { return turned ? half(in_({k, m})).T() : half(in_({m, k})); };
    const auto b = [&](bool turned) { return turned ? half(in_({n, k})).T() : half(in_({k, n})); };
    for (const bool first : {false, true})
      for (const bool second : {false, true}) {
        SCOPED_TRACE(testing::Message() << m << " " << k << " " << n << " " << first << second);
        check(a(first).matmul(b(second)).cast(float32));
      }
  }
  const char* const small =
      "tile(i1, 16, vector); tile(i0, 16, unroll); mma(bf16_tile); tile(r2, 2, unroll); tile(r2, 16, unroll); stage(p2, i1); stage(p1, i0)";
  for (const auto& [m, k, n] : {std::tuple{3, 5, 7}, {17, 33, 18}, {16, 4, 3}})
    check(half(in_({m, k})).matmul(half(in_({k, n}))).cast(float32), small);
  check(half(in_({40, 33})).matmul(half(in_({33, 18}))).cast(float32), (std::string(small) + "; stage(p0, i1)").c_str());
}

TEST_F(TilesOneByOne, BytesLongSumsAndWhatIsMadeOfThem) {
  const auto bytes = [&](int64_t rows, int64_t columns) { return (in_({rows, columns}) * 25).cast(int8).realize().cast(int32); };
  check(bytes(64, 128).matmul(bytes(128, 64)));
  check(bytes(53, 76).matmul(bytes(81, 76).T()));
  check(half(in_({33, 2500})).matmul(half(in_({2500, 48}))).cast(float32));
  check((half(in_({50, 70})).matmul(half(in_({70, 90}))).cast(float32) + in_({90})).relu());
}

// On this machine, if it has them.
class TilesHere : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_tiles(device("cpu").target())) GTEST_SKIP() << "this processor has no matrix tiles (Intel AMX)";
  }
  static void check(const Tensor& y, const char* instruction = "mma(") {
    const Case c(y, device("cpu"));
    const Generated g = generate(c.kernel, c.device.target());
    EXPECT_THAT(to_string(g.verbs), testing::HasSubstr(instruction));
    EXPECT_THAT(to_string(g.verbs), testing::HasSubstr("_tile)"));
    EXPECT_EQ(c.run(g), c.run(Verbs{})) << to_string(g.verbs);
  }
  const Inputs in_{"cpu"};
};

TEST_F(TilesHere, ProductsOfAllLayouts) {
  for (const auto& [m, k, n] : {std::tuple{64, 128, 64}, {48, 96, 80}, {131, 65, 147}, {100, 333, 77}, {257, 131, 163}, {40, 96, 200}}) {
    const auto a = [&](bool turned) { return turned ? half(in_({k, m})).T() : half(in_({m, k})); };
    const auto b = [&](bool turned) { return turned ? half(in_({n, k})).T() : half(in_({k, n})); };
    for (const bool first : {false, true})
      for (const bool second : {false, true}) {
        SCOPED_TRACE(testing::Message() << m << " " << k << " " << n << " " << first << second);
        check(a(first).matmul(b(second)).cast(float32), "mma(bf16_tile)");
      }
  }
}

TEST_F(TilesHere, ProductsOfBytes) {
  for (const auto& [m, k, n] : {std::tuple{64, 256, 64}, {133, 165, 147}, {170, 300, 130}})
    for (const DType first : {int8, uint8})
      for (const DType second : {int8, uint8}) {
        if (first == uint8 && second == uint8) continue;
        const auto bytes = [&](int64_t rows, int64_t columns, DType t) {
          const Tensor x = in_({rows, columns});
          return (t == uint8 ? x.abs() * 25 : x * 25).cast(t).realize().cast(int32);
        };
        SCOPED_TRACE(testing::Message() << m << " " << k << " " << n << " " << name_of(first) << " " << name_of(second));
        check(bytes(m, k, first).matmul(bytes(k, n, second)));
        check(bytes(k, m, first).T().matmul(bytes(n, k, second).T()));
      }
}

// More terms than are added one after the other: parts are added up in memory.
TEST_F(TilesHere, LongSums) {
  check(half(in_({40, 5000})).matmul(half(in_({5000, 48}))).cast(float32));
  check(half(in_({64, 70000})).matmul(half(in_({48, 70000})).T()).cast(float32));
}

TEST_F(TilesHere, WhatIsMadeOfSums) {
  const Tensor a = half(in_({150, 170})), b = half(in_({170, 190})), bias = in_({190}), rows = in_({150, 1}), all = in_({150, 190});
  const Tensor sum = a.matmul(b).cast(float32);
  check((sum + bias).relu());
  check((sum * rows + all).abs().sqrt().floor());
  check((sum + bias).T());
  check(half(in_({3, 140, 64})).matmul(half(in_({3, 64, 133}))).cast(float32));
  check(half(in_({5, 140, 64})).matmul(half(in_({64, 133}))).cast(float32));
  check(einsum("abc,acd->bd", {half(in_({3, 140, 97})), half(in_({3, 97, 150}))}).cast(float32));
  check(half(in_({170, 180})).slice(0, 3, 160).slice(1, 1, 170).matmul(half(in_({169, 140}))).cast(float32));
  check(half(in_({64, 256})).matmul(half(in_({256, 64}).flip({0}))).cast(float32));
}

// What a search tries first: each edit of the verbs is refused, or computes the same.
TEST_F(TilesHere, NeighboursComputeTheSame) {
  const Case c((half(in_({70, 90})).matmul(half(in_({90, 110}))).cast(float32) + in_({110}) * in_({70, 1})).relu(), device("cpu"));
  const Generated chosen = generate(c.kernel, c.device.target());
  EXPECT_THAT(to_string(chosen.verbs), testing::HasSubstr("_tile)"));
  const Numbers right = c.run(Verbs{});
  int ran = 0;
  for (const Verbs& v : neighbours(chosen.kernel, c.device.target(), chosen.verbs)) {
    SCOPED_TRACE(to_string(v));
    try {
      EXPECT_EQ(c.run(v), right);
      ++ran;
    } catch (const ValueError&) {
    }
  }
  EXPECT_GT(ran, 10);
}

}  // namespace
}  // namespace tg
