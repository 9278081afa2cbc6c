// Convolutions of windows of 3 by fewer multiplications, F(4, 3) of Lavin, Gray 2015 along each axis: 4 results from 6 numbers by 6
// products instead of 12.
//
//   y = A^T [(G w) * (B^T x)]      along one axis; along several each matrix is applied to each axis, and * sums over channels
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tensor/sliding.hpp"
#include "tensor/winograd.hpp"
#include "tg/contract.hpp"

namespace tg {
namespace {

constexpr int64_t kWindow = 3, kMade = 4, kRead = kMade + kWindow - 1;

Tensor matrix(const std::vector<double>& rows, int64_t columns, const Tensor& like) {
  return Tensor::from(rows, {static_cast<int64_t>(rows.size()) / columns, columns}, {.dtype = like.dtype(), .device = like.device()});
}
/// A matrix applied to each of the first axes.
Tensor transformed(Tensor x, const Tensor& m, int axes) {
  std::vector<int> turned(static_cast<size_t>(x.rank()));  // the first axis last of those
  std::iota(turned.begin(), turned.end(), 0);
  std::rotate(turned.begin(), turned.begin() + 1, turned.begin() + axes);
  for (int i = 0; i < axes; ++i) x = einsum("ia,a...->i...", {m, x}).permute(turned);
  return x;
}

}  // namespace

Tensor winograd(const Tensor& input, const Tensor& weight, const Sliding& s, int64_t groups, std::string_view operation) {
  const auto axes = static_cast<int>(s.size.size());
  const auto all = [](const Sizes& v, int64_t n) { return std::ranges::all_of(v, [n](int64_t x) { return x == n; }); };
  if (!all(s.size, kWindow) || !all(s.stride, 1) || !all(s.dilation, 1) || !is_float(input.dtype()) || !is_float(weight.dtype()))
    throw ValueError(fmt::format(
        "{}: winograd is for floats and windows of 3 at stride 1, dilation 1; these are {} by {}, windows {}, stride "
                                 "{}, dilation {}",
                                 operation, name_of(input.dtype()), name_of(weight.dtype()), to_string(s.size), to_string(s.stride),
                                 to_string(s.dilation)));
  const DType result = promote(input.dtype(), weight.dtype()), wide = result == DType::float64 ? DType::float64 : DType::float32;
  Sliding tiles{Sizes(s.size.size(), kRead), Sizes(s.size.size(), kMade), s.before, s.after, s.dilation};
  Sizes made, positions;
  for (int i = 0; i < axes; ++i) {
    const auto k = static_cast<size_t>(i);
    const int64_t length = std::max<int64_t>(0, input.size(i + 2) + s.before[k] + s.after[k] - kWindow + 1);
    made.push_back(length);
    positions.push_back(std::max<int64_t>(1, (length + kMade - 1) / kMade));
    tiles.after[k] += positions.back() * kMade - length;
  }
  // (read..., c, n, positions...) and (window..., o, c / groups)
  const Tensor x = slide(input.cast(wide), tiles, 0, operation);
  std::vector<int> of_tiles, of_weight;
  for (int i = 0; i < axes; ++i) of_tiles.push_back(2 + axes + i), of_weight.push_back(2 + i);
  of_tiles.insert(of_tiles.end(), {1, 0});
  of_weight.insert(of_weight.end(), {0, 1});
  for (int i = 0; i < axes; ++i) of_tiles.push_back(2 + i);
  // clang-format off
  const Tensor seen = transformed(x.permute(of_tiles), matrix({4,  0, -5,  0, 1, 0,
                                                               0, -4, -4,  1, 1, 0,
                                                               0,  4, -4, -1, 1, 0,
                                                               0, -2, -1,  2, 1, 0,
                                                               0,  2, -1, -2, 1, 0,
                                                               0,  4,  0, -5, 0, 1}, kRead, x), axes);
  const Tensor kernel = transformed(weight.cast(wide).permute(of_weight), matrix({ 1.0 / 4,           0,         0,
                                                                                  -1.0 / 6,  -1.0 / 6, -1.0 / 6,
                                                                                  -1.0 / 6,   1.0 / 6, -1.0 / 6,
                                                                                   1.0 / 24,  1.0 / 12, 1.0 / 6,
                                                                                   1.0 / 24, -1.0 / 12, 1.0 / 6,
                                                                                           0,          0,        1}, kWindow, x), axes);
  // clang-format on
  const int64_t points = std::accumulate(tiles.size.begin(), tiles.size.end(), int64_t{1}, std::multiplies<>());
  const int64_t channels = weight.size(1), out = weight.size(0);
  const Tensor products =
      kernel.reshape({points, groups, out / groups, channels}).matmul(seen.reshape({points, groups, channels, -1}));
  Sizes unfolded(tiles.size);
  unfolded.insert(unfolded.end(), {out, input.size(0)});
  unfolded.insert(unfolded.end(), positions.begin(), positions.end());
  // clang-format off
  const Tensor results = transformed(products.reshape(unfolded), matrix({1, 1,  1, 1,  1, 0,
                                                                         0, 1, -1, 2, -2, 0,
                                                                         0, 1,  1, 4,  4, 0,
                                                                         0, 1, -1, 8, -8, 1}, kRead, x), axes);
  // clang-format on
  // (made..., o, n, positions...) to (n, o, positions x made...), without what was padded
  std::vector<int> order{axes + 1, axes};
  Sizes joined{input.size(0), out};
  std::vector<std::pair<int64_t, int64_t>> cut;
  for (int i = 0; i < axes; ++i) {
    const auto k = static_cast<size_t>(i);
    order.insert(order.end(), {axes + 2 + i, i});
    joined.push_back(positions[k] * kMade);
    cut.emplace_back(0, made[k] - joined.back());
  }
  return results.permute(order).reshape(joined).pad(cut).cast(result);
}

}  // namespace tg
