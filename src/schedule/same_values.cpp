// See same_values.hpp.
#include "schedule/same_values.hpp"

#include "ir/monoid.hpp"
#include "schedule/expansions.hpp"

namespace tg {
namespace {

// Windows that do not overlap were cut out, so they are put back side by side: (n, count, h, size) to (n, count * stride, h), fitted.
UOp side_by_side(const Match& m) {
  const UOp& u = *m.root;
  const auto& w = u.as<WindowArg>();
  if (w.stride < w.size || (w.dilation > 1 && w.size > 1)) return {};
  const auto axis = static_cast<size_t>(w.axis), last = u.shape().rank();
  Dims margins(2 * last + 2, 0);
  margins.back() = w.stride - w.size;
  UOp v = w.stride == w.size ? u.src(0) : UOp::make(Op::Pad, {u.src(0)}, Shape(margins));
  std::vector<int64_t> order;
  for (size_t a = 0; a < last; ++a) {
    order.push_back(static_cast<int64_t>(a));
    if (a == axis) order.push_back(static_cast<int64_t>(last));
  }
  v = UOp::make(Op::Permute, {v}, Ints(order));
  Dims d = u.shape().dims();
  d[axis] = u.src(0).shape()[axis] * w.stride;
  v = UOp::make(Op::Reshape, {v}, Shape(d));
  const int64_t have = d[axis].known() ? d[axis].value() : -1;
  if (have < 0) return {};
  margins.assign(2 * last, 0);
  if (have < w.length) {
    margins[2 * axis + 1] = w.length - have;
    return UOp::make(Op::Pad, {v}, Shape(margins));
  }
  for (size_t a = 0; a < last; ++a) margins[2 * a + 1] = a == axis ? Dim(w.length) : d[a];
  return have == w.length ? v : UOp::make(Op::Shrink, {v}, Shape(margins));
}

}  // namespace

// relu is written as the first of these, so that its gradient is right at 0 and needs the result alone.
const Rules& same_values() {
  static constexpr Var x{0};
  static const Rules& rules = *new Rules((Rules{
      {Pat(Op::Detach, {x}),                    x},
      {any(Op::Function),                       [](const Match& m) { return m.root->src(0); }},
      {where(not_equal(max(x, 0), 0), x, 0),    max(x, 0)},
      {any(Op::OverlapAdd),                     side_by_side},
      {any(Op::Scan),                           [](const Match& m) {
         return components(m.root->as<ScanArg>().monoid) > 1 ? UOp() : expand_scan(*m.root, 0);
       }},
      {any(Op::Get),                            [](const Match& m) {
         const UOp& from = m.root->src(0);
         const UOp v = from.op() == Op::Scan ? expand_scan(from, static_cast<size_t>(m.root->as<int64_t>())) : UOp();
         return v ? cast(v, m.root->dtype()) : v;
       }},
  }).remembered());
  return rules;
}

}  // namespace tg
