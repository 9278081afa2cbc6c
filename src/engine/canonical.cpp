// See canonical.hpp.
#include "engine/canonical.hpp"

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

using Node = detail::Node;

// Nodes from memory up to the roots, sources first. Pointers, not handles: the counts of handles must stay what the user made them.
std::vector<const UOp*> walk(std::span<const UOp> roots) {
  std::vector<const UOp*> order;
  std::unordered_set<const Node*> seen;
  std::vector<std::pair<const UOp*, bool>> stack;
  for (const UOp& r : roots) {
    stack.emplace_back(&r, false);
    while (!stack.empty()) {
      auto [u, ready] = stack.back();
      stack.pop_back();
      if (ready) { order.push_back(u); continue; }
      if (!seen.insert(u->node()).second) continue;
      stack.emplace_back(u, true);
      if (u->storage() || u->op() == Op::Bind) continue;
      const auto src = u->op() == Op::Function ? u->src().first(1) : u->src();  // the others are for its gradient
      for (size_t i = src.size(); i-- > 0;) if (!seen.contains(src[i].node())) stack.emplace_back(&src[i], false);
    }
  }
  return order;
}

// Whether target's memory may be overwritten: nobody outside this run can still ask for a value that is computed from it, or for the
// same memory through another node.
bool last_reader(const UOp& assign, const std::vector<const UOp*>& order, std::span<const UOp> roots) {
  const auto target = buffer_of(assign.src(0));
  if (!target || target.use_count() > 2 || target->memory.use_count() > 1 || target->memory->borrowed())
    return false;  // the node's and ours; this buffer's
  std::unordered_map<const Node*, size_t> edges;
  std::unordered_set<const Node*> dependent{assign.src(0).node()};
  for (const UOp* u : order) {
    if (u->storage() || u->op() == Op::Bind) continue;
    bool depends = false;
    for (const UOp& s : u->src()) { ++edges[s.node()]; depends |= dependent.contains(s.node()); }
    if (depends) dependent.insert(u->node());
  }
  for (const UOp* u : order) {
    if (!dependent.contains(u->node())) continue;
    const bool asked = std::any_of(roots.begin(), roots.end(), [&](const UOp& r) { return r == *u; });
    if (asked && u->op() == Op::Assign) continue;
    if (detail::uses(*u) > edges[u->node()]) return false;
  }
  return true;
}

Shape without_binds(const Shape& shape, const std::unordered_map<UOp, UOp>& done) {
  if (shape.known()) return shape;
  Dims out;
  for (const Dim& d : shape) out.push_back(d.known() ? d : Dim(substitute(d.expr(), done)));
  return out;
}

}  // namespace

Canonical canonicalize(std::span<const UOp> roots) {
  Canonical out;
  const std::vector<const UOp*> order = walk(roots);
  std::unordered_map<UOp, UOp> done;
  std::unordered_map<const Storage*, UOp> params;
  std::unordered_map<UOp, UOp> binds;
  const auto bind = [&](const UOp& u) {
    if (binds.contains(u)) return;
    const UOp &variable = u.src(0), &value = u.src(1);
    const auto& v = variable.as<VariableArg>();
    const UOp plain =
        UOp::make(Op::Variable, {}, VariableArg{Name(fmt::format("v{}", out.variables.size())), v.min, v.max}, variable.dtype());
    out.variables.push_back(plain);
    out.values.push_back(is_float(value.dtype()) ? std::bit_cast<int64_t>(value.as<double>()) : value.as<int64_t>());
    binds[u] = plain;
  };
  std::vector<std::pair<const UOp*, bool>> in_place;
  for (const UOp* u : order)
    if (u->op() == Op::Assign && !u->storage()) in_place.emplace_back(u, last_reader(*u, order, roots));
  std::vector<UOp> src;
  for (const UOp* u : order) {
    for (const Dim& d : u->shape()) if (!d.known()) for (const UOp& n : toposort(d.expr())) if (n.op() == Op::Bind) bind(n);
    if (auto memory = u->op() == Op::Const ? nullptr : buffer_of(*u)) {  // a constant is a number in the code, whoever realized it
      UOp& p = params[memory.get()];
      const Shape shape = without_binds(u->shape(), binds);
      if (!p) {
        p = param(static_cast<int>(out.inputs.size()), u->dtype(), shape);
        out.inputs.push_back(std::move(memory));
      }
      done[*u] = p.shape() == shape && p.dtype() == u->dtype() ? p : param(p.as<ParamArg>().slot, u->dtype(), shape);
      continue;
    }
    if (u->op() == Op::Bind) {
      bind(*u);
      done[*u] = binds.at(*u);
      continue;
    }
    if (u->op() == Op::Function) {
      done[*u] = done.at(u->src(0));
      continue;
    }
    src.clear();
    for (const UOp& s : u->src()) src.push_back(done.at(s));
    Arg arg = u->arg();
    if (Shape* s = std::get_if<Shape>(&arg)) *s = without_binds(*s, binds);
    if (u->op() == Op::Assign) {
      const auto at = std::find_if(in_place.begin(), in_place.end(), [&](const auto& p) { return p.first == u; });
      arg = at != in_place.end() && at->second ? Arg(int64_t{1}) : Arg();
    }
    done[*u] = UOp::make(u->op(), src, std::move(arg), u->dtype());
  }
  for (const UOp& r : roots) out.roots.push_back(done.at(r));
  return out;
}

Hash128 Canonical::key() const {
  Hash128 h = mix(kHashSeed, roots.size());
  for (const UOp& r : roots) h = mix(h, r.hash());
  return h;
}

}  // namespace tg
