// What `tg train mnist` with its defaults reaches and how long it takes: seeds 0, 1 and 2, one after the other, each a process of its own.
//
//   {"name": "mnist trained: test accuracy, worst of three seeds", "value": 99.39, "unit": "%", "peer": "limit", "peer_value": 98.5, ...}
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "bench.hpp"
#include "tg/error.hpp"

using namespace tg;

namespace {

struct Run { double accuracy, seconds; };

Run train(const std::string& tg, const std::filesystem::path& folder, int seed) {
  const std::string command =
      fmt::format("'{}' train mnist --seed {} --checkpoint '{}' 2>&1", tg, seed, (folder / "net.safetensors").string());
  Run run{-1, 0};
  std::string output;
  run.seconds = bench::seconds([&] {
    FILE* const lines = popen(command.c_str(), "r");
    if (!lines) throw ValueError(fmt::format("cannot run {}", tg));
    char line[512];
    while (std::fgets(line, sizeof(line), lines)) {
      output += line;
      std::sscanf(line, "test accuracy: %lf%%", &run.accuracy);
    }
    if (pclose(lines) != 0) run.accuracy = -1;
  });
  if (run.accuracy < 0) throw ValueError(fmt::format("{} failed:\n{}", command, output));
  fmt::print("seed {}: {:.2f} % after {:.0f} s\n", seed, run.accuracy, run.seconds);
  std::fflush(stdout);
  return run;
}

}  // namespace

int main() {
  namespace fs = std::filesystem;
  const std::string tg = (fs::read_symlink("/proc/self/exe").parent_path() / "tg").string();
  const fs::path folder = fs::temp_directory_path() / fmt::format("tg_bench_train.{}", getpid());
  fs::create_directories(folder);
  Run worst{100, 0};
  for (int seed : {0, 1, 2}) {
    const Run run = train(tg, folder, seed);
    worst = {std::min(worst.accuracy, run.accuracy), std::max(worst.seconds, run.seconds)};
  }
  fs::remove_all(folder);
  bench::report({"mnist trained: test accuracy, worst of three seeds", worst.accuracy, "%", "limit", 98.5});
  bench::report({"mnist trained: the longest of three, with starting and testing", worst.seconds, "s", "limit", 180});
}
