// See realize.hpp. The whole story in one function: realize(), at the end of this file.
#include "engine/realize.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "base/fork.hpp"
#include "base/log.hpp"
#include "engine/canonical.hpp"
#include "engine/claim.hpp"
#include "engine/passes.hpp"
#include "engine/plans.hpp"
#include "engine/tuner.hpp"
#include "ir/symbolic.hpp"
#include "runtime/interpreter/evaluate.hpp"
#include "schedule/batch.hpp"
#include "schedule/work.hpp"
#include "tg/error.hpp"
#include "tg/ir/pattern.hpp"
#include "tg/settings.hpp"

namespace tg {

static void realize(std::vector<UOp> wanted, Device& device);

namespace {

/// How many launches there are up to the last that looks at data for indices. None of them may overwrite memory: a run that throws because
/// an index is out of bounds must leave all values as they were.
size_t check_before_overwriting(Plan& plan) {
  size_t checked = 0;
  for (size_t i = 0; i < plan.launches.size(); ++i)
    for (const UOp& u : toposort(plan.launches[i].kernel.stores)) if (u.op() == Op::Check) checked = i + 1;
  for (size_t i = 0; i < checked; ++i)
    for (int b : plan.launches[i].buffers)
      if (PlanBuffer& p = plan.buffers[static_cast<size_t>(b)]; p.kind == PlanBuffer::Kind::Output) p.input = -1;
  return checked;
}

size_t before_overwriting(const Plan& plan) {
  const auto overwrites = [&](const PlanLaunch& l) {
    return std::any_of(l.buffers.begin(), l.buffers.end(), [&](int b) {
      const PlanBuffer& p = plan.buffers[static_cast<size_t>(b)];
      return p.kind != PlanBuffer::Kind::Input && p.input >= 0;
    });
  };
  return static_cast<size_t>(std::find_if(plan.launches.begin(), plan.launches.end(), overwrites) - plan.launches.begin());
}

constexpr auto kBetweenChecks = std::chrono::milliseconds(50);
constinit std::atomic<void (*)()> interruption = nullptr;

std::shared_ptr<const ReadyPlan> prepare(Canonical& graph, Device& device) {
  const Passes passes = Passes::in_force();
  Plans::Key key{&device, passes.number, graph.key()};
  Tuner* const tuner = Tuner::current();
  if (!tuner || !tuner->looks_again()) {
    if (auto known = Plans::shared().find(key)) return known;
    if (const std::vector<double> numbers = graph.numbers(); !numbers.empty() && passes.none()) {
      const auto varying = Plans::shared().varying({&device, passes.number, graph.form()}, numbers);
      if (!varying.empty()) {
        graph.bind_numbers(varying);
        std::get<Hash128>(key) = graph.key();
        if (auto known = Plans::shared().find(key)) return known;
      }
    }
  }
  auto ready = std::make_shared<ReadyPlan>();
  ready->variables = graph.variables;
  ready->plan = passes.plan(graph.roots(), device.target());
  ready->checked = check_before_overwriting(ready->plan);
  ready->harmless = before_overwriting(ready->plan);
  if (logging(2)) log(2, to_string(ready->plan));
  if (tuner) tuner->tune(ready->plan, device);
  std::vector<const Kernel*> kernels;
  for (const PlanLaunch& l : ready->plan.launches) kernels.push_back(&l.kernel);
  ready->kernels = compile(kernels, device);
  Plans::shared().put(key, ready);
  return ready;
}

// ---- running ----

class Run {
 public:
  Run(const ReadyPlan& ready, const Canonical& graph, Device& device) : ready_(ready), graph_(graph), device_(device) {
    for (size_t i = 0; i < graph.variables.size(); ++i) {
      const UOp& v = graph.variables[i];
      if (!is_float(v.dtype())) sizes_[v] = constant(v.dtype(), graph.values[i]);
    }
  }

  /// Each root of the graph is given its memory.
  void operator()(std::span<const UOp> roots) {
    allocate();
    try {
      launch_all();
    } catch (...) {
      (void)device_.synchronize();  // a fault before the failure is none of the next run's
      throw;
    }
    for (size_t i = 0; i < roots.size(); ++i) roots[i].attach(owners_[static_cast<size_t>(ready_.plan.roots[i])]);
  }

 private:
  void launch_all() {
    const std::vector<PlanLaunch>& all = ready_.plan.launches;
    for (size_t i = 0, next; i < all.size(); i = next) {
      for (next = i + 1; next < all.size() && all[next].with_previous;) ++next;
      if (i <= ready_.harmless) {
        ForkMayCome::look();
        if (i > 0) hear_interruption();
      }
      const auto parts = std::span(all).subspan(i, next - i);
      if (parts[0].blocks > 0) launch_blocks(parts, std::span(ready_.kernels).subspan(i, next - i));
      else launch(parts, *ready_.kernels[i]);
      if (i < ready_.checked && ready_.checked <= next) check();
    }
  }
  void hear_interruption() {
    const auto now = std::chrono::steady_clock::now();
    if (!heard_) heard_ = now;
    if (now - *heard_ < kBetweenChecks) return;
    heard_ = now;
    const ForkMayCome meanwhile;
    if (const auto check = interruption.load()) check();
  }
  void check() {
    if (const std::optional<Fault> f = device_.synchronize())
      throw IndexError(fmt::format("index {} is out of bounds for an axis of size {}", f->index, f->bound));
  }
  int64_t size(const Dim& d) const {
    if (d.known()) return d.value();
    return Dim(simplify(substitute(d.expr(), sizes_))).value();
  }
  void allocate() {
    const Plan& plan = ready_.plan;
    memory_.reserve(plan.buffers.size()), owners_.reserve(plan.buffers.size());
    std::shared_ptr<Memory> arena;  // even of no bytes, if there are temporaries: devices want something to point to
    for (const PlanBuffer& b : plan.buffers) {
      const auto bytes = static_cast<size_t>(size(b.elements)) * size_of(b.dtype);
      if (b.kind == PlanBuffer::Kind::Local) {
        memory_.push_back({nullptr, static_cast<size_t>(b.offset), bytes});
        owners_.push_back(nullptr);
        continue;
      }
      if (b.kind == PlanBuffer::Kind::Temporary) {
        if (!arena) arena = std::make_shared<Memory>(device_, static_cast<size_t>(plan.arena_bytes));
        memory_.push_back({arena->handle, static_cast<size_t>(b.offset), bytes});
        owners_.push_back(nullptr);
        continue;
      }
      std::shared_ptr<Buffer> owner;
      if (b.kind == PlanBuffer::Kind::Input) owner = graph_.inputs[static_cast<size_t>(b.input)];
      else if (b.input >= 0) {  // the same memory under a new identity
        const auto& old = graph_.inputs[static_cast<size_t>(b.input)];
        owner = std::make_shared<Buffer>(old->memory, old->bytes, old->offset);
      } else owner = make_buffer(device_, bytes);
      memory_.push_back(owner->ref());
      owners_.push_back(std::move(owner));
    }
    arena_ = std::move(arena);
    size_t most = 0;
    for (const auto& k : ready_.kernels) {
      size_t bytes = 0;
      for (const Dim& d : k->temporary_bytes) bytes += aligned(d);
      most = std::max(most, bytes);
    }
    if (most > 0) between_ = std::make_unique<Memory>(device_, most);
  }
  size_t aligned(const Dim& bytes) const { return (static_cast<size_t>(size(bytes)) + kAlignment - 1) / kAlignment * kAlignment; }
  struct Arguments {
    std::vector<MemoryRef> buffers;
    std::vector<int64_t> scalars;
    std::vector<Grid> grids;
  };
  Arguments arguments(const PlanLaunch& l, const CompiledKernel& k) {
    Arguments a;
    a.buffers.reserve(l.buffers.size() + k.temporary_bytes.size()), a.grids.reserve(k.grids.size());
    if (!(l.elements == Dim(0))) sizes_[element_count()] = constant(DType::index, size(l.elements));
    for (size_t i = 0; i < l.buffers.size(); ++i) a.buffers.push_back(rest_of(memory_[static_cast<size_t>(l.buffers[i])], l.offsets[i]));
    size_t offset = 0;
    for (const Dim& bytes : k.temporary_bytes) {
      a.buffers.push_back({between_->handle, offset, static_cast<size_t>(size(bytes))});
      offset += aligned(bytes);
    }
    for (const UOp& v : l.scalars) {
      if (v == element_count()) a.scalars.push_back(size(l.elements));
      if (l.blocks > 0 && v == l.scalars[0]) a.scalars.push_back(0);  // the device fills it in
      if (v.op() == Op::Const) a.scalars.push_back(std::bit_cast<int64_t>(v.as<double>()));
      for (size_t i = 0; i < graph_.variables.size(); ++i) if (graph_.variables[i] == v) a.scalars.push_back(graph_.values[i]);
    }
    for (const auto& g : k.grids) a.grids.push_back({{size(g[0]), size(g[1]), size(g[2])}});
    return a;
  }
  bool empty(const PlanLaunch& l) const {  // nothing to store, and nothing may be read
    if (!(l.elements == Dim(0))) return size(l.elements) == 0;
    return std::any_of(l.kernel.ranges.begin(), l.kernel.ranges.end(), [&](const UOp& r) { return size(Dim(r.src(0))) == 0; });
  }
  void launch(std::span<const PlanLaunch> parts, const CompiledKernel& k) {
    std::vector<Arguments> all;
    std::vector<LaunchArgs> sets;
    all.reserve(parts.size()), sets.reserve(parts.size());
    for (const PlanLaunch& l : parts) if (!empty(l)) all.push_back(arguments(l, k));
    for (const Arguments& a : all) sets.push_back({a.buffers, a.scalars, a.grids});
    if (sets.empty()) return;
    const auto start = begin();
    if (sets.size() == 1) device_.launch(*k.program, sets[0]);
    else device_.launch_all(*k.program, sets);
    if (logging(1)) report(parts, k, start);
  }
  void launch_blocks(std::span<const PlanLaunch> parts, std::span<const std::shared_ptr<const CompiledKernel>> kernels) {
    std::vector<Arguments> all;
    std::vector<BlockStep> steps;
    for (size_t i = 0; i < parts.size(); ++i) all.push_back(arguments(parts[i], *kernels[i]));
    for (size_t i = 0; i < parts.size(); ++i) steps.push_back({kernels[i]->program.get(), all[i].buffers, all[i].scalars});
    const auto start = begin();
    device_.launch_blocks({steps, parts[0].blocks, parts[0].in_order, static_cast<size_t>(ready_.plan.local_bytes)});
    if (logging(1)) report(parts, *kernels[0], start);
  }
  static std::chrono::steady_clock::time_point begin() {
    return logging(1) ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
  }
  void report(std::span<const PlanLaunch> parts, const CompiledKernel& k, std::chrono::steady_clock::time_point start) {
    const double us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
    double operations = 0, bytes = 0;
    for (const PlanLaunch& l : parts) {
      if (!(l.elements == Dim(0))) sizes_[element_count()] = constant(DType::index, size(l.elements));
      if (l.blocks > 0) sizes_[l.scalars[0]] = constant(DType::index, l.blocks / 2);  // as long as the one in the middle
      const Work work = work_of(ready_.plan, l, [this](const Dim& d) { return size(d); });
      const auto times = static_cast<double>(std::max<int64_t>(1, l.blocks));
      operations += times * work.operations;
      bytes += times * work.bytes();
    }
    log(1,
        fmt::format("{:<44} {:9.1f} us {:8.2f} GFLOP/s {:7.2f} GB/s  {:.0f} flop, {:.0f} bytes{}{}{}", k.name, us, operations / us * 1e-3,
                       bytes / us * 1e-3, operations, bytes, parts.size() == 1    ? std::string()
                       : parts[0].blocks > 0 ? fmt::format(", with {} more kernels in each of {} blocks", parts.size() - 1, parts[0].blocks)
                                             : fmt::format(", over {} tensors", parts.size()),
                       k.tuned ? ", tuned" : "", k.from_disk ? " (disk)" : ""));
  }

  std::optional<std::chrono::steady_clock::time_point> heard_;  // since the second launch
  const ReadyPlan& ready_;
  const Canonical& graph_;
  Device& device_;
  Substitution sizes_;
  std::vector<MemoryRef> memory_;
  std::vector<std::shared_ptr<Buffer>> owners_;
  std::shared_ptr<Memory> arena_;
  std::unique_ptr<Memory> between_;  // temporaries, of one kernel at a time; allocated before anything is overwritten
};

// Values that live on another device are computed there, then copied here. Whether there were any.
bool bring_copies(std::span<const UOp* const> nodes, Device& here) {
  bool any = false;
  for (const UOp* node : nodes) {
    const UOp& u = *node;
    if (u.op() == Op::Param)
      throw ValueError(
          "realize: this tensor is an argument of a function under vmap, or computed from one: it stands for a whole batch and has no "
          "value of its own; compute with it, and ask for values of what vmap returns");
    if (u.op() != Op::Copy || u.storage()) continue;
    any = true;
    const UOp from = u.src(0);
    Device* there = nullptr;
    for (const UOp& n : toposort(from)) if (auto b = buffer_of(n)) there = &b->device();
    realize({from}, there ? *there : here);
    const auto source = buffer_of(from);
    if (!there) { u.attach(source); continue; }  // made of constants alone
    auto target = make_buffer(device(*u.as<Name>()), source->bytes);
    std::vector<std::byte> bytes(source->bytes);
    source->device().copy_out(bytes.data(), source->ref(), bytes.size());
    target->device().copy_in(target->ref(), bytes.data(), bytes.size());
    u.attach(target);
  }
  return any;
}

}  // namespace

void set_interruption(void (*check)()) { interruption = check; }

void forget_plans() { Plans::shared().forget(); }

void realize(std::vector<UOp> wanted, std::string_view device_name) { realize(std::move(wanted), tg::device(device_name)); }

static void realize(std::vector<UOp> wanted, Device& device) {
  const auto made = [](const UOp& u) { return u.storage() != nullptr; };
  std::erase_if(wanted, made);
  if (wanted.empty()) return;
  const ForkWaits whole;
  std::vector<const UOp*> nodes = nodes_to_compute(wanted);
  if (bring_copies(nodes, device)) {
    std::erase_if(wanted, made);
    nodes = nodes_to_compute(wanted);
  }
  if (device.interprets()) return interpret(wanted, device);

  Canonical graph(wanted, nodes);
  const Claim claim(graph.assignments);
  if (std::ranges::any_of(graph.assignments, made)) {  // by another thread meanwhile
    std::erase_if(wanted, made);
    if (wanted.empty()) return;
    graph = Canonical(wanted);
  }
  const std::shared_ptr<const ReadyPlan> ready = prepare(graph, device);
  Run(*ready, graph, device)(wanted);
}

}  // namespace tg
