// Brings a picture of a digit to MNIST's form: light ink on dark, in a 20 x 20 box, its centre of mass in the middle of 28 x 28.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "io/image.hpp"
#include "tg/error.hpp"

namespace tg::io {
namespace {

constexpr size_t kBox = 20;         // the side that the ink fits into
constexpr int kLeastContrast = 24;  // of 255: less is an empty page
constexpr int kPaperShare = 10;     // what is fainter than a tenth of the darkest ink is paper: shadow, texture, compression

struct Field {
  size_t width, height;
  std::vector<float> ink;  // 0 paper ... 255 the strongest ink
};

/// The median of the border tells the paper's gray; ink is what differs from it, on the side where most of the contrast lies.
Field find_ink(const Image& image) {
  std::vector<uint8_t> border;
  for (size_t y = 0; y < image.height; ++y) {
    for (size_t x = 0; x < image.width; ++x) {
      const bool edge = y == 0 || x == 0 || y + 1 == image.height || x + 1 == image.width;
      if (edge) border.push_back(image.pixels[y * image.width + x]);
    }
  }
  const auto middle = border.begin() + static_cast<std::ptrdiff_t>(border.size() / 2);
  std::nth_element(border.begin(), middle, border.end());
  const int paper = *middle;
  const auto [low, high] = std::minmax_element(image.pixels.begin(), image.pixels.end());
  const bool dark_ink = paper - *low > *high - paper;
  const int strongest = dark_ink ? paper - *low : *high - paper;
  if (strongest < kLeastContrast) {
    throw ValueError(fmt::format("no digit found: the image of {} x {} pixels has grays {} to {} only; expected ink that stands out by {}",
                                 image.width, image.height, int{*low}, int{*high}, kLeastContrast));
  }
  Field field{image.width, image.height, {}};
  for (uint8_t p : image.pixels) {
    const int ink = dark_ink ? paper - p : p - paper;
    field.ink.push_back(ink * kPaperShare < strongest ? 0.0f : 255.0f * static_cast<float>(ink) / static_cast<float>(strongest));
  }
  return field;
}

Field crop(const Field& in) {
  size_t left = in.width, right = 0, top = in.height, bottom = 0;
  for (size_t y = 0; y < in.height; ++y) {
    for (size_t x = 0; x < in.width; ++x) {
      if (in.ink[y * in.width + x] == 0) continue;
      left = std::min(left, x), right = std::max(right, x + 1), top = std::min(top, y), bottom = std::max(bottom, y + 1);
    }
  }
  Field out{right - left, bottom - top, {}};
  for (size_t y = top; y < bottom; ++y) {
    const auto row = in.ink.begin() + static_cast<std::ptrdiff_t>(y * in.width);
    out.ink.insert(out.ink.end(), row + static_cast<std::ptrdiff_t>(left), row + static_cast<std::ptrdiff_t>(right));
  }
  return out;
}

/// For each of `to` equal parts of a line of `from` pixels: the pixels it covers, with the share of the part that each makes up.
std::vector<std::vector<std::pair<size_t, float>>> cover(size_t from, size_t to) {
  std::vector<std::vector<std::pair<size_t, float>>> parts(to);
  for (size_t i = 0; i < to; ++i) {  // in units of 1/to pixel everything is whole: part i is [i*from, (i+1)*from)
    for (size_t p = i * from / to; p * to < (i + 1) * from; ++p) {
      const size_t overlap = std::min((p + 1) * to, (i + 1) * from) - std::max(p * to, i * from);
      parts[i].emplace_back(p, static_cast<float>(overlap) / static_cast<float>(from));
    }
  }
  return parts;
}

/// Scaled so that the longer side is the box, each new pixel the mean of the area it covers.
Field fit_box(const Field& in) {
  const size_t longer = std::max(in.width, in.height);
  const auto scaled = [&](size_t n) { return std::max(size_t{1}, (n * kBox + longer / 2) / longer); };
  Field out{scaled(in.width), scaled(in.height), {}};
  const auto columns = cover(in.width, out.width), rows = cover(in.height, out.height);
  for (const auto& row : rows) {
    for (const auto& column : columns) {
      float sum = 0;
      for (const auto& [y, wy] : row) {
        for (const auto& [x, wx] : column) sum += wy * wx * in.ink[y * in.width + x];
      }
      out.ink.push_back(sum);
    }
  }
  return out;
}

}  // namespace

std::array<uint8_t, kMnistSide * kMnistSide> to_mnist(const Image& image) {
  if (image.pixels.empty() || image.pixels.size() != image.width * image.height) {
    throw ValueError(fmt::format("to_mnist: an image of {} x {} pixels cannot hold {}", image.width, image.height, image.pixels.size()));
  }
  const Field digit = fit_box(crop(find_ink(image)));
  float mass = 0, mean_x = 0, mean_y = 0;
  for (size_t i = 0; i < digit.ink.size(); ++i) {
    mass += digit.ink[i];
    mean_x += digit.ink[i] * (static_cast<float>(i % digit.width) + 0.5f);
    mean_y += digit.ink[i] * (static_cast<float>(i / digit.width) + 0.5f);
  }
  // The shift that brings the centre of mass nearest to the centre of pixel 14 (where the authors' own files have it), as far as the
  // box stays inside.
  const auto shift = [](float mean, size_t size) {
    return static_cast<size_t>(std::clamp(std::lround(kMnistSide / 2 + 0.5f - mean), 0l, static_cast<long>(kMnistSide - size)));
  };
  const size_t left = shift(mean_x / mass, digit.width), top = shift(mean_y / mass, digit.height);
  std::array<uint8_t, kMnistSide * kMnistSide> out{};
  for (size_t i = 0; i < digit.ink.size(); ++i) {
    const size_t x = left + i % digit.width, y = top + i / digit.width;
    out[y * kMnistSide + x] = static_cast<uint8_t>(std::lround(std::min(digit.ink[i], 255.0f)));
  }
  return out;
}

}  // namespace tg::io
