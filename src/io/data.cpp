// See tg/data.hpp. Threads claim the next batch that nobody has begun, and lay it where the consumer, who takes them in order, finds it.
//
//   taken <= each batch in `made` < claimed <= taken + ahead
#include "tg/data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <map>
#include <numeric>
#include <system_error>
#include <thread>

#include "base/fork.hpp"
#include "tensor/impl.hpp"
#include "tg/memory.hpp"

namespace tg {

namespace {

/// Tensors of one shape and dtype side by side, copied.
Tensor side_by_side(const std::vector<Example>& examples, size_t which, const Sizes& places) {
  const Tensor& first = examples[0][which];
  const size_t bytes = static_cast<size_t>(first.numel()) * size_of(first.dtype());
  const auto memory = std::make_shared<std::vector<std::byte>>(bytes * examples.size());
  for (size_t i = 0; i < examples.size(); ++i) {
    const Tensor& t = examples[i][which];
    const auto where = [&] { return fmt::format("Dataset: tensor {} of example {} is", which, places[i]); };
    if (t.shape() != first.shape())
      throw ShapeError(fmt::format("{} {}, but of example {} {}; make them alike, or join them in Dataset::in_batches", where(),
                                   to_string(t.shape()), places[0], to_string(first.shape())));
    if (t.dtype() != first.dtype())
      throw DTypeError(fmt::format("{} {}, but of example {} {}; cast them", where(), name_of(t.dtype()), places[0],
                                   name_of(first.dtype())));
    t.copy_out(memory->data() + i * bytes, t.dtype());
  }
  Sizes shape = first.shape();
  shape.insert(shape.begin(), static_cast<int64_t>(examples.size()));
  return borrow({memory, memory->data()}, first.dtype(), shape, {.device = first.device()});
}

Example joined(const std::vector<Example>& examples, const Sizes& places) {
  for (size_t i = 0; i < examples.size(); ++i)
    if (examples[i].size() != examples[0].size())
      throw ShapeError(fmt::format("Dataset: example {} has {} tensors, but example {} has {}; each has as many", places[i],
                                   examples[i].size(), places[0], examples[0].size()));
  Example out;
  for (size_t which = 0; which < examples[0].size(); ++which) out.push_back(side_by_side(examples, which, places));
  return out;
}

}  // namespace

Dataset::Dataset(std::vector<Tensor> tensors) {
  if (tensors.empty()) throw ShapeError("Dataset: no tensors; it takes at least one, whose axis 0 counts the examples");
  for (const Tensor& t : tensors)
    if (t.rank() == 0 || t.size(0) != tensors[0].size(0))
      throw ShapeError(fmt::format("Dataset: tensors of shapes {} and {}; the sizes of their axes 0 must be equal",
                                   to_string(tensors[0].shape()),
                                   to_string(t.shape())));
  size_ = tensors[0].size(0);
  batch_ = [tensors = std::move(tensors)](const Sizes& places) {
    Example out;
    for (const Tensor& t : tensors)
      out.push_back(t.take(Tensor::from(places, {static_cast<int64_t>(places.size())}, {.device = t.device()})));
    return out;
  };
}
Dataset::Dataset(int64_t size, std::function<Example(int64_t)> example)
    : Dataset(in_batches(size, [example = std::move(example)](const Sizes& places) {
        std::vector<Example> examples;
        for (const int64_t i : places) examples.push_back(example(i));
        return joined(examples, places);
      })) {}
Dataset Dataset::in_batches(int64_t size, std::function<Example(const Sizes&)> batch) {
  if (size < 0) throw ValueError(fmt::format("Dataset: a size of {}; it takes 0 or more", size));
  Dataset out;
  out.size_ = size;
  out.batch_ = std::move(batch);
  return out;
}
Dataset Dataset::subset(Sizes places) const {
  for (const int64_t i : places)
    if (i < 0 || i >= size_) throw IndexError(fmt::format("Dataset: a subset with example {} of {}", i, size_));
  const auto count = static_cast<int64_t>(places.size());
  return in_batches(count, [own = std::move(places), all = batch_](const Sizes& which) {
    Sizes of_all;
    for (const int64_t i : which) of_all.push_back(own[static_cast<size_t>(i)]);
    return all(of_all);
  });
}
Dataset Dataset::concatenated(const std::vector<Dataset>& parts) {
  if (parts.empty()) throw ValueError("Dataset: concatenated of no data sets; it takes at least one");
  int64_t size = 0;
  for (const Dataset& part : parts) size += part.size();
  const auto example = [parts](int64_t i) {
    size_t part = 0;
    for (; i >= parts[part].size(); ++part) i -= parts[part].size();
    Example one = parts[part].batch_({i});
    for (Tensor& t : one) t = t.squeeze(0);
    return one;
  };
  return {size, example};
}

std::vector<Sizes> random_places(int64_t size, const std::vector<double>& parts) {
  const double sum = std::accumulate(parts.begin(), parts.end(), 0.0), n = static_cast<double>(size);
  const bool shares = std::abs(sum - 1) < 1e-9;
  const bool sane = std::ranges::all_of(parts, [&](double p) { return p >= 0 && p <= std::max(n, 1.0); });
  Sizes sizes;
  for (const double p : parts) sizes.push_back(sane ? static_cast<int64_t>(std::floor(shares ? n * p : p)) : 0);
  int64_t rest = size - std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  for (size_t i = 0; shares && rest > 0; i = (i + 1) % sizes.size(), --rest) ++sizes[i];
  if (rest != 0 || !sane)
    throw ValueError(fmt::format("random_split: parts of {} of {} examples; they sum to that number, or are shares that sum to 1",
                                 fmt::join(parts, ", "), size));
  const auto order = randperm(size, {.dtype = DType::int64, .device = "cpu"}).to_vector<int64_t>();
  std::vector<Sizes> out;
  auto from = order.begin();
  for (const int64_t s : sizes) out.emplace_back(from, from + s), from += s;
  return out;
}
std::vector<Dataset> random_split(const Dataset& data, const std::vector<double>& parts) {
  std::vector<Dataset> out;
  for (Sizes& places : random_places(data.size(), parts)) out.push_back(data.subset(std::move(places)));
  return out;
}

Example Dataset::batch(const Sizes& places) const {
  Example out = batch_(places);
  for (const Tensor& t : out) t.realize();
  return out;
}

struct Epoch::State {
  Dataset data;
  LoaderOptions options;
  int64_t count;
  std::array<uint32_t, 2> key;
  Sizes order;

  struct Made {
    Example batch;
    std::exception_ptr error;
  };
  Mutex mutex;  // guards all from here on
  std::unique_ptr<std::condition_variable_any> changed = std::make_unique<std::condition_variable_any>();
  std::map<int64_t, Made> made;
  int64_t claimed = 0, taken = 0;
  bool stopped = false;
  std::vector<std::thread> threads;
  const uint64_t process = forks_behind();  // whose threads they are

  State(Dataset d, const LoaderOptions& o, int64_t batches, Generator from)
      : data(std::move(d)), options(o), count(batches), key(from.key()) {
    if (o.shuffle) {
      const Drawing drawing(from);
      order = randperm(data.size(), {.dtype = DType::int64, .device = "cpu"}).to_vector<int64_t>();
    } else {
      order.resize(static_cast<size_t>(data.size()));
      std::iota(order.begin(), order.end(), 0);
    }
  }
  ~State() {
    if (elsewhere()) {  // threads that are not here can be neither joined nor told of, nor their handles destroyed
      new std::vector(std::move(threads));
      (void)changed.release();
      return;
    }
    {
      const std::lock_guard lock(mutex);
      stopped = true;
    }
    changed->notify_all();
    for (std::thread& t : threads) t.join();
  }

  bool elsewhere() const { return !threads.empty() && process != forks_behind(); }
  /// As many as the system grants; without any, batches are made where they are asked for.
  void start() {
    threads.reserve(static_cast<size_t>(options.threads));
    try {
      while (static_cast<int>(threads.size()) < options.threads) threads.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // the order of batches and their values do not depend on their number
    }
  }
  Example make(int64_t number) const {
    Generator own = Generator::with_key(threefry2x32(key, {static_cast<uint32_t>(number >> 32), static_cast<uint32_t>(number)}));
    const Drawing drawing(own);
    const auto begin = order.begin() + number * options.batch_size;
    return data.batch(Sizes(begin, begin + std::min<int64_t>(options.batch_size, order.end() - begin)));
  }
  void work() {
    const int64_t ahead = int64_t{options.threads} * options.prefetch;
    std::unique_lock lock(mutex);
    for (;;) {
      changed->wait(lock, [&] { return stopped || claimed == count || claimed < taken + ahead; });
      if (stopped || claimed == count) return;
      const int64_t number = claimed++;
      lock.unlock();
      Made result;
      try { result.batch = make(number); } catch (...) { result.error = std::current_exception(); }
      lock.lock();
      made.emplace(number, std::move(result));
      changed->notify_all();
    }
  }
  std::optional<Example> next() {
    if (taken == count) return {};
    if (threads.empty()) return make(taken++);
    if (elsewhere())
      throw ValueError(
          "DataLoader: this epoch's threads are in the process that this one was forked from; begin an epoch here, or use threads = 0");
    Made result;
    {
      std::unique_lock lock(mutex);
      changed->wait(lock, [&] { return made.contains(taken); });
      result = std::move(made.extract(taken++).mapped());
    }
    changed->notify_all();
    if (result.error) std::rethrow_exception(result.error);
    return std::move(result.batch);
  }
};

Epoch::Epoch(std::unique_ptr<State> state) : state_(std::move(state)) {}
Epoch::Epoch(Epoch&&) noexcept = default;
Epoch& Epoch::operator=(Epoch&&) noexcept = default;
Epoch::~Epoch() = default;
std::optional<Example> Epoch::next() { return state_->next(); }

DataLoader::DataLoader(Dataset data, const LoaderOptions& options) : data_(std::move(data)), options_(options) {
  const LoaderOptions& o = options_;
  if (o.batch_size < 1 || o.threads < 0 || o.prefetch < 1)
    throw ValueError(fmt::format("DataLoader: batch_size {}, threads {}, prefetch {}; they are at least 1, 0 and 1", o.batch_size,
                                 o.threads,
                                 o.prefetch));
}
int64_t DataLoader::size() const { return (data_.size() + (options_.drop_last ? 0 : options_.batch_size - 1)) / options_.batch_size; }
Epoch DataLoader::epoch() const {
  std::optional<Drawing> drawing;
  if (options_.generator) drawing.emplace(*options_.generator);
  auto state = std::make_unique<Epoch::State>(data_, options_, size(), split_generator());
  state->start();
  return Epoch(std::move(state));
}

}  // namespace tg
