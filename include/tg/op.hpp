#pragma once
// The op vocabulary as an enum; the rows and their meaning are in ops.def.
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tg {

enum class Op : uint8_t {  // rows of ops.def
#define OP(name, ...) name,
#include "tg/ops.def"
#undef OP
};
/// As the row spells it.
constexpr std::string_view name_of(Op op) {
  constexpr std::string_view names[] = {
#define OP(name, ...) #name,
#include "tg/ops.def"
#undef OP
  };
  return names[static_cast<size_t>(op)];
}

}  // namespace tg
