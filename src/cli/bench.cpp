// Medians of an example's runs, and its kernels' ladders.
#include "cli/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ostream>
#include <vector>

#include "cli/examples.hpp"
#include "tg/tune.hpp"

namespace tg::cli {
namespace {

double median_milliseconds(const Program& program) {
  using Clock = std::chrono::steady_clock;
  program();  // compiles
  std::vector<double> times;
  const auto begin = Clock::now();
  while (times.size() < 5 || (times.size() < 50 && Clock::now() - begin < std::chrono::seconds(2))) {
    const auto start = Clock::now();
    program();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

// The verb that a list has and the one a rung below has not; lists are text, their verbs parted by "; ".
std::string added(const std::string& verbs, const std::string& below) {
  if (below.empty() || below == "no verbs") return verbs;
  return verbs.substr(std::min(verbs.size(), below.size() + 2));
}

}  // namespace

void bench(const BenchCommand& c, std::ostream& out) {
  const Program program = example(c.example, c.device);
  if (!c.ladder) {
    out << fmt::format("{}: {:.3f} ms, the median of its runs\n", c.example, median_milliseconds(program));
    return;
  }
  const TunedKernel* below = nullptr;
  double naive = 0;
  const std::vector<TunedKernel> rungs = ladder(program);
  for (const TunedKernel& k : rungs) {
    const bool first = !below || below->hash != k.hash;
    if (first) {
      out << fmt::format("{}{}\n{:>12} {:>8} {:>8}  {}\n", below ? "\n" : "", k.name, "us", "gain", "in all", "verb");
      naive = k.microseconds;
    }
    const double gain = first ? 1 : below->microseconds / k.microseconds;
    out << fmt::format("{:12.1f} {:8.2f} {:8.1f}  {}\n", k.microseconds, gain, naive / k.microseconds,
                       first ? "none: the loops as they are" : added(k.verbs, below->verbs));
    below = &k;
  }
}

}  // namespace tg::cli
