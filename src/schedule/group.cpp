// See group.hpp.
#include "schedule/group.hpp"

#include <algorithm>

#include "ir/symbolic.hpp"

namespace tg {
namespace {

Shape without_ones(const Shape& s) {
  Dims d;
  std::copy_if(s.begin(), s.end(), std::back_inserter(d), [](const Dim& n) { return !(n == Dim(1)); });
  return d;
}

}  // namespace

void Group::open_loops(const Shape& s) {
  shape = s;
  index.clear();
  ranges.clear();
  for (const Dim& d : shape) {
    if (d == Dim(1)) { index.push_back(tg::index(0)); continue; }
    index.push_back(range(d, static_cast<int>(ranges.size()), RangeKind::Output));
    ranges.push_back(index.back());
  }
}
bool Group::loops_over(const Shape& s) const { return s == shape || without_ones(s) == without_ones(shape); }
Indices Group::index_of(const Shape& s) const {
  if (s == shape) return index;
  Indices out;
  size_t next = 0;
  for (const Dim& d : s) {
    while (next < index.size() && shape[next] == Dim(1)) ++next;
    out.push_back(d == Dim(1) ? tg::index(0) : index[next++]);
  }
  return out;
}

Shape Halo::padded(const Shape& s) const {
  Dims d;
  for (size_t a = 0; a < s.rank(); ++a) d.push_back(s[a] + Dim(before[a] + after[a]));
  return d;
}
Indices Halo::inner(const Indices& idx) const {
  Indices out;
  for (size_t a = 0; a < idx.size(); ++a) out.push_back(simplify(idx[a] - before[a]));
  return out;
}
Indices Halo::outer(const Indices& idx) const {
  Indices out;
  for (size_t a = 0; a < idx.size(); ++a) out.push_back(simplify(idx[a] + before[a]));
  return out;
}

}  // namespace tg
