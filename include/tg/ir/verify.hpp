#pragma once
// What a graph must look like between two passes: which ops, and what must be true of each node.
//
//   if (verifying()) verify(root, Stage::Kernel);     throws InternalError: "Reshape has no place in a kernel: %3 = Reshape ..."
#include <span>

#include "tg/ir/uop.hpp"

namespace tg {

/// Between which passes a graph is, which says what it may look like.
enum class Stage : uint8_t {
  Tensor,  // a graph of tensors: movement, reductions over axes, no ranges
  Kernel,  // scalar expressions over ranges: loads, stores, reductions that close ranges
};

/// Throws InternalError naming the first node, sources before users, that does not belong, and why.
void verify(const UOp& root, Stage);
void verify(std::span<const UOp> roots, Stage);
/// Whether passes should verify what they make: in debug builds, and wherever TG_DEBUG is set.
bool verifying();

}  // namespace tg
