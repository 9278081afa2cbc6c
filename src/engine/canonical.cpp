// See canonical.hpp.
#include "engine/canonical.hpp"

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "engine/pieces.hpp"
#include "schedule/share_numbers.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

using Node = detail::Node;

// The nodes whose values someone outside this run can still ask for, or for a value that is computed from them.
std::unordered_set<const Node*> wanted_after(std::span<const UOp* const> order, std::span<const UOp> roots) {
  std::unordered_map<const Node*, size_t> edges;
  for (const UOp* u : order)
    if (!u->storage() && u->op() != Op::Bind) for (const UOp& s : u->src()) ++edges[s.node()];
  std::unordered_set<const Node*> assigned, out;  // roots that are assignments: who holds them holds the target's new value
  for (const UOp& r : roots) if (r.op() == Op::Assign) assigned.insert(r.node());
  for (size_t i = order.size(); i-- > 0;) {
    const UOp& u = *order[i];
    if (!assigned.contains(u.node()) && detail::uses(u) > edges[u.node()]) out.insert(u.node());
    if (out.contains(u.node()) && !u.storage() && u.op() != Op::Bind) for (const UOp& s : u.src()) out.insert(s.node());
  }
  return out;
}

UOp cut_from(const UOp& memory, int64_t before, const Shape& shape) {
  return UOp::make(Op::Reshape, {UOp::make(Op::Shrink, {memory}, Shape{Dim(before), memory.shape()[0]})}, shape);
}

// Whether nobody else has the same memory through another node.
bool sole_owner(const UOp& target) {
  const auto buffer = buffer_of(target);
  return buffer && buffer.use_count() <= 2 && buffer->memory.use_count() <= 1 && !buffer->memory->borrowed();  // the node's and ours
}

}  // namespace

std::vector<const UOp*> nodes_to_compute(std::span<const UOp> roots) {
  constexpr size_t kUsual = 32;  // nodes of what is computed by itself
  std::vector<const UOp*> order;
  detail::NodeMap<char> seen;
  std::vector<std::pair<const UOp*, bool>> stack;
  order.reserve(kUsual), stack.reserve(kUsual);
  for (const UOp& r : roots) {
    stack.emplace_back(&r, false);
    while (!stack.empty()) {
      auto [u, ready] = stack.back();
      stack.pop_back();
      if (ready) { order.push_back(u); continue; }
      if (!seen.add(u->node()).second) continue;
      stack.emplace_back(u, true);
      if (u->storage() || u->op() == Op::Bind) continue;
      const auto src = u->op() == Op::Function ? u->src().first(1) : u->src();  // the others are for its gradient
      for (size_t i = src.size(); i-- > 0;) if (!seen.contains(src[i].node())) stack.emplace_back(&src[i], false);
    }
  }
  return order;
}

Canonical::Canonical(std::span<const UOp> roots, std::span<const UOp* const> order) {
  steps_.reserve(order.size());
  std::unordered_set<const Node*> in_place;
  if (std::ranges::any_of(order, [](const UOp* u) { return u->op() == Op::Assign && !u->storage(); })) {
    const std::unordered_set<const Node*> wanted = wanted_after(order, roots);
    for (const UOp* u : order)
      if (u->op() == Op::Assign && !u->storage() && !wanted.contains(u->src(0).node()) && sole_owner(u->src(0))) in_place.insert(u->node());
  }
  detail::NodeMap<int> slots;  // by memory
  const Pieces parts = pieces(order, roots);
  for (const UOp* u : order) {
    if (parts.cut.contains(u->node())) continue;
    for (const Dim& d : u->shape()) if (!d.known()) for (const UOp& n : toposort(d.expr())) if (n.op() == Op::Bind) bind(n);
    Step step{u};
    if (auto memory = u->op() == Op::Const ? nullptr : buffer_of(*u)) {  // a constant is a number in the code, whoever realized it
      const auto [slot, fresh] = slots.add(memory.get());
      if (fresh) slot = static_cast<int>(inputs.size()), inputs.push_back(std::move(memory));
      step.slot = slot;
    } else if (const auto piece = parts.of.find(u->node()); piece != parts.of.end()) {
      step.slot = static_cast<int>(inputs.size());
      step.before = piece->second.before;
      inputs.push_back(piece->second.memory);
    } else if (u->op() == Op::Bind) bind(*u);
    else if (u->op() == Op::Assign) {
      step.in_place = in_place.contains(u->node());
      assignments.push_back(*u);
    }
    step.hash = hash_of(step);
    places_.add(u->node()).first = steps_.size();
    steps_.push_back(step);
  }
  for (const UOp& r : roots) roots_.push_back(*places_.find(r.node()));
}

void Canonical::bind(const UOp& u) {
  if (binds_.contains(u)) return;
  const auto& v = u.src(0).as<VariableArg>();
  binds_[u] = bind_value(u.src(1), v.min, v.max);
}
const UOp& Canonical::bind_value(const UOp& value, int64_t min, int64_t max) {
  values.push_back(is_float(value.dtype()) ? std::bit_cast<int64_t>(value.as<double>()) : value.as<int64_t>());
  return variables.emplace_back(
      UOp::make(Op::Variable, {}, VariableArg{Name(fmt::format("v{}", variables.size())), min, max}, value.dtype()));
}

std::vector<size_t> Canonical::places_of_numbers() const {
  std::vector<char> fixed(steps_.size());
  for (const size_t r : roots_) fixed[r] = 1;
  for (const Step& s : steps_)
    if (s.slot < 0 && !is_elementwise(s.node->op()))
      for (const UOp& x : s.node->src()) if (const size_t* at = places_.find(x.node())) fixed[*at] = 1;
  std::vector<size_t> out;
  for (size_t i = 0; i < steps_.size(); ++i) if (!fixed[i] && may_be_bound(*steps_[i].node)) out.push_back(i);
  return out;
}
std::vector<double> Canonical::numbers() const {
  std::vector<double> out;
  for (const size_t i : places_of_numbers()) out.push_back(steps_[i].node->as<double>());
  return out;
}
void Canonical::rehash() { for (Step& s : steps_) s.hash = hash_of(s); }
Hash128 Canonical::form() {
  int count = static_cast<int>(variables.size());
  const std::vector<size_t> places = places_of_numbers();
  for (const size_t i : places) steps_[i].variable = count++;
  rehash();
  const Hash128 out = key();
  for (const size_t i : places) steps_[i].variable = -1;
  rehash();
  return out;
}
void Canonical::bind_numbers(std::span<const size_t> which) {
  const std::vector<size_t> places = places_of_numbers();
  for (const size_t i : which) {
    Step& s = steps_[places[i]];
    s.variable = static_cast<int>(variables.size());
    bind_value(*s.node, INT64_MIN, INT64_MAX);
  }
  rehash();
}

Shape Canonical::without_binds(const Shape& shape) const {
  if (shape.known()) return shape;
  Dims out;
  for (const Dim& d : shape) out.push_back(d.known() ? d : Dim(substitute(d.expr(), binds_)));
  return out;
}

Arg Canonical::argument(const Step& s) const {
  if (s.node->op() == Op::Assign) return s.in_place ? Arg(int64_t{1}) : Arg();
  Arg arg = s.node->arg();
  if (Shape* shape = std::get_if<Shape>(&arg)) *shape = without_binds(*shape);
  return arg;
}

// Of what roots() makes of it.
Hash128 Canonical::hash_of(const Step& s) const {
  const UOp& u = *s.node;
  if (s.slot >= 0) {
    const auto memory = static_cast<uint64_t>(s.slot) << 8 | static_cast<uint64_t>(u.dtype());
    const Hash128 h = mix(mix(mix(kHashSeed, static_cast<uint64_t>(Op::Param)), memory), without_binds(u.shape()).hash());
    return s.before > 0 ? mix(h, static_cast<uint64_t>(s.before)) : h;
  }
  if (u.op() == Op::Bind) return binds_.at(u).hash();
  if (s.variable >= 0) {
    const auto number = static_cast<uint64_t>(s.variable) << 8 | static_cast<uint64_t>(u.dtype());
    return mix(mix(kHashSeed, static_cast<uint64_t>(Op::Variable)), number);
  }
  if (u.op() == Op::Function) return step_of(u.src(0)).hash;
  Hash128 h = mix(kHashSeed, static_cast<uint64_t>(u.op()) << 8 | static_cast<uint64_t>(u.dtype()));
  const Shape* const shape = std::get_if<Shape>(&u.arg());
  h = mix(h, tg::hash_of(u.op() == Op::Assign || (shape && !shape->known()) ? argument(s) : u.arg()));
  for (const UOp& x : u.src()) h = absorb(h, step_of(x).hash);
  return h;
}

Hash128 Canonical::key() const {
  Hash128 h = mix(kHashSeed, roots_.size());
  for (const size_t r : roots_) h = mix(h, steps_[r].hash);
  return h;
}

std::vector<UOp> Canonical::roots() const {
  std::vector<UOp> made, src;
  for (const Step& s : steps_) {
    const UOp& u = *s.node;
    if (s.before > 0) made.push_back(cut_from(param(s.slot, u.dtype(), Shape{Dim(s.before) + u.shape().numel()}), s.before, u.shape()));
    else if (s.slot >= 0) made.push_back(param(s.slot, u.dtype(), without_binds(u.shape())));
    else if (u.op() == Op::Bind) made.push_back(binds_.at(u));
    else if (s.variable >= 0) made.push_back(variables[static_cast<size_t>(s.variable)]);
    else if (u.op() == Op::Function) made.push_back(made[*places_.find(u.src(0).node())]);
    else {
      src.clear();
      for (const UOp& x : u.src()) src.push_back(made[*places_.find(x.node())]);
      made.push_back(UOp::make(u.op(), src, argument(s), u.dtype()));
    }
  }
  std::vector<UOp> out;
  for (const size_t r : roots_)  // a piece stays whose it is
    out.push_back(made[r].op() == Op::Param && !steps_[r].node->storage() ? UOp::make(Op::Contiguous, {made[r]}) : made[r]);
  return out;
}

}  // namespace tg
