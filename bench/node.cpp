// What a node costs: made, found again, as memory; and what simplifying costs. One JSON object a line.
//
//   {"name": "node made", "value": 210, "unit": "ns", "peer": "target", "peer_value": 300, "ratio": 0.7}
#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <functional>
#include <vector>

#include <fmt/format.h>

#include "ir/symbolic.hpp"

using namespace tg;

namespace {

double now() {  // of this thread, so that a busy machine does not count
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}
double seconds(const std::function<void()>& run) {
  const double begin = now();
  run();
  return now() - begin;
}
double median_of(int times, const std::function<double()>& measure) {
  std::vector<double> v;
  for (int i = 0; i < times; ++i) v.push_back(measure());
  std::nth_element(v.begin(), v.begin() + times / 2, v.end());
  return v[static_cast<size_t>(times / 2)];
}
void report(const char* name, double value, const char* unit, double target) {
  fmt::print("{{\"name\": \"{}\", \"value\": {:.1f}, \"unit\": \"{}\", \"peer\": \"target\", \"peer_value\": {}, \"ratio\": {:.3f}}}\n",
             name, value, unit,
             target, value / target);
}

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
  report("node found", median_of(101, [&] { return seconds([&] { step.build(); }); }) * step.ns(), "ns", 100);
  report("node made", median_of(101, [&] { step.drop(); return seconds([&] { step.build(); }); }) * step.ns(), "ns", 300);
  report("node released", median_of(101, [&] { step.build(); return seconds([&] { step.drop(); }); }) * step.ns(), "ns", 300);

  Chain deep(1'000'000);
  const auto used = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
  const size_t before = used();
  report("node made, of a million", seconds([&] { deep.build(); }) * deep.ns(), "ns", 1000);
  report("node size", static_cast<double>(used() - before) / static_cast<double>(deep.nodes.size()), "bytes", 200);
  report("node rewritten (half of them reordered), of a million", seconds([&] { simplify(deep.nodes.back()); }) * deep.ns(), "ns", 2000);
  report("node released, of a million", seconds([&] { deep.drop(); }) * deep.ns(), "ns", 1000);

  int64_t width = 8;
  const double fresh = median_of(21, [&] { const UOp u = convolution_index(++width); return seconds([&] { simplify(u); }); });
  report("simplify a convolution's load", fresh * 1e6, "us", 200);
  const UOp u = convolution_index(30), s = simplify(u);
  const auto again = [&] { for (int i = 0; i < 1000; ++i) simplify(s); };
  report("simplify it again", median_of(21, [&] { return seconds(again); }) * 1e6, "ns", 100);  // a thousand times, so us are ns
}
