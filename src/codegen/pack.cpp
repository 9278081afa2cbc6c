// See pack.hpp.
#include "codegen/pack.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/access.hpp"
#include "ir/symbolic.hpp"
#include "tg/error.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {

Read sole_read(const Kernel& k, int slot) {
  Read out;
  for (const UOp& u : toposort(k.stores)) {
    if (u.op() == Op::Store && u.src(0).as<ParamArg>().slot == slot) return {};
    if (u.op() != Op::Load || u.src(0).as<ParamArg>().slot != slot) continue;
    if (out.load) return {};
    out.load = u;
  }
  if (!out.load) return {};
  for (const UOp& u : toposort(k.stores)) {
    if (u.op() != Op::Reduce) continue;
    const auto inside = toposort(u);
    if (std::find(inside.begin(), inside.end(), out.load) == inside.end()) continue;
    if (out.reduce) return {};
    out.reduce = u;
  }
  return out.reduce ? out : Read{};
}

Packed pack(const Kernel& k, const Verb& v) {
  const Read read = sole_read(k, v.param);
  const UOp& from = read.load;
  if (!from) throw ValueError(fmt::format("{}: no operand that is read in one place, inside one reduction", to_string(v)));
  const auto closed = reduce_ranges(read.reduce);
  std::vector<UOp> ranges = k.ranges;
  ranges.insert(ranges.end(), closed.begin(), closed.end());
  std::erase_if(ranges, [&](const UOp& r) { return !reads(from, r); });

  Packed out{.copy = {}, .main = k, .dtype = from.dtype(), .elements = Dim(1)};
  out.main.params.push_back(param(static_cast<int>(k.params.size()), out.dtype));
  const UOp& memory = out.main.params.back();
  UOp place = index(0);
  Substitution outer;
  for (const UOp& r : ranges) {
    const UOp length = r.src(0).ranges() ? index(extent(r)) : r.src(0);  // of the last part of a sum, that of the others
    place = place * length + r;
    out.elements = out.elements * Dim(length);
    outer[r] = range(Dim(r.src(0)), r.as<RangeArg>().id, RangeKind::Output);
    out.copy.ranges.push_back(outer[r]);
  }
  place = simplify(place);
  out.copy.stores = {simplify(substitute(store(memory, place, from), outer))};
  out.copy.params = out.main.params;
  out.copy.variables = k.variables;
  out.main.stores = simplify(substitute(k.stores, {{from, load(memory, place)}}));
  return out;
}

}  // namespace tg
