#pragma once
// Which verbs a kernel gets when nobody searches: from strides, extents and the target's facts, never from a kernel's name or exact size.
#include "codegen/nest.hpp"
#include "tg/target.hpp"

namespace tg {

Verbs choose_verbs(const Kernel&, const Target&);

}  // namespace tg
