#pragma once
// The verb pipeline(i1): where something of rows is kept, the last walk over a row, which stores, runs inside the walk that keeps the next
// one. Arithmetic of the one and memory of the other then go on at once, and a row that is kept is read as it is overwritten.
//
//   for each row i0:                        keep(r1)                for each row i0:                                pipeline(i1)
//     m = max over r1 of a[i0, r1]                                    m = max over r1 of a[i0, r1]
//     for i1: t[i1] = exp(a[i0, i1] - m)                              for i1: out[i0 - 1, i1] = t[i1] / s; t[i1] = exp(a[i0, i1] - m)
//     s = sum over r1 of t[r1]                                        s = sum over r1 of t[r1]
//     for i1: out[i0, i1] = t[i1] / s                               for i1: out[last, i1] = t[i1] / s
//
// The first row of those that follow each other on a worker is kept as without the verb, and the last one is stored behind them. What the
// stores need of a row's reductions is handed on to the next round; all else they compute of the row before.
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
  size_t kept;      // how many of kernel.kept are arrays. The next one is the first of them, kept in the walk that stores, those behind
                    // it what is handed on, in params of their own
  Substitution before;  // from a loop over rows to that over the rows before
};
Pipeline pipeline(const Kernel&, const Nest&, const Target&);

}  // namespace tg
