// Numbers that frameworks get wrong, a sentence each: nan, infinities, ends of ranges, and the same bits every time.
#include <bit>
#include <cstdint>

#include "tensor_testing.hpp"

namespace tg {
namespace {

constexpr float kInf = INFINITY, kNan = NAN;

/// Distance in units in the last place of float32.
double ulps(float a, double exact) {
  const auto e = static_cast<float>(exact);
  return std::abs(a - exact) / std::abs(std::nextafter(e, kInf) - e);
}
std::vector<uint32_t> bits(const Tensor& x) {
  std::vector<uint32_t> out;
  for (float v : x.to_vector<float>()) out.push_back(std::bit_cast<uint32_t>(v));
  return out;
}

TEST(Numbers, NanWinsAMaximumAndComesLastInASort) {
  const Tensor x({1.f, kNan, 2.f});
  expect_near(x.max(), {NAN});
  expect_near(x.min(), {NAN});
  EXPECT_EQ(x.argmax().item<int>(), 1);
  EXPECT_EQ(x.argmin().item<int>(), 1);
  expect_near(Tensor({2.f, kNan, 1.f}).sort().values, {1, 2, NAN});
  expect_near(Tensor({2.f, kNan, 1.f}).sort({.descending = true}).values, {2, 1, NAN});
}

TEST(Numbers, ArithmeticIsIeee) {
  const Tensor zero({0.f});
  expect_near(zero / zero, {NAN});
  expect_near(Tensor({kInf, kNan, 1.f}) * 0, {NAN, NAN, 0});
  expect_near(Tensor({kInf}) - Tensor({kInf}), {NAN});
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
  expect_near(Tensor({-kInf, 0.f, -kInf}).softmax(), {0, 1, 0});
  expect_near(Tensor({-kInf, -kInf}).softmax(), {NAN, NAN});
  expect_near(Tensor({kInf, 0.f}).softmax(), {NAN, NAN});
  expect_near(Tensor({1.f, kNan, 0.f}).softmax(), {NAN, NAN, NAN});
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

}  // namespace
}  // namespace tg
