#pragma once
// What tells one build of this library from another.
#include <string>

namespace tg {

/// The identity that the linker gave the file this code is in (ELF's NT_GNU_BUILD_ID), as bytes; empty if it gave none.
std::string build_id();

}  // namespace tg
