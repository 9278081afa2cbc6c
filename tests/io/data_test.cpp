// Batches: which examples are in which, the same for any number of threads; errors, and ends before the end.
#include "tg/data.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <numeric>
#include <thread>

#include "tg/tg.hpp"

namespace tg {
namespace {

using Numbers = std::vector<int64_t>;

Dataset count(int64_t n) {
  return Dataset({Tensor::arange(n, {.dtype = int64}), Tensor::arange(n, {.dtype = float32}).reshape({n, 1}) * 2});
}
/// The first tensors of all batches of an epoch.
std::vector<Numbers> numbers(const DataLoader& loader) {
  std::vector<Numbers> out;
  for (const Example& batch : loader) out.push_back(batch[0].to_vector<int64_t>());
  return out;
}
Numbers flat(const std::vector<Numbers>& batches) {
  Numbers out;
  for (const Numbers& b : batches) out.insert(out.end(), b.begin(), b.end());
  return out;
}
template <class F>
void until(const F& f) {
  for (int i = 0; i < 5000 && !f(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(f());
}

TEST(DataLoader, InOrder) {
  const DataLoader loader(count(10), {.batch_size = 4});
  EXPECT_EQ(loader.size(), 3);
  EXPECT_EQ(numbers(loader), (std::vector<Numbers>{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9}}));
  for (const Example& batch : loader) {
    EXPECT_EQ(batch[1].shape(), (Sizes{batch[0].size(0), 1}));
    EXPECT_TRUE(allclose(batch[1].reshape({-1}), batch[0] * 2.0));
  }
  const DataLoader whole(count(10), {.batch_size = 4, .drop_last = true});
  EXPECT_EQ(whole.size(), 2);
  EXPECT_EQ(flat(numbers(whole)).size(), 8u);
  EXPECT_EQ(numbers(DataLoader(count(0), {.batch_size = 4, .threads = 2})), std::vector<Numbers>{});
}

TEST(DataLoader, ShufflesAlikeForAnyNumberOfThreads) {
  std::vector<std::vector<Numbers>> all;
  for (const int threads : {0, 1, 3}) {
    Generator order(5);
    const DataLoader loader(count(20), {.batch_size = 3, .shuffle = true, .threads = threads, .generator = &order});
    for (int epoch = 0; epoch < 2; ++epoch) all.push_back(numbers(loader));
  }
  EXPECT_NE(all[0], all[1]);
  for (size_t i = 2; i < all.size(); ++i) EXPECT_EQ(all[i], all[i % 2]);
  Numbers sorted = flat(all[0]), every(20);
  std::ranges::sort(sorted);
  std::iota(every.begin(), every.end(), 0);
  EXPECT_EQ(sorted, every);
}

TEST(DataLoader, FollowsTheSeedOfTheProcess) {
  const DataLoader loader(count(20), {.batch_size = 20, .shuffle = true});
  manual_seed(1);
  const auto first = numbers(loader), second = numbers(loader);
  manual_seed(1);
  EXPECT_EQ(numbers(loader), first);
  EXPECT_EQ(numbers(loader), second);
}

TEST(DataLoader, ExamplesDrawAlikeForAnyNumberOfThreads) {
  const Dataset noise(9, [](int64_t i) { return Example{Tensor::rand({2}) + i}; });
  std::vector<std::vector<double>> all;
  for (const int threads : {0, 1, 4}) {
    Generator from(3);
    const DataLoader loader(noise, {.batch_size = 2, .threads = threads, .generator = &from});
    for (int epoch = 0; epoch < 2; ++epoch) {
      all.emplace_back();
      for (const Example& b : loader) for (const double v : b[0].to_vector<double>()) all.back().push_back(v);
    }
  }
  EXPECT_NE(all[0], all[1]);
  for (size_t i = 2; i < all.size(); ++i) EXPECT_EQ(all[i], all[i % 2]);
  EXPECT_EQ(static_cast<int>(all[0].back()), 8);
}

TEST(DataLoader, JoinsExamples) {
  const Dataset data(5, [](int64_t i) { return Example{Tensor({{i, i + 1}}), Tensor::full({}, i, {.dtype = uint8})}; });
  const Example batch = data.batch({4, 0});
  EXPECT_EQ(batch[0].shape(), (Sizes{2, 1, 2}));
  EXPECT_EQ(batch[0].to_vector<int>(), (std::vector<int>{4, 5, 0, 1}));
  EXPECT_EQ(batch[1].dtype(), uint8);
  EXPECT_EQ(batch[1].to_vector<int>(), (std::vector<int>{4, 0}));
  const Dataset sums = Dataset::in_batches(5, [](const Sizes& places) { return Example{Tensor::from(places).sum()}; });
  EXPECT_EQ(sums.batch({3, 4})[0].item<int>(), 7);
}

TEST(DataLoader, ThrowsWhereTheBatchIsAskedFor) {
  const Dataset data(6, [](int64_t i) -> Example {
    if (i == 2) throw ValueError("example 2 is broken");
    return {Tensor({i})};
  });
  for (const int threads : {0, 2}) {
    Epoch epoch = DataLoader(data, {.batch_size = 2, .threads = threads}).epoch();
    EXPECT_EQ((*epoch.next())[0].to_vector<int>(), (std::vector<int>{0, 1}));
    try {
      (void)epoch.next();
      FAIL() << "nothing was thrown";
    } catch (const ValueError& e) { EXPECT_STREQ(e.what(), "example 2 is broken"); }
    EXPECT_EQ((*epoch.next())[0].to_vector<int>(), (std::vector<int>{4, 5}));
    EXPECT_FALSE(epoch.next());
    EXPECT_FALSE(epoch.next());
  }
}

TEST(DataLoader, IsAheadButNotFurtherThanTold) {
  std::atomic<int> made = 0;
  const Dataset data(40, [&](int64_t i) { ++made; return Example{Tensor({i})}; });
  Epoch epoch = DataLoader(data, {.threads = 2, .prefetch = 3}).epoch();
  until([&] { return made == 6; });
  for (int taken = 1; taken <= 30; ++taken) {
    (void)epoch.next();
    EXPECT_LE(made, taken + 6);
  }
  until([&] { return made == 36; });
}

TEST(DataLoader, EndsCleanlyInTheMiddle) {
  std::atomic<int> begun = 0, ended = 0;
  const Dataset data(1000, [&](int64_t i) {
    ++begun;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ++ended;
    return Example{Tensor({i})};
  });
  const DataLoader loader(data, {.batch_size = 2, .threads = 3});
  for (const Example& batch : loader)
    if (batch[0].at(0).item<int>() == 4) break;
  EXPECT_EQ(begun, ended);
  EXPECT_LT(begun, 100);
  { const Epoch untouched = loader.epoch(); }
  EXPECT_EQ(begun, ended);
  Epoch first = loader.epoch(), second = loader.epoch();  // two at once, one moved
  (void)first.next();
  const Epoch moved = std::move(first);
  EXPECT_EQ((*second.next())[0].to_vector<int>(), (std::vector<int>{0, 1}));
}

TEST(DataLoader, Errors) {
  const auto message = [](const auto& f) -> std::string {
    try { f(); } catch (const Error& e) { return e.what(); }
    return "nothing was thrown";
  };
  EXPECT_EQ(message([] { (void)Dataset(std::vector<Tensor>()); }),
            "Dataset: no tensors; it takes at least one, whose axis 0 counts the examples");
  EXPECT_EQ(message([] { (void)Dataset({Tensor::zeros({3}), Tensor::zeros({2, 3})}); }),
            "Dataset: tensors of shapes (3,) and (2, 3); the sizes of their axes 0 must be equal");
  EXPECT_EQ(message([] { (void)Dataset(-1, [](int64_t) { return Example{}; }); }), "Dataset: a size of -1; it takes 0 or more");
  EXPECT_EQ(message([] { (void)DataLoader(count(3), {.batch_size = 0}); }),
            "DataLoader: batch_size 0, threads 0, prefetch 2; they are at least 1, 0 and 1");
  const Dataset ragged(3, [](int64_t i) { return Example{Tensor::zeros({i})}; });
  EXPECT_EQ(message([&] { (void)ragged.batch({1, 2}); }),
            "Dataset: tensor 0 of example 2 is (2,), but of example 1 (1,); make them alike, or join them in Dataset::in_batches");
  const Dataset mixed(3, [](int64_t i) { return Example{Tensor::zeros({}, {.dtype = i == 2 ? int8 : float32})}; });
  EXPECT_EQ(message([&] { (void)mixed.batch({1, 2}); }), "Dataset: tensor 0 of example 2 is int8, but of example 1 float32; cast them");
  const Dataset uneven(3, [](int64_t i) { return Example(static_cast<size_t>(i), Tensor::zeros({})); });
  EXPECT_EQ(message([&] { (void)uneven.batch({1, 2}); }), "Dataset: example 2 has 2 tensors, but example 1 has 1; each has as many");
}

TEST(Dataset, PartsAndSums) {
  const Dataset all = count(10), odd = all.subset({1, 3, 5});
  EXPECT_EQ(numbers(DataLoader(odd, {.batch_size = 2})), (std::vector<Numbers>{{1, 3}, {5}}));
  const Dataset both = Dataset::concatenated({odd, count(0), count(2)});
  EXPECT_EQ(both.size(), 5);
  EXPECT_EQ(numbers(DataLoader(both, {.batch_size = 3})), (std::vector<Numbers>{{1, 3, 5}, {0, 1}}));
  EXPECT_EQ(both.batch({4, 0})[1].shape(), (Sizes{2, 1}));
  EXPECT_THROW((void)all.subset({10}), IndexError);
  EXPECT_THROW((void)Dataset::concatenated({}), ValueError);
}

TEST(Dataset, RandomSplit) {
  Generator g(3);
  const Drawing drawing(g);
  for (const auto& [parts, sizes] : {std::pair(std::vector<double>{7, 3}, Sizes{7, 3}), {{0.5, 0.25, 0.25}, {6, 2, 2}}, {{1}, {10}}}) {
    Numbers seen;
    Sizes found;
    for (const Dataset& part : random_split(count(10), parts)) {
      found.push_back(part.size());
      for (const int64_t n : flat(numbers(DataLoader(part)))) seen.push_back(n);
    }
    EXPECT_EQ(found, sizes);
    Numbers sorted = seen, in_order(10);
    std::ranges::sort(sorted);
    std::iota(in_order.begin(), in_order.end(), 0);
    EXPECT_EQ(sorted, in_order);
    EXPECT_NE(seen, in_order);
  }
  for (const std::vector<double>& bad : {std::vector<double>{7, 2}, {11, -1}, {0.5, 0.25}, {}, {std::nan("")}, {1e300}})
    EXPECT_THROW((void)random_split(count(10), bad), ValueError);
}

}  // namespace
}  // namespace tg
