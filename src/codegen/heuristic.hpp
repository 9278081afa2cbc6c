#pragma once
// Which verbs a kernel gets when nobody searches: from strides, extents and the target's facts, never from a kernel's name or exact size.
#include "codegen/nest.hpp"
#include "tg/target.hpp"

namespace tg {

/// What may make other kernels of this one; what already is a part of one may not become two by the same means.
struct Phases { bool group = true, copy = true, keep = true, part = true; };
Verbs choose_verbs(const Kernel&, const Target&, const Phases& may = {});

}  // namespace tg
