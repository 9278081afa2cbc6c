#pragma once
// The verb pipeline(i1): the last walk over a row, which stores, runs inside a walk that reduces the next row. Arithmetic of the one and
// memory of the other then go on at once. It is the walk in which something is kept, and a row that is kept is read before it is
// overwritten; where nothing is kept, the walk with the most arithmetic.
//
//   for each row i0:                        keep(r1)                for each row i0:                                pipeline(i1)
//     m = max over r1 of a[i0, r1]                                    m = max over r1 of a[i0, r1]
//     for r1: t[r1] = exp(a[i0, r1] - m)                              for r1: out[i0 - 1, r1] = t[r1] / s
//     s = sum over r1 of t[r1]                                                t[r1] = exp(a[i0, r1] - m), added to the next s
//     for i1: out[i0, i1] = t[i1] / s                               for i1: out[last, i1] = t[i1] / s
//
// The first row of those that follow each other on a worker is reduced as without the verb, and the last one is stored behind them. What
// the stores need of a row's reductions is handed on to the next round; all else they compute of the row before.
#include <string_view>

#include "codegen/nest.hpp"
#include "tg/ir/pattern.hpp"
#include "tg/target.hpp"

namespace tg {

/// What is in the way of it; empty where it fits.
std::string_view pipeline_obstacle(const Kernel&);

/// What is lowered in place of a kernel and a nest with that verb.
struct Pipeline {
  Kernel kernel;    // its stores: of the row before, of loads of stand-ins for what is handed on
  Nest nest;        // also of the loops `before`, and the tiles of a row are those of the row before
  size_t kept;      // how many of kernel.kept are arrays. The next one is of the reduction in whose walk the row before is stored, those
                    // behind it are what is handed on, in params of their own
  Substitution before;  // from a loop over rows to that over the rows before
};
Pipeline pipeline(const Kernel&, const Nest&, const Target&);

}  // namespace tg
