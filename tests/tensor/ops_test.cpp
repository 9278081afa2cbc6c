// docs/ops.md: what each operation takes and costs, found out by asking it. The page is compared with what is found; tools/ops writes it.
//
//   a row: dtypes that are accepted | kernels of a float32 result on a CPU and on a GPU | kernels of its gradient | order of derivatives |
//   error in ulp
//
// A row's kernels are thereby a ceiling: whatever makes an operation or its gradient launch more than the page says fails here. Results
// of float32 and int32 are compared with the interpreter's.
#include <cstdlib>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "fuzzing.hpp"
#include "measured.hpp"
#include "operations.hpp"
#include "runtime/null/null.hpp"
#include "tensor/batching.hpp"
#include "tensor_testing.hpp"

namespace tg {
namespace {

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
    for (DType t : all) if (tried(op, input(t, op.reads ? "interpreter" : "null"))) accepted.push_back(name_of(t));
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

/// To which order an operation has derivatives that are not 0: "2", "1", or a dash. Both are compared with differences, along a line.
std::string order_of(const Operation& op) {
  constexpr const char* device = "interpreter";
  const auto [low, high] = domain_of(op.name);
  std::vector<double> at, along;
  for (int i = 0; i < 24; ++i) {  // distinct, in no order, beside whole numbers
    at.push_back(low + (high - low) * (i * 7 % 24 + 0.37 + 0.011 * std::sin(i)) / 24);
    along.push_back(std::cos(3 * i + 1));
  }
  const double step = 1e-4;
  const auto given = [&](double t) {
    std::vector<double> x;
    for (size_t i = 0; i < at.size(); ++i) x.push_back(at[i] + t * along[i]);
    return Tensor::from(x, {4, 6}, {.device = device, .requires_grad = true});
  };
  /// The sum of the result with weights, and of its gradient.
  const auto weighed = [&](const Tensor& y) {
    return (y * (Tensor::arange(y.numel(), {.device = device}) * 0.7).cos().reshape(y.shape()).cast(float64)).sum();
  };
  const auto value = [&](const Tensor& x) { return weighed(op.of(x)); };
  const auto slope = [&](const Tensor& x, const Tensor& y) { return gradient(y, {x}, {.create_graph = true})[0]; };
  const Tensor x = given(0), y = tried(op, x).value_or(Tensor());
  if (!y.defined() || !is_float(y.dtype()) || !y.requires_grad()) return "–";
  const auto agree = [&](const Tensor& derivative, double above, double below, const char* which) {
    const double ours = (derivative * Tensor::from(along, {4, 6}, {.device = device})).sum().item<double>();
    const double theirs = (above - below) / (2 * step);
    EXPECT_NEAR(ours, theirs, 2e-6 * (1 + std::abs(ours))) << op.name << ": " << which << " derivative";
    return ours != 0;
  };
  const Tensor up = given(step), down = given(-step), g = slope(x, weighed(y));
  if (!agree(g, value(up).item<double>(), value(down).item<double>(), "first")) return "0";
  const auto turned = [&](const Tensor& v) { return weighed(slope(v, value(v)).flatten()); };
  const Tensor s = weighed(g.flatten());
  const Tensor second = s.requires_grad() ? gradient(s, {x})[0] : g * 0;
  return agree(second, turned(up).item<double>(), turned(down).item<double>(), "second") ? "2" : "1";
}

std::string measured_of(const Operation& op) {
  static const auto all = all_measured();
  std::string name = op.name;
  if (const size_t comma = name.find(", "); comma != name.npos) name.replace(comma, 2, "_");
  const auto found = all.find(name);
  if (op.ulp < 0 || found == all.end()) return "";
  const Measured& m = found->second;
  return m.inputs == uint64_t{1} << 32 ? fmt::format("{:.3g}", m.units) : fmt::format("{:.3g} of {}", m.units, m.inputs);
}

std::string page() {
  std::string out = R"(# Operations

Every operation, what it takes and what it costs. This page is written by `tools/ops` from what the operations do, and a test compares it
with them: a kernel more, or a dtype less, fails. It also compares results with the interpreter's. Values over all dtypes against NumPy and
PyTorch are the business of `tests/python`, gradients against finite differences that of `tests/autodiff` and `tests/tensor`.

- **dtypes**: what is accepted. Others are refused where the operation is called.
- **kernels**: launched for a tensor of 4 x 6 float32 (int32 where that is refused) on the devices `null`, which has the facts of a CPU, and
  `null:gpu`. 0: memory that is there. –: it reads values to know the size of its result, which these devices have none of.
- **gradient**: kernels of the gradient of the result's sum with respect to the tensor, what it needs of the operation's result included;
  – where there is none.
- **order**: to which order derivatives with respect to the tensor are not all 0, 2 at most; a test compares the first and the second with
  differences, in float64. – where there is none.
- **ulp**: how far a float32 result may be off, in units in the last place; tests fail above.
- **measured**: how far it was off at most where `./do ulp` looked: at all 2^32 inputs, or at as many of them as are given behind it (of two
  arguments: pairs).
)";
  for (const Section& section : sections()) {
    out += fmt::format(
        "\n## {}\n\n| operation | dtypes | kernels, CPU | GPU | gradient, CPU | GPU | order | ulp | measured |\n"
        "|---|---|---:|---:|---:|---:|---:|---:|---:|\n",
                       section.title);
    for (const Operation& op : section.ops) {
      const auto forward = [&](const Tensor& x) { return op.reads ? std::nullopt : tried(op, x.detach()); };
      const auto backward = [&](const Tensor& x) -> std::optional<Tensor> {
        const auto y = op.reads ? std::nullopt : tried(op, x);
        if (!y || !is_float(y->dtype()) || !y->requires_grad()) return {};
        return gradient(y->sum(), {x})[0];
      };
      out += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", op.name, dtypes_of(op), launches("null", forward),
                         launches("null:gpu", forward), launches("null", backward), launches("null:gpu", backward), order_of(op),
                         op.ulp < 0 ? "" : op.ulp == 0 ? "exact" : fmt::format("{}", op.ulp), measured_of(op));
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
