// Kernels whose time is memory's, beside a loop with the same mix of reads and writes: one written for this purpose that stores around the
// cache and asks ahead, on the same number of threads, over the same number of bytes, taking turns. What it reaches is what the machine
// gives.
//
//   {"name": "softmax of 4096 x 4096", "value": 60, "unit": "GB/s", "peer": "copy", "peer_value": 80, "ratio": 0.75}
//
// Some also beside PyTorch (bench/memory_torch.py), in the same turns, as milliseconds.
#include <sys/mman.h>

#include <array>
#include <thread>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/env.hpp"
#include "bench.hpp"
#include "tg/tg.hpp"
#include "torch.hpp"

using namespace tg;

namespace {

constexpr int64_t kSide = 4096, kOdd = 4099, kLarge = 8192;
constexpr double kMostFaults = 1000;  // a call, of the peer: 4 MB of the 67 it writes

/// Memory of large pages, as the library's is, filled once.
float* pages(size_t bytes) {
  void* const p = std::aligned_alloc(size_t{2} << 20, (bytes + (size_t{2} << 20) - 1) >> 21 << 21);
  madvise(p, bytes, MADV_HUGEPAGE);
  std::fill_n(static_cast<float*>(p), bytes / sizeof(float), 1.0f);
  return static_cast<float*>(p);
}

/// What memory is asked for: one array read and another written, one read, three read and one written.
enum class Mix { Copy, Read, Three };
constexpr const char* kNames[] = {"copy", "reading", "three arrays into one"};
constexpr int kReads[] = {1, 1, 3}, kWrites[] = {1, 0, 1};
using Arrays = std::array<const float*, 3>;

template <Mix mix> void stream([[maybe_unused]] float* to, const Arrays& from, int64_t begin, int64_t end) {
#ifdef __SSE2__
  constexpr int64_t kAhead = 1024, kLine = 16;
  __m128 sums[4] = {};
  for (int64_t i = begin; i < end; i += kLine) {
    for (int a = 0; a < kReads[static_cast<int>(mix)]; ++a) __builtin_prefetch(from[static_cast<size_t>(a)] + i + kAhead);
#pragma GCC unroll 4
    for (int64_t j = i; j < i + kLine; j += 4) {
      __m128 x = _mm_loadu_ps(from[0] + j);
      if constexpr (mix == Mix::Three) x = _mm_add_ps(_mm_add_ps(x, _mm_loadu_ps(from[1] + j)), _mm_loadu_ps(from[2] + j));
      if constexpr (mix == Mix::Read) sums[(j - i) / 4] = _mm_add_ps(sums[(j - i) / 4], x);
      else _mm_stream_ps(to + j, x);
    }
  }
  _mm_sfence();
  const __m128 sum = _mm_add_ps(_mm_add_ps(sums[0], sums[1]), _mm_add_ps(sums[2], sums[3]));
  asm volatile("" : : "x"(sum));
#else
  float sum = 0;
  for (int64_t i = begin; i < end; ++i) {
    const float x = mix == Mix::Three ? from[0][i] + from[1][i] + from[2][i] : from[0][i];
    if constexpr (mix == Mix::Read) sum += x;
    else to[i] = x;
  }
  volatile float kept = sum;
  (void)kept;
#endif
}

/// Of three calls the median, after two that wake threads.
double steady(const std::function<double()>& call) {
  call(), call();
  return bench::median_of(3, call);
}

class Streams {
 public:
  double operator()(Mix mix) {  // bytes a second, read and written
    std::swap(to_, other_);
    constexpr decltype(&stream<Mix::Copy>) kRun[] = {stream<Mix::Copy>, stream<Mix::Read>, stream<Mix::Three>};
    const auto m = static_cast<size_t>(mix);
    const int threads = settings().threads;
    const int64_t share = kSide * kSide / threads / 16 * 16;
    const double s = bench::seconds([&] {
      std::vector<std::jthread> pool;
      for (int t = 1; t < threads; ++t) pool.emplace_back([=, this] { kRun[m](to_, from_, t * share, (t + 1) * share); });
      kRun[m](to_, from_, 0, share);
    });
    return static_cast<double>(kReads[m] + kWrites[m]) * sizeof(float) * static_cast<double>(share * threads) / s;
  }

 private:
  Arrays from_{pages(kSide * kSide * 4), pages(kSide * kSide * 4), pages(kSide * kSide * 4)};
  float *to_ = pages(kSide * kSide * 4), *other_ = pages(kSide * kSide * 4);
};

struct Peers {
  bench::Torch torch{"memory_torch.py", {std::to_string(settings().threads)}};
  Streams streams;
};

/// `same`: what the script of PyTorch calls it, and the side; empty where there is nothing to compare with.
void measure(const std::string& name, Mix mix, double elements, Peers& peers, const std::function<Tensor()>& build,
             const std::string& same = "") {
  const auto m = static_cast<size_t>(mix);
  const double bytes = (kReads[m] + kWrites[m]) * sizeof(float) * elements;
  Tensor kept;
  const bench::Cold cold = bench::cold([&] { kept = build().realize(); });
  std::vector<double> ours, streams, torch;
  double faults = 0;
  for (int round = 0; round < 9; ++round) {
    streams.push_back(steady([&] { return peers.streams(mix); }));
    ours.push_back(steady([&] { return bench::seconds([&] { kept = build().realize(); }); }));
    if (!same.empty() && peers.torch) {
      const auto answer = peers.torch.ask(same, 2);
      torch.push_back(answer[0]);
      if (round > 0) faults = std::max(faults, answer[1]);
    }
  }
  const double seconds = bench::median(ours);
  bench::report({name, bytes / seconds * 1e-9, "GB/s", kNames[m], bench::median(streams) * 1e-9, 0, cold});
  if (torch.empty()) return;
  bench::report({name + ", time", seconds * 1e3, "ms", peers.torch.name, bench::median(torch) * 1e3});
  if (faults > kMostFaults)
    fmt::print("PyTorch took {:.0f} page faults a call: its memory is not reused, so its time means little\n", faults);
}

}  // namespace

int main() {
  fmt::print("bytes read and written at the least, on {} threads\n", settings().threads);
  Peers peers;
  if (peers.torch) fmt::print("{}, {}\n", peers.torch.name, peers.torch.how);
  manual_seed(0);
  const auto random = [](const Sizes& shape) { return Tensor::randn(shape).realize(); };
  for (const int64_t n : {kLarge, kSide, kOdd}) {
    const std::string size = fmt::format(" of {0} x {0}", n);
    const double once = static_cast<double>(n) * static_cast<double>(n);
    const Tensor x = random({n, n}), y = random({n, n}), z = random({n, n}), w = random({n}), b = random({n});
    measure(
        "five operations on three arrays" + size, Mix::Three, once, peers, [&] { return ((x * y + z) * x - y).relu(); },
        fmt::format("five {}", n));
    if (n == kLarge) continue;
    measure("x + 1" + size, Mix::Copy, once, peers, [&] { return x + 1; });
    measure("gelu, with tanh," + size, Mix::Copy, once, peers, [&] { return x.gelu({.tanh = true}); }, fmt::format("gelu {}", n));
    measure("softmax" + size, Mix::Copy, once, peers, [&] { return x.softmax(); }, fmt::format("softmax {}", n));
    measure("layer norm" + size, Mix::Copy, once, peers, [&] { return x.layer_norm(w, b); }, fmt::format("layer_norm {}", n));
    measure("transpose" + size, Mix::Copy, once, peers, [&] { return x.T().contiguous(); });
    measure("sums of rows" + size, Mix::Read, once, peers, [&] { return x.sum({.axis = 1}); });
    measure("sums of columns" + size, Mix::Read, once, peers, [&] { return x.sum({.axis = 0}); });
    measure("matrix by vector" + size, Mix::Read, once, peers, [&] { return x.matmul(w); });
    measure("vector by matrix" + size, Mix::Read, once, peers, [&] { return w.matmul(x); });
  }
}
