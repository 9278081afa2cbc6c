// See canonical.hpp.
#include "engine/canonical.hpp"

#include <algorithm>
#include <bit>
#include <optional>
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

// A piece of memory, as a cut along the outermost axis is. It begins `before` elements behind where the device lets buffers begin.
struct Piece { std::shared_ptr<Buffer> memory; int64_t before; };

const UOp& below_reshapes(const UOp& u) { return u.op() == Op::Reshape && !u.storage() ? below_reshapes(u.src(0)) : u; }

std::optional<Piece> piece_of(const UOp& cut) {
  const UOp &source = cut.src(0), &whole = below_reshapes(source);
  const auto memory = whole.op() == Op::Const ? nullptr : buffer_of(whole);
  const auto& margins = cut.as<Shape>();
  if (!memory || !margins.known() || !source.shape().known() || cut.shape().numel() == Dim(0)) return {};
  int64_t at = 0, step = 1;
  bool all = true;  // of the axes further in
  for (size_t i = source.shape().rank(); i-- > 0;) {
    const int64_t n = cut.shape()[i].value(), of = source.shape()[i].value();
    if (!all && n != 1) return {};
    all &= n == of;
    at += margins[2 * i].value() * step;
    step *= of;
  }
  const int64_t size = static_cast<int64_t>(size_of(cut.dtype())), unit = memory->device().target().alignment, aligned = at * size / unit * unit;
  const auto bytes = static_cast<size_t>((at + cut.shape().numel().value()) * size - aligned);
  return Piece{std::make_shared<Buffer>(memory->memory, bytes, memory->offset + static_cast<size_t>(aligned)), at - aligned / size};
}

// Pieces of memory of which a run reads nothing else: memory of their own, so that the same program over the next piece (a batch, a row)
// is the same plan.
struct Pieces {
  std::unordered_map<const Node*, Piece> of;  // by what cuts them
  std::unordered_set<const Node*> cut;        // what these are cut from
};
Pieces pieces(const std::vector<const UOp*>& order, std::span<const UOp> roots) {
  Pieces out;
  const auto cuts = [](const UOp* u) { return u->op() == Op::Shrink && !u->storage(); };
  if (std::ranges::none_of(order, cuts)) return out;
  std::unordered_map<const void*, size_t> reads;  // of nodes and of memory
  for (const UOp& r : roots) ++reads[r.node()];
  for (const UOp* u : order) {
    if (const auto memory = buffer_of(*u)) ++reads[memory->memory.get()];
    else if (u->op() != Op::Bind) for (const UOp& s : u->op() == Op::Function ? u->src().first(1) : u->src()) ++reads[s.node()];
  }
  for (const UOp* u : order) {
    if (!cuts(u)) continue;
    std::optional<Piece> piece = piece_of(*u);
    if (!piece || reads[piece->memory->memory.get()] > 1) continue;
    std::vector<const Node*> from{u->src(0).node()};
    for (const UOp* s = &u->src(0); s->op() == Op::Reshape && !s->storage(); s = &s->src(0)) from.push_back(s->src(0).node());
    if (std::ranges::any_of(from, [&](const Node* n) { return reads[n] > 1; })) continue;
    out.of.emplace(u->node(), *std::move(piece));
    out.cut.insert(from.begin(), from.end());
  }
  return out;
}
UOp cut_from(const UOp& memory, int64_t before, const Shape& shape) {
  if (before == 0) return memory;
  return UOp::make(Op::Reshape, {UOp::make(Op::Shrink, {memory}, Shape{before, memory.shape()[0].value()})}, shape);
}

// The nodes whose values someone outside this run can still ask for, or for a value that is computed from them.
std::unordered_set<const Node*> wanted_after(const std::vector<const UOp*>& order, std::span<const UOp> roots) {
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

// Whether nobody else has the same memory through another node.
bool sole_owner(const UOp& target) {
  const auto buffer = buffer_of(target);
  return buffer && buffer.use_count() <= 2 && buffer->memory.use_count() <= 1 && !buffer->memory->borrowed();  // the node's and ours
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
  std::unordered_set<const Node*> in_place;  // assignments that may overwrite their target's memory
  if (std::ranges::any_of(order, [](const UOp* u) { return u->op() == Op::Assign && !u->storage(); })) {
    const std::unordered_set<const Node*> wanted = wanted_after(order, roots);
    for (const UOp* u : order)
      if (u->op() == Op::Assign && !u->storage() && !wanted.contains(u->src(0).node()) && sole_owner(u->src(0))) in_place.insert(u->node());
  }
  const Pieces parts = pieces(order, roots);
  std::vector<UOp> src;
  for (const UOp* u : order) {
    if (parts.cut.contains(u->node())) continue;
    if (const auto piece = parts.of.find(u->node()); piece != parts.of.end()) {
      const auto& [memory, before] = piece->second;
      const auto slot = static_cast<int>(out.inputs.size());
      const UOp p = param(slot, u->dtype(), before == 0 ? u->shape() : Shape{Dim(before) + u->shape().numel()});
      out.inputs.push_back(memory);
      done[*u] = cut_from(p, before, u->shape());
      continue;
    }
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
      arg = in_place.contains(u->node()) ? Arg(int64_t{1}) : Arg();
      out.assignments.push_back(*u);
    }
    done[*u] = UOp::make(u->op(), src, std::move(arg), u->dtype());
  }
  for (const UOp& r : roots) {
    const UOp& root = done.at(r);
    out.roots.push_back(root.op() == Op::Param ? UOp::make(Op::Contiguous, {root}) : root);  // a piece, which stays whose it is
  }
  return out;
}

Hash128 Canonical::key() const {
  Hash128 h = mix(kHashSeed, roots.size());
  for (const UOp& r : roots) h = mix(h, r.hash());
  return h;
}

}  // namespace tg
