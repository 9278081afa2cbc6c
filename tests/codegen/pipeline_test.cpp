// Rows that are stored while the next one is reduced: what is made is what unoptimised kernels make, for rows of any number and length, to
// the last bit the same wherever a row lies, and chosen where it pays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include <fmt/format.h>
#include "codegen/one_kernel.hpp"

namespace tg {
namespace {

Target target(int64_t l3) {
  Target t = device("cpu").target();
  t.vector_bytes = 64;
  t.l2_bytes = 1 << 20;
  t.l3_bytes = l3;
  return t;
}
Target own(int64_t l3) {
  Target t = device("cpu").target();
  t.l3_bytes = l3;
  return t;
}
const auto pipelined = testing::HasSubstr("pipeline(");

struct RowProgram {
  const char* name;
  std::vector<Tensor> (*build)(const Inputs&, int64_t rows, int64_t n);
};
const RowProgram kRowPrograms[] = {
    {"Softmax", [](const Inputs& in, int64_t rows, int64_t n) { return std::vector{in({rows, n}).softmax(1)}; }},
    {"LogSoftmax", [](const Inputs& in, int64_t rows, int64_t n) { return std::vector{in({rows, n}).log_softmax(1)}; }},
    {"LayerNorm", [](const Inputs& in, int64_t rows, int64_t n) { return std::vector{in({rows, n}).layer_norm(in({n}), in({n}))}; }},
    {"RmsNorm",
     [](const Inputs& in, int64_t rows, int64_t n) {
       const Tensor x = in({rows, n});
       return std::vector{x / (x.square().mean({.axis = 1, .keepdim = true}) + 1.0f).sqrt()};
     }},
    {"SoftmaxGradient",
     [](const Inputs& in, int64_t rows, int64_t n) {
       const Tensor y = in({rows, n}) / 16, g = in({n});
       return std::vector{y * (g - (g * y).sum({.axis = 1, .keepdim = true}))};
     }},
    {"SoftmaxTwice",
     [](const Inputs& in, int64_t rows, int64_t n) {
       const Tensor y = in({rows, n}).softmax(1);
       return std::vector{y, y * 2 + in({n})};
     }},
    {"SoftmaxOfPartsOfRows",
     [](const Inputs& in, int64_t rows, int64_t n) { return std::vector{in({rows, n + 3}).at(slice(), slice(3)).softmax(1)}; }},
    {"SoftmaxOfPlanes", [](const Inputs& in, int64_t rows, int64_t n) { return std::vector{in({3, rows, n}).softmax(2)}; }},
    {"SoftmaxOfFloat64",
     [](const Inputs& in, int64_t rows, int64_t n) { return std::vector{in({rows, n}).cast(float64).softmax(1).cast(float32)}; }},
};
class Pipeline : public testing::TestWithParam<RowProgram> {};

// The chosen verbs and the pipeline with them, rows stored through the cache and around it.
TEST_P(Pipeline, LeavesTheResultRight) {
  const Inputs in{"cpu"};
  constexpr int64_t kRowsAndLengths[][2] = {{2, 5}, {1, 131}, {3, 128}, {70, 131}, {19, 259}};
  for (const auto& [rows, n] : kRowsAndLengths) {
    SCOPED_TRACE(fmt::format("{} rows of {}", rows, n));
    const Case c(GetParam().build(in, rows, n), device("cpu"));
    ASSERT_EQ(c.kernel.stores.size(), c.like.size());
    const auto right = testing::Pointwise(testing::DoubleNear(2e-5), c.run(Verbs{}));
    const int64_t l3 = rows == 3 ? 1 << 30 : 0;
    Verbs verbs = generate(c.kernel, own(l3)).verbs;
    std::erase_if(verbs, [](const Verb& v) { return v.kind == Verb::Kind::Pipeline; });
    verbs.push_back(Verb::pipeline(to_string(c.kernel.ranges.back())));
    SCOPED_TRACE(to_string(verbs));
    try {
      EXPECT_THAT(c.run(generate(c.kernel, own(l3), verbs)), right);
    } catch (const ValueError& e) {
      EXPECT_TRUE(n == 5 || rows == 1) << e.what();
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Programs, Pipeline, testing::ValuesIn(kRowPrograms), [](const auto& test) { return test.param.name; });

// Rows that are all alike begin at other places of a line each, and one in some is the first of a worker.
TEST(Pipelines, MakeTheSameBitsOfTheSameRow) {
  for (const int64_t n : {1024, 1031}) {
    const Tensor row = Inputs{"cpu"}({1, n}) / 7, x = row.expand({150, n}).contiguous().realize();
    for (const Tensor& y : {x.softmax(1), x.log_softmax(1)}) {
      const Case c(y, device("cpu"));
      const Generated g = generate(c.kernel, own(0));
      ASSERT_THAT(to_string(g.verbs), pipelined);
      const Numbers all = c.run(g);
      for (size_t i = static_cast<size_t>(n); i < all.size(); ++i)
        ASSERT_EQ(all[i], all[i - static_cast<size_t>(n)]) << "row " << i / static_cast<size_t>(n) << " of " << n;
    }
  }
}

TEST(Pipelines, AreChosenWhereTheyPay) {
  const Inputs none{"null"};
  const auto verbs = [&](const Tensor& y, int64_t l3 = 1 << 30) {
    const Case c(y, device("null"));
    return to_string(generate(c.kernel, target(l3)).verbs);
  };
  for (const int64_t n : {1024, 1031})
    for (const int64_t l3 : {1 << 30, 1024}) {
      EXPECT_THAT(verbs(none({19, n}).softmax(1), l3), pipelined);
      EXPECT_THAT(verbs(none({19, n}).log_softmax(1), l3), pipelined);
      EXPECT_THAT(verbs(none({19, n}).layer_norm(none({n}), none({n})), l3), testing::Not(pipelined)) << "little arithmetic";
    }
  EXPECT_THAT(verbs(none({1024}).exp().sum()), testing::Not(pipelined)) << "no loop over the output";
  EXPECT_THAT(verbs(none({19, 64}).softmax(1)), testing::Not(pipelined)) << "rows of four vectors";
  EXPECT_THAT(verbs((none({19, 1024}) / 16).exp().var({.axis = 1})), testing::Not(pipelined)) << "no row is stored";
}

// The first row is reduced and kept, the others are while the row before is stored, and the last is stored.
TEST(Pipelines, StoreInsideOfTheWalkThatKeeps) {
  const Case c(Inputs{"null"}({19, 1024}).softmax(1), device("null"));
  const std::vector<Inst> insts = generate(c.kernel, target(1 << 30)).phases[0].phase.insts;
  struct Loop { bool keeps = false, stores = false, stores_inside = false; };
  std::vector<Loop> open(1);
  int kept = 0, both = 0, stored = 0;
  for (const Inst& i : insts) {
    if (i.op == InstOp::loop) open.emplace_back();
    if (i.op == InstOp::store) (insts[static_cast<size_t>(i.src[0])].op == InstOp::buffer ? open.back().stores : open.back().keeps) = true;
    if (i.op != InstOp::end_loop) continue;
    const Loop l = open.back();
    open.pop_back();
    open.back().stores_inside |= l.stores;
    kept += l.keeps && !l.stores_inside, both += l.keeps && l.stores_inside, stored += l.stores;
  }
  EXPECT_EQ(std::make_tuple(kept, both, stored), std::make_tuple(1, 1, 2));
}

TEST(Pipelines, AreRefusedWhereTheyDoNotFit) {
  const Inputs in{"cpu"};
  const auto refused = [&](const Tensor& y, const std::string& list, const std::string& why, const char* on = "cpu") {
    const Case c(y, device(on));
    try {
      (void)c.run(parse_verbs(list));
      ADD_FAILURE() << list << " is taken";
    } catch (const ValueError& e) {
      EXPECT_THAT(e.what(), testing::HasSubstr(why)) << list;
    }
  };
  const Tensor y = in({19, 131}).softmax(1);
  refused(in({19, 131}) * in({19, 1}), "pipeline(i1)", "no reduction walks along rows as long");
  refused(in({131}).softmax(0), "pipeline(i0)", "there is one row");
  refused(y, "keep(r1); pipeline(i0)", "not the range along which rows are stored");
  refused(y, "keep(r1); pipeline(i7)", "no such axis");
  refused(y, "keep(r1); tile(i0, 2, unroll); pipeline(i1)", "is not a loop");
  refused(y, "keep(r1); tile(i1, 16, loop); order(i1, i0, i1a); pipeline(i1)", "in one loop");
  refused(y, "keep(r1); tile(r1, 16, loop); pipeline(i1)", "one loop walks along the next");
  refused((in({19, 131}) / 16).exp().var({.axis = 1}), "keep(r1); pipeline(i0)", "there is one row");
  refused(Inputs{"opencl"}({19, 131}).softmax(1), "pipeline(i1)", "do not follow each other", "opencl");
}

}  // namespace
}  // namespace tg
