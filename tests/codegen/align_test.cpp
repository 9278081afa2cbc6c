// Rows of any length, whose first element lies anywhere in a line: stored around the cache but for their ends.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/nest.hpp"
#include "codegen/one_kernel.hpp"

namespace tg {
namespace {

const TestProgram kAligned[] = {
    {"PartsOfRows", [](const Inputs& in) { return in({9, 3, 300}).at(slice(), slice(), slice(1, 260)) * 2.0f + in({9, 1, 1}); }},
    {"BlocksOfRows", [](const Inputs& in) { return in({5, 9001}) + in({9001}); }},
    {"RowSide", [](const Inputs& in) { return in({40, 131}) + in({40, 1}); }},
    {"RowsOfSums", [](const Inputs& in) { return in({40, 150}) * in({40, 150}).sum({.axis = 1, .keepdim = true}); }},
    {"EvenRows", [](const Inputs& in) { return in({40, 132}) + in({132}); }},
    {"Doubles", [](const Inputs& in) { return (in({40, 131}).cast(float64) + in({131}).cast(float64)).cast(float32); }},
    {"Padded", [](const Inputs& in) { return in({40, 131}).pad({{0, 0}, {3, 5}}) + in({139}); }},
};
class Aligned : public testing::TestWithParam<TestProgram> {};

TEST_P(Aligned, ComputesTheSame) {
  const TestProgram& program = GetParam();
  const Numbers expected = program.build({"interpreter"}).to_vector<double>();
  const Case c(program.build({"cpu"}), device("cpu"));
  Target t = c.device.target();
  t.l3_bytes = 0;
  const Generated chosen = generate(c.kernel, t);
  if (t.vector_bytes > 0) {
    EXPECT_THAT(to_string(chosen.verbs), testing::StartsWith("align("));
  }
  EXPECT_EQ(c.run(chosen), expected);
  const std::string last = to_string(chosen.kernel.ranges.back());
  for (const char* verbs :
       {"align({0}, 9)", "align({0}, 16); tile({0}, 8, vector)", "align({0}, 13); tile({0}, 4, vector); tile({0}, 3, unroll)",
                            "align({0}, 16); tile({0}, 48, loop); tile({0}a, 16, vector)", "align({0}, 64); tile({0}, 4, unroll)"}) {
    const std::string text = fmt::format(fmt::runtime(verbs), last);
    SCOPED_TRACE(text);
    EXPECT_EQ(c.run(parse_verbs(text)), expected);
  }
}
INSTANTIATE_TEST_SUITE_P(Programs, Aligned, testing::ValuesIn(kAligned), [](const auto& test) { return test.param.name; });

TEST(Aligned, RefusesWhatHasNoRows) {
  const Inputs in{"null"};
  const auto refuses = [](const Tensor& y, const std::string& verbs) {
    const Case c(y, device("null"));
    EXPECT_THROW((void)generate(c.kernel, c.device.target(), parse_verbs(verbs)), ValueError) << verbs;
  };
  const Tensor odd = in({40, 131}) + in({131});
  refuses(odd, "align(i2, 16)");
  refuses(odd, "align(i0, 16)");
  refuses(odd, "align(i1, 1)");
  refuses(odd, "tile(i1, 16, vector); align(i1, 16)");
  refuses(odd, "tile(i0, 2, unroll); align(i1, 16)");
  refuses(odd, "align(i1, 16); tile(i0, 2, unroll)");
  refuses(odd, "tile(i0, 2, loop); align(i1, 16)");
  refuses(in({40, 128}) + in({128}), "align(i1, 16)");
  refuses(in({40, 131}).sum({.axis = 1}), "align(r1, 16)");
}

}  // namespace
}  // namespace tg
