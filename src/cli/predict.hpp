#pragma once
// tg predict: one digit, from the MNIST test set or a picture, drawn beside what the network makes of it.
//
//   predict({.what = "7"}, std::cout, terminal);    predict({.what = "seven.png"}, ...)      last line: prediction: 7 (99.8%)
#include <iosfwd>
#include <string>

#include "cli/mnist_net.hpp"
#include "cli/terminal.hpp"

namespace tg::cli {

struct PredictOptions {
  std::string what{};    // a number: of a test digit; else the path of a PNG or PGM file
  std::string checkpoint = kDefaultCheckpoint;
  std::string device{};  // empty: TG_DEVICE, else cpu
  std::string data{};    // the folder with MNIST's files; empty: io::find_mnist looks
};

/// Throws IndexError for a number that the test set does not have, IoError for files, ValueError for a picture without contrast.
void predict(const PredictOptions& options, std::ostream& out, const Terminal& terminal);

}  // namespace tg::cli
