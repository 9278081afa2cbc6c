// Arrangements as compositions of movement: slices put beside each other, windows, axes split and merged.
//
//   diagonal(x of shape (3, 3))      every 4th of the 9 elements: Window of 1, stride 4
#include "tg/arrange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tensor/impl.hpp"

namespace tg {

namespace {

TensorOptions like(const Tensor& x, TensorOptions o) {
  if (o.dtype == DType::void_) o.dtype = x.dtype();
  if (o.device.empty()) o.device = x.device();
  return o;
}
TensorOptions on(const Tensor& x) { return like(x, {.dtype = DType::int32}); }

/// Column - row of each element of a matrix.
Tensor columns_less_rows(int64_t rows, int64_t columns, const TensorOptions& o) {
  return Tensor::arange(columns, o) - Tensor::arange(rows, o).unsqueeze(1);
}
Tensor in_triangle(const Tensor& x, int64_t diagonal, bool lower, std::string_view operation) {
  if (x.rank() < 2)
    throw ShapeError(fmt::format("{}: shape {} has no rows and columns; it takes two axes or more", operation, to_string(x.shape())));
  const Tensor off = columns_less_rows(x.size(-2), x.size(-1), on(x));
  return where(lower ? off <= diagonal : off >= diagonal, x, Tensor::zeros({}, like(x, {})));
}

}  // namespace

// ---- creation ----

Tensor full_like(const Tensor& x, Scalar value, const TensorOptions& o) { return Tensor::full(x.shape(), value, like(x, o)); }
Tensor zeros_like(const Tensor& x, const TensorOptions& o) { return Tensor::zeros(x.shape(), like(x, o)); }
Tensor ones_like(const Tensor& x, const TensorOptions& o) { return Tensor::ones(x.shape(), like(x, o)); }
Tensor empty_like(const Tensor& x, const TensorOptions& o) { return zeros_like(x, o); }
Tensor rand_like(const Tensor& x, const TensorOptions& o) { return Tensor::rand(x.shape(), like(x, o)); }
Tensor randn_like(const Tensor& x, const TensorOptions& o) { return Tensor::randn(x.shape(), like(x, o)); }
Tensor empty(const Sizes& shape, const TensorOptions& o) { return Tensor::zeros(shape, o); }

Tensor linspace(Scalar start, Scalar stop, int64_t count, const TensorOptions& options) {
  if (count < 0) throw ValueError(fmt::format("linspace: {} numbers; it takes 0 or more", count));
  TensorOptions o = options, plain = options;
  if (o.dtype == DType::void_) o.dtype = DType::float32;
  plain.dtype = working_dtype(o.dtype);
  plain.requires_grad = false;
  const double from = start.to<double>(), to = stop.to<double>(), step = count > 1 ? (to - from) / static_cast<double>(count - 1) : 0;
  // Counted from the nearer end, so that both are met.
  const Tensor i = Tensor::arange(0, count, 1, plain), back = static_cast<double>(count - 1) - i;
  Tensor x = where(i < static_cast<double>((count + 1) / 2), i * step + from, to - back * step).cast(o.dtype);
  if (o.requires_grad) x.set_requires_grad(true);
  return x;
}
Tensor tri(int64_t rows, int64_t columns, int64_t diagonal, const TensorOptions& options) {
  TensorOptions o = options;
  o.dtype = DType::int32;
  o.requires_grad = false;
  Tensor x = (columns_less_rows(rows, columns < 0 ? rows : columns, o) <= diagonal)
                 .cast(options.dtype == DType::void_ ? DType::float32 : options.dtype);
  if (options.requires_grad) x.set_requires_grad(true);
  return x;
}
std::vector<Tensor> meshgrid(const std::vector<Tensor>& axes, bool xy) {
  Sizes sizes;
  for (const Tensor& x : axes) {
    if (x.rank() > 1) throw ShapeError(fmt::format("meshgrid: shape {}; it takes vectors and scalars", to_string(x.shape())));
    sizes.push_back(x.numel());
  }
  std::vector<Tensor> out;
  for (size_t i = 0; i < axes.size(); ++i) {
    Sizes own(axes.size(), 1);
    own[i] = sizes[i];
    const Tensor x = axes[i].reshape(own).expand(sizes);
    out.push_back(xy && axes.size() > 1 ? x.transpose(0, 1) : x);
  }
  return out;
}

// ---- movement ----

Tensor roll(const Tensor& x, const Sizes& shifts, const Axes& axes) {
  if (axes.list().empty()) {
    if (shifts.size() != 1) throw ValueError(fmt::format("roll: {} shifts and no axes; name as many axes", shifts.size()));
    return roll(x.flatten(), shifts, 0).reshape(x.shape());
  }
  if (shifts.size() != axes.list().size())
    throw ValueError(fmt::format("roll: {} shifts for {} axes; give one an axis", shifts.size(), axes.list().size()));
  Tensor y = x.clone();
  for (size_t i = 0; i < shifts.size(); ++i) {
    const int axis = checked_axis(axes.list()[i], x.rank(), "roll");
    const int64_t n = x.size(axis), by = n == 0 ? 0 : ((shifts[i] % n) + n) % n;
    if (by != 0) y = Tensor::cat({part(y, axis, n - by, n), part(y, axis, 0, n - by)}, axis);
  }
  return y;
}

namespace {
/// The axis that is meant, of x or of x flattened.
std::pair<Tensor, int> one_axis(const Tensor& x, const Axes& axis, std::string_view operation) {
  if (axis.list().empty()) return {x.flatten(), 0};
  if (axis.list().size() > 1) throw ValueError(fmt::format("{}: {} axes; it takes one, or none", operation, axis.list().size()));
  return {x, checked_axis(axis.list()[0], x.rank(), operation)};
}
}  // namespace
Tensor repeat_interleave(const Tensor& x, int64_t times, const Axes& axis) {
  if (times < 0) throw ValueError(fmt::format("repeat_interleave: {} times; it takes 0 or more", times));
  const auto [y, a] = one_axis(x, axis, "repeat_interleave");
  Sizes wide = y.unsqueeze(a + 1).shape();
  wide[static_cast<size_t>(a) + 1] = times;
  return y.unsqueeze(a + 1).expand(wide).flatten(a, a + 1);
}
Tensor repeat_interleave(const Tensor& x, const Tensor& times, const Axes& axis) {
  const auto [y, a] = one_axis(x, axis, "repeat_interleave");
  require_dtype(is_int(times.dtype()), "repeat_interleave", times.dtype(), "counts are integers; cast them");
  std::vector<int64_t> counts = times.to_vector<int64_t>();
  const auto n = static_cast<size_t>(y.size(a));
  if (counts.size() == 1) counts.assign(n, counts[0]);
  if (counts.size() != n || times.rank() > 1)
    throw ShapeError(
        fmt::format("repeat_interleave: counts of shape {} for axis {} of {} entries; give one an entry", to_string(times.shape()),
                                 a, n));
  std::vector<int64_t> index;
  for (size_t i = 0; i < n; ++i) {
    if (counts[i] < 0) throw ValueError(fmt::format("repeat_interleave: {} times, at entry {}; it takes 0 or more", counts[i], i));
    index.insert(index.end(), static_cast<size_t>(counts[i]), static_cast<int64_t>(i));
  }
  return y.take(Tensor::from(index, {static_cast<int64_t>(index.size())}, {.device = x.device()}), a);
}
Tensor repeat_interleave(const Tensor& times) {
  if (times.rank() != 1)
    throw ShapeError(fmt::format("repeat_interleave: counts of shape {}; alone they are a vector", to_string(times.shape())));
  return repeat_interleave(Tensor::arange(times.size(0), {.dtype = int64, .device = times.device()}), times, 0);
}

Tensor unfold(const Tensor& x, int axis, int64_t size, int64_t step) {
  const int a = checked_axis(axis, x.rank(), "unfold");
  if (size < 1 || step < 1 || size > INT32_MAX || step > INT32_MAX)
    throw ValueError(fmt::format("unfold: size {} and step {}; they must be at least 1", size, step));
  if (size > x.size(a))
    throw ShapeError(fmt::format("unfold: a window of {} does not fit into axis {} of shape {}", size, axis, to_string(x.shape())));
  return make(UOp::make(Op::Window, {source_of(x, "unfold")}, WindowArg{a, static_cast<int32_t>(size), static_cast<int32_t>(step)}), x);
}
Tensor diagonal(const Tensor& x, int64_t offset, int a, int b) {
  const int first = checked_axis(a, x.rank(), "diagonal"), second = checked_axis(b, x.rank(), "diagonal"), last = x.rank() - 1;
  if (first == second) throw ValueError(fmt::format("diagonal: axis {} twice; it takes two", a));
  std::vector<int> order;
  for (int i = 0; i <= last; ++i) if (i != first && i != second) order.push_back(i);
  order.insert(order.end(), {first, second});
  Tensor y = x.permute(order);
  const int64_t rows = y.size(-2), columns = y.size(-1), row = std::max<int64_t>(0, -offset), column = std::max<int64_t>(0, offset);
  const int64_t n = std::max<int64_t>(0, std::min(rows - row, columns - column));
  y = n == 0 ? part(part(y, last - 1, 0, 0), last, 0, 0) : part(part(y, last - 1, row, row + n), last, column, column + n);
  y = y.flatten(last - 1, last);
  return n < 2 ? y : unfold(y, last - 1, 1, n + 1).squeeze(last);
}
Tensor diag(const Tensor& x, int64_t offset) {
  if (x.rank() == 2) return diagonal(x, offset);
  if (x.rank() != 1) throw ShapeError(fmt::format("diag: shape {}; it takes a vector or a matrix", to_string(x.shape())));
  // n rows of an element and n zeros, without the last zeros, are n columns with the element one further in each row.
  const int64_t n = x.numel(), row = std::max<int64_t>(0, -offset), column = std::max<int64_t>(0, offset);
  const Tensor square = x.unsqueeze(1).pad({{0, n}}).flatten().shrink({{0, n * n}}).reshape({n, n});
  return square.pad({{row, column}, {column, row}});
}
Tensor tril(const Tensor& x, int64_t diagonal) { return in_triangle(x, diagonal, true, "tril"); }
Tensor triu(const Tensor& x, int64_t diagonal) { return in_triangle(x, diagonal, false, "triu"); }

Tensor pad(const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& amounts, PadMode mode) {
  std::vector<std::pair<int64_t, int64_t>> cuts = amounts;
  for (auto& [before, after] : cuts) before = std::min<int64_t>(before, 0), after = std::min<int64_t>(after, 0);
  Tensor y = x.pad(cuts);
  for (size_t i = 0; i < amounts.size(); ++i) {
    const int axis = x.rank() - static_cast<int>(amounts.size() - i);
    const int64_t before = std::max<int64_t>(0, amounts[i].first), after = std::max<int64_t>(0, amounts[i].second), n = y.size(axis);
    const int64_t most = mode == PadMode::Reflect ? n - 1 : mode == PadMode::Circular ? n : n == 0 ? 0 : INT64_MAX;
    if (std::max(before, after) > most)
      throw ShapeError(fmt::format("pad: ({}, {}) of axis {} of {} elements; this mode has at most {} to fill with", before, after, axis, n,
                                   std::max<int64_t>(0, most)));
    const auto border = [&](bool front) {
      const int64_t count = front ? before : after;
      if (mode == PadMode::Circular) return front ? part(y, axis, n - count, n) : part(y, axis, 0, count);
      if (mode == PadMode::Reflect) return (front ? part(y, axis, 1, count + 1) : part(y, axis, n - 1 - count, n - 1)).flip(axis);
      const Tensor edge = front ? part(y, axis, 0, 1) : part(y, axis, n - 1, n);
      Sizes wide = edge.shape();
      wide[static_cast<size_t>(axis)] = count;
      return edge.expand(wide);
    };
    std::vector<Tensor> parts{y};
    if (before > 0) parts.insert(parts.begin(), border(true));
    if (after > 0) parts.push_back(border(false));
    y = Tensor::cat(parts, axis);
  }
  return y;
}

// ---- rearrange ----

namespace {
using Groups = std::vector<std::vector<std::string>>;  // an axis each

Groups parsed(std::string_view side, std::string_view pattern) {
  Groups out;
  bool open = false;
  const auto fail = [&](std::string_view why) { throw ValueError(fmt::format("rearrange: \"{}\": {}", pattern, why)); };
  for (size_t i = 0; i < side.size();) {
    const char c = side[i];
    if (c == ' ') { ++i; continue; }
    if (c == '(' || c == ')') {
      if (open == (c == '(')) fail("parentheses do not match");
      open = c == '(';
      if (open) out.emplace_back();
      ++i;
      continue;
    }
    size_t end = side.substr(i, 3) == "..." ? i + 3 : i;
    while (end < side.size() && (std::isalnum(static_cast<unsigned char>(side[end])) || side[end] == '_')) ++end;
    if (end == i) fail(fmt::format("'{}' is neither a name, a parenthesis nor ...", c));
    std::string name(side.substr(i, end - i));
    if (!open) out.emplace_back();
    if (open && name == "...") name += ')';  // one axis of them all
    if (name != "1") out.back().push_back(std::move(name));
    i = end;
  }
  if (open) fail("parentheses do not match");
  return out;
}
bool is_rest(const std::string& name) { return name.starts_with("..."); }
/// "..." as so many axes with names of their own.
void spell_out(Groups& groups, size_t axes) {
  for (size_t g = 0; g < groups.size(); ++g) {
    const auto at = std::ranges::find_if(groups[g], is_rest);
    if (at == groups[g].end()) continue;
    std::vector<std::string> names;
    for (size_t i = 0; i < axes; ++i) names.push_back(fmt::format("...{}", i));
    if (*at == "...)") groups[g].insert(groups[g].erase(at), names.begin(), names.end());
    else {
      Groups own;
      for (const std::string& n : names) own.push_back({n});
      groups.insert(groups.erase(groups.begin() + static_cast<ptrdiff_t>(g)), own.begin(), own.end());
    }
    return;
  }
}
}  // namespace

Tensor rearrange(const Tensor& x, std::string_view pattern, const std::vector<std::pair<std::string_view, int64_t>>& sizes) {
  const auto fail = [&](const std::string& why) { throw ValueError(fmt::format("rearrange: \"{}\": {}", pattern, why)); };
  const size_t arrow = pattern.find("->");
  if (arrow == std::string_view::npos) fail("it has no ->");
  Groups from = parsed(pattern.substr(0, arrow), pattern), to = parsed(pattern.substr(arrow + 2), pattern);
  const auto has_rest = [](const Groups& groups) {
    return std::ranges::any_of(groups, [](const auto& g) { return std::ranges::any_of(g, is_rest); });
  };
  const auto rank = static_cast<size_t>(x.rank()), named = from.size() - (has_rest(from) ? 1 : 0);
  if (has_rest(from) != has_rest(to)) fail("... stands on one side alone");
  if (named > rank || (!has_rest(from) && named != rank)) fail(fmt::format("{} axes for shape {}", named, to_string(x.shape())));
  spell_out(from, rank - named);
  spell_out(to, rank - named);
  // Split, permute, merge.
  std::vector<std::string> names;
  Sizes apart;
  for (size_t i = 0; i < from.size(); ++i) {
    const int64_t n = x.shape()[i];
    int64_t rest = n;
    ptrdiff_t open = -1;
    for (const std::string& name : from[i]) {
      if (std::ranges::find(names, name) != names.end()) fail(fmt::format("{} stands twice on the left", name));
      names.push_back(name);
      const auto given = std::ranges::find(sizes, std::string_view(name), &std::pair<std::string_view, int64_t>::first);
      apart.push_back(given == sizes.end() ? 1 : given->second);
      if (given != sizes.end()) rest = given->second > 0 && rest % given->second == 0 ? rest / given->second : -1;
      else if (open >= 0) fail(fmt::format("the sizes of {} and {} are open; give one", names[static_cast<size_t>(open)], name));
      else open = static_cast<ptrdiff_t>(names.size()) - 1;
      if (rest < 0) fail(fmt::format("axis {} of size {} does not divide by {} {}", i, n, name, given->second));
    }
    if (open >= 0) apart[static_cast<size_t>(open)] = rest;
    else if (rest != 1) fail(fmt::format("axis {} has size {}, not {}", i, n, n / std::max<int64_t>(rest, 1)));
  }
  std::vector<int> order;
  Sizes merged;
  for (const auto& group : to) {
    merged.push_back(1);
    for (const std::string& name : group) {
      const auto at = std::ranges::find(names, name);
      if (at == names.end()) fail(fmt::format("{} stands on the right alone; every name stands on both sides", name));
      order.push_back(static_cast<int>(at - names.begin()));
      merged.back() *= apart[static_cast<size_t>(order.back())];
    }
  }
  if (order.size() != names.size()) fail("each name must stand once on each side");
  return x.reshape(apart).permute(order).reshape(merged);
}

Tensor hstack(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> all;
  for (const Tensor& t : tensors) all.push_back(t.rank() == 0 ? t.reshape({1}) : t);
  return Tensor::cat(all, !all.empty() && all[0].rank() > 1 ? 1 : 0);
}
Tensor vstack(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> all;
  for (const Tensor& t : tensors) all.push_back(t.rank() < 2 ? t.reshape({1, t.numel()}) : t);
  return Tensor::cat(all);
}

}  // namespace tg
