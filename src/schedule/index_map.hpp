#pragma once
// Movement ops as functions on indices: where a source is read, when its user is read at given indices.
//
//   Permute[1, 0] read at (i, j)  ->  its source at (j, i)         Pad (1, 1) read at (i)  ->  its source at (i - 1) if 0 <= i-1 < n
#include <vector>

#include "tg/ir/uop.hpp"

namespace tg {

using Indices = std::vector<UOp>;  // one index expression an axis

/// Where source `i` of an elementwise, movement or pass-through op is read. Gather, Stack, Reduce and OverlapAdd open or choose
/// indices themselves and are not for this function.
Indices source_index(const UOp& u, size_t i, const Indices& idx);
/// When the source's element counts at all (Pad); empty: always.
UOp source_gate(const UOp& u, const Indices& idx);
/// Position of an element in row-major memory.
UOp linear(const Indices& idx, const Shape& shape);
/// `lo <= x < hi`, simplified; empty when it always holds.
UOp within(const UOp& x, const UOp& lo, const UOp& hi);

/// How many elements an OverlapAdd adds up at most for one of its own: of each window those a multiple of the stride away.
Dim overlap_terms(const UOp& u);
/// The n-th of them for the element at `at`: where in the source its window is, and which of the window's it is. Empty gate: there always
/// is one.
struct Overlap { UOp position, element, gate; };
Overlap overlap_term(const UOp& u, const UOp& at, const UOp& n);

}  // namespace tg
