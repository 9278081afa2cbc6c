// Indexing: integers and slices are movement; index tensors are one Gather over the flattened axes that they index.
//
//   x.at(slice(1, 3), -1)      Reshape(Shrink(x))
//   x.at(rows, columns)        Gather(Reshape(x, (n m)), rows * m + columns)
//
// A mask (bool) is read when it is met, since the result's shape depends on it, and stands for the places of its true elements, an index
// tensor an axis.
//
// An index tensor is first taken from a row of all valid indices: that Gather costs nothing once compiled, and is what reports an index
// outside, with the index that the user gave and the bound of its axis.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tensor/impl.hpp"
#include "tg/functions.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

namespace {

UOp gathered(const UOp& x, const UOp& index, int64_t axis) { return UOp::make(Op::Gather, {x, index}, axis); }

void require_integers(const UOp& index, std::string_view operation) {
  require_dtype(is_int(index.dtype()), operation, index.dtype(),
                index.dtype() == DType::bool_ ? "a mask goes to at(mask) or where(mask, x, 0)" : "an index tensor is of integers; cast it");
}
/// The index, from 0 on and in the dtype, where it lies in its axis; the value reports where it does not.
UOp valid(const UOp& index, int64_t size, DType dtype, std::string_view operation) {
  if (size == 0 && !(index.shape().numel() == Dim(0)))
    throw IndexError(fmt::format("{}: an index of shape {} into an axis that has no elements; it takes an index that has none either",
                                 operation, to_string(sizes_of(index.shape()))));
  const DType wide = is_unsigned(index.dtype()) ? index.dtype() : promote(index.dtype(), index_dtype(size));
  UOp i = cast(index, wide);
  // Only what then lies inside counts from the end: what is reported is the user's.
  if (!is_unsigned(wide)) i = where(tg::logical_not(less(i, -size)) & less(i, 0), i + constant(wide, size), i);
  return gathered(iota(size, dtype), i, 0);
}

/// What one axis of the source becomes.
struct Selection {
  std::vector<const Tensor*> tensors;  // an axis each, of those that index tensors address
  std::vector<int> axes;               // of the result of the basic indices
};

bool is_mask(const Index& i) { return i.kind == Index::Kind::Tensor && i.tensor->dtype() == DType::bool_; }

/// Where the mask is true: the numbers along each of its axes.
std::vector<Tensor> places_of(const Tensor& mask) {
  const Sizes shape = mask.shape();
  const std::vector<uint8_t> values = mask.to_vector<uint8_t>();
  std::vector<std::vector<int64_t>> along(shape.size());
  for (size_t n = 0; n < values.size(); ++n) {
    if (!values[n]) continue;
    for (size_t rest = n, a = shape.size(); a-- > 0; rest /= static_cast<size_t>(shape[a]))
      along[a].push_back(static_cast<int64_t>(rest % static_cast<size_t>(shape[a])));
  }
  std::vector<Tensor> out;
  for (const auto& numbers : along)
    out.push_back(
        Tensor::from(numbers, {static_cast<int64_t>(numbers.size())}, {.dtype = index_dtype(mask.numel()), .device = mask.device()}));
  return out;
}

/// The indices with an entry for every axis, masks replaced by index tensors, which `masked` keeps. A mask without axes is one of a new
/// axis of size 1, in front of those that `added` gets.
std::vector<Index> complete(const std::vector<Index>& indices, const Sizes& shape, std::vector<std::vector<Tensor>>& masked,
                            std::vector<int>& added) {
  const auto rank = static_cast<int>(shape.size());
  const auto axes_of = [](const Index& i) {
    return i.kind == Index::Kind::NewAxis || i.kind == Index::Kind::Ellipsis ? 0 : is_mask(i) ? i.tensor->rank() : 1;
  };
  int used = 0, ellipses = 0;
  for (const Index& i : indices) used += axes_of(i), ellipses += i.kind == Index::Kind::Ellipsis;
  if (used > rank)
    throw IndexError(fmt::format("at: {} indices for the {} axes of shape {}; give one an axis, or fewer", used, rank, to_string(shape)));
  if (ellipses > 1) throw IndexError("at: more than one ellipsis; only one can stand for the axes that are left");
  std::vector<Index> out;
  int axis = 0;
  const auto rest = [&] {
    out.insert(out.end(), static_cast<size_t>(rank - used), Index(slice()));
    axis += rank - used;
  };
  for (const Index& i : indices) {
    if (i.kind == Index::Kind::Ellipsis) rest();
    else if (is_mask(i)) {
      const Sizes wanted(shape.begin() + axis, shape.begin() + axis + axes_of(i)), given = i.tensor->shape();
      if (given != wanted)
        throw ShapeError(fmt::format("at: a mask of shape {} for axes {} to {} of shape {}; it needs their sizes", to_string(given), axis,
                                     axis + axes_of(i) - 1, to_string(shape)));
      if (given.empty()) added.push_back(axis);
      masked.push_back(places_of(given.empty() ? i.tensor->reshape({1}) : *i.tensor));
      for (const Tensor& t : masked.back()) out.emplace_back(t);
    } else out.push_back(i);
    axis += axes_of(i);
  }
  if (ellipses == 0) rest();
  return out;
}

struct Positions { int64_t begin, count, step; };
/// Python's rules: bounds count from the end where negative and are clipped to the axis.
Positions positions(const Slice& s, int64_t size) {
  if (s.step == 0) throw ValueError("at: a slice with a step of 0 never arrives; use 1, or an integer for one element");
  const int64_t step = std::max(s.step, -INT64_MAX);  // what has an absolute value
  const int64_t low = s.step > 0 ? 0 : -1, high = s.step > 0 ? size : size - 1;
  const auto clipped = [&](const SliceBound& b, int64_t otherwise) {
    return b.given ? std::clamp(b.position < 0 ? b.position + size : b.position, low, high) : otherwise;
  };
  const int64_t begin = clipped(s.begin, s.step > 0 ? low : high), end = clipped(s.end, s.step > 0 ? high : low);
  const int64_t span = s.step > 0 ? end - begin : begin - end, stride = std::abs(step);
  return {begin, span > 0 ? (span - 1) / stride + 1 : 0, step};
}

/// Integers, slices and new axes, by movement alone; index tensors see their axis whole. Says which axes of the result those are.
UOp basic(UOp x, const std::vector<Index>& indices, Selection& selection) {
  Dims window, shape;
  std::vector<int64_t> flipped;
  std::vector<std::pair<int, int64_t>> strides;
  int axis = 0;
  for (const Index& i : indices) {
    if (i.kind == Index::Kind::NewAxis) {
      shape.push_back(1);
      continue;
    }
    const int64_t size = x.shape()[static_cast<size_t>(axis)].value();
    Positions p{0, size, 1};
    if (i.kind == Index::Kind::Integer) {
      if (i.integer < -size || i.integer >= size)
        throw IndexError(
            fmt::format("at: index {} is out of range for axis {} of size {}; it takes {} to {}", i.integer, axis, size, -size, size - 1));
      p = {i.integer < 0 ? i.integer + size : i.integer, 1, 1};
    } else if (i.kind == Index::Kind::Slice) p = positions(i.slice, size);
    if (i.kind == Index::Kind::Tensor) {
      selection.tensors.push_back(i.tensor);
      selection.axes.push_back(static_cast<int>(shape.size()));
    }
    const int64_t stride = std::abs(p.step), last = p.begin + (p.count - 1) * p.step;
    const int64_t low = p.count == 0 ? 0 : std::min(p.begin, last), high = p.count == 0 ? 0 : std::max(p.begin, last) + 1;
    window.insert(window.end(), {low, high});
    if (p.step < 0 && p.count > 1) flipped.push_back(axis);
    if (stride > 1 && p.count > 1) strides.emplace_back(axis, stride);
    if (stride > INT32_MAX && p.count > 1)
      throw ValueError(fmt::format("at: a step of {} along axis {} of size {}; it takes -2147483647 to 2147483647", p.step, axis, size));
    if (i.kind != Index::Kind::Integer) shape.push_back(p.count);
    ++axis;
  }
  x = shrink(x, window);
  if (!flipped.empty()) x = UOp::make(Op::Flip, {x}, Ints(flipped));
  for (const auto& [a, stride] : strides) {  // every stride-th: windows of one
    x = UOp::make(Op::Window, {x}, WindowArg{a, 1, static_cast<int32_t>(stride)});
    x = reshape(x, Dims(x.shape().begin(), x.shape().end() - 1));
  }
  return reshape(x, shape);
}

/// Whether index tensors stand beside each other, and beside the integers, which NumPy counts among them where there are any.
bool adjacent(const std::vector<Index>& indices) {
  const auto picks = [](const Index& i) { return i.kind == Index::Kind::Tensor || i.kind == Index::Kind::Integer; };
  const auto first = std::ranges::find_if(indices, picks);
  const auto behind = std::find_if_not(first, indices.end(), picks);
  return std::none_of(behind, indices.end(), picks);
}
/// The element at `tensors` of the axes `selection.axes`, which they replace in place, or else in front.
UOp advanced(UOp x, const Selection& selection, bool in_place) {
  const auto& axes = selection.axes;
  if (!in_place) {
    std::vector<int64_t> order(axes.begin(), axes.end());
    for (int64_t i = 0; i < static_cast<int64_t>(x.shape().rank()); ++i)
      if (std::find(axes.begin(), axes.end(), i) == axes.end()) order.push_back(i);
    x = permute(x, order);
  }
  const auto first = static_cast<size_t>(in_place ? axes.front() : 0);
  Dims merged = x.shape().dims();
  int64_t elements = 1;
  for (size_t i = 0; i < axes.size(); ++i) elements *= merged[first + i].value();
  const DType dtype = index_dtype(elements);
  Shape common;
  std::vector<UOp> indices;
  for (const Tensor* t : selection.tensors) {
    indices.push_back(source_of(*t, "at"));
    require_integers(indices.back(), "at");
    common = broadcast_shape(common, indices.back().shape(), "at");
  }
  UOp flat;
  for (size_t i = 0; i < indices.size(); ++i) {
    const int64_t size = merged[first + i].value();
    const UOp index = spread(valid(indices[i], size, dtype, "at"), common);
    flat = flat ? flat * size + index : index;
  }
  const auto at = merged.begin() + static_cast<ptrdiff_t>(first);
  merged.insert(merged.erase(at, at + static_cast<ptrdiff_t>(axes.size())), elements);
  return gathered(reshape(x, merged), flat, static_cast<int64_t>(first));
}

UOp selected(const UOp& x, const std::vector<Index>& indices) {
  Selection selection;
  std::vector<std::vector<Tensor>> masked;
  std::vector<int> added;
  const std::vector<Index> all = complete(indices, sizes_of(x.shape()), masked, added);
  Dims dims = x.shape().dims();
  for (size_t i = added.size(); i-- > 0;) dims.insert(dims.begin() + added[i], 1);
  const UOp y = basic(reshape(x, dims), all, selection);
  return selection.tensors.empty() ? y : advanced(y, selection, adjacent(indices));
}
void check_devices(const Tensor& x, const std::vector<Index>& indices) {
  for (const Index& i : indices) if (i.tensor) check_same_device(x, *i.tensor, "at");
}

}  // namespace

Tensor Tensor::at(const std::vector<Index>& indices) const {
  check_devices(*this, indices);
  return make(selected(source_of(*this, "at"), indices), *this);
}

Tensor& Tensor::set_at(const std::vector<Index>& indices, const Operand& value) {
  check_devices(*this, indices);
  const UOp x = source_of(*this, "set");
  const int64_t n = numel();
  // Where each selected element lies, from the same indexing of the numbers 0, 1, ...
  const UOp places = selected(tg::reshape(iota(n, index_dtype(n)), x.shape()), indices);
  UOp v;
  if (value.tensor) {
    check_same_device(*this, *value.tensor, "set");
    v = source_of(*value.tensor, "set");
    if (broadcast_shape(places.shape(), v.shape(), "set") != places.shape())
      throw ShapeError(
          fmt::format("set: a value of shape {} does not fit into the selected {}", to_string(v.shape()), to_string(places.shape())));
    v = tg::cast(v, x.dtype());
  } else v = weak_constant(value.scalar, x.dtype(), "set");
  const Shape line{places.shape().numel()};
  const UOp changed = UOp::make(Op::Scatter, {tg::reshape(x, {n}), tg::reshape(places, line), tg::reshape(spread(v, places.shape()), line)},
                                ScatterArg{0, ScatterMode::Set});
  const bool grad = is_float(x.dtype()) && (carries_gradient(*this) || (value.tensor && carries_gradient(*value.tensor)));
  const Tensor result = tg::make(tg::reshape(changed, x.shape()), device(), grad);
  return impl_->leaf || !grad ? assign(result) : update(result, "set");
}

Tensor Tensor::take(const Tensor& index, int axis) const {
  require_integers(source_of(index, "take"), "take");
  std::vector<Index> indices(static_cast<size_t>(checked_axis(axis, rank(), "take")), Index(tg::slice()));
  indices.push_back(Index(index));
  return at(indices);
}

Tensor Tensor::gather(int axis, const Tensor& index) const {
  const int a = checked_axis(axis, rank(), "gather");
  const UOp x = source_of(*this, "gather"), i = source_of(index, "gather");
  require_integers(i, "gather");
  check_same_device(*this, index, "gather");
  const Sizes own = shape(), wanted = index.shape();
  bool fits = wanted.size() == own.size();
  for (size_t k = 0; fits && k < own.size(); ++k) fits = static_cast<int>(k) == a || wanted[k] <= own[k];
  if (!fits)
    throw ShapeError(fmt::format("gather: the index's shape {} does not fit into {}; it must have as many axes, none but axis {} longer",
                                 to_string(wanted),
                                 to_string(own), a));
  const DType dtype = index_dtype(numel());
  UOp flat;
  for (size_t k = 0; k < own.size(); ++k) {
    Sizes along(own.size(), 1);
    along[k] = wanted[k];
    const UOp place = static_cast<int>(k) == a ? valid(i, own[k], dtype, "gather")
                                               : spread(tg::reshape(iota(wanted[k], dtype), shape_of(along)), i.shape());
    flat = flat ? flat * own[k] + place : place;
  }
  return make(gathered(tg::reshape(x, {numel()}), flat, 0), *this);
}

Tensor take_along_dim(const Tensor& x, const Tensor& index, const Axes& axis) {
  if (axis.list().empty()) return x.flatten().gather(0, index.flatten());
  if (axis.list().size() > 1) throw ValueError(fmt::format("take_along_dim: {} axes; it takes one, or none", axis.list().size()));
  const int a = checked_axis(axis.list()[0], x.rank(), "take_along_dim");
  if (index.rank() != x.rank())
    throw ShapeError(fmt::format("take_along_dim: an index of shape {} for shape {}; it has as many axes", to_string(index.shape()),
                                 to_string(x.shape())));
  // Both in their common shape, but for the axis.
  Sizes own = x.shape(), places = index.shape();
  const auto k = static_cast<size_t>(a);
  const int64_t length = std::exchange(own[k], 1), count = std::exchange(places[k], 1);
  Sizes common = sizes_of(broadcast_shape(shape_of(own), shape_of(places), "take_along_dim"));
  common[k] = length;
  const Tensor whole = x.expand(common);
  common[k] = count;
  return whole.gather(a, index.expand(common));
}

}  // namespace tg
