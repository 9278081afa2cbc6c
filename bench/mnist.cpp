// The training step of `tg train mnist`, batch 512, Adam: beside PyTorch's, from nothing, and counted.
//
//   {"name": "mnist step", "value": 210, "unit": "ms", "peer": "PyTorch 1.13.0", "peer_value": 190, "ratio": 1.105}
//
// Beside PyTorch (bench/mnist_torch.py, Debian's package): the same network, optimizer and batch size, each batch gathered from the
// resident data set, as many threads; the two take turns. Its malloc is told to keep what it has, which makes it four times as fast
// where fresh pages are slow; that it then takes almost no page faults is checked.
//
// From nothing: new processes without a disk cache. A device that has the cpu's facts and only collects what it is asked to compile shows
// how long graph, schedule and lowering take; then the cpu compiles and loads what was collected, on all threads, opening LLVM first.
//
// The least possible. Operations: two a multiplication of the convolutions and the linear layer, forward, for the weights' gradients, and
// for the inputs' but the first. Bytes: every layer's output (after relu; norm and pool are one layer) is written once, read once forward
// and once backward; its gradient is written and read once; pixels are read twice; of a parameter p, its gradient g and Adam's m and v
// there are ten accesses: p forward and backward, g written and read, p, m and v read and written.
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <sstream>
#include <thread>

#include "base/env.hpp"
#include "base/log.hpp"
#include "bench.hpp"
#include "cli/mnist_net.hpp"
#include "runtime/null/null.hpp"
#include "tg/error.hpp"
#include "tg/tg.hpp"
#include "torch.hpp"

using namespace tg;

namespace {

constexpr int64_t kBatch = 512, kExamples = 60'000;
constexpr double kMostFaults = 1000;  // a step, of the peer: 4 MB of the 150 it writes

/// Network, optimizer and data, resident; a step a call.
class Training {
 public:
  Training(const std::string& device, cli::Digits digits)
      : device_(device), digits_(std::move(digits)), net_((manual_seed(0), cli::mnist_net(device))), optimizer_(net_.state()) {
    std::vector<Tensor> all = {digits_.images, digits_.labels};
    for (const nn::State& state : {net_.state(), optimizer_.state()}) for (const auto& [name, t] : state) all.push_back(t);
    realize(all);
  }
  explicit Training(const std::string& device)
      : Training(device, {Tensor::zeros({kExamples, 1, 28, 28}, {.dtype = uint8, .device = device}),
                          Tensor::zeros({kExamples}, {.dtype = int32, .device = device})}) {}

  cli::Outcome operator()() {
    std::vector<int32_t> which;
    for (int64_t i = 0; i < kBatch; ++i) which.push_back(static_cast<int32_t>((at_ += 7919) % kExamples));
    return cli::train_step(net_, optimizer_, cli::gather(digits_, cli::numbers(which, device_)));
  }
  double parameters() const {
    int64_t n = 0;
    for (const auto& [name, t] : nn::parameters(net_.state())) n += t.numel();
    return static_cast<double>(n);
  }

 private:
  std::string device_;
  cli::Digits digits_;
  nn::Sequential net_;
  nn::Adam optimizer_;
  int64_t at_ = 0;
};

// ---- counted ----

struct Least {
  double operations = 0, bytes = 0;
};
Least least_possible(double parameters) {
  struct Product { double in, out, places; bool first = false; };  // sums of `in` terms: `out` a place, of which an image has `places`
  Least out;
  for (const Product& p : {Product{25, 32, 24 * 24, true}, {32 * 25, 32, 20 * 20}, {32 * 9, 64, 8 * 8}, {64 * 9, 64, 6 * 6}, {576, 10, 1}})
    out.operations += (p.first ? 2 : 3) * 2.0 * kBatch * p.in * p.out * p.places;
  for (const double outputs : {32. * 24 * 24, 32. * 20 * 20, 32. * 10 * 10, 64. * 8 * 8, 64. * 6 * 6, 64. * 3 * 3, 10.})
    out.bytes += 5 * 4.0 * kBatch * outputs;
  out.bytes += 2.0 * kBatch * 28 * 28 + 10 * 4 * parameters;
  return out;
}

void count() {
  auto& null = dynamic_cast<NullDevice&>(device("null"));
  Training train("null");
  train();
  null.reset();
  double operations = 0, bytes = 0;
  {
    const LogCapture lines(1);
    train();
    std::istringstream in(lines.text());
    for (std::string word, before; in >> word; before = word) {
      if (word == "flop,") operations += std::stod(before);
      if (word == "bytes") bytes += std::stod(before);
    }
  }
  const Least least = least_possible(train.parameters());
  const NullDevice::Counts counts = null.counts();
  bench::report({"mnist step, launches, phases included", static_cast<double>(counts.phases), "", "limit", 60});
  bench::report({"mnist step, kernels that the second step compiles", static_cast<double>(counts.compiles), ""});
  bench::report({"mnist step, operations", operations * 1e-9, "GFLOP", "least", least.operations * 1e-9});
  bench::report({"mnist step, bytes that reach memory", bytes * 1e-6, "MB", "least", least.bytes * 1e-6});
}

// ---- from nothing ----

/// The cpu's facts and memory; instead of compiling and running it collects.
class Collecting : public Device {
 public:
  struct Collected {
    std::string text;
    std::vector<PhaseInfo> phases;
  };
  std::vector<Collected> take() { return std::move(collected_); }

  const Target& target() const override { return cpu_.target(); }
  void* allocate(size_t bytes) override { return cpu_.allocate(bytes); }
  void free(void* handle, size_t bytes) noexcept override { cpu_.free(handle, bytes); }
  void copy_in(MemoryRef to, const void* from, size_t bytes) override { cpu_.copy_in(to, from, bytes); }
  void copy_out(void* to, MemoryRef from, size_t bytes) override { cpu_.copy_out(to, from, bytes); }
  std::string compile(const std::string& text) override { return text; }
  std::shared_ptr<Program> load(const std::string& text, std::span<const PhaseInfo> phases) override {
    const std::lock_guard lock(mutex_);
    collected_.push_back({text, {phases.begin(), phases.end()}});
    return std::make_shared<Program>();
  }
  void launch(Program&, const LaunchArgs&) override {}
  std::optional<Fault> synchronize() override { return {}; }

 private:
  Device& cpu_ = device("cpu");
  std::mutex mutex_;
  std::vector<Collected> collected_;
};

int from_nothing() {
  register_device("collecting", [] { return std::make_unique<Collecting>(); });
  auto& collecting = dynamic_cast<Collecting&>(device("collecting"));
  Training train("collecting");
  collecting.take();
  const double prepared = bench::seconds([&] { train(); });
  const std::vector<Collecting::Collected> kernels = collecting.take();
  const double compiled = bench::seconds([&] {
    std::atomic<size_t> next{0};
    const auto work = [&] {
      for (size_t i; (i = next++) < kernels.size();) device("cpu").load(device("cpu").compile(kernels[i].text), kernels[i].phases);
    };
    std::vector<std::jthread> threads;
    for (int t = 1; t < settings().threads; ++t) threads.emplace_back(work);
    work();
  });
  fmt::print("{} {} {}\n", prepared, compiled, kernels.size());
  return 0;
}

void time_from_nothing() {
  std::vector<double> prepared, compiled;
  size_t kernels = 0;
  for (int i = 0; i < 5; ++i) {
    FILE* child =
        popen(fmt::format("TG_CACHE=0 '{}' --from-nothing", std::filesystem::read_symlink("/proc/self/exe").string()).c_str(), "r");
    double p = 0, c = 0;
    const bool read = child && std::fscanf(child, "%lf %lf %zu", &p, &c, &kernels) == 3;
    if (!child || pclose(child) != 0 || !read) throw ValueError("the process that starts from nothing failed");
    prepared.push_back(p * 1e3), compiled.push_back(c * 1e3);
  }
  bench::report({"mnist step from nothing: graph, schedule, lowering", bench::median(prepared), "ms", "limit", 100});
  bench::report({fmt::format("mnist step from nothing: compiling {} kernels", kernels), bench::median(compiled), "ms", "limit", 1000});
}

// ---- beside the peer ----

int64_t page_faults() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return u.ru_minflt;
}

void time_beside_peer() {
  const std::string data = io::find_mnist().string();
  // forked before this process has threads
  bench::Torch peer("mnist_torch.py", {data, std::to_string(settings().threads), std::to_string(kBatch)});
  if (!peer) fmt::print("no PyTorch to compare with\n");
  Training train("cpu", cli::to_device(io::load_mnist(data).train, "cpu"));
  double loss = 0;
  const auto step = [&] { loss = train().loss.item<double>(); };
  for (int i = 0; i < 3; ++i) step();
  if (peer) peer.ask("3", 3);

  std::vector<double> ours, theirs, our_faults, their_faults;
  double their_loss = 0;
  for (int round = 0; round < 7; ++round) {
    const int64_t faults = page_faults();
    ours.push_back(bench::seconds([&] { step(), step(); }) / 2 * 1e3);
    our_faults.push_back(static_cast<double>(page_faults() - faults) / 2);
    if (!peer) continue;
    const std::vector<double> m = peer.ask("2", 3);
    theirs.push_back(m[0] * 1e3), their_faults.push_back(m[1]);
    their_loss = m[2];
  }
  if (theirs.empty()) return bench::report({"mnist step", bench::median(ours), "ms"});
  fmt::print("{} threads each; page faults a step {:.0f} and {:.0f}; loss after 17 steps {:.3f} and {:.3f}; {} uses {}\n",
             settings().threads,
             bench::median(our_faults), bench::median(their_faults), loss, their_loss, peer.name, peer.how);
  bench::report({"mnist step", bench::median(ours), "ms", peer.name, bench::median(theirs)});
  if (bench::median(their_faults) > kMostFaults)
    throw ValueError(fmt::format("the peer takes {:.0f} page faults a step: its malloc gives memory back, and the comparison is not fair",
                                 bench::median(their_faults)));
}

}  // namespace

int main(int count_of_arguments, char** arguments) {
  if (count_of_arguments > 1 && std::string_view(arguments[1]) == "--from-nothing") return from_nothing();
  time_beside_peer();
  time_from_nothing();
  count();
}
