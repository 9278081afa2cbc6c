// Products whose register tiles reach beyond the end of their ranges: the last rounds make what is inside.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "codegen/access.hpp"
#include "codegen/nest.hpp"
#include "codegen/one_kernel.hpp"

namespace tg {
namespace {

const TestProgram kEdges[] = {
    {"OneColumnLeft", [](const Inputs& in) { return in({97, 70}).matmul(in({70, 161})); }},
    {"ElevenColumnsLeft", [](const Inputs& in) { return in({131, 67}).matmul(in({67, 123})); }},
    {"WithEpilogue", [](const Inputs& in) { return (in({131, 67}).matmul(in({67, 133})) + in({133}) * in({131, 1})).relu(); }},
    {"OfABatch", [](const Inputs& in) { return in({5, 61, 50}).matmul(in({5, 50, 75})); }},
    {"BothTransposed", [](const Inputs& in) { return in({67, 131}).T().matmul(in({137, 67}).T()); }},
    {"LongSums", [](const Inputs& in) { return in({31, 2100}).matmul(in({2100, 19})); }},
    {"Doubles",
     [](const Inputs& in) { return in({97, 70}).cast(float64).realize().matmul(in({70, 165}).cast(float64).realize()).cast(float32); }},
    {"Bfloat16", [](const Inputs& in) { return half(in({97, 70})).matmul(half(in({70, 165}))).cast(float32); }},
    {"WholeNumbers",
     [](const Inputs& in) { return in({97, 70}).cast(int32).realize().matmul(in({70, 165}).cast(int32).realize()).cast(float32); }},
    {"Windows", [](const Inputs& in) { return in({2, 9, 23, 25}).conv2d(in({17, 9, 3, 3})); }},
};
class Edges : public testing::TestWithParam<TestProgram> {};

TEST_P(Edges, ComputeTheSame) {
  const TestProgram& program = GetParam();
  const Numbers expected = program.build({"interpreter"}).to_vector<double>();
  const Case c(program.build({"cpu"}), device("cpu"));
  const auto right = testing::Pointwise(testing::FloatEq(), expected);
  EXPECT_THAT(c.run(generate(c.kernel, c.device.target())), right) << "as chosen";
  const size_t n = c.kernel.ranges.size();
  const std::string rows = to_string(c.kernel.ranges[n - 2]), columns = to_string(c.kernel.ranges[n - 1]);
  std::string outer;
  for (size_t i = 0; i + 2 < n; ++i) outer += to_string(c.kernel.ranges[i]) + ", ";
  for (const char* verbs : {
           "tile({1}, 16, vector); tile({1}, 3, unroll); tile({0}, 9, unroll)",
           "tile({1}, 8, vector); tile({1}, 2, unroll); tile({0}, 6, unroll); order({2}{1}, {0})",
           "tile({1}, 16, vector); tile({1}, 2, unroll); tile({0}, 4, unroll); order({2}{1}, {0}); stage(p2, {1})",
           "tile({1}, 16, vector); tile({0}, 12, unroll); stage(p2, launch); stage(p1, launch)",
           "tile({1}, 16, vector); tile({0}, 7, unroll); stage(p1, {0}); stage(p2, {1})",
           "tile({0}, 16, vector); tile({0}, 2, unroll); tile({1}, 5, unroll)",
           "tile({1}, 16, vector); tile({1}, 64, unroll)",
           "tile({1}, 16, vector); tile({0}, 4, unroll); tile({0}, 3, loop)",
           "tile({1}, 16, vector); tile({1}, 3, unroll); tile({0}, 6, unroll); tile({1}, 2, loop); order({2}{1}, {0}, {1}c); "
           "stage(p2, {1})",
           "tile({1}, 16, vector); tile({0}, 4, unroll); tile({0}, 5, loop); order({2}{0}, {1}, {0}b); stage(p2, {1})",
           "tile({1}, 8, vector); tile({1}, 2, unroll); tile({0}, 6, unroll); tile({0}, 5, loop); tile({1}, 4, loop)",
       }) {
    const std::string text = fmt::format(fmt::runtime(verbs), rows, columns, outer);
    SCOPED_TRACE(text);
    EXPECT_THAT(c.run(parse_verbs(text)), right);
  }
}
INSTANTIATE_TEST_SUITE_P(Programs, Edges, testing::ValuesIn(kEdges), [](const auto& test) { return test.param.name; });

// 97 rows are 16 tiles of 6 and one; 161 columns 3 tiles of 3 vectors, and one of a vector and a single column.
TEST(Edges, HaveCodeOfTheirOwn) {
  const Case c(kEdges[0].build({"cpu"}), device("cpu"));
  Target t = c.device.target();
  t.fma = true;
  const auto products = [&](const char* verbs) {
    std::map<int, int> count;  // of multiply-adds, by lanes
    const Generated g = generate(c.kernel, t, parse_verbs(verbs));
    for (const Inst& i : g.phases.at(0).phase.insts) count[i.lanes] += i.op == InstOp::alu && i.alu == Op::Fma;
    return std::pair(count[16], count[1]);
  };
  // Four of the 70 steps are made at once, and two alone; not of what is left of a tile.
  EXPECT_EQ(products("tile(i1, 16, vector); tile(i1, 3, unroll); tile(i0, 6, unroll)"), std::pair(5 * 18 + 3 + 6 + 1, 6 + 1));
  EXPECT_EQ(products("tile(i1, 16, vector); tile(i1, 3, unroll); tile(i0, 6, unroll); tile(i1, 2, loop); tile(i0, 5, loop)"),
            std::pair(5 * 18 + 3 + 6 + 1, 6 + 1))
      << "tiles in two loops each";
  EXPECT_EQ(products("tile(i1, 16, vector); tile(i1, 11, unroll); tile(i0, 1, unroll)"), std::pair(5 * 10, 5 * 1))
      << "one round of columns";
  EXPECT_EQ(products("tile(i1, 7, unroll)"), std::pair(0, 5 * 7)) << "it divides";
  EXPECT_EQ(products("tile(i1, 16, vector); tile(i1, 3, unroll); tile(i0, 4, unroll)"), std::pair(5 * 12 + 3 + 4 + 1, 4 + 1));
}

// Long sums are added up in blocks of 1024 steps: in those as well four are made at once where that divides all of them. Of a large tile
// not where there are few steps, nor where the last vectors are narrow.
TEST(Edges, StepsAtOnceAreRight) {
  struct Product { int64_t steps, columns; int products; };
  for (const auto& [steps, columns, expected] : {Product{60, 48, 18}, Product{64, 48, 72}, Product{67, 48, 90}, Product{2000, 48, 72},
                                                 Product{2001, 48, 18}, Product{2048, 48, 72}, Product{64, 81, 72 + 12}}) {
    const Case c(Inputs{"cpu"}({300, steps}).matmul(Inputs{"cpu"}({steps, columns})), device("cpu"));
    SCOPED_TRACE(c.kernel.name());
    Target t = c.device.target();
    t.fma = true;
    const Verbs verbs = parse_verbs("tile(i1, 16, vector); tile(i1, 3, unroll); tile(i0, 6, unroll)");
    const Generated g = generate(c.kernel, t, verbs);
    EXPECT_EQ(std::ranges::count_if(g.phases.at(0).phase.insts, [](const Inst& i) { return i.alu == Op::Fma && i.lanes == 16; }), expected);
    EXPECT_EQ(c.run(verbs), c.run(Verbs{}));
  }
}

// 589 columns as eight panels of five vectors, the last of two, are four for one core and 3.4 for the other; as thirteen of three, the last
// of one, they are 6.3 for each, since whoever is done first takes what is left.
TEST(Edges, LeaveAllCoresAsMuch) {
  const Inputs in{"null"};
  for (const auto& [m, k, n] : {std::array<int64_t, 3>{495, 1032, 589}, {1000, 333, 777}, {175, 902, 296}}) {
    const Case c(in({m, k}).matmul(in({k, n})), device("null"));
    Target t = c.device.target();
    t.vector_bytes = 64, t.vector_registers = 32, t.l2_bytes = 1 << 20, t.l3_bytes = 32 << 20, t.fma_per_cycle = 1, t.cores = 2;
    const std::string verbs = to_string(generate(c.kernel, t).verbs);
    const auto tile = [&](const char* pattern, int64_t otherwise) {
      std::smatch found;
      return std::regex_search(verbs, found, std::regex(pattern)) ? std::stoll(found[1]) : otherwise;
    };
    const int64_t width = 16 * tile(R"(tile\(i1, (\d+), unroll)", 1), panels = ceil_div(n, width),
                  height = tile(R"(tile\(i0, (\d+), unroll)", 1),
                  rounds = ceil_div(ceil_div(m, height), tile(R"(tile\(i0, (\d+), loop)", m));
    EXPECT_THAT(verbs, testing::HasSubstr("stage(p2, i1)"));
    std::array<int64_t, 2> columns{};  // of each core, half vectors of them, in the order of panels
    for (int64_t panel = 0; panel < rounds * panels; ++panel)
      *std::ranges::min_element(columns) += ceil_div(std::min(width, n - panel % panels * width), 8);
    EXPECT_GE(static_cast<double>(columns[0] + columns[1]), 0.96 * 2 * static_cast<double>(std::ranges::max(columns))) << verbs;
  }
}

}  // namespace
}  // namespace tg
