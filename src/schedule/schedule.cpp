// Groups to kernels: each stored node becomes a store of one scalar expression, built by walking from it back to memory with indices.
//
//   in:  softmax(x) over Params      out: one kernel, out[i, j] = exp(x[i, j] - max_r x[i, r]) / sum_r exp(x[i, r] - max_r' x[i, r'])
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "ir/monoid.hpp"
#include "ir/symbolic.hpp"
#include "schedule/batch.hpp"
#include "schedule/demand.hpp"
#include "schedule/expansions.hpp"
#include "schedule/plan.hpp"
#include "schedule/same_values.hpp"
#include "schedule/work.hpp"
#include "tg/error.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

constexpr double kFewResults = 16, kLarge = 16 << 10;  // elements
constexpr size_t kMostBuffers = 24;                    // of a kernel made of two
constexpr double kBusy = 8;                            // operations a byte, from which on a kernel does not wait for memory

UOp and_(const UOp& a, const UOp& b) { return !a ? b : !b ? a : a & b; }
UOp gated(const UOp& gate, const UOp& value) { return gate ? where(gate, value, constant(value.dtype(), 0)) : value; }

bool among(const std::vector<UOp>& some, const std::vector<UOp>& all) {
  return std::ranges::all_of(some, [&](const UOp& u) { return std::ranges::find(all, u) != all.end(); });
}

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
    for (int g = 0; g < n; ++g) make_kernel(g);
    for (int g = 0; g < n; ++g)
      for (int other = g + 1; other < n; ++other)
        if (read_the_same(g, other) && demands_.merge(g, other)) {
          make_kernel(g);
          kernels_[static_cast<size_t>(other)] = {};
        }
    for (int g = 0; g < n; ++g)
      for (const UOp& u : demands_.groups[static_cast<size_t>(g)].outputs) {
        if (!in_place(u)) continue;
        const int target = buffer_of(u.src(0));
        for (int other = 0; other < n; ++other) {
          const auto& bound = kernels_[static_cast<size_t>(other)].buffers;
          if (other != g && std::find(bound.begin(), bound.end(), target) != bound.end())
            demands_.groups[static_cast<size_t>(g)].after.insert(other);
        }
      }
    std::vector<int> order, state(static_cast<size_t>(n), 0);
    for (int g = 0; g < n; ++g) visit(g, state, order);
    std::erase_if(order, [&](int g) { return demands_.groups[static_cast<size_t>(g)].outputs.empty(); });
    return order;
  }
  // Kernels over the same loops that walk through one large array: it is read once if they are one. Few results of long reductions are
  // better left apart, since each is then shared out among the cores; products too, since each wants a register tile of its own.
  bool read_the_same(int a, int b) const {
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
  bool busy(int g) const {
    const Work w = work_of(plan_, kernels_[static_cast<size_t>(g)]);
    return w.operations > kBusy * w.bytes();
  }
  // Whether a group assigns in place to memory that is among these buffers.
  bool overwrites(const Group& g, const std::vector<int>& buffers) const {
    return std::any_of(g.outputs.begin(), g.outputs.end(), [&](const UOp& u) {
      return in_place(u) && std::find(buffers.begin(), buffers.end(), buffers_.at(u.src(0))) != buffers.end();
    });
  }
  void visit(int root, std::vector<int>& state, std::vector<int>& order) {
    std::vector<int> stack{root};
    while (!stack.empty()) {
      const int g = stack.back();
      int& s = state[static_cast<size_t>(g)];
      if (s == 2) { stack.pop_back(); continue; }
      if (s == 1) { s = 2; order.push_back(g); stack.pop_back(); continue; }
      s = 1;
      for (int a : demands_.groups[static_cast<size_t>(g)].after) {
        if (state[static_cast<size_t>(a)] == 1) release_in_place(g);  // a cycle: some assignment cannot be made in place
        else if (state[static_cast<size_t>(a)] == 0) stack.push_back(a);
      }
    }
  }
  void release_in_place(int g) {
    for (const UOp& u : demands_.groups[static_cast<size_t>(g)].outputs)
      if (in_place(u)) plan_.buffers[static_cast<size_t>(buffer_of(u))].input = -1;
  }

  // ---- kernels ----

  void make_kernel(int g) {
    kernels_.resize(std::max(kernels_.size(), static_cast<size_t>(g) + 1));
    group_ = g;
    values_.clear();
    keep_.clear();
    covered_.clear();
    slots_.clear();
    PlanLaunch launch;
    const Group& group = demands_.groups[static_cast<size_t>(g)];
    std::vector<UOp> stores;
    for (const UOp& u : group.outputs) {
      const UOp to = param_of(u, launch);
      stores.push_back(u.op() == Op::Scatter ? scatter_store(u, to, group, launch) : plain_store(u, to, group, launch));
    }
    Kernel& k = launch.kernel;
    k.stores = rewrite(stores, exact_rules());
    k.ranges = group.ranges;
    k.sequential = group.sequential;
    for (const UOp& u : toposort(k.stores))
      if (u.op() == Op::Variable) k.variables.push_back(u);
    keep_places(launch);
    kernels_[static_cast<size_t>(g)] = std::move(launch);
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
  UOp param_of(const UOp& u, PlanLaunch& launch) {
    auto [it, fresh] = slots_.try_emplace(u, static_cast<int>(launch.buffers.size()));
    if (fresh) {
      launch.buffers.push_back(buffer_of(u));
      launch.kernel.params.push_back(param(it->second, u.dtype()));
    }
    return launch.kernel.params[static_cast<size_t>(it->second)];
  }
  UOp plain_store(const UOp& u, const UOp& to, const Group& group, PlanLaunch& launch) {
    const auto zeros = demands_.halo.find(u);
    if (zeros == demands_.halo.end()) {
      const Index idx = group.index_of(u.shape());
      return store(to, linear(idx, u.shape()), compute(u, idx, launch));
    }
    const UOp place = linear(group.index, group.shape);
    if (const auto fill = demands_.first_store.find(u); fill != demands_.first_store.end()) {
      if (fill->second == group_) {
        const UOp in = inside(zeros->second.inner(group.index), u.shape());
        return UOp::make(Op::Store, {to, place, constant(u.dtype(), 0), logical_not(in)});
      }
      return store(to, linear(zeros->second.outer(group.index), zeros->second.padded(u.shape())), compute(u, group.index, launch));
    }
    const Index idx = zeros->second.inner(group.index);
    gate_ = inside(idx, u.shape());
    const UOp v = gated(gate_, compute(u, idx, launch));
    gate_ = {};
    return store(to, place, v);
  }
  // When an index lies inside a shape; empty: always.
  static UOp inside(const Index& idx, const Shape& shape) {
    UOp gate;
    for (size_t a = 0; a < idx.size(); ++a) gate = and_(gate, within(idx[a], index(0), shape[a].expr()));
    return gate;
  }
  UOp scatter_store(const UOp& u, const UOp& to, const Group& group, PlanLaunch& launch) {
    if (const auto first = demands_.first_store.find(u); first != demands_.first_store.end() && first->second == group_)
      return store(to, linear(group.index, u.shape()), value(u.src(0), group.index, launch));
    const UOp at = place_of(u, group.index, launch), v = value(u.src(2), group.index, launch);
    return store(to, at, u.as<ScatterArg>().mode == ScatterMode::Add ? load(to, at) + v : v);
  }
  // Where in a scatter's memory the value at idx belongs.
  UOp place_of(const UOp& u, const Index& idx, PlanLaunch& launch) {
    const int32_t axis = u.as<ScatterArg>().axis;
    const auto begin = idx.begin() + axis;
    const Index along(begin, begin + static_cast<ptrdiff_t>(u.src(1).shape().rank()));
    Index at(idx.begin(), begin);
    at.push_back(checked(value(u.src(1), along, launch), u.shape()[static_cast<size_t>(axis)]));
    at.insert(at.end(), begin + static_cast<ptrdiff_t>(along.size()), idx.end());
    return linear(at, u.shape());
  }
  static UOp checked(const UOp& at, const Dim& bound) {
    const UOp i = cast(at, DType::index);
    if (i.bounds().min >= 0 && i.bounds().max < bound.min()) return i;
    return UOp::make(Op::Check, {i, bound.expr()}, int64_t{0});
  }

  // ---- expressions ----

  // The value of u at idx: from memory if it is stored elsewhere, else computed here. Under a gate every load below carries it, since
  // the index may lie outside where the gate is false.
  UOp value(const UOp& u, const Index& idx, PlanLaunch& launch, const UOp& gate = {}) {
    const UOp outer = gate_;
    gate_ = and_(gate_, gate);
    UOp v = value_under_gate(u, idx, launch);
    gate_ = outer;
    return vanishes(v, gate) ? v : gated(gate, v);
  }
  // An element of memory. Where the index cannot lie outside there is no gate; what a halo of zeros covers needs none either. Of what holds
  // here it is tested that the index lies inside, if that is among it.
  UOp element(const UOp& u, const Index& idx, PlanLaunch& launch) {
    const UOp outside = inside(idx, u.shape());
    const auto zeros = demands_.halo.find(u);
    if (zeros == demands_.halo.end()) return load(param_of(u, launch), linear(idx, u.shape()), tested(outside));
    const Shape padded = zeros->second.padded(u.shape());
    const Index at = zeros->second.outer(idx);
    const UOp v = load(param_of(u, launch), linear(at, padded), tested(inside(at, padded)));
    if (outside) {
      const std::vector<UOp> all = conjunction(outside);
      covered_[v].insert(covered_[v].end(), all.begin(), all.end());
    }
    return v;
  }
  UOp tested(const UOp& inside) const {
    if (!inside || !gate_) return {};
    return among(conjunction(inside), conjunction(gate_)) ? inside : gate_;
  }
  UOp value_under_gate(const UOp& u, const Index& idx, PlanLaunch& launch) {
    if (u.op() == Op::Param) return element(u, idx, launch);
    const auto home = demands_.home.find(u);
    const bool elsewhere = home != demands_.home.end() && (home->second != group_ || u.op() == Op::Scatter);
    if (elsewhere) return element(u, idx, launch);
    auto key = std::make_pair(u.node(), ids(idx));
    key.second.push_back(gate_.node());
    if (auto it = values_.find(key); it != values_.end()) return it->second;
    UOp v = compute(u, idx, launch);
    values_.emplace(std::move(key), v);
    return v;
  }
  static std::vector<const detail::Node*> ids(const Index& idx) {
    std::vector<const detail::Node*> out;
    for (const UOp& i : idx) out.push_back(i.node());
    return out;
  }

  UOp compute(const UOp& u, const Index& idx, PlanLaunch& launch) {
    keep_.insert(keep_.end(), idx.begin(), idx.end());  // their addresses are keys
    keep_.push_back(gate_);
    switch (u.op()) {
      case Op::Const: case Op::Variable: return u;
      case Op::Iota: return cast(idx[0], u.dtype());
      case Op::Assign: return value(u.src(1), idx, launch);
      case Op::Reduce: return reduce(u, idx, launch);
      case Op::Scan: return scan(u, idx, launch);
      case Op::OverlapAdd: return overlap_add(u, idx, launch);
      case Op::Get:
        if (u.src(0).op() == Op::Scatter) return load(param_of(u.src(0), launch), place_of(u.src(0), idx, launch));
        return UOp::make(Op::Get, {value(u.src(0), idx, launch)}, u.arg(), u.dtype());
      case Op::Stack: {
        UOp v;
        for (size_t i = u.src().size(); i-- > 0;) {
          const UOp here = value(u.src(i), Index(idx.begin() + 1, idx.end()), launch);
          v = v ? where(less(idx[0], static_cast<int64_t>(i) + 1), here, v) : here;
        }
        return v;
      }
      case Op::Gather: {
        const auto begin = idx.begin() + static_cast<ptrdiff_t>(std::get<int64_t>(u.arg()));
        const auto end = begin + static_cast<ptrdiff_t>(u.src(1).shape().rank());
        Index at(idx.begin(), begin);
        at.push_back(checked(value(u.src(1), Index(begin, end), launch), u.src(0).shape()[at.size()]));
        at.insert(at.end(), end, idx.end());
        return value(u.src(0), at, launch);
      }
      default: break;
    }
    if (u.op() == Op::Pad) return value(u.src(0), source_index(u, 0, idx), launch, source_gate(u, idx));
    std::vector<UOp> src;
    for (size_t i = 0; i < u.src().size(); ++i) src.push_back(value(u.src(i), source_index(u, i, idx), launch));
    if (!is_elementwise(u.op())) return src[0];  // a movement
    return UOp::make(u.op(), src, u.arg(), u.dtype());
  }

  // Ranges other than those that are open there: in the index, and in the gate that the loads inside will carry.
  std::vector<UOp> fresh_ranges_at(Index idx, std::span<const Dim> extents) const {
    if (gate_) idx.push_back(gate_);
    return fresh_ranges(idx, extents);
  }
  UOp reduce(const UOp& u, const Index& idx, PlanLaunch& launch) {
    const auto [monoid, axes] = u.as<ReduceArg>();
    const std::vector<UOp> opened = fresh_ranges_at(idx, reduced_extents(u));
    Index at = idx;
    size_t next = 0;
    for (size_t a = 0; a < at.size(); ++a) if (axes >> a & 1) at[a] = opened[next++];
    return close(monoid, value(u.src(0), at, launch), {}, opened);
  }
  // Along a loop of the group, which is sequential for its sake.
  UOp scan(const UOp& u, const Index& idx, PlanLaunch& launch) {
    const auto [monoid, axis, inclusive] = u.as<ScanArg>();
    const UOp& along = idx[static_cast<size_t>(axis)];
    State states;
    for (const UOp& s : u.src()) states.push_back(value(s, idx, launch));
    if (states.size() < components(monoid)) states = lift(monoid, states[0], along);
    for (size_t i = 0; i < states.size(); ++i) states[i] = cast(states[i], component_dtype(monoid, i, u.dtype()));
    states.push_back(along);
    return UOp::make(Op::Scan, states, u.arg());
  }
  UOp overlap_add(const UOp& u, const Index& idx, PlanLaunch& launch) {
    const auto axis = static_cast<size_t>(u.as<WindowArg>().axis);
    const Dim terms = overlap_terms(u);
    const UOp n = fresh_ranges_at(idx, std::span(&terms, 1))[0];
    const Overlap term = overlap_term(u, idx[axis], n);
    Index at = idx;
    at[axis] = term.position;
    at.push_back(term.element);
    const UOp outer = gate_;
    gate_ = and_(gate_, term.gate);
    const UOp v = value_under_gate(u.src(0), at, launch);
    gate_ = outer;
    return close(Monoid::Sum, v, term.gate, {n});
  }
  // Whether a value is 0 already where the gate is false. (Were the other factor of a product infinite there, it would be nan: padding with
  // zeros is what a convolution means.)
  bool vanishes(const UOp& v, const UOp& gate) const {
    if (!gate) return true;
    return among(conjunction(gate), needs(v));
  }
  // Conditions where one of which is false a value is 0: of an element loaded under them or from among zeros, of a factor.
  std::vector<UOp> needs(const UOp& v) const {
    std::vector<UOp> out;
    if (v.op() == Op::Mul)
      for (const UOp& f : v.src())
        if (f.op() == Op::Load) for (UOp& c : needs(f)) out.push_back(std::move(c));
    if (v.op() != Op::Load) return out;
    if (v.src().size() > 2) out = conjunction(v.src(2));
    if (auto it = covered_.find(v); it != covered_.end()) out.insert(out.end(), it->second.begin(), it->second.end());
    return out;
  }
  // A sum of sums over loops of its own is one sum.
  UOp close(Monoid m, const UOp& v, const UOp& gate, const std::vector<UOp>& opened) {
    std::vector<UOp> src{v};
    uint64_t used = 0;
    for (const UOp& r : opened) if (r.op() == Op::Range) { src.push_back(r); used |= r.ranges(); }
    if (m == Monoid::Sum && v.op() == Op::Reduce && v.as<ReduceArg>().monoid == m) {
      uint64_t inner = 0;
      for (const UOp& r : reduce_ranges(v)) inner |= r.ranges();
      if (!(inner & used)) {
        src[0] = v.src(0);
        src.insert(src.end(), v.src().begin() + 1, v.src().end());
      }
    }
    if (!vanishes(src[0], gate)) src[0] = gated(gate, src[0]);
    if (components(m) > 1) {  // position in row-major order of what is reduced
      UOp at = index(0);
      for (const UOp& r : opened) at = r.op() == Op::Range ? at * r.src(0) + r : at;
      src.push_back(simplify(at));
    } else if (src.size() == 1) {
      return src[0];
    }
    return UOp::make(Op::Reduce, src, ReduceArg{m, 0});
  }

  std::span<const UOp> roots_;
  Demands demands_;
  Plan plan_;
  std::unordered_map<UOp, int> buffers_;
  std::vector<PlanLaunch> kernels_;
  int group_ = 0;
  UOp gate_;  // of the value being computed
  std::unordered_map<UOp, std::vector<UOp>> covered_;  // load -> conditions under which alone it is not 0
  std::map<std::pair<const detail::Node*, std::vector<const detail::Node*>>, UOp> values_;
  std::unordered_map<UOp, int> slots_;
  std::vector<UOp> keep_;
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
    out += fmt::format("{}(b{})", l.kernel.name(), fmt::join(l.buffers, ", b"));
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
