// See keep.hpp.
#include "codegen/keep.hpp"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "codegen/access.hpp"
#include "codegen/group.hpp"
#include "ir/symbolic.hpp"
#include "tg/error.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {

UOp moved(const UOp& value, const UOp& r, const UOp& to) {
  std::unordered_map<UOp, UOp> done{{r, to}};
  for (const UOp& u : toposort(value)) {
    if (done.contains(u)) continue;
    std::vector<UOp> src;
    for (const UOp& s : u.src()) src.push_back(u.ranges() & r.ranges() ? done.at(s) : s);
    done[u] = u.ranges() & r.ranges() ? u.with(src) : u;
  }
  return simplify(done.at(value));
}

namespace {

bool closes(const UOp& u, const UOp& r) {
  if (u.op() != Op::Reduce) return false;
  const auto closed = reduce_ranges(u);
  return closed.size() == 1 && closed[0] == r;
}

// Where rows along r lie side by side, in what the value reads.
bool along(const UOp& value, const UOp& r) {
  const auto all = toposort(value);
  return std::any_of(all.begin(), all.end(), [&](const UOp& u) {
    return u.op() == Op::Load && (u.ranges() & r.ranges()) && stride(u.src(1), r) == 1;
  });
}

// The loops outside that a value over r depends on, a bit each (of an id, which r shares with loops that it is never inside of).
uint64_t outside(const UOp& value, const UOp& r) { return value.ranges() & ~r.ranges(); }

}  // namespace

bool much_work(const UOp& value, const UOp& r) {
  constexpr int kMuch = 6, kFunction = 8;
  int n = 0;
  for (const UOp& u : toposort(value)) {
    if (!is_elementwise(u.op()) || u.dtype() == DType::index || !(u.ranges() & r.ranges())) continue;
    switch (u.op()) {
      case Op::Exp2: case Op::Log2: case Op::Sin: case Op::Sqrt: case Op::Div: case Op::Recip: n += kFunction; break;
      default: ++n;
    }
  }
  return n >= kMuch;
}

std::vector<UOp> computed_again(const Kernel& k, const UOp& r) {
  std::vector<UOp> out;
  if (k.ranges.empty() || k.sequential || r.src(0).ranges() != 0) return out;
  const std::vector<UOp> all = toposort(k.stores);
  const std::unordered_set<UOp> present(all.begin(), all.end());
  std::unordered_set<int> written;  // slots of parameters
  uint64_t outputs = 0;
  for (const UOp& s : k.stores) written.insert(s.src(0).as<ParamArg>().slot);
  for (const UOp& o : k.ranges) outputs |= o.ranges();
  const UOp& last = k.ranges.back();
  std::vector<UOp> walks;  // reductions over r, those that others need first
  for (const UOp& u : all) if (closes(u, r)) walks.push_back(u);
  const auto again = [&](const UOp& v, size_t first) {
    if (last.src(0) == r.src(0) && !(outside(v, r) & last.ranges()) && present.contains(moved(v, r, last))) return true;
    return std::any_of(walks.begin() + static_cast<ptrdiff_t>(first) + 1, walks.end(), [&](const UOp& w) {
      const auto inside = toposort(w);
      const auto has = [&](const UOp& u) { return std::find(inside.begin(), inside.end(), u) != inside.end(); };
      const auto value = toposort(w.src(0));
      return has(walks[first]) && std::find(value.begin(), value.end(), v) != value.end();
    });
  };
  for (size_t w = 0; w < walks.size(); ++w) {
    const std::vector<UOp> below = toposort(walks[w].src(0));
    for (size_t i = below.size(); i-- > 0;) {
      const UOp& v = below[i];
      if (!is_elementwise(v.op()) || !(v.ranges() & r.ranges()) || !outside(v, r) || (outside(v, r) & ~outputs) || !along(v, r)) continue;
      if (std::any_of(out.begin(), out.end(), [&](const UOp& whole) { return reads(whole, v); }) || !much_work(v, r)) continue;
      const auto parts = toposort(v);
      const bool changes = std::any_of(parts.begin(), parts.end(), [&](const UOp& u) {
        return u.op() == Op::Load && written.contains(u.src(0).as<ParamArg>().slot);
      });
      if (!changes && again(v, w)) out.push_back(v);
    }
  }
  return out;
}

Kernel keep(const Kernel& k, const Nest& nest, const Verb& v) {
  const auto refuse = [&](std::string_view why) { throw ValueError(fmt::format("{}: {}", to_string(v), why)); };
  const UOp r = reduced_range(nest, v), &last = k.ranges.back();
  const std::vector<UOp> values = computed_again(k, r);
  if (values.empty()) refuse("nothing is computed over it and then again");
  Kernel out = k;
  Substitution loads;
  for (const UOp& value : values) {
    const UOp array = param(static_cast<int>(k.params.size() + out.kept.size()), value.dtype());
    UOp row = index(0);
    for (const UOp& o : k.ranges) if (outside(value, r) & o.ranges()) row = row * o.src(0) + o;
    const UOp begin = row * extent(r);
    out.kept.push_back({simplify(store(array, begin + r, value)), r});
    loads[value] = load(array, simplify(begin + r));
    if (last.src(0) == r.src(0) && !(outside(value, r) & last.ranges()))
      loads[moved(value, r, last)] = load(array, simplify(begin + last));
  }
  out.stores = simplify(substitute(k.stores, loads));
  return out;
}

}  // namespace tg
