#pragma once
// NumPy's .npy files. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
//   Array a = load_npy("x.npy");      // versions 1, 2 and 3, either byte order, C or Fortran order: always native and C order here
//   save_npy("y.npy", a.dtype, a.shape, a.data);
#include <filesystem>

#include "io/array.hpp"

namespace tg::io {

/// An array as it lies in a file's bytes.
struct NpyView {
  DType dtype = DType::void_;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;
  bool fortran_order = false, big_endian = false;
  /// Whether the bytes are an Array's already.
  [[nodiscard]] bool as_it_is() const { return !fortran_order && !big_endian; }
  [[nodiscard]] Array array() const;
};
/// Of the bytes of a file; `where` opens the messages. IoError as load_npy.
NpyView view_npy(std::span<const std::byte> file, const std::string& where);

/// The array of an .npy file. IoError where the file cannot be read, its header is not what the format says, its type is no plain number
/// or bool, or its data is not exactly as long as the shape needs.
Array load_npy(const std::filesystem::path& path);

/// The same from the bytes of a file; `where` opens the messages.
Array parse_npy(std::span<const std::byte> file, const std::string& where);

/// Writes version 1 (2 if the header is too long for it), C order, atomically. DTypeError for bfloat16, which NumPy lacks;
/// ValueError where the data does not fit the shape.
void save_npy(const std::filesystem::path& path, DType dtype, std::span<const int64_t> shape, std::span<const std::byte> data);

}  // namespace tg::io
