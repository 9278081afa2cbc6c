// Numbers as text and back; what a file says is checked before it is believed.
#include "cli/record.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>

#include "io/safetensors.hpp"

namespace tg::cli {
namespace {

constexpr const char* kKind = "mnist training, version 1";

template <class Number>
bool parse(std::string_view text, Number& n) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc() && end == text.data() + text.size();
}
std::vector<std::string_view> parts(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    out.push_back(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return out;
}

}  // namespace

nn::Metadata to_metadata(const TrainRecord& r) {
  std::string accuracy;
  for (const auto& [step, value] : r.accuracy) accuracy += fmt::format("{}{},{}", accuracy.empty() ? "" : ",", step, value);
  return {{"kind", kKind},
          {"optimizer", r.optimizer},
          {"batch", std::to_string(r.batch)},
          {"epochs", std::to_string(r.epochs)},
          {"steps", std::to_string(r.steps)},
          {"lr", fmt::format("{}", r.lr)},
          {"seed", std::to_string(r.seed)},
          {"step", std::to_string(r.step)},
          {"loss", fmt::format("{}", fmt::join(r.loss, ","))},
          {"accuracy", accuracy}};
}

TrainRecord from_metadata(const nn::Metadata& metadata, const std::string& file) {
  const auto text = [&](const std::string& key) -> const std::string& {
    const auto at = metadata.find(key);
    if (at == metadata.end()) throw IoError(fmt::format("{}: not a checkpoint of tg train mnist: its metadata has no \"{}\"", file, key));
    return at->second;
  };
  const auto bad = [&](const std::string& key) -> IoError {
    return IoError(fmt::format("{}: its \"{}\" is not valid: \"{:.60}\"", file, key, text(key)));
  };
  const auto number = [&](const std::string& key, auto& n, auto least) {
    if (!parse(text(key), n) || !(n >= least)) throw bad(key);
  };
  if (text("kind") != kKind) throw bad("kind");
  TrainRecord r;
  r.optimizer = text("optimizer");
  if (r.optimizer != "adam" && r.optimizer != "adamw" && r.optimizer != "sgd") throw bad("optimizer");
  number("batch", r.batch, 2);
  number("epochs", r.epochs, 0);
  number("steps", r.steps, 0);
  number("lr", r.lr, 0.0);
  number("seed", r.seed, 0);
  number("step", r.step, 0);
  for (const std::string_view part : parts(text("loss")))
    if (!parse(part, r.loss.emplace_back())) throw bad("loss");
  if (static_cast<int64_t>(r.loss.size()) != r.step) throw bad("loss");
  const std::vector<std::string_view> points = parts(text("accuracy"));
  if (points.size() % 2 != 0) throw bad("accuracy");
  for (size_t i = 0; i < points.size(); i += 2) {
    auto& [step, value] = r.accuracy.emplace_back();
    if (!parse(points[i], step) || !parse(points[i + 1], value)) throw bad("accuracy");
  }
  return r;
}

nn::Metadata read_metadata(const std::string& file) { return io::SafeTensors(file).metadata(); }

}  // namespace tg::cli
