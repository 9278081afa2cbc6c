// docs/ops.md: what each operation takes and costs, found out by asking it. The page is compared with what is found; tools/ops writes it.
//
//   a row: dtypes that are accepted | kernels of a float32 result on a CPU and on a GPU | kernels of its gradient | error in ulp
//
// A row's kernels are thereby a ceiling: whatever makes an operation or its gradient launch more than the page says fails here. Results
// of float32 and int32 are compared with the interpreter's.
#include <cstdlib>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "fuzzing.hpp"
#include "runtime/null/null.hpp"
#include "tensor/batching.hpp"
#include "tensor_testing.hpp"
#include "tg/arrange.hpp"
#include "tg/attention.hpp"
#include "tg/contract.hpp"
#include "tg/functions.hpp"
#include "tg/loss.hpp"
#include "tg/norm.hpp"
#include "tg/scatter.hpp"
#include "tg/windows.hpp"

namespace tg {
namespace {

struct Operation {
  std::string name;
  std::function<Tensor(const Tensor&)> of;  // of a (4, 6) tensor
  double ulp = -1;
};
struct Section { const char* title; std::vector<Operation> ops; };

Tensor images(const Tensor& x) { return x.reshape({1, 2, 3, 4}); }
Tensor rows(const Tensor& x) { return (Tensor::arange(4, {.device = std::string(x.device())}) % 3).cast(int64); }

std::vector<Section> sections() {
  Section unary{"Elementwise, of one tensor", {}};
#define UNARY(kind, name, ulp, value, doc) unary.ops.push_back({#name, [](const Tensor& x) { return tg::name(x); }, ulp});
#include "tg/unary.def"
#undef UNARY
  const auto one = [&](const char* name, std::function<Tensor(const Tensor&)> of, double ulp = -1) {
    unary.ops.push_back({name, of, ulp});
  };
  one("gelu", [](const Tensor& x) { return x.gelu(); }, 4);
  one("gelu, tanh", [](const Tensor& x) { return x.gelu({.tanh = true}); }, 4);
  one("elu", [](const Tensor& x) { return x.elu(); }, 4);
  one("celu", [](const Tensor& x) { return x.celu(2); }, 4);
  one("softplus", [](const Tensor& x) { return x.softplus(); }, 4);
  one("leaky_relu", [](const Tensor& x) { return x.leaky_relu(); });
  one("hardtanh", [](const Tensor& x) { return x.hardtanh(); });
  one("clamp", [](const Tensor& x) { return x.clamp({.min = 1, .max = 3}); });
  one("prelu", [](const Tensor& x) { return x.prelu(x.shrink({{0, 1}, {0, 1}}).reshape({1})); });
  one("glu", [](const Tensor& x) { return x.glu(); });
  return {
      unary,
      {"Elementwise, of several tensors",
       {{"add", [](const Tensor& x) { return x + x.flip(); }},
        {"sub", [](const Tensor& x) { return x - x.flip(); }},
        {"mul", [](const Tensor& x) { return x * x.flip(); }},
        {"div", [](const Tensor& x) { return x / x.flip(); }, 0.5},
        {"floor_div", [](const Tensor& x) { return div(x, x.flip(), {.rounding = Rounding::Floor}); }},
        {"mod", [](const Tensor& x) { return x % x.flip(); }},
        {"fmod", [](const Tensor& x) { return fmod(x, x.flip()); }},
        {"pow", [](const Tensor& x) { return pow(x, x.flip()); }, 4},
        {"atan2", [](const Tensor& x) { return atan2(x, x.flip()); }, 4},
        {"hypot", [](const Tensor& x) { return hypot(x, x.flip()); }, 4},
        {"logaddexp", [](const Tensor& x) { return logaddexp(x, x.flip()); }, 4},
        {"copysign", [](const Tensor& x) { return copysign(x, x.flip()); }, 0},
        {"nextafter", [](const Tensor& x) { return nextafter(x, x.flip()); }, 0},
        {"lerp", [](const Tensor& x) { return lerp(x, x.flip(), x); }},
        {"maximum", [](const Tensor& x) { return maximum(x, x.flip()); }},
        {"where", [](const Tensor& x) { return where(x > x.flip(), x, x.flip()); }},
        {"eq", [](const Tensor& x) { return x == x.flip(); }},
        {"lt", [](const Tensor& x) { return x < x.flip(); }},
        {"isclose", [](const Tensor& x) { return isclose(x, x.flip()); }},
        {"bitwise_and", [](const Tensor& x) { return x & x.flip(); }},
        {"lshift", [](const Tensor& x) { return x << 1; }}}},
      {"Movement and indexing",
       {{"reshape", [](const Tensor& x) { return x.reshape({3, 8}); }},
        {"transpose", [](const Tensor& x) { return x.T(); }},
        {"expand", [](const Tensor& x) { return x.unsqueeze(0).expand({3, 4, 6}); }},
        {"flip", [](const Tensor& x) { return x.flip(); }},
        {"roll", [](const Tensor& x) { return roll(x, {1}); }},
        {"pad", [](const Tensor& x) { return x.pad({{1, 2}}); }},
        {"pad, reflect", [](const Tensor& x) { return pad(x, {{1, 2}}, PadMode::Reflect); }},
        {"repeat", [](const Tensor& x) { return x.repeat({2, 1}); }},
        {"repeat_interleave", [](const Tensor& x) { return repeat_interleave(x, 2); }},
        {"cat", [](const Tensor& x) { return cat({x, x.flip()}); }},
        {"stack", [](const Tensor& x) { return stack({x, x.flip()}); }},
        {"unfold", [](const Tensor& x) { return unfold(x, 1, 3, 1); }},
        {"diagonal", [](const Tensor& x) { return diagonal(x); }},
        {"tril", [](const Tensor& x) { return tril(x); }},
        {"slice", [](const Tensor& x) { return x.shrink({{1, 3}, {2, 5}}); }},
        {"take", [](const Tensor& x) { return x.take(rows(x)); }},
        {"gather", [](const Tensor& x) { return x.gather(0, rows(x).reshape({1, 4})); }},
        {"scatter", [](const Tensor& x) { return scatter(x, 0, rows(x).reshape({4, 1}), x); }},
        {"scatter, add", [](const Tensor& x) { return scatter(x, 0, rows(x).reshape({4, 1}), x, Scatter::Add); }},
        {"index_add", [](const Tensor& x) { return index_add(x, 0, rows(x), x); }},
        {"masked_fill", [](const Tensor& x) { return masked_fill(x, x > 2, 1); }},
        {"one_hot", [](const Tensor& x) { return one_hot(x, 7); }}}},
      {"Reductions and scans",
       {{"sum", [](const Tensor& x) { return x.sum({.axis = 1}); }},
        {"prod", [](const Tensor& x) { return x.prod({.axis = 1}); }},
        {"mean", [](const Tensor& x) { return x.mean({.axis = 1}); }},
        {"max", [](const Tensor& x) { return x.max({.axis = 1}); }},
        {"min", [](const Tensor& x) { return x.min({.axis = 1}); }},
        {"argmax", [](const Tensor& x) { return x.argmax({.axis = 1}); }},
        {"any", [](const Tensor& x) { return x.any({.axis = 1}); }},
        {"all", [](const Tensor& x) { return x.all({.axis = 1}); }},
        {"var", [](const Tensor& x) { return x.var({.axis = 1}); }},
        {"std", [](const Tensor& x) { return x.std({.axis = 1}); }},
        {"norm", [](const Tensor& x) { return norm(x); }},
        {"logsumexp", [](const Tensor& x) { return x.logsumexp({.axis = 1}); }},
        {"softmax", [](const Tensor& x) { return x.softmax(); }},
        {"log_softmax", [](const Tensor& x) { return x.log_softmax(); }},
        {"cumsum", [](const Tensor& x) { return x.cumsum(); }},
        {"cumprod", [](const Tensor& x) { return x.cumprod(); }},
        {"cummax", [](const Tensor& x) { return x.cummax().values; }},
        {"logcumsumexp", [](const Tensor& x) { return x.logcumsumexp(); }},
        {"sort", [](const Tensor& x) { return x.sort().values; }},
        {"argsort", [](const Tensor& x) { return x.argsort(); }},
        {"topk", [](const Tensor& x) { return x.topk(2).values; }},
        {"median", [](const Tensor& x) { return x.median({.axis = 1}); }}}},
      {"Products",
       {{"matmul", [](const Tensor& x) { return x.matmul(x.T()); }},
        {"einsum", [](const Tensor& x) { return einsum("ij,kj->ik", {x, x}); }},
        {"outer", [](const Tensor& x) { return outer(x.flatten(), x.flatten()); }},
        {"tensordot", [](const Tensor& x) { return tensordot(x, x, 2); }}}},
      {"Networks",
       {{"conv2d", [](const Tensor& x) { return conv2d(images(x), x.reshape({3, 2, 2, 2}), Tensor()); }},
        {"conv_transpose2d", [](const Tensor& x) { return conv_transpose2d(images(x), x.reshape({2, 3, 2, 2})); }},
        {"max_pool2d", [](const Tensor& x) { return max_pool2d(images(x), {.size = 2}); }},
        {"avg_pool2d", [](const Tensor& x) { return avg_pool2d(images(x), {.size = 2}); }},
        {"adaptive_avg_pool2d", [](const Tensor& x) { return adaptive_avg_pool2d(images(x), 2); }},
        {"interpolate, bilinear", [](const Tensor& x) { return interpolate(images(x), {.size = {5, 7}, .mode = Resize::Linear}); }},
        {"scaled_dot_product_attention", [](const Tensor& x) { return scaled_dot_product_attention(x, x, x); }},
        {"layer_norm", [](const Tensor& x) { return x.layer_norm(x.shrink({{0, 1}, {0, 6}}).reshape({6}), {}); }},
        {"rms_norm", [](const Tensor& x) { return rms_norm(x, x.shrink({{0, 1}, {0, 6}}).reshape({6})); }},
        {"group_norm", [](const Tensor& x) { return group_norm(images(x), 2); }},
        {"mse_loss", [](const Tensor& x) { return mse_loss(x, x.flip()); }},
        {"l1_loss", [](const Tensor& x) { return l1_loss(x, x.flip()); }},
        {"huber_loss", [](const Tensor& x) { return huber_loss(x, x.flip()); }},
        {"binary_cross_entropy_with_logits", [](const Tensor& x) { return binary_cross_entropy_with_logits(x, x.flip()); }},
        {"cross_entropy", [](const Tensor& x) { return cross_entropy(x, rows(x)); }},
        {"kl_div", [](const Tensor& x) { return kl_div(x, x.flip()); }}}},
  };
}

Tensor input(DType t, const std::string& device) {
  return ((Tensor::arange(24, {.device = device}) * 7 % 11).reshape({4, 6}) + (t == DType::bool_ ? -5 : 1)).cast(t).realize();
}

/// Whether an operation is defined on a dtype; errors that are not the user's pass.
std::optional<Tensor> tried(const Operation& op, const Tensor& x) {
  try {
    return op.of(x);
  } catch (const InternalError&) {
    throw;
  } catch (const Error&) {
    return {};
  }
}

std::string dtypes_of(const Operation& op) {
  constexpr DType integers[] = {uint8, int8, uint16, int16, uint32, int32, uint64, int64}, floats[] = {float16, bfloat16, float32, float64};
  const auto some = [&](std::span<const DType> all, std::string_view name) {
    std::vector<std::string_view> accepted;
    for (DType t : all) if (tried(op, input(t, "null"))) accepted.push_back(name_of(t));
    return accepted.size() == all.size() ? std::string(name) : fmt::format("{}", fmt::join(accepted, ", "));
  };
  constexpr DType truth[] = {DType::bool_};
  std::string out;
  for (const std::string& part : {some(truth, "bool"), some(integers, "integers"), some(floats, "floats")})
    if (!part.empty()) out += (out.empty() ? "" : ", ") + part;
  return out == "bool, integers, floats" ? "all" : out;
}

/// Kernels of what `build` gives of a float32 tensor that wants a gradient, or of an int32 one; a dash where there is nothing.
std::string launches(const std::string& name, const std::function<std::optional<Tensor>(const Tensor&)>& build) {
  const Tracing nothing_is_computed_yet;
  std::optional<Tensor> y = build(Tensor(input(float32, name)).set_requires_grad());
  if (!y) y = build(input(int32, name));
  if (!y) return "–";
  auto& null = dynamic_cast<NullDevice&>(device(name));
  null.reset();
  (void)Tensor(*y).realize();
  return std::to_string(null.counts().phases);
}

std::string page() {
  std::string out = R"(# Operations

Every operation, what it takes and what it costs. This page is written by `tools/ops` from what the operations do, and a test compares it
with them: a kernel more, or a dtype less, fails. It also compares results with the interpreter's. Values over all dtypes against NumPy and
PyTorch are the business of `tests/python`, gradients against finite differences that of `tests/autodiff` and `tests/tensor`.

- **dtypes**: what is accepted. Others are refused where the operation is called.
- **kernels**: launched for a tensor of 4 x 6 float32 (int32 where that is refused) on the devices `null`, which has the facts of a CPU, and
  `null:gpu`. 0: memory that is there.
- **gradient**: kernels of the gradient of the result's sum with respect to the tensor, what it needs of the operation's result included;
  – where there is none.
- **ulp**: how far a float32 result is off at most, in units in the last place. `./do ulp` measures it over all 2^32 inputs (of two
  arguments: over many pairs), and fails above.
)";
  for (const Section& section : sections()) {
    out += fmt::format(
        "\n## {}\n\n| operation | dtypes | kernels, CPU | GPU | gradient, CPU | GPU | ulp |\n|---|---|---:|---:|---:|---:|---:|\n",
                       section.title);
    for (const Operation& op : section.ops) {
      const auto forward = [&](const Tensor& x) { return tried(op, x.detach()); };
      const auto backward = [&](const Tensor& x) -> std::optional<Tensor> {
        const auto y = tried(op, x);
        if (!y || !is_float(y->dtype()) || !y->requires_grad()) return {};
        return gradient(y->sum(), {x})[0];
      };
      out += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", op.name, dtypes_of(op), launches("null", forward),
                         launches("null:gpu", forward), launches("null", backward), launches("null:gpu", backward),
                         op.ulp < 0 ? "" : op.ulp == 0 ? "exact" : fmt::format("{}", op.ulp));
    }
  }
  return out;
}

TEST(Ops, ThePageIsWhatTheyDo) {
  const std::string path = TG_SOURCE_DIR "/docs/ops.md", is = page();
  if (std::getenv("TG_UPDATE_OPS")) std::ofstream(path) << is;
  std::ifstream file(path);
  const std::string said{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(said, is) << "tools/ops writes it anew";
}

TEST(Ops, GiveWhatTheInterpreterGives) {
  const std::string here = settings().device;
  for (const Section& section : sections())
    for (const Operation& op : section.ops)
      for (const DType t : {float32, int32}) {
        if (t != float32 && fuzz_budget() < 0.2) continue;
        const auto ours = tried(op, input(t, here)), expected = tried(op, input(t, "interpreter"));
        ASSERT_EQ(ours.has_value(), expected.has_value()) << op.name;
        if (!ours) continue;
        SCOPED_TRACE(fmt::format("{} of {}", op.name, name_of(t)));
        expect_near(*ours, expected->to_vector<double>(), 2e-5);
      }
}

}  // namespace
}  // namespace tg
