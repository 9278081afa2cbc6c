// See tuner.hpp and tg/tune.hpp: whose turn it is, the share of time that each kernel gets, and what is kept.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <new>

#include <fmt/format.h>
#include <unistd.h>

#include "base/build_id.hpp"
#include "base/env.hpp"
#include "base/fork.hpp"
#include "base/log.hpp"
#include "engine/realize.hpp"
#include "engine/search.hpp"
#include "engine/tuner.hpp"
#include "runtime/cache.hpp"
#include "runtime/registry.hpp"
#include "schedule/work.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kLeastSeconds = 0.2;  // of search that is worth beginning
constexpr int kMostBeam = 64;
thread_local Tuner* of_thread = nullptr;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Hash128 key_of(const Kernel& k, const Target& t) {
  return mix(mix(hash_of(std::string_view("verbs found")), k.hash()), mix(hash_of(t.name), hash_of(build_id())));
}
// "12.5 14.1 tile(i0, 16, vector)": microseconds, the default's, verbs.
std::optional<TunedKernel> from_disk(Hash128 key) {
  const std::optional<std::string> text = CompileCache::shared().get(key);
  if (!text) return {};
  TunedKernel k;
  const char *at = text->data(), *const end = at + text->size();
  for (double* to : {&k.microseconds, &k.default_microseconds}) {
    const auto [next, problem] = std::from_chars(at, end, *to);
    if (problem != std::errc() || next == end) return {};
    at = next + 1;
  }
  k.verbs.assign(at, end);
  return k;
}

/// The work of a launch in the rough: what the shares of time are in proportion to.
double weight(const Plan& plan, const PlanLaunch& l) {
  const Work w = work_of(plan, l);
  return w.operations / 100e9 + w.bytes() / 20e9 + 1e-6;
}

/// Replaces the file in one step; or, without `replace`, only finds out whether it could.
void write_text(const std::string& file, const std::string& text, bool replace = true) {
  const std::string temporary = fmt::format("{}.{}.tmp", file, getpid());
  std::ofstream out(temporary, std::ios::binary);
  out << text;
  out.close();
  std::error_code problem, ignored;
  if (out && replace) std::filesystem::rename(temporary, file, problem);
  if (!out || !replace || problem) std::filesystem::remove(temporary, ignored);
  if (!out || problem) throw IoError(fmt::format("{}: cannot be written", file));
}

}  // namespace

Tuner* Tuner::current() {
  if (of_thread) return of_thread;
  if (settings().beam == 0) return nullptr;
  static Tuner& leaked = *new Tuner(settings().beam, settings().beam_seconds);
  return &leaked;
}

Tuner::Scope::Scope(Tuner& t) : outer_(std::exchange(of_thread, &t)) { t.again_ = true; }
Tuner::Scope::~Scope() { of_thread = outer_; }

void Tuner::tune(const Plan& plan, Device& device) {
  struct OneAtATime {  // what else runs would be measured as well; held for long, by a thread that a child may not have
    std::mutex mutex;
    InChild renewed{[](void* held) { new (held) std::mutex; }, &mutex};
  };
  static auto& one_at_a_time = *new OneAtATime;
  const ForkMayCome meanwhile;
  const std::lock_guard lock(one_at_a_time.mutex);
  target_ = device.target().name;
  std::vector<const PlanLaunch*> launches;
  std::vector<double> weights;
  for (const PlanLaunch& l : plan.launches) {
    const Hash128 hash = l.kernel.hash();
    const auto same = std::find_if(launches.begin(), launches.end(), [&](const PlanLaunch* o) { return o->kernel.hash() == hash; });
    if (same != launches.end()) weights[static_cast<size_t>(same - launches.begin())] += weight(plan, l);
    else if (seen_.insert(hash).second) {
      launches.push_back(&l);
      weights.push_back(weight(plan, l));
    }
  }
  std::vector<size_t> order(launches.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return std::pair(-weights[a], a) < std::pair(-weights[b], b); });
  double rest = 0;
  for (double w : weights) rest += w;
  for (size_t i : order) {
    const auto start = Clock::now();
    if (does_ == Does::Replay) replay(plan, *launches[i], device);
    else if (does_ == Does::Ladder) climb(plan, *launches[i], device);
    else search_for(plan, *launches[i], device, std::max(kLeastSeconds, left_ * weights[i] / rest));
    rest -= weights[i];
    left_ -= seconds_since(start);
  }
}

void Tuner::search_for(const Plan& plan, const PlanLaunch& l, Device& device, double seconds) {
  TunedKernel k;
  const Hash128 key = key_of(l.kernel, device.target());
  const std::string usual = to_string(generate(l.kernel, device.target()).verbs);
  if (auto known = from_disk(key)) k = *known;
  else if (left_ > kLeastSeconds) {
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    const SearchResult best = search(plan, l, device, {.beam = beam_, .deadline = deadline});
    k.verbs = to_string(best.verbs);
    k.microseconds = 1e6 * best.seconds;
    k.default_microseconds = 1e6 * best.default_seconds;
    k.tried = best.tried;
    if (best.finished || k.verbs != usual)
      CompileCache::shared().put(key, fmt::format("{} {} {}", k.microseconds, k.default_microseconds, k.verbs));
  } else {
    k.verbs = usual;
  }
  k.name = l.kernel.name();
  k.hash = hex(l.kernel.hash());
  k.default_verbs = usual;
  if (k.verbs != usual) {
    Tuning t{.target = device.target().name, .kernel = k.name, .hash = l.kernel.hash(), .verbs = parse_verbs(k.verbs)};
    Tunings::shared().add(t);
    found.push_back(std::move(t));
  }
  if (logging(3))
    log(3,
        fmt::format("# {}: {:.1f} us, by default {:.1f} us, {} programs tried", k.name, k.microseconds, k.default_microseconds, k.tried));
  kernels.push_back(std::move(k));
}

void Tuner::replay(const Plan& plan, const PlanLaunch& l, Device& device) {
  for (const Tuning& t : replayed_) {
    const bool fits =
        (t.target.empty() || t.target == device.target().name) && (t.hash ? *t.hash == l.kernel.hash() : t.kernel == l.kernel.name());
    if (!fits) continue;
    used_.insert(t.from);
    const Generated g = generate(l.kernel, device.target(), t);
    try {
      race_with(plan, l, device, g);
    } catch (const ValueError& e) {
      throw ValueError(fmt::format("{}: {}: {}", t.from, l.kernel.name(), e.what()));
    }
    return;
  }
}

void Tuner::climb(const Plan& plan, const PlanLaunch& l, Device& device) {
  const Verbs all = generate(l.kernel, device.target()).verbs;
  for (size_t n = 0; n <= all.size(); ++n)
    race_with(plan, l, device, generate(l.kernel, device.target(), Verbs(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n))));
}

void Tuner::race_with(const Plan& plan, const PlanLaunch& l, Device& device, const Generated& g) {
  const SearchResult f = race(plan, l, device, g);
  kernels.push_back({l.kernel.name(), hex(l.kernel.hash()), to_string(f.verbs), to_string(f.default_verbs), 1e6 * f.seconds,
                     1e6 * f.default_seconds, 1});
}

void Tuner::check_all_used() const {
  for (const Tuning& t : replayed_) {
    if (used_.contains(t.from) || !(t.target.empty() || t.target == target_)) continue;
    throw ValueError(fmt::format("{}: the program has no kernel {}{}", t.from, t.kernel, t.hash ? " of that hash" : ""));
  }
}

// ---- what users call ----

std::vector<TunedKernel> tune(const std::function<void()>& program, const TuneOptions& options) {
  if (options.beam < 1 || options.beam > kMostBeam)
    throw ValueError(fmt::format("tune: a beam of {}; it takes 1 to {}", options.beam, kMostBeam));
  if (!(options.seconds > 0)) throw ValueError(fmt::format("tune: {} seconds; it takes a number above 0", options.seconds));
  if (!options.file.empty()) write_text(options.file, "", false);  // before time is spent
  Tuner tuner(options.beam, options.seconds);
  {
    const Tuner::Scope scope(tuner);
    program();
  }
  forget_plans();
  if (options.file.empty()) return std::move(tuner.kernels);
  std::string text = "# Verbs for kernels; see tg/tune.hpp.\n", target;
  for (const Tuning& t : tuner.found) {
    if (t.target != target) text += fmt::format("target {}\n", target = t.target);
    text += to_string(t) + "\n";
  }
  write_text(options.file, text);
  return std::move(tuner.kernels);
}

std::vector<TunedKernel> replay(const std::function<void()>& program, const std::string& file) {
  Tuner tuner(read_tunings(file));
  {
    const Tuner::Scope scope(tuner);
    program();
  }
  tuner.check_all_used();
  return std::move(tuner.kernels);
}

std::vector<TunedKernel> ladder(const std::function<void()>& program) {
  Tuner tuner = Tuner::of_ladders();
  {
    const Tuner::Scope scope(tuner);
    program();
  }
  return std::move(tuner.kernels);
}

void use_tuned(const std::string& file) {
  for (Tuning& t : read_tunings(file)) Tunings::shared().add(std::move(t));
  forget_plans();
}

}  // namespace tg
