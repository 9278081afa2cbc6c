// Reductions: one Reduce over the axes, which stay as 1 in the graph and are reshaped away unless keepdim.
//
//   x.mean({.axis = 1}) with x float16 (2, 3)      Cast(Div(Reshape(Reduce(Cast(x, float32), Sum, axis 1), (2)), 3), float16)
#include <fmt/format.h>

#include <cmath>

#include "tensor/impl.hpp"
#include "tensor/root.hpp"
#include "tensor/special.hpp"
#include "tg/extrema.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

namespace {

/// The shape without (or with 1 for) the reduced axes.
Shape reduced_shape(const Shape& shape, const std::vector<int>& axes, bool keepdim) {
  Dims out;
  for (size_t i = 0, next = 0; i < shape.rank(); ++i)
    if (next < axes.size() && static_cast<size_t>(axes[next]) == i) {
      ++next;
      if (keepdim) out.push_back(1);
    } else out.push_back(shape[i]);
  return out;
}
UOp reduced(const UOp& x, Monoid monoid, const std::vector<int>& axes, bool keepdim) {
  return reshape(reduce(x, monoid, axes), reduced_shape(x.shape(), axes, keepdim));
}

/// x less its mean over the axes.
UOp centred(const UOp& x, const std::vector<int>& axes) {
  double n = 1;
  for (int a : axes) n *= static_cast<double>(x.shape()[static_cast<size_t>(a)].value());
  const UOp sum = reduce(x, Monoid::Sum, axes);
  return x - broadcast(special::div(sum, special::number(sum, n)), x.shape());
}
/// 2 (x - mean) dy: what comes through the mean is 0 whatever x is, and is not summed up to find that.
UOp gradient_of_squares(const UOp& u, const UOp& dy, size_t) {
  const UOp& x = u.src(1);
  std::vector<int> axes;
  for (size_t a = 0; a < x.shape().rank(); ++a) if (u.shape()[a] == Dim(1)) axes.push_back(static_cast<int>(a));
  return broadcast(dy * 2, x.shape()) * centred(x, axes);
}
/// The sum of (x - mean)^2 over the axes, which stay as 1.
UOp squares_about_mean(const UOp& x, const std::vector<int>& axes) {
  static const Function& kSquares = *new Function{"squares about the mean", gradient_of_squares};
  const UOp c = centred(x, axes);
  return special::function(kSquares, reduce(c * c, Monoid::Sum, axes), {x});
}

DType accumulator(DType t) { return is_float(t) ? working_dtype(t) : t; }

Tensor accumulate(const Tensor& x, Monoid monoid, const ReduceOptions& o, std::string_view operation) {
  const UOp u = source_of(x, operation);
  const DType result = o.dtype == DType::void_ ? sum_dtype(u.dtype()) : o.dtype;
  const auto axes = checked_axes(o.axis, x.rank(), operation);
  return make(cast(reduced(cast(u, accumulator(result)), monoid, axes, o.keepdim), result), x);
}

int64_t count(const Tensor& x, const std::vector<int>& axes) {
  const Sizes shape = x.shape();
  int64_t n = 1;
  for (int a : axes) n *= shape[static_cast<size_t>(a)];
  return n;
}
void require_elements(const Tensor& x, const std::vector<int>& axes, std::string_view operation) {
  if (count(x, axes) == 0)
    throw ValueError(fmt::format("{}: of no elements, in shape {}; it has no identity, so the reduced axes must not be empty", operation,
                                 to_string(x.shape())));
}

Tensor extremum(const Tensor& x, Monoid monoid, const ReduceOptions& o, std::string_view operation) {
  const UOp u = source_of(x, operation);
  const auto axes = checked_axes(o.axis, x.rank(), operation);
  require_elements(x, axes, operation);
  return make(reduced(cast(u, o.dtype == DType::void_ ? u.dtype() : o.dtype), monoid, axes, o.keepdim), x);
}

/// Where the largest (for Min the smallest) along an axis is, which stays as 1.
UOp place_of(UOp u, Monoid monoid, int axis) {
  if (u.dtype() == DType::bool_) u = cast(u, DType::uint8);
  if (monoid == Monoid::Min) u = is_float(u.dtype()) ? u * -1 : UOp::make(Op::Xor, {u, constant(u.dtype(), -1)});
  return UOp::make(Op::Get, {reduce(u, Monoid::ArgMax, {axis})}, int64_t{1}, DType::int32);
}
Tensor arg_extremum(const Tensor& x, Monoid monoid, const ArgOptions& o, std::string_view operation) {
  UOp u = source_of(x, operation);
  if (o.axis.list().size() > 1)
    throw ValueError(
        fmt::format("{}: {} axes; it takes one, or none for the index into the flattened tensor", operation, o.axis.list().size()));
  const auto all = checked_axes(o.axis, x.rank(), operation);
  require_elements(x, all, operation);
  const Shape shape = reduced_shape(u.shape(), all, o.keepdim);
  const bool flat = o.axis.list().empty() || x.rank() == 0;
  if (flat) u = reshape(u, {u.shape().numel()});
  return make(reshape(place_of(u, monoid, flat ? 0 : all[0]), shape), x);
}

/// dy where the result was found, and nowhere else.
template <Monoid monoid>
UOp gradient_of_found(const UOp& u, const UOp& dy, size_t) {
  const UOp& x = u.src(1);
  if (u.shape() == x.shape()) return dy;  // of one element
  size_t axis = 0;
  while (u.shape()[axis] == x.shape()[axis]) ++axis;
  Dims along(x.shape().rank(), 1);
  along[axis] = x.shape()[axis];
  const UOp positions = reshape(iota(x.shape()[axis].value(), DType::int32), along);
  const UOp elsewhere = not_equal(broadcast(positions, x.shape()), broadcast(place_of(x, monoid, static_cast<int>(axis)), x.shape()));
  return where(elsewhere, constant(dy.dtype(), 0), broadcast(dy, x.shape()));
}
/// The extremum along an axis as one of its elements, which alone has the gradient, and where that is.
template <Monoid monoid>
Found found_extremum(const Tensor& t, const ArgOptions& o, std::string_view operation) {
  static const Function kFound{std::string(operation), gradient_of_found<monoid>};
  const Tensor indices = arg_extremum(t, monoid, o, operation);
  const Tensor x = o.axis.list().empty() || t.rank() == 0 ? t.flatten() : t;
  const UOp u = source_of(x, operation);
  const std::vector<int> axis = checked_axes(o.axis.list().empty() ? Axes(0) : o.axis, x.rank(), operation);
  return {make(special::function(kFound, reduce(u, monoid, axis), {u}), x).reshape(indices.shape()), indices};
}

ReduceOptions kept(const Axes& axis) {
  ReduceOptions o;
  o.axis = axis;
  o.keepdim = true;
  return o;
}

}  // namespace

Tensor Tensor::sum(const ReduceOptions& o) const { return accumulate(*this, Monoid::Sum, o, "sum"); }
Tensor Tensor::prod(const ReduceOptions& o) const { return accumulate(*this, Monoid::Prod, o, "prod"); }
Tensor Tensor::max(const ReduceOptions& o) const { return extremum(*this, Monoid::Max, o, "max"); }
Tensor Tensor::min(const ReduceOptions& o) const { return extremum(*this, Monoid::Min, o, "min"); }
Tensor Tensor::argmax(const ArgOptions& o) const { return arg_extremum(*this, Monoid::Max, o, "argmax"); }
Tensor Tensor::argmin(const ArgOptions& o) const { return arg_extremum(*this, Monoid::Min, o, "argmin"); }

Found max_with_indices(const Tensor& x, const ArgOptions& o) { return found_extremum<Monoid::Max>(x, o, "max"); }
Found min_with_indices(const Tensor& x, const ArgOptions& o) { return found_extremum<Monoid::Min>(x, o, "min"); }

Tensor Tensor::any(const ReduceOptions& o) const {
  const Tensor x = dtype() == DType::bool_ ? *this : *this != 0;
  return make(reduced(source_of(x, "any"), Monoid::Max, checked_axes(o.axis, rank(), "any"), o.keepdim), x);
}
Tensor Tensor::all(const ReduceOptions& o) const { return logical_not().any(o).logical_not(); }

Tensor Tensor::mean(const ReduceOptions& o) const {
  const DType result = o.dtype == DType::void_ ? float_of(dtype()) : o.dtype;
  require_dtype(is_float(result), "mean", result, "ask for a float dtype");
  ReduceOptions wide = o;
  wide.dtype = working_dtype(result);
  return (sum(wide) / static_cast<double>(count(*this, checked_axes(o.axis, rank(), "mean")))).cast(result);
}
Tensor Tensor::var(const VarOptions& o) const {
  const std::vector<int> axes = checked_axes(o.axis, rank(), "var");
  const double n = static_cast<double>(count(*this, axes)) - o.correction;
  return in_working_dtype(*this, [&](const Tensor& x) {
    const UOp squares = squares_about_mean(source_of(x, "var"), axes);
    return make(tg::reshape(squares, reduced_shape(shape_of(x.shape()), axes, o.keepdim)), x) /
           std::fmax(n, 0);  // 0 degrees of freedom: nan
  });
}
Tensor Tensor::std(const VarOptions& o) const { return root_of(var(o), [](const Tensor& v) { return v.sqrt(); }); }

Tensor Tensor::logsumexp(const ReduceOptions& o) const {
  const auto axes = checked_axes(o.axis, rank(), "logsumexp");
  return in_working_dtype(*this, [&](const Tensor& x) {
    ReduceOptions r;
    r.axis = o.axis;
    r.keepdim = o.keepdim;
    if (count(x, axes) == 0) return x.sum(r).log();  // of nothing -inf
    // The largest is taken out, unless it is infinite: of nothing but -inf the result is -inf, not nan.
    const Tensor largest = x.max(kept(o.axis)).detach(), m = tg::where(largest.isfinite(), largest, 0);
    const Tensor rest = (x - m).exp().sum(r).log();
    return rest + m.reshape(rest.shape());
  });
}
Tensor Tensor::softmax(int axis) const {
  (void)checked_axes(axis, rank(), "softmax");
  if (numel() == 0) return cast(float_of(dtype()));
  return in_working_dtype(*this, [&](const Tensor& x) {
    const Tensor e = (x - x.max(kept(axis)).detach()).exp();
    return e * e.sum(kept(axis)).reciprocal();
  });
}
Tensor Tensor::log_softmax(int axis) const {
  (void)checked_axes(axis, rank(), "log_softmax");
  if (numel() == 0) return cast(float_of(dtype()));
  return in_working_dtype(*this, [&](const Tensor& x) {
    const Tensor shifted = x - x.max(kept(axis)).detach();
    return shifted - shifted.exp().sum(kept(axis)).log();
  });
}

}  // namespace tg
