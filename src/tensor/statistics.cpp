// What is told of many numbers, as compositions of sorting, scattering and reductions.
//
//   unique(x)              sort, a mask of those that differ from the one before, x.at(mask)
//   searchsorted(s, v)     log2(n) steps of a binary search, a gather each, in one kernel
#include "tg/statistics.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tensor/impl.hpp"
#include "tg/arrange.hpp"
#include "tg/contract.hpp"
#include "tg/functions.hpp"
#include "tg/scatter.hpp"

namespace tg {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TensorOptions on(const Tensor& x, DType t) { return {.dtype = t, .device = x.device()}; }

/// Runs of equals in a line, whose elements were at `places`; inverse in `shape`.
Distinct runs(const Tensor& line, const Tensor& places, const Sizes& shape) {
  const int64_t n = line.numel();
  const DType count = DType::int32;
  if (n == 0) {
    const Tensor none = Tensor::zeros({0}, on(line, count));
    return {line, none, Tensor::zeros(shape, on(line, count)), none};
  }
  const Tensor fixed = line.detach(), one = Tensor::ones({1}, on(line, DType::bool_));
  const Tensor first = cat({one, ne(part(fixed, 0, 1, n), part(fixed, 0, 0, n - 1))}).realize();
  const Tensor run = first.cast(count).cumsum() - 1, starts = Tensor::arange(n, on(line, count)).at(first);
  const Tensor ends = cat({part(starts, 0, 1, starts.numel()), Tensor::full({1}, n, on(line, count))});
  return {line.at(first), places.at(first), scatter(Tensor::zeros({n}, on(line, count)), 0, places, run).reshape(shape), ends - starts};
}

/// The bounds of a histogram: those given, or the data's, one apart on both sides where they are one number.
std::pair<Tensor, Tensor> bounds(const Tensor& x, int64_t bins, double min, double max, std::string_view operation) {
  if (bins < 1) throw ValueError(fmt::format("{}: {} bins; it takes 1 or more", operation, bins));
  if (!(min <= max) || !std::isfinite(max - min))
    throw ValueError(fmt::format("{}: from {} to {}; it takes finite numbers in order", operation, min, max));
  const auto number = [&](double v) { return Tensor::full({}, v, on(x, x.dtype())); };
  if (min < max) return {number(min), number(max)};
  if (x.numel() == 0) return {number(0), number(1)};
  const Tensor low = x.min(), high = x.max(), wide = (low == high).cast(x.dtype());
  return {low - wide, high + wide};
}
Tensor counted(const Tensor& x, int64_t bins, const std::pair<Tensor, Tensor>& ends) {
  const auto& [low, high] = ends;
  const Tensor bin = minimum(((x - low) / (high - low) * bins).floor(), bins - 1);
  const Tensor place = where(logical_and(x >= low, x <= high), bin, bins).cast(DType::int64);  // those outside in one more
  return part(scatter_add(Tensor::zeros({bins + 1}, on(x, x.dtype())), 0, place, 1), 0, 0, bins);
}
Tensor line_of(const Tensor& x) { return x.detach().flatten().cast(working_dtype(x.dtype())); }

}  // namespace

Distinct unique(const Tensor& x) {
  const Found sorted = x.flatten().sort();
  return runs(sorted.values, sorted.indices, x.shape());
}
Distinct unique_consecutive(const Tensor& x) { return runs(x.flatten(), Tensor::arange(x.numel(), on(x, DType::int32)), x.shape()); }

Tensor bincount(const Tensor& x, const Tensor& weights, int64_t least) {
  if (x.rank() != 1) throw ShapeError(fmt::format("bincount: shape {} is not a vector", to_string(x.shape())));
  require_dtype(is_int(x.dtype()), "bincount", x.dtype(), "it counts integers; cast them");
  if (least < 0) throw ValueError(fmt::format("bincount: at least {} counts; it takes 0 or more", least));
  if (weights.defined() && weights.shape() != x.shape())
    throw ShapeError(
        fmt::format("bincount: weights of shape {} for shape {}; give one each", to_string(weights.shape()), to_string(x.shape())));
  const DType t = weights.defined() ? weights.dtype() : DType::int32;
  if (x.numel() == 0) return Tensor::zeros({least}, on(x, t));
  const auto [low, high] = aminmax(x);
  realize({low, high});
  if (low.item<int64_t>() < 0) throw ValueError(fmt::format("bincount: it holds {}; it counts numbers from 0 on", low.item<int64_t>()));
  const Tensor counts = Tensor::zeros({std::max(least, high.item<int64_t>() + 1)}, on(x, t));
  return weights.defined() ? scatter_add(counts, 0, x, weights) : scatter_add(counts, 0, x, 1);
}

Tensor histc(const Tensor& x, int64_t bins, double min, double max) {
  const Tensor v = line_of(x);
  return counted(v, bins, bounds(v, bins, min, max, "histc")).cast(float_of(x.dtype()));
}
std::pair<Tensor, Tensor> histogram(const Tensor& x, int64_t bins, double min, double max) {
  const Tensor v = line_of(x);
  const auto ends = bounds(v, bins, min, max, "histogram");
  const Tensor part = Tensor::arange(bins + 1, on(v, v.dtype())) / static_cast<double>(bins);
  const DType t = float_of(x.dtype());
  return {counted(v, bins, ends).cast(t), lerp(ends.first, ends.second, part).cast(t)};
}

Tensor searchsorted(const Tensor& sorted, const Operand& values, bool right) {
  const Tensor v = values.tensor ? *values.tensor : Tensor::full({}, values.scalar, on(sorted, beside(sorted.dtype(), values.scalar)));
  const Sizes own = sorted.shape(), wanted = v.shape();
  bool fits = sorted.rank() == 1 || (sorted.rank() > 1 && own.size() == wanted.size());
  for (size_t k = 0; fits && k + 1 < own.size(); ++k) fits = own[k] == wanted[k];
  if (!fits)
    throw ShapeError(fmt::format("searchsorted: shape {} for values of shape {}; it is a vector, or of their shape but for the last axis",
                                 to_string(own), to_string(wanted)));
  const DType t = index_dtype(sorted.numel() + 1);
  const int64_t n = own.back();
  if (n == 0 || v.numel() == 0) return Tensor::zeros(wanted, on(v, DType::int32));
  Tensor before = Tensor::zeros({}, on(v, t)), row = before;  // how many elements are known to be before the value
  if (sorted.rank() > 1) {
    Sizes rows(own.begin(), own.end() - 1);
    rows.push_back(1);
    row = Tensor::arange(product(rows), on(v, t)).reshape(rows) * n;
  }
  const Tensor line = sorted.detach().flatten(), value = v.detach();
  for (auto step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(n))); step > 0; step /= 2) {
    const Tensor next = before + step, other = line.take(minimum(next, n) - 1 + row);
    Tensor is_before = right ? other <= value : other < value;
    if (is_float(value.dtype()) || is_float(other.dtype())) is_before = logical_or(is_before, logical_and(value.isnan(), other == other));
    before = where(logical_and(next <= n, is_before), next, before);
  }
  return before.cast(DType::int32);
}
Tensor bucketize(const Tensor& values, const Tensor& boundaries, bool right) {
  if (boundaries.rank() != 1)
    throw ShapeError(fmt::format("bucketize: boundaries of shape {}; they are a vector", to_string(boundaries.shape())));
  return searchsorted(boundaries, values, right);
}
Tensor isin(const Tensor& x, const Tensor& others) { return eq(x.unsqueeze(-1), others.flatten()).any({.axis = -1}); }

Tensor quantile(const Tensor& x, double q, const QuantileOptions& o) { return quantile(x, std::vector{q}, o).squeeze(0); }
Tensor quantile(const Tensor& input, const std::vector<double>& q, const QuantileOptions& o) {
  if (o.axis.list().size() > 1)
    throw ValueError(fmt::format("quantile: {} axes; it takes one, or none for those of all elements", o.axis.list().size()));
  const std::vector<int> axes = checked_axes(o.axis, input.rank(), "quantile");
  for (double part : q) if (!(part >= 0 && part <= 1)) throw ValueError(fmt::format("quantile: {}; it takes parts from 0 to 1", part));
  return in_working_dtype(input, [&](const Tensor& x) {
    const bool all = o.axis.list().empty() || x.rank() == 0;
    const Tensor line = all ? x.flatten() : x;
    const int a = all ? 0 : axes[0];
    const int64_t n = line.size(a), count = static_cast<int64_t>(q.size());
    if (n == 0) throw ValueError("quantile: of no elements; the axis must not be empty");
    std::vector<int64_t> low, high;
    std::vector<double> weights;
    for (double part : q) {
      const double place = part * static_cast<double>(n - 1), from = std::floor(place), to = std::ceil(place), rest = place - from;
      low.push_back(static_cast<int64_t>(o.between == Between::Higher ? to : o.between == Between::Nearest ? std::nearbyint(place) : from));
      high.push_back(o.between == Between::Linear || o.between == Between::Midpoint ? static_cast<int64_t>(to) : low.back());
      weights.push_back(low.back() == high.back() ? 0 : o.between == Between::Midpoint ? 0.5 : rest);
    }
    const Tensor sorted = line.sort({.axis = a}).values;
    const auto taken = [&](const std::vector<int64_t>& at) {
      const Tensor found = sorted.take(Tensor::from(at, {count}, {.device = x.device()}), a);  // the axis to the front
      std::vector<int> order{a};
      for (int i = 0; i < found.rank(); ++i) if (i != a) order.push_back(i);
      return found.permute(order);
    };
    Sizes beside(static_cast<size_t>(line.rank()), 1);
    beside[0] = count;
    const Tensor w = Tensor::from(weights, beside, on(x, x.dtype())), from = taken(low);
    const Tensor between = where(w == 0, from, lerp(from, taken(high), w));
    const Tensor value = where(line.isnan().any({.axis = a}), kNan, between);
    if (!o.keepdim) return value;
    Sizes kept = x.shape();
    for (size_t i = 0; i < kept.size(); ++i) if (all || static_cast<int>(i) == a) kept[i] = 1;
    kept.insert(kept.begin(), count);
    return value.reshape(kept);
  });
}
Found kthvalue(const Tensor& x, int64_t k, int axis, bool keepdim) {
  const Tensor line = x.rank() == 0 ? x.reshape({1}) : x;
  const int a = checked_axis(axis, line.rank(), "kthvalue");
  if (k < 1 || k > line.size(a))
    throw ValueError(fmt::format("kthvalue: the {}-th of {} elements; k must be from 1 to {}", k, line.size(a), line.size(a)));
  const Found all = line.topk(k, a, false);
  const auto last = [&](const Tensor& t) {
    const Tensor one = part(t, a, k - 1, k);
    return x.rank() == 0 ? one.reshape({}) : keepdim ? one : one.squeeze(a);
  };
  return {last(all.values), last(all.indices)};
}

Tensor nansum(const Tensor& x, const ReduceOptions& o) { return where(x.isnan(), 0, x).sum(o); }
Tensor nanmean(const Tensor& x, const ReduceOptions& o) {
  return in_working_dtype(x, [&](const Tensor& v) -> Tensor {
    ReduceOptions counting = o;
    counting.dtype = v.dtype();
    return nansum(v, o) / v.isnan().logical_not().sum(counting);
  });
}
std::pair<Tensor, Tensor> var_mean(const Tensor& x, const VarOptions& o) {
  return {x.var(o), x.mean({.axis = o.axis, .keepdim = o.keepdim})};
}
std::pair<Tensor, Tensor> std_mean(const Tensor& x, const VarOptions& o) {
  return {x.std(o), x.mean({.axis = o.axis, .keepdim = o.keepdim})};
}
std::pair<Tensor, Tensor> aminmax(const Tensor& x, const ReduceOptions& o) { return {x.min(o), x.max(o)}; }

Tensor diff(const Tensor& x, int64_t n, int axis) {
  if (n < 0) throw ValueError(fmt::format("diff: {} times; it takes 0 or more", n));
  const int a = checked_axis(axis, x.rank(), "diff");
  Tensor y = x;
  for (; n > 0 && y.size(a) > 0; --n) {
    const Tensor above = part(y, a, 1, y.size(a)), below = part(y, a, 0, y.size(a) - 1);
    y = x.dtype() == DType::bool_ ? ne(above, below) : above - below;
  }
  return y;
}
Tensor trapezoid(const Tensor& y, double dx, int axis) {
  const int a = checked_axis(axis, y.rank(), "trapezoid");
  const int64_t n = y.size(a);
  if (n < 2) return part(y, a, 0, 0).sum({.axis = a}).cast(float_of(y.dtype()));
  return (part(y, a, 1, n) + part(y, a, 0, n - 1)).sum({.axis = a}) * (dx / 2);
}
Tensor trapezoid(const Tensor& y, const Tensor& x, int axis) {
  const int a = checked_axis(axis, y.rank(), "trapezoid");
  const int64_t n = y.size(a);
  if (x.rank() == 1 ? x.size(0) != n : x.shape() != y.shape())
    throw ShapeError(fmt::format("trapezoid: x of shape {} for axis {} of shape {}; it is a vector of that size, or of y's shape",
                                 to_string(x.shape()), axis, to_string(y.shape())));
  if (n < 2) return trapezoid(y, 1, a);
  Sizes along(static_cast<size_t>(y.rank()), 1);
  along[static_cast<size_t>(a)] = n;
  const Tensor widths = diff(x.rank() == 1 ? x.reshape(along) : x, 1, a);
  return ((part(y, a, 1, n) + part(y, a, 0, n - 1)) * widths).sum({.axis = a}) * 0.5;
}

Tensor cov(const Tensor& x, double correction) {
  if (x.rank() > 2) throw ShapeError(fmt::format("cov: shape {}; it takes variables in rows, samples in columns", to_string(x.shape())));
  return in_working_dtype(x, [&](const Tensor& v) {
    const Tensor rows = v.rank() == 2 ? v : v.reshape({1, -1}), off = rows - rows.mean({.axis = 1, .keepdim = true});
    const Tensor c = off.matmul(off.T()) / std::fmax(static_cast<double>(rows.size(1)) - correction, 0);
    return rows.size(0) == 1 ? c.reshape({}) : c;
  });
}
Tensor corrcoef(const Tensor& x) {
  const Tensor c = cov(x);
  if (c.rank() == 0) return c / c;
  const Tensor deviation = diagonal(c).sqrt();
  return (c / deviation.unsqueeze(1) / deviation).clamp({.min = -1, .max = 1});
}

}  // namespace tg
