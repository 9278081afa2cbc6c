// See part.hpp.
#include "codegen/part.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "codegen/access.hpp"
#include "ir/symbolic.hpp"
#include "tg/error.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

constexpr size_t kMostParts = 32;
constexpr int64_t kLeastElements = 1 << 13;  // of a part: a phase costs some microseconds

bool one_by_one(const Kernel& k) {
  if (k.sequential || k.alone || !k.kept.empty()) return false;
  return std::ranges::none_of(toposort(k.stores), [](const UOp& u) {
    return u.op() == Op::Reduce || u.op() == Op::Scan || u.op() == Op::Check;
  });
}

// Where comparisons of the range alone with constants turn over, inside it.
std::set<int64_t> borders(const Kernel& k, const UOp& r) {
  std::set<int64_t> out;
  if (!is_const(r.src(0))) return out;
  for (const UOp& u : toposort(k.stores)) {
    if (u.op() != Op::Less || is_const(u.src(0)) == is_const(u.src(1)) || u.ranges() != r.ranges()) continue;
    const bool upper = is_const(u.src(1));
    UOp compared = u.src(upper ? 0 : 1);
    if (compared.op() == Op::Cast) compared = UOp(compared.src(0));
    if (compared.dtype() != DType::index) continue;
    const int64_t step = stride(compared, r);
    const UOp first = simplify(substitute(compared, {{r, index(0)}}));
    if (step <= 0 || step == kIrregular || !is_const(first)) continue;
    const int64_t constant = u.src(upper ? 1 : 0).as<int64_t>() - first.as<int64_t>();
    const int64_t border = ceil_div(upper ? constant : constant + 1, step);
    if (border > 0 && border < extent(r)) out.insert(border);
  }
  return out;
}

std::vector<Kernel> cut(const Kernel& k, size_t at, std::set<int64_t> borders) {
  const UOp r = k.ranges[at];
  borders.insert(extent(r));
  std::vector<Kernel> out;
  int64_t begin = 0;
  for (const int64_t end : borders) {
    Kernel& part = out.emplace_back(k);
    part.ranges[at] = range(Dim(end - begin), r.as<RangeArg>().id, RangeKind::Output);
    part.stores = simplify(substitute(k.stores, {{r, part.ranges[at] + begin}}));
    begin = end;
  }
  return out;
}

size_t loads(const Kernel& k) {
  const auto nodes = toposort(k.stores);
  return static_cast<size_t>(std::ranges::count(nodes, Op::Load, [](const UOp& u) { return u.op(); }));
}
int64_t elements(const Kernel& k) {
  int64_t n = 1;
  for (const UOp& r : k.ranges) n *= extent(r);
  return n;
}

}  // namespace

std::vector<Kernel> part(const Kernel& k, const Nest& nest, const Verb& v) {
  const auto refuse = [&](std::string_view why) { throw ValueError(fmt::format("{}: {}", to_string(v), why)); };
  const int axis = nest.find(v.axis);
  if (axis < 0) refuse("no such axis");
  const auto split = std::ranges::find(nest.splits, axis, [](const Split& s) { return s.axes[0]; });
  const auto at = split == nest.splits.end() ? k.ranges.end() : std::ranges::find(k.ranges, split->original);
  if (at == k.ranges.end()) refuse("not a range of the output");
  if (!one_by_one(k)) refuse("the kernel does more than compute elements one by one");
  const std::set<int64_t> where = borders(k, *at);
  if (where.empty() || where.size() >= kMostParts) refuse(fmt::format("the range is told apart from {} constants", where.size()));
  return cut(k, static_cast<size_t>(at - k.ranges.begin()), where);
}

std::optional<Verb> worth_parting(const Kernel& k) {
  const size_t all = loads(k);
  if (all < 2 || !one_by_one(k)) return {};
  const Nest nest(k);
  for (size_t at = 0; at < k.ranges.size(); ++at) {
    const std::set<int64_t> where = borders(k, k.ranges[at]);
    if (where.empty() || where.size() >= kMostParts) continue;
    const std::vector<Kernel> parts = cut(k, at, where);
    if (std::ranges::all_of(parts, [&](const Kernel& p) { return loads(p) < all && elements(p) >= kLeastElements; }))
      return Verb::part(nest.axes[static_cast<size_t>(nest.split_of(k.ranges[at]).axes[0])].name);
  }
  return {};
}

}  // namespace tg
