// What well-known programs become: schedule, verbs and kernel for a GPU-like target, loops and verbs for a CPU, held in golden/*.txt.
//
// Both targets are made up (the devices null:gpu and null), so that no machine changes the text. After a change to the compiler
//   TG_UPDATE_GOLDEN=1 build/release/bin/test_codegen --gtest_filter='*Golden*'
// writes the files anew; the difference is read before it is committed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "codegen/codegen.hpp"
#include "engine/canonical.hpp"
#include "engine/kernels.hpp"
#include "schedule/plan.hpp"
#include "tensor/impl.hpp"
#include "tg/device.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

struct GoldenInputs {
  std::string device;
  Tensor operator()(const Sizes& shape, DType dtype = float32, bool requires_grad = false) const {
    return Tensor::ones(shape, {.dtype = dtype, .device = device, .requires_grad = requires_grad}).realize();
  }
};
using Nodes = std::vector<UOp>;
Nodes nodes(const std::vector<Tensor>& tensors) {
  Nodes out;
  for (const Tensor& t : tensors) out.push_back(node_of(t, "test"));
  return Canonical(out).roots();
}

struct GoldenProgram {
  const char *name, *text;
  Nodes (*build)(const GoldenInputs&);
};
// The text of a program is its code.
#define TG_PROGRAM(name, ...) {#name, #__VA_ARGS__, [](const GoldenInputs& in) { return nodes({__VA_ARGS__}); }}

Nodes adam(const GoldenInputs& in) {
  const Tensor g = in({1000, 100});
  Tensor p = in({1000, 100}), m = in({1000, 100}), v = in({1000, 100});
  m.assign(m * 0.9f + g * 0.1f);
  v.assign(v * 0.999f + g * g * 0.001f);
  p.assign(p - m / (v.sqrt() + 1e-8f) * 0.001f);
  return nodes({p, m, v});
}
Nodes embedding_gradient(const GoldenInputs& in) {
  const Tensor table = in({5000, 256}, float32, true), picked = in({300}, int32), g = in({300, 256});
  return nodes(gradient((table.take(picked) * g).sum(), {table}));
}
Nodes gradient_of_weight(const GoldenInputs& in) {
  const Tensor w = in({64, 32, 3, 3}, float32, true), x = in({16, 32, 30, 30}), g = in({16, 64, 28, 28});
  return nodes(gradient((x.conv2d(w) * g).sum(), {w}));
}
Nodes running_sum(const GoldenInputs& in) {
  return {UOp::make(Op::Scan, {nodes({in({200, 500})})[0]}, ScanArg{Monoid::Sum, 1, true})};
}
// A size that is known when the kernel is launched.
Nodes rows_of_any_number(const GoldenInputs&) {
  const Dim n(variable("n", 1, 100000));
  const UOp x = param(0, float32, Shape{n, 768});
  return {UOp::make(Op::Reduce, {UOp::make(Op::Mul, {x, x})}, ReduceArg{Monoid::Sum, 2})};
}

const GoldenProgram kGolden[] = {
    TG_PROGRAM(elementwise, ((in({1000, 1000}) * in({1000, 1000}) + 1).relu() - in({1000, 1000})).exp2()),
    TG_PROGRAM(broadcast_add, in({1000, 300}) + in({300}) + in({1000, 1})),
    TG_PROGRAM(row_sums, in({4096, 1024}).sum({.axis = 1})),
    TG_PROGRAM(column_sums, in({4096, 1024}).sum({.axis = 0})),
    TG_PROGRAM(whole_sum, in({1 << 24}).sum()),
    TG_PROGRAM(mean_and_variance, in({512, 2000}).var({.axis = 1})),
    TG_PROGRAM(argmax, in({512, 1000}).argmax({.axis = 1})),
    TG_PROGRAM(softmax, in({4096, 1024}).softmax(1)),
    TG_PROGRAM(softmax_of_few, in({10000, 10}).softmax(1)),
    TG_PROGRAM(layer_norm, in({4096, 1024}).layer_norm(in({1024}), in({1024}))),
    TG_PROGRAM(matmul, in({1024, 1024}).matmul(in({1024, 1024}))),
    TG_PROGRAM(matmul_odd_sizes, in({1023, 127}).matmul(in({127, 509}))),
    TG_PROGRAM(matmul_bfloat16, in({512, 512}, bfloat16).matmul(in({512, 512}, bfloat16))),
    TG_PROGRAM(matmul_bias_gelu, (in({256, 512}).matmul(in({512, 128})) + in({128})).gelu()),
    TG_PROGRAM(matmul_batched, in({12, 64, 80}).matmul(in({12, 96, 80}).transpose(1, 2))),
    TG_PROGRAM(matmul_vector, in({1000, 4096}).matmul(in({4096}))),
    TG_PROGRAM(conv2d, in({16, 32, 30, 30}).conv2d(in({64, 32, 3, 3}), in({64})).relu()),
    {"conv2d_weight_gradient", "gradient((x.conv2d(w) * g).sum(), {w}); x (16, 32, 30, 30), w (64, 32, 3, 3)", gradient_of_weight},
    TG_PROGRAM(max_pool, in({16, 32, 30, 30}).max_pool2d({.size = 2})),
    TG_PROGRAM(take_rows, in({5000, 256}).take(in({300}, int32))),
    {"embedding_gradient", "gradient((table.take(picked) * g).sum(), {table}); table (5000, 256), picked (300)", embedding_gradient},
    TG_PROGRAM(transpose, in({1000, 500}).T().contiguous()),
    TG_PROGRAM(pad, in({100, 50}).pad({{1, 2}, {3, 4}})),
    {"running_sum", "scan(sum) along the rows of x (200, 500)", running_sum},
    TG_PROGRAM(casts, (in({1000}, int8).cast(float16) * 0.5f).cast(int32)),
    {"adam", "m = 0.9 m + 0.1 g; v = 0.999 v + 0.001 g g; p = p - 0.001 m / (sqrt(v) + 1e-8); all assigned", adam},
    {"rows_of_any_number", "sum of squares along the rows of x (n, 768), 1 <= n <= 100000", rows_of_any_number},
};

// The names of kernels end in a hash, which tells nothing here.
std::string without_hashes(std::string text, const Generated& g) {
  constexpr size_t kHash = sizeof "_01234567" - 1;
  for (const LoweredPhase& p : g.phases)
    for (size_t at; (at = text.find(p.phase.entry + "(")) != std::string::npos;) text.erase(at + p.phase.entry.size() - kHash, kHash);
  return text;
}

std::string text(const GoldenProgram& p) {
  std::string out = fmt::format("{}\n\n", p.text);
  const auto kernels = [&](const std::string& name, bool with_source) {
    const Plan plan = schedule(p.build({name}));
    const Target target = device(name).target();
    std::string of;
    for (const PlanLaunch& l : plan.launches) {
      const Generated g = generate(l.kernel, target);
      of += fmt::format("{}: {}\n{}", l.kernel.name(), to_string(g.verbs), g.nest);
      if (with_source) of += without_hashes(source(g, target), g);
    }
    return std::pair(to_string(plan), of);
  };
  const auto [plan, gpu] = kernels("null:gpu", true);
  const auto [cpu_plan, cpu] = kernels("null", false);
  EXPECT_EQ(plan, cpu_plan);
  return out + "---- schedule\n" + plan + "\n---- cpu\n" + cpu + "\n---- gpu\n" + gpu;
}

class Golden : public testing::TestWithParam<GoldenProgram> {};

TEST_P(Golden, IsAsItWas) {
  const auto file = std::filesystem::path(TG_SOURCE_DIR) / "tests/codegen/golden" / (std::string(GetParam().name) + ".txt");
  const std::string now = text(GetParam());
  EXPECT_EQ(now, text(GetParam())) << "the same program, twice";
  if (std::getenv("TG_UPDATE_GOLDEN")) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << now;
  }
  std::ostringstream before;
  before << std::ifstream(file).rdbuf();
  EXPECT_EQ(before.str(), now) << "if this is meant: TG_UPDATE_GOLDEN=1 test_codegen --gtest_filter='*Golden*', and read the difference";
}
INSTANTIATE_TEST_SUITE_P(Programs, Golden, testing::ValuesIn(kGolden), [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace tg
