#pragma once
// A graph without its memory: what two runs of the same program have in common.
//
//   in:  relu(Buffer 17 + Buffer 5 * Bind(lr, 0.01))      out: relu(Param 0 + Param 1 * Variable v0), {Buffer 17, Buffer 5}, {0.01}
//
// Buffers become params in the order they are first met, bound variables become variables and their values are set aside. The hash of
// the result keys the cache of plans: equal structure over other buffers is the same plan. It is computed without the result's nodes,
// which are made only for who asks for them.
//
// A program whose numbers differ from run to run (x * decay, for another decay in each step) would be another plan for each: numbers that
// were seen to differ (Plans::varying) are bound as variables are.
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "ir/node_map.hpp"
#include "runtime/buffer.hpp"
#include "tg/ir/uop.hpp"

namespace tg {

/// What is left to compute up to the roots, sources first. Pointers, not handles: the counts of handles must stay what the user made them.
std::vector<const UOp*> nodes_to_compute(std::span<const UOp> roots);

class Canonical {
 public:
  explicit Canonical(std::span<const UOp> roots) : Canonical(roots, nodes_to_compute(roots)) {}
  Canonical(std::span<const UOp> roots, std::span<const UOp* const> order);  // nodes_to_compute(roots)
  /// Of roots(): equal for graphs that differ in memory and in values of variables alone.
  Hash128 key() const;
  /// Numbers that could be bound: float32 and float64 operands of elementwise operations, but those that rules know (0, 1, infinity, ln 2).
  std::vector<double> numbers() const;
  /// The key that all graphs have which differ in those alone.
  Hash128 form();
  /// Those of numbers() become variables.
  void bind_numbers(std::span<const size_t> which);
  /// Over Params and Variables; Assign's argument is 1 where it may be made in place. While the graph's own roots live.
  std::vector<UOp> roots() const;

  std::vector<std::shared_ptr<Buffer>> inputs;  // by slot
  std::vector<UOp> variables;                   // by number
  std::vector<int64_t> values;                  // of the variables; floats as the bits of a double
  std::vector<UOp> assignments;                 // the graph's own nodes that are assignments still to be made

 private:
  struct Step {
    const UOp* node;
    int slot = -1;          // of its memory, if it has any
    int64_t before = 0;     // elements of that before its own, of a piece
    bool in_place = false;  // an assignment that may overwrite its target's memory
    int variable = -1;      // that stands for it, of a number that is bound
    Hash128 hash = {};
  };
  void bind(const UOp&);
  const UOp& bind_value(const UOp& constant, int64_t min, int64_t max);  // the variable
  std::vector<size_t> places_of_numbers() const;
  void rehash();
  Shape without_binds(const Shape&) const;
  Arg argument(const Step&) const;
  const Step& step_of(const UOp& u) const { return steps_[*places_.find(u.node())]; }
  Hash128 hash_of(const Step&) const;

  std::vector<Step> steps_;  // sources first
  detail::NodeMap<size_t> places_;
  std::vector<size_t> roots_;
  std::unordered_map<UOp, UOp> binds_;
};

}  // namespace tg
