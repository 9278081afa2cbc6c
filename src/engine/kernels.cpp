// See kernels.hpp.
#include "engine/kernels.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "base/build_id.hpp"
#include "base/env.hpp"
#include "base/fork.hpp"
#include "base/log.hpp"
#include "base/parallel.hpp"
#include "engine/tunings.hpp"
#include "render/renderers.hpp"
#include "runtime/cache.hpp"
#include "runtime/registry.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

constexpr std::string_view kVersion = "tg 0.1.0";

// What is kept on disk of a kernel: its phases and its binary.
struct Stored {
  std::vector<PhaseInfo> phases;
  std::vector<std::array<int64_t, 3>> grids;
  std::vector<int64_t> temporary_bytes;
  std::string binary;
};

class Writer {
 public:
  void number(int64_t v) { out_.append(reinterpret_cast<const char*>(&v), sizeof v); }
  void text(std::string_view s) { number(static_cast<int64_t>(s.size())); out_.append(s); }
  std::string take() { return std::move(out_); }
 private:
  std::string out_;
};
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  int64_t number() {
    int64_t v = 0;
    if (in_.size() < sizeof v) { good = false; return 0; }
    std::memcpy(&v, in_.data(), sizeof v);
    in_.remove_prefix(sizeof v);
    return v;
  }
  int64_t count() { const int64_t n = number(); good &= n >= 0 && n <= static_cast<int64_t>(in_.size()); return good ? n : 0; }
  std::string text() { const auto n = static_cast<size_t>(count()); std::string s(in_.substr(0, n)); in_.remove_prefix(n); return s; }
  bool good = true;
 private:
  std::string_view in_;
};

std::string pack(const Stored& s) {
  Writer w;
  w.number(static_cast<int64_t>(s.phases.size()));
  for (size_t i = 0; i < s.phases.size(); ++i) {
    const PhaseInfo& p = s.phases[i];
    w.text(p.entry);
    w.text(std::string(p.written.begin(), p.written.end()));
    w.number(p.scratch_bytes);
    for (int64_t b : p.block) w.number(b);
    for (int64_t g : s.grids[i]) w.number(g);
  }
  w.number(static_cast<int64_t>(s.temporary_bytes.size()));
  for (int64_t n : s.temporary_bytes) w.number(n);
  w.text(s.binary);
  return w.take();
}
std::optional<Stored> unpack(std::string_view text) {
  Reader r(text);
  Stored s;
  for (int64_t n = r.count(); n > 0 && r.good; --n) {
    PhaseInfo p;
    p.entry = r.text();
    for (char c : r.text()) p.written.push_back(c != 0);
    p.scratch_bytes = r.number();
    for (int64_t& b : p.block) b = r.number();
    std::array<int64_t, 3> grid{};
    for (int64_t& g : grid) g = r.number();
    s.phases.push_back(std::move(p));
    s.grids.push_back(grid);
  }
  for (int64_t n = r.count(); n > 0 && r.good; --n) s.temporary_bytes.push_back(r.number());
  s.binary = r.text();
  if (!r.good) return std::nullopt;
  return s;
}

void register_renderers() {
  static std::once_flag once;
  std::call_once(once, [] {
    register_renderer("llvm", render_llvm);
    register_renderer("c", render_c);
    register_renderer("opencl", render_opencl);
  });
}

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// A kernel on its way: found on disk, or lowered and then compiled.
struct Making {
  std::shared_ptr<CompiledKernel> made = std::make_shared<CompiledKernel>();
  Hash128 key;
  std::string text;
  Stored stored;
  bool fixed = true;  // a grid that depends on variables is not kept
};

Making find_or_lower(const Kernel& kernel, Hash128 key, const std::optional<Tuning>& tuning, Device& device) {
  const auto start = std::chrono::steady_clock::now();
  Making m;
  m.key = key;
  CompiledKernel& out = *m.made;
  out.name = kernel.name();
  out.tuned = tuning.has_value();
  if (auto text = CompileCache::shared().get(key))
    if (auto s = unpack(*text)) {
      out.program = device.load(s->binary, s->phases);
      for (const auto& g : s->grids) out.grids.push_back({Dim(g[0]), Dim(g[1]), Dim(g[2])});
      out.temporary_bytes.assign(s->temporary_bytes.begin(), s->temporary_bytes.end());
      out.from_disk = true;
      return m;
    }
  const Generated g = tuning ? generate(kernel, device.target(), *tuning) : generate(kernel, device.target());
  m.stored.phases = phase_infos(g);
  for (const LoweredPhase& p : g.phases) {
    out.grids.push_back(p.grid);
    for (const Dim& d : p.grid) m.fixed &= d.known();
    if (m.fixed) m.stored.grids.push_back({p.grid[0].value(), p.grid[1].value(), p.grid[2].value()});
  }
  for (const auto& [dtype, elements] : g.temporaries) {
    out.temporary_bytes.push_back(elements * Dim(size_of(dtype)));
    m.fixed &= elements.known();
    if (m.fixed) m.stored.temporary_bytes.push_back(out.temporary_bytes.back().value());
  }
  if (logging(3))
    log(3, fmt::format("{}{}: {}\n{}", tuning ? "# tuned: may round otherwise than the default verbs\n" : "", out.name, to_string(g.verbs),
                       g.nest));
  m.text = source(g, device.target());
  if (logging(4)) log(4, m.text);
  out.compile_ms = ms_since(start);
  return m;
}

void compile(Making& m, Device& device) {
  const auto start = std::chrono::steady_clock::now();
  m.stored.binary = device.compile(m.text);
  m.made->program = device.load(m.stored.binary, m.stored.phases);
  m.made->compile_ms += ms_since(start);
  if (m.fixed) CompileCache::shared().put(m.key, pack(m.stored));
}

// Kernels that somebody has: a plan that is kept, or that is running. Their code goes with the last of these.
class Table {
 public:
  using Key = std::pair<const Device*, Hash128>;
  using Found = std::shared_ptr<const CompiledKernel>;

  Found find(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto it = kernels_.find(key);
    return it == kernels_.end() ? nullptr : it->second.lock();
  }
  /// The one that is there, where another thread was quicker.
  Found put(const Key& key, Found made) {
    const std::lock_guard lock(mutex_);
    if (kernels_.size() >= sweep_at_) {
      std::erase_if(kernels_, [](const auto& entry) { return entry.second.expired(); });
      sweep_at_ = std::max(kLeast, 2 * kernels_.size());
    }
    std::weak_ptr<const CompiledKernel>& known = kernels_[key];
    if (Found other = known.lock()) return other;
    known = made;
    return made;
  }
  size_t alive() {
    const std::lock_guard lock(mutex_);
    return static_cast<size_t>(std::ranges::count_if(kernels_, [](const auto& entry) { return !entry.second.expired(); }));
  }
  static Table& shared() { static auto& leaked = *new Table; return leaked; }

 private:
  static constexpr size_t kLeast = 64;
  Mutex mutex_;
  std::map<Key, std::weak_ptr<const CompiledKernel>> kernels_;
  size_t sweep_at_ = kLeast;
};

}  // namespace

Generated generate_tuned(const Kernel& k, const Target& target) {
  const std::optional<Tuning> tuning = Tunings::shared().find(k, target.name);
  return tuning ? generate(k, target, *tuning) : generate(k, target);
}

std::vector<PhaseInfo> phase_infos(const Generated& g) {
  std::vector<PhaseInfo> out;
  for (const LoweredPhase& p : g.phases)
    out.push_back({p.phase.entry, p.phase.written, p.phase.scratch_bytes, {p.phase.block[0], p.phase.block[1], p.phase.block[2]}});
  return out;
}

std::string source(const Generated& g, const Target& target) {
  const ForkWaits whole;  // tables are made when they are first used
  register_renderers();
  std::vector<Phase> phases;
  for (const LoweredPhase& p : g.phases) phases.push_back(p.phase);
  return renderer(target.renderer)(phases, target);
}

std::vector<std::shared_ptr<const CompiledKernel>> compile(std::span<const Kernel* const> kernels, Device& device) {
  // another build of this library may generate other code: it ignores what this one leaves on disk
  const Hash128 salt = mix(hash_of(device.target().name), mix(hash_of(kVersion), hash_of(build_id())));
  std::vector<std::shared_ptr<const CompiledKernel>> out(kernels.size());
  std::vector<Hash128> keys;
  std::vector<std::optional<Tuning>> tunings;
  for (const Kernel* k : kernels) {
    tunings.push_back(Tunings::shared().find(*k, device.target().name));
    keys.push_back(mix(k->hash(), salt));
    if (tunings.back()) keys.back() = mix(keys.back(), hash_of(to_string(tunings.back()->verbs)));
  }
  std::vector<size_t> missing;  // one index a distinct kernel
  std::map<Hash128, size_t> first;
  for (size_t i = 0; i < kernels.size(); ++i) {
    if (first.try_emplace(keys[i], i).second && !(out[i] = Table::shared().find({&device, keys[i]}))) missing.push_back(i);
  }
  const auto share = [&] {
    for (size_t i = 0; i < kernels.size(); ++i) out[i] = out[first.at(keys[i])];
    return out;
  };
  if (missing.empty()) return share();
  const ForkMayCome meanwhile;  // nothing has begun to change
  const auto threads = static_cast<size_t>(settings().threads);
  std::vector<Making> all(missing.size());
  on_threads(threads, all.size(), [&](size_t i) {
    const size_t m = missing[i];
    all[i] = find_or_lower(*kernels[m], keys[m], tunings[m], device);
    out[m] = all[i].made;
  });
  std::vector<Making*> lowered;
  for (Making& m : all) if (!m.made->from_disk) lowered.push_back(&m);
  // the longest first, so that threads end together
  std::ranges::stable_sort(lowered, std::greater{}, [](const Making* m) { return m->text.size(); });
  if (!lowered.empty())
    on_large_stack([&] { on_threads(threads, lowered.size(), [&](size_t i) { compile(*lowered[i], device); }); });
  for (size_t m : missing)
    if (logging(2) && !out[m]->from_disk)
      log(2, fmt::format("{} compiled: {:.2f} ms, {} bytes of code", out[m]->name, out[m]->compile_ms, out[m]->program->code_bytes()));
  for (size_t m : missing) out[m] = Table::shared().put({&device, keys[m]}, out[m]);
  return share();
}

size_t known_kernels() { return Table::shared().alive(); }

}  // namespace tg
