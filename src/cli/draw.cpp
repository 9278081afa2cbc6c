// Pixels to characters. A character cell is about twice as high as wide, so one line shows two rows of pixels.
#include "cli/draw.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tg/error.hpp"

namespace tg::cli {
namespace {

constexpr std::string_view kShades = " .:-=+*#%@";  // light ink on dark: more is brighter
constexpr std::string_view kReset = "\x1b[0m", kBold = "\x1b[1m";

/// The gray of the 256-colour palette nearest to a pixel: 16 is black, 232 to 255 a ramp from 8 to 238, 231 white.
int palette_gray(unsigned pixel) {
  if (pixel < 4) return 16;
  if (pixel > 246) return 231;
  return 232 + static_cast<int>(std::min((pixel - 3) / 10, 23u));
}

std::string cell(unsigned top, unsigned bottom, const Terminal& terminal) {
  if (!terminal.utf8) return std::string(1, kShades[(top + bottom) * kShades.size() / 511]);
  if (terminal.colour) return fmt::format("\x1b[38;5;{};48;5;{}m▀", palette_gray(top), palette_gray(bottom));
  const bool upper = top > 127, lower = bottom > 127;
  return upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ";
}

/// `part` (0 to 1) of `columns`, in eighths of a column where the terminal has the characters.
std::string bar(double part, size_t columns, bool utf8) {
  static constexpr std::string_view kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const size_t eighths = static_cast<size_t>(std::lround(part * static_cast<double>(8 * columns)));
  const size_t full = utf8 ? eighths / 8 : (eighths + 4) / 8, rest = utf8 ? eighths % 8 : 0;
  std::string text;
  for (size_t i = 0; i < full; ++i) text += utf8 ? "█" : "#";
  text += kEighths[rest];
  return text + std::string(columns - full - (rest > 0), ' ');
}

}  // namespace

Block draw_digit(std::span<const uint8_t> pixels, const Terminal& terminal, const std::string& caption, size_t side) {
  if (pixels.size() != side * side) {
    throw ValueError(fmt::format("draw_digit: expected {} x {} pixels, found {}", side, side, pixels.size()));
  }
  Block block{{}, side};
  for (size_t y = 0; y < side; y += 2) {
    std::string line;
    for (size_t x = 0; x < side; ++x) line += cell(pixels[y * side + x], y + 1 < side ? pixels[(y + 1) * side + x] : 0, terminal);
    block.lines.push_back(terminal.utf8 && terminal.colour ? line + std::string(kReset) : line);
  }
  if (!caption.empty()) block.lines.push_back(fmt::format("{:^{}}", caption.substr(0, side), side));
  return block;
}

Block draw_probabilities(std::span<const float> probabilities, const Terminal& terminal, size_t columns) {
  const size_t digits = std::to_string(std::max(probabilities.size(), size_t{1}) - 1).size();
  Block block{{}, digits + columns + 11};
  const auto best = std::ranges::max_element(probabilities);
  for (auto p = probabilities.begin(); p != probabilities.end(); ++p) {
    const double part = std::isfinite(*p) ? std::clamp(static_cast<double>(*p), 0.0, 1.0) : 0.0;
    const std::string line = fmt::format("{:{}} {} {:6.2f}% {}", p - probabilities.begin(), digits, bar(part, columns, terminal.utf8),
                                         100.0 * *p, p != best ? ' ' : '<');
    block.lines.push_back(p == best && terminal.colour ? fmt::format("{}{}{}", kBold, line, kReset) : line);
  }
  return block;
}

std::string beside(const std::vector<Block>& blocks, const Terminal& terminal, size_t gap) {
  std::string text;
  for (size_t first = 0; first < blocks.size();) {
    size_t last = first, width = 0, height = 0;  // blocks [first, last) make a row; one always does
    while (last < blocks.size() && (last == first || width + gap + blocks[last].width <= terminal.width)) {
      width += blocks[last].width + (last == first ? 0 : gap);
      height = std::max(height, blocks[last++].lines.size());
    }
    for (size_t y = 0; y < height; ++y) {
      std::string line;
      for (size_t i = first; i < last; ++i) {
        if (i > first) line += std::string(gap, ' ');
        line += y < blocks[i].lines.size() ? blocks[i].lines[y] : std::string(blocks[i].width, ' ');
      }
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + '\n';
    }
    first = last;
    if (first < blocks.size()) text += '\n';
  }
  return text;
}

}  // namespace tg::cli
