// What a node costs: made, found again, as memory; and what simplifying costs. One JSON object a line.
//
//   {"name": "node made", "value": 210, "unit": "ns", "peer": "limit", "peer_value": 300, "ratio": 0.7}
#include <malloc.h>
#include <time.h>

#include "bench.hpp"
#include "ir/symbolic.hpp"

using namespace tg;
using bench::median_of;

namespace {

double cpu_seconds(const std::function<void()>& run) {  // of this thread, so that a busy machine does not count
  const auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double begin = now();
  run();
  return now() - begin;
}
void report(const char* name, double value, const char* unit, double limit) { bench::report({name, value, unit, "limit", limit}); }

// The index of a convolution's input, through padding, windows and a merged axis, with its gate.
UOp convolution_index(int64_t n) {
  const UOp p = param(0, float32, Shape{1 << 20}), o = range(28 * n, 0), k = range(9, 1), c = range(32, 2);
  const UOp y = floor_div(o, n) + floor_div(k, 3) - 1, x = floor_mod(o, n) + floor_mod(k, 3) - 1;
  const UOp inside = less(index(-1), y) & less(y, 28) & less(index(-1), x) & less(x, n);
  const UOp flat = (c * 28 + y) * n + x;
  const UOp at = floor_div(flat, 28 * n) * (28 * n) + floor_mod(floor_div(flat, n), 28) * n + floor_mod(flat, n);
  return where(inside, load(p, at), constant(float32, 0));
}

struct Chain {  // a + b + b + ...
  explicit Chain(size_t n) : nodes(n) {}
  void build() {
    UOp u = a;
    for (UOp& n : nodes) n = u = u + b;
  }
  void drop() { std::fill(nodes.begin(), nodes.end(), UOp{}); }
  double ns() const { return 1e9 / static_cast<double>(nodes.size()); }
  UOp a = param(0, float32), b = param(1, float32);
  std::vector<UOp> nodes;
};

}  // namespace

int main() {
  Chain step(10'000);  // a training step's graph
  step.build();
  report("node found", median_of(101, [&] { return cpu_seconds([&] { step.build(); }); }) * step.ns(), "ns", 100);
  report("node made", median_of(101, [&] { step.drop(); return cpu_seconds([&] { step.build(); }); }) * step.ns(), "ns", 300);
  report("node released", median_of(101, [&] { step.build(); return cpu_seconds([&] { step.drop(); }); }) * step.ns(), "ns", 300);

  Chain deep(1'000'000);
  const auto used = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
  const size_t before = used();
  report("node made, of a million", cpu_seconds([&] { deep.build(); }) * deep.ns(), "ns", 1000);
  report("node size", static_cast<double>(used() - before) / static_cast<double>(deep.nodes.size()), "bytes", 200);
  report("node rewritten (half of them reordered), of a million", cpu_seconds([&] { simplify(deep.nodes.back()); }) * deep.ns(), "ns",
         2000);
  report("node released, of a million", cpu_seconds([&] { deep.drop(); }) * deep.ns(), "ns", 1000);

  int64_t width = 8;
  const double fresh = median_of(21, [&] { const UOp u = convolution_index(++width); return cpu_seconds([&] { simplify(u); }); });
  report("simplify a convolution's load", fresh * 1e6, "us", 200);
  const UOp u = convolution_index(30), s = simplify(u);
  const auto again = [&] { for (int i = 0; i < 1000; ++i) simplify(s); };
  report("simplify it again", median_of(21, [&] { return cpu_seconds(again); }) * 1e6, "ns", 100);  // a thousand times, so us are ns
}
