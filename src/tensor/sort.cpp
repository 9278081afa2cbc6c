// What goes in order along one axis: a Scan for running results, a Sort for the rest.
//
//   x.cumsum(0)               Scan(x, Sum, axis 0)
//   x.topk(3).indices         Shrink(Get(Sort(x, axis, descending), 1), first 3 of the axis)
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "tensor/impl.hpp"
#include "tg/arrange.hpp"
#include "tg/extrema.hpp"
#include "tg/functions.hpp"

namespace tg {
namespace {

UOp get(const UOp& tuple, int64_t component, DType dtype) { return UOp::make(Op::Get, {tuple}, component, dtype); }
UOp scan(const UOp& x, Monoid m, int axis) { return UOp::make(Op::Scan, {x}, ScanArg{m, axis, true}); }

Tensor accumulated(const Tensor& t, Monoid m, int axis, std::string_view operation) {
  const Tensor x = atleast_1d(t);
  const UOp u = source_of(x, operation);
  return make(scan(cast(u, sum_dtype(u.dtype())), m, checked_axis(axis, x.rank(), operation)), x).reshape(t.shape());
}
Found best_so_far(const Tensor& t, Monoid m, int axis, std::string_view operation) {
  const Tensor x = atleast_1d(t);
  const UOp u = source_of(x, operation), ordered = u.dtype() == DType::bool_ ? cast(u, DType::uint8) : u;
  const int a = checked_axis(axis, x.rank(), operation);
  const UOp turned = m == Monoid::Max          ? ordered
                     : is_float(ordered.dtype()) ? ordered * -1
                                                 : UOp::make(Op::Xor, {ordered, constant(ordered.dtype(), -1)});
  return {make(scan(u, m, a), x).reshape(t.shape()), make(get(scan(turned, Monoid::ArgMax, a), 1, DType::int32), x).reshape(t.shape())};
}
Found sorted(const Tensor& t, const SortOptions& o, std::string_view operation) {
  const Tensor x = atleast_1d(t);
  const UOp u = source_of(x, operation), s = UOp::make(Op::Sort, {u}, SortArg{checked_axis(o.axis, x.rank(), operation), o.descending});
  return {make(get(s, 0, u.dtype()), x).reshape(t.shape()), make(get(s, 1, DType::int32), x).reshape(t.shape())};
}

}  // namespace

Tensor Tensor::cumsum(int axis) const { return accumulated(*this, Monoid::Sum, axis, "cumsum"); }
Tensor Tensor::cumprod(int axis) const { return accumulated(*this, Monoid::Prod, axis, "cumprod"); }
Found Tensor::cummax(int axis) const { return best_so_far(*this, Monoid::Max, axis, "cummax"); }
Found Tensor::cummin(int axis) const { return best_so_far(*this, Monoid::Min, axis, "cummin"); }

Tensor Tensor::logcumsumexp(int axis) const {
  return in_working_dtype(atleast_1d(*this), [&](const Tensor& x) {
    const int a = checked_axis(axis, x.rank(), "logcumsumexp");
    const UOp s = scan(source_of(x, "logcumsumexp"), Monoid::LogSumExp, a);
    if (!carries_gradient(x)) return make(get(s, 0, x.dtype()), x) + make(get(s, 1, x.dtype()), x).log();
    // Every result's own sum: what comes after it is left out.
    const int64_t n = x.shape()[static_cast<size_t>(a)];
    const Tensor lines = x.transpose(a, -1).unsqueeze(-2);
    const Tensor at = Tensor::arange(n, {.device = x.device()}), later = at > at.unsqueeze(1);
    return tg::where(later, -std::numeric_limits<double>::infinity(), lines).logsumexp({.axis = -1}).transpose(a, -1);
  }).reshape(shape());
}

Found Tensor::sort(const SortOptions& o) const { return sorted(*this, o, "sort"); }
Tensor Tensor::argsort(const SortOptions& o) const { return sorted(*this, o, "argsort").indices; }

Found Tensor::topk(int64_t k, int axis, bool largest) const {
  const Tensor x = atleast_1d(*this);
  const int a = checked_axis(axis, x.rank(), "topk");
  if (const int64_t n = x.shape()[static_cast<size_t>(a)]; k < 0 || k > n)
    throw ValueError(fmt::format("topk: {} of the {} elements along axis {}; k must be from 0 to {}", k, n, a, n));
  const Found all = sorted(x, {.axis = a, .descending = largest}, "topk");
  return {part(all.values, a, 0, k), part(all.indices, a, 0, k)};
}

Found median_with_indices(const Tensor& t, const ArgOptions& o) {
  if (o.axis.list().size() > 1)
    throw ValueError(fmt::format("median: {} axes; it takes one, or none for that of all elements", o.axis.list().size()));
  (void)checked_axes(o.axis, t.rank(), "median");
  const bool all = o.axis.list().empty() || t.rank() == 0;
  const Tensor x = all ? t.flatten() : t;
  const int a = all ? 0 : checked_axis(o.axis.list()[0], t.rank(), "median");
  const int64_t n = x.shape()[static_cast<size_t>(a)];
  if (n == 0) throw ValueError("median: of no elements; the axis must not be empty");
  Sizes kept = t.shape();
  for (size_t i = 0; i < kept.size(); ++i) if (all || static_cast<int>(i) == a) kept[i] = 1;
  if (!o.keepdim) all ? kept.clear() : static_cast<void>(kept.erase(kept.begin() + a));
  const Found all_sorted = x.sort({.axis = a});
  const auto middle = [&](const Tensor& s) { return part(s, a, (n - 1) / 2, (n - 1) / 2 + 1).reshape(kept); };
  const Found half{middle(all_sorted.values), middle(all_sorted.indices)};
  if (!is_float(x.dtype())) return half;
  const Found worst = max_with_indices(x, {.axis = a});  // the first nan, where there is one
  const Tensor values = worst.values.detach().reshape(kept), broken = values.isnan();
  return {tg::where(broken, values, half.values), tg::where(broken, worst.indices.reshape(kept), half.indices)};
}
Tensor Tensor::median(const ArgOptions& o) const { return median_with_indices(*this, o).values; }

}  // namespace tg
