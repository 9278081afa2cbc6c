// Reductions of columns: some rows at once are walked along, and added to what was found so far. And of planes, each a piece of some
// images, of which a few are read at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/nest.hpp"
#include "codegen/one_kernel.hpp"

namespace tg {
namespace {

// The program, as it is compiled where little of it is in a near cache and with one of some verbs each, against the interpreter.
// others(r): those verbs, where the reduction's last loop is called r.
void compare(const TestProgram& program, const char* begins, Verbs (*others)(const std::string& r)) {
  const Case c(program.build({"cpu"}), device("cpu"));
  const auto right = testing::Pointwise(testing::FloatEq(), program.build({"interpreter"}).to_vector<double>());
  Target t = c.device.target();
  t.l2_bytes = 4096;
  const Generated chosen = generate(c.kernel, t);
  if (t.vector_bytes > 0) {
    EXPECT_THAT(to_string(chosen.verbs), testing::StartsWith(begins));
  }
  EXPECT_THAT(c.run(chosen), right);
  for (const Verb& v : others(Nest(chosen.kernel).axes.back().name)) {
    SCOPED_TRACE(to_string(Verbs{v}));
    EXPECT_THAT(c.run(Verbs{v}), right);
  }
}
/// What is chosen where the machine is as it is.
std::string verbs(const Tensor& y) {
  const Case c(y, device("null"));
  return to_string(generate(c.kernel, c.device.target()).verbs);
}
const auto is_split = testing::StartsWith("group(");

const TestProgram kColumns[] = {
    {"Sum", [](const Inputs& in) { return in({131, 137}).sum({.axis = 0}); }},
    {"Max", [](const Inputs& in) { return in({131, 137}).max({.axis = 0}) * 2.0f; }},
    {"Product", [](const Inputs& in) { return (in({43, 137}) / 4.0f).prod({.axis = 0}); }},
    {"WholeNumbers", [](const Inputs& in) { return in({131, 137}).cast(int32).sum({.axis = 0}).cast(float32); }},
    {"VectorByMatrix", [](const Inputs& in) { return in({131}).matmul(in({131, 137})) + in({137}); }},
    {"FewRowsByMatrix", [](const Inputs& in) { return in({3, 131}).matmul(in({131, 1100})) + in({1100}); }},
    {"FewRowsOfHalves", [](const Inputs& in) { return half(in({5, 131})).matmul(half(in({131, 2100}))).cast(float32); }},
    {"OfABatch", [](const Inputs& in) { return (in({3, 77, 5, 70}) + in({70})).sum({.axis = 1}); }},
    {"WideRows", [](const Inputs& in) { return in({35, 9001}).sum({.axis = 0}); }},
};
class Columns : public testing::TestWithParam<TestProgram> {};

TEST_P(Columns, OfRowsAtOnceAreRight) {
  compare(GetParam(), "group(r", [](const std::string& r) {
    return Verbs{Verb::group(r, 1, 8), Verb::group(r, 3, 4), Verb::group(r, 8, 5), Verb::group(r, 100, 1),
                 Verb::group(r, 2, 16), Verb::group(r, INT64_MAX, 8)};
  });
}
INSTANTIATE_TEST_SUITE_P(Programs, Columns, testing::ValuesIn(kColumns), [](const auto& test) { return test.param.name; });

// The number of rounds depends on the part, where these are not even: cores share the parts nevertheless.
TEST(Columns, AreSharedByParts) {
  for (const auto& [rows, parts] : {std::pair{4096, 64}, std::pair{4000, 63}}) {
    const Case c(Inputs{"null"}({rows, 1025}).sum({.axis = 0}), device("null"));
    EXPECT_EQ(generate(c.kernel, c.device.target()).phases[0].grid[0].value(), parts) << rows;
  }
}

// Where L2 holds pieces of both operands that are long enough; else in rounds, or not at all.
TEST(Columns, OfLongProductsAreSumsInParts) {
  const Inputs in{"null"};
  const auto chosen = [](const Tensor& y) {
    const Case c(y, device("null"));
    Target t = c.device.target();
    t.l2_bytes = 1 << 20, t.cores = 2;
    return to_string(generate(c.kernel, t).verbs);
  };
  EXPECT_EQ(chosen(in({120, 30000}).matmul(in({30000, 200}))), "group(r2, 48)");
  EXPECT_EQ(chosen(in({30000, 120}).T().matmul(in({30000, 200}))), "group(r2, 48)");
  EXPECT_EQ(chosen(in({20011, 9}).T().matmul(in({20011, 17}))), "group(r2, 20)") << "parts that are not equal";
  EXPECT_EQ(chosen(in({2048, 128}).T().matmul(in({2048, 128}))), "group(r2, 4)");
  const auto rounds = testing::StartsWith("group(r2, 1, ");
  EXPECT_THAT(chosen(in({512, 16384}).matmul(in({16384, 512}))), rounds) << "pieces would be short";
  EXPECT_THAT(chosen(in({120, 30000}).matmul(in({200, 30000}).T())), rounds) << "both lie along the sum";
  EXPECT_THAT(chosen(in({128, 2048}).matmul(in({2048, 128}))), testing::Not(is_split)) << "few parts";
  EXPECT_THAT(chosen(in({8, 64, 4096}).matmul(in({8, 4096, 64}))), testing::StartsWith("group(r3, 1, ")) << "cores share the batch";
}

TEST(Columns, OfFewProductsAreSplit) {
  const Inputs in{"null"};
  EXPECT_EQ(verbs(in({4, 4096}).matmul(in({4096, 1025}))), "group(r2, 16, 8)") << "the parts of fewer rows have fewer sums";
  EXPECT_EQ(verbs(in({8, 4096}).matmul(in({4096, 4096}))), "group(r2, 8, 8)") << "from memory";
  EXPECT_THAT(verbs(in({9, 4096}).matmul(in({4096, 4096}))), testing::Not(is_split)) << "arithmetic";
  EXPECT_THAT(verbs(in({4, 4096}).matmul(in({4096, 1000}))), testing::Not(is_split)) << "rows follow each other";
  EXPECT_THAT(verbs(in({4, 4096}).matmul(in({1025, 4096}).T())), testing::Not(is_split)) << "rows are read straight through as they are";
  const Case rows(in({6, 800}).matmul(in({800, 2000})), device("null"));
  Target t = rows.device.target();
  const auto chosen = [&] { return to_string(generate(rows.kernel, t).verbs); };
  t.l2_bytes = 1 << 20, t.l3_bytes = 32 << 20;
  EXPECT_THAT(chosen(), testing::Not(is_split)) << "in the last cache";
  t.vector_bytes = 32;
  EXPECT_THAT(chosen(), is_split) << "half a line is read at once";
}

TEST(Columns, AreSplitWhereRowsPassTheCache) {
  const Inputs in{"null"};
  EXPECT_EQ(verbs(in({4096, 1025}).sum({.axis = 0})), "group(r1, 64, 8)") << "pages of eight rows at once";
  EXPECT_EQ(verbs(in({4096}).matmul(in({4096, 1025}))), "group(r1, 64, 8)");
  EXPECT_EQ(verbs(in({4096, 1024}).sum({.axis = 0})), "group(r1, 64, 1)") << "rows follow each other";
  EXPECT_EQ(verbs(in({16384, 256}).sum({.axis = 0})), "group(r1, 256)") << "and stay in registers";
  EXPECT_THAT(verbs(in({100, 1024}).sum({.axis = 0})), testing::Not(is_split)) << "it is in the cache";
  EXPECT_THAT(verbs(in({16, 1 << 20}).sum({.axis = 0})), testing::Not(is_split)) << "all rows at once";
  EXPECT_THAT(verbs(in({1 << 18, 16}).sum({.axis = 0})), testing::Not(is_split)) << "rows of a line";
  EXPECT_THAT(verbs(in({1024, 4096}).sum({.axis = 1})), testing::Not(is_split)) << "rows";
  const Case rows(in({64, 100}).sum({.axis = 1}), device("null"));
  EXPECT_THROW((void)generate(rows.kernel, rows.device.target(), parse_verbs("group(r1, 1, 101)")), ValueError) << "not so many steps";
}

const TestProgram kPlanes[] = {
    {"Sum", [](const Inputs& in) { return in({37, 5, 40, 30}).sum({.axis = {0, 2, 3}}); }},
    {"Max", [](const Inputs& in) { return in({37, 5, 40, 30}).max({.axis = {0, 2, 3}}) * 2.0f + in({5}); }},
    {"OfAProduct", [](const Inputs& in) { return ((in({37, 5, 1203}) + in({5, 1})) * in({37, 5, 1203})).sum({.axis = {0, 2}}); }},
    {"SideBySide", [](const Inputs& in) {
       const Tensor x = in({37, 5, 1203}), y = in({5}) - 1.0f;
       return x.sum({.axis = {0, 2}}) * (x * y.unsqueeze(1)).max({.axis = {0, 2}}) +
              (x * x).sum({.axis = {0, 2}}) * 0.5f + y;
     }},
};
class Planes : public testing::TestWithParam<TestProgram> {};

TEST_P(Planes, InPartsAreRight) {
  compare(GetParam(), "group(r1, 10)", [](const std::string&) {
    return Verbs{Verb::group("r1", 1), Verb::group("r1", 3), Verb::group("r1", 37), Verb::group("r1", INT64_MAX)};
  });
}
INSTANTIATE_TEST_SUITE_P(Programs, Planes, testing::ValuesIn(kPlanes), [](const auto& test) { return test.param.name; });

TEST(Planes, AreSplitWherePiecesPassTheCache) {
  const Inputs in{"null"};
  EXPECT_EQ(verbs(in({512, 32, 24, 24}).sum({.axis = {0, 2, 3}})), "group(r1, 128)");
  EXPECT_THAT(verbs(in({512, 32, 24, 24}).sum({.axis = {2, 3}})), testing::Not(is_split)) << "read straight through";
  EXPECT_THAT(verbs(in({32, 512, 24, 24}).sum({.axis = {1, 2, 3}})), testing::Not(is_split)) << "read straight through";
  EXPECT_THAT(verbs(in({512, 32, 96, 96}).sum({.axis = {0, 2, 3}})), testing::Not(is_split)) << "pieces of many pages";
  EXPECT_THAT(verbs(in({20, 32, 10, 10}).sum({.axis = {0, 2, 3}})), testing::Not(is_split)) << "it is in the cache";
  const Tensor var = in({512, 32, 400}).var({.axis = {0, 2}});
  EXPECT_THAT(verbs(var), testing::Not(is_split)) << "one needs the other";
  const Case variance(var, device("null"));
  EXPECT_THROW((void)generate(variance.kernel, variance.device.target(), parse_verbs("group(r1, 8)")), ValueError);
}

}  // namespace
}  // namespace tg
