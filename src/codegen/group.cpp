// See group.hpp.
#include "codegen/group.hpp"

#include <algorithm>

#include <fmt/format.h>

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
  if (ids >> 62) refuse("too many ranges");

  int id = 0;
  while (ids >> id) ++id;
  const Dim extent(r.src(0)), block = floor_div(extent + Dim(v.size - 1), Dim(v.size)), parts = floor_div(extent + block - Dim(1), block);
  const UOp g = range(parts, id, RangeKind::Output), left = extent.expr() - g * block.expr();
  const bool even = extent.known() && extent.value() % block.value() == 0;  // else the last part is shorter
  const Dim own = even ? block : Dim(simplify(where(less(left, block.expr()), left, block.expr())));
  const UOp inner = range(own, r.as<RangeArg>().id, RangeKind::Reduce), at = g * block.expr() + inner;

  std::vector<UOp> outs, params = k.params;
  UOp place = g;
  for (const UOp& o : k.ranges) {
    if (!(whole.ranges() & o.ranges())) continue;
    outs.push_back(o);
    place = place * o.src(0) + o;
  }
  const UOp memory = param(static_cast<int>(params.size()), whole.dtype());
  params.push_back(memory);

  std::vector<UOp> src(whole.src().begin(), whole.src().end());
  src[0] = substitute(src[0], {{r, at}});
  for (size_t i = 1; i < src.size(); ++i) if (src[i] == r) src[i] = inner;
  Grouped out;
  out.partial.stores = {simplify(store(memory, place, whole.with(src)))};
  out.partial.ranges = outs;
  out.partial.ranges.insert(out.partial.ranges.begin(), g);
  const UOp again = range(parts, id, RangeKind::Reduce);
  const UOp joined = UOp::make(Op::Reduce, {load(memory, substitute(place, {{g, again}})), again}, whole.arg());
  out.final.stores = simplify(substitute(k.stores, {{whole, joined}}));
  out.final.ranges = k.ranges;
  out.final.sequential = k.sequential;
  for (Kernel* part : {&out.partial, &out.final}) {
    part->params = params;
    part->variables = k.variables;
  }
  out.elements = parts;
  for (const UOp& o : outs) out.elements = out.elements * Dim(o.src(0));
  return out;
}

}  // namespace tg
