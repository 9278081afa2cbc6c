#pragma once
// Kernels that hand large arrays on, run block by block: all of them for some rows, then for the next, so that of such an array there is
// never more than a block.
//
//   s[b, q, k] = sum over e of x[b, q, e] * y[b, k, e]
//   p[b, q, k] = softmax over k of s
//   o[b, q, e] = sum over k of p[b, q, k] * z[b, k, e]
//
// Over B * Q rows of K numbers each s and p are written and read. In blocks of 64 rows the three are steps of one launch, which runs
// B * Q / 64 times, on as many threads as there are, and s and p are 64 * K numbers of the thread's own.
//
// A step is an ordinary kernel: its loops over rows become loops over the rows of a block, whose number is a variable (block_steps.hpp).
// A sum over rows is a sum over those of a block, added to what the blocks before have made; such blocks follow each other. Where a mask
// leaves nothing of the ends of rows (what comes after a causal mask's diagonal), loops over k end there in all steps (row_ends.hpp).
#include "schedule/plan.hpp"
#include "tg/target.hpp"

namespace tg {

/// Groups launches of the plan in blocks where that saves memory traffic, and plans memory anew.
void in_blocks(Plan&, const Target&);

}  // namespace tg
