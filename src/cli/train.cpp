// One training run. A step is a function of (weights, moments, step number, seed) alone, so a resumed run goes the way of one that was
// never interrupted.
#include "cli/train.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numbers>
#include <numeric>
#include <ostream>
#include <random>

#include "base/env.hpp"
#include "cli/draw.hpp"
#include "cli/interrupt.hpp"
#include "cli/plot.hpp"
#include "cli/progress.hpp"
#include "cli/record.hpp"
#include "io/file.hpp"
#include "io/image.hpp"
#include "tg/device.hpp"
#include "tg/optim.hpp"
#include "tg/tg.hpp"

namespace tg::cli {
namespace {

using io::with_commas;

// ---- settings ----

/// The checkpoint's settings, if there is one to resume, under those given. ValueError where both say what cannot change on the way.
TrainRecord settle(const TrainOptions& o) {
  TrainRecord r;
  if (o.resume) r = from_metadata(read_metadata(o.checkpoint), o.checkpoint);
  const auto fixed = [&](const char* option, auto& mine, const auto& given) {
    if (!given) return;
    if (o.resume && *given != mine)
      throw ValueError(fmt::format("--{} {}: {} was trained with {}, and a resumed run keeps it", option, *given, o.checkpoint, mine));
    mine = *given;
  };
  fixed("optimizer", r.optimizer, o.optimizer);
  fixed("batch", r.batch, o.batch);
  fixed("seed", r.seed, o.seed);
  if (o.epochs) r.epochs = *o.epochs, r.steps = 0;
  if (o.steps) r.steps = *o.steps;
  if (o.lr) r.lr = *o.lr;
  if (r.lr == 0) r.lr = r.optimizer == "sgd" ? 0.1 : 3e-3;
  return r;
}

nn::Optimizer make_optimizer(const std::string& name, const nn::State& state) {
  if (name == "sgd") return nn::SGD(state, {.momentum = 0.9, .weight_decay = 1e-4, .nesterov = true});
  if (name == "adamw") return nn::AdamW(state);
  return nn::Adam(state);
}

/// One cycle: up in a straight line for a tenth of the way, then down to nothing along a cosine. Loshchilov, Hutter 2017; Smith 2018.
double rate_at(int64_t step, int64_t total, double highest) {
  const double warm = std::ceil(0.1 * static_cast<double>(total)), at = static_cast<double>(step);
  if (at < warm) return highest * (at + 1) / warm;
  return highest * 0.5 * (1 + std::cos(std::numbers::pi * (at - warm + 1) / (static_cast<double>(total) - warm + 1)));
}

/// 0 to n - 1 in the order of that epoch, the same on every machine.
std::vector<int32_t> shuffled(size_t n, int64_t seed, int64_t epoch) {
  std::seed_seq mixed{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), static_cast<uint32_t>(epoch)};
  std::mt19937_64 random(mixed);
  std::vector<int32_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  return order;
}

// ---- the run ----

class Training {
 public:
  Training(const TrainOptions& options, std::ostream& out, const Terminal& terminal)
      : out_(out),
        terminal_(terminal),
        record_(settle(options)),
        checkpoint_(options.checkpoint),
        device_(options.device.empty() ? settings().device : options.device),
        data_(io::load_mnist(io::find_mnist(options.data))),
        train_size_(static_cast<int64_t>(data_.train.labels.data.size())),
        train_(to_device(data_.train, device_)),
        test_(to_device(data_.test, device_)),
        net_((manual_seed(static_cast<uint64_t>(record_.seed)), mnist_net(device_))),
        optimizer_(make_optimizer(record_.optimizer, net_.state())) {
    if (record_.batch < 2 || record_.batch > train_size_)
      throw ValueError(fmt::format("--batch {}: it takes 2 to {}, the size of the training set", record_.batch,
                                   with_commas(static_cast<uint64_t>(train_size_))));
    per_epoch_ = train_size_ / record_.batch;
    total_ = record_.steps > 0 ? record_.steps : record_.epochs * per_epoch_;
    {
      io::AtomicFile probe(checkpoint_), beside(curve_path());
    }  // a path that cannot be written is to be known now, not after the training
    if (options.resume) {
      nn::load(checkpoint_, everything());
      optimizer_.set_steps(record_.step);
    }
  }

  int operator()() {
    introduce();
    const bool finished = train();
    nn::save(checkpoint_, everything(), to_metadata(record_));
    if (!finished) {
      out_ << fmt::format("interrupted after step {} of {}; go on with\n  tg train mnist --checkpoint {} --resume\n", record_.step, total_,
                          checkpoint_);
      return kInterrupted;
    }
    conclude();
    return 0;
  }

 private:
  nn::State everything() const {
    nn::State s = net_.state();
    for (const auto& [name, t] : optimizer_.state()) s.emplace_back(kOptimizerPrefix + name, t);
    return s;
  }
  std::filesystem::path curve_path() const {
    std::filesystem::path p(checkpoint_);
    return p.replace_filename(p.stem().string() + "-loss.svg");
  }

  void introduce() const {
    int64_t parameters = 0;
    for (const auto& entry : nn::parameters(net_.state())) parameters += entry.second.numel();
    out_ << fmt::format("mnist: {} digits to train on, {} to test with; {} parameters; device {}\n",
                        with_commas(static_cast<uint64_t>(train_size_)),
                        with_commas(data_.test.labels.data.size()), with_commas(static_cast<uint64_t>(parameters)), device_);
    out_ << fmt::format("{}, batch {}, learning rate up to {}, seed {}: {} steps", record_.optimizer, record_.batch, record_.lr,
                        record_.seed, total_);
    out_ << (record_.step > 0 ? fmt::format(", of which {} are done\n", record_.step) : "\n") << std::flush;
  }

  /// False where Ctrl-C came first.
  bool train() {
    const Interrupt interrupt;
    Progress bar(out_, terminal_, "training", static_cast<size_t>(std::max(total_, record_.step) * record_.batch), {}, [this] {
      return terminal_.live ? terminal_width(STDOUT_FILENO) : terminal_.width;
    });
    std::vector<int32_t> order;
    const auto start = std::chrono::steady_clock::now();
    const int64_t first = record_.step;
    Figures shown;
    while (record_.step < total_) {
      if (interrupt.requested()) return false;
      const int64_t at = record_.step % per_epoch_;
      if (order.empty() || at == 0) order = shuffled(static_cast<size_t>(train_size_), record_.seed, record_.step / per_epoch_);
      const auto [loss, right] =
          step(std::span(order).subspan(static_cast<size_t>(at * record_.batch), static_cast<size_t>(record_.batch)));
      record_.loss.push_back(loss);
      ++record_.step;
      if (!std::isfinite(loss))
        throw ValueError(fmt::format("the loss is {} after step {}; try a smaller --lr than {}", loss, record_.step, record_.lr));
      // What is shown is the mean of about the last ten steps.
      const auto recent = [](double mean, double now) { return std::isnan(mean) ? now : mean + 0.1 * (now - mean); };
      shown = {recent(shown.loss, loss), recent(shown.accuracy, right)};
      bar.update(static_cast<size_t>(record_.step * record_.batch), shown);
      if (record_.step % per_epoch_ == 0 && record_.step < total_) {
        test();
        bar.note(fmt::format("epoch {}: test accuracy {:.2f}%", record_.step / per_epoch_, 100 * record_.accuracy.back().second));
      }
    }
    bar.finish();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (record_.step > first) out_ << fmt::format("trained {} steps in {} ({:.3f} s a step)\n", record_.step - first, clock_text(seconds),
                                                  seconds / static_cast<double>(record_.step - first));
    test();
    return true;
  }

  std::pair<float, double> step(std::span<const int32_t> which) {
    optimizer_.set_lr(rate_at(record_.step, total_, record_.lr));
    const Outcome out = train_step(net_, optimizer_, gather(train_, numbers(which, device_)));
    return {out.loss.item<float>(), out.right.item<double>() / static_cast<double>(which.size())};
  }

  /// Asks the network about the test set and notes how it does.
  void test() {
    probabilities_ = probabilities(net_, test_);
    if (!record_.accuracy.empty() && record_.accuracy.back().first == static_cast<size_t>(record_.step)) record_.accuracy.pop_back();
    record_.accuracy.emplace_back(record_.step, static_cast<float>(accuracy(probabilities_, data_.test)));
  }

  // ---- the report ----

  std::span<const uint8_t> pixels(size_t i) const {
    constexpr size_t size = io::kMnistSide * io::kMnistSide;
    return {reinterpret_cast<const uint8_t*>(data_.test.images.data.data()) + i * size, size};
  }
  int label(size_t i) const { return data_.test.labels.at<uint8_t>(i); }
  float chance(size_t i, int of) const { return probabilities_[i * kClasses + static_cast<size_t>(of)]; }
  void draw(const std::string& title, const std::vector<size_t>& which) const {
    std::vector<Block> blocks;
    for (const size_t i : which) {
      const int guess = best_class(probabilities_, i);
      const std::string truth = guess == label(i) ? "" : fmt::format(", is {}", label(i));
      blocks.push_back(draw_digit(pixels(i), terminal_, fmt::format("#{}: {} ({:.0f}%){}", i, guess, 100 * chance(i, guess), truth)));
    }
    out_ << '\n' << title << '\n' << beside(blocks, terminal_);
  }

  void conclude() const {
    const size_t count = data_.test.labels.data.size();
    std::vector<size_t> some(std::min<size_t>(count, 4)), wrong;
    std::iota(some.begin(), some.end(), size_t{0});
    for (size_t i = 0; i < count; ++i)
      if (best_class(probabilities_, i) != label(i)) wrong.push_back(i);
    draw("test digits and what the network reads", some);
    std::stable_sort(wrong.begin(), wrong.end(), [&](size_t a, size_t b) { return chance(a, label(a)) < chance(b, label(b)); });
    const size_t mistakes = wrong.size();
    wrong.resize(std::min<size_t>(mistakes, 4));
    if (!wrong.empty()) draw(fmt::format("the worst of {} mistakes", with_commas(mistakes)), wrong);
    io::write_file(curve_path(), plot_svg({.title = "tg train mnist", .loss = record_.loss, .accuracy = record_.accuracy}));
    out_ << fmt::format("\nwrote {} (network, optimizer and progress)\nwrote {} (the loss curve)\n", checkpoint_, curve_path().string());
    out_ << fmt::format("try   tg predict 7 --checkpoint {}\n", checkpoint_);
    out_ << fmt::format("test accuracy: {:.2f}%\n", 100 * accuracy(probabilities_, data_.test)) << std::flush;
  }

  std::ostream& out_;
  Terminal terminal_;
  TrainRecord record_;
  std::string checkpoint_, device_;
  io::Mnist data_;
  int64_t train_size_, per_epoch_ = 0, total_ = 0;
  Digits train_, test_;
  nn::Sequential net_;
  nn::Optimizer optimizer_;
  std::vector<float> probabilities_;
};

}  // namespace

int train_mnist(const TrainOptions& options, std::ostream& out, const Terminal& terminal) { return Training(options, out, terminal)(); }

}  // namespace tg::cli
