#pragma once
// Tensors that are parts of files. The file is mapped into memory: nothing is read before a value is needed, and then by pages.
//
//   tg::Tensor table = tg::from_file("table.bin", tg::float32, {1000000, 64});
//   for (const auto& [name, t] : tg::load_tensors("model.safetensors").tensors) std::cout << name << t.at(0);
//
// A tensor keeps its file's content, also where another takes the file's name meanwhile; a file that is shortened in place must not be read
// past its new end. An assignment gives a tensor memory of its own. Copied at once instead is what does not begin at a multiple of 16
// bytes, or is for a device that does not use the host's memory.
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tg/tensor.hpp"

namespace tg {

/// The elements from byte `offset` on, in row-major order, little endian. ShapeError: a negative size; ValueError: a negative offset;
/// IoError: a file that cannot be read or ends before them, a bool that is neither 0 nor 1.
[[nodiscard]] Tensor from_file(const std::string& path, DType dtype, const Sizes& shape, int64_t offset = 0);

/// The array of an .npy file; read at once where it is in Fortran's order of elements or of the other order of bytes. IoError where it is
/// no such file, or its elements are no numbers.
[[nodiscard]] Tensor load_npy(const std::string& path);

/// What is in a safetensors file, the tensors in the order in which they lie there.
struct TensorFile {
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::map<std::string, std::string> metadata;
  /// The tensor of that name. ValueError where there is none, with those that there are.
  [[nodiscard]] const Tensor& at(std::string_view name) const;
};
/// IoError where it is no such file, or its header lies.
[[nodiscard]] TensorFile load_tensors(const std::string& path);
/// The same of a stream, all that is left of which is read.
[[nodiscard]] TensorFile load_tensors(std::istream& in);

}  // namespace tg
