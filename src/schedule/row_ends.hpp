#pragma once
// How far the loops along rows go in the steps of a block, where a mask leaves nothing of the ends of rows.
//
//   where(q < k, -inf, s[q, k]), q < 64 * b + 64      k < 64 * b + 64 in everything that is made of it: exp2 of the rest is 0, a maximum
//                                                     or a sum without it is the same, and so s need not be known there
//
// What lies outside is nothing, whatever it is multiplied by: 0 times infinity is not added. A row keeps its first elements, so one that
// is -inf throughout is nan as ever.
#include <unordered_map>
#include <utility>
#include <vector>

#include "tg/ir/uop.hpp"

namespace tg {

/// A step as far as this matters: what it stores; its loop over rows; of accesses to what is handed on from step to step which buffer
/// that is and where in the row.
struct StepView {
  std::vector<UOp> stores;
  UOp row;
  bool adds;  // it sums over rows, in blocks that are added up
  std::unordered_map<UOp, std::pair<int, UOp>> place;
};

class RowEnds {
 public:
  /// last: the last row of a block. follows: where blocks are added up, whether it adds to what was stored by those before it, of which the
  /// first begin with that many rows at least: one that stores does so for whole rows.
  RowEnds(const std::vector<StepView>& steps, const UOp& last, const UOp& follows, int64_t first);
  /// Loops of a step that end earlier, and where.
  const std::unordered_map<UOp, UOp>& of(size_t step) const { return ends_[step]; }

 private:
  struct Comparison { UOp range; int64_t beyond; bool holds; };  // known from so far behind the row on: whether it holds
  static bool compares(const UOp& less, const UOp& row, Comparison& out);
  void choose();
  bool known(const UOp& u, const UOp& range, size_t step, double& out) const;
  bool ends_early(const UOp& range, size_t step) const;
  bool read_before_end(int buffer, size_t from) const;

  const std::vector<StepView>& steps_;
  int64_t length_ = 0, beyond_ = 0;  // of the loops that may end early; how far behind the row
  std::unordered_map<int, double> values_;  // of what is handed on, behind the ends
  std::vector<std::unordered_map<UOp, UOp>> ends_;
};

}  // namespace tg
