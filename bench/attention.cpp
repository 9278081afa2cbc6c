// Causal attention beside PyTorch's: composed of its operations (products, mask, softmax), and its own where the installed one has it.
// Forward, and forward with the gradients of queries, keys and values.
//
//   {"name": "attention 4 x 8 heads of 64, length 1024", "value": 20, "unit": "ms", "peer": "PyTorch 1.13", "peer_value": 90, ...}
//
// Both sides take turns in one run; sums of results and gradients are compared. On one thread (TG_THREADS=1) time is that thread's own.
#include <chrono>
#include <cmath>
#include <thread>

#include "bench.hpp"
#include "tg/attention.hpp"
#include "tg/error.hpp"
#include "tg/tg.hpp"
#include "torch.hpp"

using namespace tg;

namespace {

struct Case { int64_t batch, heads, length, head; };
const Case kCases[] = {{4, 8, 1024, 64}, {4, 8, 1021, 61}, {8, 6, 256, 64}, {1, 8, 4096, 64}};

void run(const Case& c, bench::Torch& peer) {
  const Sizes shape{c.batch, c.heads, c.length, c.head};
  const auto numbers = [&](int64_t period) {
    return (((Tensor::arange(c.batch * c.heads * c.length * c.head) % period) - period / 2).cast(float32) * 0.125).reshape(shape).realize();
  };
  Tensor q = numbers(7), k = numbers(11), v = numbers(5);
  const Tensor seed = numbers(3);
  const AttentionOptions o{.causal = true};
  const auto forward = [&] {
    const NoGrad none;
    return scaled_dot_product_attention(q, k, v, o).realize();
  };
  const bench::Cold cold_forward = bench::cold([&] { forward(); });
  for (Tensor* t : {&q, &k, &v}) t->set_requires_grad();
  const auto both = [&] {
    const Tensor result = scaled_dot_product_attention(q, k, v, o);
    std::vector<Tensor> all = gradient(result, {q, k, v}, {.seed = seed});
    all.insert(all.begin(), result);
    realize(all);
    return all;
  };
  const double steps = 1e-9 * static_cast<double>(c.batch * c.heads * c.length * c.length * c.head);
  const int repeats = std::clamp(static_cast<int>(4 / steps), 1, 20);
  const bench::Cold cold[] = {cold_forward, bench::cold([&] { both(); })};
  std::vector<double> ours[2], theirs[4], sums(4);
  for (int round = 0; round < 5; ++round) {
    // Idle threads of either side spin for a while: the other begins when they sleep.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ours[0].push_back(bench::seconds_of_one(repeats, forward));
    ours[1].push_back(bench::seconds_of_one(repeats, both));
    if (!peer) continue;
    const std::vector<double> m = peer.ask(fmt::format("{} {} {} {} {}", c.batch, c.heads, c.length, c.head, repeats), 8);
    for (size_t i = 0; i < 4; ++i) theirs[i].push_back(m[i]);
    sums.assign(m.begin() + 4, m.end());
  }
  const std::string name = fmt::format("attention {} x {} heads of {}, length {}", c.batch, c.heads, c.head, c.length);
  for (size_t i = 0; i < 4; ++i) {
    if (i >= 2 && (!peer || theirs[i][0] == 0)) continue;
    bench::Row row{fmt::format("{}{}", name, i % 2 == 0 ? "" : ", with gradients"), 1e3 * bench::median(ours[i % 2]), "ms"};
    if (peer) row.peer = peer.name + (i < 2 ? "" : ", its own"), row.peer_value = 1e3 * bench::median(theirs[i]);
    row.cold = cold[i % 2];
    bench::report(row);
  }
  if (!peer) return;
  const std::vector<Tensor> results = both();
  for (size_t i = 0; i < 4; ++i) {
    const double sum = results[i].cast(float64).square().sum().item<double>();
    if (!(std::abs(sum - sums[i]) <= 1e-4 * sums[i]))
      throw ValueError(fmt::format("{}: the sum of the squares of result {} is {}, the peer's {}", name, i, sum, sums[i]));
  }
}

}  // namespace

int main(int count, char** arguments) {
  bench::Torch peer("attention_torch.py", {std::to_string(settings().threads)});
  if (peer) fmt::print("{} uses {}\n", peer.name, peer.how);
  else fmt::print("no PyTorch to compare with\n");
  for (const Case& c : kCases)
    if (count < 2 || std::to_string(c.length) == arguments[1]) run(c, peer);
}
