#pragma once
// Pieces of memory of which a run reads nothing else: memory of their own, so that the same program over the next one (a batch, a row) is
// the same plan.
//
//   relu(Shrink(Buffer 17, rows 64 to 128))      relu(Param 0), {bytes 64 n to 128 n of Buffer 17}
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtime/buffer.hpp"
#include "tg/ir/uop.hpp"

namespace tg {

/// A piece as a cut along the outermost axis is. It begins `before` elements behind where the device lets buffers begin.
struct Piece {
  std::shared_ptr<Buffer> memory;
  int64_t before;
};

struct Pieces {
  std::unordered_map<const detail::Node*, Piece> of;  // by what cuts them
  std::unordered_set<const detail::Node*> cut;        // what these are cut from
};

/// Those of a graph, whose nodes are given sources first (nodes_to_compute).
Pieces pieces(std::span<const UOp* const> order, std::span<const UOp> roots);

}  // namespace tg
