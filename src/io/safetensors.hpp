#pragma once
// The safetensors format: named arrays behind a JSON header. https://github.com/huggingface/safetensors, "Format".
//
//   SafeTensors file("model.safetensors");
//   file.tensors()[0].name == "conv1.weight";  file.find("conv1.weight")->shape;  file.metadata().at("step") == "600"
//   save_safetensors("model.safetensors", {{"w", float32, {2, 3}, bytes}}, {{"step", "600"}});
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "io/array.hpp"
#include "io/file.hpp"

namespace tg::io {

/// One array of a file: a view of memory that someone else owns.
struct NamedView {
  std::string name;
  DType dtype = DType::void_;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;
};

using Metadata = std::map<std::string, std::string>;

/// An open file, mapped; the views point into it and live as long as it does. IoError where the file cannot be read or its header
/// is not what the format says: JSON with no name twice, known types, and offsets that cover the data exactly, in agreement with shapes.
class SafeTensors {
 public:
  explicit SafeTensors(const std::filesystem::path& path);
  /// In the order in which their data lies in the file.
  const std::vector<NamedView>& tensors() const { return tensors_; }
  /// The array of that name, or null.
  const NamedView* find(std::string_view name) const;
  const Metadata& metadata() const { return metadata_; }

 private:
  MappedFile file_;
  Metadata metadata_;
  std::vector<NamedView> tensors_;
};

/// The same checks on bytes in memory; `where` opens the messages.
std::vector<NamedView> parse_safetensors(std::span<const std::byte> file, Metadata& metadata, const std::string& where);

/// Writes the arrays atomically, larger element types first and otherwise in the order given, so that each starts aligned.
/// ValueError where a name is taken twice or reserved or a view's bytes do not fit its shape, DTypeError where the format lacks the type.
void save_safetensors(const std::filesystem::path& path, const std::vector<NamedView>& tensors, const Metadata& metadata = {});
/// The same bytes, in parts, to what writes them.
void write_safetensors(const std::function<void(std::span<const std::byte>)>& write, const std::vector<NamedView>& tensors,
                       const Metadata& metadata = {});

}  // namespace tg::io
