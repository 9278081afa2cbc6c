// See lowering.hpp. Matrix instructions whose registers are tiles: of sums, of rows of one operand, and of columns of the other.
//
//   tile(i1, 16, vector); tile(i0, 16, unroll)          a tile of sums: 16 rows of 16 lanes
//   mma(bf16_tile)
//   tile(r2, 2, unroll); tile(r2, 16, unroll)           of 32 steps, two of which lie side by side
//   stage(p2, i1)                                       sums += tile of a (16 rows of 32 steps) x tile of b (16 x 2 steps of 16 columns)
//
// A tile is loaded at once, from memory as it lies or from a panel. A panel is filled by tiles as well, through 16 vectors of 16 words, a
// word being what lies side by side: loaded along the sum or across it, transposed in registers where the tile lies the other way. What is
// beyond the ends is zero there. Sums leave through scratch (lower_epilogue.cpp).
#include <algorithm>

#include <fmt/format.h>

#include "codegen/access.hpp"
#include "codegen/lowering.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

constexpr int64_t kRegisters = 8;  // LLVM 19 loses the distance of a tile's rows where it has to put one aside

}  // namespace

void Lower::refuse_tiles(std::string_view why) const {
  throw ValueError(fmt::format("mma({}): {}, in kernel {}: {}", nest_.matrix, why, kernel_.name(), nest_.text()));
}

bool Lower::has_tiles() const {
  return std::ranges::any_of(target_.matrix, [&](const MatrixInstruction& m) { return m.name == nest_.matrix && m.rows > 1; });
}

// The axes that one instruction makes at once, beside the lanes and the steps side by side.
void Lower::choose_tiles() {
  if (reduces_.size() > 1 || target_.grid || !kernel_.kept.empty()) refuse_tiles("tiles take a kernel of one sum");
  const UOp& sum = reduces_[0];
  if (sum.src(0).op() != Op::Mul) refuse_tiles("tiles take products");
  for (const Split& s : nest_.splits)
    for (int i : s.axes) {
      const Axis& a = nest_.axes[static_cast<size_t>(i)];
      if (a.kind != AxisKind::Unroll || !(sum.src(0).ranges() & bit(a.range))) continue;
      const bool same = std::ranges::any_of(s.axes, [&](int n) { return &nest_.axes[static_cast<size_t>(n)] == pair_; });
      if (same && &a != pair_ && a.most == matrix_->steps && a.step == pair_->most && pair_->step == 1) tile_steps_ = &a;
      if (!s.reduces() && a.most == matrix_->rows && a.step == 1 && !beside_lanes(a)) tile_rows_ = &a;
    }
  if (!tile_steps_ || !tile_rows_)
    refuse_tiles(fmt::format("it takes {} rows, and {} times {} steps of the sum", matrix_->rows, matrix_->steps, matrix_->depth));
  for (const UOp& r : reduce_ranges(sum))
    if (const Axis* const a = axis_of_[id(r)]; a->kind != AxisKind::Loop && a != pair_ && a != tile_steps_)
      refuse_tiles("other parts of the sum are loops");
  int64_t registers = 1;
  for (const Axis* a : axes_of_sums(sum)) registers *= a->most;
  for (const UOp& factor : sum.src(0).src()) {
    int64_t n = 1;
    for (const Axis* a : axes_of_sums(sum)) if (factor.ranges() & bit(a->range)) n *= a->most;
    registers += n;
  }
  if (registers > kRegisters) refuse_tiles(fmt::format("{} tiles of sums and operands, of {} that there are", registers, kRegisters));
}

int Lower::no_sums(DType dtype, int lanes) {
  Inst i = make(InstOp::tile_zero, dtype, matrix_->rows);
  i.lanes = static_cast<uint16_t>(lanes);
  return e_.push(e_.depth(), std::move(i));
}

int Lower::load_tile(int level, DType dtype, int pointer, int at, int64_t stride, int lanes) {
  Inst i = make(InstOp::tile_load, dtype, matrix_->rows, {pointer, at, e_.constant(DType::index, stride)});
  i.lanes = static_cast<uint16_t>(lanes);
  return e_.push(level, std::move(i));
}
void Lower::store_tile(int pointer, int at, int tile, int64_t stride) {
  e_.push(e_.depth(), make(InstOp::tile_store, DType::void_, 0, {pointer, at, tile, e_.constant(DType::index, stride)}));
}

// What has been added up so far, while other sums are made: tiles go to memory, since registers hold those alone.
Lower::State Lower::set_aside(const State& s) {
  if (!tile_rows_) return s;
  const int lanes = e_.lanes(s[0]), pointer = block_.shared(e_.dtype(s[0]), lanes);
  store_tile(pointer, e_.constant(DType::index, 0), s[0], lanes / matrix_->rows);
  return {pointer};
}

// A tile of sums more to those that were set aside.
int Lower::add_tile(int pointer, int tile) {
  const int lanes = e_.lanes(tile), row = lanes / matrix_->rows, level = e_.depth(), zero = e_.constant(DType::index, 0);
  const DType dtype = e_.dtype(tile);
  if (tile_sums_ < 0) tile_sums_ = block_.shared(dtype, lanes);
  store_tile(tile_sums_, zero, tile, row);
  for (int r = 0; r < matrix_->rows; ++r) {
    const int at = e_.constant(DType::index, static_cast<int64_t>(r) * row);
    std::vector<int> terms;
    for (const int from : {pointer, tile_sums_}) {
      terms.push_back(e_.push(level, make(InstOp::load, dtype, 0, {from, at})));
      e_.insts.back().lanes = static_cast<uint16_t>(row);
    }
    e_.push(level, make(InstOp::store, dtype, 0, {pointer, at, e_.alu(level, Op::Add, dtype, terms)}));
    e_.insts.back().lanes = static_cast<uint16_t>(row);
  }
  return load_tile(level, dtype, pointer, zero, row, lanes);
}

int Lower::dot_of_tiles(const UOp& r, int accumulator) {
  const UOp& v = r.src(0);
  const auto operand = [&](size_t n) -> const UOp& { return v.src(n).src(0); };  // not widened
  const size_t rows = vector_axis(operand(0).ranges()) ? 1 : 0;
  Inst i = make(InstOp::tile_dot, r.dtype(), matrix_->depth, {accumulator});
  for (size_t n : {rows, 1 - rows}) i.src.push_back(tile_of(operand(n)));
  i.lanes = static_cast<uint16_t>(e_.lanes(accumulator));
  return e_.push(e_.depth(), std::move(i));
}

// The part of an operand that one instruction takes.
int Lower::tile_of(const UOp& u) {
  if (u.op() != Op::Load) refuse_tiles("tiles are loaded, and an operand is computed");
  const int level = level_under_conditions(u), words = matrix_->steps * matrix_->depth;
  const uint64_t k = key(u, 7);
  if (const auto& memo = e_.levels[static_cast<size_t>(level)].memo; memo.contains(k)) return memo.at(k);
  const bool of_lanes = vector_axis(u.ranges());
  int out;
  if (const Nest::Staged* s = staging(u)) {
    const Panel& p = panel(u, *s);
    const UOp where = p.place();
    keep_.push_back(where);
    const int at = address(where, vector_axis(where.ranges())).base;
    out = load_tile(std::max(depth_of(*s, u), level), u.dtype(), p.pointer, at, words, words * matrix_->rows);
  } else {
    const UOp& at = u.src(1);
    const int64_t apart = stride(at, tile_rows_->range);
    const bool masked = u.src().size() > 2 && mask_of(u.src(2), 1) >= 0;
    if (of_lanes || masked || apart == kIrregular || stride(at, pair_->range) != 1 || stride(at, tile_steps_->range) != matrix_->depth)
      refuse_tiles(fmt::format("p{} does not lie as it takes tiles; stage it", u.src(0).as<ParamArg>().slot));
    const int pointer = pointers_[static_cast<size_t>(u.src(0).as<ParamArg>().slot)];
    out = load_tile(level, u.dtype(), pointer, address(at, nullptr).base, apart, words * matrix_->rows);
  }
  return e_.levels[static_cast<size_t>(level)].memo[k] = out;
}

// A panel of tiles, filled tile by tile.
Lower::Panel Lower::fill_tiles(const UOp& u, int depth) {
  Panel p = layout(u, depth);
  filling(depth, [&] {
    const UOp place = p.place();
    const UOp* const lanes = vector_axis(u.ranges());
    const bool along = stride(u.src(1), pair_->range) == 1 && stride(u.src(1), tile_steps_->range) == matrix_->depth;
    const int words = matrix_->steps, next = next_id(2);
    // rows of the tile in memory, over points; across them all steps of a row, or all columns of a step
    const Axis points{"", range(Dim(words), next, RangeKind::Tile), AxisKind::Unroll, words, 1},
        wide{"", range(Dim(along ? words * matrix_->depth : words), next + 1, RangeKind::Tile), AxisKind::Vector,
             along ? words * matrix_->depth : words, 1};
    for (const Axis* a : {&points, &wide}) axis_of_[id(a->range)] = a, depth_of_[id(a->range)] = 0;
    const UOp& across = lanes ? *lanes : tile_rows_->range;
    const Substitution passing{{across, wide.range}, {tile_steps_->range, points.range}},
        beside{{across, points.range},
               {pair_->range, floor_mod(wide.range, matrix_->depth)},
               {tile_steps_->range, floor_div(wide.range, index(matrix_->depth))}};
    const UOp what = simplify(substitute(u, along ? beside : passing));
    const UOp to = substitute(place, {{across, index(0)}, {pair_->range, index(0)}, {tile_steps_->range, index(0)}});
    std::vector<UOp> loops = p.loops;  // as memory lies
    std::ranges::stable_sort(loops, std::greater(), [&](const UOp& r) { return std::abs(stride(u.src(1), r)); });
    for (const UOp& r : loops) open(r);
    std::vector<const Axis*> tile = p.tile;
    std::erase_if(tile, [&](const Axis* a) { return a == tile_rows_ || a == tile_steps_; });
    keep_.insert(keep_.end(), {what, to});
    for_points(tile, [&] {
      std::vector<int> vectors;
      for_points({&points}, [&] { vectors.push_back(along ? emit(what) : interleaved(what)); });
      if (along == (lanes != nullptr)) {
        for (int& v : vectors) v = bitcast(e_.depth(), v, DType::int32);
        transpose(e_.depth(), vectors);
        for (int& v : vectors) v = bitcast(e_.depth(), v, u.dtype());
      }
      const int begin = address(to, nullptr).base;
      for (int n = 0; n < words; ++n) {
        const int at = e_.alu(e_.depth(), Op::Add, DType::index, {begin, e_.constant(DType::index, n * words * matrix_->depth)});
        Inst i = make(InstOp::store, u.dtype(), 0, {p.pointer, at, vectors[static_cast<size_t>(n)]});
        i.lanes = static_cast<uint16_t>(words * matrix_->depth);
        e_.push(e_.depth(), std::move(i));
      }
    });
    for (size_t i = 0; i < p.loops.size(); ++i) e_.close_loop({});
    for (const Axis* a : {&points, &wide}) axis_of_[id(a->range)] = nullptr;
  });
  return p;
}

}  // namespace tg
