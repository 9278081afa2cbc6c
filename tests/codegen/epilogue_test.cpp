// What is made of a register tile of sums, where that is long: a loop over the tile's rows.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/one_kernel.hpp"

namespace tg {
namespace {

const TestProgram kEpilogues[] = {
    {"Gelu", [](const Inputs& in) { return (in({97, 70}).matmul(in({70, 161})) + in({161})).gelu({.tanh = true}); }},
    {"WithWhatIsReadOfEachRow",
     [](const Inputs& in) { return (in({53, 30}).matmul(in({30, 67})) * in({53, 1})).silu() * in({53, 67}) + in({53, 67}).sin(); }},
    {"OfABatch", [](const Inputs& in) { return in({5, 61, 20}).matmul(in({5, 20, 75})).tanh().sigmoid(); }},
    {"Columns", [](const Inputs& in) { return in({67, 131}).T().matmul(in({137, 67}).T()).gelu(); }},
    {"TwoSums",
     [](const Inputs& in) {
       const Tensor x = in({41, 30}), y = x.matmul(in({30, 53})), z = x.matmul(in({30, 53}));
       return y.silu() * z.sigmoid();
     }},
    {"Doubles",
     [](const Inputs& in) {
       return in({37, 20}).cast(float64).realize().matmul(in({20, 45}).cast(float64).realize()).sigmoid().cast(float32);
     }},
    {"Bfloat16", [](const Inputs& in) { return half(in({37, 20})).matmul(half(in({20, 45}))).cast(float32).tanh(); }},
    {"WholeNumbers",
     [](const Inputs& in) { return in({37, 20}).cast(int32).realize().matmul(in({20, 45}).cast(int32).realize()).cast(float32).tanh(); }},
    {"Windows", [](const Inputs& in) { return in({2, 9, 13, 15}).conv2d(in({17, 9, 3, 3})).gelu(); }},
    {"SumsOfRows", [](const Inputs& in) { return in({45, 300}).sum({1}).sin().tanh(); }},
    {"AChoice", [](const Inputs& in) { return in({45, 30}).matmul(in({30, 31})).sin().masked_fill(in({45, 31}) < 0, 2.0); }},
};
class Epilogue : public testing::TestWithParam<TestProgram> {};

TEST_P(Epilogue, ComputesTheSame) {
  const TestProgram& program = GetParam();
  const Numbers expected = program.build({"interpreter"}).to_vector<double>();
  const Case c(program.build({"cpu"}), device("cpu"));
  const auto right = testing::Pointwise(testing::FloatNear(2e-5F), expected);
  EXPECT_THAT(c.run(generate(c.kernel, c.device.target())), right) << "as chosen";
  const size_t n = c.kernel.ranges.size();
  const std::string last = to_string(c.kernel.ranges[n - 1]), rows = n > 1 ? to_string(c.kernel.ranges[n - 2]) : last;
  for (const char* verbs : {
           "tile({1}, 16, vector); tile({1}, 3, unroll); tile({0}, 9, unroll)",
           "tile({1}, 8, vector); tile({1}, 2, unroll); tile({0}, 6, unroll)",
           "tile({1}, 16, vector); tile({0}, 14, unroll)",
           "tile({1}, 5, unroll); tile({0}, 4, unroll)",
           "tile({0}, 8, vector); tile({0}, 2, unroll); tile({1}, 5, unroll)",
       }) {
    if (n == 1 || n > 3) break;  // images are split in ways of their own
    const std::string text = fmt::format(fmt::runtime(verbs), rows, last);
    SCOPED_TRACE(text);
    EXPECT_THAT(c.run(parse_verbs(text)), right);
  }
}
INSTANTIATE_TEST_SUITE_P(Programs, Epilogue, testing::ValuesIn(kEpilogues), [](const auto& test) { return test.param.name; });

// Of 6 x 4 vectors one row is computed at once, of 6 x 1 all six, as four would not divide them; with a short epilogue each by itself.
TEST(Epilogues, AreALoopOverRows) {
  const auto divisions = [](const Tensor& x, const char* verbs) {
    const Case c(x, device("cpu"));
    int count = 0;
    const Generated g = generate(c.kernel, c.device.target(), parse_verbs(verbs));
    for (const Inst& i : g.phases.at(0).phase.insts) count += i.op == InstOp::alu && i.alu == Op::Div;
    return count;
  };
  const Inputs in{"cpu"};
  const Tensor y = in({96, 70}).matmul(in({70, 128}));
  EXPECT_EQ(divisions(y.sigmoid(), "tile(i1, 16, vector); tile(i1, 4, unroll); tile(i0, 6, unroll)"), 4);
  EXPECT_EQ(divisions(y.sigmoid(), "tile(i1, 16, vector); tile(i0, 6, unroll)"), 6);
  EXPECT_EQ(divisions(y.sigmoid(), "tile(i1, 16, vector); tile(i0, 8, unroll)"), 4);
  EXPECT_EQ(divisions(1 / y, "tile(i1, 16, vector); tile(i1, 4, unroll); tile(i0, 6, unroll)"), 24);
}

}  // namespace
}  // namespace tg
