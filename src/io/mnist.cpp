// Finds and loads the four MNIST files, and checks that images and labels belong together.
#include "io/mnist.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "io/idx.hpp"
#include "io/image.hpp"
#include "tg/error.hpp"

namespace tg::io {
namespace {

namespace fs = std::filesystem;

/// The file under its name or, raw, without the .gz; empty where neither exists.
fs::path existing(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  for (const fs::path& path : {folder / (name + ".gz"), folder / name}) {
    if (fs::exists(path, ignored)) return path;
  }
  return {};
}

Array load(const fs::path& folder, const std::string& name) {
  const fs::path path = existing(folder, name);
  if (path.empty()) throw IoError(fmt::format("{}: no file {}.gz or {} in this folder", folder.string(), name, name));
  return load_idx(path, size_t{1} << 30);
}

MnistPart load_part(const fs::path& folder, const std::string& part) {
  const std::string where = fmt::format("{}: MNIST {}", folder.string(), part);
  MnistPart p{load(folder, part + "-images-idx3-ubyte"), load(folder, part + "-labels-idx1-ubyte")};
  const int64_t side = kMnistSide;
  if (p.images.dtype != uint8 || p.images.shape.size() != 3 || p.images.shape[1] != side || p.images.shape[2] != side) {
    throw IoError(
        fmt::format("{} images are {} {}, expected uint8 [n, 28, 28]", where, name_of(p.images.dtype), shape_text(p.images.shape)));
  }
  if (p.labels.dtype != uint8 || p.labels.shape.size() != 1) {
    throw IoError(fmt::format("{} labels are {} {}, expected uint8 [n]", where, name_of(p.labels.dtype), shape_text(p.labels.shape)));
  }
  if (p.images.shape[0] != p.labels.shape[0]) {
    throw IoError(fmt::format("{} has {} images but {} labels", where, p.images.shape[0], p.labels.shape[0]));
  }
  const auto bad = std::ranges::find_if(p.labels.data, [](std::byte b) { return b > std::byte{9}; });
  if (bad != p.labels.data.end()) {
    throw IoError(fmt::format("{} label {} is {}, expected 0 to 9", where, bad - p.labels.data.begin(), std::to_integer<int>(*bad)));
  }
  return p;
}

}  // namespace

fs::path find_mnist(const fs::path& given, const std::string& data) {
  if (!given.empty()) return given;  // a wrong path of the user's own is reported by name when it is loaded
  std::vector<fs::path> places;
  if (!data.empty()) {
    places = {fs::path(data) / "mnist", data};
  } else {
    std::error_code ignored;
    const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
    for (fs::path at = program.parent_path(); at.has_relative_path(); at = at.parent_path()) places.push_back(at / "data/mnist");
#ifdef TG_SOURCE_DIR
    places.push_back(fs::path(TG_SOURCE_DIR) / "data/mnist");
#endif
  }
  for (const fs::path& place : places) {
    if (!existing(place, "t10k-images-idx3-ubyte").empty()) return place;
  }
  std::string looked;
  for (const fs::path& place : places) looked += fmt::format("\n  {}", place.string());
  throw IoError(fmt::format("the MNIST files were not found; set TG_DATA to the folder above mnist/. Looked in:{}", looked));
}

Mnist load_mnist(const fs::path& folder) { return {load_part(folder, "train"), load_part(folder, "t10k")}; }

}  // namespace tg::io
