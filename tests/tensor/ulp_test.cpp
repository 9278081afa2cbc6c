// How far functions of float32 are from the real ones, in units in the last place, over all kinds of numbers: every so many of the 2^32
// there are. `./do ulp` looks at all of them (TG_ULP_STRIDE=1) and prints the worst of each function.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <mutex>
#include <thread>

#include "tensor_testing.hpp"

namespace tg {
namespace {

struct Function {
  const char* name;
  Tensor (*ours)(const Tensor&);
  double (*theirs)(double);
  double bound;
  friend void PrintTo(const Function& f, std::ostream* out) { *out << f.name; }
};

struct Worst {
  double units = 0;
  uint32_t input = 0;
  void operator|=(const Worst& o) { if (o.units > units) *this = o; }
};

/// Distance in units of the last place of the float next to `want`; denormals have the unit of the smallest normal number.
double units(float got, double want) {
  const auto rounded = static_cast<float>(want);
  if (std::isnan(rounded) || std::isnan(got)) return std::isnan(rounded) == std::isnan(got) ? 0 : INFINITY;
  if (std::isinf(rounded) || std::isinf(got)) return rounded == got ? 0 : INFINITY;
  const auto exponent = static_cast<int64_t>(std::bit_cast<uint64_t>(want) >> 52 & 0x7ff) - 1023;
  const auto inverse_unit = std::bit_cast<double>((1023 + 23 - std::max(exponent, int64_t{-126})) << 52);
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
      mine |= {units(got[i], f.theirs(input)), static_cast<uint32_t>(bits[i])};
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
INSTANTIATE_TEST_SUITE_P(, Ulp,
                         testing::Values(Function{"exp", exp, std::exp, 1}, Function{"exp2", exp2, std::exp2, 1},
                                         Function{"log", log, std::log, 1}, Function{"log2", log2, std::log2, 1.5},
                                         Function{"sin", sin, std::sin, 1.6}, Function{"cos", cos, std::cos, 1.6},
                                         Function{"sqrt", sqrt, std::sqrt, 0.5}, Function{"tanh", tanh, std::tanh, 4},
                                         Function{"erf", erf, std::erf, 2}),
                         [](const auto& i) { return i.param.name; });

TEST_P(Ulp, WorstOfAllInputs) {
  const char* const given = std::getenv("TG_ULP_STRIDE");
  const uint64_t stride = given ? std::max(1ull, std::strtoull(given, nullptr, 10)) : 16381;  // a prime: mantissas of all kinds
  constexpr size_t kAtOnce = size_t{1} << 22;
  Worst worst;
  for (uint64_t first = 0; first < uint64_t{1} << 32; first += stride * kAtOnce) worst |= worst_of(GetParam(), first, stride, kAtOnce);
  const auto at = std::bit_cast<float>(worst.input);
  if (given) std::cout << GetParam().name << ": at most " << worst.units << " units in the last place, at " << at << std::endl;
  // Op by op exp(x) is exp2(x log2(e)) with the product's rounding magnified.
  EXPECT_LE(worst.units, settings().eager || device(settings().device).interprets() ? 64 : GetParam().bound) << "at " << at;
}

}  // namespace
}  // namespace tg
