#pragma once
// Loops that walk memory as one loop become one: fewer counters, longer vectors, and sizes that divide better.
//
//   for i0 < 64, i1 < 24, all accesses at i0*24 + i1        ->        for i0 < 1536, all accesses at i0
#include "ir/kernel.hpp"

namespace tg {

/// The same kernel over merged output and reduce ranges, wherever that leaves no division behind.
Kernel collapse(Kernel);

}  // namespace tg
