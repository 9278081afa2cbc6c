#pragma once
// How indices move: what heuristics and copies ask of a kernel's loads and stores.
//
//   stride(i * 64 + j * 2, j) == 2        stride(i / 3, i) == kIrregular       stride(i * 64, j) == 0
#include <algorithm>

#include "tg/ir/uop.hpp"
#include "tg/target.hpp"

namespace tg {

inline int64_t extent(const UOp& r) { return std::max<int64_t>(1, r.src(0).bounds().max); }
/// The first number from `least` to twice that which divides n, since equal parts need no mask; `least` if there is none.
inline int64_t even_parts(int64_t n, int64_t least) {
  for (int64_t parts = least; parts <= 2 * least; ++parts) if (n % parts == 0) return parts;
  return least;
}
inline constexpr int64_t kPage = 4096;  // bytes, along which processors fetch ahead by themselves; rows nearer than that follow each other
inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Whether an expression depends on a range (two ranges may share an id when they are never open together, so a set bit is no proof).
bool reads(const UOp& u, const UOp& range);
/// How an index moves when a range moves by one: elements, 0 if it does not, kIrregular if not by a constant.
inline constexpr int64_t kIrregular = INT64_MAX;
int64_t stride(const UOp& index, const UOp& range);
/// Whether all that is loaded for a product either lies side by side along a range or is the same for all of it.
bool straight(const UOp& product, const UOp& range);

/// Whether a reduction is a sum of products as a matrix instruction makes them: of operands of its dtypes, widened to its accumulator's.
bool multiplies(const MatrixInstruction& m, const UOp& reduce);
/// Which of the product's operands the instruction takes first.
size_t first_operand(const MatrixInstruction& m, const UOp& reduce);

}  // namespace tg
