// Verbs as data: they print and parse, refuse what does not fit, and leaving any out changes no result.
#include <gtest/gtest.h>

#include "codegen/codegen.hpp"
#include "codegen/nest.hpp"
#include "engine/canonical.hpp"
#include "engine/kernels.hpp"
#include "schedule/plan.hpp"
#include "tensor/impl.hpp"
#include "tg/device.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

TEST(Verbs, PrintAndParse) {
  const std::string text = "tile(i0, 16, vector); order(i1, i0); stage(p2, launch); group(r2, 8)";
  EXPECT_EQ(to_string(parse_verbs(text)), text);
  EXPECT_THROW(parse_verbs("tile(i0)"), ValueError);
  EXPECT_THROW(parse_verbs("fold(i0, 2)"), ValueError);
  EXPECT_THROW(parse_verbs("tile(i0, many, loop)"), ValueError);
}

// The product of (m, k) and (k, n) under the given verbs, run on cpu.
std::vector<float> run(const Kernel& kernel, const Verbs& verbs, std::vector<std::vector<float>> data, size_t elements) {
  Device& cpu = device("cpu");
  const Generated g = generate(kernel, cpu.target(), verbs);
  std::vector<PhaseInfo> infos;
  for (const LoweredPhase& p : g.phases) infos.push_back({p.phase.entry, p.phase.written, p.phase.scratch_bytes, {1, 1, 1}});
  const auto program = cpu.load(cpu.compile(source(g, cpu.target())), infos);
  std::vector<std::shared_ptr<Buffer>> buffers{make_buffer(cpu, elements * sizeof(float))};
  for (auto& d : data) {
    buffers.push_back(make_buffer(cpu, d.size() * sizeof(float)));
    cpu.copy_in(buffers.back()->ref(), d.data(), d.size() * sizeof(float));
  }
  for (const auto& [dtype, n] : g.temporaries) buffers.push_back(make_buffer(cpu, static_cast<size_t>(n.value()) * size_of(dtype)));
  std::vector<MemoryRef> refs;
  for (const auto& b : buffers) refs.push_back(b->ref());
  std::vector<Grid> grids;
  for (const LoweredPhase& p : g.phases) grids.push_back({{p.grid[0].value(), p.grid[1].value(), p.grid[2].value()}});
  cpu.launch(*program, {refs, {}, grids});
  std::vector<float> out(elements);
  cpu.copy_out(out.data(), refs[0], elements * sizeof(float));
  return out;
}

class Removal : public testing::TestWithParam<std::tuple<int, int, int>> {};

TEST_P(Removal, LeavesTheProductRight) {
  const auto [m, k, n] = GetParam();
  const auto input = [](int a, int b) { return Tensor::ones({a, b}, {.device = "cpu"}).realize(); };
  const Tensor y = input(m, k).matmul(input(n, k).transpose(0, 1));
  const UOp node = node_of(y, "test");
  const Plan p = schedule(canonicalize(std::span(&node, 1)).roots);
  ASSERT_EQ(p.launches.size(), 1u);
  std::vector<std::vector<float>> data;
  for (size_t b = 1; b < p.launches[0].buffers.size(); ++b) {
    data.emplace_back(static_cast<size_t>(p.buffers[static_cast<size_t>(p.launches[0].buffers[b])].elements.value()));
    for (size_t i = 0; i < data.back().size(); ++i) data.back()[i] = static_cast<float>(i * 7 % 11) - 5;
  }
  const auto elements = static_cast<size_t>(m * n);
  const std::vector<float> plain = run(p.launches[0].kernel, {}, data, elements);
  const Verbs chosen = generate(p.launches[0].kernel, device("cpu").target()).verbs;
  ASSERT_FALSE(chosen.empty());
  EXPECT_EQ(run(p.launches[0].kernel, chosen, data, elements), plain);
  for (size_t i = 0; i < chosen.size(); ++i) {
    Verbs fewer = chosen;
    fewer.erase(fewer.begin() + static_cast<ptrdiff_t>(i));
    try {
      EXPECT_EQ(run(p.launches[0].kernel, fewer, data, elements), plain) << "without " << to_string(chosen[i]);
    } catch (const ValueError&) {
      continue;  // what is left names an axis that the removed verb made: refused, not miscompiled
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Sizes, Removal,
                         testing::Values(std::tuple{7, 5, 3}, std::tuple{64, 48, 64}, std::tuple{33, 130, 97}, std::tuple{128, 200, 33}));

}  // namespace
}  // namespace tg
