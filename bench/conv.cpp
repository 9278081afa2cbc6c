// Convolutions beside PyTorch's (oneDNN): plain NCHW in and out, whatever either side reorders counted. Forward, and forward with both
// gradients.
//
//   {"name": "convolution 3 x 3, 64 to 64, 56 x 56, batch 16", "value": 300, "unit": "GFLOP/s", "peer": "PyTorch", "peer_value": 280, ...}
//
// Both sides take turns in one run; sums of results and gradients are compared.
#include <chrono>
#include <cmath>
#include <thread>

#include "bench.hpp"
#include "peak.hpp"
#include "tg/error.hpp"
#include "tg/tg.hpp"
#include "torch.hpp"

using namespace tg;

namespace {

struct Case {
  std::string name;
  int64_t batch, in, height, width, out, kernel, stride = 1, padding = 0, dilation = 1, groups = 1;
  bool winograd = false;  // on our side
};
const Case kCases[] = {
    {"3 x 3, 64 to 64, 56 x 56, batch 16", 16, 64, 56, 56, 64, 3, 1, 1},
    {"3 x 3, 64 to 64, 56 x 56, batch 16, by Winograd's transforms", 16, 64, 56, 56, 64, 3, 1, 1, 1, 1, true},
    {"1 x 1, 64 to 256, 56 x 56, batch 16", 16, 64, 56, 56, 256, 1},
    {"1 x 1, 256 to 64, 28 x 28, batch 16", 16, 256, 28, 28, 64, 1},
    {"7 x 7 stride 2, 3 to 64, 224 x 224, batch 4", 4, 3, 224, 224, 64, 7, 2, 3},
    {"3 x 3 stride 2, 64 to 128, 56 x 56, batch 16", 16, 64, 56, 56, 128, 3, 2, 1},
    {"3 x 3 depthwise, 128, 56 x 56, batch 16", 16, 128, 56, 56, 128, 3, 1, 1, 1, 128},
    {"3 x 3 in 4 groups, 64 to 64, 56 x 56, batch 16", 16, 64, 56, 56, 64, 3, 1, 1, 1, 4},
    {"3 x 3 dilation 2, 64 to 64, 56 x 56, batch 16", 16, 64, 56, 56, 64, 3, 1, 2, 2},
    {"3 x 3, 19 to 29, 37 x 31, batch 5", 5, 19, 37, 31, 29, 3, 1, 1},
    {"5 x 5, 32 to 32, 24 x 24, batch 128", 128, 32, 24, 24, 32, 5},
    {"3 x 3, 256 to 256, 14 x 14, batch 16", 16, 256, 14, 14, 256, 3, 1, 1},
};

void run(const Case& c, bench::Torch& peer, double peak) {
  Tensor x = Tensor::full({c.batch, c.in, c.height, c.width}, 0.f), w = Tensor::full({c.out, c.in / c.groups, c.kernel, c.kernel}, 0.f);
  // Numbers that the peer makes too: whole and small, so that all sums are exact.
  const auto numbers = [](const Tensor& like, int64_t period) {
    return ((Tensor::arange(like.numel()) % period) - period / 2).cast(float32).reshape(like.shape()).realize();
  };
  x = numbers(x, 7), w = numbers(w, 5);
  const ConvOptions o{.stride = c.stride, .padding = c.padding, .dilation = c.dilation, .groups = c.groups, .winograd = c.winograd};
  const auto forward = [&] {
    const NoGrad none;
    return x.conv2d(w, o).realize();
  };
  Tensor y;
  const bench::Cold cold_forward = bench::cold([&] { y = forward(); });
  const Tensor seed = numbers(y, 3);
  x.set_requires_grad(), w.set_requires_grad();
  const auto both = [&] {
    const Tensor result = x.conv2d(w, o);
    std::vector<Tensor> all = gradient(result, {x, w}, {.seed = seed});
    all.insert(all.begin(), result);
    realize(all);
    return all;
  };
  const double operations = 2.0 * static_cast<double>(y.numel()) * static_cast<double>(c.in / c.groups * c.kernel * c.kernel);
  const auto repeats = std::clamp(static_cast<int>(3e9 / operations), 1, 20);
  const std::string question = fmt::format("{} {} {} {} {} {} {} {} {} {} {}", c.batch, c.in, c.height, c.width, c.out, c.kernel, c.stride,
                                           c.padding, c.dilation, c.groups, repeats);
  const bench::Cold cold[] = {cold_forward, bench::cold([&] { both(); })};
  std::vector<double> ours[2], theirs[2], sums(3);
  for (int round = 0; round < 5; ++round) {
    // Idle threads of either side spin for a while: the other begins when they sleep.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ours[0].push_back(bench::seconds_of_one(repeats, forward));
    ours[1].push_back(bench::seconds_of_one(repeats, both));
    if (!peer) continue;
    const std::vector<double> m = peer.ask(question, 5);
    for (size_t i : {0, 1}) theirs[i].push_back(m[i]);
    sums.assign(m.begin() + 2, m.end());
  }
  for (size_t i : {0, 1}) {
    const double n = operations * (i == 0 ? 1 : 3) * 1e-9;
    bench::Row row{fmt::format("convolution {}{}", c.name, i == 0 ? "" : ", with gradients"), n / bench::median(ours[i]), "GFLOP/s"};
    if (peer) row.peer = peer.name, row.peer_value = n / bench::median(theirs[i]);
    row.of_peak = row.value * 1e9 / peak, row.cold = cold[i];
    bench::report(row);
  }
  if (!peer) return;
  const std::vector<Tensor> results = both();
  for (size_t i = 0; i < 3; ++i) {
    const double sum = results[i].cast(float64).square().sum().item<double>();
    if (!(std::abs(sum - sums[i]) <= (c.winograd ? 1e-5 : 1e-9) * sums[i]))
      throw ValueError(fmt::format("{}: the sum of the squares of result {} is {}, the peer's {}", c.name, i, sum, sums[i]));
  }
}

}  // namespace

int main(int count, char** arguments) {
  bench::Torch peer("conv_torch.py", {std::to_string(settings().threads)});
  if (peer) fmt::print("{} uses {}\n", peer.name, peer.how);
  else fmt::print("no PyTorch to compare with\n");
  const double peak = bench::peak();
  for (const Case& c : kCases)
    if (count < 2 || c.name.find(arguments[1]) != std::string::npos) run(c, peer, peak);
}
