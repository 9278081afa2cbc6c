// Functions of one and two operands against <cmath>; promotion; broadcasting.
#include "tensor_testing.hpp"

namespace tg {
namespace {

TEST(Promotion, Tensors) {
  const auto dtype = [](DType a, DType b) { return (Tensor::zeros({1}, {.dtype = a}) + Tensor::zeros({1}, {.dtype = b})).dtype(); };
  EXPECT_EQ(dtype(int8, int32), int32);
  EXPECT_EQ(dtype(uint8, int8), int16);
  EXPECT_EQ(dtype(tg::bool_, uint8), uint8);
  EXPECT_EQ(dtype(int64, float16), float16);
  EXPECT_EQ(dtype(float16, bfloat16), float32);
  EXPECT_EQ(dtype(uint64, int64), float32);
}

TEST(Promotion, NumbersAreWeak) {
  const Tensor small({1, 2}, {.dtype = int8}), half({1, 2}, {.dtype = float16}), flag({true, false}), x({1.f});
  EXPECT_EQ((small + 1).dtype(), int8);
  EXPECT_EQ((1 - small).dtype(), int8);
  EXPECT_EQ((small + 1.5).dtype(), float32);
  EXPECT_EQ((half * 2.5).dtype(), float16);
  EXPECT_EQ((half * 2).dtype(), float16);
  EXPECT_EQ((flag + 1).dtype(), int32);
  EXPECT_EQ((flag * 1.5f).dtype(), float32);
  EXPECT_EQ((x + int64_t{1}).dtype(), float32);
  EXPECT_EQ((small + x.item()).dtype(), float32);
  EXPECT_EQ((small / 2).dtype(), float32);
  EXPECT_EQ((small / small).dtype(), float32);
  EXPECT_EQ((half / 2).dtype(), float16);
  EXPECT_EQ(small.exp().dtype(), float32);
  EXPECT_EQ(half.exp().dtype(), float16);
  expect_equal(small + 1.5, {2}, {2.5, 3.5});
  expect_throw<ValueError>([&] { (void)(small + 300); }, "add: 300 is outside the range of int8; cast the tensor to a wider dtype first");
  expect_throw<ValueError>([&] { (void)(Tensor({1}, {.dtype = uint8}) < -1); },
                           "lt: -1 is outside the range of uint8; cast the tensor to a wider dtype first");
}

TEST(Broadcasting, EveryPattern) {
  const Tensor m({{1, 2, 3}, {4, 5, 6}});
  expect_equal(m + Tensor({10, 20, 30}), {2, 3}, {11, 22, 33, 14, 25, 36});
  expect_equal(m + Tensor({{10}, {20}}), {2, 3}, {11, 12, 13, 24, 25, 26});
  expect_equal(Tensor({{1}, {2}}) * Tensor({1, 10}), {2, 2}, {1, 10, 2, 20});
  expect_equal(m + Tensor::full({}, 1), {2, 3}, {2, 3, 4, 5, 6, 7});
  expect_equal(Tensor::zeros({0, 3}) + Tensor::ones({1, 3}), {0, 3}, {});
  expect_equal(Tensor::zeros({3, 1}) + Tensor::zeros({0}), {3, 0}, {});
  expect_throw<ShapeError>([&] { (void)(m + Tensor({1, 2})); },
                           "add: shapes (2, 3) and (2,) do not broadcast: axis -1 is 3 and 2; sizes must be equal, or one of them 1");
}

TEST(Arithmetic, Integers) {
  const Tensor a({7, -7, 7, -7, 5}), b({2, 2, -2, -2, 0});
  expect_equal(floor_div(a, b), {5}, {3, -4, -4, 3, 0});
  expect_equal(a % b, {5}, {1, 1, -1, -1, 0});
  expect_equal(fmod(a, b), {5}, {1, -1, 1, -1, 0});
  expect_equal(div(a, b, {.rounding = Rounding::Trunc}), {5}, {3, -3, -3, 3, 0});
  expect_equal(div(a, b, {.rounding = Rounding::Floor}), {5}, {3, -4, -4, 3, 0});
  expect_equal(a - b, {5}, {5, -9, 9, -5, 5});
  expect_equal(10 - a, {5}, {3, 17, 3, 17, 5});
  expect_equal(-a, {5}, {-7, 7, -7, 7, -5});
  expect_equal((a & 3) | 8, {5}, {11, 9, 11, 9, 9});
  expect_equal(a ^ a, {5}, {0, 0, 0, 0, 0});
  expect_equal(a << 2, {5}, {28, -28, 28, -28, 20});
  expect_equal(a >> 1, {5}, {3, -4, 3, -4, 2});
  expect_equal(~a, {5}, {-8, 6, -8, 6, -6});
  expect_equal(Tensor({1, 2}, {.dtype = uint8}) - 2, {2}, {255, 0});
  expect_equal(a.abs(), {5}, {7, 7, 7, 7, 5});
  expect_equal(a.sign(), {5}, {1, -1, 1, -1, 1});
  expect_equal(minimum(a, b), {5}, {2, -7, -2, -7, 0});
  expect_equal(minimum(Tensor({INT32_MIN, 3}), 0), {2}, {INT32_MIN, 0});
  expect_equal(minimum(Tensor({0, 200}, {.dtype = uint8}), 100), {2}, {0, 100});
  expect_equal(maximum(0, a), {5}, {7, 0, 7, 0, 5});
  expect_throw<DTypeError>([] { (void)(Tensor({1.f}) & Tensor({1.f})); },
                           "bitwise_and: not defined for float32; it is of integers; cast floats first");
  expect_throw<DTypeError>([] { (void)(Tensor({true}) - Tensor({true})); },
                           "sub: not defined for bool; use ^ (bitwise_xor), or cast to an integer dtype first");
}

TEST(Arithmetic, Floats) {
  const Tensor a({7.f, -7.f, 7.f, -7.f, 5.5f}), b({2.f, 2.f, -2.f, -2.f, 0.5f});
  expect_near(a / b, {3.5, -3.5, -3.5, 3.5, 11});
  expect_near(floor_div(a, b), {3, -4, -4, 3, 11});
  expect_near(fmod(a, b), {1, -1, 1, -1, 0});
  expect_near(remainder(Tensor({5.f, -5.f, 5.f}), HUGE_VAL), {5, HUGE_VAL, 5});
  expect_near(floor_div(Tensor({1.f, 1.f, 0.f}), Tensor({0.1f, 0.f, 0.f})), {9, INFINITY, NAN});  // 0.1f is more than 0.1
  expect_near(div(a, b, {.rounding = Rounding::Trunc}), {3, -3, -3, 3, 11});
  expect_near(a % b, {1, 1, -1, -1, 0});
  expect_near(maximum(a, NAN), {NAN, NAN, NAN, NAN, NAN});
  expect_near(minimum(NAN, a), {NAN, NAN, NAN, NAN, NAN});
  expect_near(Tensor({1.f, 0.f, -1.f}) / 0, {INFINITY, NAN, -INFINITY});
  expect_near(a.clamp({.min = -1, .max = 6}), {6, -1, 6, -1, 5.5});
  expect_throw<ValueError>([&] { (void)a.clamp({.min = 2, .max = 1}); }, "clamp: min 2 is not at most max 1");
}

TEST(Arithmetic, Powers) {
  expect_equal(pow(Tensor({3}), 19), {1}, {1162261467});
  expect_equal(pow(Tensor({3, 2, 0, -2}), Tensor({19, 0, 0, 3})), {4}, {1162261467, 1, 1, -8});
  expect_equal(pow(2, Tensor({0, 1, 10})), {3}, {1, 2, 1024});
  expect_near(pow(Tensor({2.f, -3.f, 0.f}), 3), {8, -27, 0});
  expect_near(pow(Tensor({2.f, -4.f}), -2), {0.25, 0.0625});
  expect_near(pow(Tensor({4.f, 2.f}), 0.5), {2, std::sqrt(2)});
  expect_near(pow(Tensor({2.f, -8.f, 0.f, 1.5f}), 0), {1, 1, 1, 1});
  for (const DType half : {float16, bfloat16}) expect_near(pow(Tensor({2.f, -3.f}, {.dtype = half}), 3).cast(float32), {8, -27});
  expect_near(pow(Tensor({2.f, -2.f, -2.f, -2.f, 0.f, 0.f}), Tensor({2.5f, 3.f, 2.f, 0.5f, 2.f, 0.f})),
              {std::pow(2, 2.5), -8, 4, NAN, 0, 1}, 2e-6);
  expect_throw<ValueError>([] { (void)pow(Tensor({3}), -1); },
                           "pow: integers to the power -1 are not integers; cast to a float dtype first");
}

TEST(Comparisons, NanIsUnequalToAll) {
  const Tensor a({1.f, 2.f, NAN}), b({2.f, 2.f, NAN});
  expect_equal(a == b, {3}, {0, 1, 0});
  expect_equal(a != b, {3}, {1, 0, 1});
  expect_equal(a < b, {3}, {1, 0, 0});
  expect_equal(a <= b, {3}, {1, 1, 0});
  expect_equal(a > b, {3}, {0, 0, 0});
  expect_equal(a >= b, {3}, {0, 1, 0});
  expect_equal(1 < a, {3}, {0, 1, 0});
  expect_equal(Tensor({1, 2}) <= 1, {2}, {1, 0});
  EXPECT_EQ((a == b).dtype(), tg::bool_);
  expect_equal(logical_and(Tensor({0, 1, 2}), true), {3}, {0, 1, 1});
  expect_equal(logical_or(Tensor({0.f, 0.5f}), Tensor({false, false})), {2}, {0, 1});
  expect_equal(logical_xor(Tensor({0, 1}), Tensor({1, 1})), {2}, {1, 0});
  expect_equal(Tensor({0, 3}).logical_not(), {2}, {1, 0});
  expect_equal(Tensor({1.f, NAN, INFINITY}).isnan(), {3}, {0, 1, 0});
  expect_equal(Tensor({1.f, NAN, -INFINITY}).isinf(), {3}, {0, 0, 1});
  expect_equal(Tensor({1.f, NAN, INFINITY}).isfinite(), {3}, {1, 0, 0});
}

TEST(Where, BroadcastsAndPromotes) {
  const Tensor c({true, false});
  expect_equal(where(c, 1, 2), {2}, {1, 2});
  expect_equal(where(c, Tensor({{1}, {2}}), 9), {2, 2}, {1, 9, 2, 9});
  EXPECT_EQ(where(c, 1, 2.5).dtype(), float32);
  EXPECT_EQ(where(c, Tensor({1}), Tensor({2.f})).dtype(), float32);
  expect_throw<DTypeError>([] { (void)where(Tensor({1}), 1, 2); },
                           "where: not defined for int32; the condition must be bool, such as x > 0 or x != 0");
}

struct Function {
  const char* name;
  Tensor (*ours)(const Tensor&);
  double (*theirs)(double);
  double low, high, error, floor = 1e-2;  // the error is relative, below the floor absolute
  friend void PrintTo(const Function& f, std::ostream* out) { *out << f.name; }
};
TEST(Elementwise, ReluKeepsWhatIsPositiveAndNan) {
  Tensor x({-INFINITY, -1.f, -1e-40f, -0.f, 0.f, 1e-40f, 1.f, INFINITY, NAN}, {.requires_grad = true});
  const Tensor y = x.relu();
  expect_near(y, {0, 0, 0, 0, 0, static_cast<double>(1e-40f), 1, INFINITY, NAN}, 0);
  y.sum().backward();
  expect_near(x.grad(), {0, 0, 0, 0, 0, 1, 1, 1, 1}, 0);
}

class FunctionTable : public testing::TestWithParam<Function> {};
INSTANTIATE_TEST_SUITE_P(, FunctionTable, testing::Values(
    Function{"exp", exp, std::exp, -20, 20, 4e-6}, Function{"exp2", exp2, std::exp2, -30, 30, 3e-7},
                                         Function{"log", log, std::log, 1e-6, 50, 4e-7},
    Function{"log2", log2, std::log2, 1e-6, 50, 4e-7},
                                         Function{"sin", sin, std::sin, -30, 30, 4e-7}, Function{"cos", cos, std::cos, -30, 30, 4e-7},
    Function{"tan", tan, std::tan, -1.5, 1.5, 4e-6}, Function{"sqrt", sqrt, std::sqrt, 0, 50, 2e-7},
                                         Function{"erf", erf, std::erf, -5, 5, 4e-7},
    Function{"tanh", tanh, std::tanh, -10, 10, 6e-7},
                                         Function{"floor", floor, std::floor, -9, 9, 0}, Function{"ceil", ceil, std::ceil, -9, 9, 0},
    Function{"round", round, std::nearbyint, -9, 9, 0}, Function{"trunc", trunc, std::trunc, -9, 9, 0},
                                         Function{"abs", abs, std::fabs, -9, 9, 0},
    Function{"rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, 0.01, 50, 3e-7},
    Function{"reciprocal", reciprocal, [](double x) { return 1 / x; }, 0.01, 50, 2e-7},
    Function{"sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -30, 30, 2e-6},
    Function{"relu", relu, [](double x) { return std::fmax(x, 0); }, -5, 5, 0},
    Function{"silu", silu, [](double x) { return x / (1 + std::exp(-x)); }, -20, 20, 4e-6},
    Function{"gelu", [](const Tensor& x) { return x.gelu(); },
                                                  [](double x) { return x * 0.5 * (1 + std::erf(x / std::sqrt(2))); }, -6, 6, 6e-7, 1}),
    [](const auto& i) { return i.param.name; });

TEST_P(FunctionTable, AgreesWithCmath) {
  const Function& f = GetParam();
  const auto values = samples(300, f.low, f.high);
  std::vector<float> in(values.begin(), values.end());
  std::vector<double> expected;
  for (float v : in) expected.push_back(f.theirs(static_cast<double>(v)));
  const Tensor y = f.ours(Tensor::from(in));
  const auto got = y.to_vector<double>();
  for (size_t i = 0; i < in.size(); ++i)
    EXPECT_LE(std::abs(got[i] - expected[i]), f.error * std::fmax(std::abs(expected[i]), f.floor))
        << f.name << "(" << in[i] << ") is " << got[i];
}
TEST_P(FunctionTable, HalfIsRoundedOnce) {
  const Function& f = GetParam();
  const Tensor x = Tensor::from(samples(50, std::fmax(f.low, -8), std::fmin(f.high, 8))).cast(float16);
  std::vector<double> expected;
  for (double v : x.to_vector<double>()) expected.push_back(f.theirs(v));
  const Tensor y = f.ours(x);
  EXPECT_EQ(y.dtype(), float16);
  expect_near(y, expected, 6e-4);
}

// In float64, as far as the reference's own rounding lets it be seen.
TEST(Functions, GeluWithTanhKeepsItsDigitsInTheTail) {
  const std::vector<double> in = samples(500, -20, 6);
  const auto got = Tensor::from(in).gelu({.tanh = true}).to_vector<double>();
  for (size_t i = 0; i < in.size(); ++i) {
    const long double x = in[i], slope = 1.5957691216057307117597842397375L;
    const auto want = static_cast<double>(x / (1 + std::exp(-slope * (x + 0.044715L * x * x * x))));
    EXPECT_LE(std::abs(got[i] - want), std::fmax(1e-15 * std::abs(want), 1e-320)) << in[i];
  }
}

TEST(Functions, StableWhereExpOverflows) {
  const Tensor x({-1000.f, -100.f, 0.f, 100.f, 1000.f});
  expect_near(x.sigmoid(), {0, 0, 0.5, 1, 1});
  expect_near(x.tanh(), {-1, -1, 0, 1, 1});
  expect_near(x.silu(), {0, 0, 0, 100, 1000});
  expect_near(x.gelu({.tanh = true}), {0, 0, 0, 100, 1000});
  for (auto f : {sigmoid, tanh, silu}) {
    Tensor leaf({-1000.f, -100.f, 100.f, 1000.f}, {.requires_grad = true});
    f(leaf).sum().backward();
    for (double g : leaf.grad().to_vector<double>()) EXPECT_TRUE(std::isfinite(g)) << leaf.grad();
  }
}
TEST(Functions, NearZeroTanhKeepsItsDigits) {
  for (double v : {1e-7, 1e-4, 1e-2, 0.3, 0.6, 0.65})
    EXPECT_NEAR(Tensor({v}).tanh().item<double>() / std::tanh(static_cast<float>(v)), 1, 6e-7) << v;
}
TEST(Functions, RoundingHalvesGoToEven) {
  expect_equal(Tensor({0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 0.49999997f, 8388609.f, 1e30f}).round(), {8},
               {0, 2, 2, -0.0, -2, 0, 8388609, 1e30f});
}
TEST(Functions, Neighbours) {
  expect_near(nextafter(Tensor({1.f, 1.f, 0.f, 0.f, -1.f, 2.f, INFINITY, NAN}), Tensor({2.f, 0.f, 1.f, -1.f, 0.f, 2.f, 0.f, 1.f})),
              {1 + 0x1p-23, 1 - 0x1p-24, 0x1p-149, -0x1p-149, -1 + 0x1p-24, 2, 0x1.fffffep127, NAN}, 0);
  expect_near(nextafter(Tensor({1.f}, {.dtype = float16}), 2), {1 + 0x1p-10}, 0);
  expect_near(lerp(Tensor({1.f, 2.f}), Tensor({3.f, 6.f}), 0.25), {1.5, 3});
  expect_near(lerp(Tensor({1.f, 2.f}), 3, Tensor({1.f, 0.f})), {3, 2}, 0);
}
TEST(Functions, TheSecondOperandIsScaled) {
  const Tensor a({1.f, 2.f}), b({3.f, -4.f});
  expect_equal(add(a, b, {.alpha = 2}), {2}, {7, -6});
  expect_equal(sub(a, b, {.alpha = 0.5}), {2}, {-0.5, 4});
  expect_equal(add(a, 3, {.alpha = 2}), {2}, {7, 8});
  EXPECT_EQ(add(Tensor({1, 2}, {.dtype = int8}), 3, {.alpha = 2}).dtype(), int8);
}
TEST(Functions, BoundsThatAreTensors) {
  const Tensor x({-2.f, 0.f, 2.f, NAN, 1.f, 1.f}), low({-1.f, -1.f, -1.f, 0.f, NAN, 3.f}), high({1.f, 1.f, 1.f, 1.f, 2.f, 2.f});
  expect_near(clamp(x, low, high), {-1, 0, 1, NAN, NAN, 2}, 0);
  expect_near(clamp(x, low), {-1, 0, 2, NAN, NAN, 3}, 0);
  expect_near(clamp(x, Tensor(), Tensor({{1.f}, {0.f}})), {-2, 0, 1, NAN, 1, 1, -2, 0, 0, NAN, 0, 0}, 0);
  EXPECT_THROW((void)clamp(x, Tensor({1.f, 2.f})), ShapeError);
}
TEST(Functions, Closeness) {
  const Tensor a({1.f, 1.f, INFINITY, -INFINITY, NAN}), b({1.000001f, 1.1f, INFINITY, INFINITY, NAN});
  expect_equal(isclose(a, b), {5}, {1, 0, 1, 0, 0});
  expect_equal(isclose(a, b, {.rtol = 0.2, .equal_nan = true}), {5}, {1, 1, 1, 0, 1});
  EXPECT_TRUE(allclose(Tensor({1, 2}), Tensor({1, 2})));
  EXPECT_FALSE(allclose(Tensor({1, 2}), Tensor({1, 3})));
}
TEST(Functions, Activations) {
  const Tensor x({-4.f, -1.f, 0.f, 1.f, 7.f, NAN});
  expect_near(x.relu6(), {0, 0, 0, 1, 6, NAN}, 0);
  expect_near(x.hardtanh(-2, 2), {-2, -1, 0, 1, 2, NAN}, 0);
  expect_near(x.leaky_relu(0.5), {-2, -0.5, 0, 1, 7, NAN}, 0);
  expect_near(x.prelu(Tensor({0.5f})), {-2, -0.5, 0, 1, 7, NAN}, 0);
  expect_near(x.elu(2), {2 * std::expm1(-4), 2 * std::expm1(-1), 0, 1, 7, NAN}, 1e-7);
  expect_near(x.softplus(1, 5), {std::log1p(std::exp(-4)), std::log1p(std::exp(-1)), std::log(2), std::log1p(std::exp(1)), 7, NAN}, 2e-7);
  expect_near(Tensor({-20.f}).softplus(), {2.061153620314381e-9}, 1e-16);
  expect_near(Tensor({{1.f, 2.f, 0.f, 100.f}}).glu(), {0.5, 2}, 0);
  expect_near(polygamma(1, Tensor({1.f, 0.5f, -0.5f})), {M_PI * M_PI / 6, M_PI * M_PI / 2, M_PI * M_PI / 2 + 4}, 2e-6);
  expect_throw<ShapeError>([&] { (void)Tensor({1.f, 2.f, 3.f}).glu(); },
                           "glu: axis -1 of shape (3,) has 3 elements; it takes an even number");
  expect_throw<ValueError>([&] { (void)x.softplus(0); }, "softplus: beta is 0; it takes a number above 0");
}
// Where tinygrad, or floats carelessly used, are wrong.
TEST(Functions, NumbersThatAreOftenWrong) {
  expect_near(Tensor({1e20f}).atan(), {1.5707963267948966}, 1e-7);
  expect_near(Tensor({-1e4f, 1e-8f}).asinh(), {-9.903487555036128, 9.99999993922529e-09}, 1e-16 + 3e-7);
  expect_near(Tensor({1e20f}).acosh(), {46.7448489}, 1e-7);
  expect_near(Tensor({1e6f}).cos(), {0.9367521275331447}, 1e-7);
  for (Tensor (*f)(const Tensor&) : {sinh, tanh, atanh, asinh, expm1, log1p, +[](const Tensor& x) { return x.elu(); }})
    EXPECT_FLOAT_EQ(f(Tensor({1e-6f})).item<float>(), 1e-6f);
  expect_near(Tensor({0.f}) / Tensor({0.f}), {NAN});
  expect_near(Tensor({INFINITY, NAN, 1.f}) * 0, {NAN, NAN, 0});
  expect_near(Tensor({INFINITY, -INFINITY, -0.f}).sign(), {1, -1, 0}, 0);
  expect_near(Tensor({1.f, NAN, 2.f}).max(), {NAN});
  EXPECT_EQ(Tensor({1.f, NAN, 2.f}).argmax().item<int>(), 1);
  expect_throw<ValueError>([] { (void)Tensor::zeros({0}).max(); },
                           "max: of no elements, in shape (0,); it has no identity, so the reduced axes must not be empty");
}
TEST(Functions, Float64) {
  REQUIRE_DTYPE(float64);
  const Tensor x = f64({-30, -2.5, -0.7, -0.1, 0.2, 0.9, 3, 8}, {8});
  const auto close = [&](const Tensor& y, auto theirs) {
    std::vector<double> want;
    for (double v : x.to_vector<double>()) want.push_back(theirs(v));
    const auto got = y.to_vector<double>();
    for (size_t i = 0; i < got.size(); ++i)
      if (std::isfinite(want[i])) { EXPECT_LE(std::abs(got[i] - want[i]), 2e-15 * std::abs(want[i])) << got[i] << " for " << want[i]; }
  };
#define SAME(name) close(x.name(), [](double v) { return std::name(v); })
  SAME(expm1); SAME(log1p); SAME(log10); SAME(tan); SAME(asin); SAME(acos); SAME(atan); SAME(sinh); SAME(cosh); SAME(tanh);
  SAME(asinh); SAME(acosh); SAME(atanh); SAME(erf); SAME(erfc);
#undef SAME
  close(x.lgamma() + 20, [](double v) { return std::lgamma(v) + 20; });
  close(pow(x, 3.5), [](double v) { return std::pow(v, 3.5); });
  close((x / 31).erfinv().erf() * 31, [](double v) { return v; });
}
TEST(Functions, NanStays) {
  const Tensor x({NAN});
  for (auto f : {abs, sign, floor, ceil, round, trunc, exp, log, sin, cos, tan, sqrt, rsqrt, reciprocal, erf, relu, sigmoid, tanh, silu})
    EXPECT_TRUE(std::isnan(f(x).item<double>()));
}

TEST(Functions, QuotientsOfWhatRemaindersLeave) {  // sums whose terms two rules would order differently
  const std::vector<int64_t> values{15, 25, -15, 26, -26, 5, -4, 127, -128};
  const auto down = [](int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); };
  for (DType from : {int8, int32, int64})
    for (int64_t d : {2, 3, 10, 16, 100}) {
      const Tensor x = Tensor::from(values).cast(from).realize().cast(int64), left = x - x % d;
      std::vector<double> halves, odd, rest;
      for (int64_t v : values) {
        const int64_t q = down(v, d);
        odd.push_back(static_cast<double>(q & 1)), halves.push_back(static_cast<double>(down(q, 2)));
        rest.push_back(static_cast<double>(3 * v - q * d - d * down(3 * v - q * d, d)));
      }
      expect_near(left.floor_div(d) % 2, odd);
      expect_near(left.floor_div(d).floor_div(2), halves);
      expect_near((3 * x - left) % d, rest);
    }
}

TEST(Functions, RoundToDecimals) {  // halves to even, as NumPy's
  expect_near(f64({2.345678, -2.375, 0.125, 1e300, NAN, INFINITY}, {6}).round(2), {2.35, -2.38, 0.12, 1e300, NAN, INFINITY});
  expect_equal(f64({1234.5, -1250, 1350, 49.9, 1e300}, {5}).round(-2), {5}, {1200, -1200, 1400, 0, 1e300});
  expect_equal(Tensor({3e38f, -0.26f}).round(1), {2}, {3e38f, -0.3f});
  expect_equal(Tensor({3e38f, 5.f}).round(-40), {2}, {0, 0});
  expect_equal(Tensor({15, 25, -15, 26, -26, 5, -4}).round(-1), {7}, {20, 20, -20, 30, -30, 0, 0});
  expect_equal(Tensor({127, -128, 49}, {.dtype = int8}).round(-2), {3}, {100, -100, 0});
  expect_equal(Tensor({7, -7}).round(3), {2}, {7, -7});
  EXPECT_EQ(Tensor({1.26f}).cast(float16).round(1).dtype(), float16);
}

TEST(Functions, Float16Too) {  // computed in float32, and rounded once
  for (DType t : {float16, bfloat16}) {
    const Tensor x = Tensor({1.5f, 2.6f, -3.7f, 7.f, -0.25f}).cast(t);
    expect_equal(x.round(), {5}, {2, 3, -4, 7, 0});
    expect_equal(x.cast(float32).round(), {5}, {2, 3, -4, 7, 0});
    expect_equal(floor_div(x, 2), {5}, {0, 1, -2, 3, -1});
    expect_equal(mod(Tensor({7.f, -7.f}).cast(t), 4), {2}, {3, 1});
    expect_equal(fmod(Tensor({7.f, -7.f}).cast(t), 4), {2}, {3, -3});
    EXPECT_EQ(floor_div(x, 2).dtype(), t);
  }
}

TEST(Casts, FloatsSaturateAndTruncate) {
  expect_equal(Tensor({1.9f, -1.9f, 300.f, NAN}).cast(int8), {4}, {1, -1, 127, 0});
  expect_equal(Tensor({0.f, 0.5f, NAN}).cast(tg::bool_), {3}, {0, 1, 1});
  expect_equal(Tensor({1.f}).bitcast(int32), {1}, {0x3f800000});
  EXPECT_EQ(Tensor({1}).to(float32).dtype(), float32);
  // Of other sizes along the last axis, in the machine's byte order.
  expect_equal(Tensor({1.f, -2.f}).bitcast(uint8), {8}, {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0});
  const Tensor bytes({{0, 0, 0x80, 0x3f, 1, 0, 0, 0}, {0, 0, 0, 0xc0, 0xff, 0xff, 0xff, 0xff}}, {.dtype = uint8});
  expect_equal(bytes.view(int32), {2, 2}, {0x3f800000, 1, -0x40000000, -1});
  expect_equal(bytes.bitcast(float32).narrow(1, 0, 1), {2, 1}, {1, -2});
  expect_equal(bytes.bitcast(uint64).bitcast(uint8), {2, 8}, bytes.to_vector<double>());
  expect_equal(bytes.bitcast(int16).bitcast(uint64).bitcast(int16), {2, 4}, bytes.bitcast(int16).to_vector<double>());
  EXPECT_EQ(Tensor::zeros({3, 0}, {.dtype = int8}).bitcast(float64).shape(), (Sizes{3, 0}));
  EXPECT_EQ(Tensor::zeros({0, 4}).bitcast(int16).shape(), (Sizes{0, 8}));
  expect_throw<ShapeError>([] { (void)Tensor({1.f, 2.f, 3.f}).bitcast(int64); },
                           "bitcast: the last axis of shape (3,) of float32 does not hold whole elements of int64, which has 8 bytes");
  expect_throw<ShapeError>([] { (void)Tensor::zeros({}).view(int8); },
                           "bitcast: the last axis of shape () of float32 does not hold whole elements of int8, which has 1 bytes");
  expect_throw<DTypeError>([] { (void)Tensor({1.f}).view(bool_); }, "bitcast: not defined for bool; both dtypes must be of numbers");
}

// LLVM 19 swaps operands where a choice between bits and what they are made of becomes one masked instruction of AVX-512.
TEST(Elementwise, ChoicesBetweenBitsAndWhatTheyAreMadeOf) {
  for (const DType t : {int16, int32, int64}) {
    constexpr int64_t n = 1000;
    const auto x = (Tensor::arange(n) * 7919 % 251 - 125).cast(t).realize(), y = (Tensor::arange(n) * 104729 % 241 - 120).cast(t).realize();
    const auto z = (Tensor::arange(n) * 1299709 % 239 - 119).cast(t).realize(), c = (Tensor::arange(n) * 31 % 7 < 3).realize();
    const std::vector<int64_t> xs = x.to_vector<int64_t>(), ys = y.to_vector<int64_t>(), zs = z.to_vector<int64_t>(),
                               cs = c.to_vector<int64_t>();
    const auto check = [&](const char* what, const auto& bits, bool bits_first, const std::vector<int64_t>& others, const Tensor& other) {
      const Tensor made = bits(x, y, z), got = bits_first ? where(c, made, other) : where(c, other, made);
      const std::vector<int64_t> out = got.to_vector<int64_t>(), each = Tensor(made).realize().to_vector<int64_t>();
      for (size_t i = 0; i < xs.size(); ++i)
        ASSERT_EQ(out[i], (cs[i] != 0) == bits_first ? each[i] : others[i]) << what << " of " << name_of(t) << ", place " << i;
    };
    for (const bool first : {true, false}) {
      check("sign", [](auto& a, auto& b, auto&) { return (a & 127) | bitwise_and(b, bitwise_not(b * 0 + 127)); }, first, ys, y);
      check("majority", [](auto& a, auto& b, auto& d) { return (a & b) | (d & (a | b)); }, first, zs, z);
    }
  }
  for (const DType t : {bfloat16, float32, float64}) {
    if (!supported(t)) continue;
    const Tensor x = Tensor::from(samples(1000, -2, 2)).cast(t).realize(), y = Tensor::from(samples(1000, -2, 2, 5)).cast(t).realize();
    const Tensor signed_y = copysign(y, x).realize(), low = (x < 0.5).realize();
    for (const Tensor& other : {x, y}) {
      expect_near(where(x < 0.5, copysign(y, x), other), where(low, signed_y, other).to_vector<double>(), 0);
      expect_near(where(x < 0.5, other, copysign(y, x)), where(low, other, signed_y).to_vector<double>(), 0);
    }
  }
}

}  // namespace
}  // namespace tg
