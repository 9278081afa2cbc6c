// Groups to a plan: a kernel each (make_kernel.hpp), the memory that they read and write, and the order in which they run.
//
//   in:  softmax(x).sum() over Params      out: two launches; a temporary for the softmax, whose kernel runs first
#include <algorithm>

#include <fmt/format.h>

#include "base/fork.hpp"
#include "schedule/batch.hpp"
#include "schedule/demand.hpp"
#include "schedule/expansions.hpp"
#include "schedule/make_kernel.hpp"
#include "schedule/plan.hpp"
#include "schedule/same_values.hpp"
#include "schedule/work.hpp"
#include "tg/error.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

constexpr double kFewResults = 16, kLarge = 16 << 10;  // elements
constexpr size_t kMostBuffers = 24;                    // of a kernel made of two
constexpr double kBusy = 8;                            // operations a byte, from which on a kernel does not wait for memory

class Builder {
 public:
  Builder(std::span<const UOp> roots) : roots_(roots), demands_(roots, Demands(roots).stored()) {}

  Plan build() {
    for (const UOp& r : roots_) plan_.roots.push_back(root_buffer(r));
    const std::vector<int> order = launch_order();
    std::vector<std::set<int>> after;
    for (const Group& g : demands_.groups) after.push_back(g.after);
    plan_.launches = batch(std::move(kernels_), order, after);
    return std::move(plan_);
  }

 private:
  // ---- memory ----

  int add_buffer(PlanBuffer b) {
    plan_.buffers.push_back(std::move(b));
    return static_cast<int>(plan_.buffers.size()) - 1;
  }
  int root_buffer(const UOp& r) {
    const int b = buffer_of(r);
    PlanBuffer& p = plan_.buffers[static_cast<size_t>(b)];
    if (p.kind == PlanBuffer::Kind::Temporary) p.kind = PlanBuffer::Kind::Output;
    return b;
  }
  int buffer_of(const UOp& u) {
    if (auto it = buffers_.find(u); it != buffers_.end()) return it->second;
    PlanBuffer b;
    b.dtype = u.dtype();
    b.elements = u.shape().numel();
    if (u.op() == Op::Param) {
      b.kind = PlanBuffer::Kind::Input;
      b.input = u.as<ParamArg>().slot;
      b.why = "given";
    } else {
      b.why = demands_.why.at(u);
      if (auto zeros = demands_.halo.find(u); zeros != demands_.halo.end()) {
        b.elements = zeros->second.padded(u.shape()).numel();
        b.why += "; zeros around it";
      }
      if (in_place(u)) b.input = u.src(0).as<ParamArg>().slot;
    }
    return buffers_[u] = add_buffer(std::move(b));
  }
  static bool in_place(const UOp& u) { return u.op() == Op::Assign && u.arg().index() != 0 && u.src(0).op() == Op::Param; }

  // ---- order ----

  // What a group loads is known from its expressions; a group that overwrites an input comes after all others that read it.
  std::vector<int> launch_order() {
    const int n = static_cast<int>(demands_.groups.size());
    kernels_.resize(demands_.groups.size());
    for (int g = 0; g < n; ++g) make(g);
    for (int g = 0; g < n; ++g)
      for (int other = g + 1; other < n; ++other)
        if (read_the_same(g, other) && demands_.merge(g, other)) {
          make(g);
          kernels_[static_cast<size_t>(other)] = {};
        }
    std::vector<std::set<int>> readers(static_cast<size_t>(n));  // of what a group overwrites, beside those that it is after anyway
    for (int g = 0; g < n; ++g)
      for (const UOp& u : demands_.groups[static_cast<size_t>(g)].outputs) {
        if (!in_place(u)) continue;
        const int target = buffer_of(u.src(0));
        for (int other = 0; other < n; ++other) {
          const auto& bound = kernels_[static_cast<size_t>(other)].buffers;
          if (other != g && std::find(bound.begin(), bound.end(), target) != bound.end() &&
              !demands_.groups[static_cast<size_t>(g)].after.contains(other))
            readers[static_cast<size_t>(g)].insert(other);
        }
      }
    std::vector<int> order;
    while (!ordered(readers, order)) {}
    for (size_t g = 0; g < readers.size(); ++g) demands_.groups[g].after.insert(readers[g].begin(), readers[g].end());
    std::erase_if(order, [&](int g) { return demands_.groups[static_cast<size_t>(g)].outputs.empty(); });
    return order;
  }
  // Kernels over the same loops that walk through one large array: it is read once if they are one. Few results of long reductions are
  // better left apart, since each is then shared out among the cores; products too, since each wants a register tile of its own.
  bool read_the_same(int a, int b) {
    const Group &ga = demands_.groups[static_cast<size_t>(a)], &gb = demands_.groups[static_cast<size_t>(b)];
    if (ga.outputs.empty() || gb.outputs.empty() || !ga.loops_over(gb.shape) || elements(ga.shape) < kFewResults) return false;
    const std::vector<int>&of_a = kernels_[static_cast<size_t>(a)].buffers, &of_b = kernels_[static_cast<size_t>(b)].buffers;
    if (of_a.size() + of_b.size() > kMostBuffers) return false;
    bool shared = false;
    for (int i : of_a) {
      const PlanBuffer& p = plan_.buffers[static_cast<size_t>(i)];
      if (std::find(of_b.begin(), of_b.end(), i) != of_b.end() && elements(Shape{p.elements}) >= kLarge) shared = true;
    }
    return shared && !overwrites(ga, of_b) && !overwrites(gb, of_a) && !busy(a) && !busy(b);
  }
  bool busy(int g) {
    const auto [it, fresh] = busy_.try_emplace(g);
    if (!fresh) return it->second;
    const Work w = work_of(plan_, kernels_[static_cast<size_t>(g)]);
    return it->second = w.operations > kBusy * w.bytes();
  }
  // Whether a group assigns in place to memory that is among these buffers.
  bool overwrites(const Group& g, const std::vector<int>& buffers) const {
    return std::any_of(g.outputs.begin(), g.outputs.end(), [&](const UOp& u) {
      return in_place(u) && std::find(buffers.begin(), buffers.end(), buffers_.at(u.src(0))) != buffers.end();
    });
  }
  // Each group after those that it is after and those that read what it overwrites. False where groups wait for each other: then one of
  // them, which waits for readers alone, writes to other memory from now on.
  bool ordered(std::vector<std::set<int>>& readers, std::vector<int>& order) {
    enum : uint8_t { New, Open, Done };
    std::vector<std::vector<int>> waits;
    for (size_t g = 0; g < readers.size(); ++g) {
      std::set<int> all = demands_.groups[g].after;
      all.insert(readers[g].begin(), readers[g].end());
      waits.emplace_back(all.begin(), all.end());
    }
    std::vector<uint8_t> state(waits.size(), New);
    std::vector<int> path;
    order.clear();
    const auto open = [&](int g) {
      path.push_back(g);
      state[static_cast<size_t>(g)] = Open;
    };
    for (int root = 0; root < static_cast<int>(waits.size()); ++root) {
      if (state[static_cast<size_t>(root)] == New) open(root);
      while (!path.empty()) {
        const int g = path.back();
        std::vector<int>& left = waits[static_cast<size_t>(g)];
        if (left.empty()) {
          state[static_cast<size_t>(g)] = Done;
          order.push_back(g);
          path.pop_back();
          continue;
        }
        const int next = left.back();
        left.pop_back();
        if (state[static_cast<size_t>(next)] == New) open(next);
        else if (state[static_cast<size_t>(next)] == Open) {
          path.push_back(next);
          break_circle(path, readers);
          return false;
        }
      }
    }
    return true;
  }
  // The path ends where it was before.
  void break_circle(const std::vector<int>& path, std::vector<std::set<int>>& readers) {
    for (size_t i = path.size() - 1; i > 0; --i) {
      const int g = path[i - 1];
      if (!readers[static_cast<size_t>(g)].contains(path[i])) {
        if (g == path.back()) break;
        continue;
      }
      release_in_place(g);
      readers[static_cast<size_t>(g)].clear();
      return;
    }
    throw InternalError("schedule: groups read each other's results");
  }
  void release_in_place(int g) {
    for (const UOp& u : demands_.groups[static_cast<size_t>(g)].outputs)
      if (in_place(u)) plan_.buffers[static_cast<size_t>(buffer_of(u))].input = -1;
  }

  // ---- kernels ----

  void make(int g) {
    PlanLaunch& launch = kernels_[static_cast<size_t>(g)];
    launch = make_kernel(demands_, g, [this](const UOp& u) { return buffer_of(u); });
    busy_.erase(g);
    keep_places(launch);
  }
  // An assignment in place may read its target only at the element it is about to write.
  void keep_places(const PlanLaunch& launch) {
    for (size_t i = 0; i < launch.kernel.stores.size(); ++i) {
      const UOp& s = launch.kernel.stores[i];
      const int b = launch.buffers[static_cast<size_t>(s.src(0).as<ParamArg>().slot)];
      PlanBuffer& out = plan_.buffers[static_cast<size_t>(b)];
      if (out.kind == PlanBuffer::Kind::Input || out.input < 0) continue;
      for (const UOp& u : toposort(launch.kernel.stores)) {
        if (u.op() != Op::Load) continue;
        const PlanBuffer& from = plan_.buffers[static_cast<size_t>(launch.buffers[static_cast<size_t>(u.src(0).as<ParamArg>().slot)])];
        if (from.kind == PlanBuffer::Kind::Input && from.input == out.input && !(u.src(1) == s.src(1))) { out.input = -1; break; }
      }
    }
  }

  std::span<const UOp> roots_;
  Demands demands_;
  Plan plan_;
  std::unordered_map<UOp, int> buffers_;
  std::vector<PlanLaunch> kernels_;
  std::unordered_map<int, bool> busy_;  // of groups that were asked about
};

// Whether a value's elements are the first of its source's, in order.
bool begins(const UOp& u) {
  if (u.op() == Op::Reshape) return true;
  if (u.op() != Op::Shrink) return false;
  bool whole = false;  // from the first axis of several elements on, which may be cut
  for (size_t a = 0; a < u.shape().rank(); ++a) {
    if (!(u.as<Shape>()[2 * a] == Dim(0)) || (whole && !(u.shape()[a] == u.src(0).shape()[a]))) return false;
    whole |= !(u.src(0).shape()[a] == Dim(1));
  }
  return true;
}
// What nothing has to be computed for: memory itself, or its beginning, under another shape.
UOp behind(const UOp& r) {
  UOp u = r;
  while (u.op() == Op::Reshape || u.op() == Op::Contiguous) u = u.src(0);
  if (u.op() == Op::Param) return u;
  for (u = r; begins(u);) u = u.src(0);
  return u.op() == Op::Contiguous || u.op() == Op::Scatter ? u : r;
}

}  // namespace

Plan schedule(std::span<const UOp> roots) {
  const ForkWaits whole;  // tables of rules are made when they are first used
  std::vector<UOp> real = surround(rewrite(expand_sorts(roots), same_values()));
  for (UOp& r : real) r = behind(r);
  Plan plan = Builder(real).build();
  plan_memory(plan);
  return plan;
}

std::string to_string(const Plan& plan) {
  std::string out;
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    const PlanBuffer& b = plan.buffers[i];
    const char* kind = b.kind == PlanBuffer::Kind::Input    ? "input"
                       : b.kind == PlanBuffer::Kind::Output ? "output"
                       : b.kind == PlanBuffer::Kind::Local  ? "local"
                                                            : "temporary";
    out += fmt::format("b{}: {} {} x {}, {}", i, kind, name_of(b.dtype), to_string(b.elements), b.why);
    if (b.kind == PlanBuffer::Kind::Temporary) out += fmt::format(", arena +{}", b.offset);
    if (b.kind == PlanBuffer::Kind::Output && b.input >= 0) out += fmt::format(", in place of input {}", b.input);
    out += "\n";
  }
  for (const PlanLaunch& l : plan.launches) {
    std::vector<std::string> arguments;
    for (size_t i = 0; i < l.buffers.size(); ++i) {
      const bool whole = l.offsets.empty() || l.offsets[i] == 0;
      arguments.push_back(whole ? fmt::format("b{}", l.buffers[i]) : fmt::format("b{} +{}", l.buffers[i], l.offsets[i]));
    }
    for (size_t i = 0; i < l.scalars.size(); ++i)
      if (!(l.scalars[i] == l.kernel.variables[i]))
        arguments.push_back(fmt::format("{} = {}", to_string(l.kernel.variables[i]), to_string(l.scalars[i])));
    out += fmt::format("{}({})", l.kernel.name(), fmt::join(arguments, ", "));
    for (const UOp& r : l.kernel.ranges) out += fmt::format(" for {} < {}", to_string(r), to_string(r.src(0)));
    if (!(l.elements == Dim(0))) out += fmt::format(", {} elements", to_string(l.elements));
    if (l.blocks > 0)
      out += fmt::format(", in each of {} blocks{}", l.blocks, l.in_order > 1 ? fmt::format(", {} in order", l.in_order) : "");
    if (l.with_previous) out += ", in one launch with the one before";
    out += "\n";
    for (const UOp& s : l.kernel.stores)
      out += fmt::format("  {}[{}] = {}\n", to_string(s.src(0)), to_string(s.src(1)), to_string(s.src(2)));
  }
  return out;
}

}  // namespace tg
