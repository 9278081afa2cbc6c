#pragma once
// Matrix instructions as LLVM IR: products of neighbours in the lanes of a vector, and tiles (Intel's AMX).
//
//   %9 = tile_dot %6 %7 %8 x256      ->      %v9 = call x86_amx @llvm.x86.tdpbf16ps.internal(i16 16, i16 64, i16 64, x86_amx %v6, ...)
#include <string>
#include <string_view>

#include "tg/inst.hpp"

namespace tg::render {

/// What a tile is in LLVM: a type of its own, which memory, vectors and constants do not have.
constexpr std::string_view kTileType = "x86_amx";

/// A source of an instruction: what it is, and how its result is written.
struct Operand {
  const Inst* inst;
  const std::string* value;
};

/// The lines of a dot, tile_zero, tile_load, tile_dot or tile_store; `name` is its result, and `name`p where its memory begins. False:
/// there
/// is no such instruction.
bool put_matrix(std::string& out, const Inst& u, const std::vector<Operand>& src, const std::string& name);

}  // namespace tg::render
