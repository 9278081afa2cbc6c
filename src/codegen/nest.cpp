// See nest.hpp. Parsing and printing of verbs, then what each does to the nest.
#include "codegen/nest.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "codegen/access.hpp"
#include "codegen/pipeline.hpp"
#include "ir/symbolic.hpp"
#include "tg/error.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

// Of all register tiles together: each is code of its own, but for those that an instruction makes at once.
constexpr int64_t kMostLanes = 256, kMostPoints = 1024, kMostOfMatrix = 4096;
constexpr std::string_view kLaunch = "launch", kNone = "no verbs";
constexpr std::string_view kKinds[] = {"loop", "unroll", "vector", "thread"};
std::string_view name_of(AxisKind k) { return kKinds[static_cast<size_t>(k)]; }

std::string strip(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return std::string(s);
}

// Whether every value of an extent is a multiple of n, as far as its form shows.
bool divisible(const UOp& e, int64_t n) {
  switch (e.op()) {
    case Op::Const: return e.as<int64_t>() % n == 0;
    case Op::Where: return divisible(e.src(1), n) && divisible(e.src(2), n);
    case Op::Add: return divisible(e.src(0), n) && divisible(e.src(1), n);
    case Op::Mul: return divisible(e.src(0), n) || divisible(e.src(1), n);
    default: return false;
  }
}

}  // namespace

std::string to_string(const Verb& v) {
  switch (v.kind) {
    case Verb::Kind::Tile: return fmt::format("tile({}, {}, {})", v.axis, v.size, name_of(v.as));
    case Verb::Kind::Order: return fmt::format("order({})", fmt::join(v.axes, ", "));
    case Verb::Kind::Stage: return fmt::format("stage(p{}, {})", v.param, v.axis);
    case Verb::Kind::Mma: return fmt::format("mma({})", v.axis);
    case Verb::Kind::Group: return fmt::format("group({}, {}{})", v.axis, v.size, v.rows ? fmt::format(", {}", v.rows) : "");
    case Verb::Kind::Keep: return fmt::format("keep({})", v.axis);
    case Verb::Kind::Part: return fmt::format("part({})", v.axis);
    case Verb::Kind::Pipeline: return fmt::format("pipeline({})", v.axis);
    case Verb::Kind::Align: return fmt::format("align({}, {})", v.axis, v.size);
  }
  return {};
}
void refuse(const Verb& v, std::string_view why) { throw ValueError(fmt::format("{}: {}", to_string(v), why)); }
std::string to_string(const Verbs& verbs) {
  if (verbs.empty()) return std::string(kNone);
  std::string out;
  for (const Verb& v : verbs) out += (out.empty() ? "" : "; ") + to_string(v);
  return out;
}

Verb Verb::tile(std::string axis, int64_t size, AxisKind as) { return {.axis = std::move(axis), .size = size, .as = as, .axes = {}}; }
Verb Verb::order(std::vector<std::string> axes) { return {.kind = Kind::Order, .axis = {}, .axes = std::move(axes)}; }
Verb Verb::stage(int param, std::string axis) { return {.kind = Kind::Stage, .axis = std::move(axis), .axes = {}, .param = param}; }
Verb Verb::mma(std::string instruction) { return {.kind = Kind::Mma, .axis = std::move(instruction), .axes = {}}; }
Verb Verb::group(std::string axis, int64_t parts, int64_t rows) {
  return {.kind = Kind::Group, .axis = std::move(axis), .size = parts, .rows = rows, .axes = {}};
}
Verb Verb::keep(std::string axis) { return {.kind = Kind::Keep, .axis = std::move(axis), .axes = {}}; }
Verb Verb::part(std::string axis) { return {.kind = Kind::Part, .axis = std::move(axis), .axes = {}}; }
Verb Verb::pipeline(std::string axis) { return {.kind = Kind::Pipeline, .axis = std::move(axis), .axes = {}}; }
Verb Verb::align(std::string axis, int64_t size) { return {.kind = Kind::Align, .axis = std::move(axis), .size = size, .axes = {}}; }

namespace {
/// One verb: name(arguments).
Verb parse_verb(const std::string& item) {
  const auto bad = [&](std::string_view why) {
    throw ValueError(fmt::format("verb \"{}\": {}; for example tile(i0, 16, vector)", item, why));
  };
  const size_t open = item.find('(');
  if (open == std::string::npos || item.back() != ')') bad("expected name(arguments)");
  std::vector<std::string> args;
  for (size_t from = open + 1; from < item.size();) {
    const size_t end = item.find_first_of(",)", from);
    args.push_back(strip(std::string_view(item).substr(from, end - from)));
    from = end + 1;
  }
  const auto number = [&](const std::string& s) {
    int64_t n = 0;
    const auto [end, err] = std::from_chars(s.data(), s.data() + s.size(), n);
    if (err != std::errc() || end != s.data() + s.size()) bad("not a number: " + s);
    return n;
  };
  const auto is = [&](std::string_view name, size_t arguments) { return item.substr(0, open) == name && args.size() == arguments; };
  if (is("tile", 3)) {
    const auto kind = std::find(std::begin(kKinds), std::end(kKinds), args[2]);
    if (kind == std::end(kKinds)) bad("the kind is one of loop, unroll, vector, thread");
    return Verb::tile(args[0], number(args[1]), static_cast<AxisKind>(kind - std::begin(kKinds)));
  }
  if (is("order", args.size())) return Verb::order(args);
  if (is("stage", 2) && args[0].size() > 1 && args[0][0] == 'p') return Verb::stage(static_cast<int>(number(args[0].substr(1))), args[1]);
  if (is("mma", 1)) return Verb::mma(args[0]);
  if (is("group", 2)) return Verb::group(args[0], number(args[1]));
  if (is("group", 3)) {
    const int64_t rows = number(args[2]);
    if (rows < 1) bad("at least 1 step at a time");
    return Verb::group(args[0], number(args[1]), rows);
  }
  if (is("keep", 1)) return Verb::keep(args[0]);
  if (is("part", 1)) return Verb::part(args[0]);
  if (is("pipeline", 1)) return Verb::pipeline(args[0]);
  if (!is("align", 2)) bad("unknown verb or wrong number of arguments");
  return Verb::align(args[0], number(args[1]));
}
}  // namespace

Verbs parse_verbs(const std::string& text) {
  Verbs out;
  for (size_t at = 0; at < text.size();) {
    const size_t stop = std::min(text.find_first_of(";\n", at), text.size());
    const std::string item = strip(std::string_view(text).substr(at, stop - at));
    at = stop + 1;
    if (!item.empty() && item != kNone) out.push_back(parse_verb(item));
  }
  return out;
}

Nest::Nest(const Kernel& k) : params_(static_cast<int>(k.params.size())), pipeline_obstacle_(pipeline_obstacle(k)) {
  if (!k.ranges.empty()) last_ = k.ranges.back();
  std::vector<UOp> ranges = k.ranges;
  for (const UOp& u : toposort(k.roots()))
    if (u.op() == Op::Range && std::find(ranges.begin(), ranges.end(), u) == ranges.end()) ranges.push_back(u);
  for (const UOp& r : ranges) next_id_ = std::max(next_id_, r.as<RangeArg>().id + 1);
  std::vector<std::string> taken;
  for (const UOp& r : ranges) {
    std::string name = to_string(r);
    for (int n = 2; std::find(taken.begin(), taken.end(), name) != taken.end(); ++n) name = fmt::format("{}_{}", to_string(r), n);
    taken.push_back(name);
    splits.push_back({r, {static_cast<int>(axes.size())}, true});
    axes.push_back({name, range(Dim(extent_of(splits.back())), next_id_++, RangeKind::Tile), AxisKind::Loop, extent(r), 1});
  }
  for (size_t i = 0; i < k.ranges.size(); ++i) order.push_back(static_cast<int>(i));
  for (const UOp& s : k.stores) stored_.push_back(s.src(1));
}

int Nest::find(const std::string& name) const {
  for (size_t i = 0; i < axes.size(); ++i) if (axes[i].name == name) return static_cast<int>(i);
  return -1;
}
std::vector<std::string> Nest::loops() const {
  std::vector<std::string> out;
  for (int a : order) out.push_back(axes[static_cast<size_t>(a)].name);
  return out;
}
const Split& Nest::split_of(const UOp& original) const {
  return *std::find_if(splits.begin(), splits.end(), [&](const Split& s) { return s.original == original; });
}

UOp Nest::expression(const Split& s) const {
  UOp sum = index(0);
  for (int a : s.axes) sum = sum + axes[static_cast<size_t>(a)].range * axes[static_cast<size_t>(a)].step;
  return simplify(s.before ? sum - s.before : sum);
}

bool Nest::depends(const Axis& a, const Axis& on) const {
  const auto split = std::find_if(splits.begin(), splits.end(), [&](const Split& s) {
    return std::any_of(s.axes.begin(), s.axes.end(), [&](int i) { return &axes[static_cast<size_t>(i)] == &a; });
  });
  return reads(a.range.src(0), on.range) || (split->before && reads(split->before, on.range));
}

UOp Nest::inside(const Split& s) const {
  const UOp at = expression(s), below = less(at, extent_of(s));
  return simplify(s.before ? less(index(-1), at) & below : below);
}

UOp Nest::extent_of(const Split& s) const {
  Substitution bound;
  for (const Split& o : splits) if (reads(s.original.src(0), o.original)) bound[o.original] = expression(o);
  return bound.empty() ? s.original.src(0) : simplify(substitute(s.original.src(0), bound));
}

void Nest::tile(const Verb& v) {
  const int at = find(v.axis);
  if (at < 0) refuse(v, "no such axis");
  if (v.size < 1) refuse(v, "the size must be at least 1");
  Axis& outer = axes[static_cast<size_t>(at)];
  if (outer.kind != AxisKind::Loop) refuse(v, "only a loop can be split");
  if (next_id_ + 2 > 64) refuse(v, "more than 64 axes");
  int64_t points = v.as == AxisKind::Unroll ? v.size : 1;
  const int64_t most = matrix.empty() ? kMostPoints : kMostOfMatrix;
  for (const Axis& a : axes) if (a.kind == AxisKind::Unroll) points = std::min(most + 1, points) * a.most;
  if (points > most) refuse(v, fmt::format("register tiles of more than {} points in all", most));
  if (v.as == AxisKind::Vector && v.size > kMostLanes) refuse(v, fmt::format("more than {} lanes", kMostLanes));
  const Dim extent(outer.range.src(0));
  auto split = std::find_if(splits.begin(), splits.end(),
                            [&](const Split& s) { return std::find(s.axes.begin(), s.axes.end(), at) != s.axes.end(); });
  if (v.as == AxisKind::Vector)
    for (const Split& s : splits)
      for (int a : s.axes)
        if ((&s == &*split || (!s.reduces() && !split->reduces())) && axes[static_cast<size_t>(a)].kind == AxisKind::Vector)
          refuse(v, "there are lanes already, along " + axes[static_cast<size_t>(a)].name);
  for (const Axis& a : axes)
    if (depends(a, outer)) refuse(v, fmt::format("where {} begins or is cut short depends on it; split it first", a.name));
  const bool masked = v.as != AxisKind::Loop;
  const auto around = std::find_if(split->axes.begin(), split->axes.end(), [&](int a) { return !axes[static_cast<size_t>(a)].single(); });
  if (masked && around != split->axes.end() && *around != at && outer.most % v.size != 0)
    refuse(v, "it does not divide the tile, and would reach into the next");
  const bool divides = divisible(extent.expr(), v.size);
  Axis inner{outer.name + "a", {}, v.as, masked ? v.size : std::min(v.size, outer.most), outer.step};
  while (find(inner.name) >= 0) inner.name.back() = static_cast<char>(inner.name.back() + 1);
  // A loop inside is cut short in the last block; lanes and register tiles always run whole and are masked.
  Dim inner_extent = v.size;
  const UOp outer_range = range(floor_div(extent + Dim(v.size - 1), Dim(v.size)), next_id_++, RangeKind::Tile);
  if (!divides && !masked) {
    const UOp left = extent.expr() - outer_range * v.size;
    inner_extent = Dim(simplify(where(less(left, index(v.size)), left, index(v.size))));
  } else if (!divides) {
    split->exact = false;
  }
  inner.range = range(inner_extent, next_id_++, RangeKind::Tile);
  outer.range = outer_range;
  outer.most = ceil_div(outer.most, v.size);
  outer.step *= v.size;
  const int in = static_cast<int>(axes.size());
  axes.push_back(std::move(inner));
  split->axes.insert(std::find(split->axes.begin(), split->axes.end(), at) + 1, in);
  if (!split->reduces() && v.as == AxisKind::Loop) order.push_back(in);
}

void Nest::align(const Verb& v) {
  const int at = find(v.axis);
  if (at < 0) refuse(v, "no such axis");
  if (v.size < 2) refuse(v, "the size must be at least 2");
  const auto split = std::find_if(splits.begin(), splits.end(), [&](const Split& s) { return s.axes[0] == at; });
  if (split == splits.end() || split->axes.size() > 1 || split->before || split->reduces()) refuse(v, "not a whole range of the output");
  if (!is_const(split->original.src(0))) refuse(v, "its extent is not known");
  const auto row = std::find_if(stored_.begin(), stored_.end(), [&](const UOp& i) { return stride(i, split->original) == 1; });
  if (row == stored_.end()) refuse(v, "nothing is stored side by side along it");
  Substitution begin{{split->original, index(0)}};
  for (const Split& s : splits) if (!(s.original == split->original)) begin[s.original] = expression(s);
  const UOp before = simplify(floor_mod(substitute(*row, begin), v.size));
  if (is_const(before)) refuse(v, "all rows begin alike");
  Axis& axis = axes[static_cast<size_t>(at)];
  for (const UOp& u : toposort(before)) {
    if (u.op() == Op::Load) refuse(v, "where rows begin is data");
    for (const Axis& a : axes) {
      if (!(u == a.range)) continue;
      const auto place = [&](int i) { return std::find(order.begin(), order.end(), i); };
      if (place(static_cast<int>(&a - axes.data())) >= place(at))
        refuse(v, a.name + " moves where rows begin, and is no loop outside of it");
    }
  }
  if (next_id_ + 1 > 64) refuse(v, "more than 64 axes");
  axis.range = range(Dim(simplify(split->original.src(0) + before)), next_id_++, RangeKind::Tile);
  axis.most += v.size - 1;
  split->before = before;
  split->exact = false;
}

void Nest::pipeline(const Verb& v) {
  const int at = find(v.axis);
  if (at < 0) refuse(v, "no such axis");
  if (!pipeline_obstacle_.empty()) refuse(v, pipeline_obstacle_);
  if (split_of(last_).axes[0] != at) refuse(v, "not the range along which rows are stored");
  pipelined = true;
}

void Nest::apply(const Verb& v) {
  switch (v.kind) {
    case Verb::Kind::Tile: tile(v); return;
    case Verb::Kind::Align: align(v); return;
    case Verb::Kind::Order: {
      std::vector<int> wanted;
      for (const std::string& name : v.axes) wanted.push_back(find(name));
      std::vector<int> a = wanted, b = order;
      std::sort(a.begin(), a.end());
      std::sort(b.begin(), b.end());
      if (a != b) refuse(v, "not the loops of this kernel");
      for (auto outer = wanted.begin(); outer != wanted.end(); ++outer)
        for (auto inner = outer + 1; inner != wanted.end(); ++inner)
          if (const Axis &o = axes[static_cast<size_t>(*outer)], &i = axes[static_cast<size_t>(*inner)]; depends(o, i))
            refuse(v, fmt::format("where {} begins or is cut short depends on {}, which must be outside of it", o.name, i.name));
      order = wanted;
      return;
    }
    case Verb::Kind::Stage: {
      if (v.before_all()) refuse(v, "it splits the whole kernel in two and can only be the first verb");
      const int at = find(v.axis);
      if (v.param < 0 || v.param >= params_) refuse(v, fmt::format("the kernel has no operand p{}", v.param));
      if (at < 0 && v.axis != kLaunch) refuse(v, "no such axis");
      if (at >= 0 && axes[static_cast<size_t>(at)].kind != AxisKind::Loop) refuse(v, "not a loop");
      if (std::ranges::any_of(splits, [](const Split& s) { return s.original.src(0).bounds().max <= 0; }))
        refuse(v, "a loop has no rounds, so there is nothing to read");
      staged.push_back({v.param, at});
      return;
    }
    case Verb::Kind::Group:
      refuse(v, "group splits the whole kernel in two and can only be the first verb");
    case Verb::Kind::Part: refuse(v, "it cuts the whole kernel into parts and can only be the first verb");
    case Verb::Kind::Keep: refuse(v, "it rewrites the whole kernel and can only be the first verb");
    case Verb::Kind::Pipeline: pipeline(v); return;
    case Verb::Kind::Mma: matrix = v.axis; return;
  }
}

bool Nest::fits(const Verb& v) const {
  Nest copy = *this;
  try {
    copy.apply(v);
    return true;
  } catch (const ValueError&) {
    return false;
  }
}

std::string Nest::text() const {
  std::string out;
  for (const Split& s : splits) {
    out += fmt::format("{} < {}:", to_string(s.original), to_string(s.original.src(0)));
    for (int a : s.axes) {
      const Axis& x = axes[static_cast<size_t>(a)];
      out += fmt::format(" {} < {} {}{}", x.name, to_string(x.range.src(0)), name_of(x.kind), a == s.axes.back() ? "" : ",");
    }
    out += s.exact ? "\n" : " (masked)\n";
  }
  return out;
}

}  // namespace tg
