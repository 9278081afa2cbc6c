// See tg/scatter.hpp. Places are what the same indexing finds among the numbers 0, 1, ...; then all is one Scatter of a line into a line.
#include "tg/scatter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "tensor/impl.hpp"
#include "tg/functions.hpp"
#include "tg/limits.hpp"

namespace tg {
namespace {

/// The line x with values set or added at places, of the same dtype.
Tensor scattered(const Tensor& x, const Tensor& places, const Tensor& values, ScatterMode mode) {
  const bool grad = is_float(x.dtype()) && (carries_gradient(x) || carries_gradient(values));
  return make(
      UOp::make(Op::Scatter, {source_of(x, "scatter"), source_of(places, "scatter"), source_of(values, "scatter")}, ScatterArg{0, mode}),
              x.device(), grad);
}

/// x with a number of its dtype at the places.
Tensor filled(const Tensor& x, const Tensor& places, const Scalar& number) {
  return scattered(x, places, Tensor::full(places.shape(), number, {.dtype = x.dtype(), .device = x.device()}), ScatterMode::Set);
}
/// What changes no other value when it is combined with one.
Scalar neutral(Scatter mode, DType t) {
  if (mode == Scatter::Mul) return 1;
  if (mode != Scatter::Max && mode != Scatter::Min) return 0;
  if (is_float(t)) return mode == Scatter::Max ? -HUGE_VAL : HUGE_VAL;
  return mode == Scatter::Max ? Scalar(iinfo(t).min) : t == DType::uint64 ? Scalar(UINT64_MAX) : Scalar(static_cast<int64_t>(iinfo(t).max));
}

Tensor combined(const Tensor& self, const Tensor& places, const Tensor& values, Scatter mode, bool include_self) {
  const Tensor x = include_self || mode == Scatter::Set ? self : filled(self, places, neutral(mode, self.dtype()));
  switch (mode) {
    case Scatter::Set: return scattered(x, places, values, ScatterMode::Set);
    case Scatter::Add: return scattered(x, places, values, ScatterMode::Add);
    case Scatter::Mul: {
      const Tensor hit = eq(places.unsqueeze(1), Tensor::arange(x.numel(), {.dtype = places.dtype(), .device = x.device()}));
      return x * where(hit, values.unsqueeze(1), 1).prod({.axis = 0, .dtype = x.dtype()});
    }
    case Scatter::Max: case Scatter::Min: {
      // In the order of values the last that is written is the best; nan comes last either way.
      const Tensor order = values.detach().argsort({.descending = mode == Scatter::Min});
      const Tensor at = places.take(order), there = x.take(at), v = values.take(order);
      return scattered(x, at, mode == Scatter::Max ? maximum(v, there) : minimum(v, there), ScatterMode::Set);
    }
    case Scatter::Mean: {
      const TensorOptions like{.dtype = x.dtype(), .device = x.device()};
      const Tensor once = Tensor::ones(x.shape(), like), before = include_self ? once : filled(once, places, 0);
      const Tensor count = scattered(before, places, Tensor::ones(places.shape(), like), ScatterMode::Add);
      const Tensor sum = scattered(x, places, values, ScatterMode::Add);
      return is_float(x.dtype()) ? sum / count : floor_div(sum, count);
    }
  }
  return x;
}

}  // namespace

Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Operand& values, Scatter mode, bool include_self) {
  const int a = checked_axis(axis, x.rank(), "scatter");
  const Sizes own = x.shape(), wanted = index.shape();
  Tensor v = values.tensor ? *values.tensor : Tensor::full(wanted, values.scalar, {.dtype = x.dtype(), .device = x.device()});
  check_same_device(x, v, "scatter");
  bool fits = wanted.size() == own.size() && v.shape().size() == own.size();
  for (size_t k = 0; fits && k < own.size(); ++k)
    fits = (static_cast<int>(k) == a || wanted[k] <= own[k]) && wanted[k] <= v.shape()[k];
  if (!fits)
    throw ShapeError(
        fmt::format("scatter: an index of shape {} with values of shape {} does not fit into {}; it must have as many axes, none "
                                 "longer than the values', and none but axis {} longer than the tensor's",
                                 to_string(wanted), to_string(v.shape()), to_string(own), a));
  require_dtype(v.dtype() == x.dtype(), "scatter", v.dtype(),
                fmt::format("the values must be {}, as the tensor; cast them", name_of(x.dtype())));
  require_dtype(x.dtype() != DType::bool_ || mode == Scatter::Set, "scatter", x.dtype(),
                "bool can be set, not added; cast it to int32");
  std::vector<std::pair<int64_t, int64_t>> part;
  for (int64_t size : wanted) part.emplace_back(0, size);
  const Tensor numbers = Tensor::arange(x.numel(), {.dtype = DType::int64, .device = x.device()}).reshape(own);
  return combined(x.flatten(), numbers.gather(a, index).flatten(), v.shrink(part).flatten(), mode, include_self).reshape(own);
}

namespace {
/// x with whole entries of values combined at a vector's places of an axis.
Tensor entries(std::string_view operation, const Tensor& x, int axis, const Tensor& index, const Tensor& values, Scatter mode) {
  const int a = checked_axis(axis, x.rank(), operation);
  check_same_device(x, values, operation);
  Sizes wanted = x.shape();
  wanted[static_cast<size_t>(a)] = index.rank() == 1 ? index.size(0) : -1;
  if (index.rank() != 1 || values.shape() != wanted)
    throw ShapeError(fmt::format("{}: an index of shape {} and values of shape {} do not fit to axis {} of shape {}; the index is a "
                                 "vector, and the values have its length along that axis and the tensor's sizes elsewhere",
                                 operation, to_string(index.shape()), to_string(values.shape()), a, to_string(x.shape())));
  require_dtype(values.dtype() == x.dtype(), operation, values.dtype(),
                fmt::format("the values must be {}, as the tensor; cast them", name_of(x.dtype())));
  const Tensor numbers = Tensor::arange(x.numel(), {.dtype = DType::int64, .device = x.device()}).reshape(x.shape());
  return combined(x.flatten(), numbers.take(index, a).flatten(), values.flatten(), mode, true).reshape(x.shape());
}
}  // namespace
Tensor index_add(const Tensor& x, int axis, const Tensor& index, const Tensor& values, double alpha) {
  const bool fits = alpha == 1 || values.dtype() != x.dtype();  // another dtype is an error
  return entries("index_add", x, axis, index, fits ? values : (values * alpha).cast(x.dtype()), Scatter::Add);
}
Tensor index_copy(const Tensor& x, int axis, const Tensor& index, const Tensor& values) {
  return entries("index_copy", x, axis, index, values, Scatter::Set);
}
Tensor index_fill(const Tensor& x, int axis, const Tensor& index, const Operand& value) {
  if (value.tensor && value.tensor->numel() != 1)
    throw ShapeError(fmt::format("index_fill: a value of shape {}; it takes one element", to_string(value.tensor->shape())));
  Sizes shape = x.shape();
  shape[static_cast<size_t>(checked_axis(axis, x.rank(), "index_fill"))] = index.numel();
  const TensorOptions like{.dtype = x.dtype(), .device = x.device()};
  const Tensor one = value.tensor ? value.tensor->cast(x.dtype()).reshape({}) : Tensor::full({}, value.scalar, like);
  return entries("index_fill", x, axis, index.rank() == 0 ? index.reshape({1}) : index, one.expand(shape), Scatter::Set);
}
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& values) {
  require_dtype(mask.dtype() == DType::bool_, "masked_scatter", mask.dtype(), "the mask is bool; compare, or cast it to bool");
  require_dtype(values.dtype() == x.dtype(), "masked_scatter", values.dtype(),
                fmt::format("the values must be {}, as the tensor; cast them", name_of(x.dtype())));
  if (broadcast_shape(shape_of(x.shape()), shape_of(mask.shape()), "masked_scatter") != shape_of(x.shape()))
    throw ShapeError(
        fmt::format("masked_scatter: a mask of shape {} does not broadcast to shape {}", to_string(mask.shape()), to_string(x.shape())));
  const bool empty = values.numel() == 0;  // the first that is wanted is the one after a number that nobody gets
  const Tensor flags = mask.expand(x.shape()).flatten(), number = maximum(flags.cast(DType::int32).cumsum() - (empty ? 0 : 1), 0);
  return where(flags, (empty ? Tensor::zeros({1}, {.dtype = x.dtype(), .device = x.device()}) : values.flatten()).take(number), x.flatten())
      .reshape(x.shape());
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Operand& value) {
  require_dtype(mask.dtype() == DType::bool_, "masked_fill", mask.dtype(), "the mask is bool; compare, or cast it to bool");
  if (broadcast_shape(shape_of(x.shape()), shape_of(mask.shape()), "masked_fill") != shape_of(x.shape()))
    throw ShapeError(
        fmt::format("masked_fill: a mask of shape {} does not broadcast to shape {}", to_string(mask.shape()), to_string(x.shape())));
  if (!value.tensor) (void)weak_constant(value.scalar, x.dtype(), "masked_fill");
  return where(mask, value, x).cast(x.dtype());
}
Tensor masked_select(const Tensor& x, const Tensor& mask) {
  require_dtype(mask.dtype() == DType::bool_, "masked_select", mask.dtype(), "the mask is bool; compare, or cast it to bool");
  const Sizes shape = sizes_of(broadcast_shape(shape_of(x.shape()), shape_of(mask.shape()), "masked_select"));
  return x.expand(shape).flatten().at(mask.expand(shape).flatten());
}
Tensor nonzero(const Tensor& x) {
  const Tensor found = Tensor::arange(x.numel(), {.dtype = DType::int64, .device = x.device()}).at(ne(x, 0).flatten());
  std::vector<Tensor> along;
  int64_t stride = 1;
  for (int k = x.rank(); k-- > 0; stride *= std::max<int64_t>(x.size(k), 1))
    along.insert(along.begin(), floor_div(found, stride) % std::max<int64_t>(x.size(k), 1));
  return along.empty() ? Tensor::zeros({found.numel(), 0}, {.dtype = DType::int64, .device = x.device()}) : Tensor::stack(along, 1);
}
Tensor one_hot(const Tensor& index, int64_t classes) {
  require_dtype(is_int(index.dtype()), "one_hot", index.dtype(), "indices are integers; cast them");
  if (classes < 0 && index.numel() == 0) throw ValueError("one_hot: no indices to find the number of classes from; give it");
  if (classes < 0) classes = index.max().item<int64_t>() + 1;
  if (classes <= 0 && index.numel() > 0)
    throw IndexError(fmt::format("one_hot: {} classes for indices of shape {}; there is one more than the largest index, and none is "
                                 "below 0", classes, to_string(index.shape())));
  const Tensor numbers = Tensor::arange(classes, {.dtype = DType::int64, .device = index.device()});
  const Tensor found = numbers.gather(0, index.cast(DType::uint64).flatten()).reshape(index.shape());  // none below 0 counts from the end
  return eq(found.unsqueeze(-1), numbers).cast(DType::int32);
}

}  // namespace tg
