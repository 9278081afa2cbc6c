#pragma once
// Launches over the same rows, and what becomes of them when they are the steps of one that runs block by block.
//
//   s[b, q, k] for b < B for q < Q      s[q, k] for q < 64, at rows 64 * (block mod Q/64) + q of b = block div Q/64
//
// A sum over rows is added up by blocks that follow each other, the last first, which stores what the others add to. Chains of such blocks
// are what is parallel. If there are few, or rows of several b are summed, each chain makes a sum of its own, and a launch behind all
// blocks adds those up:
//
//   y[k] = sum over b, q of s[b, q, k]      z[c, k] = sum over rows q of chain c of s[q, k]; then y[k] = sum over c of z[c, k]
#include <optional>
#include <set>
#include <vector>

#include "schedule/plan.hpp"

namespace tg {

/// A launch as a step: which of its loops are the group's.
struct Step {
  size_t launch;
  std::vector<UOp> rows;  // outermost first, the last of them in blocks
  size_t summed;          // from which of them on they are summed over; all are the output's where there are so many
  bool adds() const { return summed < rows.size(); }
};

struct BlockGroup {
  int64_t parallel = 1, length = 1;  // rows: so many times so many, of which the latter are made into blocks
  std::vector<Step> steps;
  std::set<int> handed_on;           // buffers from step to step
  int64_t block = 1;                 // rows of one

  int64_t rows() const { return parallel * length; }
  /// Numbers of a buffer that belong to a row; 0 where it is not made of rows.
  int64_t row_length(const PlanBuffer&) const;
  int64_t blocks_of_length() const { return (length + block - 1) / block; }
  /// Chains into which the blocks of `length` rows are cut where they are added up.
  int64_t parts() const;
  /// Sums of its own that a step makes, before they are added up.
  int64_t sums_apart(const Step&) const;
};

int64_t size_of_loop(const UOp& range);
bool accesses_memory(const UOp&);
int buffer_of(const PlanLaunch&, const UOp& access);
/// What is left of an index into rows of that length when the row is taken away; nothing where it is another row's, or reaches into one.
std::optional<UOp> in_row(const UOp& index, int64_t length, const std::vector<UOp>& rows);

/// Rewrites the kernels of the steps, and makes what is handed on the threads' own. What it returns goes behind the steps.
std::vector<PlanLaunch> rewrite_steps(Plan&, const BlockGroup&);

}  // namespace tg
