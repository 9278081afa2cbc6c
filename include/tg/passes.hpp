#pragma once
// Passes of one's own: what the compiler does beside its own steps while they are in force.
//
//   constexpr Var x{0};
//   const AddedPass squares("squares", Stage::Tensor, rewriting({{sin(x) * sin(x), 1 - cos(x) * cos(x)}}));
//   y.realize();                          compiled with that rule, like all that is computed, by any thread, until `squares` ends
//
// A graph goes through the passes of Stage::Tensor before it is scheduled, each kernel of the schedule through those of Stage::Kernel
// before its verbs are chosen; in the order in which they were added. TG_DEBUG=5 prints which rules fired; tg::explain shows what became
// of a tensor. The device `interpreter` takes no passes: it evaluates graphs as they were written.
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tg/ir/pattern.hpp"
#include "tg/ir/uop.hpp"
#include "tg/ir/verify.hpp"

namespace tg {

/// in: Stage::Tensor: the values wanted, as graphs over Params, which stand for memory. Stage::Kernel: a kernel's stores.
/// out: as many, in that order, of the same shapes and dtypes, which mean the same. Called by several threads at a time.
using Pass = std::function<std::vector<UOp>(std::span<const UOp> roots)>;

/// The pass that applies rules until none fires.
Pass rewriting(Rules rules);

/// A pass in force while this lives. What it throws comes out where values are asked for, and so does a ValueError that names it where
/// it returns something that has no place there: another number of roots, other shapes or dtypes, ops of another stage, memory.
class [[nodiscard]] AddedPass {
 public:
  AddedPass(std::string name, Stage stage, Pass pass);
  ~AddedPass();
  AddedPass(const AddedPass&) = delete;
  AddedPass& operator=(const AddedPass&) = delete;

 private:
  const uint64_t id_;
};

}  // namespace tg
