// See tg/mapped.hpp: parts of mapped files as memory that tensors borrow, each holding on to the mapping.
#include "tg/mapped.hpp"

#include <fmt/format.h>

#include <istream>
#include <iterator>

#include "io/npy.hpp"
#include "io/safetensors.hpp"
#include "tensor/impl.hpp"
#include "tg/memory.hpp"

namespace tg {

Tensor from_file(const std::string& path, DType dtype, const Sizes& shape, int64_t offset) {
  check_sizes(shape, "from_file");
  if (offset < 0) throw ValueError(fmt::format("from_file: an offset of {}; it counts bytes from the beginning", offset));
  const auto file = std::make_shared<io::MappedFile>(path);
  const size_t have = file->bytes().size(), from = static_cast<size_t>(offset);
  const size_t bytes = static_cast<size_t>(product(shape)) * size_of(dtype);
  if (from > have || bytes > have - from)
    throw IoError(fmt::format("{}: {} {} from byte {} on needs {} bytes, and the file has {} in all", path, name_of(dtype),
                              to_string(shape), io::with_commas(from), io::with_commas(bytes), io::with_commas(have)));
  const auto part = file->bytes().subspan(from, bytes);
  if (dtype == DType::bool_) io::check_bools(part, path);
  return borrow({file, part.data()}, dtype, shape);
}

Tensor load_npy(const std::string& path) {
  const auto file = std::make_shared<io::MappedFile>(path);
  const io::NpyView view = io::view_npy(file->bytes(), path);
  if (view.as_it_is()) return borrow({file, view.data.data()}, view.dtype, view.shape);
  const auto array = std::make_shared<io::Array>(view.array());
  return borrow({array, array->data.data()}, array->dtype, array->shape);
}

const Tensor& TensorFile::at(std::string_view name) const {
  std::string known;
  for (const auto& [n, tensor] : tensors) {
    if (n == name) return tensor;
    known += (known.empty() ? "" : ", ") + n;
  }
  throw ValueError(fmt::format("no tensor \"{}\" in the file; there are: {}", name, known.empty() ? "none" : known));
}

TensorFile load_tensors(const std::string& path) {
  const auto file = std::make_shared<io::SafeTensors>(path);
  TensorFile out{{}, file->metadata()};
  for (const io::NamedView& t : file->tensors()) out.tensors.emplace_back(t.name, borrow({file, t.data.data()}, t.dtype, t.shape));
  return out;
}
TensorFile load_tensors(std::istream& in) {
  const auto bytes = std::make_shared<const std::string>(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  TensorFile out;
  for (const io::NamedView& t : io::parse_safetensors(std::as_bytes(std::span(*bytes)), out.metadata, "the stream"))
    out.tensors.emplace_back(t.name, borrow({bytes, t.data.data()}, t.dtype, t.shape));
  return out;
}

}  // namespace tg
