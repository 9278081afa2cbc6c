// Sizes of plain arrays, checked, and the few things every file format does to their bytes.
#include "io/array.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "tg/error.hpp"

namespace tg::io {

std::optional<size_t> byte_count(DType dtype, std::span<const int64_t> shape) {
  int64_t bytes = static_cast<int64_t>(size_of(dtype));
  bool empty = false;
  for (int64_t n : shape) {
    if (n < 0) return std::nullopt;
    if (n == 0) empty = true;
    else if (__builtin_mul_overflow(bytes, n, &bytes)) return std::nullopt;
  }
  return empty ? 0 : static_cast<size_t>(bytes);
}

std::string shape_text(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::string with_commas(uint64_t n) {
  std::string text = std::to_string(n);
  for (size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, 1, ',');
  return text;
}

void check_bools(std::span<const std::byte> data, const std::string& where) {
  const auto bad = std::find_if(data.begin(), data.end(), [](std::byte b) { return b > std::byte{1}; });
  if (bad == data.end()) return;
  throw IoError(fmt::format("{}: bool element {} is {}, expected 0 or 1", where, bad - data.begin(), std::to_integer<int>(*bad)));
}

void swap_bytes(std::span<std::byte> data, size_t size) {
  if (size < 2) return;
  for (size_t at = 0; at + size <= data.size(); at += size) std::ranges::reverse(data.subspan(at, size));
}

}  // namespace tg::io
