#pragma once
// ScalarCode: a few scalar expressions as a list of steps, to be run many times on different inputs.
//
//   ScalarCode code({a + b}, {a, b});   Number in[] = {x, y}, out[1];   code.run(in, out);
//
// Runs what the folder would fold: monoid rows, and sizes that are expressions over variables.
#include <array>
#include <span>
#include <vector>

#include "tg/ir/op_info.hpp"
#include "tg/ir/uop.hpp"

namespace tg {

class ScalarCode {
 public:
  /// `results` may use constants, elementwise ops and the nodes `inputs`. Throws ValueError on any other leaf.
  ScalarCode(std::span<const UOp> results, std::span<const UOp> inputs);
  void run(const Number* in, Number* out);

 private:
  struct Step { Op op; DType operand, result; std::array<uint32_t, 3> src; uint32_t to; };
  std::vector<Number> slots_;  // inputs, then constants and intermediate values
  size_t inputs_;
  std::vector<Step> steps_;
  std::vector<uint32_t> results_;
};

/// The value a Const node holds.
Number value_of(const UOp& constant);

}  // namespace tg
