// See tunings.hpp.
#include "engine/tunings.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "base/env.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

// A file may come from a stranger: what no file of ours reaches is refused before it costs anything.
constexpr size_t kMostBytes = 16 << 20, kMostLine = 16 << 10, kMostVerbs = 64;
constexpr std::string_view kTarget = "target ";

std::string_view strip(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r')) s.remove_suffix(1);
  return s;
}
bool is_name(std::string_view s) {
  return !s.empty() && s.size() <= 128 && s.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == s.npos;
}
std::optional<Hash128> hash_from(std::string_view digits) {
  if (digits.size() != 32) return {};
  Hash128 h;
  for (size_t i = 0; i < 32; ++i) {
    const size_t digit = std::string_view("0123456789abcdef").find(digits[i]);
    if (digit == std::string_view::npos) return {};
    uint64_t& half = i < 16 ? h.high : h.low;
    half = half << 4 | digit;
  }
  return h;
}

}  // namespace

std::vector<Tuning> parse_tunings(std::string_view text, const std::string& file) {
  std::vector<Tuning> out;
  std::string target;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = strip(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string from = fmt::format("{}:{}", file, number);
    const auto refuse = [&](std::string_view why) { throw ValueError(fmt::format("{}: {}", from, why)); };
    if (line.size() > kMostLine) refuse(fmt::format("a line of {} bytes; at most {} are read", line.size(), kMostLine));
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with(kTarget)) {
      target = strip(line.substr(kTarget.size()));
      continue;
    }
    const size_t colon = line.find(':');
    const std::string_view head = strip(line.substr(0, std::min(colon, line.size())));
    if (line.starts_with("blocks ") || (colon != line.npos && head.find(" < ") != head.npos)) continue;  // what became of the loops
    const size_t space = std::min(head.find(' '), head.size());
    const std::string_view name = head.substr(0, space), digits = strip(head.substr(space));
    if (colon == line.npos || !is_name(name)) refuse("expected NAME: VERBS, for example  r_64_64_64: tile(i1, 16, vector)");
    Tuning t{.target = target, .kernel = std::string(name), .hash = hash_from(digits), .from = from};
    if (!digits.empty() && !t.hash) refuse("what stands between a kernel's name and the colon is its hash of 32 digits");
    try {
      t.verbs = parse_verbs(std::string(line.substr(colon + 1)));
    } catch (const ValueError& e) { refuse(e.what()); }
    if (t.verbs.size() > kMostVerbs) refuse(fmt::format("{} verbs; a kernel takes at most {}", t.verbs.size(), kMostVerbs));
    out.push_back(std::move(t));
  }
  return out;
}

std::string to_string(const Tuning& t) {
  return fmt::format("{}{}: {}", t.kernel, t.hash ? " " + hex(*t.hash) : std::string(), to_string(t.verbs));
}

std::vector<Tuning> read_tunings(const std::string& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) throw IoError(fmt::format("{}: cannot be read", file));
  const auto bytes = static_cast<int64_t>(in.tellg());
  if (bytes < 0 || bytes > static_cast<int64_t>(kMostBytes))
    throw IoError(fmt::format("{}: {} bytes; a file of verbs has at most {}", file, bytes, kMostBytes));
  std::string text(static_cast<size_t>(bytes), '\0');
  in.seekg(0);
  if (!in.read(text.data(), bytes)) throw IoError(fmt::format("{}: cannot be read", file));
  return parse_tunings(text, file);
}

Tunings& Tunings::shared() {
  static Tunings& leaked = []() -> Tunings& {
    std::vector<Tuning> given;
    if (!settings().tuned.empty()) given = read_tunings(settings().tuned);
    auto& t = *new Tunings;
    t.all_ = std::move(given);
    return t;
  }();
  return leaked;
}

std::optional<Tuning> Tunings::find(const Kernel& k, const std::string& target) const {
  const std::lock_guard lock(mutex_);
  if (all_.empty()) return {};
  const Hash128 hash = k.hash();
  const std::string name = k.name();
  for (auto t = all_.rbegin(); t != all_.rend(); ++t)
    if ((t->target.empty() || t->target == target) && (t->hash ? *t->hash == hash : t->kernel == name)) return *t;
  return {};
}

void Tunings::add(Tuning t) {
  const std::lock_guard lock(mutex_);
  all_.push_back(std::move(t));
}

Generated generate(const Kernel& k, const Target& target, const Tuning& t) {
  try {
    return generate(k, target, t.verbs);
  } catch (const ValueError& e) {
    if (t.from.empty()) throw;
    throw ValueError(fmt::format("{}: {}: {}", t.from, k.name(), e.what()));
  }
}

}  // namespace tg
