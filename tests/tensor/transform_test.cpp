// Transformations against closed forms, differences and each other; and against a loop over the examples for vmap.
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "runtime/null/null.hpp"
#include "tensor/batching.hpp"
#include "tensor/impl.hpp"
#include "tensor/tensor_testing.hpp"
#include "tg/attention.hpp"
#include "tg/explain.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/scatter.hpp"
#include "tg/transform.hpp"
#include "tg/windows.hpp"

namespace tg {
namespace {

Tensor wave(const Tensor& x) { return sum(sin(x) * x); }
Tensor numbers(const Sizes& shape, uint64_t seed = 1) {
  int64_t n = 1;
  for (int64_t s : shape) n *= s;
  return Tensor::from(samples(n, -1.5, 1.5, seed), shape);
}
size_t kernels(const Tensor& x) {
  std::istringstream lines(explain(x, "schedule"));
  size_t count = 0;
  for (std::string line; std::getline(lines, line);) count += !line.starts_with(' ') && line.find("(b") != std::string::npos;
  return count;
}

int64_t launches(const Tensor& x) {
  auto& null = dynamic_cast<NullDevice&>(device("null"));
  null.reset();
  (void)Tensor(x).realize();
  return null.counts().phases;
}

TEST(Transform, GradOfOneAndOfSeveralArguments) {
  REQUIRE_DTYPE(float64);
  const Tensor x = numbers({5}), y = numbers({5}, 2);
  expect_close(grad(wave)(x), sin(x) + x * cos(x));
  const auto f = [](const Tensor& a, const Tensor& b) { return sum(a * a * b); };
  expect_close(grad(f)(x, y), 2 * x * y);
  expect_close(grad(f, 1)(x, y), x * x);
  const Tensors both = grad(f, {1, 0})(x, y);
  expect_close(both[0], x * x);
  expect_close(both[1], 2 * x * y);
  const auto [value, slope] = value_and_grad(wave)(x);
  expect_close(value, wave(x));
  expect_close(slope, grad(wave)(x));
  EXPECT_FALSE(slope.requires_grad());
}

TEST(Transform, WhatAFunctionUsesBesidesItsArgumentsIsConstant) {
  REQUIRE_DTYPE(float64);
  const Tensor x = numbers({3});
  expect_close(grad([&](const Tensor& a) { return sum(a * x); })(x), x);
  // d/dx (x * d/dy (x + y)) = 1: the derivatives are not confused (Siskind, Pearlmutter 2005).
  const auto inner = [](const Tensor& a) { return a * grad([&](const Tensor& b) { return a + b; })(a); };
  expect_near(grad(inner)(f64({2}, {})), {1});
}

TEST(Transform, LooksAtValuesOnTheWay) {
  REQUIRE_DTYPE(float64);
  const auto f = [](const Tensor& a) { return a.item<double>() > 0 ? a * a : -a; };
  expect_near(grad(f)(f64({3}, {})), {6});
  expect_near(grad(f)(f64({-3}, {})), {-1});
}

TEST(Transform, IsSeenByBackward) {
  REQUIRE_DTYPE(float64);
  const Tensor w = f64({0.5, 1, 2}, {3}, true);
  sum(grad(wave)(w)).backward();
  const Tensor x = w.detach();
  expect_close(w.grad(), 2 * cos(x) - x * sin(x));
}

TEST(Transform, VjpAndJvp) {
  REQUIRE_DTYPE(float64);
  const Tensor x = numbers({4}), m = numbers({3, 4}, 2);
  const auto f = [&](const Tensor& a) { return tanh(m.matmul(a)); };
  const Tensor y = f(x), slope = 1 - y * y;
  const Vjp v = vjp(f, x);
  const Tensor up = numbers({3}, 4), along = numbers({4}, 5);
  expect_close(v.values[0], y);
  expect_close(v.pullback({up})[0], m.T().matmul(up * slope));
  const auto [value, tangent] = jvp(f, x, along);
  expect_close(value, y);
  expect_close(tangent, slope * m.matmul(along));
  const Vjp several = vjp([](const Tensors& a) { return Tensors{a[0] * a[1], sum(a[0])}; }, {x, along});
  const Tensors both = several.pullback({numbers({4}, 6), f64({3}, {})});
  expect_close(both[0], numbers({4}, 6) * along + 3);
  expect_close(both[1], numbers({4}, 6) * x);
}

TEST(Transform, JacobianInBothModesAndHessian) {
  REQUIRE_DTYPE(float64);
  const Tensor x = numbers({2, 2});
  const auto f = [](const Tensor& a) { return a.matmul(a).reshape({4}).at(slice(0, 3)); };
  const Tensor reverse = jacobian(f)(x), forward = jacobian(f, {.mode = Mode::Forward})(x);
  EXPECT_EQ(reverse.shape(), (Sizes{3, 2, 2}));
  expect_close(forward, reverse);
  for (int64_t i = 0; i < 3; ++i) expect_close(reverse.at(i), grad([&](const Tensor& a) { return f(a).at(i); })(x));
  const auto g = [](const Tensor& a) { return sum(a * a * a) + a.at(0) * a.at(1); };
  const Tensor p = f64({1, 2, 3}, {3});
  expect_near(hessian(g)(p), {6, 1, 0, 1, 12, 0, 0, 0, 18});
  expect_near(hvp(g, p, f64({1, 0, 2}, {3})), {6, 1, 36});
}

TEST(Vmap, IsTheLoopOverExamples) {
  REQUIRE_DTYPE(float64);
  struct Case { const char* name; std::function<Tensor(const Tensor&, const Tensor&)> f; };
  const Tensor shared = numbers({4, 3}, 9), table = numbers({6, 2}, 8);
  const auto whole = [](const Tensor& a) { return (a.abs() * 10).cast(int32) % 4; };
  const Case cases[] = {
      {"elementwise", [](auto& a, auto& b) { return sin(a) * b + 1; }},
      {"scalars beside", [](auto& a, auto& b) { return a * sum(b) + b.at(0, 0); }},
      {"shared", [&](auto& a, auto& b) { return a.matmul(shared) + b.matmul(shared) * shared.at(0); }},
      {"matmul", [](auto& a, auto& b) { return a.matmul(b.T()); }},
      {"movement",
       [](auto& a, auto& b) { return Tensor::cat({a.flip(1).T(), b.pad({{1, 0}, {0, 0}}).at(slice(0, 3)).T()}, 1).reshape({-1}); }},
      {"stack", [](auto& a, auto& b) { return Tensor::stack({a, b, a * b}, 1); }},
      {"reductions", [](auto& a, auto& b) { return a.max({.axis = 1}) + b.var({.axis = 0}).sum() + a.prod(); }},
      {"argmax", [](auto& a, auto& b) { return a.argmax({.axis = 1}) + b.argmax(); }},
      {"softmax", [](auto& a, auto& b) { return a.softmax() + b.logsumexp({.axis = 0, .keepdim = true}); }},
      {"scans", [](auto& a, auto& b) { return a.cumsum(0) + b.cummax(1).values; }},
      {"sort", [](auto& a, auto& b) { return a.sort().values * b.argsort({.axis = 0}); }},
      {"take from shared", [&](auto& a, auto&) { return table.take(whole(a)); }},
      {"take by shared", [&](auto& a, auto& b) { return a.take(Tensor({2, 0}), 0) * b.take(Tensor({1, 1}), 0); }},
      {"take by each", [&](auto& a, auto& b) { return a.take(whole(b).at(0), 1); }},
      {"gather", [&](auto& a, auto& b) { return a.gather(1, whole(b)); }},
      {"set", [&](auto& a, auto& b) { Tensor c = a * 1; c.set(whole(b).at(0, slice(0, 1)) % 3, b.at(1)); return c; }},
      {"set at shared", [&](auto& a, auto& b) { Tensor c = a * 1; c.set(Tensor({2, 0}), b.at(1)); return c; }},
      {"detach", [](auto& a, auto& b) { return a.detach() * b + b.contiguous(); }},
      {"conv", [](auto& a, auto& b) { return a.reshape({1, 1, 3, 4}).conv2d(b.reshape({2, 1, 2, 3})); }},
      {"nothing", [&](auto&, auto&) { return shared; }},
  };
  const Tensor x = numbers({3, 3, 4}), y = numbers({3, 3, 4}, 2);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<Tensor> one;
    for (int64_t i = 0; i < 3; ++i) one.push_back(c.f(x.at(i), y.at(i)));
    expect_close(vmap(c.f)(x, y), Tensor::stack(one), 1e-12);
    if (!is_float(one[0].dtype()) || std::string_view(c.name) == "nothing") continue;
    // And the gradient, each way round.
    const auto weighted = [&](const Tensor& a, const Tensor& b) { const Tensor v = c.f(a, b); return sum(v * v * 0.5 + v); };
    std::vector<Tensor> slopes;
    for (int64_t i = 0; i < 3; ++i) slopes.push_back(grad(weighted)(x.at(i), y.at(i)));
    expect_close(vmap(grad(weighted))(x, y), Tensor::stack(slopes), 1e-11);
    expect_close(grad([&](const Tensor& a, const Tensor& b) { return sum(vmap(weighted)(a, b)); })(x, y), Tensor::stack(slopes), 1e-11);
  }
}

TEST(Vmap, AxesNestingAndComposition) {
  REQUIRE_DTYPE(float64);
  const Tensor a = numbers({4, 3}), b = numbers({4, 5}, 2);
  const auto dot = [](const Tensor& u, const Tensor& v) { return sum(u * v); };
  // Rows of a transposed by columns of b: a matrix product.
  const auto row = [&](const Tensor& u, const Tensor& m) { return vmap(dot, {.in_axes = {kShared, 1}})(u, m); };
  expect_close(vmap(row, {.in_axes = {1, kShared}})(a, b), a.T().matmul(b));
  expect_close(vmap(row, {.in_axes = {1, kShared}, .out_axis = -1})(a, b), a.T().matmul(b).T());
  const auto along = [](const Tensor& u) { return jvp(grad(wave), u, Tensor::ones({3}, {.dtype = float64})).second; };
  expect_close(vmap(along)(a), 2 * cos(a) - a * sin(a));
  const auto diagonals = [](const Tensor& u) { return diagonal(hessian(wave)(u)); };
  expect_close(vmap(diagonals)(a), 2 * cos(a) - a * sin(a));
  const auto pair = vmap(value_and_grad(wave))(a);
  expect_close(pair.second, sin(a) + a * cos(a));
}

TEST(Vmap, TakesAsManyKernelsForAnyBatch) {
  if (settings().eager) return;  // eager tensors are computed by then
  const TensorOptions on{.device = "null"};
  const Tensor w = (Tensor::ones({6, 6}, on) * 2).realize(), filter = Tensor::ones({2, 1, 3}, on).realize();
  const Tensor ones = Tensor::ones({6}, on).realize(), order = Tensor({3, 1, 0, 5, 2, 4}).to("null").realize();
  using F = std::function<Tensor(const Tensor&)>;
  const auto clipped = custom_gradient([](const Tensor& a) { return a * 2; },
                                       [](const Tensors&, const Tensor&, const Tensor& g) {
                                         return Tensors{clamp(g, {.min = -1, .max = 1})};
                                       });
  struct Case { const char* name; F f; };  // of six numbers, to numbers
  const Case insides[] = {
      {"elementwise", [](auto& a) { return sin(a) * a; }},
      {"softmax", [](auto& a) { return a.softmax() * a; }},
      {"norm", [](auto& a) { return a / (a * a).sum().sqrt(); }},
      {"matmul", [&](auto& a) { return tanh(w.matmul(tanh(w.matmul(a)))); }},
      {"outer", [](auto& a) { return (a.unsqueeze(1) * a.unsqueeze(0)).matmul(a); }},
      {"conv", [&](auto& a) { return tanh(conv1d(a.reshape({1, 1, 6}), filter)).reshape({8}); }},
      {"own filter", [&](auto& a) { return conv1d(a.reshape({1, 1, 6}), a.at(slice(0, 3)).reshape({1, 1, 3})).reshape({4}); }},
      {"attention", [](auto& a) { const Tensor q = a.reshape({3, 2}); return scaled_dot_product_attention(q, q, q, {.causal = true}); }},
      {"sort", [&](auto& a) { return a.sort().values * ones * a; }},
      {"cumsum", [](auto& a) { return a.cumsum(0) * a; }},
      {"cumprod", [](auto& a) { return a.cumprod(0); }},
      {"cummax", [](auto& a) { return a.cummax(0).values * a; }},
      {"logcumsumexp", [](auto& a) { return a.logcumsumexp(0); }},
      {"max", [](auto& a) { return a.max() * a; }},
      {"prod", [](auto& a) { return a.prod() * a; }},
      {"var", [](auto& a) { return a.var() * a; }},
      {"indexing", [&](auto& a) { return a.take(order) * a.at(2) + a.flip(0); }},
      {"own index", [](auto& a) { return a.take((a.abs() * 3).cast(int32) % 6) * a; }},
      {"set", [&](auto& a) { Tensor c = a * 1; c.set(order.at(slice(0, 2)), a.at(slice(1, 3)) * a.at(0)); return c * a; }},
      {"own set", [](auto& a) { Tensor c = a * 1; c.set((a.abs() * 3).cast(int32) % 6, a * a); return c * a; }},
      {"scatter", [&](auto& a) { return scatter(a, 0, order, a * a, Scatter::Add) * a; }},
      {"checkpoint", [&](auto& a) { return checkpoint([&](const Tensor& v) { return tanh(w.matmul(v)).softmax(); })(a) * a; }},
      {"custom gradient", [&](auto& a) { return clipped(a * a) * a; }},
      {"pool", [](auto& a) { return max_pool1d(a.reshape({1, 1, 6}), {.size = 2}).reshape({3}) * a.at(slice(0, 3)); }},
  };
  const auto total = [](const F& f) { return F([f](const Tensor& a) { return sum(f(a)); }); };
  struct Around { const char* name; std::function<F(const F&)> of; };
  const Around arounds[] = {
      {"plain", [](const F& f) { return f; }},
      {"grad", [&](const F& f) { return F(grad(total(f))); }},
      {"jvp", [&](const F& f) { return F([f](const Tensor& a) { return jvp(f, a, a).second; }); }},
      {"vjp", [&](const F& f) { return F([f](const Tensor& a) { const Vjp v = vjp(f, a); return v.pullback({v.values[0]})[0]; }); }},
      {"jacobian", [&](const F& f) { return F(jacobian(f)); }},
      {"forward jacobian", [&](const F& f) { return F(jacobian(f, {.mode = Mode::Forward})); }},
      {"hessian", [&](const F& f) { return F(hessian(total(f))); }},
      {"hvp", [&](const F& f) { return F([f = total(f)](const Tensor& a) { return hvp(f, a, a); }); }},
      {"vmap", [&](const F& f) { return F([f](const Tensor& a) { return vmap(f)(Tensor::stack({a, a * 2})); }); }},
      {"vmap of grad", [&](const F& f) { return F([f = total(f)](const Tensor& a) { return vmap(grad(f))(Tensor::stack({a, a * 2})); }); }},
  };
  // The graph is the same for any batch, and so are the kernels of small batches and those of large ones; in between the scheduler finds
  // that what is computed again is worth its memory by now (docs/decisions.md).
  for (const Case& c : insides)
    for (const Around& a : arounds) {
      std::vector<int64_t> counts;
      std::set<size_t> nodes;
      for (const int64_t n : {2, 3, 17, 1'000'000, 6'000'000}) {
        const Tensor y = vmap(a.of(c.f))(Tensor::ones({n, 6}, on).realize());
        if (n > 3) nodes.insert(toposort(node_of(y, "test")).size());  // 2 and 3 are constants there as well, and equal nodes are one
        counts.push_back(launches(y));
      }
      SCOPED_TRACE(fmt::format("{} of {}: {} kernels", a.name, c.name, fmt::join(counts, ", ")));
      EXPECT_EQ(nodes.size(), 1u);
      EXPECT_GT(counts[0], 0);
      EXPECT_EQ(counts[0], counts[1]);
      EXPECT_LE(counts[2], counts[0] + 3);
      EXPECT_EQ(counts[3], counts[4]);
      EXPECT_LE(counts[4], counts[0] + 8);
    }
  const auto rows_for = [&](int64_t n) {
    return launches(jacobian([](const Tensor& a) { return a.softmax(); })(Tensor::ones({n}, on).realize()));
  };
  EXPECT_EQ(rows_for(3), rows_for(40));
}

TEST(Vmap, SaysWhatItCannotDo) {
  const Tensor x = Tensor::ones({2, 3}), y = Tensor::ones({4, 3});
  const auto add_both = [](const Tensor& a, const Tensor& b) { return a + b; };
  expect_throw<ShapeError>([&] { (void)vmap(add_both)(x, y); },
                           "vmap: axis 0 of argument 1, of shape (4, 3), has size 4, but those before have 2 examples");
  expect_throw<ValueError>([&] { (void)vmap(add_both, {.in_axes = {0}})(x, y); },
                           "vmap: in_axes has 1 entries for 2 arguments; give one an argument, or none");
  EXPECT_THROW((void)vmap([](const Tensor& a) { return a * a.at(0).item<float>(); })(x), ValueError);
  Tensor w = (Tensor::ones({3}) * 2).realize();
  EXPECT_THROW((void)vmap([&](const Tensor& a) { w.assign(a); return w; })(x), ValueError);
  // An index outside of an example's own part is still outside.
  const Tensor index = Tensor({{0, 1}, {1, 3}}), own = numbers({2, 3});
  EXPECT_THROW((void)vmap([](const Tensor& a, const Tensor& i) { return a.take(i); })(own, index).to_vector<float>(), IndexError);
  expect_throw<GradientError>([&] { (void)grad([](const Tensor& a) { return a * 2; })(x); },
                              "grad: the function returned a tensor of shape (2, 3); it must return one element. Reduce it, or use vjp or "
                              "jacobian");
  expect_throw<GradientError>([&] { (void)grad([](const Tensor& a) { return sum(a); })(Tensor({1, 2})); },
                              "grad: argument 0 is int32; only floats have gradients, cast it to float32 first");
}

TEST(Checkpoint, GivesTheSameGradientAndComputesAgain) {
  REQUIRE_DTYPE(float64);
  const Tensor w = numbers({4, 4}).set_requires_grad(), x = numbers({2, 4}, 2);
  const auto block = [&](const Tensor& a) { return tanh(a.matmul(w)).softmax(); };
  const auto again = checkpoint(block);
  expect_close(again(x), block(x));
  sum(again(again(x)) * x).backward();
  const Tensor kept = w.grad();
  w.zero_grad();
  sum(block(block(x)) * x).backward();
  expect_close(kept, w.grad());
  const auto loss = [&](const Tensor& a) { return sum(block(a) * a); };
  const auto loss_again = [&](const Tensor& a) { return sum(again(a) * a); };
  expect_close(grad(loss_again)(x), grad(loss)(x));
  expect_close(hvp(loss_again, x, x), hvp(loss, x, x), 1e-11);
  const auto each = [&](const Tensor& a) { return sum(again(a.unsqueeze(0)).squeeze() * a); };
  expect_close(vmap(grad(each))(x), grad(loss)(x));
  // The first product is made a second time for the gradient.
  const Tensor plain = w.detach();
  const auto products = [&](bool twice) {
    const auto f = [&](const Tensor& a) { return tanh(tanh(a.matmul(plain)).contiguous().matmul(plain)); };
    const auto loss_of = [&](const Tensor& a) { return sum(twice ? checkpoint(f)(a) : f(a)); };
    const auto [value, slope] = value_and_grad(loss_of)(x);
    return kernels(value + sum(slope));
  };
  if (settings().eager) return;  // then all is computed on the way
  EXPECT_GT(products(true), products(false));
}

TEST(CustomGradient, IsUsedAndComposes) {
  REQUIRE_DTYPE(float64);
  const Tensor x = numbers({2, 3});
  // A gradient of its own that the mathematics has not: what comes is clipped.
  const auto clipped = custom_gradient([](const Tensor& a) { return a * 2; },
                                       [](const Tensors&, const Tensor&, const Tensor& g) {
                                         return Tensors{clamp(g, {.min = -1, .max = 1})};
                                       });
  expect_close(clipped(x), x * 2);
  expect_close(grad([&](const Tensor& a) { return sum(clipped(a) * x * 3); })(x), clamp(x * 3, {.min = -1, .max = 1}));
  const auto cube = custom_gradient([](const Tensor& a, const Tensor& b) { return a * a * a + sum(b); },
                                    [](const Tensors& a, const Tensor&, const Tensor& g) {
                                      return Tensors{g * 3 * a[0] * a[0], sum(g).expand(a[1].shape())};
                                    });
  const auto f = [&](const Tensor& a) { return sum(cube(a, a)); };
  expect_close(grad(f)(x), 3 * x * x + 6);
  expect_close(hvp(f, x, x), 6 * x * x);
  const auto of_row = [&](const Tensor& a) { return sum(cube(a, a)); };
  expect_close(vmap(grad(of_row))(x), 3 * x * x + 3);
  expect_close(grad([&](const Tensor& a) { return sum(vmap(of_row)(a)); })(x), 3 * x * x + 3);
  expect_close(jvp(of_row, x.at(0), x.at(1)).second, sum((3 * x.at(0) * x.at(0) + 3) * x.at(1)));
  expect_near(grad([](const Tensor& a) { return sum(stop_gradient(a) * a); })(x.at(0)), x.at(0).to_vector<double>());
}

TEST(Gradcheck, VariancesOfAnyOrderAndAxes) {
  REQUIRE_DTYPE(float64);
  const Tensor x = numbers({2, 3, 1});
  for (const VarOptions& o : {VarOptions{}, {.axis = 1, .correction = 0}, {.axis = {0, 2}, .keepdim = true}}) {
    const auto f = [&](const Tensor& a) { return exp(a.var(o)) * a.sum(); };
    EXPECT_TRUE(gradcheck(f, x));
    EXPECT_TRUE(gradgradcheck(f, x));
  }
  const auto variance = [](const Tensor& a) { return a.var(); };
  expect_close(vmap(grad(variance))(x.squeeze(2)), 2 * (x.squeeze(2) - x.squeeze(2).mean({.axis = 1, .keepdim = true})) / 2);
  // of x the deviations' squares over 2: 2 / 2 less the mean's share of a third
  expect_near(hessian(variance)(f64({1, 2, 5}, {3})), {2 / 3., -1 / 3., -1 / 3., -1 / 3., 2 / 3., -1 / 3., -1 / 3., -1 / 3., 2 / 3.});
}

TEST(Gradcheck, TellsRightFromWrong) {
  REQUIRE_DTYPE(float64);
  const Tensor x = numbers({2, 3});
  const auto f = [](const Tensor& a) { return exp(a).softmax() * a; };
  EXPECT_TRUE(gradcheck(f, x));
  EXPECT_TRUE(gradgradcheck(f, x));
  const auto wrong = custom_gradient([](const Tensor& a) { return a * a; },
                                     [](const Tensors& a, const Tensor&, const Tensor& g) { return Tensors{g * a[0]}; });
  EXPECT_THROW(gradcheck(wrong, x), GradientError);
  const auto wrong_second = custom_gradient([](const Tensor& a) { return a * a; },
                                            [](const Tensors& a, const Tensor&, const Tensor& g) {
                                              return Tensors{g * 2 * a[0].detach()};
                                            });
  EXPECT_TRUE(gradcheck(wrong_second, x));
  EXPECT_THROW(gradgradcheck(wrong_second, x), GradientError);
  expect_throw<DTypeError>([&] { gradcheck(f, x.cast(float32)); },
                           "gradcheck: argument 0 is float32; differences need the digits of float64: cast it");
}

TEST(Batching, EveryOpHasARowOrStandsInTheListOfThoseWithNone) {
  for (size_t i = 0; i < kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    size_t places = is_elementwise(op);
    for (const BatchingRule& r : batching_rules()) places += r.op == op;
    for (const Op o : kNoBatching) places += o == op;
    EXPECT_EQ(places, 1u) << name_of(op);
  }
}

}  // namespace
}  // namespace tg
