#pragma once
// Digits and probabilities drawn with characters: half blocks in grays where the terminal can, ASCII where it cannot.
//
//   Block digit = draw_digit(pixels, terminal, "label 7");                 // 28 x 14 characters and a caption
//   Block chart = draw_probabilities(p, terminal);                         // one bar a class
//   std::cout << beside({digit, chart}, terminal);                         // side by side, as many in a row as fit
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cli/terminal.hpp"

namespace tg::cli {

/// Lines of characters, each `width` columns wide (colour codes take none).
struct Block {
  std::vector<std::string> lines;
  size_t width = 0;
};

/// A gray picture of `side` x `side` pixels, 0 to 255, light on dark, two pixel rows a line; the caption stands centred below.
/// ValueError where the pixels are not side * side.
Block draw_digit(std::span<const uint8_t> pixels, const Terminal& terminal, const std::string& caption = "", size_t side = 28);

/// A bar of up to `columns` for each probability (0 to 1), numbered from 0, the greatest marked.
Block draw_probabilities(std::span<const float> probabilities, const Terminal& terminal, size_t columns = 24);

/// The blocks from left to right with a gap between, tops aligned, in as many rows as the terminal's width asks for.
std::string beside(const std::vector<Block>& blocks, const Terminal& terminal, size_t gap = 2);

}  // namespace tg::cli
