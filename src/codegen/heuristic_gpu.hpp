#pragma once
// Which verbs a kernel gets on a GPU-like target (heuristic.hpp): what its blocks and threads are, and what they share.
//
//   elementwise     out[i]                 256 elements a block, one a thread
//   row reduction   sum_r x[i, r]          a block a row, whose threads share out r and combine their parts in shared memory
//   contraction     sum_r a[i, r] b[r, j]  a tile of i and j a block, tiles of a and b staged in shared memory, a few sums a thread
//   transpose       out[i, j] = x[j, i]    a square a block, staged so that both sides touch memory in order
#include "codegen/nest.hpp"
#include "tg/target.hpp"

namespace tg {

Verbs choose_gpu_verbs(const Kernel&, const Target&, bool may_group);

}  // namespace tg
