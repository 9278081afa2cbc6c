// Arrangements of several tensors, and those made of others: choices, blocks, pieces, shuffles.
//
//   block_diag({a, b})      cat of rows: a with zeros behind it, b with zeros before it
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tensor/impl.hpp"
#include "tg/arrange.hpp"
#include "tg/functions.hpp"

namespace tg {

namespace {

Tensor integers(const std::vector<int64_t>& values, const Sizes& shape, TensorOptions o) {
  if (o.dtype == DType::void_) o.dtype = DType::int64;
  return Tensor::from(values, shape, o);
}
/// The rows, then the columns, where `in` holds.
template <class In>
Tensor places(int64_t rows, int64_t columns, const TensorOptions& o, std::string_view operation, const In& in) {
  if (rows < 0 || columns < 0) throw ValueError(fmt::format("{}: {} rows and {} columns; it takes 0 or more", operation, rows, columns));
  std::vector<int64_t> found, right;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t k = 0; k < columns; ++k)
      if (in(k - i)) found.push_back(i), right.push_back(k);
  const auto count = static_cast<int64_t>(found.size());
  found.insert(found.end(), right.begin(), right.end());
  return integers(found, {2, count}, o);
}
void require_vector(const Tensor& x, std::string_view operation) {
  if (x.rank() != 1) throw ShapeError(fmt::format("{}: shape {} is not a vector", operation, to_string(x.shape())));
}
std::vector<Tensor> each(const std::vector<Tensor>& tensors, Tensor (*f)(const Tensor&)) {
  std::vector<Tensor> out;
  for (const Tensor& t : tensors) out.push_back(f(t));
  return out;
}

}  // namespace

Tensor logspace(Scalar start, Scalar stop, int64_t count, double base, const TensorOptions& options) {
  const DType t = options.dtype == DType::void_ ? DType::float32 : options.dtype;
  Tensor x = pow(base, linspace(start, stop, count, {.dtype = working_dtype(t), .device = options.device})).cast(t);
  if (options.requires_grad) x.set_requires_grad(true);
  return x;
}
Tensor tril_indices(int64_t rows, int64_t columns, int64_t diagonal, const TensorOptions& o) {
  return places(rows, columns, o, "tril_indices", [=](int64_t right) { return right <= diagonal; });
}
Tensor triu_indices(int64_t rows, int64_t columns, int64_t diagonal, const TensorOptions& o) {
  return places(rows, columns, o, "triu_indices", [=](int64_t right) { return right >= diagonal; });
}
Tensor cartesian_prod(const std::vector<Tensor>& vectors) {
  for (const Tensor& x : vectors) require_vector(x, "cartesian_prod");
  if (vectors.size() == 1) return vectors[0];
  return Tensor::stack(each(meshgrid(vectors), [](const Tensor& t) { return t.flatten(); }), 1);
}
Tensor combinations(const Tensor& x, int64_t r, bool with_replacement) {
  require_vector(x, "combinations");
  if (r < 0) throw ValueError(fmt::format("combinations: of {} elements; it takes 0 or more", r));
  const int64_t n = x.numel();
  std::vector<int64_t> all, choice(static_cast<size_t>(r));
  if (!with_replacement) std::iota(choice.begin(), choice.end(), 0);
  for (bool more = r > 0 && n > 0 && (with_replacement || r <= n); more;) {
    all.insert(all.end(), choice.begin(), choice.end());
    // The last that can still move does, and those behind it follow.
    more = false;
    for (int64_t i = r; i-- > 0 && !more;) {
      const int64_t most = with_replacement ? n - 1 : n - r + i;
      if (choice[static_cast<size_t>(i)] == most) continue;
      for (int64_t next = ++choice[static_cast<size_t>(i)], k = i + 1; k < r; ++k)
        choice[static_cast<size_t>(k)] = with_replacement ? next : next + k - i;
      more = true;
    }
  }
  return x.take(integers(all, {r > 0 ? static_cast<int64_t>(all.size()) / r : 0, r}, {.device = x.device()}));
}
Tensor vander(const Tensor& x, int64_t columns, bool increasing) {
  require_vector(x, "vander");
  const int64_t n = columns < 0 ? x.numel() : columns;
  if (n == 0) return x.unsqueeze(1).shrink({{0, 0}});
  std::vector<Tensor> powers{ones_like(x)};
  while (static_cast<int64_t>(powers.size()) < n) powers.push_back(powers.size() == 1 ? x : powers.back() * x);
  if (!increasing) std::ranges::reverse(powers);
  return Tensor::stack(powers, 1);
}

std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors) {
  Shape shape;
  for (const Tensor& t : tensors) shape = broadcast_shape(shape, shape_of(t.shape()), "broadcast_tensors");
  std::vector<Tensor> out;
  for (const Tensor& t : tensors) out.push_back(t.expand(sizes_of(shape)));
  return out;
}
Tensor rot90(const Tensor& x, int64_t times, int a, int b) {
  const int from = checked_axis(a, x.rank(), "rot90"), to = checked_axis(b, x.rank(), "rot90");
  if (from == to) throw ValueError(fmt::format("rot90: axis {} twice; it takes two", a));
  switch ((times % 4 + 4) % 4) {
    case 1: return x.flip(to).transpose(from, to);
    case 2: return x.flip({from, to});
    case 3: return x.transpose(from, to).flip(to);
    default: return x.clone();
  }
}
std::vector<Tensor> tensor_split(const Tensor& x, int64_t count, int axis) {
  if (count < 1) throw ValueError(fmt::format("tensor_split: {} pieces; it takes 1 or more", count));
  const int64_t n = x.size(axis);
  Sizes lengths(static_cast<size_t>(count), n / count);
  for (int64_t i = 0; i < n % count; ++i) ++lengths[static_cast<size_t>(i)];
  return x.split(lengths, axis);
}
std::vector<Tensor> tensor_split(const Tensor& x, const Sizes& places, int axis) {
  const int a = checked_axis(axis, x.rank(), "tensor_split");
  const int64_t n = x.size(a);
  std::vector<Tensor> out;
  int64_t begin = 0;
  for (size_t i = 0; i <= places.size(); ++i) {
    const int64_t place = i == places.size() ? n : places[i], end = std::clamp<int64_t>(place < 0 ? place + n : place, 0, n);
    out.push_back(part(x, a, begin, std::max(begin, end)));
    begin = end;
  }
  return out;
}
Tensor atleast_1d(const Tensor& x) { return x.rank() > 0 ? x : x.reshape({1}); }
Tensor atleast_2d(const Tensor& x) { return x.rank() > 1 ? x : atleast_1d(x).unsqueeze(0); }
Tensor atleast_3d(const Tensor& x) { return x.rank() > 2 ? x : atleast_2d(x).unsqueeze(2); }
Tensor dstack(const std::vector<Tensor>& tensors) { return Tensor::cat(each(tensors, atleast_3d), 2); }
Tensor column_stack(const std::vector<Tensor>& tensors) {
  return Tensor::cat(each(tensors, [](const Tensor& t) { return t.rank() > 1 ? t : t.reshape({-1, 1}); }), 1);
}
Tensor diag_embed(const Tensor& x, int64_t offset, int rows, int columns) {
  if (x.rank() == 0) throw ShapeError("diag_embed: shape (); it takes an axis or more");
  const int row = checked_axis(rows, x.rank() + 1, "diag_embed"), column = checked_axis(columns, x.rank() + 1, "diag_embed");
  if (row == column) throw ValueError(fmt::format("diag_embed: axis {} twice; it takes two", rows));
  const int64_t before = std::max<int64_t>(0, -offset), after = std::max<int64_t>(0, offset), n = x.size(-1) + before + after;
  const TensorOptions on{.dtype = DType::int64, .device = x.device()};
  const Tensor right = Tensor::arange(n, on) - Tensor::arange(n, on).unsqueeze(1);
  const Tensor last =
      where(right == offset, x.pad({{before, after}}).unsqueeze(-1), Tensor::zeros({}, {.dtype = x.dtype(), .device = x.device()}));
  std::vector<int> order;
  int next = 0;
  for (int axis = 0; axis <= x.rank(); ++axis) order.push_back(axis == row ? x.rank() - 1 : axis == column ? x.rank() : next++);
  return last.permute(order);
}
Tensor block_diag(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> blocks = each(tensors, atleast_2d);
  int64_t columns = 0, before = 0;
  for (const Tensor& t : blocks) {
    if (t.rank() != 2) throw ShapeError(fmt::format("block_diag: shape {}; it takes matrices", to_string(t.shape())));
    columns += t.size(1);
  }
  for (Tensor& t : blocks) {
    const int64_t own = t.size(1);
    t = t.pad({{before, columns - before - own}});
    before += own;
  }
  return Tensor::cat(blocks, 0);
}

namespace {
void require_divides(bool divides, const Tensor& x, int64_t by, std::string_view operation, std::string_view what) {
  if (by < 1) throw ValueError(fmt::format("{}: {}; it takes 1 or more", operation, by));
  if (!divides) throw ShapeError(fmt::format("{}: shape {} and {}: {}", operation, to_string(x.shape()), by, what));
}
}  // namespace
Tensor pixel_shuffle(const Tensor& x, int64_t r) {
  require_divides(r < 1 || (x.rank() > 2 && x.size(-3) % (r * r) == 0), x, r, "pixel_shuffle", "channels divide by its square");
  return rearrange(x, "... (c a b) h w -> ... c (h a) (w b)", {{"a", r}, {"b", r}});
}
Tensor pixel_unshuffle(const Tensor& x, int64_t r) {
  require_divides(r < 1 || (x.rank() > 2 && x.size(-1) % r == 0 && x.size(-2) % r == 0), x, r, "pixel_unshuffle",
                  "height and width divide by it");
  return rearrange(x, "... c (h a) (w b) -> ... (c a b) h w", {{"a", r}, {"b", r}});
}
Tensor channel_shuffle(const Tensor& x, int64_t groups) {
  require_divides(groups < 1 || (x.rank() > 1 && x.size(1) % groups == 0), x, groups, "channel_shuffle", "channels divide by it");
  return rearrange(x, "n (g c) ... -> n (c g) ...", {{"g", groups}});
}

}  // namespace tg
