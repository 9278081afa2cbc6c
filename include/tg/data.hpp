#pragma once
// Data in batches: examples in order or shuffled, joined, and made ahead of time by threads.
//
//   tg::Generator order(7);
//   tg::DataLoader loader(tg::Dataset({images, labels}), {.batch_size = 128, .shuffle = true, .threads = 1, .generator = &order});
//   for (const tg::Example& batch : loader) train(batch[0], batch[1]);       an epoch; the next loop is another, in another order
//
// Batches come in the same order and with the same values for any number of threads: each is made under a key of its own, which follows
// from the epoch's and its number, so that what examples draw at random does not depend on who makes them.
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <vector>

#include "tg/random.hpp"

namespace tg {

/// The tensors of one example, or of a batch of them: its inputs and its targets, say.
using Example = std::vector<Tensor>;

/// So many examples, of as many tensors each. Where a DataLoader has several threads, they call its function at once.
class Dataset {
 public:
  /// Example i is entry i of axis 0 of each tensor. ShapeError: no tensor, one without axes, or sizes that differ.
  explicit Dataset(std::vector<Tensor> tensors);
  /// Example i is example(i). Batches are copies of their values side by side, so shapes and dtypes must agree; ShapeError, DTypeError.
  Dataset(int64_t size, std::function<Example(int64_t)> example);
  /// The examples at some places are batch(places), joined as it likes.
  [[nodiscard]] static Dataset in_batches(int64_t size, std::function<Example(const Sizes&)> batch);

  /// The examples at these places, in their order. IndexError: a place outside.
  [[nodiscard]] Dataset subset(Sizes places) const;
  /// The data sets one after another, whose batches are copies side by side. ValueError: none.
  [[nodiscard]] static Dataset concatenated(const std::vector<Dataset>& parts);

  [[nodiscard]] int64_t size() const { return size_; }  // how many examples
  /// The examples at these places along a new axis 0 of each tensor, computed.
  [[nodiscard]] Example batch(const Sizes& places) const;

 private:
  Dataset() = default;
  int64_t size_ = 0;
  std::function<Example(const Sizes&)> batch_;
};

/// Which of `size` examples, in random order, belong to each part of these sizes; parts between 0 and 1 that sum to 1 are shares, what is
/// left over going to the first parts. ValueError where sizes do not sum to `size`.
[[nodiscard]] std::vector<Sizes> random_places(int64_t size, const std::vector<double>& parts);
/// The data set in such parts.
[[nodiscard]] std::vector<Dataset> random_split(const Dataset& data, const std::vector<double>& parts);

struct LoaderOptions {  // of a DataLoader
  detail::ByName by_name_only = detail::by_name;
  int64_t batch_size = 1;          // examples a batch
  bool shuffle = false;            // another order each epoch
  bool drop_last = false;          // leaves out the last batch where it is not full
  int threads = 0;                 // that make batches ahead; 0: whoever asks makes them
  int prefetch = 2;                // how many batches a thread is ahead, at most
  Generator* generator = nullptr;  // gives orders and keys, and must outlive the loader; null: whatever the asking thread draws from
};

/// One pass over the batches. One thread at a time may ask. Destroyed before its end it waits for the batches that are being made.
class Epoch {
 public:
  /// The next batch; none at the end. Throws what the making of that batch threw; the ones behind it can still be asked for.
  [[nodiscard]] std::optional<Example> next();
  Epoch(Epoch&&) noexcept;
  Epoch& operator=(Epoch&&) noexcept;
  ~Epoch();

 private:
  friend class DataLoader;
  struct State;
  explicit Epoch(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class DataLoader {  // batches of a Dataset, an epoch a loop
 public:
  /// ValueError: a batch size or prefetch below 1, threads below 0.
  explicit DataLoader(Dataset data, const LoaderOptions& options = {});
  /// How many batches an epoch has.
  [[nodiscard]] int64_t size() const;
  /// A new one, whose order is drawn now.
  [[nodiscard]] Epoch epoch() const;

  /// Walks over a new epoch, in a loop over the loader.
  class Iterator {
   public:
    explicit Iterator(Epoch epoch) : epoch_(std::move(epoch)), batch_(epoch_.next()) {}
    [[nodiscard]] const Example& operator*() const { return *batch_; }
    Iterator& operator++() { batch_ = epoch_.next(); return *this; }
    [[nodiscard]] bool operator==(std::default_sentinel_t) const { return !batch_; }

   private:
    Epoch epoch_;
    std::optional<Example> batch_;
  };
  [[nodiscard]] Iterator begin() const { return Iterator(epoch()); }  // of a new epoch
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }    // of any

 private:
  Dataset data_;
  LoaderOptions options_;
};

}  // namespace tg
