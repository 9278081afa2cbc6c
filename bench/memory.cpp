// Kernels whose time is memory's, beside a copy: a loop written for this purpose that stores around the cache and asks ahead, on the same
// number of threads, over the same number of bytes, taking turns. What it reaches is what the machine gives.
//
//   {"name": "softmax of 4096 x 4096", "value": 60, "unit": "GB/s", "peer": "copy", "peer_value": 80, "ratio": 0.75}
#include <sys/mman.h>

#include <cstring>
#include <thread>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/env.hpp"
#include "bench.hpp"
#include "tg/tg.hpp"

using namespace tg;

namespace {

constexpr int64_t kSide = 4096, kOdd = 4099;

/// Memory of large pages, as the library's is, filled once.
float* pages(size_t bytes) {
  void* const p = std::aligned_alloc(size_t{2} << 20, (bytes + (size_t{2} << 20) - 1) >> 21 << 21);
  madvise(p, bytes, MADV_HUGEPAGE);
  std::fill_n(static_cast<float*>(p), bytes / sizeof(float), 1.0f);
  return static_cast<float*>(p);
}

void copy(float* to, const float* from, int64_t n) {
#ifdef __SSE2__
  constexpr int64_t kAhead = 1024, kLine = 16;
  for (int64_t i = 0; i < n; i += kLine) {
    __builtin_prefetch(from + i + kAhead);
    for (int64_t j = i; j < i + kLine; j += 4) _mm_stream_ps(to + j, _mm_loadu_ps(from + j));
  }
  _mm_sfence();
#else
  std::memcpy(to, from, static_cast<size_t>(n) * sizeof(float));
#endif
}

class Copy {
 public:
  double operator()() {  // bytes a second, read and written
    std::swap(to_, other_);
    const int threads = settings().threads;
    const int64_t share = kSide * kSide / threads / 16 * 16;
    const double s = bench::seconds([&] {
      std::vector<std::jthread> pool;
      for (int t = 1; t < threads; ++t) pool.emplace_back([=, this] { copy(to_ + t * share, from_ + t * share, share); });
      copy(to_, from_, share);
    });
    return 2.0 * sizeof(float) * static_cast<double>(share * threads) / s;
  }

 private:
  float *from_ = pages(kSide * kSide * 4), *to_ = pages(kSide * kSide * 4), *other_ = pages(kSide * kSide * 4);
};

void measure(const std::string& name, double bytes, Copy& peer, const std::function<Tensor()>& build) {
  Tensor kept = build().realize();
  std::vector<double> ours, theirs;
  for (int round = 0; round < 9; ++round) {
    theirs.push_back(peer());
    ours.push_back(bytes / bench::seconds([&] { kept = build().realize(); }));
  }
  bench::report({name, bench::median(ours) * 1e-9, "GB/s", "copy", bench::median(theirs) * 1e-9});
}

}  // namespace

int main() {
  fmt::print("bytes read and written at the least, on {} threads\n", settings().threads);
  manual_seed(0);
  Copy peer;
  for (const int64_t n : {kSide, kOdd}) {
    const std::string size = fmt::format(" of {0} x {0}", n);
    const double once = 4.0 * static_cast<double>(n) * static_cast<double>(n);
    const auto random = [](const Sizes& shape) { return Tensor::randn(shape).realize(); };
    const Tensor x = random({n, n}), y = random({n, n}), z = random({n, n}), w = random({n}), b = random({n});
    measure("x + 1" + size, 2 * once, peer, [&] { return x + 1; });
    measure("five operations on three arrays" + size, 4 * once, peer, [&] { return ((x * y + z) * x - y).relu(); });
    measure("gelu, with tanh," + size, 2 * once, peer, [&] { return x.gelu({.tanh = true}); });
    measure("softmax" + size, 2 * once, peer, [&] { return x.softmax(); });
    measure("layer norm" + size, 2 * once, peer, [&] { return x.layer_norm(w, b); });
    measure("transpose" + size, 2 * once, peer, [&] { return x.T().contiguous(); });
    measure("sums of rows" + size, once, peer, [&] { return x.sum({.axis = 1}); });
    measure("sums of columns" + size, once, peer, [&] { return x.sum({.axis = 0}); });
    measure("matrix by vector" + size, once, peer, [&] { return x.matmul(w); });
    measure("vector by matrix" + size, once, peer, [&] { return w.matmul(x); });
  }
}
