#pragma once
// The verb keep(r): what is computed of each element of a row, over a reduction's range r, and then again in another walk over the row, is
// computed once, in a walk of its own, and kept in the core's scratch.
//
//   out[i, x] = f(a[i, x]) / sum over r of f(a[i, r])
//   keep(r)      t[i, r] = f(a[i, r])      out[i, x] = t[i, x] / sum over r of t[i, r]
//
// t has an index for each of the loops outside, but memory for one round of them only: they fill it anew in each round.
#include "codegen/nest.hpp"

namespace tg {

/// The values that are computed over r and again: over r inside another reduction, or over the kernel's last range. None is part of
/// another. Empty where rows are not the innermost of what they depend on.
std::vector<UOp> computed_again(const Kernel&, const UOp& r);

/// The same value at another place of the row; reductions over r that it depends on stay as they are.
UOp moved(const UOp& value, const UOp& r, const UOp& to);

/// Whether a value over r takes many operations an element, a function counted as a few: what takes less is sooner made again than stored
/// and loaded.
bool much_work(const UOp& value, const UOp& r);

/// Throws ValueError where nothing is computed again.
Kernel keep(const Kernel&, const Nest&, const Verb&);

}  // namespace tg
