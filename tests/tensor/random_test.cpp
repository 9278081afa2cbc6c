// Random numbers: the published vectors of the block function, the documented layout, and what the distributions must be.
#include <algorithm>
#include <cstdint>
#include <numeric>

#include "tensor_testing.hpp"
#include "tg/ir/uop.hpp"

namespace tg {
namespace {

using Words = std::array<uint32_t, 2>;

TEST(Threefry, KnownAnswers) {  // Random123's kat_vectors, threefry2x32, 20 rounds
  EXPECT_EQ(threefry2x32({0, 0}, {0, 0}), (Words{0x6b200159, 0x99ba4efe}));
  EXPECT_EQ(threefry2x32({0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}), (Words{0x1cb996fc, 0xbb002be7}));
  EXPECT_EQ(threefry2x32({0x13198a2e, 0x03707344}, {0x243f6a88, 0x85a308d3}), (Words{0xc4923a9c, 0x483df7a0}));
}

TEST(Random, TensorsFollowTheDocumentedLayout) {
  manual_seed(uint64_t{5} << 32 | 7);
  (void)Tensor::rand({3});
  const auto x = Tensor::rand({2, 3}).to_vector<float>();
  const Words key = threefry2x32({5, 7}, {0, 1});
  for (uint32_t i = 0; i < 6; ++i) {
    const Words w = threefry2x32(key, {0, i});
    EXPECT_EQ(x[i], static_cast<float>((w[0] ^ w[1]) >> 9) * 0x1p-23f) << i;
  }
  REQUIRE_DTYPE(float64);
  manual_seed(7);
  const auto y = Tensor::rand({4}, {.dtype = float64}).to_vector<double>();
  for (uint32_t i = 0; i < 4; ++i) {
    const Words w = threefry2x32(threefry2x32({0, 7}, {0, 0}), {0, i});
    EXPECT_EQ(y[i], static_cast<double>((uint64_t{w[0]} << 32 | w[1]) >> 12) * 0x1p-52) << i;
  }
}

/// What f draws first under the key.
std::vector<double> under(Words key, const std::function<Tensor()>& f) {
  Generator g = Generator::with_key(key);
  const Drawing from(g);
  return f().to_vector<double>();
}
Words child(Words key, uint32_t i) { return threefry2x32(key, {0, i}); }  // element i of jax.random.split
Words key_of(uint32_t seed) { return {0, seed}; }                         // jax.random.key

TEST(Random, IsWhatJaxPublishes) {
  const auto rand = [](const Sizes& shape) { return [=] { return Tensor::rand(shape); }; };
  const auto floats = [](std::initializer_list<float> v) { return std::vector<double>(v.begin(), v.end()); };
  // docs.jax.dev/en/latest/jax.random.html, "PRNG keys", and docs.jax.dev/en/latest/jep/9263-typed-keys.html: eight decimals, which are
  // all digits of numbers from 0.1 on.
  EXPECT_EQ(under(key_of(0), rand({})), floats({0.947667f}));
  EXPECT_NEAR(under(child(key_of(0), 1), rand({}))[0], 0.00729382, 0.5e-8);
  EXPECT_EQ(under(key_of(0), rand({3})), floats({0.947667f, 0.9785799f, 0.33229148f}));
  // docs.jax.dev/en/latest/random-numbers.html: up to how erfinv is rounded.
  const auto expect_normal = [](Words key, const std::vector<double>& expected) {
    const auto x = under(key, [&] { return Tensor::randn({static_cast<int64_t>(expected.size())}); });
    for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], expected[i], 4e-7 * std::abs(expected[i])) << i;
  };
  expect_normal(key_of(42), {-0.028304616, 0.46713185, 0.29570296});
  expect_normal(child(key_of(42), 0), {0.07592554});
  expect_normal(child(key_of(42), 1), {0.60576403});
  expect_normal(child(key_of(42), 2), {0.4323065});
  Words key = key_of(42);
  for (const double draw : {0.6057640314102173, -0.21089035272598267, -0.3948981463909149}) {
    expect_normal(child(key, 1), {draw});
    key = child(key, 0);
  }
}

/// jax.random.randint and permutation, after jax/_src/random.py.
std::vector<double> randint_of_jax(Words key, uint32_t n, int64_t low, int64_t high, int width) {
  const auto wrapped = [&](uint64_t v) { return width == 64 ? v : v & ((uint64_t{1} << width) - 1); };
  const auto bits = [&](Words from, uint32_t i) {
    const Words w = threefry2x32(from, {0, i});
    return width == 64 ? uint64_t{w[0]} << 32 | w[1] : wrapped(w[0] ^ w[1]);
  };
  const auto rem = [](uint64_t a, uint64_t b) { return b ? a % b : a; };
  const uint64_t span = wrapped(static_cast<uint64_t>(high - low));
  uint64_t multiplier = rem(uint64_t{1} << width / 2, span);
  multiplier = rem(wrapped(multiplier * multiplier), span);
  std::vector<double> out;
  for (uint32_t i = 0; i < n; ++i) {
    const uint64_t upper = rem(bits(child(key, 0), i), span), lower = rem(bits(child(key, 1), i), span);
    out.push_back(static_cast<double>(low + static_cast<int64_t>(rem(wrapped(wrapped(upper * multiplier) + lower), span))));
  }
  return out;
}
std::vector<double> permutation_of_jax(Words key, size_t n, int sorts) {
  std::vector<double> out(n);
  std::iota(out.begin(), out.end(), 0);
  for (int s = 0; s < sorts; ++s, key = child(key, 0)) {
    std::vector<std::pair<uint32_t, double>> by_key;
    for (uint32_t i = 0; i < n; ++i) {
      const Words w = threefry2x32(child(key, 1), {0, i});
      by_key.emplace_back(w[0] ^ w[1], out[i]);
    }
    std::stable_sort(by_key.begin(), by_key.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (size_t i = 0; i < n; ++i) out[i] = by_key[i].second;
  }
  return out;
}

TEST(Random, WholeNumbersAreThoseOfJax) {
  const auto check = [](DType t, int width, int64_t low, int64_t high) {
    const auto draw = [&] { return Tensor::randint({50}, low, high, {.dtype = t}); };
    EXPECT_EQ(under(key_of(3), draw), randint_of_jax(key_of(3), 50, low, high, width)) << name_of(t) << " from " << low << " to " << high;
  };
  for (const auto& [low, high] : {std::pair<int64_t, int64_t>{0, 20}, {-5, 3}, {0, 1}, {-100, 100}}) {
    check(int8, 8, low, high);
    check(int16, 16, low, high);
    check(int32, 32, low, high);
    check(int64, 64, low, high);
    if (settings().device == "opencl") break;  // whose compiler takes a second a range
  }
  check(int32, 32, INT32_MIN, INT32_MAX + int64_t{1});
  check(int32, 32, 0, 1234567890);
  check(uint8, 8, 0, 256);
  check(uint16, 16, 1, 50000);
  check(uint32, 32, 0, 4000000000);
  check(int64, 64, -3, int64_t{1} << 40);
  EXPECT_EQ(under(key_of(9), [] { return randperm(13); }), permutation_of_jax(key_of(9), 13, 1));
  EXPECT_EQ(under(key_of(9), [] { return randperm(3000); }), permutation_of_jax(key_of(9), 3000, 2));
  EXPECT_EQ(under(key_of(9), [] { return randperm(1); }), (std::vector<double>{0}));
}

TEST(Random, EveryFloatDtypeTakesTheBitsOfJax) {
  const auto of = [](uint32_t i) { return threefry2x32(key_of(5), {0, i}); };
  const auto check = [&](DType t, const std::function<double(Words)>& value) {
    if (!supported(t)) return;
    const auto x = under(key_of(5), [&] { return Tensor::rand({40}, {.dtype = t}); });
    for (uint32_t i = 0; i < x.size(); ++i) EXPECT_EQ(x[i], value(of(i))) << name_of(t) << " " << i;
  };
  check(bfloat16, [](Words w) { return ((w[0] ^ w[1]) & 0xff) / 2 * 0x1p-7; });  // of 8 bits
  check(float16, [](Words w) { return ((w[0] ^ w[1]) & 0xffff) / 64 * 0x1p-10; });
  check(float32, [](Words w) { return (w[0] ^ w[1]) / 512 * 0x1p-23; });
  check(float64, [](Words w) { return static_cast<double>((uint64_t{w[0]} << 32 | w[1]) >> 12) * 0x1p-52; });
  // (high - low) rounded, times that, plus low.
  const auto u = under(key_of(5), [] { return Tensor::uniform({40}, {.low = 0.1, .high = 0.7}); });
  const auto b = under(key_of(5), [] { return bernoulli(Tensor::full({40}, 0.25f)); });
  for (uint32_t i = 0; i < u.size(); ++i) {
    const float fraction = static_cast<float>((of(i)[0] ^ of(i)[1]) >> 9) * 0x1p-23f, size = 0.7f - 0.1f, scaled = fraction * size;
    EXPECT_EQ(u[i], scaled + 0.1f) << i;
    EXPECT_EQ(b[i], fraction < 0.25f) << i;
  }
}

TEST(Random, SeedsRepeatAndCallsDiffer) {
  manual_seed(3);
  const auto a = Tensor::rand({8}).to_vector<float>(), b = Tensor::rand({8}).to_vector<float>();
  manual_seed(3);
  EXPECT_EQ(Tensor::rand({8}).to_vector<float>(), a);
  EXPECT_NE(a, b);
  const Tensor x = Tensor::rand({8}), y = Tensor::rand({8});  // two draws in one graph
  EXPECT_NE((x - y).abs().sum().item<float>(), 0);
  EXPECT_EQ(x.to_vector<float>(), x.to_vector<float>());
}

TEST(Random, Distributions) {
  manual_seed(1);
  const int64_t n = 20000;
  const Tensor u = Tensor::rand({n}), g = Tensor::randn({n}), k = Tensor::uniform({n}, {.low = -2, .high = 4});
  EXPECT_GE(u.min().item<float>(), 0);
  EXPECT_LT(u.max().item<float>(), 1);
  EXPECT_NEAR(u.mean().item<double>(), 0.5, 0.01);
  EXPECT_NEAR(u.var().item<double>(), 1 / 12., 0.003);
  EXPECT_NEAR(g.mean().item<double>(), 0, 0.03);
  EXPECT_NEAR(g.var().item<double>(), 1, 0.04);
  EXPECT_NEAR((g * g * g).mean().item<double>(), 0, 0.1);
  EXPECT_NEAR(pow(g, 4).mean().item<double>(), 3, 0.25);
  EXPECT_GT(g.max().item<float>(), 3);
  EXPECT_NEAR(k.mean().item<double>(), 1, 0.06);
  const Tensor dice = Tensor::randint({n}, -1, 5);
  EXPECT_EQ(dice.dtype(), int32);
  for (int face = -1; face < 5; ++face) EXPECT_NEAR((dice == face).sum().item<double>(), n / 6., 200) << face;
  const Tensor w = Tensor::kaiming_uniform({100, 50});
  const double bound = std::sqrt(6 / 50.);
  EXPECT_LE(w.abs().max().item<double>(), bound);
  EXPECT_GT(w.abs().max().item<double>(), 0.99 * bound);
}

TEST(Random, EveryFloatDtypeStaysBelowOne) {
  for (DType t : {float16, bfloat16, float32, float64}) {
    if (!supported(t)) continue;
    const Tensor u = Tensor::rand({3000}, {.dtype = t});
    EXPECT_EQ(u.dtype(), t);
    EXPECT_LT(u.max().item<double>(), 1) << name_of(t);
    EXPECT_NEAR(u.cast(float32).mean().item<double>(), 0.5, 0.02) << name_of(t);
    EXPECT_NEAR(Tensor::randn({3000}, {.dtype = t}).cast(float32).std().item<double>(), 1, 0.05) << name_of(t);
  }
}

TEST(Random, Dropout) {
  const Tensor x = Tensor::ones({10000}), y = x.dropout(0.25);
  EXPECT_NEAR(y.mean().item<double>(), 1, 0.03);
  EXPECT_NEAR((y == 0).cast(float32).mean().item<double>(), 0.25, 0.02);
  expect_close(x.dropout(0.25, false), x);
  expect_near(Tensor({1.f, 2.f}).dropout(1), {0, 0});
  expect_throw<ValueError>([&] { (void)x.dropout(1.5); }, "dropout: p is 1.5; it takes a probability from 0 to 1");
}

TEST(Random, TheGraphIsTheSameAtEveryStep) {
  if (settings().eager) return;  // eager tensors have no graph
  (void)Tensor::rand({5});
  const auto nodes = [] {
    const size_t before = detail::made_nodes();
    const Tensor x = Tensor::rand({5});
    return detail::made_nodes() - before;
  };
  const size_t first = nodes();
  EXPECT_EQ(nodes(), first);
}

TEST(Generator, DrawsWithItsKeyAsItIs) {
  Generator g = Generator::with_key({0, 42});
  const Drawing from(g);
  const auto x = Tensor::rand({3}).to_vector<float>();
  for (uint32_t i = 0; i < 3; ++i) {
    const Words w = threefry2x32({0, 42}, {0, i});
    EXPECT_EQ(x[i], static_cast<float>((w[0] ^ w[1]) >> 9) * 0x1p-23f);
  }
  EXPECT_NE(Tensor::rand({3}).to_vector<float>(), x);
  EXPECT_EQ(g.calls(), 2u);
}

TEST(Generator, IsApartFromTheProcess) {
  manual_seed(3);
  const auto wanted = Tensor::rand({4}).to_vector<float>();
  manual_seed(3);
  Generator g(3), copy = g;
  std::vector<float> own;
  {
    const Drawing from(g);
    own = Tensor::rand({4}).to_vector<float>();
    EXPECT_NE(Tensor::rand({4}).to_vector<float>(), own);
  }
  EXPECT_EQ(own, wanted);
  EXPECT_EQ(Tensor::rand({4}).to_vector<float>(), wanted);
  const Drawing from(copy);
  EXPECT_EQ(Tensor::rand({4}).to_vector<float>(), wanted);
}

TEST(Random, WeightsToStartWith) {
  manual_seed(2);
  EXPECT_NEAR(kaiming_normal({100, 50, 2}).std().item<double>(), std::sqrt(2 / 100.), 0.005);
  EXPECT_NEAR(xavier_normal({100, 300}, 2).std().item<double>(), 2 * std::sqrt(2 / 400.), 0.005);
  const double bound = std::sqrt(6 / 400.);
  EXPECT_NEAR(glorot_uniform({100, 300}).abs().max().item<double>(), bound, bound * 0.01);
  EXPECT_NEAR(normal({20000}, {.mean = 3, .std = 0.5}).mean().item<double>(), 3, 0.02);
  expect_throw<ShapeError>([] { (void)xavier_normal({3}); }, "xavier_normal: shape (3,) has no fan-in; it takes two axes or more");
}

TEST(Random, Choices) {
  manual_seed(4);
  const Tensor order = randperm(1000);
  EXPECT_EQ(order.dtype(), int32);
  expect_equal((order.sort().values == Tensor::arange(1000)).all(), {}, {1});
  EXPECT_LT((order == Tensor::arange(1000)).sum().item<int>(), 20);
  EXPECT_EQ(randperm(0).shape(), (Sizes{0}));
  const Tensor coins = bernoulli(Tensor::full({20000}, 0.3f));
  EXPECT_NEAR(coins.mean().item<double>(), 0.3, 0.015);
  expect_near(bernoulli(Tensor({0.f, 1.f, 1.f, 0.f})), {0, 1, 1, 0});
  const Tensor weights({{1.f, 0.f, 3.f}, {0.f, 0.f, 2.f}});
  const Tensor drawn = multinomial(weights, 8000, true);
  EXPECT_EQ(drawn.shape(), (Sizes{2, 8000}));
  const auto share = [&](int row, int which) { return (drawn.at(row) == which).cast(float32).mean().item<double>(); };
  EXPECT_NEAR(share(0, 2), 0.75, 0.02);
  EXPECT_EQ(share(0, 1), 0);
  EXPECT_EQ(share(1, 2), 1);
  expect_equal(multinomial(Tensor({1.f, 5.f, 2.f}), 3).sort().values, {3}, {0, 1, 2});
  expect_throw<ValueError>([] { (void)multinomial(Tensor({1.f}), 2); },
                           "multinomial: 2 draws of 1 without replacement; draw fewer, or with replacement = true");
}

TEST(Random, Errors) {
  expect_throw<ValueError>([] { (void)Tensor::randint({1}, 3, 3); }, "randint: the range [3, 3) is empty; low must be below high");
  expect_throw<ValueError>([] { (void)Tensor::randint({1}, 0, 300, {.dtype = uint8}); },
                           "randint: 299 is outside the range of uint8; cast the tensor to a wider dtype first");
  expect_throw<DTypeError>([] { (void)Tensor::rand({1}, {.dtype = int32}); },
                           "rand: not defined for int32; ask for a float dtype, or use randint");
  expect_throw<ShapeError>([] { (void)Tensor::kaiming_uniform({3}); },
                           "kaiming_uniform: shape (3,) has no fan-in; it takes two axes or more");
}

}  // namespace
}  // namespace tg
