#pragma once
// A graph without its memory: what two runs of the same program have in common.
//
//   in:  relu(Buffer 17 + Buffer 5 * Bind(lr, 0.01))      out: relu(Param 0 + Param 1 * Variable v0), {Buffer 17, Buffer 5}, {0.01}
//
// Buffers become params in the order they are first met, bound variables become variables and their values are set aside. The hash of
// the result keys the cache of plans: equal structure over other buffers is the same plan.
#include <memory>
#include <span>
#include <vector>

#include "runtime/buffer.hpp"
#include "tg/ir/uop.hpp"

namespace tg {

struct Canonical {
  std::vector<UOp> roots;                        // over Params and Variables; Assign's argument is 1 where it may be made in place
  std::vector<std::shared_ptr<Buffer>> inputs;   // by slot
  std::vector<UOp> variables;                    // by number
  std::vector<int64_t> values;                   // of the variables; floats as the bits of a double
  std::vector<UOp> assignments;                  // the graph's own nodes that are assignments still to be made
  Hash128 key() const;
};

Canonical canonicalize(std::span<const UOp> roots);

}  // namespace tg
