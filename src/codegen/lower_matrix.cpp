// See lowering.hpp. Matrix instructions: two or four steps of a sum of products at once.
//
//   tile(r2, 2, unroll); mma(bf16_dot)      acc = dot(acc, (a[k], a[k + 1]) in all lanes, (b[k, j], b[k + 1, j]) in lane j)
//   tile(r2, 4, unroll); mma(u8_dot)        the same with four of uint8 by four of int8, in int32
//   tile(r2, 4, unroll); mma(s8_dot)        four of int8 by four of int8: sum((a + 128) * b) - 128 * sum(b), by the instruction above; the
//                                           sum of b is the same for all rows, and is made outside of their loop where there is one
//
// What takes part in a lane lies side by side: a panel that is packed for it is laid out that way, other operands are interleaved when
// they have been loaded.
#include <algorithm>

#include <fmt/format.h>

#include "codegen/access.hpp"
#include "codegen/lowering.hpp"
#include "tg/error.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {

namespace {

constexpr int kShift = 128;  // makes a signed byte an unsigned one: its top bit, which is turned over

UOp shift(const UOp& byte) {
  return UOp::make(Op::Xor, {UOp::make(Op::Bitcast, {byte}, Arg{}, DType::uint8), constant(DType::uint8, kShift)});
}
const UOp& widened(const UOp& factor) { return factor.src(0); }
bool made_of_loads(const UOp& u) {
  return u.op() == Op::Load || is_const(u) || (is_elementwise(u.op()) && std::ranges::all_of(u.src(), made_of_loads));
}
bool adds_up(const MatrixInstruction& m, const UOp& reduce) {  // sums of b alone
  const UOp& v = reduce.src(0);
  return reduce.as<ReduceArg>().monoid == Monoid::Sum && reduce.dtype() == m.accumulator && v.op() == Op::Cast && widened(v).dtype() == m.b;
}

}  // namespace

bool Lower::is_whole(const UOp& r, const MatrixInstruction& m) const {
  const UOp* const lanes = vector_axis(r.ranges());
  return lanes && width(*lanes) * static_cast<int>(size_of(m.accumulator)) == target_.vector_bytes;
}

// Sums of products by the instruction that there is for others: the factor that is the same in all lanes is shifted. Past the end of the
// sum it is then no longer 0, but the other one is.
std::vector<UOp> Lower::shifted(const std::vector<UOp>& roots) {
  const auto signed_one = std::ranges::find_if(target_.matrix, [&](const auto& m) { return m.name == nest_.matrix && m.by_shift; });
  if (signed_one == target_.matrix.end()) return roots;
  MatrixInstruction own = *signed_one;
  own.a = DType::uint8, own.by_shift = false;
  Substitution sums;
  for (const UOp& r : toposort(roots)) {
    if (r.op() != Op::Reduce || !multiplies(*signed_one, r) || !is_whole(r, own)) continue;
    const UOp &x = r.src(0).src(0), &y = r.src(0).src(1), &a = vector_axis(x.ranges()) ? y : x, &b = vector_axis(x.ranges()) ? x : y;
    const auto sum = [&](const UOp& term) {
      std::vector<UOp> src(r.src().begin(), r.src().end());
      src[0] = term;
      return r.with(src);
    };
    sums[r] = sum(cast(shift(widened(a)), own.accumulator) * b) - sum(b) * constant(own.accumulator, kShift);
  }
  if (!sums.empty()) shifted_ = own;
  return substitute(roots, sums);
}

// What makes the steps of this reduction, if it is a sum of products as the instruction takes them, or of what they are products with.
const MatrixInstruction* Lower::instruction_for(const UOp& r) const {
  if (shifted_) return is_whole(r, *shifted_) && (multiplies(*shifted_, r) || adds_up(*shifted_, r)) ? &*shifted_ : nullptr;
  for (const MatrixInstruction& m : target_.matrix) if (m.name == nest_.matrix && is_whole(r, m) && multiplies(m, r)) return &m;
  return nullptr;
}

void Lower::choose_matrix() {
  for (const UOp& r : reduces_)
    if (const MatrixInstruction* const m = instruction_for(r))
      for (const UOp& x : reduce_ranges(r))
        if (const Axis* const a = axis_of_[id(x)]; a->kind == AxisKind::Unroll && a->most == m->depth) matrix_ = m, pair_ = a;
  const auto other = [&](const UOp& r) {
    return pair_ && !instruction_for(r) && std::ranges::any_of(reduce_ranges(r), [&](const UOp& x) { return axis_of_[id(x)] == pair_; });
  };
  if (!pair_ || std::ranges::any_of(reduces_, other))
    throw ValueError(
        fmt::format("mma({}): this target and kernel {} do not have it: it takes a sum of products, tiled along the sum by as many "
                                 "as the instruction adds, for whole vectors of lanes: {}", nest_.matrix, kernel_.name(), nest_.text()));
  if (matrix_->rows > 1) choose_tiles();
}

int Lower::dot(const UOp& r, int accumulator) {
  if (tile_rows_) return dot_of_tiles(r, accumulator);
  const UOp& v = r.src(0);
  const int lanes = e_.lanes(accumulator);
  int a, b;
  if (v.op() == Op::Mul) {
    const size_t first = first_operand(*matrix_, r);
    a = pairs(widened(v.src(first)), lanes), b = pairs(widened(v.src(1 - first)), lanes);
  } else {
    a = e_.broadcast(e_.constant(matrix_->a, 1), matrix_->depth * lanes), b = pairs(widened(v), lanes);
  }
  Inst i = make(InstOp::dot, r.dtype(), matrix_->depth, {accumulator, a, b});
  i.lanes = static_cast<uint16_t>(lanes);
  return e_.push(e_.depth(), std::move(i));
}

// An operand for one instruction: in each lane its steps side by side.
int Lower::pairs(const UOp& operand, int lanes) {
  const int depth = matrix_->depth, level = level_of(operand.ranges());
  const int v = interleaved(operand);
  if (e_.lanes(v) == depth * lanes) return v;
  return shuffle(level, v, depth * lanes, [&](int k) { return k % depth; });
}

// The steps of each lane, side by side: from a panel that holds them so, or of neighbours in memory, with one load.
int Lower::interleaved(const UOp& u) {
  const int level = level_under_conditions(u), depth = matrix_->depth;
  const uint64_t k = key(u, 7);
  auto& memo = e_.levels[static_cast<size_t>(level)].memo;
  if (auto it = memo.find(k); !filling_ && it != memo.end()) return it->second;
  int64_t& at = point_[id(pair_->range)];
  at = 0;
  int out = u.op() == Op::Load ? load_pairs(u, level) : made_of_loads(u) ? interleaved_parts(u, level) : -1;
  if (out < 0) {
    const auto steps = [&](const auto& self, int64_t first, int count) -> int {  // so many from there on, side by side
      if (count == 1) {
        at = first;
        return emit(u);
      }
      const int half = count / 2, a = self(self, first, half), b = self(self, first + half, half), n = e_.lanes(a);
      return shuffle(level, a, b, 2 * n, [&](int l) { return l % count / half * n + l / count * half + l % half; });
    };
    out = steps(steps, 0, depth);
    at = 0;
  }
  if (!filling_) e_.levels[static_cast<size_t>(level)].memo[k] = out;
  return out;
}

// Of an expression of loads: made of theirs.
int Lower::interleaved_parts(const UOp& u, int level) {
  if (is_const(u)) return emit(u);
  if (u.op() == Op::Load) return interleaved(u);
  std::vector<int> src;
  for (const UOp& s : u.src()) src.push_back(interleaved_parts(s, level));
  if (u.op() == Op::Cast) return e_.cast(level, src[0], u.dtype());
  if (u.op() == Op::Bitcast) return bitcast(level, src[0], u.dtype());
  return e_.alu(level, u.op(), u.dtype(), std::move(src));
}

int Lower::load_pairs(const UOp& u, int level) {
  if (const Nest::Staged* s = staging(u); s && !filling_ && depth_of(*s, u) <= level) return load_staged(u, *s, level);
  if (vector_axis(u.src(1).ranges()) || stride(u.src(1), pair_->range) != 1) return -1;
  if (u.src().size() > 2 && mask_of(u.src(2), 1) >= 0) return -1;
  Inst i =
      make(InstOp::load, u.dtype(), 0, {pointers_[static_cast<size_t>(u.src(0).as<ParamArg>().slot)], address(u.src(1), nullptr).base});
  i.lanes = static_cast<uint16_t>(matrix_->depth);
  return e_.push(level, std::move(i));
}

}  // namespace tg
