// Kernels whose time is memory's, beside a copy: a loop written for this purpose that stores around the cache and asks ahead, on the same
// number of threads, over the same number of bytes, taking turns. What it reaches is what the machine gives.
//
//   {"name": "softmax of 4096 x 4096", "value": 60, "unit": "GB/s", "peer": "copy", "peer_value": 80, "ratio": 0.75}
//
// Some also beside PyTorch (bench/memory_torch.py), in the same turns, as milliseconds.
#include <sys/mman.h>

#include <cstring>
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

constexpr int64_t kSide = 4096, kOdd = 4099;
constexpr double kMostFaults = 1000;  // a call, of the peer: 4 MB of the 67 it writes

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

struct Peers {
  bench::Torch torch{"memory_torch.py", {std::to_string(settings().threads)}};
  Copy copy;
};

/// `same`: what the script of PyTorch calls it, and the side; empty where there is nothing to compare with.
void measure(const std::string& name, double bytes, Peers& peers, const std::function<Tensor()>& build, const std::string& same = "") {
  Tensor kept = build().realize();
  std::vector<double> ours, copies, torch;
  double faults = 0;
  for (int round = 0; round < 9; ++round) {
    copies.push_back(peers.copy());
    ours.push_back(bench::seconds([&] { kept = build().realize(); }));
    if (!same.empty() && peers.torch) {
      const auto answer = peers.torch.ask(same, 2);
      torch.push_back(answer[0]);
      if (round > 0) faults = std::max(faults, answer[1]);
    }
  }
  const double seconds = bench::median(ours);
  bench::report({name, bytes / seconds * 1e-9, "GB/s", "copy", bench::median(copies) * 1e-9});
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
  for (const int64_t n : {kSide, kOdd}) {
    const std::string size = fmt::format(" of {0} x {0}", n);
    const double once = 4.0 * static_cast<double>(n) * static_cast<double>(n);
    const auto random = [](const Sizes& shape) { return Tensor::randn(shape).realize(); };
    const Tensor x = random({n, n}), y = random({n, n}), z = random({n, n}), w = random({n}), b = random({n});
    measure("x + 1" + size, 2 * once, peers, [&] { return x + 1; });
    measure(
        "five operations on three arrays" + size, 4 * once, peers, [&] { return ((x * y + z) * x - y).relu(); }, fmt::format("five {}", n));
    measure("gelu, with tanh," + size, 2 * once, peers, [&] { return x.gelu({.tanh = true}); }, fmt::format("gelu {}", n));
    measure("softmax" + size, 2 * once, peers, [&] { return x.softmax(); }, fmt::format("softmax {}", n));
    measure("layer norm" + size, 2 * once, peers, [&] { return x.layer_norm(w, b); }, fmt::format("layer_norm {}", n));
    measure("transpose" + size, 2 * once, peers, [&] { return x.T().contiguous(); });
    measure("sums of rows" + size, once, peers, [&] { return x.sum({.axis = 1}); });
    measure("sums of columns" + size, once, peers, [&] { return x.sum({.axis = 0}); });
    measure("matrix by vector" + size, once, peers, [&] { return x.matmul(w); });
    measure("vector by matrix" + size, once, peers, [&] { return w.matmul(x); });
  }
}
