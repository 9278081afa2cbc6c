// Compiled kernels against the interpreter: the same program on both, over shapes that divide by nothing.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/env.hpp"
#include "tensor/impl.hpp"
#include "tg/device.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

using OnDevice = std::function<Tensor(const std::string& device)>;

// Numbers that look random, the same on every device.
Tensor numbers(const Sizes& shape, const std::string& device, uint64_t seed = 1, double low = -1, double high = 1) {
  int64_t n = 1;
  for (int64_t s : shape) n *= s;
  std::vector<float> v(static_cast<size_t>(n));
  uint64_t state = seed * 0x9E3779B97F4A7C15ull + 1;
  for (float& x : v) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    x = static_cast<float>(low + (high - low) * static_cast<double>(state >> 40) / static_cast<double>(1 << 24));
  }
  return Tensor::from(v, shape, {.device = device});
}

void same(const char* what, const OnDevice& program, double tolerance = 2e-5) {
  const Tensor wanted = program("interpreter").cast(float64), got = program(settings().device).cast(float64);
  ASSERT_EQ(wanted.shape(), got.shape()) << what;
  const std::vector<double> a = wanted.to_vector<double>(), b = got.to_vector<double>();
  double largest = 1;  // rounding grows with what is added up, not with what is left of it
  for (double v : a) if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    ASSERT_NEAR(a[i], b[i], tolerance * largest) << what << " at element " << i << " of " << a.size();
  }
}

TEST(Engine, MatrixProductsOfAllSizes) {
  for (const auto& [m, k, n] :
       {std::tuple{1, 1, 1}, {2, 3, 5}, {7, 64, 16}, {16, 16, 16}, {31, 33, 65}, {64, 1, 64}, {1, 257, 31}, {127, 61, 97}, {130, 300, 129}})
    same("matmul", [=](const std::string& d) { return numbers({m, k}, d, 1).matmul(numbers({k, n}, d, 2)); });
}
TEST(Engine, OneLaunchOverTensorsOfDifferentSizes) {
  const Sizes shapes[] = {{}, {1}, {7}, {4097}, {0}, {3, 5}, {16, 16}, {33000}};
  const auto values = [&](const std::string& d) {
    std::vector<Tensor> out;
    for (const Sizes& s : shapes) out.push_back(numbers(s, d, 3) * 2 + numbers(s, d, 4));
    realize(out);
    return out;
  };
  const std::vector<Tensor> here = values(settings().device), there = values("interpreter");
  for (size_t i = 0; i < here.size(); ++i) EXPECT_EQ(here[i].to_vector<float>(), there[i].to_vector<float>()) << to_string(shapes[i]);
}
// Three reads past the border of a long expression: it is stored with zeros around it, where what it is made of has the padded shape.
TEST(Engine, ZerosAroundAValueAreNotThoseOfAnotherOne) {
  same("padded", [](const std::string& d) {
    const Tensor whole = (numbers({2, 12}, d, 1) * 3).contiguous(), w = numbers({12, 5}, d, 2);
    Tensor part = whole.shrink({{0, 2}, {4, 8}});
    for (int i = 0; i < 60; ++i) part = part * 0.5 + 0.1;
    const auto product = [&](const Tensor& x) { return x.pad({{0, 0}, {4, 4}}).matmul(w); };
    return product(part) + product(part.flip({0})) + product(part.flip({1})) + whole.sum({.axis = 1, .keepdim = true});
  });
}
TEST(Engine, GradientsOfConvolutionsFromWhatIsGiven) {
  for (const auto& [stride, groups, size] : {std::tuple{1, 1, 12}, {2, 1, 25}, {1, 3, 11}, {3, 2, 20}})
    same("input gradient", [=](const std::string& d) {
      const Tensor x = numbers({3, 6 * groups, size, size - 1}, d, 1).set_requires_grad(true);
      const Tensor y = x.conv2d(numbers({24 * groups, 6, 3, 5}, d, 2), {.stride = stride, .padding = 1, .groups = groups});
      return gradient(y, {x}, {.seed = numbers(y.shape(), d, 3)})[0];
    });
}
TEST(Engine, TransposedAndBatchedProducts) {
  same("a b^T", [](const std::string& d) { return numbers({37, 129}, d, 1).matmul(numbers({53, 129}, d, 2).transpose(0, 1)); });
  same("a^T b", [](const std::string& d) { return numbers({129, 37}, d, 1).transpose(0, 1).matmul(numbers({129, 53}, d, 2)); });
  same("batches", [](const std::string& d) { return numbers({3, 5, 17, 19}, d, 1).matmul(numbers({5, 19, 23}, d, 2)); });
  same("bias and relu",
       [](const std::string& d) { return (numbers({33, 70}, d, 1).matmul(numbers({70, 45}, d, 2)) + numbers({45}, d, 3)).relu(); });
}
TEST(Engine, ReductionsOverEveryAxis) {
  for (const Axes& axes : {Axes{0}, Axes{1}, Axes{2}, Axes{0, 1}, Axes{0, 2}, Axes{1, 2}, Axes{0, 1, 2}}) {
    same("sum", [&](const std::string& d) { return numbers({13, 17, 37}, d).sum({.axis = axes}); });
    same("max", [&](const std::string& d) { return numbers({13, 17, 37}, d).max({.axis = axes}); });
  }
}
TEST(Engine, LongReductionsAreSplitIntoParts) {
  for (int64_t n : {262144, 262147, 300007, 524288})
    same("sum", [=](const std::string& d) { return numbers({n}, d).sum(); }, 1e-3);
  same("mean of channels", [](const std::string& d) { return numbers({70, 3, 41, 43}, d).mean({.axis = {0, 2, 3}}); }, 1e-4);
  same("one part of many", [](const std::string& d) { return (numbers({3, 100003}, d).sum({.axis = 1}) * 0.01).exp2().sum(); }, 1e-3);
}
TEST(Engine, SoftmaxAndItsGradient) {
  for (int64_t n : {1, 2, 10, 16, 61, 1000})
    same("softmax", [=](const std::string& d) { return numbers({19, n}, d, 1, -9, 9).softmax(1); });
  same("gradient", [](const std::string& d) {
    Tensor x = numbers({9, 37}, d);
    x.set_requires_grad(true);
    (x.softmax(1) * numbers({9, 37}, d, 2)).sum().backward();
    return x.grad();
  });
}
TEST(Engine, ConvolutionsAndTheirGradients) {
  struct Case { int64_t n, c, h, o, k, stride, padding; };
  for (const Case& c : {Case{2, 3, 9, 5, 3, 1, 0},
                        {2, 3, 9, 5, 3, 1, 1},
                        {3, 4, 11, 17, 5, 2, 2},
                        {1, 1, 28, 32, 5, 1, 0},
                        {2, 32, 8, 33, 3, 1, 1},
                        {5, 2, 7, 3, 1, 1, 0}}) {
    for (int wrt = 0; wrt < 3; ++wrt)
      same("convolution", [&](const std::string& d) {
        Tensor x = numbers({c.n, c.c, c.h, c.h}, d, 1), w = numbers({c.o, c.c, c.k, c.k}, d, 2);
        if (wrt == 0) return x.conv2d(w, {.stride = c.stride, .padding = c.padding});
        Tensor& leaf = wrt == 1 ? x : w;
        leaf.set_requires_grad(true);
        const Tensor y = (x * 1.5).conv2d(w, {.stride = c.stride, .padding = c.padding});
        (y * y).sum().backward();
        return leaf.grad();
      }, 1e-4);
  }
}
TEST(Engine, GradientsThroughLayersOfConvolutions) {  // values with zeros around them are also read without
  for (int wrt = 0; wrt < 4; ++wrt)
    same("layers", [&](const std::string& d) {
      Tensor leaf[] = {numbers({3, 2, 14, 14}, d, 1), numbers({6, 2, 3, 3}, d, 2), numbers({6}, d, 3), numbers({5, 6, 5, 5}, d, 4)};
      leaf[wrt].set_requires_grad(true);
      const Tensor y = leaf[0].conv2d(leaf[1], leaf[2]).relu();
      (y.conv2d(leaf[3], {.padding = 1}).relu().max_pool2d({.size = 2}) * 0.1).exp().sum().backward();
      return leaf[wrt].grad();
    }, 1e-4);
}
TEST(Engine, LongWeightGradientsAreSplitIntoParts) {
  same("weight gradient", [](const std::string& d) {
    Tensor x = numbers({13, 4, 41, 43}, d, 1), w = numbers({10, 4, 3, 3}, d, 2);
    w.set_requires_grad(true);
    (x.conv2d(w) * 0.01).sum().backward();
    return w.grad();
  }, 1e-3);
}
TEST(Engine, PoolingAndItsGradient) {
  same("max pool", [](const std::string& d) { return numbers({2, 3, 11, 13}, d).max_pool2d({.size = 2}); });
  same("overlapping windows",
       [](const std::string& d) { return numbers({2, 3, 11, 13}, d).max_pool2d({.size = 3, .stride = 2, .padding = 1}); });
  same("gradient", [](const std::string& d) {
    Tensor x = numbers({2, 3, 12, 10}, d);
    x.set_requires_grad(true);
    (x.max_pool2d({.size = 3, .stride = 2}) * numbers({2, 3, 5, 4}, d, 2)).sum().backward();
    return x.grad();
  });
}
TEST(Engine, MovementAndPadding) {
  same("permute and reshape", [](const std::string& d) { return numbers({5, 7, 11}, d).permute({2, 0, 1}).reshape({35, 11}) * 2; });
  same("pad of a function", [](const std::string& d) { return (numbers({5, 7}, d).exp2()).pad({{1, 2}, {0, 3}}) + 1; });
  same("flip and cat", [](const std::string& d) { return cat({numbers({3, 17}, d).flip({1}), numbers({2, 17}, d, 2)}, 0) * 3; });
  same("reshape of a pad", [](const std::string& d) { return numbers({4, 6}, d).pad({{1, 1}, {1, 1}}).reshape({48}).sin(); });
}
TEST(Engine, EmptyAndScalar) {
  same("scalar", [](const std::string& d) { return numbers({}, d) * 2 + 1; });
  same("empty", [](const std::string& d) { return numbers({0, 3}, d) * 2; });
  same("sum of nothing", [](const std::string& d) { return numbers({0, 3}, d).sum({.axis = 0}) + 1; });
  same("nothing from memory", [](const std::string& d) { return numbers({0, 3}, d).realize().max({.axis = 1}); });
}
TEST(Engine, EveryDtypeKeepsItsArithmetic) {
  for (DType t : {bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, float32, float64}) {
    if (!tg::device(settings().device).target().supports(t)) continue;
    same(std::string(name_of(t)).c_str(), [=](const std::string& d) {
      const Tensor a = numbers({3, 41}, d, 1, 0, 9).cast(t), b = numbers({3, 41}, d, 2, 1, 9).cast(t);
      return where(a < b, a * b, maximum(a, b));
    });
  }
}
TEST(Engine, ScansOverEveryAxis) {
  for (Monoid m : {Monoid::Sum, Monoid::Prod, Monoid::Max, Monoid::Min, Monoid::ArgMax})
    for (int axis : {0, 1, 2})
      for (bool inclusive : {true, false})
        same("scan", [&](const std::string& d) {
          const Tensor x = numbers({3, 21, 2}, d);
          UOp u = UOp::make(Op::Scan, {node_of(x, "test")}, ScanArg{m, axis, inclusive});
          if (m == Monoid::ArgMax) u = UOp::make(Op::Get, {u}, int64_t{1}, DType::index);
          return make(u, d);
        });
  same("running mean of rows", [](const std::string& d) {
    const UOp x = node_of(numbers({5, 40}, d) * 2, "test");
    return make(UOp::make(Op::Scan, {x}, ScanArg{Monoid::Sum, 1}), d).sum({.axis = 0}) / 5;
  });
}
TEST(Engine, GatherAndItsGradient) {
  same("rows", [](const std::string& d) { return numbers({50, 19}, d).at(Tensor({3, 0, 49, 3, 7}, {.device = d})); });
  same("gradient", [](const std::string& d) {
    Tensor table = numbers({50, 19}, d);
    table.set_requires_grad(true);
    (table.at(Tensor({3, 0, 49, 3, 7}, {.device = d})) * numbers({5, 19}, d, 2)).sum().backward();
    return table.grad();
  });
}
TEST(Engine, IndexOutsideIsAnErrorAndLeavesTheTensorUsable) {
  const std::string d = settings().device;
  const Tensor table = numbers({5, 3}, d), places({1, 7}, {.device = d});
  EXPECT_THROW((void)table.at(places).to_vector<float>(), IndexError);
  EXPECT_EQ(table.to_vector<float>().size(), 15u);
}
TEST(Engine, ArgMaxTakesTheFirst) {
  same("rows", [](const std::string& d) { return numbers({23, 37}, d).argmax({.axis = 1}); });
  same("ties", [](const std::string& d) { return (numbers({5, 100}, d) * 3).floor().argmax({.axis = 1}); });
  same("all", [](const std::string& d) { return numbers({23, 37}, d).argmax(); });
}
TEST(Engine, AssignmentsSeeTheValueBeforeThem) {
  same("in place", [](const std::string& d) {
    Tensor x = numbers({1000}, d);
    x.realize();
    for (int i = 0; i < 3; ++i) { x.assign(x * 2 + 1); x.realize(); }
    return x;
  });
  same("read elsewhere", [](const std::string& d) {
    Tensor x = numbers({64}, d);
    x.realize();
    const Tensor before = x + 1;
    x.assign(x.flip({0}) * 2);
    x.realize();
    return before + x;
  });
}
TEST(Engine, ArgumentsThatNothingIsReadFrom) {
  same("zeros from nothing, then from an empty array", [](const std::string& d) {
    const Tensor plain = Tensor::zeros({2}, {.device = d}).contiguous().realize();
    return plain + Tensor::from(std::vector<float>{}, {0}, {.device = d}).pad({{0, 2}}).realize();  // the same store, an argument more
  });
}
TEST(Engine, SameBitsOnEveryRun) {
  const std::string d = settings().device;
  const Tensor x = numbers({300007}, d).realize();
  const float first = x.sum().item<float>();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(first, (x + i - i).sum().item<float>() * 0 + x.sum().item<float>());
}

}  // namespace
}  // namespace tg
