// Verbs as data: they print and parse, refuse what does not fit, and leaving any out changes no result, on the CPU as on a GPU-like device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include <fmt/format.h>
#include "codegen/keep.hpp"
#include "codegen/neighbours.hpp"
#include "codegen/nest.hpp"
#include "codegen/one_kernel.hpp"
#include "fuzzing.hpp"

namespace tg {
namespace {

TEST(Verbs, PrintAndParse) {
  const std::string text = "tile(i0, 16, vector); tile(r2, 64, thread); order(i1, i0); stage(p2, launch); group(r2, 8); "
                           "group(r2, 8, 4); keep(r1); align(i1, 16); pipeline(i1)";
  EXPECT_EQ(to_string(parse_verbs(text)), text);
  EXPECT_EQ(to_string(Verbs{}), "no verbs");
  EXPECT_TRUE(parse_verbs("no verbs").empty());
  EXPECT_THROW(parse_verbs("tile(i0)"), ValueError);
  EXPECT_THROW(parse_verbs("fold(i0, 2)"), ValueError);
  EXPECT_THROW(parse_verbs("tile(i0, many, loop)"), ValueError);
  EXPECT_THROW(parse_verbs("group(r1, 4, 0)"), ValueError);
}

const TestProgram kPrograms[] = {
    {"Product7x5x3", [](const Inputs& in) { return in({7, 5}).matmul(in({5, 3})); }},
    {"Product64x48x64", [](const Inputs& in) { return in({64, 48}).matmul(in({64, 48}).T()); }},
    {"Product33x130x97", [](const Inputs& in) { return in({33, 130}).matmul(in({97, 130}).T()); }},
    {"Product128x200x33", [](const Inputs& in) { return in({128, 200}).matmul(in({200, 33})); }},
    {"ThinProduct", [](const Inputs& in) { return in({3, 131}).matmul(in({131, 97})); }},
    {"ThinProductOfRows", [](const Inputs& in) { return in({5, 131}).matmul(in({97, 131}).T()); }},
    {"ThinProductOfRowsOfBfloat16", [](const Inputs& in) { return half(in({3, 130})).matmul(half(in({97, 130})).T()).cast(float32); }},
    {"ProductsOfRows", [](const Inputs& in) { return in({3, 4, 67}).matmul(in({3, 19, 67}).transpose(1, 2)) * 2.0f + 1.0f; }},
    {"ProductOfTransposed", [](const Inputs& in) { return (in({50, 37}).T().matmul(in({50, 41})) + in({41})).relu(); }},
    {"ProductOfBfloat16", [](const Inputs& in) { return half(in({33, 48})).matmul(half(in({48, 64}))).cast(float32); }},
    {"ProductOfTransposedBfloat16", [](const Inputs& in) { return half(in({48, 33})).T().matmul(half(in({65, 48})).T()).cast(float32); }},
    {"Products", [](const Inputs& in) { return in({3, 17, 23}).matmul(in({3, 23, 19})); }},
    {"Convolution", [](const Inputs& in) { return in({2, 5, 13, 13}).conv2d(in({9, 5, 3, 3})); }},
    {"InputGradient", [](const Inputs& in) { return input_gradient(in, {69, 18, 7, 6}, {6, 18, 3, 3}); }},
    {"InputGradientOfStride",
     [](const Inputs& in) { return input_gradient(in, {3, 4, 13, 15}, {18, 4, 3, 3}, {.stride = 2, .padding = 1}); }},
    {"ConvolutionInGroups", [](const Inputs& in) { return in({2, 6, 11, 13}).conv2d(in({9, 2, 3, 3}), {.groups = 3}); }},
    {"Elementwise", [](const Inputs& in) { return in({41, 13}) * in({13}) + in({41, 1}); }},
    {"Transpose", [](const Inputs& in) { return in({45, 37}).T() * 2.0f; }},
    {"TransposeOfWholeTiles", [](const Inputs& in) { return in({3, 64, 48}).transpose(1, 2) * 2.0f; }},
    {"RowSums", [](const Inputs& in) { return in({37, 131}).sum({.axis = 1}); }},
    {"ColumnSums", [](const Inputs& in) { return in({131, 37}).sum({.axis = 0}); }},
    {"WholeSum", [](const Inputs& in) { return in({300007}).sum(); }},
    {"ArgMax", [](const Inputs& in) { return in({23, 67}).argmax({.axis = 1}); }},
    {"Softmax", [](const Inputs& in) { return in({19, 101}).softmax(1); }},
    {"LayerNorm", [](const Inputs& in) { return in({19, 257}).layer_norm(in({257}), in({257})); }},
    {"RunningSum", [](const Inputs& in) { return (Tensor::eye(97, 97, {.device = in.device}).realize() + in({97})).sum({.axis = 1}); }},
    {"ScanOfRows", [](const Inputs& in) { return in({19, 101}).cumsum(1) * 2.0f; }},
    {"ScanOfEvenRows", [](const Inputs& in) { return in({20, 101}).cumsum(1) * 2.0f; }},
    {"ScanOfColumns", [](const Inputs& in) { return in({31, 67}).cumsum(0); }},
    {"Rows", [](const Inputs& in) { return in({31, 40}).take(in.indices(29, 31)); }},
    {"Nothing", [](const Inputs& in) { return in({5, 0}).matmul(in({0, 7})); }},
};

class Removal : public testing::TestWithParam<std::tuple<const char*, TestProgram>> {};

TEST_P(Removal, LeavesTheResultRight) {
  const auto [name, program] = GetParam();
  const Numbers expected = program.build({"interpreter"}).to_vector<double>();
  const Case c(program.build({name}), device(name));
  const auto right = testing::Pointwise(testing::DoubleNear(2e-5), expected);
  EXPECT_THAT(c.run(Verbs{}), right) << "without verbs";
  const Verbs chosen = generate(c.kernel, c.device.target()).verbs;
  EXPECT_THAT(c.run(chosen), right) << to_string(chosen);
  for (size_t i = 0; i < chosen.size(); ++i) {
    Verbs fewer = chosen;
    fewer.erase(fewer.begin() + static_cast<ptrdiff_t>(i));
    try {
      EXPECT_THAT(c.run(fewer), right) << to_string(chosen) << "\nwithout " << to_string(chosen[i]);
    } catch (const ValueError&) {
      continue;  // what is left names an axis that the removed verb made: refused, not miscompiled
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Programs, Removal, testing::Combine(testing::Values("cpu", "opencl"), testing::ValuesIn(kPrograms)),
                         [](const auto& test) { return std::string(std::get<0>(test.param)) + std::get<1>(test.param).name; });

// Verbs that nobody would choose: whatever is not refused computes the same.
class Fuzz : public Removal {};

Verbs random_verbs(const Kernel& kernel, const Target& target, std::mt19937& random) {
  const auto below = [&](size_t n) { return static_cast<int64_t>(random() % n); };
  Nest nest(kernel);
  Verbs verbs;
  for (int64_t n = 1 + below(6); n > 0; --n) {
    Verb v;
    v.axis = nest.axes[static_cast<size_t>(below(nest.axes.size() + 1) % static_cast<int64_t>(nest.axes.size()))].name;
    if (below(4) == 0) {
      v.kind = Verb::Kind::Stage;
      v.param = static_cast<int>(below(kernel.params.size()));
      if (below(4) == 0) v.axis = "launch";
    } else if (!kernel.ranges.empty() && below(kernel.kept.empty() ? 8 : 2) == 0) {
      v = Verb::pipeline(nest.axes[kernel.ranges.size() - 1].name);
    } else if (below(4) == 0) {
      v.kind = Verb::Kind::Align;
      v.size = 2 + below(16);
    } else {
      constexpr int64_t kSizes[] = {2, 3, 4, 5, 8, 16};
      constexpr AxisKind kCpu[] = {AxisKind::Loop, AxisKind::Unroll, AxisKind::Vector},
                         kGpu[] = {AxisKind::Loop, AxisKind::Unroll, AxisKind::Thread, AxisKind::Thread};
      v.size = kSizes[below(6)];
      v.as = target.grid ? kGpu[below(4)] : kCpu[below(3)];
      if (v.as == AxisKind::Vector) v.size = 16;
    }
    if (!nest.fits(v)) continue;
    nest.apply(v);
    verbs.push_back(v);
  }
  return verbs;
}

TEST_P(Fuzz, AnyVerbsLeaveTheResultRight) {
  const auto [name, program] = GetParam();
  const Numbers expected = program.build({"interpreter"}).to_vector<double>();
  const Case c(program.build({name}), device(name));
  const auto right = testing::Pointwise(testing::DoubleNear(2e-5), expected);
  std::mt19937 random(static_cast<unsigned>(std::hash<std::string_view>()(program.name)));
  const Kernel kernel = generate(c.kernel, c.device.target()).kernel;
  for (int round = 0, runs = fuzz_runs(4); round < runs; ++round) {
    const Verbs verbs = random_verbs(kernel, c.device.target(), random);
    SCOPED_TRACE(to_string(verbs));
    try {
      EXPECT_THAT(c.run(verbs), right);
    } catch (const ValueError&) {
      continue;  // too many threads, too much shared memory
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what();
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Programs, Fuzz, testing::Combine(testing::Values("cpu", "opencl"), testing::ValuesIn(kPrograms)),
                         [](const auto& test) { return std::string(std::get<0>(test.param)) + std::get<1>(test.param).name; });

// Any operand may be copied first; whatever then is left is chosen for what is left.
class Copied : public Removal {};

TEST_P(Copied, OperandsLeaveTheResultRight) {
  const auto [name, program] = GetParam();
  const Numbers expected = program.build({"interpreter"}).to_vector<double>();
  const Case c(program.build({name}), device(name));
  for (size_t p = 0; p < c.kernel.params.size(); ++p) {
    const Verb copy = Verb::stage(static_cast<int>(p), "phase");
    try {
      EXPECT_THAT(c.run(Verbs{copy}), testing::Pointwise(testing::DoubleNear(2e-5), expected)) << to_string(copy);
    } catch (const ValueError&) {
      continue;  // read in several places, or outside reductions
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Programs, Copied, testing::Combine(testing::Values("cpu", "opencl"), testing::ValuesIn(kPrograms)),
                         [](const auto& test) { return std::string(std::get<0>(test.param)) + std::get<1>(test.param).name; });

TEST(Copied, WhatIsReadAcrossAndDoesNotFitTheCache) {
  const Inputs in{"cpu"};
  const auto verbs = [&](const Tensor& y, int64_t cache, int registers = 32, int line_cycles = 12) {
    const Case c(y, device("cpu"));
    Target t = c.device.target();
    t.vector_registers = registers;
    t.line_cycles = line_cycles;
    t.fma_per_cycle = 2;
    t.l1_bytes = cache / 16;
    t.l2_bytes = cache;
    const Generated g = generate(c.kernel, t);
    EXPECT_EQ(c.run(g), c.run(Verbs{})) << "small whole numbers";
    return to_string(g.verbs);
  };
  const Tensor across = in({1600, 130}).T().matmul(in({1600, 300})), beside = in({96, 130}).T().matmul(in({96, 300})),
               along = in({130, 96}).matmul(in({96, 300}));
  EXPECT_THAT(verbs(across, 512 << 10), testing::StartsWith("stage(p1, phase); tile("));
  EXPECT_THAT(verbs(across, 4 << 20), testing::Not(testing::HasSubstr("phase"))) << "it fits";
  EXPECT_THAT(verbs(beside, 64 << 10), testing::Not(testing::HasSubstr("phase"))) << "each step asks for what the next tile reads";
  EXPECT_THAT(verbs(beside, 64 << 10, 16), testing::HasSubstr("phase")) << "steps of small tiles do not wait for it";
  EXPECT_THAT(verbs(beside, 64 << 10, 32, 24), testing::HasSubstr("phase")) << "nor do those of large ones, if lines take so long";
  EXPECT_THAT(verbs(along, 64 << 10), testing::Not(testing::HasSubstr("phase"))) << "it is read along rows";
  const Tensor in_pieces = einsum("kmc,cnk->mn", {in({9, 96, 9}), in({9, 300, 9})});
  EXPECT_THAT(verbs(in_pieces, 16 << 10), testing::StartsWith("stage(p1, phase); tile(")) << "once: the copy is read straight through";
  const Tensor in_part = (in({9, 300}).T().reshape({300, 1, 9, 1}) * in({1, 200, 9, 9})).sum({.axis = {2, 3}});
  EXPECT_THAT(verbs(in_part, 16 << 10), testing::HasSubstr("tile(")) << "whether or not it is copied: not again and again";
}

// Rows that are walked several times with the same computation.
const TestProgram kRows[] = {
    {"Softmax", [](const Inputs& in) { return in({19, 131}).softmax(1); }},
    {"SoftmaxOfMany", [](const Inputs& in) { return in({3, 5, 4099}).softmax(2); }},
    {"SoftmaxOfSums", [](const Inputs& in) { return (in({19, 131}) + in({131})).softmax(1) * in({19, 1}); }},
    {"SumOfSoftmax", [](const Inputs& in) { return in({19, 131}).softmax(1).square().sum({.axis = 1}); }},
    {"LayerNormOfExp", [](const Inputs& in) { return (in({19, 131}) / 16).exp().layer_norm(in({131}), in({131})); }},
    {"VarianceOfExp", [](const Inputs& in) { return (in({19, 131}) / 16).exp().var({.axis = 1}); }},
    {"TwoOutputs", [](const Inputs& in) { return in({2, 7, 131}).softmax(2).sum({.axis = 2}) + in({2, 7}).exp2(); }},
    {"SoftmaxOfOneOfTwo", [](const Inputs& in) { return in({5, 2, 257}).at({slice(), 1}).softmax(1); }},
    {"SoftmaxOfLoopsApart", [](const Inputs& in) { return in({3, 5, 7, 160}).at({slice(), slice(1, 4), slice(2, 5)}).softmax(3); }},
    {"SoftmaxOfManyLoops", [](const Inputs& in) { return in({70, 5, 160}).at({slice(), slice(1, 4)}).softmax(2); }},
    {"SoftmaxTimesRows", [](const Inputs& in) { return in({19, 300}).softmax(1) * in({19, 300}) + in({300}) * in({19, 1}); }},
    {"SoftmaxOfFloat64", [](const Inputs& in) { return in({19, 131}).cast(float64).softmax(1).cast(float32); }},
    {"SoftmaxOfBfloat16", [](const Inputs& in) { return half(in({19, 131})).softmax(1).cast(float32); }},
    {"TwoKept",
     [](const Inputs& in) {
       const Tensor e = (in({19, 131}) / 16).exp(), f = (e - e.mean({.axis = 1, .keepdim = true})).sin();
       return f / f.square().sum({.axis = 1, .keepdim = true}) + e;
     }},
    {"WhatIsLess",
     [](const Inputs& in) {
       const Tensor e = (in({19, 131}) / 16).exp(), mean = e.mean({.axis = 1, .keepdim = true});
       return where(mean < 1.0f, e, e.square()) * in.indices(19, 5).cast(float32).unsqueeze(1);
     }},
};
class Rows : public testing::TestWithParam<TestProgram> {};

TEST_P(Rows, KeptLeaveTheResultRight) {
  const TestProgram& program = GetParam();
  const Numbers expected = program.build({"interpreter"}).to_vector<double>();
  const Case c(program.build({"cpu"}), device("cpu"));
  const auto right = testing::Pointwise(testing::DoubleNear(2e-5), expected);
  const Target& target = c.device.target();
  const Generated chosen = generate(c.kernel, target);
  EXPECT_THAT(to_string(chosen.verbs), testing::StartsWith("keep(")) << to_string(chosen.kernel.stores[0]);
  EXPECT_THAT(c.run(chosen), right);
  EXPECT_THAT(c.run(Verbs{chosen.verbs[0]}), right);
  Target without = target;
  without.l3_bytes = 0;
  EXPECT_THAT(c.run(generate(c.kernel, without)), right) << "stored around the cache";
  const Kernel left = keep(chosen.kernel, Nest(chosen.kernel), chosen.verbs[0]);
  const Verb pipeline = Verb::pipeline(Nest(left).axes[left.ranges.size() - 1].name);
  if (Nest(left).fits(pipeline)) {
    EXPECT_THAT(c.run(Verbs{chosen.verbs[0], pipeline}), right) << to_string(pipeline);
  }
  std::mt19937 random(static_cast<unsigned>(std::hash<std::string_view>()(program.name)));
  for (int round = 0, ran = 0; ran < 4; ++round) {
    ASSERT_LT(round, 100) << "all are refused";
    Verbs verbs = random_verbs(left, target, random);
    verbs.insert(verbs.begin(), chosen.verbs[0]);
    SCOPED_TRACE(to_string(verbs));
    try {
      EXPECT_THAT(c.run(verbs), right);
      ++ran;
    } catch (const ValueError&) {
      continue;  // lanes of what is kept in each round
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Programs, Rows, testing::ValuesIn(kRows), [](const auto& test) { return test.param.name; });

TEST(Rows, AreKeptWhereItPays) {
  const Inputs in{"cpu"};
  const auto verbs = [&](const Tensor& y, int64_t l2 = 1 << 20) {
    Target t = device("cpu").target();
    t.vector_bytes = 64;
    t.l2_bytes = l2;
    return to_string(generate(Case(y, device("cpu")).kernel, t).verbs);
  };
  const auto kept = testing::StartsWith("keep(r1)");
  EXPECT_THAT(verbs(in({19, 1031}).softmax(1)), kept);
  EXPECT_THAT(verbs(in({19, 1031}).softmax(1), 4096), testing::Not(kept)) << "it does not fit the cache";
  EXPECT_THAT(verbs(in({19, 1031}).log_softmax(1)), testing::Not(kept)) << "one subtraction is sooner made again";
  EXPECT_THAT(verbs(in({19, 1031}).layer_norm(in({1031}), in({1031}))), testing::Not(kept)) << "likewise";
  EXPECT_THAT(verbs(in({19, 8}).softmax(1)), testing::Not(kept)) << "rows of a vector";
  const Case c(in({19, 1031}).softmax(1), device("opencl"));
  EXPECT_THROW((void)c.run(parse_verbs("keep(r1)")), ValueError) << "a GPU's threads share no row";
  const Case sums(in({19, 1031}).sum({.axis = 1}), device("cpu"));
  EXPECT_THROW((void)sums.run(parse_verbs("keep(r1)")), ValueError) << "nothing is computed twice";
}

// What a search goes through: neighbours of the chosen verbs, and theirs.
class Neighbours : public Removal {};

TEST_P(Neighbours, ComputeTheSame) {
  const auto [name, program] = GetParam();
  const Numbers expected = program.build({"interpreter"}).to_vector<double>();
  const Case c(program.build({name}), device(name));
  const auto right = testing::Pointwise(testing::DoubleNear(2e-5), expected);
  const Generated chosen = generate(c.kernel, c.device.target());
  std::mt19937 random(static_cast<unsigned>(std::hash<std::string_view>()(program.name)));
  Verbs at = chosen.verbs;
  for (int round = 0, runs = fuzz_runs(c.device.target().grid ? 1 : 3); round < runs; ++round) {
    const std::vector<Verbs> all = neighbours(chosen.kernel, c.device.target(), at);
    if (all.empty()) break;
    at = all[random() % all.size()];
    SCOPED_TRACE(to_string(at));
    try {
      EXPECT_THAT(c.run(at), right);
    } catch (const ValueError&) {
      at = chosen.verbs;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Programs, Neighbours, testing::Combine(testing::Values("cpu", "opencl"), testing::ValuesIn(kPrograms)),
                         [](const auto& test) { return std::string(std::get<0>(test.param)) + std::get<1>(test.param).name; });

TEST(Neighbours, DifferByOneEdit) {
  const Case c(Inputs{"null"}({64, 48}).sum({.axis = 0}), device("null"));
  const Kernel kernel = generate(c.kernel, c.device.target()).kernel;
  std::vector<std::string> texts;
  for (const Verbs& v : neighbours(kernel, c.device.target(), parse_verbs("tile(i0, 16, vector)"))) texts.push_back(to_string(v));
  EXPECT_THAT(texts, testing::IsSupersetOf({"no verbs", "tile(i0, 8, vector)", "tile(i0, 32, vector)",
                                            "tile(i0, 16, vector); tile(r1, 4, unroll)",
                                            "tile(i0, 16, vector); stage(p1, i0)"}));
  std::sort(texts.begin(), texts.end());
  EXPECT_EQ(std::unique(texts.begin(), texts.end()), texts.end());
}

// Arrays beyond the last cache are stored around it and asked for ahead of time. A processor without one has no others.
class Streams : public testing::TestWithParam<TestProgram> {};

TEST_P(Streams, ComputeTheSame) {
  const Numbers expected = GetParam().build({"interpreter"}).to_vector<double>();
  const Case c(GetParam().build({"cpu"}), device("cpu"));
  Target t = c.device.target();
  t.l3_bytes = 0;
  EXPECT_THAT(c.run(generate(c.kernel, t)), testing::Pointwise(testing::DoubleNear(2e-5), expected));
}
INSTANTIATE_TEST_SUITE_P(Programs, Streams, testing::ValuesIn(kPrograms), [](const auto& test) { return test.param.name; });

// Sizes that lanes do not divide: the rounds in which every lane is inside have no masks.
TEST(Parts, OnlyTheLastRoundIsMasked) {
  const Inputs in{"null"};
  for (const Tensor& y : {in({61, 1021}).sum({.axis = 1}), in({61, 1021}).sum({.axis = 0}), in({61, 1021}) + in({1021}), in({62281}) * 2}) {
    const Case c(y, device("null"));
    int masked = 0, whole = 0;
    const Generated g = generate(c.kernel, c.device.target());
    for (const Inst& i : g.phases[0].phase.insts)
      if (i.op == InstOp::load && i.lanes > 1) ++(i.src.size() > 2 ? masked : whole);
    EXPECT_GT(whole, 0) << c.kernel.name();
    EXPECT_GT(masked, 0) << c.kernel.name();
  }
}

// Vectors of a register tile beyond the last column are not computed in the round that has them, whether or not rounds are blocks.
TEST(Parts, LeaveOutVectorsThatAreNotThere) {
  const auto products = [](int64_t rows, int64_t columns) {
    const Inputs in{"null"};
    const Case c(in({rows, 64}).matmul(in({64, columns})), device("null"));
    const Generated g =
        generate(c.kernel, c.device.target(), parse_verbs("tile(i1, 16, vector); tile(i1, 3, unroll); tile(i0, 4, unroll)"));
    return std::ranges::count(g.phases[0].phase.insts, Op::Fma, &Inst::alu);
  };
  for (const int64_t rows : {64, 1024}) {
    EXPECT_EQ(products(rows, 96), 4 * 4 * 3) << "no round is cut; four steps at once";
    EXPECT_EQ(products(rows, 97), 4 * 4 * 3 + 4 * 1);
    EXPECT_EQ(products(rows, 120), 4 * 4 * 3 + 4 * 2);
    EXPECT_EQ(products(rows, 33), 4 * 4 * 3) << "one round, which is all there is";
  }
}

// However few rows there are: blocks that share a row would each make its maximum and sum.
TEST(Blocks, MakeNoReductionTwice) {
  const Inputs in{"null"};
  for (const int64_t rows : {2, 24, 100}) {
    const Case c(in({rows, 4096}).softmax(), device("null"));
    EXPECT_EQ(generate(c.kernel, c.device.target()).phases[0].grid[0].value(), rows);
  }
}

TEST(Verbs, RefuseWhatATargetHasNot) {
  const auto verbs_on = [](const char* name, const char* verbs) {
    return [=] { Case(Inputs{name}({64, 64}).matmul(Inputs{name}({64, 64})), device(name)).run(parse_verbs(verbs)); };
  };
  EXPECT_THAT(verbs_on("cpu", "tile(i0, 16, thread)"), testing::ThrowsMessage<ValueError>(testing::HasSubstr("this target has 1")));
  EXPECT_THAT(verbs_on("null:gpu", "tile(i0, 64, thread); tile(i1, 32, thread)"),
              testing::ThrowsMessage<ValueError>("2048 threads a block, 64 x 32 x 1: this target has 1024; tile by less"));
  EXPECT_THAT(verbs_on("null:gpu", "tile(i0, 2, thread); tile(i0, 2, thread); tile(i1, 2, thread); tile(i1, 2, thread)"),
              testing::ThrowsMessage<ValueError>("threads along i1b: a block has three numbers of threads and all are taken"));
  EXPECT_THAT(verbs_on("null:gpu", "tile(i0, 64, unroll); tile(i1, 16, thread); tile(r2, 64, thread)"),
              testing::ThrowsMessage<ValueError>(testing::HasSubstr("bytes of shared memory for a block of r_64_64_64")));
  EXPECT_THAT(verbs_on("cpu", "tile(i0, 24, loop); order(i0a, i0, i1)"),
              testing::ThrowsMessage<ValueError>(
                  testing::HasSubstr("where i0a begins or is cut short depends on i0, which must be outside of it")));
  EXPECT_THAT(verbs_on("cpu", "stage(p1, r2a)"), testing::ThrowsMessage<ValueError>("stage(p1, r2a): no such axis"));
  EXPECT_THAT(verbs_on("null", "tile(i1, 16, vector); tile(r2, 2, unroll); mma(bf16_dot)"),
              testing::ThrowsMessage<ValueError>(testing::HasSubstr("mma(bf16_dot): this target and kernel r_64_64_64 do not have it")));
}

}  // namespace
}  // namespace tg
