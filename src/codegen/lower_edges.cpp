// See lowering.hpp. The last rounds of register tiles of products that reach beyond the end of their range: code of their own, which makes
// what is inside and nothing else.
//
//   257 columns in tiles of 3 x 16 lanes     5 rounds of 3 vectors, and one of a vector and a single lane
//   257 rows in tiles of 9                   28 rounds of 9 rows, and one of 5
//
// Tiles may be counted by several loops. These stay as they are, so that what is staged in them serves all tiles. Inside, the round that is
// open is opened again, by a loop that has one round where it is the last one (or where it is not), and else none.
#include <algorithm>
#include <bit>

#include "codegen/access.hpp"
#include "codegen/lowering.hpp"

namespace tg {
namespace {

constexpr double kWorthIt = 1e6;  // products, before code is made twice

}  // namespace

std::optional<Lower::Edge> Lower::edge_of(const Split& s) const {
  if (s.reduces() || s.exact || s.before || !is_const(s.original.src(0))) return {};
  Edge e{&s, nullptr, nullptr, nullptr, index(0), 0, 0};
  for (int i : s.axes) {
    const Axis& a = nest_.axes[static_cast<size_t>(i)];
    if (a.kind == AxisKind::Loop) {
      if (!e.outer || a.step < e.outer->step) e.outer = &a;
    } else if (std::exchange(a.kind == AxisKind::Unroll ? e.tile : e.lanes, &a)) {
      return {};
    }
  }
  if (!e.outer) return {};
  const int64_t size = s.original.src(0).as<int64_t>(), step = e.outer->step;
  for (int i : s.axes) {
    const Axis& a = nest_.axes[static_cast<size_t>(i)];
    if (a.kind != AxisKind::Loop) continue;
    if (&a != e.outer && (e.outer->single() || a.step % step != 0)) return {};
    e.round = e.round + a.range * (a.step / step);
  }
  e.round = simplify(e.round);
  e.last = ceil_div(size, step) - 1;
  e.left = size - e.last * step;
  return e;
}

std::vector<Lower::Edge> Lower::edges() const {
  const bool others = !kernel_.kept.empty() || std::ranges::any_of(stores_, [](const UOp& s) {
    return std::ranges::any_of(toposort(s), [](const UOp& u) { return u.op() == Op::Scan; });
  });
  std::vector<Edge> out;
  const bool changes = std::ranges::any_of(reduces_, [&](const UOp& r) { return changing_.contains(r.node()); });
  if (target_.grid || tile_rows_ || others || reduces_.empty() || changes || work() < kWorthIt) return out;
  for (const Split& s : nest_.splits) {
    const std::optional<Edge> e = edge_of(s);
    if (!e) continue;
    const uint64_t tiles =
        (e->outer->single() ? 0 : e->round.ranges()) | (e->tile && !e->tile->single() ? bit(e->tile->range) : 0);
    if (std::ranges::all_of(reduces_, [&](const UOp& r) { return is_contraction(r) && (tiles & ~r.ranges()) == 0; })) out.push_back(*e);
  }
  return out;
}

void Lower::for_edges(std::span<const Edge> edges, const std::function<void()>& body) {
  if (edges.empty()) return body();
  const Edge& e = edges[0];
  const UOp& r = e.outer->range;
  const UOp before = less(e.round, index(e.last));
  const int known = depth_of_[id(r)];
  for (const bool end : {false, true}) {
    if (e.outer->single() && !end) continue;
    const auto inside = inside_;
    const auto narrow = narrow_;
    const auto holds = holds_;
    if (!e.outer->single()) {
      open(r, end ? Part{where(before, r + 1, r), r + 1} : Part{r, where(before, r + 1, r), conjunction(nest_.inside(*e.split))});
      reopened_.emplace_back(id(r), known);
    }
    if (end) at_edge(e);
    for_edges(edges.subspan(1), body);
    inside_ = inside, narrow_ = narrow;
    if (!e.outer->single()) {
      close({});
      depth_of_[id(r)] = known;
      reopened_.pop_back();
    }
    holds_ = holds;
  }
}

// The last vector has as many lanes as are needed, where that is a narrower register; only it is masked.
void Lower::at_edge(const Edge& e) {
  const int64_t points = e.tile ? ceil_div(e.left, e.tile->step) : 1;
  if (e.tile) inside_[id(e.tile->range)] = points;
  const int tile = e.tile ? id(e.tile->range) : -1;
  bool masked = false;
  if (e.lanes) {
    const int64_t left = e.left - (e.tile ? (points - 1) * e.tile->step : 0);
    const auto lanes = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(left)));
    if (!matrix_ && lanes < e.lanes->most) narrow_ = {id(e.lanes->range), tile, points - 1, static_cast<int>(lanes)};
    masked = left < (narrow_.vector < 0 ? e.lanes->most : lanes);
  }
  if (masked && !e.tile) return;
  for (const UOp& c : conjunction(nest_.inside(*e.split))) holds_.push_back({c, e_.depth(), masked ? tile : -1, points - 1});
}

// Whether vectors that depend on these ranges are narrow where the register tile is now.
bool Lower::narrow(uint64_t ranges) const {
  return narrow_.vector >= 0 && (ranges >> narrow_.vector & 1) &&
         (narrow_.tile < 0 || point_[static_cast<size_t>(narrow_.tile)] == narrow_.at);
}

}  // namespace tg
