// Reading of TG_* variables: a table of names, each with what it takes; everything else is refused.
#include "base/env.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

#include "tg/error.hpp"
#include "tg/settings.hpp"

namespace tg {
namespace {

using Variables = std::function<const char*(const char*)>;

[[noreturn]] void refuse(const char* name, std::string_view value, const std::string& takes) {
  throw ValueError(fmt::format("{} is \"{}\"; it takes {}", name, value, takes));
}

std::optional<int> parse_int(std::string_view text) {
  int value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

/// One of `allowed`, or nothing where the variable is not set or empty.
std::optional<int> choice(const Variables& variable, const char* name, const std::vector<int>& allowed) {
  const char* text = variable(name);
  if (!text || !*text) return {};
  const std::optional<int> value = parse_int(text);
  for (int a : allowed)
    if (value == a) return a;
  refuse(name, text, fmt::format("one of {}", fmt::join(allowed, ", ")));
}

std::optional<int> in_range(const Variables& variable, const char* name, int least, int most) {
  const char* text = variable(name);
  if (!text || !*text) return {};
  const std::optional<int> value = parse_int(text);
  if (!value || *value < least || *value > most) refuse(name, text, fmt::format("a whole number from {} to {}", least, most));
  return value;
}

std::string text_of(const Variables& variable, const char* name, std::string otherwise) {
  const char* text = variable(name);
  return text && *text ? text : std::move(otherwise);
}

}  // namespace

Settings read_settings(const Variables& variable) {
  const unsigned cores = std::thread::hardware_concurrency();  // counts what this process may run on
  const std::string xdg = text_of(variable, "XDG_CACHE_HOME", ""), home = text_of(variable, "HOME", "");
  const std::string cache_home = !xdg.empty() ? xdg : !home.empty() ? home + "/.cache" : "";

  Settings s;
  s.debug = choice(variable, "TG_DEBUG", {0, 1, 2, 3, 4, 5}).value_or(0);
  s.threads = in_range(variable, "TG_THREADS", 1, 1024).value_or(cores ? static_cast<int>(cores) : 1);
  s.eager = choice(variable, "TG_EAGER", {0, 1}).value_or(0);
  s.cache = choice(variable, "TG_CACHE", {0, 1}).value_or(1);
  s.cache_dir = text_of(variable, "TG_CACHE_DIR", cache_home.empty() ? "" : cache_home + "/tg");
  s.kernels = in_range(variable, "TG_KERNELS", 1, 100'000'000).value_or(s.kernels);
  s.device = text_of(variable, "TG_DEVICE", "cpu");
  s.data = text_of(variable, "TG_DATA", "");
  s.beam = in_range(variable, text_of(variable, "TG_BEAM", "").empty() ? "BEAM" : "TG_BEAM", 0, 64).value_or(0);
  s.beam_seconds = in_range(variable, "TG_BEAM_SECONDS", 1, 1'000'000).value_or(30);
  s.tuned = text_of(variable, "TG_TUNED", "");
  s.cpu_vector = choice(variable, "TG_CPU_VECTOR", {0, 16, 32, 64});
  return s;
}

namespace {
thread_local const Settings* innermost_settings = nullptr;

Settings changed(Settings s, const SettingsOptions& o) {
  if (o.device) s.device = *o.device;
  if (o.eager) s.eager = *o.eager;
  if (o.debug) s.debug = *o.debug;
  if (s.debug < 0 || s.debug > 5) throw ValueError(fmt::format("debug is {}; it takes 0 to 5", s.debug));
  return s;
}
}  // namespace

const Settings& settings() {
  static const Settings& s = *new Settings(read_settings([](const char* name) -> const char* { return std::getenv(name); }));
  return innermost_settings ? *innermost_settings : s;
}

WithSettings::WithSettings(const SettingsOptions& options)
    : before_(innermost_settings), here_(std::make_unique<const Settings>(changed(settings(), options))) {
  innermost_settings = here_.get();
}
WithSettings::~WithSettings() { innermost_settings = before_; }

}  // namespace tg
