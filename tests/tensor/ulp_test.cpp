// How far the functions of tg/unary.def are from the real ones in float32, in units in the last place, over all kinds of numbers: every so
// many of the 2^32 there are. `./do ulp` looks at all of them (TG_ULP_STRIDE=1), prints the worst of each function and records it.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>

#include "measured.hpp"
#include "tensor_testing.hpp"

namespace tg {
namespace {

/// Of the inputs every so many: as TG_ULP_STRIDE says, which also asks for a record.
std::optional<uint64_t> stride_to_record() {
  const char* const given = std::getenv("TG_ULP_STRIDE");
  if (!given) return {};
  return std::max(1ull, std::strtoull(given, nullptr, 10));
}

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

struct Function {
  const char* name;
  Tensor (*ours)(const Tensor&);
  double (*theirs)(double);
  double bound;
  bool has_roots = false;  // near which the error is measured by the unit of 1, of negative numbers by that of f(|x|) if that is more
  friend void PrintTo(const Function& f, std::ostream* out) { *out << f.name; }
};
const Function kFunctions[] = {
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

/// Distance in units of the last place of the float next to `want`, or to `least` if that is more.
double units(float got, double want, double least) {
  const auto rounded = static_cast<float>(want);
  if (std::isnan(rounded) || std::isnan(got)) return std::isnan(rounded) == std::isnan(got) ? 0 : INFINITY;
  if (std::isinf(rounded) || std::isinf(got)) return rounded == got ? 0 : INFINITY;
  const double size = std::fmax(std::fmax(std::fabs(want), least), 0x1p-126);
  const auto exponent = static_cast<int64_t>(std::bit_cast<uint64_t>(size) >> 52 & 0x7ff) - 1023;
  const auto inverse_unit = std::bit_cast<double>((1023 + 23 - exponent) << 52);
  return std::fabs(static_cast<double>(got) - want) * inverse_unit;
}

/// The worst of the inputs first, first + stride, ... whose bits are below 2^32, at most `count` of them.
Worst worst_of(const Function& f, uint64_t first, uint64_t stride, size_t count) {
  std::vector<int32_t> bits;
  for (uint64_t b = first; b < uint64_t{1} << 32 && bits.size() < count; b += stride)
    bits.push_back(static_cast<int32_t>(static_cast<uint32_t>(b)));
  const std::vector<float> got = f.ours(Tensor::from(bits).bitcast(float32)).to_vector<float>();
  Worst out;
  std::mutex mutex;
  const auto threads = static_cast<size_t>(settings().threads);
  const auto look = [&](size_t t) {
    Worst mine;
    for (size_t i = t; i < bits.size(); i += threads) {
      const double input = static_cast<double>(std::bit_cast<float>(bits[i]));
      mine |= {units(got[i], f.theirs(input), f.has_roots ? std::fmax(1, input < 0 ? f.theirs(-input) : 0) : 0),
               static_cast<uint32_t>(bits[i])};
    }
    const std::lock_guard lock(mutex);
    out |= mine;
  };
  {
    std::vector<std::jthread> all;
    for (size_t t = 0; t < threads; ++t) all.emplace_back(look, t);
  }
  return out;
}

class Ulp : public testing::TestWithParam<Function> {};
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
  const auto record_at = stride_to_record();
  const int64_t pairs = record_at ? (int64_t{1} << 24) / static_cast<int64_t>(*record_at) : 60000;
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
      if (const double u = units(got[i], want, 0); u > worst) worst = u, at = i;
    }
    if (record_at) record(f.name, {worst, fmt::format("{},{}", a[at], b[at]), a.size()});
    EXPECT_LE(worst, 4) << f.name << " of " << a[at] << " and " << b[at] << " is " << got[at];
  }
}

TEST_P(Ulp, WorstOfAllInputs) {
  const auto record_at = stride_to_record();
  const uint64_t stride = record_at.value_or(65521);  // a prime: mantissas of all kinds
  constexpr size_t kAtOnce = size_t{1} << 22;
  Worst worst;
  for (uint64_t first = 0; first < uint64_t{1} << 32; first += stride * kAtOnce) worst |= worst_of(GetParam(), first, stride, kAtOnce);
  const auto at = std::bit_cast<float>(worst.input);
  if (record_at) {
    std::cout << GetParam().name << ": at most " << worst.units << " units in the last place, at " << at << std::endl;
    record(GetParam().name, {worst.units, fmt::format("{}", at), ((uint64_t{1} << 32) - 1) / stride + 1});
  } else if (const auto all = all_measured(); all.contains(GetParam().name) && settings().device == "cpu" && !settings().eager) {
    const Measured& before = all.at(GetParam().name);
    const double most = before.inputs == uint64_t{1} << 32 ? before.units + 1e-4 : INFINITY;
    EXPECT_LE(worst.units, most) << "at " << at << ", above what was measured; ./do ulp measures it anew";
  }
  // Op by op exp(x) is exp2(x log2(e)) with the product's rounding magnified.
  EXPECT_LE(worst.units, settings().eager || device(settings().device).interprets() ? 64 : GetParam().bound) << "at " << at;
}

}  // namespace
}  // namespace tg
