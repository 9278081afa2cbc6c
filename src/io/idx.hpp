#pragma once
// The idx format of the MNIST files, raw or gzipped.
//
//   Array images = load_idx("data/mnist/t10k-images-idx3-ubyte.gz");   // uint8 [10000, 28, 28]
//
// Two zero bytes, a type code (8 uint8, 9 int8, 11 int16, 12 int32, 13 float32, 14 float64), the number of axes, one big-endian
// uint32 a size, then the elements, big-endian, in C order: http://yann.lecun.com/exdb/mnist, "The IDX file format".
#include <filesystem>

#include "io/array.hpp"

namespace tg::io {

/// The array of an idx file. IoError where the file cannot be read, is no idx, holds more or fewer bytes than its sizes say, or more
/// than `limit` bytes of elements.
Array load_idx(const std::filesystem::path& path, size_t limit = size_t{1} << 32);

/// The same from the bytes of a file; `where` opens the messages.
Array parse_idx(std::span<const std::byte> file, const std::string& where, size_t limit = size_t{1} << 32);

}  // namespace tg::io
