#pragma once
// What it costs to compute a value again, in units of one vectorised arithmetic operation, against keeping it in memory.
//
// A streamed element costs as much as some eight operations at this machine balance (about 110 Gop/s a core against 40 GB/s), a launch
// as much as some 300 thousand. The scheduler only compares, so the scale does not matter and the ratios need be right to a factor of two.
#include <unordered_map>
#include <unordered_set>

#include "tg/ir/uop.hpp"

namespace tg {

inline constexpr double kStreamCost = 8;      // one element read from or written to memory
inline constexpr double kLaunchCost = 300e3;  // one more kernel

/// What one element of `u` takes when all that is not stored is computed anew.
struct Price {
  double operations = 0;
  size_t nodes = 0;  // that this is, as far as it is looked at: what each copy of it adds to a kernel's code
  double read = 0;  // elements of memory behind all of u: of each stored value no more than u has itself
};
using Stored = std::unordered_set<UOp>;

class Cost {
 public:
  explicit Cost(const Stored& stored) : stored_(stored) {}
  Price operator()(const UOp& u);  // call in topological order: needs the cost of the reductions below

 private:
  const Stored& stored_;
  std::unordered_map<UOp, double> loops_;  // of reductions
};
double elements(const Shape& shape);  // by its upper bounds
bool loops(const UOp& u);             // whether each element of u takes a loop of its own

}  // namespace tg
