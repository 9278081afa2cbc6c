#pragma once
// Group: nodes that are stored over the same loops, a kernel to be. Halo: zeros that are stored around a value.
//
//   a group of shape (4, 1, 8)      ranges i0 < 4 and i1 < 8, index (i0, 0, i1); an output of shape (4, 8) is stored at (i0, i1)
#include <set>
#include <vector>

#include "schedule/index_map.hpp"

namespace tg {

/// Zeros kept before and after each axis of a stored value, so that reductions which read past its border need no test there.
struct Halo {
  std::vector<int64_t> before, after;
  Shape padded(const Shape&) const;
  Indices inner(const Indices&) const;   // of padded memory -> of the value
  Indices outer(const Indices&) const;   // of the value -> of padded memory
};

struct Group {
  Shape shape;                 // of every output, but for axes of one element
  Indices index;                 // the output ranges, 0 where an axis has one element
  std::vector<UOp> ranges;     // the same without the zeros
  std::vector<UOp> outputs;    // nodes stored
  std::set<int> after;         // groups that must have run before
  uint64_t sequential = 0;     // ranges whose rounds follow each other, innermost: places are written in order, or a scan runs along
  int inlined = 0;             // nodes computed in it: bounds a kernel's size

  void open_loops(const Shape&);           // over what has that shape: outputs to come
  bool loops_over(const Shape&) const;     // whether an output may have that shape
  Indices index_of(const Shape&) const;      // the place in such an output
};

}  // namespace tg
