// Pooling: windows, reduced. Windows lie side by side, or, adaptively, as the sizes ask; either way each axis says where its windows begin
// and how many elements count, and the rest is the same. And resizing, which is pooling's other direction: elements taken by a computed
// index.
//
//   max_pool1d(x (n, c, 4))           Reduce(Window(x), Max)
//   interpolate(x (n, c, 4), 6)       Gather(x, (2 Iota(6) + 1) 4 / (2 6)), with a weight beside it where it is linear
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tensor/sliding.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/windows.hpp"

namespace tg {

namespace {

enum class Kind : uint8_t { Max, Mean };

/// Windows (n, c, positions..., size...) with what is outside of x as the reduction ignores it.
struct Windows {
  Tensor x;
  Sizes size, step;           // of an axis: elements of a window, and how far they are apart
  std::vector<Tensor> begin;  // of an axis: where its windows begin, by position
  std::vector<Tensor> count;  // of an axis: how many elements count, by position; none: all
};

/// 0, 1, ... n - 1 along axis `axis` of `rank`, to compute positions with.
Tensor along(int64_t n, int axis, int rank, const std::string& device, bool wide) {
  Sizes shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = n;
  return make(reshape(iota(n, wide ? DType::int64 : DType::int32), shape_of(shape)), device);
}
double ignored(const Tensor& x, Kind kind) {
  if (kind == Kind::Mean) return 0;
  return is_float(x.dtype()) ? -HUGE_VAL : static_cast<double>(source_of(x, "max_pool").bounds().min);
}

Windows side_by_side(const Tensor& x, const PoolOptions& o, Kind kind, int axes, std::string_view operation) {
  PerAxis stride = each(o.stride, axes, 0, operation, "stride");
  const Sizes size = each(o.size, axes, 1, operation, "size");
  Sizes steps = stride.list();
  for (size_t i = 0; i < steps.size(); ++i) if (steps[i] == 0) steps[i] = size[i];
  Sliding s = sliding(size, steps, o.padding, o.dilation, axes, operation);
  Windows w{{}, s.size, s.dilation, {}, {}};
  std::vector<int64_t> counted;  // the padded sizes, before ceil_mode adds to them
  for (int i = 0; i < axes; ++i) {
    const auto k = static_cast<size_t>(i);
    if (!o.padding.is_same() && std::max(s.before[k], s.after[k]) * 2 > s.size[k])
      throw ValueError(fmt::format("{}: a padding of more than half the size would leave windows of padding alone", operation));
    const int64_t padded = x.size(i + 2) + s.before[k] + s.after[k], free = padded - s.dilation[k] * (s.size[k] - 1) - 1;
    counted.push_back(padded);
    if (!o.ceil_mode || free < 0) continue;
    int64_t last = (free + s.stride[k] - 1) / s.stride[k];
    if (last * s.stride[k] >= x.size(i + 2) + s.before[k]) --last;  // it would begin in the padding
    s.after[k] += std::max<int64_t>(0, last * s.stride[k] - free);
  }
  w.x = slide(x, s, ignored(x, kind), operation);
  for (int i = 0; i < axes; ++i) {
    const auto k = static_cast<size_t>(i);
    w.begin.push_back(along(w.x.size(i + 2), i + 2, axes + 2, x.device(), false) * s.stride[k] - s.before[k]);
    const int64_t low = o.count_include_pad ? -s.before[k] : 0;
    const int64_t high = o.count_include_pad ? counted[k] - s.before[k] : x.size(i + 2);
    const int64_t padded = x.size(i + 2) + s.before[k] + s.after[k];
    if (low == -s.before[k] && high == padded - s.before[k]) {
      w.count.emplace_back();
      continue;
    }
    // How many of begin + j dilation, j < size, lie below a bound.
    const auto below = [&](int64_t bound) {
      return floor_div(bound - w.begin[k] + (s.dilation[k] - 1), s.dilation[k])
          .clamp({.min = 0, .max = static_cast<double>(s.size[k])});
    };
    w.count.push_back(below(high) - below(low));
  }
  return w;
}

/// x's elements along an axis at index (m, k): (..., m, k in place of the axis). The index is known to lie inside.
Tensor taken(const Tensor& x, const Tensor& index, int axis) {
  return make(UOp::make(Op::Gather, {source_of(x, "pool"), source_of(index, "pool")}, int64_t{axis}), x);
}

Windows adaptive(const Tensor& input, const PerAxis& wanted, Kind kind, int axes, std::string_view operation) {
  const Sizes to = each(wanted, axes, -1, operation, "count");
  Windows w{input, {}, Sizes(static_cast<size_t>(axes), 1), {}, {}};
  for (int i = 0; i < axes; ++i) {
    const int64_t n = input.size(i + 2), given = to[static_cast<size_t>(i)], m = given == -1 ? n : given;
    if (m == 0 || n == 0)
      throw ValueError(fmt::format("{}: {} windows of axis {} of shape {}; it takes 1 or more of both", operation, m, i + 2,
                                   to_string(input.shape())));
    const bool wide = n * (m + 1) > INT32_MAX;
    const Tensor position = along(m, 0, 2, input.device(), wide), begin = floor_div(position * n, m);
    const Tensor count = floor_div((position + 1) * n + (m - 1), m) - begin;
    const int axis = 2 + i;
    if (n % m == 0) {  // all of one size
      w.size.push_back(n / m);
      w.x = w.x.unflatten(axis, {m, n / m});
      w.count.emplace_back();
    } else {
      int64_t longest = 0;
      for (int64_t p = 0; p < m; ++p) longest = std::max(longest, ((p + 1) * n + m - 1) / m - p * n / m);
      const Tensor j = along(longest, 1, 2, input.device(), wide);
      Sizes beside(static_cast<size_t>(w.x.rank()) + 1, 1);
      beside[static_cast<size_t>(axis)] = m;
      beside[static_cast<size_t>(axis) + 1] = longest;
      w.size.push_back(longest);
      w.x = taken(w.x, minimum(begin + j, n - 1), axis);
      w.x = where((j < count).reshape(beside), w.x, ignored(input, kind));
      w.count.push_back(count);
    }
    // (..., m, size, ...): the window's axis goes to the end.
    std::vector<int> order;
    for (int a = 0; a < w.x.rank(); ++a) if (a != axis + 1) order.push_back(a);
    order.push_back(axis + 1);
    w.x = w.x.permute(order);
    Sizes own(static_cast<size_t>(axes) + 2, 1);
    own[static_cast<size_t>(axis)] = m;
    w.begin.push_back(begin.reshape(own));
    if (w.count.back().defined()) w.count.back() = w.count.back().reshape(own);
  }
  return w;
}

Axes window_axes(int axes) {
  std::vector<int> out;
  for (int i = 0; i < axes; ++i) out.push_back(2 + axes + i);
  return out;
}
Tensor largest(const Windows& w) {
  ReduceOptions o;
  o.axis = window_axes(static_cast<int>(w.size.size()));
  return w.x.max(o);
}
Found found(const Windows& w, const Sizes& sizes) {
  const auto axes = static_cast<int>(w.size.size());
  Sizes positions = w.x.shape();
  positions.resize(static_cast<size_t>(axes) + 2);
  const Shape kept = shape_of(positions);
  const UOp best = reduce(source_of(w.x, "max_pool"), Monoid::ArgMax, window_axes(axes).list());
  const auto component = [&](int64_t i, DType t) { return reshape(UOp::make(Op::Get, {best}, i, t), kept); };
  Tensor rest = make(component(1, DType::int32), w.x.device()), flat;
  int64_t inner = 1;
  for (int i = axes - 1; i >= 0; --i) {
    const auto k = static_cast<size_t>(i);
    // A window of -inf alone finds its first element, which may be padding: the first inside is meant.
    const Tensor at = maximum(w.begin[k] + rest % w.size[k] * w.step[k], 0) * inner;
    flat = flat.defined() ? flat + at : at;
    rest = floor_div(rest, w.size[k]);
    inner *= sizes[k + 2];
  }
  return {make(component(0, w.x.dtype()), w.x), flat.cast(DType::int32)};
}
Tensor averaged(const Windows& w, int64_t divisor) {
  ReduceOptions o;
  o.axis = window_axes(static_cast<int>(w.size.size()));
  return in_working_dtype(w.x, [&](const Tensor& x) {
    const Tensor sums = x.sum(o);
    if (divisor != 0) return sums / static_cast<double>(divisor);
    double constant = 1;
    Tensor count;
    for (size_t i = 0; i < w.size.size(); ++i)
      if (w.count[i].defined()) count = count.defined() ? count * w.count[i] : w.count[i];
      else constant *= static_cast<double>(w.size[i]);
    return count.defined() ? sums / (count.cast(x.dtype()) * constant) : sums / constant;
  });
}

template <class F>
Found over_batch_found(const Tensor& x, int axes, std::string_view operation, F f) {
  const Tensor b = batched(x, axes, operation);
  const Found y = found(f(b), b.shape());
  return x.rank() == axes + 1 ? Found{y.values.squeeze(0), y.indices.squeeze(0)} : y;
}
Tensor max_pool(const Tensor& x, const PoolOptions& o, int axes, std::string_view operation) {
  return over_batch(x, axes, operation, [&](const Tensor& b) { return largest(side_by_side(b, o, Kind::Max, axes, operation)); });
}
Found max_pool_found(const Tensor& x, const PoolOptions& o, int axes, std::string_view operation) {
  return over_batch_found(x, axes, operation, [&](const Tensor& b) { return side_by_side(b, o, Kind::Max, axes, operation); });
}
Tensor avg_pool(const Tensor& x, const PoolOptions& o, int axes, std::string_view operation) {
  return over_batch(x, axes, operation,
                    [&](const Tensor& b) { return averaged(side_by_side(b, o, Kind::Mean, axes, operation), o.divisor); });
}
Tensor adaptive_max(const Tensor& x, const PerAxis& count, int axes, std::string_view operation) {
  return over_batch(x, axes, operation, [&](const Tensor& b) { return largest(adaptive(b, count, Kind::Max, axes, operation)); });
}
Found adaptive_max_found(const Tensor& x, const PerAxis& count, int axes, std::string_view operation) {
  return over_batch_found(x, axes, operation, [&](const Tensor& b) { return adaptive(b, count, Kind::Max, axes, operation); });
}
Tensor adaptive_mean(const Tensor& x, const PerAxis& count, int axes, std::string_view operation) {
  return over_batch(x, axes, operation, [&](const Tensor& b) { return averaged(adaptive(b, count, Kind::Mean, axes, operation), 0); });
}

// ---- resizing ----

struct Ratio { int64_t p, q; };
/// The number as a fraction, by its continued fraction: 0.3 is 3/10.
Ratio ratio_of(double v) {
  int64_t p = 1, q = 0, p_before = 0, q_before = 1;
  for (double rest = v; q < 1 << 20;) {
    const double whole = std::floor(rest);
    const auto n = static_cast<int64_t>(whole);
    p_before = std::exchange(p, n * p + p_before);
    q_before = std::exchange(q, n * q + q_before);
    if (std::abs(static_cast<double>(p) / static_cast<double>(q) - v) <= 1e-12 * v) break;
    rest = 1 / (rest - whole);
  }
  return {p, q};
}

/// One axis of n elements on m places, a step of `step` old places each.
Tensor resized(const Tensor& x, int axis, int64_t m, Ratio step, const InterpolateOptions& o) {
  const int64_t n = x.size(axis);
  if (o.mode == Resize::Nearest && m % n == 0 && step.p * m == step.q * n) {  // each so many times: movement alone
    Sizes wide = x.shape();
    wide.insert(wide.begin() + axis + 1, m / n);
    return x.unsqueeze(axis + 1).expand(wide).flatten(axis, axis + 1);
  }
  const bool corners = o.mode == Resize::Linear && o.align_corners;
  // Place i lies at (i p + b) / q among the old ones, in whole numbers: nothing is rounded.
  int64_t p = 2 * step.p, q = 2 * step.q, b = o.mode == Resize::Nearest ? 0 : step.p - step.q;
  if (corners) p = n - 1, q = std::max<int64_t>(m - 1, 1), b = 0;
  const bool wide = m * p + std::abs(b) > INT32_MAX;
  const Tensor i = along(m, 0, 1, x.device(), wide), place = maximum(i * p + b, 0), before = minimum(floor_div(place, q), n - 1);
  const Tensor first = taken(x, before, axis);
  if (o.mode == Resize::Nearest) return first;
  Sizes beside(static_cast<size_t>(x.rank()), 1);
  beside[static_cast<size_t>(axis)] = m;
  const Tensor part = ((place % q).cast(x.dtype()) / static_cast<double>(q)).reshape(beside);
  return first * (1 - part) + taken(x, minimum(before + 1, n - 1), axis) * part;
}

}  // namespace

Tensor interpolate(const Tensor& x, const InterpolateOptions& o) {
  const int axes = x.rank() - 2;
  if (axes < 1 || axes > 3)
    throw ShapeError(fmt::format("interpolate: the input's shape {} is not (n, channels, sizes...) with one to three sizes",
                                 to_string(x.shape())));
  if (o.size.empty() == o.scale.empty()) throw ValueError("interpolate: give either the new sizes or what they are multiplied by");
  Sizes to;
  std::vector<Ratio> steps;
  for (int i = 0; i < axes; ++i) {
    const int64_t n = x.size(i + 2);
    if (!o.size.empty()) {
      to.push_back(each(o.size, axes, 1, "interpolate", "size")[static_cast<size_t>(i)]);
      steps.push_back({n, to.back()});
      continue;
    }
    if (o.scale.size() != 1 && static_cast<int>(o.scale.size()) != axes)
      throw ValueError(fmt::format("interpolate: {} scales for {} axes; give one, or one an axis", o.scale.size(), axes));
    const double scale = o.scale[o.scale.size() == 1 ? 0 : static_cast<size_t>(i)];
    if (!(scale > 0 && std::isfinite(scale))) throw ValueError(fmt::format("interpolate: scale {}; it takes a number above 0", scale));
    const Ratio r = ratio_of(scale);
    to.push_back(n * r.p / r.q);
    steps.push_back({r.q, r.p});
  }
  const Sizes from = x.shape();
  const auto nothing = [](int64_t m) { return m < 1; };
  if (std::ranges::any_of(to, nothing) || std::any_of(from.begin() + 2, from.end(), nothing))
    throw ShapeError(fmt::format("interpolate: shape {} to sizes {}; it takes 1 or more of both", to_string(x.shape()), to_string(to)));
  const auto all = [&](Tensor y) {
    for (int i = 0; i < axes; ++i) y = resized(y, i + 2, to[static_cast<size_t>(i)], steps[static_cast<size_t>(i)], o);
    return y;
  };
  return o.mode == Resize::Nearest ? all(x) : in_working_dtype(x, all);
}

// ---- by the number of axes ----

#define BY_AXES(n)                                                                                                                 \
  Tensor max_pool##n##d(const Tensor& x, const PoolOptions& o) { return max_pool(x, o, n, "max_pool" #n "d"); }                    \
  Tensor avg_pool##n##d(const Tensor& x, const PoolOptions& o) { return avg_pool(x, o, n, "avg_pool" #n "d"); }                    \
  Found max_pool##n##d_with_indices(const Tensor& x, const PoolOptions& o) { return max_pool_found(x, o, n, "max_pool" #n "d"); }  \
  Tensor adaptive_max_pool##n##d(const Tensor& x, const PerAxis& m) { return adaptive_max(x, m, n, "adaptive_max_pool" #n "d"); }  \
  Tensor adaptive_avg_pool##n##d(const Tensor& x, const PerAxis& m) { return adaptive_mean(x, m, n, "adaptive_avg_pool" #n "d"); } \
  Found adaptive_max_pool##n##d_with_indices(const Tensor& x, const PerAxis& m) {                                                  \
    return adaptive_max_found(x, m, n, "adaptive_max_pool" #n "d");                                                                \
  }
BY_AXES(1)
BY_AXES(2)
BY_AXES(3)
#undef BY_AXES

Tensor Tensor::max_pool2d(const PoolOptions& o) const { return tg::max_pool2d(*this, o); }
Tensor Tensor::avg_pool2d(const PoolOptions& o) const { return tg::avg_pool2d(*this, o); }

}  // namespace tg
