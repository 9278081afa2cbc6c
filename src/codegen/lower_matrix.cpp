// See lowering.hpp. Matrix instructions: two or four steps of a sum of products at once.
//
//   tile(r2, 2, unroll); mma(bf16_dot)      acc = dot(acc, (a[k], a[k + 1]) in all lanes, (b[k, j], b[k + 1, j]) in lane j)
//   tile(r2, 4, unroll); mma(u8_dot)        the same with four of uint8 by four of int8, in int32
//
// What takes part in a lane lies side by side: a panel that is packed for it is laid out that way, other operands are interleaved when
// they have been loaded.
#include <algorithm>

#include <fmt/format.h>

#include "codegen/access.hpp"
#include "codegen/lowering.hpp"
#include "tg/error.hpp"

namespace tg {

// What makes the steps of this reduction, if it is a sum of products as the instruction takes them.
const MatrixInstruction* Lower::instruction_for(const UOp& r) const {
  for (const MatrixInstruction& m : target_.matrix) {
    const UOp* const lanes = vector_axis(r.ranges());
    const bool whole = lanes && width(*lanes) * static_cast<int>(size_of(m.accumulator)) == target_.vector_bytes;
    if (m.name == nest_.matrix && whole && multiplies(m, r)) return &m;
  }
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
  int out = u.op() == Op::Load ? load_pairs(u, level) : -1;
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

int Lower::load_pairs(const UOp& u, int level) {
  if (const Nest::Staged* s = staging(u); s && !filling_ && depth_of(*s, u) <= level) return load_staged(u, *s, level);
  if (u.src().size() > 2 || vector_axis(u.src(1).ranges()) || stride(u.src(1), pair_->range) != 1) return -1;
  Inst i =
      make(InstOp::load, u.dtype(), 0, {pointers_[static_cast<size_t>(u.src(0).as<ParamArg>().slot)], address(u.src(1), nullptr).base});
  i.lanes = static_cast<uint16_t>(matrix_->depth);
  return e_.push(level, std::move(i));
}

}  // namespace tg
