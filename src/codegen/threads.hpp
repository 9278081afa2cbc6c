#pragma once
// Which of a GPU's thread numbers each thread axis of a nest is.
//
//   out[i, j] = x[i, j] / sum_r x[i, r]      tile(i1, 256, thread); tile(r1, 256, thread)      j and r: both thread number 0
//
// Axes that are open at the same time need numbers of their own; others share one if they are equally long, as j and r above: while the
// sum is made no j is open. The axis that was tiled first gets number 0, in which neighbours run side by side.
#include <array>
#include <span>

#include "codegen/nest.hpp"
#include "tg/target.hpp"

namespace tg {

class Threads {
 public:
  Threads() = default;
  /// Of stores as they are after binding. Throws ValueError when the axes need more than three numbers, or more threads than a block has.
  Threads(const Nest&, std::span<const UOp> stores, const Target&);
  /// Of an axis, by its range's id.
  int number(int range_id) const { return numbers_[static_cast<size_t>(range_id)]; }
  int64_t extent(int number) const { return block_[static_cast<size_t>(number)]; }
  int64_t count() const { return block_[0] * block_[1] * block_[2]; }
  /// Threads that differ in such a number compute the same results: no output's axis has it.
  bool idle(int number) const { return extent(number) > 1 && !(of_outputs_ >> number & 1); }

 private:
  std::array<int, 64> numbers_{};
  std::array<int64_t, 3> block_{1, 1, 1};
  unsigned of_outputs_ = 0;
};

}  // namespace tg
