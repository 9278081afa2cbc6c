// Finds the digit, loads the network, and shows both.
#include "cli/predict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <ostream>

#include "base/env.hpp"
#include "cli/draw.hpp"
#include "io/image.hpp"

namespace tg::cli {
namespace {

struct Question {
  io::MnistPart digit;   // one image
  std::string caption;
};

Question test_digit(size_t i, const std::string& data) {
  const io::MnistPart test = io::load_mnist(io::find_mnist(data)).test;
  const size_t count = test.labels.data.size(), size = io::kMnistSide * io::kMnistSide;
  if (i >= count) throw IndexError(fmt::format("test digit {}: there are {}, numbered from 0 to {}", i, count, count - 1));
  const auto first = test.images.data.begin() + static_cast<ptrdiff_t>(i * size);
  return {
      {{uint8, {1, io::kMnistSide, io::kMnistSide}, {first, first + static_cast<ptrdiff_t>(size)}}, {uint8, {1}, {test.labels.data[i]}}},
          fmt::format("test #{}, label {}", i, test.labels.at<uint8_t>(i))};
}
Question picture(const std::string& path) {
  const auto pixels = io::to_mnist(io::load_image(path));
  const auto bytes = std::as_bytes(std::span(pixels));
  return {{{uint8, {1, io::kMnistSide, io::kMnistSide}, {bytes.begin(), bytes.end()}}, {uint8, {1}, {std::byte{0}}}},
          std::filesystem::path(path).filename().string()};
}
Question question(const PredictOptions& o) {
  size_t i = 0;
  const auto [end, error] = std::from_chars(o.what.data(), o.what.data() + o.what.size(), i);
  const bool number = !o.what.empty() && std::ranges::all_of(o.what, [](char c) { return c >= '0' && c <= '9'; });
  if (number && error == std::errc()) return test_digit(i, o.data);
  return picture(o.what);
}

}  // namespace

void predict(const PredictOptions& o, std::ostream& out, const Terminal& terminal) {
  const Question q = question(o);
  if (std::error_code ignored; !std::filesystem::exists(o.checkpoint, ignored))
    throw IoError(fmt::format("{}: no such file; train a network first: tg train mnist --checkpoint {}", o.checkpoint, o.checkpoint));
  const std::string device = o.device.empty() ? settings().device : o.device;
  const nn::Sequential net = mnist_net(device);
  nn::load(o.checkpoint, net.state(), {.ignore = kOptimizerPrefix});
  const std::vector<float> p = probabilities(net, to_device(q.digit, device));
  const auto& ink = q.digit.images.data;
  const std::span pixels(reinterpret_cast<const uint8_t*>(ink.data()), ink.size());
  const int guess = best_class(p, 0);
  out << beside({draw_digit(pixels, terminal, q.caption), draw_probabilities(p, terminal)}, terminal)
      << fmt::format("prediction: {} ({:.1f}%)\n", guess, 100 * p[static_cast<size_t>(guess)]);
}

}  // namespace tg::cli
