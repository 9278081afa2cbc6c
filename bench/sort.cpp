// What goes in order, 16M float32: sorted against oneTBB's parallel_sort, running sums and the ten largest against what copying takes.
//
//   {"name": "sort 16M float32", "value": 0.2, "unit": "s", "peer": "oneTBB", "peer_value": 0.4, "ratio": 0.5}
#include "bench.hpp"
#include "tg/tg.hpp"

#ifdef TG_TBB  // where it is installed
#include <tbb/parallel_sort.h>
constexpr bool kPeer = true;
#else
constexpr bool kPeer = false;
#endif

namespace {

constexpr int64_t kElements = int64_t{1} << 24;
constexpr int kTimes = 9;

double sorted_by_peer([[maybe_unused]] std::vector<float> values) {
#ifdef TG_TBB
  return tg::bench::seconds([&] { tbb::parallel_sort(values.begin(), values.end()); });
#else
  return 0;
#endif
}

}  // namespace

int main() {
  using tg::bench::median_of, tg::bench::report, tg::bench::seconds;
  const tg::Tensor x = tg::Tensor::rand({kElements}).realize(), square = x.reshape({4096, 4096});
  const std::vector<float> values = x.to_vector<float>();
  tg::bench::Cold cold;
  const auto time = [&](const std::function<tg::Tensor()>& of) {
    cold = tg::bench::cold([&] { of().realize(); });
    return median_of(kTimes, [&] { return seconds([&] { of().realize(); }); });
  };
  const double peer = kPeer ? median_of(3, [&] { return sorted_by_peer(values); }) : 0;
  const auto against_peer = [&](const char* name, double value) {
    report({name, value, "s", kPeer ? "oneTBB" : "", peer, 0, cold});
  };
  against_peer("sort 16M float32", time([&] { return x.sort().values; }));
  against_peer("argsort 16M float32", time([&] { return x.argsort(); }));
  const double copy = time([&] { return x.clone() + 0.5f; }) * 1e3;  // reads and writes every element once
  const auto against_copy = [&](const char* name, const std::function<tg::Tensor()>& of) {
    const double ms = time(of) * 1e3;
    report({name, ms, "ms", "copy", copy, 0, cold});
  };
  against_copy("cumsum 16M float32", [&] { return x.cumsum(); });
  against_copy("cumsum 4096 x 4096 along rows", [&] { return square.cumsum(1); });
  against_copy("cumsum 4096 x 4096 along columns", [&] { return square.cumsum(0); });
  against_copy("topk 10 of 16M float32", [&] { return x.topk(10).values; });
}
