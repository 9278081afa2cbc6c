// A model's tensors to a safetensors file and back; everything is checked before anything is changed.
//
//   load("net.safetensors", net.state())      IoError: net.safetensors: does not fit the model: missing out.bias; w is float32 (2, 3), not
//   ...
#include <fmt/format.h>

#include <ostream>
#include <set>

#include "io/safetensors.hpp"
#include "tensor/impl.hpp"
#include "tg/nn.hpp"

namespace tg::nn {

namespace {
/// Calls f with views of the tensors' values.
template <class F>
void with_views(const State& state, const F& f) {
  std::vector<Tensor> tensors;
  for (const auto& entry : state) tensors.push_back(entry.second);
  realize(tensors);
  std::vector<std::vector<std::byte>> bytes;
  std::vector<io::NamedView> views;
  for (const auto& [name, t] : state) {
    bytes.emplace_back(static_cast<size_t>(t.numel()) * size_of(t.dtype()));
    t.copy_out(bytes.back().data(), t.dtype());
    views.push_back({name, t.dtype(), t.shape(), bytes.back()});
  }
  f(views);
}
}  // namespace

void save(const std::string& path, const State& state, const Metadata& metadata) {
  with_views(state, [&](const auto& views) { io::save_safetensors(path, views, metadata); });
}
void save(std::ostream& out, const State& state, const Metadata& metadata) {
  const auto write = [&](std::span<const std::byte> part) {
    if (!out.write(reinterpret_cast<const char*>(part.data()), static_cast<std::streamsize>(part.size())))
      throw IoError("save: the stream takes no more");
  };
  with_views(state, [&](const auto& views) { io::write_safetensors(write, views, metadata); });
}

Metadata load(const std::string& path, const State& state, const LoadOptions& options) {
  const io::SafeTensors file(path);
  std::string problems;
  int count = 0;
  const auto problem = [&](const std::string& text) {
    constexpr int shown = 8;
    if (++count <= shown) problems += "\n  " + text;
  };
  std::set<std::string_view> wanted;
  for (const auto& [name, t] : state) {
    wanted.insert(name);
    const io::NamedView* v = file.find(name);
    if (!v) problem(fmt::format("{} is missing", name));
    else if (v->dtype != t.dtype() || v->shape != t.shape())
      problem(fmt::format("{} is {} {}, the model's {} {}", name, name_of(v->dtype), to_string(v->shape), name_of(t.dtype()),
                          to_string(t.shape())));
  }
  for (const io::NamedView& v : file.tensors())
    if (!wanted.contains(v.name) && (options.ignore.empty() || !v.name.starts_with(options.ignore)))
      problem(fmt::format("{} is not in the model", v.name));
  if (count > 0)
    throw IoError(fmt::format("{}: does not fit the model, which is unchanged; {} of its tensors differ:{}{}", path, count, problems,
                              count > 8 ? fmt::format("\n  and {} more", count - 8) : ""));
  std::vector<Tensor> values, targets;  // all memory is there before the first tensor changes
  for (const auto& [name, t] : state) {
    const io::NamedView& v = *file.find(name);
    values.push_back(Tensor::from_memory(v.data.data(), t.numel(), v.dtype, v.shape, {.device = t.device()}));
  }
  for (size_t i = 0; i < state.size(); ++i) targets.push_back(Tensor(state[i].second).assign(values[i]));
  realize(targets);
  return file.metadata();
}

}  // namespace tg::nn
