#pragma once
// tg train mnist: from nothing, or from a checkpoint, to a trained network, shown as it goes.
//
//   TrainOptions options;  options.epochs = 1;
//   int code = train_mnist(options, std::cout, terminal_of(STDOUT_FILENO));    last line: test accuracy: 98.71%
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "cli/mnist_net.hpp"
#include "cli/terminal.hpp"

namespace tg::cli {

inline constexpr int kInterrupted = 130;  // what shells expect of a program that Ctrl-C ended

/// What is not given is the checkpoint's where a run is resumed, else the default of TrainRecord.
struct TrainOptions {
  std::optional<std::string> optimizer{};
  std::optional<int64_t> batch{}, epochs{}, steps{}, seed{};
  std::optional<double> lr{};
  std::string device{};  // empty: TG_DEVICE, else cpu
  std::string data{};    // the folder with the files; empty: io::find_mnist looks
  std::string checkpoint = kDefaultCheckpoint;
  bool resume = false;   // go on from the checkpoint
};

/// Trains, saves the checkpoint and the loss curve beside it, and reports on `out`. 0, or kInterrupted after Ctrl-C, when the
/// checkpoint can be resumed. Throws tg::Error: IoError for files, ValueError for options that do not fit each other, the data or the
/// checkpoint.
int train_mnist(const TrainOptions& options, std::ostream& out, const Terminal& terminal);

}  // namespace tg::cli
