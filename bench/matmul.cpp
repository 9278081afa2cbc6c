// Products of float32 matrices beside OpenBLAS, which is opened if the machine has it: same operands, same threads, same run, taking turns.
//
//   {"name": "matmul 1024", "value": 390, "unit": "GFLOP/s", "peer": "OpenBLAS", "peer_value": 360, "ratio": 1.083}
#include <dlfcn.h>

#include <cmath>
#include <thread>

#include "base/env.hpp"
#include "bench.hpp"
#include "tg/error.hpp"
#include "tg/tg.hpp"

using namespace tg;

namespace {

struct Case { const char* name; int m, k, n; bool transposed = false, first_transposed = false; };
constexpr Case kCases[] = {
    {"matmul 256", 256, 256, 256},
    {"matmul 512", 512, 512, 512},
    {"matmul 1024", 1024, 1024, 1024},
    {"matmul 2048", 2048, 2048, 2048},
    {"matmul 4096", 4096, 4096, 4096},
    {"matmul 257 (prime)", 257, 257, 257},
    {"matmul 1021 (prime)", 1021, 1021, 1021},
    {"matmul 1000 x 333 x 777", 1000, 333, 777},
    {"matmul 1021 x 517 x 2003", 1021, 517, 2003},
    {"matmul 1024, second operand transposed", 1024, 1024, 1024, true},
    {"matmul 1024, first operand transposed", 1024, 1024, 1024, false, true},
};

class OpenBlas {
 public:
  OpenBlas() {
    bench::at_their_best();
    setenv("OPENBLAS_THREAD_TIMEOUT", "4", 0);  // its idle threads sleep soon, and leave the cores to whose turn it is
    library_ = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library_) {
      fmt::print("no OpenBLAS to compare with: {}\n", dlerror());
      return;
    }
    reinterpret_cast<void (*)(int)>(dlsym(library_, "openblas_set_num_threads"))(settings().threads);
    gemm_ = reinterpret_cast<Gemm>(dlsym(library_, "cblas_sgemm"));
    fmt::print("OpenBLAS with its kernels for {}\n", reinterpret_cast<const char* (*)()>(dlsym(library_, "openblas_get_corename"))());
  }
  explicit operator bool() const { return gemm_ != nullptr; }
  /// c (m, n) = a (m, k) b (k, n), or with a (k, m), or b (n, k), transposed.
  void multiply(const Case& s, const float* a, const float* b, float* c) const {
    constexpr int kRowMajor = 101, kAsIs = 111, kTransposed = 112;
    gemm_(kRowMajor, s.first_transposed ? kTransposed : kAsIs, s.transposed ? kTransposed : kAsIs, s.m, s.n, s.k, 1, a,
          s.first_transposed ? s.m : s.k, b, s.transposed ? s.k : s.n, 0, c, s.n);
  }

 private:
  using Gemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  void* library_;
  Gemm gemm_ = nullptr;
};

void run(const Case& c, const OpenBlas& peer) {
  const Tensor a = Tensor::randn({c.first_transposed ? c.k : c.m, c.first_transposed ? c.m : c.k}).realize();
  const Tensor b = Tensor::randn({c.transposed ? c.n : c.k, c.transposed ? c.k : c.n}).realize();
  const std::vector<float> x = a.to_vector<float>(), y = b.to_vector<float>();
  std::vector<float> theirs(static_cast<size_t>(c.m) * static_cast<size_t>(c.n));
  Tensor result;
  const auto ours = [&] { result = (c.first_transposed ? a.T() : a).matmul(c.transposed ? b.T() : b).realize(); };
  const auto others = [&] { peer.multiply(c, x.data(), y.data(), theirs.data()); };

  ours();
  const double operations = 2.0 * c.m * c.k * c.n;
  const int repeats = std::clamp(static_cast<int>(2e9 / operations), 2, 20);
  std::vector<double> mine, his;
  for (int round = 0; round < 7; ++round) {
    // Idle threads of either side spin for a while: the other begins when they sleep, and its first call, which wakes its own, is free.
    const auto turn = [&](const std::function<void()>& f, std::vector<double>& times) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      f();
      for (int i = 0; i < repeats; ++i) times.push_back(bench::seconds(f));
    };
    turn(ours, mine);
    if (peer) turn(others, his);
  }
  const auto rate = [&](const std::vector<double>& times) { return operations / bench::median(times) * 1e-9; };
  if (!peer) return bench::report({c.name, rate(mine), "GFLOP/s"});
  bench::report({c.name, rate(mine), "GFLOP/s", "OpenBLAS", rate(his)});
  const std::vector<float> values = result.to_vector<float>();
  for (size_t i = 0; i < values.size(); ++i)
    if (!(std::abs(values[i] - theirs[i]) <= 1e-5 * c.k))
      throw ValueError(fmt::format("{}: element {} is {}, OpenBLAS has {}", c.name, i, values[i], theirs[i]));
}

}  // namespace

int main() {
  fmt::print("float32 products on {} threads\n", settings().threads);
  manual_seed(0);
  const OpenBlas peer;
  for (const Case& c : kCases) run(c, peer);
}
