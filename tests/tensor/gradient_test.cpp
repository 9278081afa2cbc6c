// backward(), grad() and tg::gradient: the founding examples, every differentiable function against central differences, accumulation,
// higher orders.
#include "tensor_testing.hpp"

namespace tg {
namespace {

TEST(Founding, SlopeOfASum) {
  Tensor x({2.0f}, {.requires_grad = true});
  const Tensor y = x * x + sin(x);
  y.backward();
  expect_near(y, {4 + std::sin(2.)});
  expect_near(x.grad(), {4 + std::cos(2.)});
  EXPECT_NEAR(x.grad().item<float>(), 4 + std::cos(2.f), 1e-6f);
}
TEST(Founding, SecondAndThirdDerivative) {
  const Tensor x = leaf(2);
  const Tensor y = x * x + sin(x);
  const Tensor first = gradient(y, {x}, {.create_graph = true})[0];
  const Tensor second = gradient(first, {x}, {.create_graph = true})[0];
  const Tensor third = gradient(second, {x})[0];
  expect_near(first, {4 + std::cos(2.)});
  expect_near(second, {2 - std::sin(2.)});
  expect_near(third, {-std::cos(2.)});
  EXPECT_FALSE(x.has_grad());
}
TEST(Founding, SecondDerivativeThroughGrad) {
  const Tensor x = leaf(2);
  (x * x + sin(x)).backward({.create_graph = true});
  const Tensor slope = x.grad();
  x.zero_grad();
  slope.backward();
  expect_near(x.grad(), {2 - std::sin(2.)});
}
TEST(Founding, AdjointsOfAProductAddUp) {
  const Tensor x = leaf(3), y = leaf(5);
  (x * y).backward();
  expect_near(x.grad(), {5});
  expect_near(y.grad(), {3});
  (x * x * y + x).backward();
  expect_near(x.grad(), {5 + 31});
  expect_near(y.grad(), {3 + 9});
  const Tensor z = leaf(1.5);
  sin(z * z).backward();
  expect_near(z.grad(), {3 * std::cos(2.25)});
}
TEST(Founding, TheGraphIsTheBranchThatRan) {
  for (double value : {2.0, -2.0}) {
    const Tensor x = leaf(value);
    Tensor y;
    if (x.mean().item() > 0) y = x * x;
    else y = -x;
    y.backward();
    expect_near(x.grad(), {value > 0 ? 4.0 : -1.0});
  }
}
TEST(Founding, ABroadcastBiasGetsTheSum) {
  const std::vector<std::pair<Sizes, Sizes>> patterns{{{2, 3}, {3}}, {{2, 3}, {1, 3}}, {{2, 3}, {2, 1}}, {{2, 3}, {1, 1}},
                                                      {{2, 3}, {}}, {{2, 1}, {1, 3}}, {{4, 1, 3}, {2, 1}}, {{0, 3}, {3}},
                                                      {{0, 3}, {1, 1}}, {{1}, {1}}, {{}, {}}, {{3, 1}, {0}}};
  for (const auto& [left, right] : patterns) {
    const Tensor x = Tensor::zeros(left, {.requires_grad = true}), b = Tensor::zeros(right, {.requires_grad = true});
    const Tensor y = x + b;
    y.backward({.seed = Tensor::ones(y.shape())});
    for (const Tensor& t : {x, b}) {
      EXPECT_EQ(t.grad().shape(), t.shape());
      const auto n = static_cast<double>(t.numel() == 0 ? 0 : y.numel() / t.numel());
      expect_near(t.grad(), std::vector<double>(static_cast<size_t>(t.numel()), n));
    }
  }
}

struct Row {
  const char* name;
  std::function<Tensor(const Tensor&)> f;
  double low = -2, high = 2, error = 1e-6;
  friend void PrintTo(const Row& r, std::ostream* out) { *out << r.name; }
};
const Tensor& index() { static const Tensor t({{2, 0, 2}, {1, 1, 0}}); return t; }
const std::vector<Row>& rows() {
  static const std::vector<Row> all{
      {"neg", neg},
      {"abs", abs},
      {"sign", sign},
      {"square", square},
      {"exp", exp},
      {"exp2", exp2},
      {"log", log, 0.5, 3},
      {"log2", log2, 0.5, 3},
      {"sin", sin},
      {"cos", cos},
      {"tan", tan, -1, 1},
      {"sqrt", sqrt, 0.5, 3},
      {"rsqrt", rsqrt, 0.5, 3},
      {"reciprocal", reciprocal, 0.5, 3},
      {"erf", erf},
      {"erfc", erfc},
      {"erfinv", erfinv, -0.9, 0.9, 2e-5},
      {"lgamma", lgamma, -0.9, 3, 2e-5},
      {"digamma", digamma, 0.3, 6, 1e-5},
      {"digamma_below_0", digamma, -1.9, -1.1, 2e-5},
      {"polygamma", [](auto& x) { return polygamma(2, x); }, 0.5, 6, 1e-5},
      {"polygamma_below_0", [](auto& x) { return polygamma(1, x); }, -0.8, -0.2, 1e-4},
      {"exp10", exp10, -1, 1},
      {"expm1", expm1},
      {"log10", log10, 0.5, 3},
      {"log1p", log1p, -0.5, 3},
      {"asin", asin, -0.9, 0.9, 1e-5},
      {"acos", acos, -0.9, 0.9, 1e-5},
      {"atan", atan},
      {"sinh", sinh},
      {"cosh", cosh},
      {"asinh", asinh},
      {"acosh", acosh, 1.2, 3, 1e-5},
      {"atanh", atanh, -0.8, 0.8, 1e-5},
      {"relu", relu},
      {"relu6", [](auto& x) { return (x * 5).relu6(); }},
      {"hardtanh", [](auto& x) { return x.hardtanh(); }},
      {"leaky_relu", [](auto& x) { return x.leaky_relu(); }},
      {"elu", [](auto& x) { return x.elu(); }},
      {"celu", [](auto& x) { return x.celu(0.7); }},
      {"selu", selu},
      {"softplus", [](auto& x) { return x.softplus(2); }},
      {"mish", mish},
      {"logsigmoid", logsigmoid},
      {"softsign", softsign},
      {"hardsigmoid", [](auto& x) { return (x * 2).hardsigmoid(); }},
      {"hardswish", [](auto& x) { return (x * 2).hardswish(); }},
      {"prelu", [](auto& x) { return x.prelu(x.at(0) * 0.3); }},
      {"glu", [](auto& x) { return x.glu(0); }},
      {"atan2", [](auto& x) { return atan2(x, x * x - 1); }},
      {"hypot", [](auto& x) { return hypot(x, 1.5); }},
      {"logaddexp", [](auto& x) { return logaddexp(x, x * x); }},
      {"copysign", [](auto& x) { return copysign(x, x * -1) * x; }},
      {"lerp", [](auto& x) { return lerp(x, x * x, x); }},
      {"add_scaled", [](auto& x) { return add(x * x, x, {.alpha = 3}) * sub(x, x * x, {.alpha = 2}); }},
      {"clamp_tensors", [](auto& x) { return clamp(x * x, x.flip() * 0.5, x.flip() * x.flip() + 0.3); }},
      {"fmod", [](auto& x) { return fmod(x * 3, x * x + 1); }},
      {"sigmoid", sigmoid},
      {"tanh", tanh, -2, 2, 2e-6},
      {"silu", silu},
      {"gelu", [](auto& x) { return x.gelu(); }},
      {"gelu_tanh", [](auto& x) { return x.gelu({.tanh = true}); }},
      {"floor", floor},
      {"round", [](auto& x) { return x.round() * x.round(1); }},
      {"clamp", [](auto& x) { return x.clamp({.min = -1, .max = 0.5}); }},
      {"add", [](auto& x) { return x + x; }},
      {"sub", [](auto& x) { return 3 - x; }},
      {"mul", [](auto& x) { return x * x * 2; }},
      {"div", [](auto& x) { return x / (x * x + 1); }},
      {"mod", [](auto& x) { return x % 0.7; }},
      {"pow3", [](auto& x) { return pow(x, 3); }},
      {"pow_negative", [](auto& x) { return pow(x, -2); }, 0.5, 2},
      {"pow_fraction", [](auto& x) { return pow(x, 1.7); }, 0.5, 2},
      {"pow_large", [](auto& x) { return pow(x, 9.5); }, 0.5, 1.5, 1e-5},
      {"pow_tensor", [](auto& x) { return pow(x, x); }, 0.5, 2},
      {"maximum", [](auto& x) { return maximum(x, x * x); }},
      {"minimum", [](auto& x) { return minimum(x, 0.3); }},
      {"where", [](auto& x) { return where(x > 0, x * x, x * 3); }},
      {"sum", [](auto& x) { return x.sum({.axis = 0}); }},
      {"mean", [](auto& x) { return x.mean({.axis = 1, .keepdim = true}); }},
      {"prod", [](auto& x) { return x.prod({.axis = 1}); }},
      {"max", [](auto& x) { return x.max({.axis = 1}); }},
      {"min", [](auto& x) { return x.min(); }},
      {"var", [](auto& x) { return x.var({.axis = 1}); }},
      {"std", [](auto& x) { return x.std(); }},
      {"logsumexp", [](auto& x) { return x.logsumexp({.axis = 1}); }},
      {"softmax", [](auto& x) { return x.softmax(); }},
      {"log_softmax", [](auto& x) { return x.log_softmax(0); }},
      {"reshape", [](auto& x) { return x.reshape({3, 2}); }},
      {"permute", [](auto& x) { return x.T() * x.T(); }},
      {"expand", [](auto& x) { return x.unsqueeze(1).expand({2, 4, 3}); }},
      {"repeat", [](auto& x) { return x.repeat({2, 2}); }},
      {"pad", [](auto& x) { return x.pad({{1, 2}}, {.value = 3}); }},
      {"shrink", [](auto& x) { return x.shrink({{1, 3}}); }},
      {"flip", [](auto& x) { return x.flip(1); }},
      {"stack", [](auto& x) { return stack({x, x * 2}, 1); }},
      {"cat", [](auto& x) { return cat({x, x.shrink({{0, 1}, {0, 3}})}); }},
      {"split", [](auto& x) { return x.split(2, 1)[0] * x.split(2, 1)[1]; }},
      {"slices", [](auto& x) { return x.at(slice(none, none, -1), slice(0, 3, 2)); }},
      {"take", [](auto& x) { return x.take(Tensor({2, 0, 2}), 1); }},
      {"at", [](auto& x) { return x.at(Tensor({1, 0, 1}), Tensor({2, 2, 2})); }},
      {"gather", [](auto& x) { return x.gather(1, index()); }},
      {"set", [](auto& x) { Tensor y = x * 1; y.set(0, slice(0, 2), x.at(1, slice(1, 3))); return y * x; }},
      {"matmul", [](auto& x) { return x.matmul(x.T()); }},
      {"matvec", [](auto& x) { return x.matmul(x.at(0)); }},
      {"batched", [](auto& x) { return x.reshape({1, 2, 3}).matmul(x.reshape({2, 3, 1})); }},
      {"conv2d",
       [](auto& x) { return x.reshape({1, 1, 2, 3}).conv2d(x.reshape({1, 1, 2, 3}), {.stride = 2, .padding = 2, .dilation = {1, 2}}); }},
      {"groups",
       [](auto& x) { return x.reshape({1, 2, 1, 3}).conv2d(x.reshape({2, 1, 1, 3}), x.at(slice(), 0), {.padding = {0, 1}, .groups = 2}); }},
      {"max_pool2d", [](auto& x) { return x.reshape({1, 1, 2, 3}).max_pool2d({.size = 2, .stride = 1, .padding = 1}); }},
      {"avg_pool2d", [](auto& x) { return x.reshape({1, 1, 2, 3}).avg_pool2d({.size = {1, 2}, .stride = 1, .padding = {0, 1}}); }},
      {"layer_norm", [](auto& x) { return x.layer_norm(x.at(0), x.at(1)); }, -2, 2, 2e-5},
      {"batch_norm", [](auto& x) { return x.T().batch_norm(x.mean({.axis = 1}), x.var({.axis = 1}), x.at(slice(), 0), x.at(slice(), 1)); },
       -2, 2, 2e-5},
      {"cross_entropy", [](auto& x) { return x.cross_entropy(Tensor({2, 0})); }},
      {"one_index", [](auto& x) { return x.flatten().take(Tensor({4})) * x.flatten().take(Tensor::full({}, 2)); }},
      {"conv1d", [](auto& x) { return conv1d(x, x.reshape({1, 2, 3}), x.at(slice(0, 1), 0), {.padding = Padding::same()}); }},
      {"conv3d", [](auto& x) { return conv3d(x.reshape({1, 1, 1, 2, 3}), x.reshape({1, 1, 1, 2, 3}), {.padding = PerAxis({0, 1, 1})}); }},
      {"conv_transpose1d",
       [](auto& x) { return conv_transpose1d(x, x.unsqueeze(1), Tensor(), {.stride = 2, .padding = 1, .output_padding = 1}); }},
      {"conv_transpose2d",
       [](auto& x) {
         return conv_transpose2d(x.reshape({2, 1, 3}), x.reshape({2, 1, 1, 3}), x.at(slice(), 0), {.dilation = 2, .groups = 2});
       }},
      {"max_pool1d_with_indices", [](auto& x) { return max_pool1d_with_indices(x, {.stride = 1, .padding = 1}).values; }},
      {"avg_pool1d", [](auto& x) { return avg_pool1d(x, {.stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false}); }},
      {"adaptive_avg_pool1d", [](auto& x) { return adaptive_avg_pool1d(x.square(), 2); }},
      {"adaptive_max_pool2d", [](auto& x) { return adaptive_max_pool2d(x.unsqueeze(0), {1, 2}); }},
      {"interpolate", [](auto& x) { return interpolate(x.unsqueeze(0).square(), {.size = {5}, .mode = Resize::Linear}); }},
      {"group_norm", [](auto& x) { return group_norm(x.reshape({1, 2, 3}), 1, x.at(slice(), 0), x.at(slice(), 1)); }, -2, 2, 2e-5},
      {"instance_norm", [](auto& x) { return instance_norm(x.reshape({1, 2, 3}), x.at(slice(), 0)); }, -2, 2, 2e-5},
      {"rms_norm", [](auto& x) { return rms_norm(x, x.at(0)); }, -2, 2, 2e-5},
      {"attention", [](auto& x) { return scaled_dot_product_attention(x, x, x.square(), {.causal = true}); }},
      {"mse_loss", [](auto& x) { return mse_loss(x, x.flip(1).square()); }},
      {"huber_loss", [](auto& x) { return huber_loss(x, x.square(), 0.5); }},
      {"smooth_l1_loss", [](auto& x) { return smooth_l1_loss(x.square(), x, 0.7); }},
      {"binary_cross_entropy", [](auto& x) { return binary_cross_entropy(x, x.square()); }, 0.1, 0.9},
      {"binary_cross_entropy_with_logits",
       [](auto& x) { return binary_cross_entropy_with_logits(x, x.square(), {.pos_weight = x.at(0)}); }},
      {"nll_loss", [](auto& x) { return nll_loss(x.square(), Tensor({2, -100}), {.weight = x.at(1)}); }},
      {"label_smoothing", [](auto& x) { return cross_entropy(x, Tensor({2, 0}), {.label_smoothing = 0.3}); }},
      {"class_probabilities", [](auto& x) { return cross_entropy(x, x.softmax()); }},
      {"kl_div", [](auto& x) { return kl_div(x, x.softmax(), false, Reduction::BatchMean); }},
  };
  return all;
}
class Rows : public testing::TestWithParam<Row> {};
INSTANTIATE_TEST_SUITE_P(, Rows, testing::ValuesIn(rows()), [](const auto& i) { return i.param.name; });

/// f's gradient along random weights against central differences.
void check_gradient(const std::function<Tensor(const Tensor&)>& f, const std::vector<double>& at, double error) {
  const Sizes shape{2, 3};
  const Tensor x = f64(at, shape, true);
  const Tensor y = f(x);
  const Tensor weights = f64(samples(y.numel(), 0.5, 1.5, 7), y.shape());
  const auto value = [&](const std::vector<double>& v) { return (f(f64(v, shape)) * weights).sum().item<double>(); };
  if (!y.requires_grad()) {
    ADD_FAILURE() << "no gradient";
    return;
  }
  const auto got = gradient(y, {x}, {.seed = weights})[0].to_vector<double>();
  for (size_t i = 0; i < at.size(); ++i) {
    auto up = at, down = at;
    const double step = 1e-5;
    up[i] += step;
    down[i] -= step;
    const double expected = (value(up) - value(down)) / (2 * step);
    EXPECT_NEAR(got[i], expected, error * std::fmax(1, std::abs(expected))) << "element " << i;
  }
}
TEST_P(Rows, AgreesWithCentralDifferences) {
  REQUIRE_DTYPE(float64);
  const Row& r = GetParam();
  check_gradient(r.f, samples(6, r.low, r.high, 3), r.error);
}
TEST_P(Rows, SecondOrderAgreesWithCentralDifferences) {
  REQUIRE_DTYPE(float64);
  const Row& r = GetParam();
  const auto first = [&](const Tensor& x) {
    const Tensor leaf_or_value = x.requires_grad() ? x : f64(x.to_vector<double>(), x.shape(), true);
    const Tensor y = r.f(leaf_or_value);
    const Tensor seed = f64(samples(y.numel(), 0.5, 1.5, 9), y.shape());
    return gradient(y, {leaf_or_value}, {.seed = seed, .create_graph = true})[0];
  };
  check_gradient(first, samples(6, r.low, r.high, 3), r.error * 10);
}

TEST(Backward, Accumulates) {
  const Tensor x = leaf(3);
  (x * 2).backward();
  const Tensor older = x.grad();
  (x * x).backward();
  expect_near(x.grad(), {8});
  expect_near(older, {2});
  x.zero_grad();
  EXPECT_FALSE(x.has_grad());
  x.set_grad(Tensor({1.f}));
  (x * 2).backward();
  expect_near(x.grad(), {3});
}
TEST(Backward, AfterItsValueWasRead) {
  const Tensor x = leaf(3);
  const Tensor loss = (x * x).sum();
  EXPECT_EQ(loss.item<float>(), 9);
  loss.backward();
  expect_near(x.grad(), {6});
}
TEST(Backward, EqualLeavesAreTwo) {
  const Tensor a = Tensor::zeros({3}, {.requires_grad = true}), b = Tensor::zeros({3}, {.requires_grad = true});
  Tensor c = a.detach();
  c.set_requires_grad();
  (a * 2 + b * 3 + c * 4).sum().backward();
  expect_near(a.grad(), {2, 2, 2});
  expect_near(b.grad(), {3, 3, 3});
  expect_near(c.grad(), {4, 4, 4});
}
TEST(Backward, StopsWhereItIsTold) {
  const Tensor x = leaf(3);
  EXPECT_FALSE(x.detach().requires_grad());
  EXPECT_FALSE((x > 1).requires_grad());
  EXPECT_FALSE(x.cast(int32).requires_grad());
  {
    const NoGrad none_recorded;
    EXPECT_FALSE((x * 2).requires_grad());
  }
  EXPECT_TRUE((x * 2).requires_grad());
  (x.detach() * x).backward();
  expect_near(x.grad(), {3});
}
TEST(Backward, PassesNothingThroughWhatIsNotRecorded) {
  const Tensor x = leaf(3), rows = leaf({1, 2, 3, 4}, {2, 2});
  Tensor squared, moved, copied;
  {
    const NoGrad none_recorded;
    squared = x * x;
    moved = rows.T().at(0) + rows.sum({.axis = 0});
    copied = x.clone();
  }
  (squared * x * copied + (moved * rows).sum()).backward();  // none of the three is computed yet
  expect_near(x.grad(), {27});
  expect_near(rows.grad(), {5, 9, 5, 9});
}
TEST(Backward, PassesNothingThroughGradients) {
  const Tensor x = leaf(3), y = x * x * x;
  const Tensor slope = gradient(y, {x})[0];
  EXPECT_FALSE(slope.requires_grad());
  expect_near(gradient(slope * x, {x})[0], {27});
  y.backward();
  expect_near(gradient(x.grad() * x, {x})[0], {27});
  const Tensor recorded = gradient(x * x * x, {x}, {.create_graph = true})[0];
  expect_near(gradient(recorded * x, {x})[0], {81});
}
TEST(Backward, PassesNothingThroughDroppedHistory) {
  const Tensor x = leaf(3), y = x * x;
  y.backward();
  EXPECT_FALSE(y.requires_grad());
  expect_near(gradient(y * x, {x})[0], {9});
  expect_near(y, {9});
}
TEST(Backward, Errors) {
  const Tensor x = leaf({1, 2}, {2}), y = x * 2, constant({1.f});
  expect_throw<GradientError>([&] { y.backward(); },
                              "backward: the tensor of shape (2,) has 2 elements; reduce it to one, or pass {.seed = ...} of its shape");
  expect_throw<ShapeError>([&] { y.backward({.seed = Tensor({1.f})}); }, "backward: the seed's shape (1,) is not the tensor's (2,)");
  expect_throw<GradientError>([&] { constant.backward(); },
                              "backward: nothing below this tensor requires a gradient; call set_requires_grad() on a leaf before "
                              "computing with it");
  expect_throw<GradientError>([&] { (void)x.grad(); }, "grad: there is none yet; call backward() on a tensor computed from this one");
  expect_throw<GradientError>([&] { (void)y.grad(); },
                              "grad: only leaves have gradients; call set_requires_grad() before computing, or tg::gradient(y, {x})");
  const Tensor loss = y.sum();
  loss.backward({.keep_graph = true});
  loss.backward();
  expect_near(x.grad(), {4, 4});
  expect_throw<GradientError>([&] { loss.backward(); },
                              "backward: it ran before and the history was dropped; pass {.keep_graph = true} to the first backward");
  expect_throw<DTypeError>([] { Tensor({1}).set_requires_grad(); },
                           "set_requires_grad: not defined for int32; only floats have gradients; cast it to float32 first");
  expect_throw<GradientError>([&] { Tensor copy = x; copy += 1; },
                              "+=: a leaf that requires a gradient cannot be changed in place; do it while a NoGrad lives, or use "
                              "assign, neither of which records history");
  expect_throw<GradientError>(
      [&] {
        Tensor copy = y;
        copy.set_requires_grad(false);
      },
      "set_requires_grad: only a leaf can stop requiring a gradient; use detach()");
  Tensor gone;
  { gone = leaf(1) * 2; }
  expect_throw<GradientError>([&] { gone.backward(); },
                              "backward: every leaf that this tensor was computed from has been assigned to or destroyed since");
}

TEST(GradMode, TheInnermostCounts) {
  const Tensor x({1.f}, {.requires_grad = true});
  {
    const NoGrad off;
    EXPECT_FALSE(grad_enabled() || (x * 2).requires_grad());
    const GradMode on(true);
    EXPECT_TRUE(grad_enabled() && (x * 2).requires_grad());
  }
  EXPECT_TRUE(set_grad_enabled(false));
  EXPECT_FALSE((x * 2).requires_grad());
  EXPECT_FALSE(set_grad_enabled(true));
}

}  // namespace
}  // namespace tg
