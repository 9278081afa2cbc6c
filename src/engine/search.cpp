// See search.hpp.
#include "engine/search.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/env.hpp"
#include "base/parallel.hpp"
#include "codegen/neighbours.hpp"
#include "engine/kernels.hpp"
#include "ir/symbolic.hpp"
#include "runtime/buffer.hpp"
#include "runtime/interpreter/host_array.hpp"
#include "schedule/batch.hpp"
#include "tg/error.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr double kWorthIt = 0.97;        // of the default's time: what is not faster by that much is noise
constexpr double kShortest = 50e-6;      // a measurement is repeated until it takes so long
constexpr size_t kMostInstructions = 20'000;
constexpr int kRounds = 5, kFinalRounds = 15;

double median(std::vector<double> v) {
  if (v.empty()) return 0;
  const auto middle = v.begin() + static_cast<ptrdiff_t>(v.size() / 2);
  std::nth_element(v.begin(), middle, v.end());
  return *middle;
}

struct Candidate {
  Verbs verbs = {};
  std::vector<PhaseInfo> phases = {};
  std::vector<Grid> grids = {};
  std::vector<size_t> temporary_bytes = {};
  std::string binary = {};
  std::shared_ptr<Program> program = {};
  std::vector<double> times = {};  // seconds a launch
  double time() const { return median(times); }
  double least() const { return *std::min_element(times.begin(), times.end()); }
};

/// Memory and arguments of one launch. Arrays are as long as they can become; floats are between 0.5 and 1.5 and integers 0, which as
/// indices are in bounds.
class Stand {
 public:
  Stand(const Plan& plan, const PlanLaunch& l, Device& d) : kernel(l.kernel), device(d) {
    for (const UOp& v : kernel.variables) {
      const int64_t most = v == element_count() ? l.elements.max() : is_float(v.dtype()) ? 0 : v.as<VariableArg>().max;
      scalars_.push_back(is_float(v.dtype()) ? std::bit_cast<int64_t>(1.0) : most);
      if (!is_float(v.dtype())) sizes_[v] = constant(v == element_count() ? DType::index : v.dtype(), most);
    }
    std::vector<std::pair<int, size_t>> known;  // a plan's buffer may be several arguments
    for (size_t i = 0; i < l.buffers.size(); ++i) {
      const auto same = std::find_if(known.begin(), known.end(), [&](const auto& k) { return k.first == l.buffers[i]; });
      const PlanBuffer& b = plan.buffers[static_cast<size_t>(l.buffers[i])];
      const auto bytes = static_cast<size_t>(b.elements.max()) * size_of(b.dtype);
      memory_.push_back(same == known.end() ? std::make_shared<Memory>(d, bytes) : memory_[same->second]);
      dtypes_.push_back(b.dtype);
      known.emplace_back(l.buffers[i], i);
    }
    fill();
  }

  Candidate build(const Generated& g) const {
    Candidate c{.verbs = g.verbs, .phases = phase_infos(g)};
    for (const LoweredPhase& p : g.phases) c.grids.push_back({{size(p.grid[0]), size(p.grid[1]), size(p.grid[2])}});
    for (const auto& [dtype, n] : g.temporaries) c.temporary_bytes.push_back(static_cast<size_t>(size(n)) * size_of(dtype));
    c.binary = device.compile(source(g, device.target()));
    return c;
  }
  void load(Candidate& c) {
    c.program = device.load(c.binary, c.phases);
    for (size_t i = 0; i < c.temporary_bytes.size(); ++i)
      if (i == between_.size()) between_.push_back(std::make_shared<Memory>(device, c.temporary_bytes[i]));
      else if (between_[i]->bytes < c.temporary_bytes[i]) between_[i] = std::make_shared<Memory>(device, c.temporary_bytes[i]);
  }

  /// Seconds of one launch, of as many as make a measurement.
  double run(const Candidate& c, int launches = 1) const {
    std::vector<MemoryRef> refs;
    for (const auto& m : memory_) refs.push_back({m->handle, 0, 0});
    for (size_t i = 0; i < c.temporary_bytes.size(); ++i) refs.push_back({between_[i]->handle, 0, 0});
    const auto start = Clock::now();
    for (int i = 0; i < launches; ++i) device.launch(*c.program, {refs, scalars_, c.grids});
    (void)device.synchronize();
    return Seconds(Clock::now() - start).count() / launches;
  }

  /// What differs between the results of two programs by more than rounding; empty if nothing does.
  std::string difference(const Candidate& a, const Candidate& b) {
    const auto results = [&](const Candidate& c) {
      fill();
      run(c);
      std::vector<HostArray> out;
      for (size_t i = 0; i < memory_.size(); ++i) {
        if (std::none_of(a.phases.begin(), a.phases.end(), [&](const PhaseInfo& p) { return p.written[i]; })) continue;
        HostArray& array =
            out.emplace_back(dtypes_[i], std::vector<int64_t>{static_cast<int64_t>(memory_[i]->bytes / size_of(dtypes_[i]))});
        device.copy_out(array.bytes.data(), {memory_[i]->handle, 0, 0}, array.bytes.size());
      }
      return out;
    };
    const std::vector<HostArray> x = results(a), y = results(b);
    for (size_t i = 0; i < x.size(); ++i) {
      if (x[i].bytes == y[i].bytes) continue;
      const double unit = size_of(x[i].dtype) == 8 ? 1e-10 : size_of(x[i].dtype) == 4 ? 1e-4 : 2e-2;
      const auto n = static_cast<size_t>(x[i].numel());
      double largest = 1;
      for (size_t e = 0; e < n; ++e) if (std::isfinite(x[i].number(e))) largest = std::max(largest, std::abs(x[i].number(e)));
      for (size_t e = 0; e < n; ++e) {
        const double p = x[i].number(e), q = y[i].number(e);
        if (p == q || (std::isnan(p) && std::isnan(q)) || (is_float(x[i].dtype) && std::abs(p - q) <= unit * largest)) continue;
        return fmt::format("element {} is {} by the default and {} by these verbs", e, p, q);
      }
    }
    return {};
  }

  /// A round of turns after another, each candidate once a round, until there are so many or the time is over.
  void measure(std::span<Candidate* const> all, int rounds, Clock::time_point deadline, double hopeless) const {
    std::vector<int> launches(all.size(), 1);
    for (int round = 0; round < rounds; ++round) {
      double best = 1e30;
      for (const Candidate* c : all) if (!c->times.empty()) best = std::min(best, c->least());
      for (size_t n = 0; n < all.size(); ++n) {
        const size_t i = (n + static_cast<size_t>(round)) % all.size();
        Candidate& c = *all[i];
        if (round > 0 && c.least() > hopeless * best) continue;
        if (round > 0 && Clock::now() > deadline) return;
        if (round == 0) {  // its pages and code are touched for the first time
          const double first = run(c);
          best = std::min(best, first);
          if (first > 4 * best) {
            c.times.push_back(first);
            continue;
          }
        }
        const double t = run(c, launches[i]);
        if (round == 0) launches[i] = static_cast<int>(std::clamp(kShortest / std::max(t, 1e-9), 1.0, 1000.0));
        c.times.push_back(t);
      }
    }
  }

  const Kernel& kernel;
  Device& device;

 private:
  int64_t size(const Dim& d) const { return d.known() ? d.value() : Dim(simplify(substitute(d.expr(), sizes_))).value(); }
  void fill() const {
    for (size_t i = 0; i < memory_.size(); ++i) {
      std::vector<std::byte> bytes(memory_[i]->bytes);
      if (is_float(dtypes_[i])) {
        HostArray some(dtypes_[i], {4093});
        for (size_t e = 0; e < 4093; ++e) some.set(e, round_to(dtypes_[i], {0, 0.5 + static_cast<double>(e * 2477 % 4093) / 4093}));
        for (size_t at = 0; at < bytes.size(); at += some.bytes.size())
          std::copy_n(some.bytes.begin(), std::min(some.bytes.size(), bytes.size() - at), bytes.begin() + static_cast<ptrdiff_t>(at));
      }
      device.copy_in({memory_[i]->handle, 0, 0}, bytes.data(), bytes.size());
    }
  }

  std::vector<int64_t> scalars_;
  Substitution sizes_;
  std::vector<std::shared_ptr<Memory>> memory_, between_;
  std::vector<DType> dtypes_;
};

// In turns, so that what slows the machine down slows both; the ratio is the median of the turns' ratios.
double race(Stand& stand, Candidate& default_one, Candidate& other) {
  default_one.times.clear();
  other.times.clear();
  Candidate* const both[] = {&default_one, &other};
  stand.measure(both, kFinalRounds, Clock::time_point::max(), 1e30);
  std::vector<double> ratios;
  for (size_t i = 1; i < other.times.size(); ++i) ratios.push_back(other.times[i] / default_one.times[i]);
  return median(ratios);
}

class Search {
 public:
  Search(const Plan& plan, const PlanLaunch& l, Device& d, const SearchOptions& o) : stand_(plan, l, d), options_(o) {}

  SearchResult operator()() {
    const Generated g = generate(stand_.kernel, stand_.device.target());
    collapsed_ = g.kernel;
    Candidate start = stand_.build(g);
    stand_.load(start);
    Candidate* const alone[] = {&start};
    stand_.measure(alone, 2, Clock::time_point::max(), 1e30);
    seen_.insert(to_string(start.verbs));
    binaries_.insert(start.binary);
    const auto reserve = std::chrono::duration_cast<Clock::duration>(Seconds(2.5 * kFinalRounds * start.least()));
    deadline_ = options_.deadline - reserve;  // for measuring again at the end

    std::vector<Candidate> beam{start};
    bool better = true;
    while (better && Clock::now() < deadline_) better = advance(beam);
    SearchResult out{.verbs = start.verbs, .default_verbs = start.verbs, .tried = static_cast<int>(binaries_.size()), .finished = !better};
    out.seconds = out.default_seconds = start.time();
    for (Candidate& best : beam) {
      if (best.verbs == start.verbs) break;
      const double ratio = race(stand_, start, best);
      out.seconds = out.default_seconds = start.time();
      if (ratio > kWorthIt) break;
      if (!stand_.difference(start, best).empty()) continue;
      out.verbs = best.verbs;
      out.seconds = ratio * start.time();  // what else runs sways a median, and not the ratios of pairs
      break;
    }
    return out;
  }

 private:
  // From the beam to the best of it and its neighbours, best first. False where that brought nothing.
  bool advance(std::vector<Candidate>& beam) {
    std::vector<Verbs> next;
    for (const Candidate& c : beam)
      for (Verbs& v : neighbours(collapsed_, stand_.device.target(), c.verbs))
        if (seen_.insert(to_string(v)).second) next.push_back(std::move(v));
    const Verbs before = beam[0].verbs;
    const double time_before = beam[0].time();
    const size_t chunk = 8 * static_cast<size_t>(settings().threads);
    for (size_t at = 0; at < next.size() && Clock::now() < deadline_; at += chunk) {
      std::vector<Candidate> built = compile(std::span(next).subspan(at, std::min(chunk, next.size() - at)));
      if (built.empty()) continue;
      std::vector<Candidate*> turns;
      for (Candidate& c : beam) c.times.clear();
      for (Candidate& c : beam) turns.push_back(&c);
      for (Candidate& c : built) {
        stand_.load(c);
        turns.push_back(&c);
      }
      stand_.measure(turns, kRounds, deadline_, 1.2);
      std::move(built.begin(), built.end(), std::back_inserter(beam));
      std::sort(beam.begin(), beam.end(), [](const Candidate& a, const Candidate& b) { return a.time() < b.time(); });
      beam.resize(std::min(beam.size(), static_cast<size_t>(options_.beam)));
    }
    return !(beam[0].verbs == before) && beam[0].time() < 0.99 * time_before;
  }

  // Those that can be lowered and are not yet known under another name, on all cores.
  std::vector<Candidate> compile(std::span<const Verbs> all) {
    std::vector<std::optional<Candidate>> built(all.size());
    on_threads(static_cast<size_t>(settings().threads), all.size(), [&](size_t i) {
      if (Clock::now() >= deadline_) return;
      try {
        const Generated g = generate(stand_.kernel, stand_.device.target(), all[i]);
        size_t instructions = 0;
        for (const LoweredPhase& p : g.phases) instructions += p.phase.insts.size();
        if (instructions <= kMostInstructions) built[i] = stand_.build(g);
      } catch (const ValueError&) {  // verbs that fit the loops and not the target, or not each other
      } catch (const DeviceError&) {
      }
    });
    std::vector<Candidate> out;
    for (auto& c : built) if (c && binaries_.insert(c->binary).second) out.push_back(std::move(*c));
    return out;
  }

  Stand stand_;
  const SearchOptions options_;
  Kernel collapsed_;
  Clock::time_point deadline_;
  std::set<std::string> seen_, binaries_;
};

}  // namespace

SearchResult search(const Plan& plan, const PlanLaunch& l, Device& d, const SearchOptions& options) {
  return Search(plan, l, d, options)();
}

SearchResult race(const Plan& plan, const PlanLaunch& l, Device& d, const Generated& candidate) {
  Stand stand(plan, l, d);
  Candidate usual = stand.build(generate(l.kernel, d.target())), other = stand.build(candidate);
  stand.load(usual);
  stand.load(other);
  if (const std::string why = stand.difference(usual, other); !why.empty()) throw ValueError(why);
  const double ratio = race(stand, usual, other);
  return {other.verbs, usual.verbs, ratio * usual.time(), usual.time(), 2, true};
}

}  // namespace tg
