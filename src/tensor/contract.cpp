// Contractions by names of axes. An operand becomes one axis a name, of size 1 where it lacks it; then a product and a sum.
//
//   einsum("ij,kj->ik")      sum(a.reshape(i, 1, j) * b.reshape(1, k, j), j)
#include "tg/contract.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/impl.hpp"
#include "tensor/root.hpp"
#include "tg/arrange.hpp"
#include "tg/functions.hpp"

namespace tg {

namespace {

/// A tensor and a name for each of its axes; those of ... are numbered from the last, '0', '1', ...
struct Named {
  Tensor x;
  std::string names;
};

std::string without(std::string names, char c) {
  names.erase(std::remove(names.begin(), names.end(), c), names.end());
  return names;
}
std::string unioned(std::string a, const std::string& b) {
  for (char c : b) if (a.find(c) == std::string::npos) a += c;
  return a;
}
/// One axis for each of `names`, in that order, of size 1 where the operand has none.
Tensor aligned(const Named& v, const std::string& names) {
  std::vector<int> order;
  Sizes sizes;
  for (char c : names) {
    const size_t at = v.names.find(c);
    sizes.push_back(at == std::string::npos ? 1 : v.x.size(static_cast<int>(at)));
    if (at != std::string::npos) order.push_back(static_cast<int>(at));
  }
  return v.x.permute(order).reshape(sizes);
}
Named diagonals(Named v) {
  for (size_t i = 0; i < v.names.size(); ++i)
    for (size_t second = v.names.find(v.names[i], i + 1); second != std::string::npos; second = v.names.find(v.names[i], i + 1)) {
      const char c = v.names[i];
      v.x = diagonal(v.x, 0, static_cast<int>(i), static_cast<int>(second));
      v.names = without(v.names, c) + c;
      i = 0;
    }
  return v;
}
/// Without the names that nobody needs any more.
Named summed(Named v, const std::string& needed) {
  std::vector<int> axes;
  std::string left;
  for (size_t i = 0; i < v.names.size(); ++i)
    if (needed.find(v.names[i]) == std::string::npos) axes.push_back(static_cast<int>(i));
    else left += v.names[i];
  if (!axes.empty()) {
    ReduceOptions o;
    o.axis = axes;
    o.dtype = v.x.dtype();
    v.x = v.x.sum(o);
  }
  return {v.x, left};
}

[[noreturn]] void refuse(std::string_view equation, const std::string& why) {
  throw ValueError(fmt::format("einsum: \"{}\": {}", equation, why));
}
/// The names of so many axes that ... stands for: the last is 0.
std::string numbered(size_t axes) {
  std::string out;
  for (size_t k = axes; k-- > 0;) out += static_cast<char>('0' + k);
  return out;
}
/// The operands with the names left of the arrow, and how many axes the longest ... stands for.
std::vector<Named> terms_of(std::string_view equation, const std::string& left, const std::vector<Tensor>& operands, size_t& longest) {
  size_t begin = 0;
  std::vector<Named> terms;
  for (const Tensor& x : operands) {
    if (begin > left.size())
      refuse(equation, fmt::format("{} operands are given, fewer are named; separate their axes by commas", operands.size()));
    const size_t end = std::min(left.find(',', begin), left.size());
    std::string names = left.substr(begin, end - begin);
    begin = end + 1;
    const auto rank = static_cast<size_t>(x.rank());
    if (const size_t dots = names.find("..."); dots != std::string::npos) {
      const size_t rest = rank >= names.size() - 3 ? rank - (names.size() - 3) : 0;
      names.replace(dots, 3, numbered(rest));
      longest = std::max(longest, rest);
    }
    if (!std::ranges::all_of(names, [](char c) { return std::isalnum(static_cast<unsigned char>(c)); }))
      refuse(equation, "names are letters");
    if (names.size() != rank)
      refuse(equation, fmt::format("\"{}\" names {} axes of operand {}, whose shape is {}", names, names.size(), terms.size(),
                                   to_string(x.shape())));
    terms.push_back({x, names});
  }
  if (begin <= left.size())
    refuse(equation, fmt::format("{} operands are given, more are named; give one for each between commas", operands.size()));
  return terms;
}
/// The result's names: as written behind the arrow, or those that occur once.
std::string result_of(std::string_view equation, const std::string& text, const std::vector<Named>& terms, const std::string& dots) {
  std::string all, result;
  for (const Named& t : terms) all += t.names;
  if (const size_t arrow = text.find("->"); arrow != std::string::npos) {
    result = text.substr(arrow + 2);
    if (const size_t at = result.find("..."); at != std::string::npos) result.replace(at, 3, dots);
  } else {
    for (char c : all)
      if (std::isalpha(static_cast<unsigned char>(c)) && std::ranges::count(all, c) == 1) result += c;
    std::ranges::sort(result);
    result = dots + result;
  }
  for (char c : result)
    if (all.find(c) == std::string::npos || std::ranges::count(result, c) > 1)
      refuse(equation, fmt::format("{} must name one axis of the result, and of an operand", c));
  return result;
}
/// The product of what was multiplied so far with operand `i`.
Named multiplied(std::string_view equation, const Named& total, const Named& next, size_t i) {
  const std::string names = unioned(total.names, next.names);
  const Tensor a = aligned(total, names), b = aligned(next, names);
  for (size_t k = 0; k < names.size(); ++k) {
    const int64_t m = a.size(static_cast<int>(k)), n = b.size(static_cast<int>(k));
    const bool broadcasts = std::isdigit(static_cast<unsigned char>(names[k])) && (m == 1 || n == 1);
    if (m != n && !broadcasts && total.names.find(names[k]) != std::string::npos && next.names.find(names[k]) != std::string::npos)
      throw ShapeError(fmt::format("einsum: \"{}\": axis {} has {} elements and, in operand {}, {}", equation, names[k], m, i, n));
  }
  return {a * b, names};
}

}  // namespace

Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands) {
  if (operands.empty()) refuse(equation, "no operands; give at least one");
  const std::string text = without(std::string(equation), ' ');
  size_t longest = 0;
  std::vector<Named> terms = terms_of(equation, text.substr(0, text.find("->")), operands, longest);
  const std::string result = result_of(equation, text, terms, numbered(longest));
  DType dtype = operands[0].dtype();
  for (const Tensor& x : operands) dtype = promote(dtype, x.dtype());
  const DType work = is_float(dtype) ? working_dtype(dtype) : dtype == DType::bool_ ? DType::int32 : dtype;
  Named total;
  for (size_t i = 0; i < terms.size(); ++i) {
    std::string needed = result;
    for (size_t k = i + 1; k < terms.size(); ++k) needed = unioned(needed, terms[k].names);
    terms[i].x = terms[i].x.cast(work);
    Named next = diagonals(terms[i]);
    if (i > 0) next = multiplied(equation, total, summed(next, unioned(needed, total.names)), i);
    total = summed(next, needed);
  }
  return aligned(total, result).cast(dtype);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  if (a.rank() != 1 || b.rank() != 1)
    throw ShapeError(fmt::format("outer: shapes {} and {}; it takes two vectors", to_string(a.shape()), to_string(b.shape())));
  return a.unsqueeze(1) * b;
}
Tensor tensordot(const Tensor& a, const Tensor& b, int axes) {
  if (axes < 0 || axes > a.rank() || axes > b.rank())
    throw ShapeError(fmt::format("tensordot: {} axes of shapes {} and {}", axes, to_string(a.shape()), to_string(b.shape())));
  std::vector<int> last(static_cast<size_t>(axes)), first(last);
  std::iota(last.begin(), last.end(), a.rank() - axes);
  std::iota(first.begin(), first.end(), 0);
  return tensordot(a, b, last, first);
}
Tensor tensordot(const Tensor& a, const Tensor& b, const std::vector<int>& a_axes, const std::vector<int>& b_axes) {
  if (a_axes.size() != b_axes.size())
    throw ValueError(fmt::format("tensordot: {} axes of one and {} of the other; they are pairs", a_axes.size(), b_axes.size()));
  const auto split = [](const Tensor& x, const std::vector<int>& axes, bool summed_first) {
    std::vector<int> kept, order;
    int64_t product = 1;
    for (int axis : axes) {
      order.push_back(checked_axis(axis, x.rank(), "tensordot"));
      product *= x.size(axis);
    }
    for (int i = 0; i < x.rank(); ++i) if (std::ranges::find(order, i) == order.end()) kept.push_back(i);
    Sizes sizes;
    for (int i : kept) sizes.push_back(x.size(i));
    order.insert(summed_first ? order.end() : order.begin(), kept.begin(), kept.end());
    const int64_t rest = tg::product(sizes);
    return std::pair(x.permute(order).reshape(summed_first ? Sizes{product, rest} : Sizes{rest, product}), sizes);
  };
  for (size_t i = 0; i < a_axes.size(); ++i)
    if (a.size(a_axes[i]) != b.size(b_axes[i]))
      throw ShapeError(fmt::format("tensordot: axis {} of shape {} and axis {} of shape {} must be of one size", a_axes[i],
                                   to_string(a.shape()), b_axes[i], to_string(b.shape())));
  auto [x, shape] = split(a, a_axes, false);
  const auto [y, more] = split(b, b_axes, true);
  shape.insert(shape.end(), more.begin(), more.end());
  return x.matmul(y).reshape(shape);
}

Tensor inner(const Tensor& a, const Tensor& b) {
  return a.rank() == 0 || b.rank() == 0 ? a * b : tensordot(a, b, {a.rank() - 1}, {b.rank() - 1});
}
Tensor kron(const Tensor& a, const Tensor& b) {
  const auto rank = static_cast<size_t>(std::max(a.rank(), b.rank()));
  Sizes first, second, joined, x = a.shape(), y = b.shape();
  x.insert(x.begin(), rank - x.size(), 1);
  y.insert(y.begin(), rank - y.size(), 1);
  for (size_t i = 0; i < rank; ++i) {
    first.insert(first.end(), {x[i], 1});
    second.insert(second.end(), {1, y[i]});
    joined.push_back(x[i] * y[i]);
  }
  return (a.reshape(first) * b.reshape(second)).reshape(joined);
}
Tensor cross(const Tensor& a, const Tensor& b, const Axes& axis) {
  const Sizes shape = sizes_of(broadcast_shape(shape_of(a.shape()), shape_of(b.shape()), "cross"));
  const auto found = std::ranges::find(shape, 3);
  const auto rank = static_cast<int>(shape.size());
  const int of_3 = found == shape.end() ? -1 : static_cast<int>(found - shape.begin());
  if (axis.list().size() > 1) throw ValueError(fmt::format("cross: {} axes; it takes one, or none", axis.list().size()));
  const int at = axis.list().empty() ? of_3 : checked_axis(axis.list()[0], rank, "cross");
  if (at < 0 || shape[static_cast<size_t>(at)] != 3)
    throw ShapeError(fmt::format("cross: shapes {} and {}; the axis of the vectors has 3 elements", to_string(a.shape()),
                                 to_string(b.shape())));
  const Tensor x = a.expand(shape), y = b.expand(shape);
  return roll(x, {-1}, at) * roll(y, {-2}, at) - roll(x, {-2}, at) * roll(y, {-1}, at);
}

namespace {
Tensor scaled(const Tensor& x, const Scalar& factor) { return factor == 1 ? x : x * factor; }
/// beta x + alpha times a product of operands of these ranks.
Tensor added(std::string_view operation, const Tensor& x, const Tensor& a, int a_rank, const Tensor& b, int b_rank, const AddOptions& o,
             Tensor (*multiply)(const Tensor&, const Tensor&)) {
  if (a.rank() != a_rank || b.rank() != b_rank)
    throw ShapeError(fmt::format("{}: factors of shapes {} and {}; they have {} and {} axes", operation, to_string(a.shape()),
                                 to_string(b.shape()), a_rank, b_rank));
  const Tensor product = scaled(multiply(a, b), o.alpha);
  if (broadcast_shape(shape_of(x.shape()), shape_of(product.shape()), operation) != shape_of(product.shape()))
    throw ShapeError(fmt::format("{}: shape {} does not broadcast to the product's {}", operation, to_string(x.shape()),
                                 to_string(product.shape())));
  return o.beta == 0 ? product.cast(promote(x.dtype(), product.dtype())) : scaled(x, o.beta) + product;
}
}  // namespace
Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, const AddOptions& o) { return added("addmm", x, a, 2, b, 2, o, matmul); }
Tensor addmv(const Tensor& x, const Tensor& a, const Tensor& b, const AddOptions& o) { return added("addmv", x, a, 2, b, 1, o, matmul); }
Tensor addr(const Tensor& x, const Tensor& a, const Tensor& b, const AddOptions& o) { return added("addr", x, a, 1, b, 1, o, outer); }
Tensor baddbmm(const Tensor& x, const Tensor& a, const Tensor& b, const AddOptions& o) {
  return added("baddbmm", x, a, 3, b, 3, o, matmul);
}
Tensor addbmm(const Tensor& x, const Tensor& a, const Tensor& b, const AddOptions& o) {
  return added("addbmm", x, a, 3, b, 3, o, [](const Tensor& y, const Tensor& z) { return tensordot(y, z, {0, 2}, {0, 1}); });
}

Tensor norm(const Tensor& x, const NormOf& o) {
  (void)checked_axes(o.axis, x.rank(), "norm");
  ReduceOptions r;
  r.axis = o.axis;
  r.keepdim = o.keepdim;
  return in_working_dtype(x, [&](const Tensor& v) -> Tensor {
    if (o.p == 0) return (v != 0).sum(r).cast(v.dtype());
    if (std::isinf(o.p) && o.p > 0) return v.numel() == 0 ? v.sum(r) : v.abs().max(r);  // of nothing 0
    if (std::isinf(o.p)) return v.abs().min(r);
    if (o.p == 1) return v.abs().sum(r);
    if (o.p == 2) return root_of(v.square().sum(r), [](const Tensor& sum) { return sum.sqrt(); });
    return root_of(pow(v.abs(), o.p).sum(r), [&](const Tensor& sum) { return pow(sum, 1 / o.p); });
  });
}
Tensor normalize(const Tensor& x, const NormOf& o, double eps) {
  return in_working_dtype(x, [&](const Tensor& v) -> Tensor {
    return v / maximum(norm(v, {.p = o.p, .axis = o.axis, .keepdim = true}), eps);
  });
}
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int axis, double eps) {
  return (normalize(a, {.axis = axis}, eps) * normalize(b, {.axis = axis}, eps)).sum({.axis = axis});
}
Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p, double eps, bool keepdim) {
  return norm(a - b + eps, {.p = p, .axis = -1, .keepdim = keepdim});
}
Tensor cdist(const Tensor& a, const Tensor& b, double p) {
  if (a.rank() < 2 || b.rank() < 2 || a.size(-1) != b.size(-1))
    throw ShapeError(fmt::format("cdist: shapes {} and {}; they are rows of equally many numbers", to_string(a.shape()),
                                 to_string(b.shape())));
  return norm(a.unsqueeze(-2) - b.unsqueeze(-3), {.p = p, .axis = -1});
}
Tensor trace(const Tensor& x) {
  if (x.rank() != 2) throw ShapeError(fmt::format("trace: shape {} is not a matrix", to_string(x.shape())));
  return diagonal(x).sum();
}
Tensor count_nonzero(const Tensor& x, const ReduceOptions& o) {
  (void)checked_axes(o.axis, x.rank(), "count_nonzero");
  return (x != 0).sum(o);
}

}  // namespace tg
