// See lowering.hpp. What is made of the sums of a register tile, where that is long: code for each vector of the tile would keep all sums
// in registers meanwhile, with none left for what it computes. The sums go through scratch, and a loop over rows of the tile goes on.
//
//   6 x 4 vectors of sums, gelu of each     t[row, vector] = sum, 24 stores
//                                           for row < 6: out[row, ...] = gelu(t[row, ...]), 4 vectors
#include <algorithm>

#include "codegen/access.hpp"
#include "codegen/lowering.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

constexpr int64_t kLong = 16;   // operations on a sum
constexpr int64_t kBeside = 4;  // vectors, of which one computes while others wait for what they have begun

}  // namespace

// The rows of the tile over which a loop makes what is stored; null where code for each of its vectors is as well.
Axis* Lower::rows_of_epilogue() {
  if (target_.grid || reduces_.empty() || !kernel_.kept.empty()) return nullptr;
  Axis* rows = nullptr;
  for (const Axis* a : output_axes(AxisKind::Unroll))
    if (tile_rows_ ? a == tile_rows_ : !rows && !beside_lanes(*a) && inside_[id(a->range)] != 1)
      rows = &nest_.axes[static_cast<size_t>(a - nest_.axes.data())];
  Substitution sums;
  for (const UOp& r : reduces_) {
    const bool here = rows && (r.ranges() & bit(rows->range)) && (tile_rows_ || level_of(r.ranges()) == e_.depth());
    if (!here || components(monoid(r)) > 1 || changing_.contains(r.node())) return nullptr;
    sums[r] = param(static_cast<int>(kernel_.params.size() + sums.size()), r.dtype());
  }
  int64_t operations = 0;
  for (const UOp& u : toposort(substitute(stores_, sums))) {
    if (u.op() == Op::Scan) return nullptr;
    operations += is_elementwise(u.op()) && u.dtype() != DType::index;
  }
  return operations > kLong || tile_rows_ ? rows : nullptr;
}

// Stores the sums of a tile in scratch, row by row.
Lower::SumsOfTile Lower::put_aside(const UOp& sum, const Axis& rows) {
  const UOp* const vector = vector_axis(sum.ranges());
  SumsOfTile out{sum, 0, axes_in(unrolled(sum.ranges()) & ~bit(rows.range)), vector ? extent(*vector) : 1, 0};
  out.size = out.lanes;
  for (const Axis* a : out.row) out.size *= a->most;
  out.pointer = block_.shared(sum.dtype(), out.size * rows.most);
  if (tile_rows_) {
    int64_t at = 0;
    for_points(out.row,
               [&] { store_tile(out.pointer, e_.constant(DType::index, std::exchange(at, at + out.lanes)), emit(sum), out.size); });
    return out;
  }
  for_points({&rows}, [&] {
    int64_t at = point_[id(rows.range)] * out.size;
    for_points(out.row, [&] {
      const int value = emit(sum);
      Inst i = make(InstOp::store, sum.dtype(), 0, {out.pointer, e_.constant(DType::index, std::exchange(at, at + out.lanes)), value});
      i.lanes = static_cast<uint16_t>(e_.lanes(value));
      e_.push(e_.depth(), std::move(i));
    });
  });
  return out;
}

// Loads those of a row as what the sums come to in it.
void Lower::take_back(const SumsOfTile& s, int row) {
  const int begin = e_.alu(e_.depth(), Op::Mul, DType::index, {row, e_.constant(DType::index, s.size)});
  int64_t at = 0;
  for_points(s.row, [&] {
    const int place = e_.constant(DType::index, std::exchange(at, at + s.lanes));
    Inst i = make(InstOp::load, s.sum.dtype(), 0, {s.pointer, e_.alu(e_.depth(), Op::Add, DType::index, {begin, place})});
    i.lanes = static_cast<uint16_t>(lanes_of_value(s.sum, nullptr));
    e_.levels.back().memo[key(s.sum, 0)] = e_.push(e_.depth(), std::move(i));
  });
}

// Stores what is made of a register tile.
void Lower::emit_tile() {
  const auto stores = [&] {
    for_points(output_axes(AxisKind::Unroll), [&] {
      for (const UOp& s : stores_) emit_store(s);
    });
  };
  Axis* const rows = rows_of_epilogue();
  if (!rows && tile_rows_) refuse_tiles("sums of tiles are stored when all are made");
  if (!rows) return stores();
  std::vector<SumsOfTile> sums;
  for (const UOp& r : reduces_) sums.push_back(put_aside(r, *rows));
  const auto points = [&](const Axis& a) { return inside_[id(a.range)] ? inside_[id(a.range)] : a.most; };
  int64_t vectors = 1, together = 1;  // of a row; rows in a round
  for (const Axis* a : sums[0].row) vectors *= points(*a);
  while (together < points(*rows) && (together * vectors < kBeside || points(*rows) % together)) ++together;
  const int known = depth_of_[id(rows->range)];
  const int first = e_.open_loop(e_.constant(DType::index, 0), e_.constant(DType::index, points(*rows)), together);
  rows->kind = AxisKind::Loop;
  for (int64_t n = 0; n < together; ++n) {
    const int row = e_.alu(e_.depth(), Op::Add, DType::index, {first, e_.constant(DType::index, n)});
    e_.levels.back().memo.clear();
    bind_range(rows->range, row);
    for (const SumsOfTile& s : sums) take_back(s, row);
    stores();
  }
  close({});
  rows->kind = AxisKind::Unroll;
  depth_of_[id(rows->range)] = known;
}

}  // namespace tg
