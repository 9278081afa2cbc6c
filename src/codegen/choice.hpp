#pragma once
// What those who choose verbs for a CPU know of a kernel, and the verbs they have chosen so far.
#include <string>
#include <utility>
#include <vector>

#include "codegen/access.hpp"
#include "codegen/nest.hpp"
#include "tg/target.hpp"

namespace tg {

inline double efficiency(int64_t n, int64_t tile) { return static_cast<double>(n) / static_cast<double>(ceil_div(n, tile) * tile); }

constexpr int64_t kFarApart = 64;  // elements between rows that are pieces of memory of their own
constexpr int64_t kWidestTile = 16, kFewRows = 16;  // vectors of a row in registers; rows that are read together
constexpr int64_t kRound = 1024;  // steps of a sum in rounds, for which panels may be half as wide: each reads and stores all results
constexpr int64_t kPiece = 512;   // bytes of a row that panels which are packed at once read

class Choice {
 public:
  Choice(const Kernel&, const Target&);
  Verbs take() { return std::move(verbs_); }

 protected:
  struct Access { UOp index, gate; double times; bool store; };

  bool apply(Verb v);
  // Splits, and says what the inner part is called; empty if it does not fit.
  std::string tile(const std::string& axis, int64_t n, AxisKind as);
  std::string name(const UOp& r) const { return nest_.axes[static_cast<size_t>(nest_.split_of(r).axes[0])].name; }
  double times(const UOp& idx) const;  // how often this access happens, all loops counted that it depends on
  const UOp* range_of(const std::string& loop) const;  // whose loop is called so; null if there is none
  bool loops_over(const std::string& loop, const UOp& operand) const;
  bool sequential(const UOp& r) const;
  double footprint(const UOp& operand) const;  // bytes of all that it is computed from
  static double length(const UOp& reduce);
  static bool closes(const UOp& reduce, const UOp& r) { return std::ranges::count(reduce_ranges(reduce), r) > 0; }
  bool is_contraction(const UOp& reduce) const;  // a sum of products of which each side has loops of its own

  const Kernel& kernel_;
  const Target& target_;
  Nest nest_;
  Verbs verbs_;
  std::vector<UOp> reduces_;
  std::vector<Access> accesses_;
  size_t widest_ = 1;
  bool gates_ = false;  // some load is tested
  int64_t lanes_ = 1;
};

/// Verbs for a kernel whose time is the arithmetic of a sum of products; none if it is no such kernel. may_copy: whether an operand may be
/// copied in a phase of its own.
Verbs choose_contraction(const Choice&, bool may_copy);
/// The same by an instruction with tiles for registers; none if the target has none for it.
Verbs choose_tiles(const Choice&);
/// The one verb that splits a long or a scattered reduction; none where it stays as it is.
Verbs choose_groups(const Choice&);

}  // namespace tg
