// See make_kernel.hpp. Each stored node becomes a store of one scalar expression, built by walking from it back to memory with indices.
#include "schedule/make_kernel.hpp"

#include <algorithm>
#include <map>
#include <ranges>
#include <utility>

#include <fmt/format.h>

#include "ir/monoid.hpp"
#include "ir/symbolic.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

UOp and_(const UOp& a, const UOp& b) { return !a ? b : !b ? a : a & b; }
UOp gated(const UOp& gate, const UOp& value) { return gate ? where(gate, value, constant(value.dtype(), 0)) : value; }

bool among(const std::vector<UOp>& some, const std::vector<UOp>& all) {
  return std::ranges::all_of(some, [&](const UOp& u) { return std::ranges::find(all, u) != all.end(); });
}

class KernelMaker {
 public:
  KernelMaker(const Demands& demands, int group, const BufferOf& buffer_of)
      : demands_(demands), number_(group), group_(demands.groups[static_cast<size_t>(group)]), buffer_of_(buffer_of) {}

  PlanLaunch operator()() {
    std::vector<UOp> stores;
    for (const UOp& u : group_.outputs) {
      const UOp to = param_of(u);
      stores.push_back(u.op() == Op::Scatter ? scatter_store(u, to) : plain_store(u, to));
    }
    Kernel& k = launch_.kernel;
    k.stores = with_checks(std::move(stores));
    drop_unread();
    k.ranges = group_.ranges;
    k.sequential = group_.sequential;
    for (const UOp& u : toposort(k.stores)) {
      if (u.op() != Op::Variable) continue;
      k.variables.push_back(u);
      const auto own = std::ranges::find(numbered_, u, &std::pair<UOp, UOp>::second);
      launch_.scalars.push_back(own == numbered_.end() ? u : own->first);
    }
    return std::move(launch_);
  }

 private:
  // ---- stores ----

  UOp param_of(const UOp& u) {
    auto [it, fresh] = slots_.try_emplace(u, static_cast<int>(launch_.buffers.size()));
    if (fresh) {
      launch_.buffers.push_back(buffer_of_(u));
      launch_.kernel.params.push_back(param(it->second, u.dtype()));
    }
    return launch_.kernel.params[static_cast<size_t>(it->second)];
  }
  // Numbers that are no sizes are numbered as they are met, so that what differs in which they are is one kernel: draws of random numbers,
  // each of which has a key of its own.
  UOp scalar_of(const UOp& variable) {
    if (variable.dtype() == DType::index) return variable;
    const auto known = std::ranges::find(numbered_, variable, &std::pair<UOp, UOp>::first);
    if (known != numbered_.end()) return known->second;
    return numbered_.emplace_back(variable, scalar_variable(fmt::format("s{}", numbered_.size()), variable.dtype())).second;
  }
  // What nothing is read from after all, such as the other parts of a Stack of which one element is wanted, is no argument.
  void drop_unread() {
    Kernel& k = launch_.kernel;
    const std::vector<UOp> all = toposort(k.stores), params = std::exchange(k.params, {});
    const std::vector<int> buffers = std::exchange(launch_.buffers, {});
    Substitution renumbered;
    for (size_t i = 0; i < params.size(); ++i) {
      if (std::ranges::find(all, params[i]) == all.end()) continue;
      k.params.push_back(param(static_cast<int>(k.params.size()), params[i].dtype()));
      launch_.buffers.push_back(buffers[i]);
      renumbered[params[i]] = k.params.back();
    }
    if (k.params.size() < params.size()) k.stores = simplify(substitute(k.stores, renumbered));
  }
  UOp plain_store(const UOp& u, const UOp& to) {
    const auto zeros = demands_.halo.find(u);
    if (zeros == demands_.halo.end()) {
      const Indices idx = group_.index_of(u.shape());
      return store(to, linear(idx, u.shape()), compute(u, idx));
    }
    const UOp place = linear(group_.index, group_.shape);
    if (const auto fill = demands_.first_store.find(u); fill != demands_.first_store.end()) {
      if (fill->second == number_) {
        const UOp in = inside(zeros->second.inner(group_.index), u.shape());
        return UOp::make(Op::Store, {to, place, constant(u.dtype(), 0), logical_not(in)});
      }
      return store(to, linear(zeros->second.outer(group_.index), zeros->second.padded(u.shape())), compute(u, group_.index));
    }
    const Indices idx = zeros->second.inner(group_.index);
    gate_ = inside(idx, u.shape());
    const UOp v = gated(gate_, compute(u, idx));
    gate_ = {};
    return store(to, place, v);
  }
  // When an index lies inside a shape; empty: always.
  static UOp inside(const Indices& idx, const Shape& shape) {
    UOp gate;
    for (size_t a = 0; a < idx.size(); ++a) gate = and_(gate, within(idx[a], index(0), shape[a].expr()));
    return gate;
  }
  UOp scatter_store(const UOp& u, const UOp& to) {
    if (const auto first = demands_.first_store.find(u); first != demands_.first_store.end() && first->second == number_)
      return store(to, linear(group_.index, u.shape()), value(u.src(0), group_.index));
    const UOp at = place_of(u, group_.index), v = value(u.src(2), group_.index);
    return store(to, at, u.as<ScatterArg>().mode == ScatterMode::Add ? load(to, at) + v : v,
                 some(u.shape()[static_cast<size_t>(u.as<ScatterArg>().axis)]));
  }
  // Where in a scatter's memory the value at idx belongs.
  UOp place_of(const UOp& u, const Indices& idx) {
    const int32_t axis = u.as<ScatterArg>().axis;
    const auto begin = idx.begin() + axis;
    const Indices along(begin, begin + static_cast<ptrdiff_t>(u.src(1).shape().rank()));
    Indices at(idx.begin(), begin);
    at.push_back(checked(u.src(1), along, u.shape()[static_cast<size_t>(axis)]));
    at.insert(at.end(), begin + static_cast<ptrdiff_t>(along.size()), idx.end());
    return linear(at, u.shape());
  }

  // ---- indices that are data ----

  // What the index `at` says at `along`, which must be inside an axis of that size.
  UOp checked(const UOp& at, const Indices& along, const Dim& size) {
    if (at.shape().numel() == Dim(0)) return index(0);  // nobody's, whatever loops of no rounds it seems not to depend on
    const UOp i = cast(value(at, along), DType::index);
    if (i.bounds().min >= 0 && i.bounds().max < size.min()) return i;
    uint64_t own = i.ranges();
    for (const UOp& a : along) own |= a.ranges();
    UOp here;  // where it is somebody's: a row's index is, whatever the columns
    if (gate_) for (const UOp& c : conjunction(gate_)) if (!c.ranges() || (c.ranges() & own)) here = and_(here, c);
    const UOp c = UOp::make(Op::Check, {i, size.expr()}, int64_t{0}), out = here ? passing_outside(here, c) : c;
    std::vector<UOp> over{out};  // the loops of reductions around it; of those with one number the innermost
    uint64_t left = out.ranges();
    for (const UOp& r : open_ | std::views::reverse)
      if (left & r.ranges()) over.push_back(r), left &= ~r.ranges();
    checks_.push_back(over.size() == 1 ? out : UOp::make(Op::Reduce, over, ReduceArg{Monoid::Max, 0}));
    return out;
  }
  // Of an axis that may have no elements nothing is read or written: the condition that it has some; empty: it has.
  static UOp some(const Dim& size) { return size.min() > 0 ? UOp() : simplify(less(index(0), size.expr())); }
  // The stores, simplified. What they depend on is checked on the way; what nothing depends on (along an axis of one element, of a
  // constant, of what was expanded), before the first of them is made.
  std::vector<UOp> with_checks(std::vector<UOp> stores) const {
    size_t n = stores.size();
    stores.insert(stores.end(), checks_.begin(), checks_.end());
    stores = rewrite(stores, exact_rules());
    std::vector<UOp> made(stores.begin(), stores.begin() + static_cast<ptrdiff_t>(n));
    for (size_t i = stores.size(); i-- > n;) {  // the later may depend on the earlier
      const UOp& c = stores[i].op() == Op::Reduce ? stores[i].src(0) : stores[i];
      const std::vector<UOp> all = toposort(made);
      if (std::ranges::find(all, c) == all.end()) made.insert(made.begin() + static_cast<ptrdiff_t>(n), stores[i]);
    }
    stores.resize(n);
    if (made.size() == n) return stores;
    made[--n] = stores[0].src(2);
    std::vector<UOp> first(stores[0].src().begin(), stores[0].src().end());
    first[2] = UOp::make(Op::After, std::span<const UOp>(made).subspan(n), {});
    stores[0] = stores[0].with(first);
    return stores;
  }

  // ---- expressions ----

  // The value of u at idx: from memory if it is stored elsewhere, else computed here. Under a gate every load below carries it, since
  // the index may lie outside where the gate is false.
  UOp value(const UOp& u, const Indices& idx, const UOp& gate = {}) {
    const UOp outer = gate_;
    gate_ = and_(gate_, gate);
    UOp v = value_under_gate(u, idx);
    gate_ = outer;
    return vanishes(v, gate) ? v : gated(gate, v);
  }
  // An element of memory. Where the index cannot lie outside there is no gate; what a halo of zeros covers needs none either. Of what holds
  // here it is tested that the index lies inside, if that is among it.
  UOp element(const UOp& u, const Indices& idx) {
    const UOp outside = inside(idx, u.shape());
    const auto zeros = demands_.halo.find(u);
    if (zeros == demands_.halo.end()) return load(param_of(u), linear(idx, u.shape()), tested(outside));
    const Shape padded = zeros->second.padded(u.shape());
    const Indices at = zeros->second.outer(idx);
    const UOp v = load(param_of(u), linear(at, padded), tested(inside(at, padded)));
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
  UOp value_under_gate(const UOp& u, const Indices& idx) {
    if (u.op() == Op::Param) return element(u, idx);
    const auto home = demands_.home.find(u);
    const bool elsewhere = home != demands_.home.end() && (home->second != number_ || u.op() == Op::Scatter);
    if (elsewhere) return element(u, idx);
    auto key = std::make_pair(u.node(), ids(idx));
    key.second.push_back(gate_.node());
    if (auto it = values_.find(key); it != values_.end()) return it->second;
    UOp v = compute(u, idx);
    values_.emplace(std::move(key), v);
    return v;
  }
  static std::vector<const detail::Node*> ids(const Indices& idx) {
    std::vector<const detail::Node*> out;
    for (const UOp& i : idx) out.push_back(i.node());
    return out;
  }

  UOp compute(const UOp& u, const Indices& idx) {
    keep_.insert(keep_.end(), idx.begin(), idx.end());  // their addresses are keys
    keep_.push_back(gate_);
    switch (u.op()) {
      case Op::Const: return u;
      case Op::Variable: return scalar_of(u);
      case Op::Iota: return cast(idx[0], u.dtype());
      case Op::Assign: return value(u.src(1), idx);
      case Op::Reduce: return reduce(u, idx);
      case Op::Scan: return scan(u, idx);
      case Op::OverlapAdd: return overlap_add(u, idx);
      case Op::Get:
        if (u.src(0).op() == Op::Scatter) return load(param_of(u.src(0)), place_of(u.src(0), idx));
        return UOp::make(Op::Get, {value(u.src(0), idx)}, u.arg(), u.dtype());
      case Op::Stack: {
        UOp v;
        for (size_t i = u.src().size(); i-- > 0;) {
          const UOp here = value(u.src(i), Indices(idx.begin() + 1, idx.end()));
          v = v ? where(less(idx[0], static_cast<int64_t>(i) + 1), here, v) : here;
        }
        return v;
      }
      case Op::Gather: {
        const auto begin = idx.begin() + static_cast<ptrdiff_t>(std::get<int64_t>(u.arg()));
        const auto end = begin + static_cast<ptrdiff_t>(u.src(1).shape().rank());
        const Dim& size = u.src(0).shape()[static_cast<size_t>(begin - idx.begin())];
        Indices at(idx.begin(), begin);
        at.push_back(checked(u.src(1), Indices(begin, end), size));
        at.insert(at.end(), end, idx.end());
        return value(u.src(0), at, some(size));
      }
      default: break;
    }
    if (u.op() == Op::Pad) return value(u.src(0), source_index(u, 0, idx), source_gate(u, idx));
    std::vector<UOp> src;
    for (size_t i = 0; i < u.src().size(); ++i) src.push_back(value(u.src(i), source_index(u, i, idx)));
    if (!is_elementwise(u.op())) return src[0];  // a movement
    return UOp::make(u.op(), src, u.arg(), u.dtype());
  }

  // Ranges other than those that are open there: in the index, and in the gate that the loads inside will carry.
  std::vector<UOp> fresh_ranges_at(Indices idx, std::span<const Dim> extents) const {
    if (gate_) idx.push_back(gate_);
    return fresh_ranges(idx, extents);
  }
  template <class F> UOp within_loops(const std::vector<UOp>& opened, F body) {
    const size_t outside = open_.size();
    for (const UOp& r : opened) if (r.op() == Op::Range) open_.push_back(r);
    const UOp v = body();
    open_.resize(outside);
    return v;
  }
  UOp reduce(const UOp& u, const Indices& idx) {
    const auto [monoid, axes] = u.as<ReduceArg>();
    const std::vector<UOp> opened = fresh_ranges_at(idx, reduced_extents(u));
    Indices at = idx;
    size_t next = 0;
    for (size_t a = 0; a < at.size(); ++a) if (axes >> a & 1) at[a] = opened[next++];
    const UOp v = within_loops(opened, [&] { return value(u.src(0), at); });
    return close(monoid, v, {}, opened);
  }
  // Along a loop of the group, which is sequential for its sake.
  UOp scan(const UOp& u, const Indices& idx) {
    const auto [monoid, axis, inclusive] = u.as<ScanArg>();
    const UOp& along = idx[static_cast<size_t>(axis)];
    State states;
    for (const UOp& s : u.src()) states.push_back(value(s, idx));
    if (states.size() < components(monoid)) states = lift(monoid, states[0], along);
    for (size_t i = 0; i < states.size(); ++i) states[i] = cast(states[i], component_dtype(monoid, i, u.dtype()));
    states.push_back(along);
    return UOp::make(Op::Scan, states, u.arg());
  }
  UOp overlap_add(const UOp& u, const Indices& idx) {
    const auto axis = static_cast<size_t>(u.as<WindowArg>().axis);
    const Dim terms = overlap_terms(u);
    const UOp n = fresh_ranges_at(idx, std::span(&terms, 1))[0];
    const Overlap term = overlap_term(u, idx[axis], n);
    Indices at = idx;
    at[axis] = term.position;
    at.push_back(term.element);
    const UOp outer = gate_;
    gate_ = and_(gate_, term.gate);
    const UOp v = within_loops({n}, [&] { return value_under_gate(u.src(0), at); });
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

  const Demands& demands_;
  const int number_;
  const Group& group_;
  const BufferOf& buffer_of_;
  PlanLaunch launch_;
  UOp gate_;  // of the value being computed
  std::vector<UOp> open_;    // loops of the reductions that are being made
  std::vector<UOp> checks_;  // all that were made, over the loops of reductions around them, in that order
  std::unordered_map<UOp, std::vector<UOp>> covered_;  // load -> conditions under which alone it is not 0
  std::map<std::pair<const detail::Node*, std::vector<const detail::Node*>>, UOp> values_;
  std::unordered_map<UOp, int> slots_;
  std::vector<std::pair<UOp, UOp>> numbered_;  // variables of the plan, each with that of the kernel
  std::vector<UOp> keep_;
};

}  // namespace

PlanLaunch make_kernel(const Demands& demands, int group, const BufferOf& buffer_of) { return KernelMaker(demands, group, buffer_of)(); }

}  // namespace tg
