// See group.hpp.
#include "codegen/group.hpp"

#include <algorithm>

#include "codegen/access.hpp"
#include "ir/monoid.hpp"
#include "ir/symbolic.hpp"
#include "tg/error.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {

namespace {

/// The reductions over range r, which the verb may split: one, or several side by side that depend on the same loops.
std::vector<UOp> reductions_over(const UOp& r, const std::vector<UOp>& nodes, const Verb& v) {
  std::vector<UOp> users;
  for (const UOp& u : nodes) {
    if (u.op() != Op::Reduce) continue;
    const auto closed = reduce_ranges(u);
    if (std::find(closed.begin(), closed.end(), r) != closed.end()) users.push_back(u);
  }
  if (users.empty()) refuse(v, "no reduction over it");
  const UOp& first = users[0];
  for (const UOp& u : users) {
    if (components(u.as<ReduceArg>().monoid) > 1) refuse(v, "a reduction to several values");
    if (u == first) continue;
    if (v.rows || u.dtype() != first.dtype() || u.ranges() != first.ranges()) refuse(v, "the range belongs to several reductions");
    for (const UOp& other : users) if (!(other == u) && reads(u, other)) refuse(v, "a reduction of what the range is reduced to");
  }
  return users;
}

/// Whether all that the kernel does with a reduction is to store it: rounds then add to what is stored.
bool at_its_place(const Kernel& k, const UOp& whole) {
  const UOp& s = k.stores[0];
  if (k.stores.size() > 1 || s.src().size() > 3 || !(s.src(2) == whole) || s.src(0).dtype() != whole.dtype()) return false;
  return std::ranges::none_of(toposort(whole), [&](const UOp& u) { return u.op() == Op::Load && u.src(0) == s.src(0); });
}

}  // namespace

UOp reduced_range(const Nest& nest, const Verb& v) {
  const int axis = nest.find(v.axis);
  if (axis < 0) refuse(v, "no such axis");
  const auto split = std::find_if(nest.splits.begin(), nest.splits.end(), [&](const Split& s) { return s.axes[0] == axis; });
  if (split == nest.splits.end() || !split->reduces()) refuse(v, "not a reduction's range");
  return split->original;
}

Grouped group(const Kernel& k, const Nest& nest, const Verb& v) {
  const UOp r = reduced_range(nest, v);
  const std::vector<UOp> nodes = toposort(k.stores), users = reductions_over(r, nodes, v);
  const UOp& whole = users[0];
  uint64_t ids = 0;
  for (const UOp& u : nodes) if (u.op() == Op::Range) ids |= uint64_t{1} << u.as<RangeArg>().id;
  std::vector<UOp> outs;
  for (const UOp& o : k.ranges) if (whole.ranges() & o.ranges()) outs.push_back(o);
  if (ids >> 61) refuse(v, "too many ranges");
  if (v.rows && (k.ranges.empty() || !(whole.ranges() & k.ranges.back().ranges()))) refuse(v, "the last range does not go along rows");
  if (v.rows && (!is_const(r.src(0)) || extent(r) < v.rows)) refuse(v, "not so many steps");

  int id = 0;
  while (ids >> id) ++id;
  const Dim n(r.src(0));
  if (n.known() && n.value() == 0) refuse(v, "a reduction of no steps");
  const auto least = [](const UOp& a, const Dim& b) { return Dim(simplify(where(less(a, b.expr()), a, b.expr()))); };
  // A reduction over a part of r: where its steps begin, and how many there are.
  const auto part = [&](const UOp& u, const UOp& begin, const Dim& steps) {
    const UOp inner = range(steps, r.as<RangeArg>().id, RangeKind::Reduce);
    std::vector<UOp> src(u.src().begin(), u.src().end());
    src[0] = substitute(src[0], {{r, begin + inner}});
    for (size_t i = 1; i < src.size(); ++i) if (src[i] == r) src[i] = inner;
    return u.with(src);
  };

  // What is split: the steps, or the rounds of so many of them; a part has `block` of these, the last one perhaps fewer.
  const Dim split = v.rows ? Dim(n.value() / v.rows) : n;
  const int64_t wanted = std::min(v.size, std::max<int64_t>(split.max(), 1));
  const Dim block = floor_div(split + Dim(wanted - 1), Dim(wanted)), parts = floor_div(split + block - Dim(1), block);
  const UOp g = range(parts, id, RangeKind::Output), begin = g * block.expr();
  const bool even = split.known() && split.value() % block.value() == 0;
  const Dim own = even ? block : least(split.expr() - begin, block);

  std::vector<UOp> params = k.params;
  Grouped out;
  out.elements = parts;
  UOp place = g;
  for (const UOp& o : outs) {
    place = place * o.src(0) + o;
    out.elements = out.elements * Dim(o.src(0));
  }
  const bool here = out.in_place =
      v.size == 1 && v.rows && n.value() % v.rows == 0 && !k.sequential && outs.size() == k.ranges.size() && at_its_place(k, whole);
  const UOp memory = here ? UOp(k.stores[0].src(0)) : param(static_cast<int>(params.size()), whole.dtype()),
            again = range(parts, id, RangeKind::Reduce);
  if (here) {
    place = k.stores[0].src(1);
  } else {
    params.push_back(memory);
    outs.insert(outs.begin(), g);
  }
  Substitution joins;
  UOp at = place;  // the parts of one reduction lie behind those of another
  for (const UOp& u : users) {
    const Monoid monoid = u.as<ReduceArg>().monoid;
    UOp made, joined = UOp::make(Op::Reduce, {load(memory, substitute(at, {{g, again}})), again}, u.arg());
    if (v.rows) {
      const UOp round = range(own, id + 1, RangeKind::Output);
      const UOp before = where(less(round, 1), identity(monoid, u.dtype())[0], load(memory, at));
      made = combine(monoid, {before}, {part(u, (here ? round : begin + round) * v.rows, v.rows)})[0];
      if (const int64_t left = n.value() % v.rows) joined = combine(monoid, {joined}, {part(u, index(n.value() - left), left)})[0];
      outs.insert(outs.end() - 1, round);
      out.partial.sequential = uint64_t{1} << (id + 1);  // not the parts, on which the number of rounds may depend
    } else {
      made = part(u, begin, own);
    }
    out.partial.stores.push_back(store(memory, at, made));
    joins[u] = joined;
    at = at + out.elements.expr();
  }
  out.elements = out.elements * Dim(static_cast<int64_t>(users.size()));
  out.partial.stores = simplify(out.partial.stores);
  out.partial.ranges = outs;
  out.final.stores = simplify(substitute(k.stores, joins));
  out.final.ranges = k.ranges;
  out.final.sequential = k.sequential;
  for (Kernel* phase : {&out.partial, &out.final}) {
    phase->params = params;
    phase->variables = k.variables;
  }
  return out;
}

}  // namespace tg
