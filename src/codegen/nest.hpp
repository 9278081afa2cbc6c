#pragma once
// The loop nest of a kernel as a plain structure, and the verbs that edit it. The body is not touched: ranges are substituted once, when
// the kernel is lowered.
//
//   i0 < 1000                      tile(i0, 16, vector)                i0 < 63, i0a < 16 vector      i0 = i0 * 16 + i0a, where < 1000
//   i1 < 1001, of rows i0          align(i1, 16)                       i1 < 1001 + s                 i1 = i1 - s, where >= 0
//
// align moves where the tiles of an axis begin, so that what is stored in them begins at multiples of so many elements in each row, of
// whatever length: s is i0 * 1001 modulo 16. pipeline(i1) changes no axis: rows are lowered so that two of them are made at once
// (pipeline.hpp).
//
// A verb list is data: it prints, parses, and any verb can be left out without changing what the kernel computes.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/kernel.hpp"

namespace tg {

/// What a loop becomes. Loop: a loop; the outermost of an output are the blocks that all cores (or a GPU's grid) share out. Unroll: a
/// register tile. Vector: lanes. Thread: a GPU's threads of a block; along a reduction they combine their parts in shared memory.
enum class AxisKind : uint8_t { Loop, Unroll, Vector, Thread };

struct Axis {
  std::string name;
  UOp range;            // stands for it in expressions; its extent is the range's source
  AxisKind kind = AxisKind::Loop;
  int64_t most = 1;     // of the extent, which may be less in a last tile
  int64_t step = 1;     // how far the original range moves when this axis moves by one
  bool single() const { return is_const(range.src(0), 1); }
};

/// One original range of the kernel and the axes it was split into, outermost first.
struct Split {
  UOp original;
  std::vector<int> axes;
  bool exact = true;    // false: the tiles reach past the end, and what is outside must be masked
  UOp before = {};      // by how many elements the first tile begins before the range; empty: none
  bool reduces() const { return original.as<RangeArg>().kind == RangeKind::Reduce; }
};

struct Verb {
  enum class Kind : uint8_t { Tile, Order, Stage, Mma, Group, Keep, Part, Align, Pipeline };
  Kind kind = Kind::Tile;
  std::string axis;  // Tile, Group, Keep, Part, Align, Pipeline: which. Mma: which instruction. Stage: each round of which loop, "launch"
                     // for before all of them by each core for itself, "phase" for by all cores together, which only the first verb can be
  int64_t size = 0;                // Tile: how many. Group: into how many parts. Align: to multiples of what
  int64_t rows = 0;                // Group: which are walked so many steps at a time; 0: each for itself
  AxisKind as = AxisKind::Loop;    // Tile: what the inner part becomes
  std::vector<std::string> axes;   // Order: output axes, outermost first
  int param = -1;                  // Stage: which operand's loads; of what is stored: the results, before they are (lower_result.cpp)
  friend bool operator==(const Verb&, const Verb&) = default;
  bool before_all() const { return kind == Kind::Stage && axis == "phase"; }
  /// Whether it makes other kernels of this one: such a verb is the first, and those that follow are of what it leaves.
  bool rewrites() const { return before_all() || kind == Kind::Keep || makes_phases(); }
  /// ... of which nothing is left: those it makes have verbs of their own.
  bool makes_phases() const { return kind == Kind::Group || kind == Kind::Part; }

  static Verb tile(std::string axis, int64_t size, AxisKind as);
  static Verb order(std::vector<std::string> axes);
  static Verb stage(int param, std::string axis);
  static Verb mma(std::string instruction);
  static Verb group(std::string axis, int64_t parts, int64_t rows = 0);
  static Verb keep(std::string axis);
  static Verb part(std::string axis);
  static Verb align(std::string axis, int64_t size);
  static Verb pipeline(std::string axis);
};
using Verbs = std::vector<Verb>;

/// "tile(i0, 16, vector)", "order(i1, i0)", "align(i1, 16)", "stage(p2, i1)", "group(r2, 8)", "group(r2, 8, 4)", "keep(r2)",
/// "part(i0)", "pipeline(i1)"; "no verbs" of an empty list.
std::string to_string(const Verb&);
std::string to_string(const Verbs&);
[[noreturn]] void refuse(const Verb&, std::string_view why);  // throws ValueError
/// The inverse. Throws ValueError naming the verb that is not understood.
Verbs parse_verbs(const std::string& text);

class Nest {
 public:
  explicit Nest(const Kernel&);
  /// Throws ValueError when the verb does not fit this nest (no such axis, a size below 2, an order that is no permutation).
  void apply(const Verb&);
  /// Whether it would.
  bool fits(const Verb&) const;

  struct Staged { int param; int at; };  // at: an axis, -1 for before all loops
  std::vector<Axis> axes;
  std::vector<Split> splits;        // every range of the kernel
  std::vector<int> order;           // output axes that are loops, outermost first
  std::vector<Staged> staged;
  std::string matrix;               // the instruction of mma; empty: none
  bool pipelined = false;           // the last walk over a row runs inside the one that keeps the next
  int find(const std::string& name) const;  // -1 if there is none
  std::vector<std::string> loops() const;   // names of `order`
  const Split& split_of(const UOp& original) const;
  UOp expression(const Split&) const;  // the original range in terms of its axes
  UOp extent_of(const Split&) const;   // ... and its extent, which another range may cut short
  UOp inside(const Split&) const;      // ... and whether it is in the range
  std::string text() const;            // for people
 private:
  bool depends(const Axis&, const Axis& on) const;  // where it begins or is cut short
  void tile(const Verb&);
  void align(const Verb&);
  void pipeline(const Verb&);
  std::vector<UOp> stored_;  // indices
  int next_id_ = 0, params_ = 0;
  UOp last_;                 // of the output's ranges
  std::string_view pipeline_obstacle_;
};

}  // namespace tg
