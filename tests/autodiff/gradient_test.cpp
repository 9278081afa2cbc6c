// Every row of the gradient table against central differences in float64; then broadcasting, fan-in, higher orders, depth and pruning.
#include "autodiff/gradient.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <map>
#include <random>

#include "interpreting.hpp"
#include "ir/monoid.hpp"
#include "ir/symbolic.hpp"
#include "sanitizers.hpp"

namespace tg {
namespace {

using testing::DoubleNear;
using testing::HasSubstr;
using testing::Pointwise;
using Numbers = std::vector<double>;
using Function = std::function<UOp(const std::vector<UOp>&)>;  // of float64 leaves

UOp make(Op op, std::vector<UOp> src, Arg arg = {}, DType t = DType::void_) { return UOp::make(op, src, std::move(arg), t); }
UOp f64(double v) { return constant(float64, v); }
UOp sum_all(const UOp& u) {
  return u.shape().empty() ? u : reshape(reduce(u, Monoid::Sum, (1u << u.shape().rank()) - 1), {});
}
UOp grad(const UOp& y, const UOp& x) { return gradient(y, constant(y.dtype(), 1), std::span(&x, 1))[0]; }

struct Input { std::vector<int64_t> shape; Numbers values; };
Numbers random_numbers(std::mt19937& rng, size_t n, double lo, double hi) {
  std::uniform_real_distribution<double> d(lo, hi);
  Numbers v(n);
  for (double& e : v) e = d(rng);
  return v;
}

// The gradient of sum(weights * f(inputs)) for each input, by the table and by central differences.
void check(const std::string& name, const Function& f, const std::vector<Input>& inputs, double tolerance = 2e-7) {
  std::vector<UOp> leaves;
  for (const Input& in : inputs) leaves.push_back(leaf(float64, in.shape, in.values));
  const UOp y = f(leaves);
  std::mt19937 rng(7);
  const HostArray result = value(y);
  const UOp weights = leaf(float64, result.shape, random_numbers(rng, static_cast<size_t>(result.numel()), -1, 1));
  const std::vector<UOp> grads = gradient(y, weights, leaves);
  const auto weighted = [&](const std::vector<UOp>& at) { return numbers(sum_all(f(at) * weights))[0]; };
  for (size_t k = 0; k < inputs.size(); ++k) {
    SCOPED_TRACE(name + ", source " + std::to_string(k));
    ASSERT_EQ(grads[k].shape(), leaves[k].shape());
    ASSERT_EQ(grads[k].dtype(), float64);
    Numbers want;
    for (size_t i = 0; i < inputs[k].values.size(); ++i) {
      const double h = 1e-5;
      Numbers up = inputs[k].values, down = up;
      up[i] += h, down[i] -= h;
      std::vector<UOp> high = leaves, low = leaves;
      high[k] = leaf(float64, inputs[k].shape, up);
      low[k] = leaf(float64, inputs[k].shape, down);
      want.push_back((weighted(high) - weighted(low)) / (2 * h));
    }
    EXPECT_THAT(numbers(grads[k]), Pointwise(DoubleNear(tolerance), want));
  }
}

size_t count_of(const std::vector<int64_t>& shape) { return static_cast<size_t>(HostArray(bool_, shape).numel()); }
std::vector<Input> random_inputs(const std::vector<std::vector<int64_t>>& shapes, double lo, double hi, unsigned seed) {
  std::mt19937 rng(seed);
  std::vector<Input> in;
  for (const auto& s : shapes) in.push_back({s, random_numbers(rng, count_of(s), lo, hi)});
  return in;
}

// ---- the table ----

// How to reach each row that is not elementwise: input shapes, and functions of float64 leaves that use the op in different ways.
struct Case { std::vector<std::vector<int64_t>> shapes; Function f; };
const std::vector<int64_t> k23{2, 3}, k34{3, 4};
UOp first(const UOp& tuple) { return get(tuple, 0, float64); }
Function scans(Monoid m, int axis, bool inclusive) {
  return [=](auto& v) {
    UOp s = make(Op::Scan, {v[0]}, ScanArg{m, axis, inclusive});
    if (m == Monoid::ArgMax) s = first(s);
    return where(less(s * s, f64(1e9)), s, f64(0));  // without the infinities that an exclusive scan may start with
  };
}
Function reduces(Monoid m, uint32_t axes) {
  return [=](auto& v) { return m == Monoid::ArgMax ? first(reduce(v[0], m, axes)) : reduce(v[0], m, axes); };
}
Function moves(Op op, Arg arg) { return [=](auto& v) { return make(op, {v[0]}, arg); }; }
std::vector<Case> for_each(const std::vector<Monoid>& monoids, std::vector<Case> (*of)(Monoid)) {
  std::vector<Case> all;
  for (Monoid m : monoids) for (Case& c : of(m)) all.push_back(std::move(c));
  return all;
}
std::vector<Case> cases_of(const GradientRule& r) {
  switch (r.left.op) {
    case Op::Cast: return {{{k23}, [](auto& v) { return cast(v[0], float64) + cast(cast(v[0] * 0, float32), float64); }}};
    case Op::Reshape: return {{{k23}, moves(Op::Reshape, Shape{3, 2})}, {{{}}, moves(Op::Reshape, Shape{1, 1})}};
    case Op::Permute: return {{{{2, 3, 4}}, moves(Op::Permute, ints({2, 0, 1}))}};
    case Op::Expand: return {{{{1, 3, 1}}, moves(Op::Expand, Shape{2, 3, 4})}, {{{1, 2}}, moves(Op::Expand, Shape{0, 2})}};
    case Op::Pad: return {{{k23}, moves(Op::Pad, Shape{1, 2, 0, 3})}};
    case Op::Shrink: return {{{k34}, moves(Op::Shrink, Shape{1, 3, 0, 3})}, {{k34}, moves(Op::Shrink, Shape{2, 2, 0, 4})}};
    case Op::Flip: return {{{k34}, moves(Op::Flip, ints({0, 1}))}};
    case Op::Window: return {{{{2, 9}}, moves(Op::Window, WindowArg{1, 3, 2, 2})}, {{{5, 2}}, moves(Op::Window, WindowArg{0, 2, 1, 1})}};
    case Op::OverlapAdd:
      return {{{{2, 3, 3}}, moves(Op::OverlapAdd, WindowArg{1, 3, 2, 2, 9})}, {{{4, 2}}, moves(Op::OverlapAdd, WindowArg{0, 2, 1, 1, 5})}};
    case Op::Stack: return {{{k23, k23, k23}, [](auto& v) { return make(Op::Stack, {v[0], v[1], v[2], v[0]}); }},
                            {{{}, {}}, [](auto& v) { return make(Op::Stack, v); }}};
    case Op::Gather:
      return {{{k34}, [](auto& v) { return make(Op::Gather, {v[0], leaf(int64, {2, 2}, {3, 0, 3, 1})}, int64_t{1}); }},
              {{k34}, [](auto& v) { return make(Op::Gather, {v[0], constant(int32, 2)}, int64_t{0}); }}};
    case Op::Scatter: {
      const auto scatter = [](ScatterMode mode) {
        return [=](auto& v) { return make(Op::Scatter, {v[0], leaf(int64, {2, 2}, {3, 0, 3, 1}), v[1]}, ScatterArg{1, mode}); };
      };
      return {{{k34, {3, 2, 2}}, scatter(ScatterMode::Add)}, {{k34, {3, 2, 2}}, scatter(ScatterMode::Set)},
              {{k34, {4}}, [](auto& v) { return make(Op::Scatter, {v[0], constant(int64, 1), v[1]}, ScatterArg{0, ScatterMode::Set}); }}};
    }
    case Op::Reduce:
      return for_each(r.monoids, [](Monoid m) -> std::vector<Case> {
        return {{{{2, 3, 2}}, reduces(m, 2)}, {{{2, 3, 2}}, reduces(m, 5)}, {{k23}, reduces(m, 3)}, {{k23}, reduces(m, 0)}};
      });
    case Op::Scan:
      return for_each(r.monoids, [](Monoid m) -> std::vector<Case> {
        return {{{{2, 3, 2}}, scans(m, 1, true)}, {{{4}}, scans(m, 0, true)},
                {{{2, 3, 2}}, scans(m, 1, false)}, {{k23}, scans(m, 0, false)}};
      });
    case Op::Get:  // of what it is taken from
    case Op::Sort: return {{{k34}, [](auto& v) { return first(make(Op::Sort, {v[0]}, SortArg{1, false})); }},
                           {{k34}, [](auto& v) { return first(make(Op::Sort, {v[0]}, SortArg{0, true})); }}};
    case Op::Function: {  // the sine of a product, by a rule of its own
      static const tg::Function f{"f", [](const UOp& u, const UOp& g, size_t i) {
        return g * UOp::make(Op::Cos, {u.src(1) * u.src(2)}) * u.src(3 - i);
      }};
      return {{{k23, k23}, [](auto& v) { return make(Op::Function, {UOp::make(Op::Sin, {v[0] * v[1]}), v[0], v[1]}, &f); }}};
    }
    case Op::Contiguous: return {{{k23}, moves(Op::Contiguous, {})}};
    case Op::Copy: return {{{k23}, moves(Op::Copy, Name("cpu"))}};
    case Op::Assign: return {{{k23, k23}, [](auto& v) { return make(Op::Assign, {v[0], v[1]}); }}};
    default: return {};
  }
}

TEST(GradientTable, EveryOpHasARowOrAReasonNot) {
  const std::vector<Op> in_kernels = {Op::Load, Op::Store, Op::Check, Op::After, Op::End, Op::Mma, Op::Sink, Op::Call, Op::AllReduce};
  for (size_t i = 0; i < kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    const auto& rules = gradient_rules();
    const bool row = std::any_of(rules.begin(), rules.end(), [&](auto& r) { return r.left.op == op; });
    const bool none = std::ranges::find(kNoGradient, op) != std::end(kNoGradient);
    const bool kernel = std::find(in_kernels.begin(), in_kernels.end(), op) != in_kernels.end();
    EXPECT_EQ(row + none + kernel, 1) << name_of(op);
  }
}

TEST(GradientTable, ReductionsThatAutodiffSees) {
  for (Op op : {Op::Reduce, Op::Scan}) {
    std::vector<Monoid> seen;
    for (const GradientRule& r : gradient_rules()) if (r.left.op == op) seen.insert(seen.end(), r.monoids.begin(), r.monoids.end());
    EXPECT_THAT(seen, testing::UnorderedElementsAre(Monoid::Sum, Monoid::Prod, Monoid::Max, Monoid::Min, Monoid::ArgMax));
  }
}

TEST(GradientTable, EveryRowAgreesWithFiniteDifferences) {
  for (const GradientRule& r : gradient_rules()) {
    std::vector<Case> cases = cases_of(r);
    if (is_elementwise(r.left.op) && r.left.op != Op::Cast) {
      const Op op = r.left.op;
      const auto arity = static_cast<size_t>(info(op).arity);
      if (op == Op::Where)
        cases = {{{k23, k23, k23}, [](auto& v) { return where(less(v[0], f64(1.2)), v[1], v[2]); }}};
      else
        cases = {{std::vector(arity, k23), [=](auto& v) { return make(op, v); }}};
    }
    ASSERT_FALSE(cases.empty()) << "no test reaches the row of " << name_of(r.left.op);
    unsigned seed = 0;
    for (const Case& c : cases) {  // positive numbers suit every op; elsewhere negative ones are tried too
      const std::string name = std::string(name_of(r.left.op)) + ", case " + std::to_string(&c - cases.data());
      check(name, c.f, random_inputs(c.shapes, 0.5, 2, ++seed));
      if (r.left.op != Op::Log2 && r.left.op != Op::Sqrt) check(name, c.f, random_inputs(c.shapes, -2, -0.5, ++seed));
    }
  }
}

TEST(GradientTable, AssignKeepsNothingOfItsTarget) {
  const UOp x = leaf(float64, {2}, {1, 2}), y = leaf(float64, {2}, {3, 4});
  const UOp a = make(Op::Assign, {x, y});
  EXPECT_EQ(numbers(grad(a * a, x)), (Numbers{0, 0}));
  EXPECT_EQ(numbers(grad(a * a, y)), (Numbers{6, 8}));
}

// ---- values at corners ----

TEST(Gradient, TiesAreShared) {
  const UOp x = leaf(float64, {4}, {3, 1, 3, 2}), y = leaf(float64, {4}, {3, 5, 0, 2});
  EXPECT_EQ(numbers(grad(make(Op::Max, {x, y}), x)), (Numbers{0.5, 0, 1, 0.5}));
  EXPECT_EQ(numbers(grad(reduce(x, Monoid::Max, 1), x)), (Numbers{0.5, 0, 0.5, 0}));
  EXPECT_EQ(numbers(grad(reduce(x, Monoid::Min, 1), x)), (Numbers{0, 1, 0, 0}));
  EXPECT_EQ(numbers(grad(first(reduce(x, Monoid::ArgMax, 1)), x)), (Numbers{1, 0, 0, 0}));  // its index is one place
  EXPECT_EQ(numbers(grad(make(Op::Scan, {x}, ScanArg{Monoid::Max, 0}), x)), (Numbers{4, 0, 0, 0}));
}

TEST(Gradient, ProductsWithZeros) {
  for (const Numbers& v : {Numbers{2, 3, 4}, Numbers{2, 0, 4}, Numbers{0, 3, 0}, Numbers{0, 0, 0}}) {
    check("product", reduces(Monoid::Prod, 1), {{{3}, v}});
    check("running product", scans(Monoid::Prod, 0, true), {{{3}, v}});
    check("running product before", scans(Monoid::Prod, 0, false), {{{3}, v}});
  }
  check("several axes", reduces(Monoid::Prod, 5), {{{2, 2, 2}, {0, 1, 2, 3, 4, 0, 0, 5}}});
}

TEST(Gradient, NoEpsilons) {
  const UOp x = leaf(float64, {2}, {0, 4});
  EXPECT_EQ(numbers(grad(make(Op::Sqrt, {x}), x)), (Numbers{INFINITY, 0.25}));
  EXPECT_EQ(numbers(grad(make(Op::Recip, {x}), x)), (Numbers{-INFINITY, -0.0625}));
  EXPECT_TRUE(std::isnan(numbers(grad(make(Op::Log2, {x * f64(0)}), x))[0]));  // 0 * (1/0)
}

TEST(Gradient, CastsReturnToTheSourcesDType) {
  const UOp x = leaf(float16, {2}, {1, 2});
  const UOp g = grad(cast(x, float32) * cast(x, float32), x);
  EXPECT_EQ(g.dtype(), float16);
  EXPECT_EQ(numbers(g), (Numbers{2, 4}));
  EXPECT_EQ(numbers(grad(cast(cast(x, int32), float32), x)), (Numbers{0, 0}));  // integers pass nothing
}

// ---- broadcasting ----

TEST(Gradient, EveryBroadcastPattern) {
  const std::vector<int64_t> full{2, 3, 2};
  for (const std::vector<int64_t>& out : {full, {0, 3, 2}, {2, 0, 2}, {1, 1, 1}})
    for (int mask = 0; mask < 8; ++mask) {
      std::vector<int64_t> small = out;
      for (size_t i = 0; i < 3; ++i) if (mask >> i & 1) small[i] = 1;
      const Function f = [&](auto& v) { return expand(v[0], Shape(Dims(out.begin(), out.end()))) * v[1] * v[1]; };
      check("mask " + std::to_string(mask), f, random_inputs({small, out}, 0.5, 2, 3));
    }
}

TEST(Gradient, ScalarsBesideArraysGetTheSum) {
  const UOp s = leaf(float64, {}, {3}), x = leaf(float64, {2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(numbers(grad(s * x, s)), Numbers{10});
  EXPECT_EQ(numbers(grad(s * x, x)), (Numbers{3, 3, 3, 3}));
  check("where of scalars", [](auto& v) { return where(less(v[2], f64(1)), v[0], v[1]); }, random_inputs({{}, {}, k23}, 0.5, 2, 5));
  check("fma", [](auto& v) { return make(Op::Fma, v); }, random_inputs({{}, k23, {}}, 0.5, 2, 6));
  const UOp none = leaf(float64, {0}, {});
  EXPECT_EQ(numbers(grad(s * none, s)), Numbers{0});
}

// ---- composition ----

UOp exp(const UOp& x) { return make(Op::Exp2, {x * f64(std::numbers::log2e)}); }
UOp softmax(const UOp& x) {
  const UOp e = exp(x - expand(make(Op::Detach, {reduce(x, Monoid::Max, 1)}), x.shape()));
  return make(Op::Div, {e, expand(reduce(e, Monoid::Sum, 1), x.shape())});
}

TEST(Gradient, SecondAndThirdOrder) {
  const double at = 0.7;
  const UOp x = leaf(float64, {}, {at});
  const auto orders = [&](UOp y) {
    Numbers d;
    for (int i = 0; i < 3; ++i) y = grad(y, x), d.push_back(numbers(y)[0]);
    return d;
  };
  const double s = std::sin(at), c = std::cos(at), l = std::numbers::ln2, e = std::exp2(at);
  const UOp sine = make(Op::Sin, {x});
  const Numbers cubed = {3 * s * s * c, 6 * s * c * c - 3 * s * s * s, 6 * c * c * c - 21 * s * s * c};
  EXPECT_THAT(orders(sine * sine * sine), Pointwise(DoubleNear(1e-13), cubed));
  EXPECT_THAT(orders(x * x * x * x), Pointwise(DoubleNear(1e-13), Numbers{4 * at * at * at, 12 * at * at, 24 * at}));
  EXPECT_THAT(orders(make(Op::Exp2, {x})), Pointwise(DoubleNear(1e-13), Numbers{e * l, e * l * l, e * l * l * l}));
  const Numbers inverse = {-std::pow(at, -2), 2 * std::pow(at, -3), -6 * std::pow(at, -4)};
  EXPECT_THAT(orders(make(Op::Recip, {x})), Pointwise(DoubleNear(1e-11), inverse));
}

TEST(Gradient, SoftmaxToTheThirdOrder) {
  const std::vector<Input> in = random_inputs({{5}}, -1, 1, 11);
  const UOp w = leaf(float64, {5}, {0.3, -1, 2, 0.5, 1});
  Function f = [&](auto& v) { return softmax(v[0]) * w; };
  for (int order = 1; order <= 3; ++order) {
    check("order " + std::to_string(order), f, in, 1e-6);
    f = [f, w](auto& v) { return grad(sum_all(f(v)), v[0]) * w; };
  }
}

// Rows that are functions have gradients of their own gradients.
TEST(Gradient, SecondOrderThroughEveryRow) {
  for (const GradientRule& r : gradient_rules()) {
    unsigned seed = 50;
    for (const Case& c : cases_of(r)) {
      if (r.left.op == Op::Assign) continue;
      const Function once = [&](auto& v) {
        const UOp y = c.f(v);
        return grad(y * y, v[0]);
      };
      check("twice " + std::string(name_of(r.left.op)), once, random_inputs(c.shapes, 0.5, 2, ++seed), 1e-5);
    }
  }
}

TEST(Gradient, FanIn) {
  const UOp x = leaf(float64, {}, {3});
  EXPECT_EQ(numbers(grad(x * x + x, x)), Numbers{7});
  UOp y = x;
  for (int i = 0; i < 40; ++i) y = y + y;  // 2^40 paths, 40 nodes
  EXPECT_EQ(numbers(grad(y, x)), Numbers{std::ldexp(1, 40)});
  UOp many = x * f64(0);
  for (int i = 1; i <= 1000; ++i) many = many + x * f64(i);
  EXPECT_EQ(numbers(grad(many, x)), Numbers{500500});
}

TEST(Gradient, RootAndInnerNodesAsTargets) {
  const UOp x = leaf(float64, {}, {3}), square = x * x, y = square * x;
  const UOp wrt[] = {y, square, x, leaf(float64, {2}, {0, 0})};
  const auto g = gradient(y, f64(2), wrt);
  EXPECT_EQ(numbers(g[0]), Numbers{2});
  EXPECT_EQ(numbers(g[1]), Numbers{6});
  EXPECT_EQ(numbers(g[2]), Numbers{54});
  EXPECT_EQ(numbers(g[3]), (Numbers{0, 0}));  // no path
}

TEST(Gradient, SizesNeedNotBeKnown) {
  const UOp n = variable("n", 1, 8), bound = make(Op::Bind, {n, index(3)});
  const UOp sized = buffer(leaf(float64, {3, 2}, {2, 1, 3, 4, 1, 5}).storage(), float64, {Dim(n), 2});
  const auto bind = [&](const UOp& u) { return numbers(u + cast(bound, float64) * 0); };
  EXPECT_EQ(bind(grad(sum_all(sized * sized), sized)), (Numbers{4, 2, 6, 8, 2, 10}));
  EXPECT_EQ(bind(grad(sum_all(make(Op::Scan, {sized}, ScanArg{Monoid::Max, 0})), sized)), (Numbers{1, 1, 2, 1, 0, 1}));
  EXPECT_EQ(bind(grad(sum_all(make(Op::Shrink, {sized}, Shape{1, Dim(n), 0, 1})), sized)), (Numbers{0, 0, 1, 0, 1, 0}));
  EXPECT_EQ(bind(grad(sum_all(reduce(sized, Monoid::Prod, 1)), sized)), (Numbers{3, 20, 2, 5, 6, 4}));
}

TEST(Gradient, DetachStops) {
  const UOp x = leaf(float64, {}, {3});
  EXPECT_EQ(numbers(grad(make(Op::Detach, {x * x}) * x, x)), Numbers{9});
}

TEST(Gradient, WorkIsBoundedByThePath) {
  const UOp x = leaf(float64, {}, {3}), w = leaf(float64, {}, {2});
  UOp off = x;
  for (int i = 0; i < 1000; ++i) off = make(Op::Sin, {off});
  const UOp y = off * w;
  const size_t before = detail::made_nodes();
  const UOp g = grad(y, w);
  EXPECT_LE(detail::made_nodes() - before, 5u);
  EXPECT_EQ(numbers(g), numbers(off));
}

void in_small_stack(void (*f)()) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 256 << 10);
  pthread_t thread;
  const auto run = [](void* g) -> void* { reinterpret_cast<void (*)()>(g)(); return nullptr; };
  ASSERT_EQ(pthread_create(&thread, &attr, run, reinterpret_cast<void*>(f)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attr);
}
TEST(Gradient, MillionNodeChainInASmallStack) {
  const size_t live = detail::live_nodes();
  in_small_stack([] {
    const UOp x = leaf(float64, {}, {1});
    UOp sums = x, maxima = x, sines = x;
    for (int i = 0; i < 1000000; ++i) sums = sums + f64(i % 2);
    EXPECT_EQ(numbers(grad(sums, x)), Numbers{1});
    for (int i = 0; i < 50000; ++i) maxima = make(Op::Max, {maxima, f64(i % 2 ? 0.5 : 0.25)});
    EXPECT_EQ(numbers(grad(maxima, x)), Numbers{1});
    for (int i = 0; i < 50000; ++i) sines = make(Op::Sin, {sines}) + f64(1);
    EXPECT_TRUE(std::isfinite(numbers(grad(sines, x))[0]));
  });
  EXPECT_EQ(detail::live_nodes(), live);
}

/// Seconds of work, however busy the machine is, to sort, simplify and differentiate a chain of two nodes a step.
double seconds_of_chain(int steps) {
  static int depth;
  static double seconds;
  depth = steps;
  in_small_stack([] {
    const auto now = [] {
      timespec t{};
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
      return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
    };
    const double begin = now();
    {
      const UOp x = param(0, float32, Shape{3}), y = param(1, float32, Shape{3});
      UOp deep = x;
      for (int i = 0; i < depth; ++i) deep = make(Op::Sin, {deep}) + y;
      EXPECT_EQ(toposort(deep).size(), 2u * static_cast<unsigned>(depth) + 2);
      const UOp simple = simplify(deep);
      EXPECT_EQ(gradient(simple, constant(float32, 1), std::span(&x, 1))[0].shape(), x.shape());
    }
    seconds = now() - begin;
  });
  return seconds;
}
TEST(Gradient, WorkOfAMillionNodesIsLinear) {
#if TG_ADDRESS_SANITIZER || TG_THREAD_SANITIZER
  seconds_of_chain(20'000);
#else
  double fewer = INFINITY, all = INFINITY;  // the best of up to three
  for (int tries = 0; tries < 3 && !(all < 8 * 32 * fewer); ++tries) {
    fewer = std::min(fewer, seconds_of_chain(500'000 / 32));
    all = std::min(all, seconds_of_chain(500'000));
  }
  EXPECT_LT(all, 8 * 32 * fewer) << "32 times as many nodes: some more a node, since caches do not hold them, but not 32 times";
#endif
}

// ---- mistakes, and the explanation ----

template <class F> std::string problem_of(F f) {
  try {
    f();
  } catch (const GradientError& e) {
    return e.what();
  }
  return "none";
}

TEST(Gradient, MistakesAreNamed) {
  const UOp x = leaf(float32, {2}, {1, 2}), i = leaf(int32, {2}, {1, 2});
  EXPECT_THAT(problem_of([&] { grad(i, x); }), HasSubstr("gradient: of Buffer int32 (2,): only float dtypes have one"));
  EXPECT_THAT(problem_of([&] { grad(x, i); }), HasSubstr("with respect to Buffer int32"));
  EXPECT_THAT(problem_of([&] { gradient(x, f64(1), std::span(&x, 1)); }),
              HasSubstr("the seed is Const float64 (), but the root is Buffer float32 (2,)"));
  EXPECT_THAT(problem_of([&] { gradient(x, leaf(float32, {3}, {1, 1, 1}), std::span(&x, 1)); }),
              HasSubstr("the seed is Buffer float32 (3,)"));
  EXPECT_THAT(problem_of([&] { grad(get(reduce(x, Monoid::LogSumExp, 1), 0, float32), x); }), HasSubstr("Reduce float32 (1,) has none"));
  EXPECT_THAT(problem_of([&] { grad(get(reduce(x, Monoid::LogSumExp, 1), 1, float32), x); }), HasSubstr("component 0"));
}

TEST(Gradient, Explained) {
  const UOp x = leaf(float32, {}, {2}), square = x * x, y = square + make(Op::Sin, {x});
  EXPECT_EQ(explain_gradient(y, std::span(&x, 1)),
            "%3   Add        d%1 += d%3\n"
            "%3   Add        d%2 += d%3\n"
            "%2   Sin        d%0 += (d%2*cos(%0))\n"
            "%1   Mul        d%0 += (d%1*%0)\n"
            "%1   Mul        d%0 += (d%1*%0)\n");
  const UOp m = leaf(float32, {2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(explain_gradient(reduce(m, Monoid::Max, 1), std::span(&m, 1)),
            "%1   Reduce     d%0 += d%1 shared by those equal to the result\n");
}

}  // namespace
}  // namespace tg
