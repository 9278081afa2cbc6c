// Ranges that are split compute what they did before, whatever the sizes; and sums of products are left without quotients of long loops.
#include "codegen/split.hpp"

#include <gtest/gtest.h>

#include <random>

#include <fmt/format.h>

#include "codegen/one_kernel.hpp"

namespace tg {
namespace {

Numbers unsplit(const Case& c) {
  Generated g{.phases = {}, .kernel = c.kernel, .verbs = {}, .nest = {}, .temporaries = {}};
  g.phases.push_back(lower(c.kernel, Nest(c.kernel), c.device.target()));
  return c.run(g);
}
// Of quotients and remainders, those that depend on a loop of more than so many rounds.
int divisions(const Kernel& k, int64_t rounds) {
  int n = 0;
  for (const UOp& u : toposort(k.stores)) {
    if ((u.op() != Op::IDiv && u.op() != Op::Mod) || u.dtype() != DType::index) continue;
    for (const UOp& r : k.ranges) n += (u.ranges() & r.ranges()) && r.src(0).bounds().max > rounds;
  }
  return n;
}

TEST(Split, ConvolutionsAndTheirGradientsComputeTheSame) {
  std::mt19937 random(7);
  const auto from = [&](int64_t least, int64_t most) { return least + static_cast<int64_t>(random()) % (most - least + 1); };
  const Inputs in{"cpu"};
  int changed = 0;
  for (int round = 0; round < 48; ++round) try {
      const int64_t groups = from(1, 3), kernel = from(1, 4), inner = from(1, 5), outer = from(1, 5);
      const ConvOptions o{
          .stride = {from(1, 4), from(1, 3)}, .padding = from(0, 2), .dilation = {from(1, 4), from(1, 2)}, .groups = groups};
      const Sizes image{from(1, 3), groups * inner, from(13, 18), from(9, 20)}, window{groups * outer, inner, kernel, from(1, 3)};
      const Case c(input_gradient(in, image, window, o), device("cpu"));
      SCOPED_TRACE(fmt::format("{} by {}, groups {}, round {}", to_string(image), to_string(window), groups, round));
      const Kernel after = split(c.kernel);
      EXPECT_EQ(divisions(after, 4 * 5), 0);
      changed += after.ranges.size() > c.kernel.ranges.size();
      const Numbers expected = unsplit(c);
      EXPECT_EQ(c.run(Verbs{}), expected) << "small whole numbers";
      EXPECT_EQ(c.run(generate(c.kernel, c.device.target())), expected);
    } catch (const InternalError&) {
      continue;  // two kernels
    }
  EXPECT_GT(changed, 12);
}

TEST(Split, LeavesAloneWhatMultipliesNothing) {
  const Inputs in{"null"};
  const Case depth_to_space(in({4, 8, 8, 3, 3}).permute({0, 1, 3, 2, 4}).reshape({4, 24, 24}) + in({24}), device("null"));
  EXPECT_EQ(split(depth_to_space.kernel).hash(), depth_to_space.kernel.hash());
}

TEST(Split, IsAContractionOfEachGroup) {
  const Inputs in{"null"};
  const Case c(in({2, 32, 20, 20}).conv2d(in({64, 8, 3, 3}), {.groups = 4}), device("null"));
  const Kernel k = split(c.kernel);
  EXPECT_EQ(k.ranges.size(), c.kernel.ranges.size() + 1);
  EXPECT_EQ(divisions(k, 0), 0);
}

}  // namespace
}  // namespace tg
