// What memory is accessed with: vectors transposed in registers, results stored side by side, pieces asked for ahead; by counts of
// instructions.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/nest.hpp"
#include "codegen/one_kernel.hpp"

namespace tg {
namespace {

// Instructions of a kernel on null with caches of so many bytes.
struct Counted { int64_t gathers, shuffles, ahead, scatters; };
Counted counted(const Tensor& y, int64_t cache, const std::optional<Verbs>& verbs = {}) {
  const Case c(y, device("null"));
  Target t = c.device.target();
  t.l2_bytes = cache;
  const Generated g = generate(c.kernel, t, verbs);
  const auto count = [&](InstOp op) { return std::ranges::count(g.phases[0].phase.insts, op, &Inst::op); };
  return {count(InstOp::gather), count(InstOp::shuffle), count(InstOp::prefetch), count(InstOp::scatter)};
}

TEST(Panels, OfRowsAreTransposedInRegisters) {
  const Inputs in{"null"};
  const Verbs packed = parse_verbs("tile(i1, 16, vector); tile(i1, 2, unroll); tile(i0, 6, unroll); order(i1, i0); stage(p2, i1)");
  for (const int64_t columns : {96, 97}) {
    const Counted whole = counted(in({96, 128}).matmul(in({columns, 128}).T()), 1 << 20, packed);
    EXPECT_EQ(whole.gathers, 0) << columns;
    EXPECT_EQ(whole.shuffles, 2 * 64) << "four stages of 16 for each of two vectors";
    EXPECT_EQ(counted(in({96, 130}).matmul(in({columns, 130}).T()), 1 << 20, packed).gathers, 0) << "the last steps overlap those before";
  }
}

// Rows of images that are shorter than a vector follow each other: they are packed as one, for any tile of the windows that pass them.
TEST(Panels, OfSmallImagesAreTransposedInRegisters) {
  for (const auto& [height, width] : std::vector<std::pair<int64_t, int64_t>>{{6, 6}, {8, 8}, {5, 7}, {3, 5}})
    for (const char* tile : {"tile(i1, 4, unroll)", "tile(i2, 3, unroll); tile(i3, 3, unroll)"}) {
      const auto build = [&](const char* device) { return weight_gradient({device}, {3, 4, height + 2, width + 2}, {37, 4, 3, 3}); };
      const Verbs packed =
          parse_verbs(fmt::format("tile(i0, 16, vector); tile(i0, 2, unroll); {}; order(i0, i1, i2, i3); stage(p1, i0)", tile));
      const Case c(build("cpu"), device("cpu"));
      EXPECT_EQ(c.run(packed), build("interpreter").to_vector<double>()) << height << " x " << width;
      const bool shorter = height * width < 16;
      EXPECT_EQ(counted(build("null"), 1 << 20, packed).gathers > 0, shorter) << height << " x " << width;
    }
}

// What a sum passes is all of its images: where they do not stay in L2 together, a tile over both axes of a window reads them once, and not
// for each of its places.
TEST(Panels, AreOfWindowsWhereImagesPassL2) {
  const Inputs in{"null"};
  const Tensor w = Tensor::zeros({128, 64, 3, 3}, {.device = "null", .requires_grad = true}),
               y = in({16, 64, 57, 57}).conv2d(w, {.stride = {2}});
  const Case c(gradient(y, {w}, {.seed = in(y.shape())})[0], device("null"));
  Target t = c.device.target();
  t.l2_bytes = 2 << 20, t.fma_per_cycle = 2, t.cores = 2;
  EXPECT_THAT(to_string(generate(c.kernel, t).verbs), testing::HasSubstr("tile(i2, 3, unroll); tile(i3, 3, unroll)"));
}

// A loop whose length another one decides is walked as it is.
TEST(Panels, OfRowsThatAreCutShortAreNotPackedAsOne) {
  const auto build = [&](const char* device) { return (Inputs{device}({97, 97}) + Inputs{device}({97})).sum({.axis = 1}); };
  const Case c(build("cpu"), device("cpu"));
  EXPECT_EQ(c.run(parse_verbs("tile(r1, 3, loop); stage(p1, i0); tile(r1a, 5, loop)")), build("interpreter").to_vector<double>());
}

TEST(Panels, OfNothingAreRefused) {
  for (const char* name : {"cpu", "opencl"}) {
    const Case c(Inputs{name}({5, 0}).matmul(Inputs{name}({0, 7})), device(name));
    EXPECT_EQ(c.run(Verbs{}), Numbers(35, 0.0));
    EXPECT_THROW((void)c.run(parse_verbs("stage(p2, launch)")), ValueError);
    for (const char* parts : {"group(r2, 4)", "group(r2, 1, 1)"}) EXPECT_THROW((void)c.run(parse_verbs(parts)), ValueError) << parts;
  }
}

// Panels that are packed at once: the last ones and the last tile not whole, panels inside of rows and around them.
TEST(Panels, ThatArePackedAtOnceHoldTheirOwnColumns) {
  for (const char* loops : {"i1, i0, i1c", "i1, i1c, i0"})
    for (const auto& [m, k, n] : {std::array{12, 16, 256}, {13, 5, 1030}, {7, 33, 299}, {3, 1, 1101}}) {
      SCOPED_TRACE(fmt::format("{} x {} x {}, {}", m, k, n, loops));
      const auto build = [&](const char* device) {
        const Inputs in{device};
        return in({m, k}).matmul(in({k, n}));
      };
      const Case c(build("cpu"), device("cpu"));
      const std::string tiles = "tile(i1, 16, vector); tile(i1, 2, unroll); tile(i0, 3, unroll); tile(i1, 4, loop)";
      const Verbs verbs = parse_verbs(fmt::format("{}; order({}); stage(p2, i1)", tiles, loops));
      EXPECT_THAT(c.run(verbs), testing::Pointwise(testing::DoubleNear(1e-4), build("interpreter").to_vector<double>()));
    }
}

// Of a long sum of products, what is packed at once is of a round of its steps, which adds to what is stored; cores share the panels.
TEST(Panels, OfLongSumsAreOfRounds) {
  struct Product { const char* name; int phases; Tensor (*build)(const Inputs&); };
  const Product products[] = {
      {"plain", 1, [](const Inputs& in) { return in({67, 96}).matmul(in({96, 135})); }},
      {"first transposed", 1, [](const Inputs& in) { return in({96, 67}).T().matmul(in({96, 135})); }},
      {"second transposed", 1, [](const Inputs& in) { return in({67, 96}).matmul(in({135, 96}).T()); }},
      {"batch", 1, [](const Inputs& in) { return in({3, 47, 96}).matmul(in({3, 96, 75})); }},
      {"epilogue", 2, [](const Inputs& in) { return (in({67, 96}).matmul(in({96, 135})) + in({135})).relu(); }},
      {"halves", 2, [](const Inputs& in) { return half(in({131, 96})).matmul(half(in({96, 135}))).cast(float32); }},
      {"even", 1, [](const Inputs& in) { return in({66, 96}).matmul(in({96, 256})); }},
  };
  for (const Product& p : products) {
    SCOPED_TRACE(p.name);
    const Case c(p.build({"cpu"}), device("cpu"));
    const Numbers right = p.build({"interpreter"}).to_vector<double>();
    Target t = c.device.target();
    t.l2_bytes = 16 << 10;
    std::erase_if(t.matrix, [](const MatrixInstruction& m) { return m.rows > 1; });  // tiles make such sums in one round
    const Generated g = generate(c.kernel, t);
    if (t.vector_bytes > 0) {
      EXPECT_THAT(to_string(g.verbs), testing::StartsWith("group(r"));
      EXPECT_THAT(to_string(g.verbs), testing::HasSubstr(", 1, 32)"));
      EXPECT_EQ(g.phases.size(), static_cast<size_t>(p.phases)) << to_string(g.verbs);
    }
    EXPECT_EQ(c.run(g), right);
    for (const int64_t steps : {7, 96}) EXPECT_EQ(c.run(Verbs{Verb::group(Nest(g.kernel).axes.back().name, 1, steps)}), right) << steps;
  }
  const auto large = [](int64_t n) {
    const Case c(Inputs{"null"}({n, n}).matmul(Inputs{"null"}({n, n})), device("null"));
    return generate(c.kernel, c.device.target());
  };
  EXPECT_EQ(large(4096).phases[0].grid[0].value(), 32) << "panels, not rounds, are shared";
  EXPECT_THAT(to_string(large(4099).verbs), testing::Not(testing::HasSubstr("group"))) << "a prime number of steps";
}

// Several panels that are packed at once lie one behind the other, so that a tile reads straight through its own.
TEST(Panels, PackedAtOnceAreReadStraightThrough) {
  const Inputs in{"null"};
  const Case c(in({96, 512}).matmul(in({512, 16384})), device("null"));
  const Generated g = generate(c.kernel, device("null").target(),
                               parse_verbs("tile(i1, 16, vector); tile(i1, 4, unroll); tile(i0, 6, unroll); tile(i1, 2, loop); "
                                           "order(i1, i0, i1c); stage(p2, i1)"));
  const std::vector<Inst>& code = g.phases[0].phase.insts;
  const auto product = std::ranges::find(code, Op::Fma, &Inst::alu);
  int innermost = 0;
  for (int i = 0; i < product - code.begin(); ++i) if (code[static_cast<size_t>(i)].op == InstOp::loop) innermost = i;
  std::vector<int64_t> steps;
  for (const Inst& i : code)
    if (i.alu == Op::Mul && i.src.size() == 2 && i.src[0] == innermost) steps.push_back(code[static_cast<size_t>(i.src[1])].value);
  EXPECT_THAT(steps, testing::Each(64));
  EXPECT_FALSE(steps.empty());
}

// Where steps of the sum lie pages apart beyond L2, few rows pass, and tiles of them stay in L1; each vector asks for its own a step ahead.
TEST(Panels, ArePackedAtOnceWherePagesAreWaitedFor) {
  const Inputs in{"null"};
  const auto chosen = [&](int64_t m, int64_t k, int64_t n) {
    const Case c(in({m, k}).matmul(in({k, n})), device("null"));
    return to_string(generate(c.kernel, device("null").target()).verbs);
  };
  EXPECT_THAT(chosen(96, 512, 16384), testing::HasSubstr("loop); order(i1, i0, i1c)"));
  EXPECT_THAT(chosen(96, 512, 1000), testing::Not(testing::HasSubstr("i1c"))) << "rows follow each other";
  EXPECT_THAT(chosen(2048, 4000, 2048), testing::Not(testing::HasSubstr("i1c"))) << "rows of a tile do not stay in L1";
  const Verbs packed = parse_verbs("tile(i1, 16, vector); tile(i1, 2, unroll); tile(i0, 6, unroll); tile(i1, 4, loop); "
                                   "order(i1, i0, i1c); stage(p2, i1)");
  EXPECT_EQ(counted(in({96, 512}).matmul(in({512, 16384})), 1 << 20, packed).ahead, 2 + 2 * 6) << "packing, and for the next six rows";
}

// A tile of numbers that share lines: its last one asks for the line behind, where the next tile begins, if they come from beyond L2.
TEST(Panels, OfWindowsAskForTheNextTile) {
  const Inputs in{"null"};
  const auto asked = [&](int64_t stride, int64_t cache, const char* tile) {
    const Tensor y = in({2, 8, 31, 31}).conv2d(in({32, 8, 3, 3}), {.stride = stride});
    return counted(y, cache, parse_verbs(fmt::format("tile(i1, 16, vector); tile(i1, 2, unroll); {}; stage(p2, launch)", tile))).ahead;
  };
  for (const int64_t stride : {1, 2}) {
    EXPECT_EQ(asked(stride, 1 << 12, "tile(i3, 5, unroll)"), 3) << "in each of the three steps";
    EXPECT_EQ(asked(stride, 1 << 20, "tile(i3, 5, unroll)"), 0) << "they stay in L2";
  }
  EXPECT_EQ(asked(5, 1 << 12, "tile(i3, 5, unroll)"), 0) << "they lie apart";
  EXPECT_EQ(asked(1, 1 << 12, "tile(i0, 2, unroll)"), 0) << "they lie apart";
}

// Tiles that reach beyond one side, or both, or none: whatever is loaded is loaded along its rows.
TEST(Transposes, OfAnySidesAreMadeInRegisters) {
  for (const Sizes& shape : {Sizes{64, 48}, {61, 48}, {64, 45}, {61, 45}, {3, 17, 19}, {2, 33, 31}}) {
    SCOPED_TRACE(testing::PrintToString(shape));
    const auto build = [&](const char* device) { return Inputs{device}(shape).transpose(-2, -1) * 2.0f; };
    const Case c(build("cpu"), device("cpu"));
    const Verbs chosen = generate(c.kernel, device("null").target()).verbs;
    EXPECT_THAT(c.run(chosen), testing::Pointwise(testing::DoubleEq(), build("interpreter").to_vector<double>()));
    const Counted made = counted(build("null"), 1 << 20, chosen);
    EXPECT_EQ(made.gathers + made.scatters, 0);
    EXPECT_EQ(made.shuffles % 64, 0) << "four stages of 16";
    EXPECT_GT(made.shuffles, 0);
  }
}

// One element for all lanes, read where a condition of the lanes holds: nothing lies across, so nothing is transposed.
TEST(Transposes, AreNotOfWhatAllLanesShare) {
  const auto build = [](const char* device) { return Inputs{device}({32, 1}).expand({32, 21}).pad({{0, 0}, {0, 11}}); };
  const Case c(build("cpu"), device("cpu"));
  const Numbers expected = build("interpreter").to_vector<double>();
  for (const char* verbs : {"tile(i1, 16, vector); tile(i0, 16, unroll)", "tile(i1, 4, vector); tile(i0, 4, unroll)"})
    EXPECT_THAT(c.run(parse_verbs(verbs)), testing::Pointwise(testing::DoubleEq(), expected)) << verbs;
}

// Lanes along channels, tiles over images, rows or columns; lanes that divide what lies side by side, overlap, or are fewer than the sum's.
TEST(Results, AreStoredSideBySide) {
  const std::string tiles[] = {"tile(i3, 3, unroll)", "tile(i2, 2, unroll)", "tile(i0, 2, unroll); order(i0, i2, i3, i1)"};
  for (const Sizes& image : {Sizes{3, 2, 6, 34}, {3, 3, 7, 26}, {2, 2, 5, 9}, {3, 2, 6, 5}})
    for (const std::string& tile : tiles) {
      const auto build = [&](const char* device) {
        const Inputs in{device};
        const Tensor y = in(image).conv2d(in({40, image[1], 3, 3}), in({40}));
        return y * in(y.shape());
      };
      const std::string lanes = "tile(i1, 16, vector); tile(i1, 2, unroll); " + tile;
      const Verbs apart = parse_verbs(lanes), beside = parse_verbs(lanes + "; stage(p0, i2)");
      const Case c(build("cpu"), device("cpu"));
      EXPECT_THAT(c.run(beside), testing::Pointwise(testing::DoubleNear(2e-5), build("interpreter").to_vector<double>())) << tile;
      const Counted before = counted(build("null"), 1 << 20, apart), after = counted(build("null"), 1 << 20, beside);
      EXPECT_GT(before.scatters * before.gathers, 0) << tile;
      EXPECT_EQ(after.scatters, 0) << tile;
      EXPECT_LT(after.gathers, before.gathers) << tile;
    }
}

// What is stored where a condition holds is collected everywhere, and transposed as all else is: zeros are chosen, not read around.
TEST(Results, ThatAConditionChoosesAreTransposed) {
  const auto build = [](const char* device, bool chosen) {
    const Inputs in{device};
    const Tensor y = in({3, 2, 6, 34}).conv2d(in({40, 2, 3, 3})), other = in(y.shape());
    return chosen ? where(other > 0, y, 0.0f) : y * other;
  };
  const Verbs verbs = parse_verbs("tile(i1, 16, vector); tile(i1, 2, unroll); tile(i3, 3, unroll); stage(p0, i2)");
  const Case c(build("cpu", true), device("cpu"));
  EXPECT_THAT(c.run(verbs), testing::Pointwise(testing::DoubleNear(2e-5), build("interpreter", true).to_vector<double>()));
  const Counted chosen = counted(build("null", true), 1 << 20, verbs), plain = counted(build("null", false), 1 << 20, verbs);
  EXPECT_EQ(chosen.gathers, plain.gathers);
  EXPECT_EQ(chosen.shuffles, plain.shuffles);
}

// Arrays beyond L2 that the stores of a block access are asked for while its sums are made, if they then are still near.
TEST(Results, AskForWhatTheirStoresAccess) {
  const Inputs in{"null"};
  const Tensor y = in({8, 2, 10, 34}).conv2d(in({40, 2, 3, 3}));
  const auto asked = [](const Tensor& of, int64_t cache) {
    return counted(of, cache, parse_verbs("tile(i1, 16, vector); tile(i1, 2, unroll); tile(i3, 2, unroll); stage(p0, i2)")).ahead;
  };
  EXPECT_EQ(asked(y, 128 << 10), 2 * 2 * 3) << "by each vector of a tile, for a line each: two and the last element's";
  EXPECT_EQ(asked(y * in(y.shape()), 128 << 10), 2 * 2 * 2 * 3) << "of two arrays";
  EXPECT_EQ(asked(y, 1 << 20), 0) << "all of it stays in L2";
  EXPECT_EQ(asked(y, 32 << 10), 0) << "a block takes too much of L2";
}

// Lanes down the columns of a product of few rows would store each number to a page of its own: there is no loop to collect them in, or no
// room.
TEST(Results, OfFewRowsAreNotScattered) {
  const Inputs in{"null"};
  for (const int64_t rows : {16, 24, 32, 64})
    for (const int64_t columns : {1024, 4096, 16384}) {
      Case c(in({rows, 64}).matmul(in({columns, 64}).T()), device("null"));
      c.kernel.alone = true;
      EXPECT_EQ(std::ranges::count(generate(c.kernel, c.device.target()).phases[0].phase.insts, InstOp::scatter, &Inst::op), 0)
          << rows << " x " << columns;
    }
}

// Windows of a tile of images, whose rows are as long as a square, longer, or shorter.
TEST(Windows, OfImagesAreTransposedInRegisters) {
  for (const int64_t width : {7, 8, 10, 13, 19})
    for (const int64_t images : {3, 4, 7, 14}) {
      const auto build = [&](const char* device) { return input_gradient({device}, {17, 3, 8, width}, {5, 3, 3, 3}); };
      const Verbs packed =
          parse_verbs(
          fmt::format("tile(i1, 16, vector); tile(i0, {}, unroll); order(i0, i2, i3, i1); stage(p1, i0); stage(p2, i0)", images));
      const Case c(build("cpu"), device("cpu"));
      EXPECT_THAT(c.run(packed), testing::Pointwise(testing::DoubleNear(2e-5), build("interpreter").to_vector<double>())) << width;
      EXPECT_GT(counted(build("null"), 1 << 20, packed).shuffles, 0) << width << " by " << images;
    }
}

TEST(Streams, OfPiecesOfRowsAskAhead) {
  const Inputs in{"null"};
  EXPECT_GT(counted(in({4, 64}).matmul(in({64, 2048})), 64 << 10).ahead, 0) << "a piece of each row, pages apart";
  EXPECT_EQ(counted(in({4, 64}).matmul(in({64, 2048})), 1 << 20).ahead, 0) << "it is in the cache";
  EXPECT_EQ(counted(in({4, 2048}).matmul(in({64, 2048}).T()), 64 << 10).ahead, 0) << "rows are read straight through";
}

// Each row of a tile makes its operand anew, so a long expression is written out for few rows: else it takes seconds to compile.
TEST(Tiles, OfLongExpressionsAreSmall) {
  const auto product = [&](const Inputs& in, int terms) {
    Tensor a = in({160, 12});
    const Tensor b = in({160, 12}), c = in({12, 3});
    for (int i = 0; i < terms; ++i) a = maximum(b - a, i % 3);
    return a.matmul(c);
  };
  const auto rows = [&](int terms) {
    const Case c(product({"null"}, terms), device("null"));
    const std::string verbs = to_string(generate(c.kernel, c.device.target()).verbs), tile = "tile(i0, ";
    const size_t at = verbs.find(tile);
    return at == verbs.npos ? 1 : std::stoi(verbs.substr(at + tile.size()));
  };
  EXPECT_GT(rows(0), 4);
  EXPECT_LE(rows(100), 4);
  const Case c(product({"cpu"}, 100), device("cpu"));
  EXPECT_EQ(c.run(generate(c.kernel, c.device.target())), c.run(Verbs{}));
}

// Panels that are packed at once make blocks of results that no longer fit: columns are not stored number by number for that.
TEST(Panels, AreNotPackedAtOnceWhereResultsAreCollected) {
  const Inputs in{"null"};
  const Case c(in({1024, 1024}).T().matmul(in({1024, 1024}).T()), device("null"));
  Target t = c.device.target();
  t.l2_bytes = 2 << 20, t.fma_per_cycle = 2, t.cores = 1;
  EXPECT_THAT(to_string(generate(c.kernel, t).verbs), testing::HasSubstr("stage(p0, i0)"));
}

// A few rows by many, both read along the sum: nothing is packed, and nothing read more than once.
TEST(Sums, HaveTheLanesWhereRowsAreFew) {
  const Inputs in{"null"};
  const auto verbs = [](const Tensor& y) {
    const Case c(y, device("null"));
    return to_string(generate(c.kernel, c.device.target()).verbs);
  };
  for (const int64_t rows : {2, 5, 8}) {
    EXPECT_THAT(verbs(in({rows, 1024}).matmul(in({1000, 1024}).T())), testing::StartsWith("tile(r2, 16, vector); tile("));
    EXPECT_THAT(verbs(in({rows, 1024}).matmul(in({1024, 1000}))), testing::StartsWith("tile(i1, 16, vector); tile("));
  }
  EXPECT_THAT(verbs(half(in({4, 1024})).matmul(half(in({1000, 1024})).T()).cast(float32)), testing::Not(testing::HasSubstr("mma")));
  EXPECT_THAT(verbs(half(in({32, 1024})).matmul(half(in({1000, 1024})).T()).cast(float32)), testing::HasSubstr("mma"));
  EXPECT_THAT(verbs(in({512, 512}).matmul(in({512, 512}).T())), testing::StartsWith("tile(i1, 16, vector); tile(")) << "packing pays";
  EXPECT_THAT(verbs(in({512, 24}).matmul(in({512, 24}).T())), testing::StartsWith("tile(i1, 16, vector); tile(")) << "sums are short";
}

}  // namespace
}  // namespace tg
