// matmul, convolution, pooling, normalisation and cross-entropy against plain loops.
#include <fmt/format.h>

#include <array>

#include "tensor_testing.hpp"
#include "tg/ir/uop.hpp"
#include "tg/settings.hpp"

namespace tg {
namespace {

TEST(Matmul, MatricesAndVectors) {
  const Tensor a({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}}), b({{1.f, 0.f}, {0.f, 1.f}, {2.f, 2.f}}), v({1.f, 2.f, 3.f});
  expect_equal(a.matmul(b), {2, 2}, {7, 8, 16, 17});
  expect_equal(a.matmul(v), {2}, {14, 32});
  expect_equal(v.matmul(b), {2}, {7, 8});
  expect_equal(v.dot(v), {}, {14});
  expect_equal(a.reshape({2, 1, 3}).matmul(b), {2, 1, 2}, {7, 8, 16, 17});
  EXPECT_EQ(random({5, 1, 2, 3}, 1).matmul(random({4, 3, 2}, 2)).shape(), (Sizes{5, 4, 2, 2}));
  expect_equal(Tensor({{1, 2}}, {.dtype = int8}).matmul(Tensor({{3}, {4}}, {.dtype = int8})), {1, 1}, {11});
  expect_equal(Tensor::zeros({2, 0}).matmul(Tensor::zeros({0, 3})), {2, 3}, {0, 0, 0, 0, 0, 0});
  expect_throw<ShapeError>([&] { (void)a.matmul(a); },
                           "matmul: shapes (2, 3) and (2, 3): the last axis of the first is 3 and "
                           "the last but one of the second 2; they must be equal");
  expect_throw<ShapeError>([&] { (void)a.matmul(Tensor({1.f})); },
                           "matmul: shapes (2, 3) and (1,): the last axis of the first is 3 and "
                           "the only axis of the second 1; they must be equal");
  expect_throw<ShapeError>([&] { (void)a.matmul(Tensor::full({}, 1.f)); },
                           "matmul: shapes (2, 3) and (); a scalar has no axis to contract, use * instead");
}
TEST(Matmul, IsSevenNodes) {
  if (settings().eager) return;  // eager tensors have no graph
  const Tensor a = random({3, 4}, 1), b = random({4, 5}, 2);
  const size_t before = detail::made_nodes();
  const Tensor c = a.matmul(b);
  EXPECT_LE(detail::made_nodes() - before, 7u);
}

struct Convolution {
  int64_t n, c, h, w, o, kh, kw;
  ConvOptions options;
};
std::vector<double> by_loops(const Convolution& s, const std::vector<double>& x, const std::vector<double>& k, int64_t& oh, int64_t& ow) {
  const auto& p = s.options;
  const auto two = [](const Sizes& list) { return std::pair(list.front(), list.back()); };
  const auto [stride_h, stride_w] = two(p.stride.list());
  const auto [padding_h, padding_w] = two(p.padding.before());
  const auto [dilation_h, dilation_w] = two(p.dilation.list());
  oh = (s.h + 2 * padding_h - dilation_h * (s.kh - 1) - 1) / stride_h + 1;
  ow = (s.w + 2 * padding_w - dilation_w * (s.kw - 1) - 1) / stride_w + 1;
  const int64_t in = s.c / p.groups, out = s.o / p.groups;
  std::vector<double> y;
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t o = 0; o < s.o; ++o)
      for (int64_t i = 0; i < oh; ++i)
        for (int64_t j = 0; j < ow; ++j) {
          double sum = 0;
          for (int64_t c = 0; c < in; ++c)
            for (int64_t a = 0; a < s.kh; ++a)
              for (int64_t b = 0; b < s.kw; ++b) {
                const int64_t row = i * stride_h + a * dilation_h - padding_h;
                const int64_t column = j * stride_w + b * dilation_w - padding_w;
                if (row < 0 || row >= s.h || column < 0 || column >= s.w) continue;
                sum += x[static_cast<size_t>(((n * s.c + o / out * in + c) * s.h + row) * s.w + column)] *
                       k[static_cast<size_t>(((o * in + c) * s.kh + a) * s.kw + b)];
              }
          y.push_back(sum);
        }
  return y;
}
TEST(Conv2d, AgreesWithLoops) {
  const std::vector<Convolution> cases{
      {2, 3, 6, 5, 4, 3, 3, {}},
      {1, 2, 7, 7, 2, 3, 3, {.stride = 2, .padding = 1}},
      {1, 2, 8, 9, 3, 2, 3, {.stride = {2, 3}, .padding = {1, 2}, .dilation = {2, 1}}},
      {2, 4, 5, 5, 6, 3, 3, {.padding = 1, .groups = 2}},
      {1, 3, 4, 4, 3, 2, 2, {.groups = 3}},
      {1, 1, 1, 1, 1, 1, 1, {}},
  };
  for (const Convolution& s : cases) {
    const Tensor x = random({s.n, s.c, s.h, s.w}, 1), k = random({s.o, s.c / s.options.groups, s.kh, s.kw}, 2), b = random({s.o}, 3);
    int64_t oh, ow;
    const auto expected = by_loops(s, x.to_vector<double>(), k.to_vector<double>(), oh, ow);
    const Tensor y = x.conv2d(k, s.options);
    EXPECT_EQ(y.shape(), (Sizes{s.n, s.o, oh, ow}));
    expect_near(y, expected, 1e-5);
    expect_close(x.conv2d(k, b, s.options), y + b.reshape({s.o, 1, 1}), 1e-6);
  }
}
// In float64, where both are exact enough: values and gradients, over one to three axes, groups, paddings and sizes that tiles do not fit.
TEST(Winograd, AgreesWithTheSums) {
  const WithSettings here({.device = "cpu"});  // it is made of operations that are tested on every device
  struct Of { Sizes x, w; ConvOptions options; };
  const std::vector<Of> cases{
      {{2, 3, 9}, {4, 3, 3}, {.padding = 1}},
      {{1, 1, 3, 3}, {1, 1, 3, 3}, {}},
      {{2, 4, 7, 13}, {6, 2, 3, 3}, {.groups = 2}},
      {{1, 2, 5, 6}, {3, 2, 3, 3}, {.padding = Padding::sides({{2, 1}, {0, 3}})}},
      {{1, 2, 4, 7, 5}, {2, 2, 3, 3, 3}, {.padding = 1}},
      {{0, 2, 5, 5}, {3, 2, 3, 3}, {}},
  };
  for (const Of& c : cases) {
    ConvOptions fast = c.options;
    fast.winograd = true;
    const auto conv = [&](const Tensor& x, const Tensor& w, const ConvOptions& o) {
      return x.rank() == 3 ? conv1d(x, w, Tensor(), o) : x.rank() == 4 ? conv2d(x, w, Tensor(), o) : conv3d(x, w, Tensor(), o);
    };
    Tensor x = random(c.x, 1).cast(float64), w = random(c.w, 2).cast(float64);
    x.set_requires_grad(true), w.set_requires_grad(true);
    const Tensor expected = conv(x, w, c.options), y = conv(x, w, fast);
    expect_close(y, expected, 1e-12);
    const Tensor seed = random(y.shape(), 3).cast(float64);
    const std::vector<Tensor> g = gradient((y * seed).sum(), {x, w}), h = gradient((expected * seed).sum(), {x, w});
    for (size_t i = 0; i < 2; ++i) expect_close(g[i], h[i], 1e-12);
  }
  const Tensor x = random({1, 16, 20, 20}, 1), w = random({8, 16, 3, 3}, 2), b = random({8}, 3);
  expect_close(x.conv2d(w, b, {.padding = 1, .winograd = true}), x.conv2d(w, b, {.padding = 1}), 2e-4);
}
TEST(Conv2d, Errors) {
  const Tensor x = random({1, 2, 4, 4}, 1);
  expect_throw<ShapeError>([&] { (void)x.conv2d(random({1, 3, 3, 3}, 1)); },
                           "conv2d: input (1, 2, 4, 4), weight (1, 3, 3, 3), groups 1: the input must have weight axis 1 times groups "
                           "channels, and weight axis 0 must divide by groups");
  expect_throw<ShapeError>([&] { (void)x.conv2d(random({1, 2, 5, 3}, 1)); },
                           "conv2d: a window of 5 with dilation 1 spans 5 and does not fit into axis 2 of shape (1, 2, 4, 4) with "
                           "padding 0 and 0; pad more");
  expect_throw<ValueError>([&] { (void)x.conv2d(random({1, 2, 3, 2}, 1), {.winograd = true}); },
                           "conv2d: winograd is for floats and windows of 3 at stride 1, dilation 1; these are float32 by float32, windows "
                           "(3, 2), stride (1, 1), dilation (1, 1)");
  expect_throw<ValueError>([&] { (void)x.conv2d(random({1, 2, 3, 3}, 1), {.stride = 0}); }, "conv2d: stride (0, 0); it takes 1 or more");
  expect_throw<ShapeError>([&] { (void)x.conv2d(random({1, 2, 3, 3}, 1), random({2}, 1)); },
                           "conv2d: the bias's shape (2,) is not (1,), one number a channel of shape (1, 1, 2, 2)");
  expect_throw<ShapeError>([&] { (void)x.at(0, 0).conv2d(random({1, 2, 3, 3}, 1)); },
                           "conv2d: the input's shape (4, 4) is not (n, channels, height, width); the n may be missing");
}

TEST(Pooling, MaximumAndMean) {
  const Tensor x = Tensor::arange(16, {.dtype = float32}).reshape({1, 1, 4, 4});
  expect_equal(x.max_pool2d(), {1, 1, 2, 2}, {5, 7, 13, 15});
  expect_equal(x.avg_pool2d(), {1, 1, 2, 2}, {2.5, 4.5, 10.5, 12.5});
  expect_equal(x.max_pool2d({.size = 3, .stride = 1}), {1, 1, 2, 2}, {10, 11, 14, 15});
  expect_equal((-x).max_pool2d({.size = 2, .padding = 1}), {1, 1, 3, 3}, {0, -1, -3, -4, -5, -7, -12, -13, -15});
  expect_equal(x.avg_pool2d({.size = 2, .padding = 1}), {1, 1, 3, 3}, {0, 0.75, 0.75, 3, 7.5, 4.5, 3, 6.75, 3.75});
  expect_equal(Tensor::arange(16).reshape({1, 1, 4, 4}).max_pool2d({.size = {1, 2}, .padding = {0, 1}}), {1, 1, 4, 3},
               {0, 2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15});
  expect_throw<ValueError>([&] { (void)x.max_pool2d({.size = 1, .padding = 1}); },
                           "max_pool2d: a padding of more than half the size would leave windows of padding alone");
}

TEST(Norms, MeanZeroVarianceOne) {
  const Tensor x = random({4, 6}, 1), w = Tensor::full({6}, 2.f), b = Tensor::full({6}, 1.f);
  const Tensor y = x.layer_norm(w, b, {.eps = 0});
  expect_near(y.mean({.axis = 1}), {1, 1, 1, 1});
  expect_near(y.std({.axis = 1, .correction = 0}), {2, 2, 2, 2}, 1e-5);
  expect_close(x.layer_norm(w, Tensor(), {.eps = 0}) + 1, y);
  const Tensor z = x.batch_norm(x.mean({.axis = 0}), x.var({.axis = 0, .correction = 0}), w, b, {.eps = 0});
  expect_near(z.mean({.axis = 0}), {1, 1, 1, 1, 1, 1}, 1e-5);
  expect_near(z.std({.axis = 0, .correction = 0}), {2, 2, 2, 2, 2, 2}, 1e-5);
  EXPECT_EQ(random({2, 3, 4, 5}, 1).batch_norm(w.at(slice(0, 3)), w.at(slice(0, 3)), w.at(slice(0, 3)), w.at(slice(0, 3))).shape(),
            (Sizes{2, 3, 4, 5}));
  expect_throw<ShapeError>([&] { (void)x.layer_norm(Tensor({1.f}), b); },
                           "layer_norm: the weight's shape (1,) is not that of the last axes of (4, 6), over which it normalises");
}

// Sums that are longer than any panel, which go in rounds or in parts, in parts that do not divide them too. Of small whole numbers, so
// that every order gives the same.
TEST(Matmul, LongSumsOfAnyLengthAndLayout) {
  for (const auto& [m, k, n] : {std::array<int64_t, 3>{9, 20011, 17}, {64, 16411, 48}, {33, 12288, 65}}) {
    const auto numbers = [](int64_t rows, int64_t columns, int64_t by) {
      std::vector<float> out;
      for (int64_t i = 0; i < rows * columns; ++i) out.push_back(static_cast<float>(i * by % 11 % 7 - 3));
      return Tensor::from(out, {rows, columns});
    };
    const Tensor left = numbers(m, k, 3), right = numbers(k, n, 5);
    const std::vector<float> x = left.to_vector<float>(), y = right.to_vector<float>();
    std::vector<float> expected(static_cast<size_t>(m * n));
    for (int64_t i = 0; i < m; ++i)
      for (int64_t s = 0; s < k; ++s)
        for (int64_t j = 0; j < n; ++j)
          expected[static_cast<size_t>(i * n + j)] += x[static_cast<size_t>(i * k + s)] * y[static_cast<size_t>(s * n + j)];
    for (const DType dtype : {float32, bfloat16}) {
      const auto kept = [&](const Tensor& t) { return t.cast(dtype).contiguous().realize().cast(float32); };
      const Tensor a = kept(left), b = kept(right), across = kept(left.T()).T(), down = kept(right.T()).T();
      const std::string at = fmt::format("{} x {} x {} of {}", m, k, n, name_of(dtype));
      EXPECT_EQ(a.matmul(b).to_vector<float>(), expected) << at;
      EXPECT_EQ(across.matmul(b).to_vector<float>(), expected) << at << ", the first transposed";
      EXPECT_EQ(a.matmul(down).to_vector<float>(), expected) << at << ", the second transposed";
      EXPECT_EQ(across.matmul(down).to_vector<float>(), expected) << at << ", both transposed";
    }
  }
}

TEST(CrossEntropy, IsTheMeanOfTheTargetsLogProbabilities) {
  const Tensor logits({{1.f, 2.f, 3.f}, {0.f, 0.f, 0.f}});
  const double first = 3 - std::log(std::exp(1.) + std::exp(2.) + std::exp(3.));
  expect_near(logits.cross_entropy(Tensor({2, 0})), {(-first + std::log(3.)) / 2});
  EXPECT_EQ(random({2, 5, 3, 4}, 1).cross_entropy(Tensor::zeros({2, 3, 4}, {.dtype = int64})).shape(), Sizes{});
  expect_throw<ShapeError>([&] { (void)logits.cross_entropy(Tensor({1})); },
                           "cross_entropy: targets of shape (1,) for an input of shape (2, 3); they must be (2,), one class index each");
}
TEST(CrossEntropy, NeverBuildsAMask) {
  if (settings().eager) return;  // eager tensors have no graph
  const Tensor logits = random({4, 7}, 1);
  bool gathers = false;
  std::function<void(const Tensor&)> walk = [&](const Tensor& t) {
    gathers |= t.op() == Op::Gather;
    EXPECT_LE(t.numel(), 28);
    for (const Tensor& p : t.parents()) walk(p);
  };
  walk(logits.cross_entropy(Tensor({0, 1, 2, 3})));
  EXPECT_TRUE(gathers);
}

}  // namespace
}  // namespace tg
