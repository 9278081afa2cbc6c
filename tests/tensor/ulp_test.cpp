// How far the functions of tg/unary.def are from the real ones in float32, in units in the last place, over all kinds of numbers: every so
// many of the 2^32 there are. `./do ulp` (TG_ULP=1) looks at all of them, prints the worst of each function and records it: kernels compare
// float32 with float64; <cmath> is asked at the worst and the first of every 1024 neighbours, which measures float64 too.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <tuple>

#include "measured.hpp"
#include "tensor_testing.hpp"

namespace tg {
namespace {

constexpr uint64_t kAll = uint64_t{1} << 32;
/// Whether all inputs are to be looked at and the worst to be recorded.
bool all_are_wanted() { return std::getenv("TG_ULP") != nullptr; }

/// What the rows say of functions that <cmath> does not have.
namespace reference {
double erfinv(double x) {
  if (!(std::fabs(x) < 1)) return std::fabs(x) == 1 ? x * INFINITY : NAN;
  double y = 0;
  for (int i = 0; i < 100; ++i) {  // Newton's method on the logarithm of the tail, which is nearly a parabola
    const double tail = 1 - std::fabs(x),
                 step = (std::log(std::erfc(y)) - std::log(tail)) * std::erfc(y) * std::exp(y * y) * 0.886226925452758;
    const double small = (std::erf(y) - std::fabs(x)) * std::exp(y * y) * 0.886226925452758, change = y < 0.5 ? -small : step;
    y += change;
    if (std::fabs(change) <= 1e-15 * y) break;
  }
  return std::copysign(y, x);
}
double digamma(double x) {
  if (x == 0) return -INFINITY;
  if (x < 0) {
    const double part = x - std::nearbyint(x);
    return part == 0 ? NAN : digamma(1 - x) - M_PI / std::tan(M_PI * part);
  }
  double sum = 0;
  for (; x < 10; ++x) sum -= 1 / x;
  const double s = 1 / (x * x);
  return sum + std::log(x) - 0.5 / x - s * (1.0 / 12 - s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240 - s * (1.0 / 132)))));
}
/// std::lgamma also writes the global signgam, which threads would race for.
double lgamma(double x) {
  int sign;
  return lgamma_r(x, &sign);
}
double selu(double x) { return 1.0507009873554805 * (x < 0 ? 1.6732632423543773 * std::expm1(x) : x); }
}  // namespace reference

struct FloatFunction {
  const char* name;
  Tensor (*ours)(const Tensor&);
  double (*theirs)(double);
  double bound;
  bool has_roots = false;  // near which the error is measured by the unit of 1, of negative numbers by that of f(|x|) if that is more
  friend void PrintTo(const FloatFunction& f, std::ostream* out) { *out << f.name; }
};
const FloatFunction kFunctions[] = {
#define UNARY(kind, name, ulp, value, doc) UNARY_##kind(name, ulp, value)
#define UNARY_Real(name, ulp, value) \
  {#name, tg::name, [](double x) -> double { return value; }, ulp, std::string_view(#name).find("gamma") != std::string_view::npos},
#define UNARY_Same(name, ulp, value) UNARY_Real(name, ulp, value)
#define UNARY_Truth(name, ulp, value) UNARY_Real(name, ulp, value)
#define UNARY_Bits(name, ulp, value)
#include "tg/unary.def"
    {"gelu", [](const Tensor& x) { return gelu(x); }, [](double x) { return x < -40 ? 0 : x * std::erfc(-x * M_SQRT1_2) / 2; }, 4},
    {"gelu_tanh", [](const Tensor& x) { return gelu(x, {.tanh = true}); },
     [](double x) { return x < -40 ? 0 : x / (1 + std::exp(-1.5957691216057308 * (x + 0.044715 * x * x * x))); }, 4},
    {"elu", [](const Tensor& x) { return elu(x); }, [](double x) { return x > 0 ? x : std::expm1(x); }, 4},
    {"celu", [](const Tensor& x) { return celu(x, 2); }, [](double x) { return x > 0 ? x : 2 * std::expm1(x / 2); }, 4},
    {"softplus", [](const Tensor& x) { return softplus(x); }, [](double x) { return x > 20 ? x : std::log1p(std::exp(x)); }, 4},
};

struct Worst {
  double units = 0;
  uint32_t input = 0;
  void operator|=(const Worst& o) { if (o.units > units) *this = o; }
};

/// Distance in units of the last place of the float next to `want`, or to `least` if that is more. A result that is infinite is 2^128.
double units(double got, double want, double least) {
  const auto rounded = static_cast<float>(want), near = static_cast<float>(got);
  if (std::isnan(rounded) || std::isnan(near)) return std::isnan(rounded) == std::isnan(near) ? 0 : INFINITY;
  if (std::isinf(rounded) && rounded == near) return 0;
  if (std::isinf(want)) return INFINITY;
  if (std::isinf(near)) got = std::copysign(0x1p128, got);
  const double size = std::fmax(std::fmax(std::fabs(want), least), 0x1p-126);
  const auto exponent = static_cast<int64_t>(std::bit_cast<uint64_t>(size) >> 52 & 0x7ff) - 1023;
  const auto inverse_unit = std::bit_cast<double>((1023 + 23 - exponent) << 52);
  return std::fabs(got - want) * inverse_unit;
}

/// units() of a result at an input.
double off(const FloatFunction& f, uint32_t input, double got) {
  const auto x = static_cast<double>(std::bit_cast<float>(input));
  return units(got, f.theirs(x), f.has_roots ? std::fmax(1, x < 0 ? f.theirs(-x) : 0) : 0);
}

/// The worst of every 65521st input: of all mantissas, as that is a prime.
Worst worst_of_some(const FloatFunction& f) {
  std::vector<uint32_t> bits;
  for (uint64_t b = 0; b < kAll; b += 65521) bits.push_back(static_cast<uint32_t>(b));
  const auto got = f.ours(Tensor::from(bits).bitcast(float32)).to_vector<float>();
  Worst out;
  for (size_t i = 0; i < bits.size(); ++i) out |= {off(f, bits[i], static_cast<double>(got[i])), bits[i]};
  return out;
}

/// units() of `got`, float32's results at x, with float64's in place of the reference.
Tensor units_of_all(const FloatFunction& f, const Tensor& x, const Tensor& got) {
  const Tensor wide = x.cast(float64), want = f.ours(wide).cast(float64), rounded = want.cast(float32);
  Tensor size = maximum(abs(want), 0x1p-126);
  if (f.has_roots) size = maximum(maximum(size, 1), where(wide < 0, f.ours(abs(wide)), 0));
  const Tensor power = (size.bitcast(int64) & 0x7ff0000000000000).bitcast(float64);
  const Tensor distance = abs(clamp(got.cast(float64), {.min = -0x1p128, .max = 0x1p128}) - want) / power * 0x1p23;
  const Tensor same = (isinf(rounded) & (rounded == got)) | (isnan(rounded) & isnan(got)),
               measured = isfinite(want) & logical_not(isnan(got));
  return where(same, 0.0, where(measured, distance, HUGE_VAL));
}

/// The worst of all inputs, and how far float64 is from the reference where that was asked, in units of float32.
std::pair<Worst, double> worst_of_all(const FloatFunction& f) {
  constexpr uint32_t kRows = 1 << 15, kNeighbours = 1 << 10;
  const Tensor places = (Tensor::arange(kRows).unsqueeze(1) * kNeighbours + Tensor::arange(kNeighbours)).cast(uint32);
  Worst worst;
  double wide_off = 0;
  for (uint64_t first = 0; first < kAll; first += uint64_t{kRows} * kNeighbours) {
    const Tensor x = (Tensor::from(std::vector{static_cast<uint32_t>(first)}) + places).bitcast(float32);
    const auto column = units_of_all(f, x, f.ours(x).cast(float32)).argmax({.axis = 1}).to_vector<int32_t>();
    std::vector<uint32_t> bits;
    for (uint32_t row = 0; row < kRows; ++row)
      for (const uint32_t c : {0u, static_cast<uint32_t>(column[row])})
        bits.push_back(static_cast<uint32_t>(first) + row * kNeighbours + c);
    const Tensor again = Tensor::from(bits).bitcast(float32);
    const auto got = f.ours(again).cast(float32).to_vector<float>();
    const auto wide = f.ours(again.cast(float64)).cast(float64).to_vector<double>();
    for (size_t i = 0; i < bits.size(); ++i) {
      worst |= {off(f, bits[i], static_cast<double>(got[i])), bits[i]};
      wide_off = std::fmax(wide_off, off(f, bits[i], wide[i]));
    }
  }
  return {worst, wide_off};
}

class Ulp : public testing::TestWithParam<FloatFunction> {};
INSTANTIATE_TEST_SUITE_P(, Ulp, testing::ValuesIn(kFunctions), [](const auto& i) { return i.param.name; });

struct TwoArguments {
  const char* name;
  Tensor (*ours)(const Operand&, const Operand&);
  double (*theirs)(double, double);
};
TEST(UlpOfTwo, WorstOfManyPairs) {
  const TwoArguments functions[] = {
      {"div", div, [](double a, double b) { return a / b; }},
      {"pow", pow, std::pow},
      {"atan2", atan2, std::atan2},
      {"hypot", hypot, [](double a, double b) { return std::hypot(a, b); }},
      {"fmod", fmod, [](double a, double b) { return std::fabs(a / b) < 0x1p22 ? std::fmod(a, b) : NAN; }},
      {"copysign", copysign, std::copysign},
      {"logaddexp", logaddexp, [](double a, double b) {  // beside its root
         const double v = std::fmax(a, b) + std::log1p(std::exp(-std::fabs(a - b)));
         return a == b ? a + M_LN2 : std::fabs(v) < 0.5 ? NAN : v;
       }},
  };
  // Pairs near 1, of ordinary and of all sizes.
  const int64_t pairs = all_are_wanted() ? 1 << 24 : 60000;
  std::vector<float> a, b;
  const auto mantissas = samples(pairs, -2, 2), others = samples(pairs, -2, 2, 7), exponents = samples(pairs, -1, 1, 3),
             more = samples(pairs, -1, 1, 5);
  for (size_t i = 0; i < mantissas.size(); ++i) {
    const double scale = i % 3 == 0 ? 0 : i % 3 == 1 ? 6 : 120;
    a.push_back(static_cast<float>(mantissas[i] * std::exp2(std::nearbyint(scale * exponents[i]))));
    b.push_back(static_cast<float>(others[i] * std::exp2(std::nearbyint(scale * more[i]))));
  }
  for (const double v : {0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, -3.0, 1e-40, HUGE_VAL, -HUGE_VAL, static_cast<double>(NAN)})
    for (const double w : {0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, -3.0, 1e-40, HUGE_VAL, -HUGE_VAL, static_cast<double>(NAN)}) {
      a.push_back(static_cast<float>(v));
      b.push_back(static_cast<float>(w));
    }
  for (const TwoArguments& f : functions) {
    const auto got = f.ours(Tensor::from(a), Tensor::from(b)).to_vector<float>();
    double worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      const double want = f.theirs(static_cast<double>(a[i]), static_cast<double>(b[i]));
      if (std::isnan(want) && f.theirs == functions[4].theirs) continue;  // a quotient that fmod does not promise
      if (std::isnan(want) && f.theirs == functions[6].theirs && !std::isnan(a[i]) && !std::isnan(b[i])) continue;
      if (const double u = units(static_cast<double>(got[i]), want, 0); u > worst) worst = u, at = i;
    }
    if (all_are_wanted()) record(f.name, {worst, fmt::format("{},{}", a[at], b[at]), a.size()});
    EXPECT_LE(worst, 4) << f.name << " of " << a[at] << " and " << b[at] << " is " << got[at];
  }
}

TEST_P(Ulp, WorstOfAllInputs) {
  const FloatFunction& f = GetParam();
  Worst worst;
  if (all_are_wanted()) {
    double wide_off;
    std::tie(worst, wide_off) = worst_of_all(f);
    const auto at = std::bit_cast<float>(worst.input);
    std::cout << f.name << ": at most " << worst.units << " units in the last place, at " << at << "; in float64 " << wide_off << std::endl;
    record(f.name, {worst.units, fmt::format("{}", at), kAll});
    EXPECT_LE(wide_off, 1e-5) << "float64 does not tell which float32 is worst";
  } else {
    worst = worst_of_some(f);
    const auto all = all_measured();
    if (all.contains(f.name) && settings().device == "cpu" && !settings().eager) {
      const Measured& before = all.at(f.name);
      EXPECT_LE(worst.units, before.inputs == kAll ? before.units + 1e-4 : INFINITY) << "at " << std::bit_cast<float>(worst.input)
          << ", above what was measured; ./do ulp measures it anew";
    }
  }
  // Op by op exp(x) is exp2(x log2(e)) with the product's rounding magnified.
  EXPECT_LE(worst.units, settings().eager || device(settings().device).interprets() ? 64 : f.bound)
      << "at " << std::bit_cast<float>(worst.input);
}

}  // namespace
}  // namespace tg
