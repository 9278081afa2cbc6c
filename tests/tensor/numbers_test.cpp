// Numbers that frameworks get wrong, a sentence each: nan, infinities, ends of ranges, and the same bits every time.
#include <bit>
#include <cstdint>

#include "tensor_testing.hpp"

namespace tg {
namespace {

/// Distance in units in the last place of float32.
double ulps(float a, double exact) {
  const auto e = static_cast<float>(exact);
  return std::abs(a - exact) / std::abs(std::nextafter(e, INFINITY) - e);
}
std::vector<uint32_t> bits(const Tensor& x) {
  std::vector<uint32_t> out;
  for (float v : x.to_vector<float>()) out.push_back(std::bit_cast<uint32_t>(v));
  return out;
}

TEST(Numbers, NanWinsAMaximumAndComesLastInASort) {
  const Tensor x({1.f, NAN, 2.f});
  expect_near(x.max(), {NAN});
  expect_near(x.min(), {NAN});
  EXPECT_EQ(x.argmax().item<int>(), 1);
  EXPECT_EQ(x.argmin().item<int>(), 1);
  expect_near(Tensor({2.f, NAN, 1.f}).sort().values, {1, 2, NAN});
  expect_near(Tensor({2.f, NAN, 1.f}).sort({.descending = true}).values, {2, 1, NAN});
}

TEST(Numbers, ArithmeticIsIeee) {
  const Tensor zero({0.f});
  expect_near(zero / zero, {NAN});
  expect_near(Tensor({INFINITY, NAN, 1.f}) * 0, {NAN, NAN, 0});
  expect_near(Tensor({INFINITY}) - Tensor({INFINITY}), {NAN});
  expect_near(Tensor({1.f, -1.f}) / zero, {INFINITY, -INFINITY});
}

TEST(Numbers, FunctionsAtTheEndsOfTheirRanges) {
  const auto near = [](const Tensor& x, double exact, double limit = 2) {
    EXPECT_LE(ulps(x.item<float>(), exact), limit) << x << " is not " << exact;
  };
  near(Tensor({1e20f}).atan(), M_PI_2);
  near(Tensor({-1e4f}).asinh(), std::asinh(-1e4));
  near(Tensor({1e20f}).acosh(), std::acosh(static_cast<double>(1e20f)));
  near(Tensor({1e6f}).cos(), std::cos(1e6));
  for (const float x : {1e-7f, -3e-5f, 1e-3f, 0.01f}) {
    near(Tensor({x}).sinh(), std::sinh(static_cast<double>(x)));
    near(Tensor({x}).tanh(), std::tanh(static_cast<double>(x)));
    near(Tensor({x}).atanh(), std::atanh(static_cast<double>(x)));
    near(Tensor({x}).asinh(), std::asinh(static_cast<double>(x)));
    if (x < 0) near(Tensor({x}).elu(), std::expm1(static_cast<double>(x)), 4);
  }
  near(Tensor({-20.f}).softplus(), std::log1p(std::exp(-20.0)), 4);
}

TEST(Numbers, SoftmaxOfWhatIsFarFromZero) {
  for (const float far : {-300.f, -1e30f, 300.f, 1e30f})
    for (const int64_t n : {1, 3, 17, 131, 1031}) {
      const Tensor x = (Tensor::arange(2 * n, {.dtype = float32}).reshape({2, n}) % 7 * -30 + far).realize();
      const auto values = x.to_vector<double>();
      std::vector<double> expected;
      for (size_t row = 0; row < 2; ++row) {
        const auto begin = values.begin() + static_cast<ptrdiff_t>(row) * n;
        const double most = *std::max_element(begin, begin + n);
        double sum = 0;
        for (auto v = begin; v < begin + n; ++v) sum += std::exp(*v - most);
        for (auto v = begin; v < begin + n; ++v) expected.push_back(std::exp(*v - most) / sum);
      }
      expect_near(x.softmax(), expected);
    }
  expect_near(Tensor({-INFINITY, 0.f, -INFINITY}).softmax(), {0, 1, 0});
  expect_near(Tensor({-INFINITY, -INFINITY}).softmax(), {NAN, NAN});
  expect_near(Tensor({INFINITY, 0.f}).softmax(), {NAN, NAN});
  expect_near(Tensor({1.f, NAN, 0.f}).softmax(), {NAN, NAN, NAN});
}

TEST(Numbers, PowersOfIntegersAreExact) {
  EXPECT_EQ(pow(Tensor({3}), 19).item<int32_t>(), 1162261467);
  EXPECT_EQ(pow(Tensor({3}), Tensor({19})).item<int32_t>(), 1162261467);
}

TEST(Numbers, TheMaximumOfNothingIsAnError) {
  const Tensor nothing = Tensor::zeros({0});
  EXPECT_THROW((void)nothing.max(), ValueError);
  EXPECT_THROW((void)nothing.min(), ValueError);
  EXPECT_THROW((void)nothing.argmax(), ValueError);
  EXPECT_THROW((void)Tensor::zeros({2, 0}).max({.axis = 1}), ValueError);
  EXPECT_EQ(Tensor::zeros({0, 2}).max({.axis = 1}).shape(), (Sizes{0}));
}

TEST(Numbers, OneLargeNumberDoesNotSwallowTheRestOfASum) {
  std::vector<float> values(1001, 1.f);
  values[0] = 1e8f;
  EXPECT_LE(ulps(Tensor::from(values).sum().item<float>(), 100001000), 2);
}

TEST(Numbers, TheSameBitsInASecondRun) {
  const auto once = [] {
    manual_seed(5);
    const Tensor x = Tensor::randn({257, 129}), y = Tensor::rand({129, 65});
    return bits((x.matmul(y)).softmax().sum({.axis = 0}) + x.sum() + x.cumsum(0).mean());
  };
  EXPECT_EQ(once(), once());
}

TEST(Numbers, TheAbsoluteValueOfMinusZeroIsZero) {
  for (const DType t : {float16, bfloat16, float32, float64}) {
    if (!supported(t)) continue;
    for (const double zero : {0.0, -0.0}) {
      const Tensor y = Tensor::full({3}, zero, {.dtype = t}).realize().abs();
      EXPECT_FALSE(std::signbit(y.to_vector<double>()[1])) << name_of(t) << " " << zero;
    }
  }
}

TEST(Numbers, OddFunctionsKeepTheSignOfZero) {
  using F = Tensor (*)(const Tensor&);
  const F functions[] = {tg::neg,
                         tg::sin,
                         tg::tan,
                         tg::asin,
                         tg::atan,
                         tg::sinh,
                         tg::tanh,
                         tg::asinh,
                         tg::atanh,
                         tg::expm1,
                         tg::log1p,
                         tg::erf,
                         tg::erfinv, tg::sqrt, tg::floor, tg::ceil, tg::round, tg::trunc, tg::softsign,
                         [](const Tensor& x) { return fmod(x, 3); }, [](const Tensor& x) { return fmod(6 * sign(1 / x), 3); },
                         [](const Tensor& x) { return atan2(x, 1); }, [](const Tensor& x) { return floor_div(x, 2); },
                         [](const Tensor& x) { return pow(x, 3); }};
  for (const DType t : {float16, bfloat16, float32, float64}) {
    if (!supported(t)) continue;
    for (const double zero : {0.0, -0.0})
      for (size_t i = 0; i < std::size(functions); ++i) {
        const double y = functions[i](Tensor::full({}, zero, {.dtype = t}).realize()).item<double>();
        EXPECT_EQ(y, 0) << i;
        EXPECT_EQ(std::signbit(y), std::signbit(zero) != (i == 0)) << name_of(t) << ", function " << i << " of " << zero;
      }
  }
}

TEST(Numbers, AreasOfLargeNumbersInFloat64) {  // x^2 + 1 is x^2 only where its digits end
  REQUIRE_DTYPE(float64);
  for (const double x : {4097.0, 1e5, 1e7, 0x1p27, 0x1p28, 1e9, 1e300}) {
    EXPECT_NEAR(Tensor::full({}, x, {.dtype = float64}).asinh().item<double>() / std::asinh(x), 1, 4e-16) << x;
    EXPECT_NEAR(Tensor::full({}, x, {.dtype = float64}).acosh().item<double>() / std::acosh(x), 1, 4e-16) << x;
  }
}

TEST(Numbers, AtTheEndsOfFloats) {
  for (const DType t : {float16, bfloat16, float32, float64}) {
    if (!supported(t)) continue;
    const Tensor most = Tensor::full({}, finfo(t).max, {.dtype = t}).realize(), infinity = (most * 0 + HUGE_VAL).realize(),
                 one = most / most;
    const auto is = [&](const Tensor& y, double exact) {
      EXPECT_NEAR(y.cast(float64).item<double>(), exact, 0.01 * std::fabs(exact)) << name_of(t);
      EXPECT_EQ(std::signbit(y.item<double>()), std::signbit(exact)) << name_of(t);
    };
    EXPECT_EQ(pow(most, one).item<double>(), finfo(t).max) << name_of(t);
    EXPECT_EQ(pow(-most, one).item<double>(), -finfo(t).max) << name_of(t);
    EXPECT_EQ(pow(most, one * 2).item<double>(), HUGE_VAL) << name_of(t);
    is(atan2(most, infinity), 0);
    is(atan2(infinity, most), M_PI_2);
    is(atan2(infinity, infinity), M_PI_4);
    is(atan2(-most, -infinity), -M_PI);
    is(floor_div(one, -infinity), -1);
    is(floor_div(-one, infinity), -1);
    is(floor_div(-one, -infinity), 0.0);
    is(floor_div(one, infinity), 0.0);
    is(floor_div(-one, one * -2), 0.0);
    is(floor_div(one * 0, -one), -0.0);
    is((-infinity).softplus(), 0.0);
    is(infinity.logsigmoid(), -0.0);
  }
  if (!supported(float64)) return;
  for (const double x : {0x1.fffffffffffffp-1, 1 - 0x1p-45, 1 - 0x1p-30, 1 - 0x1p-20, 0.999, 0.9, 0.5, 1e-300}) {
    const double y = Tensor::full({}, x, {.dtype = float64}).erfinv().item<double>();
    EXPECT_NEAR(x < 0.9 ? std::erf(y) / x : std::erfc(y) / (1 - x), 1, 4e-15 * std::fmax(1, y * y)) << x;
  }
}

TEST(Numbers, GradientsOfRemainders) {
  REQUIRE_DTYPE(float64);
  for (const double a : {7.5, -7.5, 6.0, -6.0, 1.0, -1.0})
    for (const double b : {2.5, -2.5, 3.0, -3.0}) {
      const Tensor x = f64({a}, {}, true), y = f64({b}, {}, true);
      const auto of_fmod = gradient(fmod(x, y), {x, y}), of_mod = gradient(mod(x, y), {x, y});
      EXPECT_EQ(fmod(x, y).item<double>(), std::fmod(a, b));
      expect_near(of_fmod[0], {1});
      expect_near(of_fmod[1], {-std::trunc(a / b)});
      expect_near(of_mod[0], {1});
      expect_near(of_mod[1], {-std::floor(a / b)});
    }
}

}  // namespace
}  // namespace tg
