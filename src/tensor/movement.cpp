// Movement: where elements lie, never what they are. Each is one node, or none where nothing moves.
//
//   x.T() with x (2, 3, 4)      Permute(x, (2, 1, 0))        x.flatten()      Reshape(x, (24))
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "tensor/impl.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

namespace {

using Pairs = std::vector<std::pair<int64_t, int64_t>>;

// Each element of what is joined is chosen among all parts, so more parts than kMostAtOnce are joined kAtOnce at a time, in steps.
constexpr size_t kMostAtOnce = 16;
constexpr ptrdiff_t kAtOnce = 8;

std::string text(const Pairs& pairs) {
  std::vector<std::string> out;
  for (const auto& [a, b] : pairs) out.push_back(fmt::format("({}, {})", a, b));
  return fmt::format("{{{}}}", fmt::join(out, ", "));
}
/// Pairs of the last axes, with `rest` for those in front.
Pairs aligned(Pairs pairs, const Tensor& x, std::string_view operation, auto rest) {
  const Sizes shape = x.shape();
  if (pairs.size() > shape.size())
    throw ShapeError(
        fmt::format("{}: {} pairs {} for the {} axes of shape {}; give one an axis, or fewer", operation, pairs.size(),
                                 text(pairs), shape.size(), to_string(shape)));
  for (size_t i = shape.size() - pairs.size(); i-- > 0;) pairs.insert(pairs.begin(), rest(shape[i]));
  return pairs;
}
Dims flat(const Pairs& pairs) {
  Dims out;
  for (const auto& [a, b] : pairs) out.insert(out.end(), {a, b});
  return out;
}
Pairs whole(const Tensor& x) { return aligned({}, x, "shrink", [](int64_t n) { return std::pair<int64_t, int64_t>(0, n); }); }

std::vector<Tensor> promoted(const std::vector<Tensor>& tensors, std::string_view operation) {
  if (tensors.empty()) throw ValueError(fmt::format("{}: no tensors; give at least one", operation));
  DType t = tensors[0].dtype();
  for (const Tensor& x : tensors) {
    t = promote(t, x.dtype());
    check_same_device(tensors[0], x, operation);
  }
  std::vector<Tensor> out;
  for (const Tensor& x : tensors) out.push_back(x.cast(t));
  return out;
}

}  // namespace

Tensor Tensor::reshape(const Sizes& wanted) const {
  const UOp u = source_of(*this, "reshape");
  Sizes sizes = wanted;
  const int64_t n = numel();
  const auto open = std::find(sizes.begin(), sizes.end(), -1);
  if (open != sizes.end()) {
    *open = 1;
    const int64_t rest = product(sizes);
    if (std::count(sizes.begin(), sizes.end(), -1) > 0)
      throw ShapeError(fmt::format("reshape: shape {} leaves two sizes open; at most one may be -1", to_string(wanted)));
    if (rest == 0 || n % rest != 0)
      throw ShapeError(
          fmt::format("reshape: {} elements of shape {} do not divide into shape {}", n, to_string(shape()), to_string(wanted)));
    *open = n / rest;
  }
  check_sizes(sizes, "reshape");
  if (product(sizes) != n)
    throw ShapeError(fmt::format("reshape: shape {} has {} elements and shape {} has {}; they must be equal", to_string(shape()), n,
                                 to_string(wanted),
                                 product(sizes)));
  return make(tg::reshape(u, shape_of(sizes)), *this);
}
Tensor Tensor::flatten(int first, int last) const {
  Sizes sizes = shape();
  if (sizes.empty()) return reshape({1});
  const int from = checked_axis(first, rank(), "flatten"), to = checked_axis(last, rank(), "flatten");
  if (from > to) throw ValueError(fmt::format("flatten: first axis {} lies behind last axis {}", first, last));
  const auto begin = sizes.begin() + from, end = sizes.begin() + to + 1;
  const int64_t n = std::accumulate(begin, end, int64_t{1}, std::multiplies<>());
  sizes.insert(sizes.erase(begin, end), n);
  return reshape(sizes);
}
Tensor Tensor::unflatten(int axis, const Sizes& into) const {
  Sizes sizes = shape();
  const auto at = sizes.begin() + checked_axis(axis, rank(), "unflatten");
  const int64_t n = *at;
  Sizes parts = into;
  const auto open = std::find(parts.begin(), parts.end(), -1);
  if (open != parts.end()) {
    *open = 1;
    if (product(parts) > 0) *open = n / product(parts);
  }
  if (product(parts) != n)
    throw ShapeError(fmt::format("unflatten: axis {} of size {} does not divide into {}", axis, n, to_string(into)));
  const auto gap = sizes.erase(at);
  sizes.insert(gap, parts.begin(), parts.end());
  return reshape(sizes);
}

Tensor Tensor::permute(const std::vector<int>& axes) const {
  const UOp u = source_of(*this, "permute");
  if (static_cast<int>(axes.size()) != rank())
    throw ShapeError(fmt::format("permute: {} axes {{{}}} for shape {}; name each of its {} once", axes.size(), fmt::join(axes, ", "),
                                 to_string(shape()), rank()));
  checked_axes(axes, rank(), "permute");
  std::vector<int64_t> order;
  for (int a : axes) order.push_back(checked_axis(a, rank(), "permute"));
  return make(tg::permute(u, std::move(order)), *this);
}
Tensor Tensor::transpose(int a, int b) const {
  std::vector<int> order(static_cast<size_t>(rank()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<size_t>(checked_axis(a, rank(), "transpose"))],
            order[static_cast<size_t>(checked_axis(b, rank(), "transpose"))]);
  return permute(order);
}
Tensor Tensor::t() const {
  if (rank() > 2) throw ShapeError(fmt::format("t: shape {} has more than two axes; use transpose, T or mT", to_string(shape())));
  return T();
}
Tensor Tensor::T() const {
  std::vector<int> order(static_cast<size_t>(rank()));
  std::iota(order.rbegin(), order.rend(), 0);
  return permute(order);
}

Tensor Tensor::expand(const Sizes& wanted) const {
  const UOp u = source_of(*this, "expand");
  Sizes sizes = wanted, own = shape();
  for (size_t i = 0; i < std::min(own.size(), sizes.size()); ++i)
    if (int64_t& s = sizes[sizes.size() - 1 - i]; s == -1) s = own[own.size() - 1 - i];
  check_sizes(sizes, "expand");
  const Shape target = shape_of(sizes);
  if (own.size() > sizes.size() || broadcast_shape(u.shape(), target, "expand") != target)
    throw ShapeError(fmt::format("expand: shape {} does not expand to {}; only axes of size 1 and new axes in front grow", to_string(own),
                                 to_string(wanted)));
  return make(spread(u, target), *this);
}
Tensor Tensor::repeat(const Sizes& times) const {
  Sizes own = shape(), apart, spread, joined;
  if (times.size() < own.size())
    throw ShapeError(fmt::format("repeat: {} counts {} for the {} axes of shape {}; give one an axis", times.size(), to_string(times),
                                 own.size(), to_string(own)));
  check_sizes(times, "repeat");
  own.insert(own.begin(), times.size() - own.size(), 1);
  for (size_t i = 0; i < own.size(); ++i) {
    apart.insert(apart.end(), {1, own[i]});
    spread.insert(spread.end(), {times[i], own[i]});
    joined.push_back(times[i] * own[i]);
  }
  return reshape(apart).expand(spread).reshape(joined);
}

Tensor Tensor::shrink(const Pairs& begin_end) const {
  const UOp u = source_of(*this, "shrink");
  const Pairs pairs = aligned(begin_end, *this, "shrink", [](int64_t n) { return std::pair<int64_t, int64_t>(0, n); });
  const Sizes own = shape();
  for (size_t i = 0; i < own.size(); ++i)
    if (const auto [a, b] = pairs[i]; a < 0 || a > b || b > own[i])
      throw IndexError(fmt::format("shrink: [{}, {}) of axis {} of size {}; it takes 0 <= begin <= end <= size", a, b, i, own[i]));
  return make(tg::shrink(u, flat(pairs)), *this);
}
Tensor Tensor::pad(const Pairs& amounts, const PadOptions& options) const {
  Pairs pairs = aligned(amounts, *this, "pad", [](int64_t) { return std::pair<int64_t, int64_t>(0, 0); });
  Pairs cut = whole(*this);
  for (size_t i = 0; i < pairs.size(); ++i) {
    auto& [before, after] = pairs[i];
    cut[i] = {std::max<int64_t>(0, -before), cut[i].second - std::max<int64_t>(0, -after)};
    if (cut[i].first > cut[i].second)
      throw ShapeError(fmt::format("pad: {} cuts more than axis {} of shape {} has", text(amounts), i, to_string(shape())));
    before = std::max<int64_t>(0, before);
    after = std::max<int64_t>(0, after);
  }
  const Tensor x = shrink(cut);
  if (std::all_of(pairs.begin(), pairs.end(), [](auto p) { return p.first == 0 && p.second == 0; })) return x;
  const UOp u = source_of(x, "pad");
  const auto padded = [&](const UOp& v) { return UOp::make(Op::Pad, {v}, Shape(flat(pairs))); };
  if (options.value == 0) return make(padded(u), x);
  const Scalar value = !is_float(u.dtype()) && options.value == static_cast<double>(static_cast<int64_t>(options.value))
                           ? Scalar(static_cast<int64_t>(options.value)) : Scalar(options.value);
  return make(where(padded(spread(constant(DType::bool_, 1), u.shape())), padded(u), weak_constant(value, u.dtype(), "pad")), x);
}

Tensor Tensor::flip(const Axes& axes) const {
  const UOp u = source_of(*this, "flip");
  const auto list = checked_axes(axes, rank(), "flip");
  return list.empty() ? *this : make(UOp::make(Op::Flip, {u}, Ints(std::vector<int64_t>(list.begin(), list.end()))), *this);
}
Tensor Tensor::squeeze(const Axes& axes) const {
  const Sizes own = shape();
  Sizes sizes;
  const auto list = checked_axes(axes, rank(), "squeeze");
  for (int i = 0; i < rank(); ++i) {
    const bool named = std::find(list.begin(), list.end(), i) != list.end();
    if (named && own[static_cast<size_t>(i)] == 1) continue;
    if (named && !axes.list().empty())
      throw ShapeError(
          fmt::format("squeeze: axis {} of shape {} is not of size 1; name others, or none for all that are", i, to_string(own)));
    sizes.push_back(own[static_cast<size_t>(i)]);
  }
  return reshape(sizes);
}
Tensor Tensor::unsqueeze(int axis) const {
  Sizes sizes = shape();
  sizes.insert(sizes.begin() + checked_axis(axis, rank() + 1, "unsqueeze"), 1);
  return reshape(sizes);
}

std::vector<Tensor> Tensor::split(const Sizes& lengths, int axis) const {
  const int a = checked_axis(axis, rank(), "split");
  int64_t left = size(a);
  if (!std::ranges::all_of(lengths, [&](int64_t n) { return n >= 0 && (left -= n) >= 0; }) || left > 0)
    throw ShapeError(fmt::format("split: lengths {} of axis {} of size {}; they are 0 or more and add up to it", to_string(lengths), axis,
                                 size(a)));
  std::vector<Tensor> out;
  Pairs pairs = whole(*this);
  int64_t begin = 0;
  for (int64_t n : lengths) {
    pairs[static_cast<size_t>(a)] = {begin, begin + n};
    out.push_back(shrink(pairs));
    begin += n;
  }
  return out;
}
std::vector<Tensor> Tensor::split(int64_t length, int axis) const {
  if (length <= 0) throw ValueError(fmt::format("split: pieces of length {}; it takes 1 or more", length));
  const int64_t n = size(axis);
  Sizes lengths;
  for (int64_t begin = 0; begin < n; begin += length) lengths.push_back(std::min(length, n - begin));
  if (n == 0) lengths.push_back(0);
  return split(lengths, axis);
}
std::vector<Tensor> Tensor::chunk(int64_t count, int axis) const {
  if (count <= 0) throw ValueError(fmt::format("chunk: {} pieces; it takes 1 or more", count));
  return split(std::max<int64_t>(size(axis) - 1, 0) / count + 1, axis);
}

Tensor Tensor::stack(const std::vector<Tensor>& tensors, int axis) {
  const std::vector<Tensor> parts = promoted(tensors, "stack");
  for (const Tensor& t : parts)
    if (t.shape() != parts[0].shape())
      throw ShapeError(
          fmt::format("stack: shapes {} and {} differ; they must be equal", to_string(parts[0].shape()), to_string(t.shape())));
  const int to = checked_axis(axis, parts[0].rank() + 1, "stack");
  if (parts.size() > kMostAtOnce) {
    std::vector<Tensor> rows;
    for (const Tensor& t : parts) rows.push_back(t.unsqueeze(to));
    return cat(rows, to);
  }
  std::vector<UOp> nodes;
  bool grad = false;
  for (const Tensor& t : parts) {
    nodes.push_back(source_of(t, "stack"));
    grad = grad || carries_gradient(t);
  }
  const Tensor front = make(UOp::make(Op::Stack, nodes, Arg{}), parts[0].device(), grad);
  std::vector<int> order(static_cast<size_t>(front.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::rotate(order.begin(), order.begin() + 1, order.begin() + to + 1);
  return front.permute(order);
}

Tensor Tensor::cat(const std::vector<Tensor>& tensors, int axis) {
  const std::vector<Tensor> parts = promoted(tensors, "cat");
  if (parts.size() == 1) return parts[0];
  const int a = checked_axis(axis, parts[0].rank(), "cat");
  Sizes common = parts[0].shape();
  int64_t total = 0;
  bool equal = true;
  for (const Tensor& t : parts) {
    Sizes s = t.shape();
    if (s.size() == common.size()) total += std::exchange(s[static_cast<size_t>(a)], common[static_cast<size_t>(a)]);
    if (s != common)
      throw ShapeError(fmt::format("cat: shapes {} and {} differ beside axis {}; all other sizes must be equal", to_string(common),
                                   to_string(t.shape()), axis));
    equal = equal && t.shape() == common;
  }
  if (parts.size() > kMostAtOnce) {
    std::vector<Tensor> joined;
    for (auto part = parts.begin(); part != parts.end();) {
      const auto next = part + std::min<ptrdiff_t>(kAtOnce, parts.end() - part);
      joined.push_back(cat({part, next}, a).contiguous());
      part = next;
    }
    return cat(joined, a);
  }
  if (equal) return stack(parts, a).flatten(a, a + 1);
  // Each part padded with zeros to the whole and chosen where it lies: zeros of bool or integers are not added, so that every bit is kept.
  Tensor result;
  int64_t begin = 0;
  for (const Tensor& t : parts) {
    const int64_t end = begin + t.size(a);
    Pairs pairs(common.size(), {0, 0});
    pairs[static_cast<size_t>(a)] = {begin, total - end};
    const Tensor placed = t.pad(pairs);
    if (!result.defined()) result = placed;
    else {
      Sizes along(common.size(), 1);
      along[static_cast<size_t>(a)] = total;
      TensorOptions on;
      on.device = t.device();
      result = tg::where(arange(total, on).reshape(along) < begin, result, placed);
    }
    begin = end;
  }
  return result;
}

}  // namespace tg
