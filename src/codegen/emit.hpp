#pragma once
// Instructions under construction: a stack of open loops, each with its own code, memo and depth.
//
// Code for an outer loop can still be appended while an inner one is open: it lands before the inner loop, which joins its parent only
// when it is closed. That is how invariants leave loops.
#include <map>
#include <unordered_map>
#include <vector>

#include "tg/inst.hpp"
#include "tg/ir/uop.hpp"

namespace tg {

class Emitter {
 public:
  struct Level {
    std::vector<int> code;
    std::unordered_map<uint64_t, int> memo;   // (expression, point, component) -> instruction
    std::map<std::pair<int, int>, int> broadcasts;  // scalar instruction, lanes -> its vector
  };

  int depth() const { return static_cast<int>(levels.size()) - 1; }
  int push(int level, Inst inst);
  int constant(DType dtype, int64_t v) { return constant(dtype, v, static_cast<double>(v)); }
  int constant(DType dtype, int64_t v, double real);
  /// One elementwise op; constants fold, and so do x+0, x*1, x&true and where(true, x, y). `nonnegative`: IDiv and Mod of values known not
  /// to be negative.
  int alu(int level, Op op, DType dtype, std::vector<int> src, bool nonnegative = false);
  int cast(int level, int a, DType to);
  int broadcast(int a, int lanes);            // where `a` itself is
  int lanes(int a) const { return insts[static_cast<size_t>(a)].lanes; }
  DType dtype(int a) const { return insts[static_cast<size_t>(a)].dtype; }
  int level_of(int a) const { return level_[static_cast<size_t>(a)]; }

  /// Opens a loop on top of the current depth: its counter. Carried values follow as phis.
  int open_loop(int begin, int end, int64_t step = 1);
  int phi(int initial);
  int counter() const { return open_.back().inst; }  // of the innermost loop
  const std::vector<int>& phis() const { return open_.back().phis; }
  void close_loop(const std::vector<int>& next);
  void open_if(int condition);
  void close_if();

  /// The list in order, positions as names.
  std::vector<Inst> finish();

  std::vector<Inst> insts;
  std::vector<Level> levels{1};

 private:
  struct Open { int inst; std::vector<int> phis; };
  std::vector<int> level_;
  std::vector<Open> open_;
  std::unordered_map<uint64_t, int> constants_;
};

}  // namespace tg
