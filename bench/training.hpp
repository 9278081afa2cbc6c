#pragma once
// What the benchmarks of training steps share: a step beside PyTorch's, from nothing, and counted.
//
//   {"name": "mnist step", "value": 210, "unit": "ms", "peer": "PyTorch 1.13.0", "peer_value": 190, "ratio": 1.105}
//
// Beside PyTorch (a script of this folder, Debian's package): the same network, optimizer and batch size, as many threads; the two take
// turns. Its malloc is told to keep what it has, which makes it four times as fast where fresh pages are slow; that it then takes almost no
// page faults is checked.
//
// From nothing: the first step of new processes without a disk cache, on a device that has the cpu's facts and runs nothing: without
// compiling either, and with kernels compiled and loaded, LLVM being opened first.
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <sstream>

#include "base/log.hpp"
#include "bench.hpp"
#include "runtime/null/null.hpp"
#include "tg/error.hpp"
#include "tg/optim.hpp"
#include "tg/tg.hpp"
#include "torch.hpp"

namespace tg::bench {

/// One step of a training: its loss, computed.
using Step = std::function<double()>;
/// Makes network, optimizer and data resident on a device, the same each time.
using Training = std::function<Step(const std::string& device)>;

struct Work {
  double operations = 0, bytes = 0;
};

/// The tensors of a training, realized before its first step.
inline void realize_state(const nn::State& net, const nn::Optimizer& optimizer, std::vector<Tensor> also = {}) {
  for (const nn::State& state : {net, optimizer.state()}) for (const auto& [name, t] : state) also.push_back(t);
  realize(also);
}

// ---- counted ----

/// Launches, operations and bytes of the second step, beside the least possible.
inline void count(const std::string& name, const Training& training, const Work& least, double most_launches = 0) {
  auto& null = dynamic_cast<NullDevice&>(device("null"));
  const Step step = training("null");
  step();
  null.reset();
  Work done;
  {
    const LogCapture lines(1);
    step();
    std::istringstream in(lines.text());
    for (std::string word, before; in >> word; before = word) {
      if (word == "flop,") done.operations += std::stod(before);
      if (word == "bytes") done.bytes += std::stod(before);
    }
  }
  const NullDevice::Counts counts = null.counts();
  report({name + ", launches, phases included", static_cast<double>(counts.phases), "", most_launches > 0 ? "limit" : "", most_launches});
  report({name + ", kernels that the second step compiles", static_cast<double>(counts.compiles), ""});
  report({name + ", operations", done.operations * 1e-9, "GFLOP", "least", least.operations * 1e-9});
  report({name + ", bytes that reach memory", done.bytes * 1e-6, "MB", "least", least.bytes * 1e-6});
}

// ---- from nothing ----

/// The cpu's facts, memory and, where `compiles`, compiler; runs nothing.
class Resting : public Device {
 public:
  const Target& target() const override { return cpu_.target(); }
  void* allocate(size_t bytes) override { return cpu_.allocate(bytes); }
  void free(void* handle, size_t bytes) noexcept override { cpu_.free(handle, bytes); }
  void copy_in(MemoryRef to, const void* from, size_t bytes) override { cpu_.copy_in(to, from, bytes); }
  void copy_out(void* to, MemoryRef from, size_t bytes) override { cpu_.copy_out(to, from, bytes); }
  std::string compile(const std::string& text) override { return compiles ? cpu_.compile(text) : text; }
  std::shared_ptr<Program> load(const std::string& binary, std::span<const PhaseInfo> phases) override {
    ++kernels;
    return compiles ? cpu_.load(binary, phases) : std::make_shared<Program>();
  }
  void launch(Program&, const LaunchArgs&) override {}
  std::optional<Fault> synchronize() override { return {}; }

  bool compiles = false;
  std::atomic<size_t> kernels{0};

 private:
  Device& cpu_ = device("cpu");
};

/// The new process: prints the seconds of a first step that runs nothing, and the number of its kernels.
inline int from_nothing(const Training& training, bool compiles) {
  register_device("resting", [] { return std::make_unique<Resting>(); });
  auto& resting = dynamic_cast<Resting&>(device("resting"));
  const Step step = training("resting");
  resting.compiles = compiles;
  resting.kernels = 0;
  const double taken = seconds([&] { step(); });
  fmt::print("{} {}\n", taken, resting.kernels.load());
  return 0;
}

/// Runs this program with --from-nothing, and with "compile" behind it, five times each.
inline void time_from_nothing(const std::string& name, double most_lowering, double most_in_all) {
  size_t kernels = 0;
  const auto milliseconds = [&](const char* how) {
    std::vector<double> out;
    for (int i = 0; i < 5; ++i) {
      const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
      FILE* child = popen(fmt::format("TG_CACHE=0 '{}' --from-nothing {}", program, how).c_str(), "r");
      double taken = 0;
      const bool read = child && std::fscanf(child, "%lf %zu", &taken, &kernels) == 2;
      if (!child || pclose(child) != 0 || !read) throw ValueError("the process that starts from nothing failed");
      out.push_back(taken * 1e3);
    }
    return median(out);
  };
  report({name + " from nothing: graph, schedule, lowering", milliseconds(""), "ms", "limit", most_lowering});
  const double in_all = milliseconds("compile");
  report({fmt::format("{} from nothing: the same with {} kernels compiled", name, kernels), in_all, "ms", "limit", most_in_all});
}

// ---- beside the peer ----

inline int64_t page_faults() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return u.ru_minflt;
}

/// The peer answers a number of steps with the mean of their seconds, of their page faults, and the last loss. Returns our milliseconds.
inline double time_beside(Torch& peer, const std::string& name, const Training& training) {
  constexpr double kMostFaults = 1000;  // a step, of the peer: 4 MB of the 150 and more it writes
  if (!peer) fmt::print("no PyTorch to compare with\n");
  const Step step = training("cpu");
  double loss = 0;
  for (int i = 0; i < 3; ++i) loss = step();
  if (peer) peer.ask("3", 3);

  std::vector<double> ours, theirs, our_faults, their_faults;
  double their_loss = 0;
  for (int round = 0; round < 7; ++round) {
    const int64_t faults = page_faults();
    ours.push_back(seconds([&] { loss = step(), loss = step(); }) / 2 * 1e3);
    our_faults.push_back(static_cast<double>(page_faults() - faults) / 2);
    if (!peer) continue;
    const std::vector<double> m = peer.ask("2", 3);
    theirs.push_back(m[0] * 1e3), their_faults.push_back(m[1]);
    their_loss = m[2];
  }
  if (theirs.empty()) {
    report({name, median(ours), "ms"});
    return median(ours);
  }
  fmt::print("{} threads each; page faults a step {:.0f} and {:.0f}; loss after 17 steps {:.3f} and {:.3f}; {} uses {}\n",
             settings().threads, median(our_faults), median(their_faults), loss, their_loss, peer.name, peer.how);
  report({name, median(ours), "ms", peer.name, median(theirs)});
  if (median(their_faults) > kMostFaults)
    throw ValueError(fmt::format("the peer takes {:.0f} page faults a step: its malloc gives memory back, and the comparison is not fair",
                                 median(their_faults)));
  return median(ours);
}

}  // namespace tg::bench
