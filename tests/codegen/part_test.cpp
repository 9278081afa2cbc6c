// The verb part: what is told apart along a range becomes phases that tell nothing apart, and computes what it did before.
#include "codegen/part.hpp"

#include <gtest/gtest.h>

#include <random>

#include <fmt/format.h>

#include "codegen/one_kernel.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

int divisions(const Generated& g) {
  int n = 0;
  for (const LoweredPhase& p : g.phases)
    for (const Inst& i : p.phase.insts) n += i.op == InstOp::alu && i.lanes > 1 && (i.alu == Op::IDiv || i.alu == Op::Mod);
  return n;
}

TEST(Part, ComputesTheSame) {
  std::mt19937 random(11);
  const auto from = [&](int64_t least, int64_t most) { return least + static_cast<int64_t>(random()) % (most - least + 1); };
  const Inputs in{"cpu"};
  int parted = 0;
  for (int round = 0; round < 40; ++round) {
    const int64_t rows = from(1, 6), columns = from(1, 40), n = from(2, 6);
    const int axis = static_cast<int>(from(0, 1));
    const bool equal = random() % 2;
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t size = equal ? rows : from(1, 6);
      parts.push_back(in(axis == 0 ? Sizes{size, columns} : Sizes{columns, size}));
    }
    Tensor y = Tensor::cat(parts, axis);
    if (random() % 3 == 0) y = roll(y, {from(1, 5)}, {axis});
    if (random() % 3 == 0) y = y.pad({{from(0, 2), from(0, 2)}, {from(0, 2), 0}});
    const Case c(y * 2 + 1, device("cpu"));
    const Kernel whole = generate(c.kernel, c.device.target(), Verbs{}).kernel;
    const Numbers expected = c.run(Verbs{});
    for (size_t i = 0; i < whole.ranges.size(); ++i) {
      const Verbs verbs = parse_verbs(fmt::format("part(i{})", i));
      try {
        EXPECT_EQ(c.run(verbs), expected) << to_string(verbs) << " in round " << round;
        ++parted;
      } catch (const ValueError&) {
        continue;  // a range that nothing is told apart along
      }
    }
  }
  EXPECT_GT(parted, 20);
}

TEST(Part, IsChosenWhereThePartsAreLong) {
  const Inputs in{"cpu"};
  const auto joined = [&](std::vector<Sizes> shapes, int axis) {
    std::vector<Tensor> parts;
    for (const Sizes& s : shapes) parts.push_back(in(s));
    return generate(Case(Tensor::cat(parts, axis), device("cpu")).kernel, device("cpu").target());
  };
  const Generated equal = joined({{50'001}, {50'001}, {50'001}}, 0), ragged = joined({{50'001}, {40'002}, {30'003}}, 0),
                  rows = joined({{100, 400}, {100, 400}}, 0), columns = joined({{400, 100}, {400, 100}}, 1),
                  few = joined({{100}, {100}}, 0);
  for (const Generated* g : {&equal, &ragged, &rows, &columns}) {
    EXPECT_EQ(to_string(g->verbs).substr(0, 5), "part(");
    EXPECT_GT(g->phases.size(), 1);
    EXPECT_EQ(divisions(*g), 0);
  }
  EXPECT_EQ(equal.phases.size(), 3);
  EXPECT_EQ(few.phases.size(), 1);
}

TEST(Part, IsRefusedWhereItHasNoMeaning) {
  const Inputs in{"cpu"};
  const auto refused = [](const Tensor& y, const char* verbs) {
    EXPECT_THROW((void)generate(Case(y, device("cpu")).kernel, device("cpu").target(), parse_verbs(verbs)), ValueError) << verbs;
  };
  refused(in({10}) + 1, "part(i0)");
  refused(in({10}) + 1, "part(i7)");
  refused(in({10, 3}).sum({.axis = 1}), "part(r1)");
  refused(Tensor::cat({in({4}), in({4})}), "tile(i0, 2, loop); part(i0)");
}

}  // namespace
}  // namespace tg
