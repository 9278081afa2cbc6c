// Sums of many numbers: their error grows with the logarithm of how many there are, and their bits do not depend on the threads.
#include <bit>
#include <cinttypes>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include "tensor_testing.hpp"
#include "tg/contract.hpp"
#include "tg/nn.hpp"
#include "tg/optim.hpp"

namespace tg {
using namespace nn;
namespace {

constexpr double kEpsilon = 0x1p-23;

/// Values from a seed, and values that all round to the same side when they are added up.
std::vector<Tensor> terms(const Sizes& shape) {
  manual_seed(3);
  return {Tensor::rand(shape).realize(), Tensor::full(shape, 0.1f).realize(), (Tensor::rand(shape) + 1000).realize()};
}

void expect_log(double got, double exact, int64_t n, const std::string& what) {
  EXPECT_LE(std::abs(got - exact), std::log2(static_cast<double>(n)) * kEpsilon * std::abs(exact)) << what << " of " << n << " numbers";
}

TEST(Sums, ErrorsGrowWithTheLogarithm) {
  for (const int64_t n : {1001, 10007, 100003, 3000017})
    for (const Tensor& x : terms({n})) {
      double sum = 0, squares = 0;
      for (const double v : x.to_vector<double>()) { sum += v; squares += v * v; }
      const double mean = sum / static_cast<double>(n);
      expect_log(x.sum().item<double>(), sum, n, "sum");
      expect_log(x.mean().item<double>(), mean, n, "mean");
      expect_log(x.dot(x).item<double>(), squares, n, "dot");
      expect_log(norm(x).item<double>(), std::sqrt(squares), n, "norm");
    }
}

TEST(Sums, ErrorsOfColumnsAndRowsGrowWithTheLogarithm) {
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{100003, 17}, {20011, 131}, {5, 200003}, {3001, 1}})
    for (const Tensor& x : terms({rows, columns})) {
      const auto values = x.to_vector<double>();
      std::vector<double> of_rows(static_cast<size_t>(rows)), of_columns(static_cast<size_t>(columns));
      for (size_t i = 0; i < values.size(); ++i) {
        of_rows[i / of_columns.size()] += values[i];
        of_columns[i % of_columns.size()] += values[i];
      }
      const auto down = x.sum({.axis = 0}).to_vector<double>(), along = x.sum({.axis = 1}).to_vector<double>();
      for (size_t i = 0; i < down.size(); ++i) expect_log(down[i], of_columns[i], rows, "sum of a column");
      for (size_t i = 0; i < along.size() && columns > 1; ++i) expect_log(along[i], of_rows[i], columns, "sum of a row");
    }
}

TEST(Sums, OneLargeNumberDoesNotSwallowTheRestWhereverItIs) {
  const auto close = [](const Tensor& sum) { EXPECT_LE(std::abs(sum.item<double>() - 100001000), 2 * 8) << "2 units in the last place"; };
  for (const size_t at : {0, 1, 15, 16, 500, 999, 1000}) {
    std::vector<float> values(1001, 1.f);
    values[at] = 1e8f;
    const Tensor x = Tensor::from(values);
    close(x.sum());
    close(x.reshape({1001, 1}).expand({1001, 1}).sum({.axis = 0}));
    close(x.reshape({1001, 1}).expand({1001, 37}).contiguous().sum({.axis = 0}).at(36));
  }
}

/// Of everything that adds up and is shared out among threads: one number for all bits.
uint64_t digest() {
  manual_seed(11);
  const Tensor x = Tensor::randn({513, 1031}), y = Tensor::randn({1031, 67}), labels = Tensor::arange(513) % 10;
  const Tensor image = Tensor::randn({3, 5, 33, 31}).set_requires_grad(), filter = Tensor::randn({7, 5, 3, 3}).set_requires_grad();
  const auto of_conv = gradient(image.conv2d(filter).square().sum(), {image, filter});
  const Linear hidden(67, 19), last(19, 10);
  State state = hidden.state();
  append(state, "last", last.state());
  Adam adam(state);
  for (int step = 0; step < 2; ++step) {
    adam.zero_grad();
    last(hidden(x.matmul(y) / 32).relu()).cross_entropy(labels).backward();
    adam.step();
  }
  uint64_t hash = 14695981039346656037ull;
  for (const Tensor& t : {x.sum(), x.sum({.axis = 0}), x.sum({.axis = 1}), x.var(), Tensor::rand({1000003}).sum(), x.softmax(),
                          x.log_softmax(), x.softmax(0), x.layer_norm(y.sum({.axis = 1}), {}), x.matmul(y), x.cumsum(1), of_conv[0],
                          of_conv[1], hidden.weight, last.bias})
    for (const float v : t.to_vector<float>()) hash = (hash ^ std::bit_cast<uint32_t>(v)) * 1099511628211ull;
  return hash;
}

TEST(Sums, HaveTheSameBitsInASecondRun) {
  const uint64_t once = digest();
  EXPECT_EQ(once, digest());
  std::printf("digest %016" PRIx64 "\n", once);  // for the test that follows
}
// More than a word of bits has: what a kernel writes is not told by a mask.
TEST(Sums, ReadAnyNumberOfArrays) {
  const Tensor x = Tensor::full({2000}, 1.f).realize();
  for (const int n : {62, 63, 64, 130}) {
    Tensor sum = x;
    for (int i = 0; i < n; ++i) sum = sum - Tensor::full({1}, static_cast<float>(i)).realize();
    EXPECT_EQ((sum * x).sum().item<float>(), static_cast<float>(2000 * (1 - n * (n - 1) / 2))) << n;
  }
}

// In processes of their own, since the number of threads is the process's.
TEST(Sums, HaveTheSameBitsForAnyNumberOfThreads) {
  std::string expected;
  for (const char* threads : {"1", "2", "3", "4"}) {
    const std::string command = fmt::format("TG_DEVICE=cpu TG_THREADS={} '{}' --gtest_filter=Sums.HaveTheSameBitsInASecondRun", threads,
                                            std::filesystem::read_symlink("/proc/self/exe").string());
    FILE* const pipe = popen(command.c_str(), "r");
    std::string text;
    for (char line[256]; std::fgets(line, sizeof line, pipe);) text += line;
    EXPECT_EQ(pclose(pipe), 0) << text;
    const size_t at = text.find("digest ");
    ASSERT_NE(at, std::string::npos) << text;
    const std::string found = text.substr(at, 23);
    if (expected.empty()) expected = found;
    EXPECT_EQ(found, expected) << threads << " threads";
  }
}

}  // namespace
}  // namespace tg
