// Attention whose scores are larger than a cache, so that it runs in blocks: against loops in double, for every way to change the scores;
// as one launch; with memory that grows with the length and not with its square.
#include "tg/attention.hpp"

#include <functional>

#include "engine/realize.hpp"
#include "runtime/null/null.hpp"
#include "tensor/tensor_testing.hpp"
#include "tg/settings.hpp"

namespace tg {
namespace {

// Only the cpu has steps, and only graphs that are computed whole.
struct AttentionInBlocks : testing::Test {
  const WithSettings here{{.device = "cpu", .eager = false}};
};

/// What becomes of a score, and its derivative with respect to what it was.
struct Score { double value, slope = 1; };
using Change = std::function<Score(int64_t head, int64_t q, int64_t k, double score)>;

struct Sizes3 { int64_t heads, groups, queries, keys, inner, outer; };
struct Results { std::vector<double> out, dq, dk, dv; };

// The textbook's loops, in double.
Results by_loops(const Sizes3& n, const std::vector<double>& q, const std::vector<double>& k, const std::vector<double>& v,
                 const std::vector<double>& seed, double scale, const Change& change) {
  Results r{std::vector<double>(static_cast<size_t>(n.heads * n.queries * n.outer)), std::vector<double>(q.size()),
            std::vector<double>(k.size()), std::vector<double>(v.size())};
  const auto at = [](int64_t i) { return static_cast<size_t>(i); };
  std::vector<double> p(at(n.keys)), slope(at(n.keys)), dp(at(n.keys));
  for (int64_t h = 0; h < n.heads; ++h)
    for (int64_t i = 0; i < n.queries; ++i) {
      const int64_t own = (h * n.queries + i) * n.inner, out = (h * n.queries + i) * n.outer, g = h / (n.heads / n.groups) * n.keys;
      double most = -HUGE_VAL, sum = 0, mean = 0;
      for (int64_t j = 0; j < n.keys; ++j) {
        double s = 0;
        for (int64_t e = 0; e < n.inner; ++e) s += q[at(own + e)] * k[at((g + j) * n.inner + e)];
        const Score changed = change(h, i, j, s * scale);
        p[at(j)] = changed.value, slope[at(j)] = changed.slope;
        most = std::fmax(most, changed.value);
      }
      for (double& x : p) sum += x = std::exp(x - most);
      for (double& x : p) x /= sum;
      for (int64_t j = 0; j < n.keys; ++j) {
        dp[at(j)] = 0;
        for (int64_t e = 0; e < n.outer; ++e) {
          r.out[at(out + e)] += p[at(j)] * v[at((g + j) * n.outer + e)];
          r.dv[at((g + j) * n.outer + e)] += p[at(j)] * seed[at(out + e)];
          dp[at(j)] += seed[at(out + e)] * v[at((g + j) * n.outer + e)];
        }
        mean += p[at(j)] * dp[at(j)];
      }
      for (int64_t j = 0; j < n.keys; ++j) {
        const double ds = p[at(j)] * (dp[at(j)] - mean) * slope[at(j)] * scale;
        for (int64_t e = 0; e < n.inner; ++e) {
          r.dq[at(own + e)] += ds * k[at((g + j) * n.inner + e)];
          r.dk[at((g + j) * n.inner + e)] += ds * q[at(own + e)];
        }
      }
    }
  return r;
}

Tensor floats(const std::vector<double>& values, const Sizes& shape, bool grad = false) {
  return Tensor::from(values, shape, {.dtype = float32, .requires_grad = grad});
}

void compare(const Sizes3& n, const AttentionOptions& o, const Change& change) {
  const auto qs = samples(n.heads * n.queries * n.inner, -1, 1, 1), ks = samples(n.groups * n.keys * n.inner, -1, 1, 2),
             vs = samples(n.groups * n.keys * n.outer, -1, 1, 3), seeds = samples(n.heads * n.queries * n.outer, -1, 1, 4);
  const double scale = o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<double>(n.inner));
  const Results r = by_loops(n, qs, ks, vs, seeds, scale, change);
  const Tensor q = floats(qs, {1, n.heads, n.queries, n.inner}, true), k = floats(ks, {1, n.groups, n.keys, n.inner}, true),
               v = floats(vs, {1, n.groups, n.keys, n.outer}, true), seed = floats(seeds, {1, n.heads, n.queries, n.outer});
  {
    const NoGrad none;
    expect_near(scaled_dot_product_attention(q, k, v, o), r.out, 1e-5);
  }
  std::vector<Tensor> all = gradient(scaled_dot_product_attention(q, k, v, o), {q, k, v}, {.seed = seed});
  all.push_back(scaled_dot_product_attention(q, k, v, o));
  realize(all);
  expect_near(all[0], r.dq, 2e-5);
  expect_near(all[1], r.dk, 2e-5);
  expect_near(all[2], r.dv, 2e-5);
  expect_near(all[3], r.out, 1e-5);
}

const Change kPlain = [](int64_t, int64_t, int64_t, double s) { return Score{s}; };
const Change kCausal = [](int64_t, int64_t i, int64_t j, double s) { return j <= i ? Score{s} : Score{-HUGE_VAL, 0}; };

TEST_F(AttentionInBlocks, OddSizes) { compare({8, 8, 403, 401, 19, 23}, {}, kPlain); }
TEST_F(AttentionInBlocks, Causal) { compare({8, 8, 416, 416, 16, 32}, {.causal = true}, kCausal); }
TEST_F(AttentionInBlocks, CausalOfOddSizes) { compare({8, 8, 403, 403, 19, 23}, {.causal = true}, kCausal); }
TEST_F(AttentionInBlocks, CausalWithFewerKeys) { compare({8, 8, 521, 331, 17, 16}, {.causal = true}, kCausal); }
TEST_F(AttentionInBlocks, CausalWithMoreKeys) { compare({8, 8, 331, 521, 17, 16}, {.causal = true}, kCausal); }
TEST_F(AttentionInBlocks, GroupedAndScaled) {
  compare({8, 2, 403, 403, 16, 16}, {.causal = true, .grouped = true, .scale = 0.37}, kCausal);
}

// Few heads, or few with keys of their own: sums of their gradients are made in parts.
TEST_F(AttentionInBlocks, FewHeads) {
  compare({1, 1, 1021, 1021, 17, 16}, {.causal = true}, kCausal);
  compare({2, 2, 701, 801, 16, 19}, {}, kPlain);
  compare({6, 1, 403, 403, 16, 16}, {.causal = true, .grouped = true}, kCausal);
}

TEST_F(AttentionInBlocks, Masks) {
  const int64_t n = 403;
  const auto bias = samples(n * n, -3, 3, 7);
  const auto at = [&](int64_t i, int64_t j) { return static_cast<double>(static_cast<float>(bias[static_cast<size_t>(i * n + j)])); };
  compare({8, 8, n, n, 16, 16}, {.mask = floats(bias, {n, n}), .causal = true},
          [&](int64_t, int64_t i, int64_t j, double s) { return j <= i ? Score{s + at(i, j)} : Score{-HUGE_VAL, 0}; });
  compare({8, 8, n, n, 16, 16}, {.mask = floats(bias, {n, n}) < 1},
          [&](int64_t, int64_t i, int64_t j, double s) { return at(i, j) < 1 ? Score{s} : Score{-HUGE_VAL, 0}; });
}

// A gradient that depends on the result: what it needs of the forward pass is made again.
TEST_F(AttentionInBlocks, GradientOfASquare) {
  const Sizes3 n{8, 8, 403, 403, 19, 23};
  const auto qs = samples(n.heads * n.queries * n.inner, -1, 1, 1), ks = samples(n.groups * n.keys * n.inner, -1, 1, 2),
             vs = samples(n.groups * n.keys * n.outer, -1, 1, 3);
  const double scale = 1 / std::sqrt(19.0);
  const std::vector<double> none(qs.size() / 19 * 23), out = by_loops(n, qs, ks, vs, none, scale, kCausal).out;
  const Results r = by_loops(n, qs, ks, vs, out, scale, kCausal);
  const Tensor q = floats(qs, {1, 8, 403, 19}, true), k = floats(ks, {1, 8, 403, 19}, true), v = floats(vs, {1, 8, 403, 23}, true);
  const Tensor y = scaled_dot_product_attention(q, k, v, {.causal = true});
  std::vector<Tensor> all = gradient(y.square().sum() * 0.5, {q, k, v});
  all.push_back(y);
  realize(all);
  expect_near(all[0], r.dq, 2e-5);
  expect_near(all[1], r.dk, 2e-5);
  expect_near(all[2], r.dv, 2e-5);
  expect_near(all[3], r.out, 1e-5);
}

// What is asked for is in memory and may be read at other rows, by kernels that else would be steps.
TEST_F(AttentionInBlocks, WeightsAreAskedForToo) {
  const Tensor q = floats(samples(8 * 403 * 16, -1, 1, 1), {8, 403, 16}), k = floats(samples(8 * 403 * 16, -1, 1, 2), {8, 403, 16});
  const Tensor scores = q.matmul(k.transpose(-2, -1)), p = scores.softmax(-1), out = p.matmul(k);
  const Tensor other = (p * p.transpose(-2, -1)).matmul(k), scaled = (p * scores.transpose(-2, -1)).matmul(out);
  std::vector<Tensor> all{p, out, other, scaled};
  realize(all);
  const Tensor kept = Tensor::from(p.to_vector<double>(), {8, 403, 403}),
               s = q.cast(float64).matmul(k.cast(float64).transpose(-2, -1)).realize();
  const Tensor k64 = k.cast(float64).realize(), o = kept.matmul(k64).realize();
  expect_close(out.cast(float64), o, 1e-5);
  expect_close(other.cast(float64), (kept * kept.transpose(-2, -1)).realize().matmul(k64), 1e-5);
  expect_close(scaled.cast(float64), (kept * s.transpose(-2, -1)).realize().matmul(o), 1e-5);
}

// A query that may look nowhere gets nan, and no other; so does the gradient of each value that it is added to, and no gradient of a query
// or key, whose scores the mask keeps from it.
TEST_F(AttentionInBlocks, NowhereToLook) {
  const int64_t n = 600;
  const Tensor row = Tensor::arange(n).unsqueeze(1), x = floats(samples(8 * n * 16, -1, 1), {1, 8, n, 16});
  const auto nans = [](const Tensor& y) { return isnan(y).cast(int32).sum({.axis = -1}); };
  for (const bool causal : {false, true}) {
    const Tensor y = scaled_dot_product_attention(x, x, x, {.mask = (row % 100 != 17).expand({n, n}), .causal = causal});
    EXPECT_TRUE(all(nans(y) == (row.squeeze(1) % 100 == 17).cast(int32) * 16).item<bool>());
    const Tensor q = x.detach().set_requires_grad(), k = (x * 2).detach().set_requires_grad(), v = (x - 1).detach().set_requires_grad();
    const Tensor z = scaled_dot_product_attention(q, k, v, {.mask = (row % 100 != 17).expand({n, n}), .causal = causal});
    const std::vector<Tensor> g = gradient(z.sum(), {q, k, v});
    EXPECT_EQ(nans(g[0]).sum().item<int>(), 0);
    EXPECT_EQ(nans(g[1]).sum().item<int>(), 0);
    // Causal: query 517 is the last that would look at these; what lies behind the ends of rows is left out.
    EXPECT_TRUE(all(nans(g[2]).at(0, slice(), slice(0, causal ? 518 : n)) == 16).item<bool>());
  }
}

TEST_F(AttentionInBlocks, NothingToDo) {
  const Tensor x = Tensor::zeros({0, 8, 600, 16});
  EXPECT_EQ(scaled_dot_product_attention(x, x, x, {.causal = true}).realize().numel(), 0);
}

// ---- what is launched, and how much memory it takes: of a made-up machine ----

NullDevice::Counts counts(const std::function<std::vector<Tensor>()>& graph) {
  auto& null = dynamic_cast<NullDevice&>(device("null"));
  const std::vector<Tensor> results = graph();
  null.reset();
  const size_t before = null.counts().live_bytes;
  realize(results);
  NullDevice::Counts c = null.counts();
  c.peak_bytes -= before;
  return c;
}
Tensor given(const Sizes& shape) { return Tensor::ones(shape, {.device = "null", .requires_grad = true}).realize(); }

TEST_F(AttentionInBlocks, IsOneLaunch) {
  const Tensor x = given({4, 8, 1024, 64}), few = given({4, 2, 1024, 64}), bias = given({1024, 1024}).detach();
  const auto launches = [&](const Tensor& k, const AttentionOptions& o) {
    return counts([&] { return std::vector<Tensor>{scaled_dot_product_attention(x, k, k, o)}; }).kernels;
  };
  EXPECT_EQ(launches(x, {}), 1);
  EXPECT_EQ(launches(x, {.causal = true}), 1);
  EXPECT_EQ(launches(few, {.causal = true, .grouped = true}), 1);
  EXPECT_EQ(launches(x, {.mask = bias, .scale = 0.3}), 1);
  EXPECT_EQ(launches(x, {.mask = (bias > 0).realize()}), 1);
  const auto capped = [&] { return 30 * tanh(x.matmul(x.transpose(-2, -1)) * 0.125 / 30); };
  EXPECT_EQ(counts([&] { return std::vector<Tensor>{(capped() + bias).softmax(-1).matmul(x)}; }).kernels, 1);
}

// What changes the scores, beside arguments that are given; how many heads, and how many of them have keys of their own.
struct Kind {
  const char* name;
  int64_t batch, heads, groups;
  bool causal, bias, mask, cap;
  int64_t width = 64;
};
const Kind kKinds[] = {
    {"plain", 4, 8, 8, false, false, false, false},   {"causal", 4, 8, 8, true, false, false, false},
    {"grouped", 4, 8, 2, true, false, false, false},  {"one with keys", 1, 8, 1, false, false, false, false},
    {"one head", 1, 1, 1, true, false, false, false}, {"three heads", 1, 3, 3, false, false, false, false},
    {"bias", 4, 8, 8, false, true, false, false},     {"mask", 4, 8, 8, false, false, true, false},
    {"capped", 4, 8, 8, true, false, false, true},    {"all", 2, 8, 2, true, true, true, true},
    {"wide", 1, 1, 1, true, false, false, false, 128},
};

TEST_F(AttentionInBlocks, GrowsWithTheLength) {
  enum Graph { kForward, kGradients, kLoss };  // with a given gradient of the result; with one that depends on the result
  const auto bytes = [](int64_t n, const Kind& kind, Graph graph) {
    const int64_t b = kind.batch, g = kind.groups, h = kind.heads / g, e = kind.width;
    const Tensor q = given({b, g, h, n, e}), k = given({b, g, 1, n, e}), v = given({b, g, 1, n, e}), seed = given({b, g, h, n, e}).detach(),
                 bias = given({n, n}).detach(), seen = (bias > 0).realize();
    return counts([&] {
             Tensor s = q.matmul(k.transpose(-2, -1)) * 0.125;
             if (kind.cap) s = 30 * tanh(s / 30);
             if (kind.bias) s = s + bias;
             if (kind.mask) s = where(seen, s, -HUGE_VAL);
             const Tensor row = Tensor::arange(n, {.device = "null"});
             if (kind.causal) s = where(row <= row.unsqueeze(1), s, -HUGE_VAL);
             const Tensor y = s.softmax(-1).matmul(v);
             std::vector<Tensor> all{y};
             if (graph == kGradients) all = gradient(y, {q, k, v}, {.seed = seed});
             if (graph == kLoss) all = gradient((y.square() * seed).sum(), {q, k, v});
             all.push_back(y);
             return all;
           }).peak_bytes;
  };
  for (const Kind& kind : kKinds)
    for (const Graph graph : {kForward, kGradients, kLoss}) {
      const int64_t n = kind.heads * kind.batch < 4 ? 4096 : 1024;
      const auto once = static_cast<double>(bytes(n, kind, graph)), twice = static_cast<double>(bytes(2 * n, kind, graph));
      const auto result = static_cast<double>(kind.batch * kind.heads * n * kind.width * 4);
      EXPECT_LE(twice, 2.1 * once) << kind.name << " " << graph;
      EXPECT_LE(once, (graph == kForward ? 1.2 : kind.heads < 8 ? 24.0 : 8.0) * result) << kind.name << " " << graph;
    }
}

}  // namespace
}  // namespace tg
