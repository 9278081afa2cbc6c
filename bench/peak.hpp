#pragma once
// How many float32 operations a second the machine makes when nothing holds it up: independent multiply-adds in the widest registers it
// has.
//
//   peak()     230e9, of settings().threads threads
#include <thread>
#include <vector>

#include "bench.hpp"

namespace tg::bench {
namespace detail {

constexpr int kAtOnce = 12;  // more than multiply-adds take to finish, on two units: no one waits for another

template <int bytes>
struct Vector {
  typedef float Type __attribute__((vector_size(bytes)));
};
// One multiply-add of each number of a vector: sum = sum * factor + term.
template <class V>
[[gnu::always_inline]] inline void multiply_add(V& sum, const V& factor, const V& term) {
#ifdef __x86_64__
  if constexpr (sizeof(V) > 16) {
    asm volatile("vfmadd213ps %2, %1, %0" : "+v"(sum) : "v"(factor), "v"(term));
    return;
  }
#endif
  sum = sum * factor + term;
}
// Operations made. Inlined into one function a width, which says what it may use.
template <int bytes>
[[gnu::always_inline]] inline double multiply_adds(int64_t rounds) {
  using V = typename Vector<bytes>::Type;
  V sums[kAtOnce], factor = V{} + 0.5f, term = V{} + 0.25f;
#pragma GCC unroll 12
  for (int i = 0; i < kAtOnce; ++i) sums[i] = V{} + static_cast<float>(i);
  for (int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 12
    for (int i = 0; i < kAtOnce; ++i) multiply_add(sums[i], factor, term);
  V all{};
#pragma GCC unroll 12
  for (int i = 0; i < kAtOnce; ++i) all += sums[i];
  asm volatile("" : "+m"(all));
  return 2.0 * static_cast<double>(rounds) * kAtOnce * bytes / sizeof(float);
}
#ifdef __x86_64__
[[gnu::target("avx512f")]] inline double of_64(int64_t rounds) { return multiply_adds<64>(rounds); }
[[gnu::target("avx2,fma")]] inline double of_32(int64_t rounds) { return multiply_adds<32>(rounds); }
#endif
inline double widest(int64_t rounds) {
#ifdef __x86_64__
  const int most = settings().cpu_vector.value_or(64);
  if (most >= 64 && __builtin_cpu_supports("avx512f")) return of_64(rounds);
  if (most >= 32 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return of_32(rounds);
#endif
  return multiply_adds<16>(rounds);
}

}  // namespace detail

/// Operations a second, of as many threads as kernels have: the best of so many tries of 2 ms, since new threads may begin on one core.
inline double peak(int tries = 20) {
  const auto measure = [] {
    constexpr int64_t kRounds = 1'000'000;
    std::vector<double> rates(static_cast<size_t>(settings().threads));
    const auto work = [&](size_t t) {
      double operations = 0;
      const double s = seconds([&] { operations = detail::widest(kRounds); });
      rates[t] = operations / s;
    };
    {
      std::vector<std::jthread> pool;
      for (size_t t = 1; t < rates.size(); ++t) pool.emplace_back(work, t);
      work(0);
    }
    double all = 0;
    for (const double r : rates) all += r;
    return all;
  };
  double best = 0;
  for (int i = 0; i < tries; ++i) best = std::max(best, measure());
  return best;
}

}  // namespace tg::bench
