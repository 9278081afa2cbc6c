#pragma once
// Which verbs a kernel gets when nobody searches: from strides, extents and the target's facts, never from a kernel's name or exact size.
#include "codegen/nest.hpp"
#include "tg/target.hpp"

namespace tg {

/// `may_group`: whether the kernel may become two phases; what already is a phase may not.
Verbs choose_verbs(const Kernel&, const Target&, bool may_group = true);

}  // namespace tg
