// Products of matrices beside the better of OpenBLAS and oneDNN: same layout, same threads, same run, taking turns.
//
//   bench_matmul              all rows        bench_matmul 1024 "thin"        those whose name contains one of the words
//   bench_matmul random       sixty products drawn at random, twenty of them also of bfloat16 and of bytes, a remark for each, and the
//                             geometric means of their ratios
//   bench_matmul "827 x 25"   those of the sixty, likewise
//   bench_matmul 700x90x333   of any rows, steps and columns
//   {"name": "matmul 1024", "value": 390, "unit": "GFLOP/s", "peer": "oneDNN", "peer_value": 360, "ratio": 1.083}
//
// On one thread time is that thread's own, so that other programs' turns are not counted.
#include <cmath>
#include <cstdio>
#include <random>
#include <span>
#include <thread>

#include "peak.hpp"
#include "products.hpp"
#include "tg/error.hpp"
#include "tg/memory.hpp"
#include "tg/tg.hpp"

using namespace tg;
using bench::Numbers;
using bench::Product;

namespace {

std::vector<Product> products() {
  std::vector<Product> out;
  for (int n : {256, 512, 1024, 2048, 4096, 257, 1021, 1023}) out.push_back({fmt::format("matmul {}", n), n, n, n});
  out.push_back({"matmul 1000 x 333 x 777", 1000, 333, 777});
  out.push_back({"matmul 1021 x 517 x 2003", 1021, 517, 2003});
  out.push_back({"matmul tall, 16384 x 512 x 96", 16384, 512, 96});
  out.push_back({"matmul wide, 96 x 512 x 16384", 96, 512, 16384});
  out.push_back({"matmul short sums, 2048 x 24 x 2048", 2048, 24, 2048});
  out.push_back({"matmul long sums, 120 x 30000 x 200", 120, 30000, 200});
  for (int m : {64, 256})
    out.push_back({fmt::format("matmul long sums, {} x 16384 x {}, first operand transposed", m, 320 - m), m, 16384, 320 - m, 1, true});
  out.push_back({"matmul 128 of 64", 64, 64, 64, 128});
  out.push_back({"matmul 31 of 97 x 64 x 75", 97, 64, 75, 31});
  for (int n : {1024, 2048}) {
    out.push_back({fmt::format("matmul {}, second operand transposed", n), n, n, n, 1, false, true});
    out.push_back({fmt::format("matmul {}, first operand transposed", n), n, n, n, 1, true, false});
    out.push_back({fmt::format("matmul {}, both transposed", n), n, n, n, 1, true, true});
  }
  for (int m : {1, 2, 4, 8}) {
    out.push_back({fmt::format("matmul thin, {} x 2048 x 2048", m), m, 2048, 2048});
    out.push_back({fmt::format("matmul thin, {} x 2048 x 2048, second operand transposed", m), m, 2048, 2048, 1, false, true});
  }
  for (int n : {256, 1024, 2048}) out.push_back({fmt::format("matmul {} of bfloat16", n), n, n, n, 1, false, false, Numbers::Bfloat16});
  out.push_back({"matmul 1021 x 517 x 2003 of bfloat16", 1021, 517, 2003, 1, false, false, Numbers::Bfloat16});
  for (int n : {513, 1024}) out.push_back({fmt::format("matmul {0} x 516 x {0} of bytes", n), n, 516, n, 1, false, false, Numbers::Bytes});
  for (int n : {513, 1024})
    out.push_back({fmt::format("matmul {0} x {0} x {0} of signed bytes", n), n, n, n, 1, false, false, Numbers::SignedBytes});
  return out;
}

// Of any sizes: a sixth with the first operand transposed, a quarter with the second, a quarter of many small ones.
std::vector<Product> drawn(int n, Numbers numbers = Numbers::Float32) {
  std::mt19937 bits(0);
  const auto below = [&](uint32_t limit) { return static_cast<int>(bits() % limit); };
  std::vector<Product> out;
  for (int i = 0; i < n; ++i) {
    const int batch = below(4) == 0 ? 2 + below(30) : 1, most = batch > 1 ? 200 : 1085;
    const auto size = [&] { return 16 + below(static_cast<uint32_t>(most)); };
    const int m = size(), k = size(), columns = size();
    const bool first = below(6) == 0, second = below(4) == 0;
    const char* const how = first && second ? ", both transposed" : first ? ", first transposed" : second ? ", second transposed" : "";
    out.push_back({fmt::format("{} of {} x {} x {}{}", batch, m, k, columns, how), m, k, columns, batch, first, second, numbers});
  }
  return out;
}

bool wanted(const std::string& name, std::span<char*> words) {
  return words.empty() || std::ranges::any_of(words, [&](const char* w) { return name.find(w) != std::string::npos; });
}

// Median times of those that are not empty. Idle threads of each spin for a while: the next begins when they sleep, and its first call,
// which wakes its own, is free.
// between: runs behind each round, when all threads sleep.
std::vector<double> take_turns(const std::vector<bench::Prepared>& sides, double operations, int rounds = 7,
                               const std::function<void()>& between = [] {}) {
  const int repeats = std::clamp(static_cast<int>(1e10 / operations), 2, 300);
  std::vector<std::vector<double>> times(sides.size());
  const auto let_all_sleep = [] { std::this_thread::sleep_for(std::chrono::milliseconds(50)); };
  for (int round = 0; round < rounds; ++round) {
    for (size_t s = 0; s < sides.size(); ++s) {
      if (!sides[s]) continue;
      let_all_sleep();
      sides[s]();
      for (int i = 0; i < repeats; ++i) {
        const double begin = bench::now();
        sides[s]();
        times[s].push_back(bench::now() - begin);
      }
    }
    let_all_sleep();
    between();
  }
  std::vector<double> out;
  for (size_t s = 0; s < sides.size(); ++s) out.push_back(sides[s] ? bench::median(std::move(times[s])) : INFINITY);
  return out;
}

Tensor operand(int batch, int rows, int columns, DType type = float32) {
  const Sizes shape = batch > 1 ? Sizes{batch, rows, columns} : Sizes{rows, columns};
  if (is_float(type)) return Tensor::randn(shape).cast(type).realize();
  // Of 7 bits where they have a sign: without VNNI the library adds pairs of products in 16 bits, which saturate beyond.
  return Tensor::randint(shape, type == uint8 ? 0 : -64, type == uint8 ? 256 : 64).cast(type).realize();
}

class Beside {
 public:
  void run(const Product& p) const {
    const Measured r = measure(p, 7);
    bench::report({p.name, r.ours, "GFLOP/s", r.peer, r.theirs, r.of_peak, r.cold});
  }
  // The geometric means of both rates, and so of their ratio.
  void run_all(const std::vector<Product>& products, const std::string& of = "") const {
    double ours = 0, theirs = 0;
    for (const Product& p : products) {
      const Measured r = measure(p, 3);
      if (r.peer.empty()) return fmt::print("no library multiplies matrices{} here\n", of);
      ours += std::log(r.ours), theirs += std::log(r.theirs);
      fmt::print("{}: {:.1f}, {} {:.1f} GFLOP/s, {:.3f}\n", p.name, r.ours, r.peer, r.theirs, r.ours / r.theirs);
      std::fflush(stdout);
    }
    const auto n = static_cast<double>(products.size());
    bench::report(
        {fmt::format("matmul, geometric mean of {} at random{}", n, of), std::exp(ours / n), "GFLOP/s", "the better one",
                   std::exp(theirs / n)});
  }

 private:
  struct Measured {
    double ours, theirs = 0;  // GFLOP/s
    std::string peer;         // the better one, if there is any
    double of_peak = 0;       // which swings as the machine does, so it is measured as often as the sides are
    bench::Cold cold;
  };
  Measured measure(const Product& p, int rounds) const {
    const auto turn = [](bool transposed, int a, int b) { return transposed ? std::pair(b, a) : std::pair(a, b); };
    const auto [a0, a1] = turn(p.first_transposed, p.m, p.k);
    const auto [b0, b1] = turn(p.second_transposed, p.k, p.n);
    constexpr DType kTypes[][2] = {{float32, float32}, {bfloat16, bfloat16}, {uint8, int8}, {int8, int8}};
    const auto& types = kTypes[static_cast<size_t>(p.numbers)];
    const Tensor a = operand(p.batch, a0, a1, types[0]), b = operand(p.batch, b0, b1, types[1]);
    Tensor result;
    const auto ours = [&] {
      Tensor first = p.first_transposed ? a.transpose(-1, -2) : a, second = p.second_transposed ? b.transpose(-1, -2) : b;
      if (bench::whole(p.numbers)) first = first.cast(int32), second = second.cast(int32);
      result = {};  // the next one then lies where this one did, as the libraries' do
      result = first.matmul(second).realize();
    };
    const bench::Cold cold = bench::cold(ours);
    const Tensor theirs = Tensor::zeros(result.shape(), {.dtype = result.dtype()}).realize();
    const auto memory = [](const Tensor& t) { return const_cast<void*>(host_memory(t).get()); };
    const bench::Operands operands{memory(a), memory(b), memory(theirs)};
    const std::vector<bench::Prepared> sides{ours, blas_.prepare(p, operands), dnn_.prepare(p, operands)};
    std::vector<double> peaks;
    const std::vector<double> times = take_turns(sides, p.operations(), rounds, [&] { peaks.push_back(bench::peak(10)); });
    const auto rate = [&](size_t side) { return p.operations() / times[side] * 1e-9; };
    const double of_peak = p.numbers == Numbers::Float32 ? rate(0) * 1e9 / bench::median(std::move(peaks)) : 0;
    const size_t best = times[1] < times[2] ? 1 : 2;
    if (!sides[best]) return {rate(0), 0, "", of_peak, cold};
    const std::vector<float> values = result.to_vector<float>(), expected = theirs.to_vector<float>();
    for (size_t i = 0; i < values.size(); ++i)
      if (!(std::abs(values[i] - expected[i]) <= 1e-5 * p.k + (p.numbers == Numbers::Bfloat16 ? 0.01 * std::abs(expected[i]) : 0)))
        throw ValueError(fmt::format("{}: element {} is {}, the peer has {}", p.name, i, values[i], expected[i]));
    return {rate(0), rate(best), best == 1 ? "OpenBLAS" : "oneDNN", of_peak, cold};
  }

  bench::OpenBlas blas_;
  bench::OneDnn dnn_;
};

// What a program of ours costs beside another of the same number of operations.
void compare(const std::string& name, double operations, const bench::Prepared& one, const std::string& against,
             const bench::Prepared& other) {
  const std::vector<double> times = take_turns({one, other}, operations);
  bench::report({name, operations / times[0] * 1e-9, "GFLOP/s", against, operations / times[1] * 1e-9});
}

// A product with an epilogue, beside the product alone, and beside that and the epilogue of as many numbers that lie in the cache: the rows
// that fit L2, less the one a thread that any call has, as often as there are others. Sums are no larger than those numbers, since gelu
// of numbers far below zero is too small for a normal float32, which takes longer.
void epilogue(int m, int k, int n) {
  const int few = settings().threads, many = std::max(2 * few, (64 << 10) / n * few);
  const Tensor a = operand(1, m, k), b = (operand(1, k, n) / std::sqrt(k)).realize(), bias = Tensor::randn({n}).realize(),
               rows = operand(1, many, n), row = operand(1, few, n);
  const auto end = [&](const Tensor& x) { (x + bias).gelu({.tanh = true}).realize(); };
  const double operations = 2.0 * m * k * n;
  const std::vector<double> times =
      take_turns({[&] { end(a.matmul(b)); }, [&] { a.matmul(b).realize(); }, [&] { end(rows); }, [&] { end(row); }}, operations);
  const double alone = (times[2] - times[3]) * m / (many - few);
  const auto rate = [&](double time) { return operations / time * 1e-9; };
  const std::string name = fmt::format("matmul {} x {} x {} with bias and gelu", m, k, n);
  bench::report({name, rate(times[0]), "GFLOP/s", "the product", rate(times[1])});
  bench::report({name + ", beside both apart", rate(times[0]), "GFLOP/s", "in cache", rate(times[1] + alone)});
}

void contraction(int a, int b, int c, int d) {
  const Tensor x = Tensor::randn({a, b, c}).realize(), y = Tensor::randn({a, c, d}).realize(), p = operand(1, b, a * c),
               q = operand(1, a * c, d);
  compare(fmt::format("contraction abc,acd->bd of {}, {}, {}, {}", a, b, c, d), 2.0 * a * b * c * d,
          [&] { einsum("abc,acd->bd", {x, y}).realize(); }, "the product", [&] { p.matmul(q).realize(); });
}

// Every second number of an image, both axes backwards: memory is walked in steps of -2.
void convolution_of_view(int batch, int channels, int side) {
  const Tensor x = Tensor::randn({batch, channels, side, side}).realize(), w = operand(1, channels, channels * 9);
  const Slice back = slice(none, none, -2);
  const int inner = (side + 1) / 2 - 2;
  const Tensor p = operand(1, channels * 9, batch * inner * inner);
  compare(fmt::format("convolution 3 x 3, {0} to {0}, of a view of {1} x {1} with steps of -2", channels, side),
          2.0 * channels * channels * 9 * batch * inner * inner,
          [&] { x.at(ellipsis, back, back).conv2d(w.reshape({channels, channels, 3, 3})).realize(); }, "the product",
          [&] { w.matmul(p).realize(); });
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<char*> words(argv + 1, static_cast<size_t>(argc - 1));
  fmt::print("products on {} threads\n", settings().threads);
  manual_seed(0);
  const Beside peers;
  for (const Product& p : products()) if (wanted(p.name, words)) peers.run(p);
  for (const Product& p : drawn(60)) if (!words.empty() && wanted(p.name, words)) peers.run(p);
  for (const char* w : words)
    if (int m, k, n; std::sscanf(w, "%dx%dx%d", &m, &k, &n) == 3)
      peers.run({fmt::format("matmul {} x {} x {}", m, k, n), m, k, n});
  if (wanted("random", words)) {
    peers.run_all(drawn(60));
    peers.run_all(drawn(20, Numbers::Bfloat16), " of bfloat16");
    peers.run_all(drawn(20, Numbers::Bytes), " of bytes");
  }
  if (wanted("matmul with bias and gelu", words)) epilogue(2048, 2048, 2048), epilogue(1024, 512, 1024);
  if (wanted("contraction", words)) contraction(7, 509, 73, 1021);
  if (wanted("convolution of a view", words)) convolution_of_view(16, 64, 117);
}
