#pragma once
// Ranges substituted by the nest's axes, once: the last step before instructions.
//
//   store p0[i0] = load p1[i0], i0 < 1000 tiled by 16 lanes    ->    store p0[i0*16 + i0a] = load p1[...] if i0*16 + i0a < 1000
//
// Tiles that reach past the end: lanes and threads are masked (loads and stores get a gate), register tiles read the last element again
// and only their stores are gated; a reduction takes its identity there.
#include "codegen/nest.hpp"

namespace tg {

/// The kernel's roots over the nest's axes, simplified. masks: register tiles are masked as lanes are.
std::vector<UOp> bind(const Kernel&, const Nest&, bool masks = false);

}  // namespace tg
