// See group.hpp.
#include "codegen/group.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/access.hpp"
#include "ir/monoid.hpp"
#include "ir/symbolic.hpp"
#include "tg/error.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {

UOp reduced_range(const Nest& nest, const Verb& v) {
  const auto refuse = [&](std::string_view why) { throw ValueError(fmt::format("{}: {}", to_string(v), why)); };
  const int axis = nest.find(v.axis);
  if (axis < 0) refuse("no such axis");
  const auto split = std::find_if(nest.splits.begin(), nest.splits.end(), [&](const Split& s) { return s.axes[0] == axis; });
  if (split == nest.splits.end() || !split->reduces()) refuse("not a reduction's range");
  return split->original;
}

Grouped group(const Kernel& k, const Nest& nest, const Verb& v) {
  const auto refuse = [&](std::string_view why) { throw ValueError(fmt::format("{}: {}", to_string(v), why)); };
  const UOp r = reduced_range(nest, v);
  std::vector<UOp> users;
  uint64_t ids = 0;
  for (const UOp& u : toposort(k.stores)) {
    if (u.op() == Op::Range) ids |= uint64_t{1} << u.as<RangeArg>().id;
    if (u.op() != Op::Reduce) continue;
    const auto closed = reduce_ranges(u);
    if (std::find(closed.begin(), closed.end(), r) != closed.end()) users.push_back(u);
  }
  if (users.size() != 1) refuse("the range belongs to several reductions");
  const UOp whole = users[0];
  const Monoid monoid = whole.as<ReduceArg>().monoid;
  if (components(monoid) > 1) refuse("a reduction to several values");
  if (ids >> 61) refuse("too many ranges");
  if (v.rows && (k.ranges.empty() || !(whole.ranges() & k.ranges.back().ranges()))) refuse("the last range does not go along rows");
  if (v.rows && (!is_const(r.src(0)) || extent(r) < v.rows)) refuse("not so many steps");

  int id = 0;
  while (ids >> id) ++id;
  const Dim n(r.src(0));
  const auto least = [](const UOp& a, const Dim& b) { return Dim(simplify(where(less(a, b.expr()), a, b.expr()))); };
  // The reduction over a part of r: where its steps begin, and how many there are.
  const auto part = [&](const UOp& begin, const Dim& steps) {
    const UOp inner = range(steps, r.as<RangeArg>().id, RangeKind::Reduce);
    std::vector<UOp> src(whole.src().begin(), whole.src().end());
    src[0] = substitute(src[0], {{r, begin + inner}});
    for (size_t i = 1; i < src.size(); ++i) if (src[i] == r) src[i] = inner;
    return whole.with(src);
  };

  // What is split: the steps, or the rounds of so many of them; a part has `block` of these, the last one perhaps fewer.
  const Dim split = v.rows ? Dim(n.value() / v.rows) : n, block = floor_div(split + Dim(v.size - 1), Dim(v.size)),
            parts = floor_div(split + block - Dim(1), block);
  const UOp g = range(parts, id, RangeKind::Output), begin = g * block.expr();
  const bool even = split.known() && split.value() % block.value() == 0;
  const Dim own = even ? block : least(split.expr() - begin, block);

  std::vector<UOp> outs, params = k.params;
  UOp place = g;
  for (const UOp& o : k.ranges) {
    if (!(whole.ranges() & o.ranges())) continue;
    outs.push_back(o);
    place = place * o.src(0) + o;
  }
  const UOp memory = param(static_cast<int>(params.size()), whole.dtype()), again = range(parts, id, RangeKind::Reduce);
  params.push_back(memory);
  UOp made, joined = UOp::make(Op::Reduce, {load(memory, substitute(place, {{g, again}})), again}, whole.arg());
  outs.insert(outs.begin(), g);
  Grouped out;
  if (v.rows) {
    const UOp round = range(own, id + 1, RangeKind::Output);
    const UOp before = where(less(round, 1), identity(monoid, whole.dtype())[0], load(memory, place));
    made = combine(monoid, {before}, {part((begin + round) * v.rows, v.rows)})[0];
    if (const int64_t left = n.value() % v.rows) joined = combine(monoid, {joined}, {part(index(n.value() - left), left)})[0];
    outs.insert(outs.end() - 1, round);
    out.partial.sequential = round.ranges();
  } else {
    made = part(begin, own);
  }
  out.partial.stores = {simplify(store(memory, place, made))};
  out.partial.ranges = outs;
  out.final.stores = simplify(substitute(k.stores, {{whole, joined}}));
  out.final.ranges = k.ranges;
  out.final.sequential = k.sequential;
  for (Kernel* phase : {&out.partial, &out.final}) {
    phase->params = params;
    phase->variables = k.variables;
  }
  out.elements = parts;
  for (const UOp& o : k.ranges) if (whole.ranges() & o.ranges()) out.elements = out.elements * Dim(o.src(0));
  return out;
}

}  // namespace tg
