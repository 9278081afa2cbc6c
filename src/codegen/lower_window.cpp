// See lowering.hpp. Packing of windows: a panel of the part of memory that a round's windows cover, each element once, not once a window.
//
//   x[n, c, y - ky] if 0 <= y - ky < 20, for y < 24 and ky < 5      panel[y - ky, c, n] of 20 x channels x a tile of images
//
// A coordinate is a part of the index in which loops of the output and of the sum meet: y - ky. The panel has one axis for it, which covers
// what the conditions leave; they are tested where the panel is read, unless they are known to hold there.
#include <algorithm>
#include <bit>
#include <numeric>
#include <optional>

#include "codegen/access.hpp"
#include "codegen/lowering.hpp"
#include "ir/sum.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

constexpr int64_t kMostApart = 4;  // steps of a window's places, in steps of its elements: a stride, or a dilation

// What a condition a < b says of an expression e: k * e + c > 0 for k = 1 or -1. Nothing if it is about something else.
std::optional<Bounds> says(const UOp& condition, const Sum& e) {
  if (condition.op() != Op::Less || condition.src(0).dtype() != DType::index) return {};
  for (const int64_t k : {1, -1}) {
    Sum rest(condition.src(1));
    rest.add(condition.src(0), -1);
    rest.add(e, -k);
    if (rest.is_constant()) return k > 0 ? Bounds{1 - rest.constant(), INT64_MAX} : Bounds{INT64_MIN, rest.constant() - 1};
  }
  return {};
}

// Terms of an index by the loops that they are over: sets of ranges and of splits, and whether any is the output's or the sum's.
struct Piece { uint64_t ranges = 0, splits = 0; bool output = false, sum = false; int64_t step = 0; std::vector<Sum::Term> terms; };

// Of one loop, or of one of the output and one of the sum whose steps are alike.
bool meet(const Piece& a, const Piece& b) {
  const int64_t more = std::max(a.step, b.step), less = std::min(a.step, b.step);
  return (a.splits & b.splits) || (more % less == 0 && more / less <= kMostApart && ((a.sum && b.output) || (a.output && b.sum)));
}
// Pieces that meet become one, until none do.
void merge(std::vector<Piece>& pieces) {
  for (bool again = true; again;) {
    again = false;
    for (size_t i = 0; i < pieces.size(); ++i)
      for (size_t j = pieces.size(); j-- > i + 1;)
        if (meet(pieces[i], pieces[j])) {
          Piece &a = pieces[i], &b = pieces[j];
          a.ranges |= b.ranges, a.splits |= b.splits, a.output |= b.output, a.sum |= b.sum;
          a.step = std::min(a.step, b.step);
          a.terms.insert(a.terms.end(), b.terms.begin(), b.terms.end());
          pieces.erase(pieces.begin() + static_cast<ptrdiff_t>(j));
          again = true;
        }
  }
}

}  // namespace

// The coordinates of a load inside the loops further in than `depth`, and those of its conditions that are about them. Empty if no loops
// meet, if the register tile or lanes take part, or if a condition is about something else.
Lower::Windows Lower::windows_of(const UOp& u, int depth) const {
  Windows out;
  if (pair_ || target_.grid) return out;
  const auto inner = [&](const Axis& a) {
    return !(blocks_ & bit(a.range)) && (a.kind != AxisKind::Loop || depth_of_[id(a.range)] > depth || depth_of_[id(a.range)] == 0);
  };
  std::vector<Piece> pieces;
  const Sum index(u.src(1));
  Sum rest(DType::index);
  rest.add_constant(index.constant());
  for (const Sum::Term& t : index.terms()) {
    Piece p{.step = std::abs(t.coef), .terms = {t}};
    for (size_t s = 0; s < nest_.splits.size(); ++s)
      for (int i : nest_.splits[s].axes)
        if (const Axis& a = nest_.axes[static_cast<size_t>(i)]; (t.atom.ranges() & bit(a.range)) && inner(a)) {
          p.ranges |= bit(a.range);
          p.splits |= uint64_t{1} << s;
          (nest_.splits[s].reduces() ? p.sum : p.output) = true;
        }
    if (p.ranges) pieces.push_back(std::move(p));
    else rest.add(t.atom, t.coef);
  }
  merge(pieces);
  for (const Piece& p : pieces) {
    if (!p.output || !p.sum) {
      for (const Sum::Term& t : p.terms) rest.add(t.atom, t.coef);
      continue;
    }
    Coordinate c;
    for (const Sum::Term& t : p.terms) c.scale = std::gcd(c.scale, t.coef);
    Sum e(DType::index);
    for (const Sum::Term& t : p.terms) e.add(t.atom, t.coef / c.scale);
    c.at = e.expr();
    c.box = c.at.bounds();
    c.ranges = p.ranges;
    for (const Axis& a : nest_.axes) if (a.kind != AxisKind::Loop && (p.ranges & bit(a.range))) return {};
    out.coordinates.push_back(std::move(c));
  }
  if (out.coordinates.empty()) return out;
  out.rest = rest.expr();
  for (const UOp& g : u.src().size() > 2 ? conjunction(u.src(2)) : std::vector<UOp>()) {
    bool known = false, about = false;
    for (Coordinate& c : out.coordinates) {
      about |= (g.ranges() & c.ranges) != 0;
      const auto b = says(g, Sum(c.at));
      if (!b) continue;
      known = true;
      c.box = {std::max(c.box.min, b->min), std::min(c.box.max, b->max)};
      out.late = out.late ? out.late & g : g;
    }
    if (known) continue;
    if (about) return {};
    out.gate = out.gate ? out.gate & g : g;
  }
  for (const Coordinate& c : out.coordinates) if (c.box.max < c.box.min) return {};
  return out;
}

// Axes of the panel, outermost first: coordinates, other loops, the register tile, lanes.
Lower::Panel Lower::fill_windows(const UOp& u, const Windows& w, int depth) {
  Panel p{.pointer = -1, .depth = depth, .axes = {}, .loops = {}, .tile = {}};
  p.late = w.late;
  uint64_t in_windows = 0;
  for (const Coordinate& c : w.coordinates) in_windows |= c.ranges;
  int next = next_id();
  UOp from = w.rest, read = index(0), to = index(0);
  std::vector<UOp> open_here;
  struct Place { UOp read, write; int64_t most; };
  std::vector<Place> places, inner;
  for (const Coordinate& c : w.coordinates) {
    const int64_t most = c.box.max - c.box.min + 1;
    if (next > 63) throw ValueError("more than 64 axes: " + nest_.text());
    open_here.push_back(range(Dim(most), next++, RangeKind::Tile));
    from = from + (open_here.back() + c.box.min) * c.scale;
    places.push_back({simplify(c.at - c.box.min), open_here.back(), most});
  }
  std::vector<const Axis*> closed;
  for (const Axis& a : nest_.axes) {
    if (!(u.ranges() & bit(a.range)) || (in_windows & bit(a.range)) || (blocks_ & bit(a.range))) continue;
    const int at = depth_of_[id(a.range)];
    if (a.kind == AxisKind::Unroll)
      inner.insert(inner.begin() + static_cast<ptrdiff_t>(p.tile.size()), {a.range, a.range, a.most}), p.tile.push_back(&a);
    else if (a.kind == AxisKind::Vector) inner.push_back({a.range, a.range, a.most});
    else if (at > depth) places.push_back({a.range, a.range, a.most}), open_here.push_back(a.range);
    else if (at == 0) closed.push_back(&a);
  }
  for (const Axis* a : closed) places.push_back({a->range, a->range, a->most}), open_here.push_back(a->range);
  // A tile of rows that lie apart, in memory that lies side by side along a coordinate: read along it, and transposed in registers.
  UOp along;
  int64_t lanes = 1;
  for (size_t i = 0; i < w.coordinates.size() && !along; ++i)
    if (w.coordinates[i].scale == 1 && p.tile.size() == 1 && inner.size() == 1 && stride(w.rest, p.tile[0]->range) != 1) {
      along = open_here[i];
      const int64_t most = std::min({extent(along), p.tile[0]->most, target_.vector_bytes / static_cast<int64_t>(size_of(u.dtype()))});
      lanes = std::max<int64_t>(1, static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(most))));
      inner[0].most = ceil_div(inner[0].most, lanes) * lanes;
    }
  places.insert(places.end(), inner.begin(), inner.end());
  for (size_t i = places.size(); i-- > 0; p.size *= places[i].most) {
    read = read + places[i].read * p.size;
    to = to + places[i].write * p.size;
  }
  p.where = simplify(read);
  p.pointer = block_.shared(u.dtype(), p.size);
  const UOp copied = load(u.src(0), simplify(from), w.gate);
  to = simplify(to);
  keep_.insert(keep_.end(), {copied, to, p.where});
  keep_.insert(keep_.end(), open_here.begin(), open_here.end());
  filling(depth, [&] {
    if (lanes > 1) std::erase(open_here, along);
    for (const UOp& r : open_here) open(r);
    if (lanes > 1) fill_squares(p, copied, to, along, lanes);
    else for_points(p.tile, [&] { store_staged(p, copied, to, {}); });
    for (size_t i = 0; i < open_here.size(); ++i) e_.close_loop({});
  });
  return p;
}

// Squares of the tile's rows by elements side by side; the last square overlaps the one before.
void Lower::fill_squares(const Panel& p, const UOp& copied, const UOp& to, const UOp& along, int64_t lanes) {
  const Axis& tile = *p.tile[0];
  int next = id(along) + 1;
  for (const Axis& a : nest_.axes) next = std::max(next, id(a.range) + 1);
  for (const UOp& u : toposort(to)) if (u.op() == Op::Range) next = std::max(next, id(u) + 1);
  if (next + 3 > 64) throw ValueError("more than 64 axes: " + nest_.text());
  const int64_t n = extent(along);
  const UOp round = range(Dim(ceil_div(n, lanes)), next, RangeKind::Tile),
            begin = n % lanes == 0 ? round * lanes : smaller(round * lanes, index(n - lanes));
  const Axis lane{"", range(Dim(lanes), next + 1, RangeKind::Tile), AxisKind::Vector, lanes, 1},
      point{"", range(Dim(lanes), next + 2, RangeKind::Tile), AxisKind::Unroll, lanes, 1};
  for (const Axis* a : {&lane, &point}) axis_of_[id(a->range)] = a, depth_of_[id(a->range)] = 0;
  const UOp what = substitute(copied, {{along, begin + lane.range}}), place = simplify(substitute(to, {{along, begin + point.range}}));
  keep_.insert(keep_.end(), {round, lane.range, point.range, what, place});
  open(round);
  int64_t& row = point_[id(tile.range)];
  for (int64_t first = 0; first < tile.most; first += lanes) {
    std::vector<int> x;
    for (row = first; row < first + lanes; ++row) x.push_back(row < tile.most ? emit(what) : x.back());
    transpose(e_.depth(), x);
    row = first;
    for_points(std::vector{&point}, [&] {
      Inst i = make(InstOp::store, copied.dtype(), 0,
                    {p.pointer, address(place, nullptr).base, x[static_cast<size_t>(point_[id(point.range)])]});
      i.lanes = static_cast<uint16_t>(lanes);
      e_.push(e_.depth(), std::move(i));
    });
  }
  row = 0;
  e_.close_loop({});
  for (const Axis* a : {&lane, &point}) axis_of_[id(a->range)] = nullptr;
}

}  // namespace tg
