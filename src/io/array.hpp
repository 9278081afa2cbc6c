#pragma once
// A tensor's worth of plain data, as files hold it: element type, shape, and the elements in C order, little endian.
//
//   Array a{tg::float32, {2, 3}, std::vector<std::byte>(24)};
//   byte_count(a.dtype, a.shape) == 24;  a.at<float>(5) == 0.0f
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tg/dtype.hpp"

namespace tg::io {

static_assert(std::endian::native == std::endian::little, "files are little endian and read as they are");

struct Array {
  DType dtype = DType::void_;
  std::vector<int64_t> shape;
  std::vector<std::byte> data;

  /// Element i in C order, read as T; the caller vouches for the type and the index.
  template <class T>
  T at(size_t i) const {
    T value;
    std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
    return value;
  }
};

/// Bytes that `shape` of `dtype` takes, or nothing where a size is negative or the product leaves int64 (zero sizes left out of it).
std::optional<size_t> byte_count(DType dtype, std::span<const int64_t> shape);

/// "[3, 28, 28]", for messages.
std::string shape_text(std::span<const int64_t> shape);

/// "60,000", for messages and the terminal.
std::string with_commas(uint64_t n);

/// Throws IoError unless every byte is 0 or 1, since any other value in a bool is undefined behaviour. `where` opens the message.
void check_bools(std::span<const std::byte> data, const std::string& where);

/// Reverses the bytes of every element of `size` bytes, in place.
void swap_bytes(std::span<std::byte> data, size_t size);

}  // namespace tg::io
