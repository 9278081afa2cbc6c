// What operations are written with: shapes and axes checked, broadcasting and constants as few nodes as possible.
//
//   broadcast(b of shape (3), (2, 3))      Expand(Reshape(b, (1, 3)), (2, 3)); a scalar is left to the elementwise op
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/env.hpp"
#include "tensor/impl.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

namespace {
constexpr size_t kMostAxes = 32;  // bits of ReduceArg::axes
constexpr int64_t kMostElements = int64_t{1} << 60;
}  // namespace

Sizes sizes_of(const Shape& shape) {
  Sizes out;
  for (const Dim& d : shape) out.push_back(d.value());
  return out;
}
Shape shape_of(const Sizes& sizes) { return Dims(sizes.begin(), sizes.end()); }
std::string to_string(const Sizes& sizes) {
  return sizes.size() == 1 ? fmt::format("({},)", sizes[0]) : fmt::format("({})", fmt::join(sizes, ", "));
}
std::ostream& Sizes::print(std::ostream& out) const { return out << to_string(*this); }
int64_t product(std::span<const int64_t> sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, [](int64_t a, int64_t b) {
    int64_t n;
    return __builtin_mul_overflow(a, b, &n) ? INT64_MAX : n;
  });
}

int checked_axis(int axis, int rank, std::string_view operation) {
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  if (rank == 0) throw IndexError(fmt::format("{}: axis {} of a tensor of shape (), which has no axes", operation, axis));
  throw IndexError(fmt::format("{}: axis {} is out of range for {} axes; it takes {} to {}", operation, axis, rank, -rank, rank - 1));
}
std::vector<int> checked_axes(const Axes& axes, int rank, std::string_view operation) {
  std::vector<int> out;
  for (int a : axes.list())
    if (rank > 0 || a < -1 || a > 0) out.push_back(checked_axis(a, rank, operation));  // a scalar is taken as a line of one
  if (out.empty()) {
    out.resize(static_cast<size_t>(rank));
    std::iota(out.begin(), out.end(), 0);
  }
  std::sort(out.begin(), out.end());
  if (const auto twice = std::adjacent_find(out.begin(), out.end()); twice != out.end())
    throw ValueError(fmt::format("{}: axis {} is given twice in {{{}}}", operation, *twice, fmt::join(axes.list(), ", ")));
  return out;
}
void check_sizes(const Sizes& sizes, std::string_view operation) {
  for (int64_t s : sizes)
    if (s < 0) throw ShapeError(fmt::format("{}: a size of {} in shape {}; sizes are 0 or more", operation, s, to_string(sizes)));
  check_shape(shape_of(sizes), operation);
}
void check_shape(const Shape& shape, std::string_view operation) {
  if (shape.rank() > kMostAxes) throw ShapeError(fmt::format("{}: {} axes; a tensor has at most {}", operation, shape.rank(), kMostAxes));
  int64_t n = 1;
  for (const Dim& d : shape)
    if (__builtin_mul_overflow(n, std::max<int64_t>(d.max(), 1), &n) || n > kMostElements)
      throw ShapeError(fmt::format("{}: shape {} has more elements than any memory", operation, to_string(shape)));
}

std::string device_of(const TensorOptions& options) {
  const std::string& name = options.device.empty() ? settings().device : options.device;
  device(name);  // throws, listing the known ones
  return name;
}
void check_same_device(const Tensor& a, const Tensor& b, std::string_view operation) {
  const std::string &x = impl_of(a, operation).device, &y = impl_of(b, operation).device;
  if (x != y) throw DeviceError(fmt::format("{}: operands are on \"{}\" and \"{}\"; move one with to(\"{}\")", operation, x, y, x));
}

Tensor part(const Tensor& x, int axis, int64_t begin, int64_t end) {
  std::vector<std::pair<int64_t, int64_t>> cut;
  for (int64_t n : x.shape()) cut.emplace_back(0, n);
  cut[static_cast<size_t>(axis)] = {begin, end};
  return x.shrink(cut);
}

// ---- nodes ----

UOp permute(const UOp& x, std::vector<int64_t> axes) {
  if (std::is_sorted(axes.begin(), axes.end())) return x;
  return UOp::make(Op::Permute, {x}, Ints(std::move(axes)));
}
UOp shrink(const UOp& x, Dims begin_end) {
  bool whole = true;
  for (size_t i = 0; i < x.shape().rank(); ++i) whole = whole && begin_end[2 * i] == Dim(0) && begin_end[2 * i + 1] == x.shape()[i];
  return whole ? x : UOp::make(Op::Shrink, {x}, Shape(std::move(begin_end)));
}
UOp spread(const UOp& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (x.shape().rank() == shape.rank()) return UOp::make(Op::Expand, {x}, shape);
  Dims aligned(shape.rank() - x.shape().rank(), Dim(1));
  aligned.insert(aligned.end(), x.shape().begin(), x.shape().end());
  const UOp y = reshape(x, aligned);
  return y.shape() == shape ? y : UOp::make(Op::Expand, {y}, shape);
}
UOp broadcast(const UOp& x, const Shape& shape) { return x.shape().empty() ? x : spread(x, shape); }
UOp iota(int64_t n, DType dtype) { return UOp::make(Op::Iota, {}, Shape{n}, dtype); }
UOp reduce(const UOp& x, Monoid monoid, const std::vector<int>& axes) {
  uint32_t bits = 0;
  for (int a : axes) bits |= 1u << a;
  return bits == 0 ? x : UOp::make(Op::Reduce, {x}, ReduceArg{monoid, bits});
}

Shape broadcast_shape(const Shape& a, const Shape& b, std::string_view operation) {
  if (a == b || b.empty()) return a;
  if (a.empty()) return b;
  const size_t rank = std::max(a.rank(), b.rank());
  Dims out(rank);
  for (size_t i = 0; i < rank; ++i) {  // from the last axis
    const Dim x = i < a.rank() ? a[a.rank() - 1 - i] : Dim(1), y = i < b.rank() ? b[b.rank() - 1 - i] : Dim(1);
    if (!(x == y) && !(x == Dim(1)) && !(y == Dim(1)))
      throw ShapeError(fmt::format("{}: shapes {} and {} do not broadcast: axis {} is {} and {}; sizes must be equal, or one of them 1",
                                   operation,
                                   to_string(a), to_string(b), -static_cast<int>(i) - 1, to_string(x), to_string(y)));
    out[rank - 1 - i] = x == Dim(1) ? y : x;
  }
  return out;
}

// ---- dtypes ----

DType beside(DType tensor, const Scalar& s) {
  if (is_float(s.dtype()) && !is_float(tensor)) return DType::float32;
  if (s.dtype() != DType::bool_ && tensor == DType::bool_) return DType::int32;
  return tensor;
}
// Of bool: whether the number is not 0. ValueError outside the range of an integer dtype, DTypeError of a fraction or nan.
UOp weak_constant(const Scalar& s, DType dtype, std::string_view operation) {
  if (is_float(dtype)) return constant(dtype, s.to<double>());
  if (dtype == DType::bool_) return constant(dtype, s.to<bool>());
  const auto beyond = [&](const auto& v) {
    return ValueError(
        fmt::format("{}: {} is outside the range of {}; cast the tensor to a wider dtype first", operation, v, name_of(dtype)));
  };
  if (is_float(s.dtype())) {
    const double v = s.to<double>();
    if (v != std::trunc(v))
      throw DTypeError(fmt::format("{}: {} is not a value of {}; cast the tensor to a float first", operation, v, name_of(dtype)));
    if (std::abs(v) >= 0x1p63) throw beyond(v);
    return weak_constant(Scalar(s.to<int64_t>(), DType::int64), dtype, operation);
  }
  const int64_t v = s.dtype() == DType::uint64 ? static_cast<int64_t>(s.to<uint64_t>()) : s.to<int64_t>();
  const bool beyond_int64 = s.dtype() == DType::uint64 && v < 0;
  const bool fits = beyond_int64 ? dtype == DType::uint64 : round_to(dtype, {v, 0}).i == v && (v >= 0 || !is_unsigned(dtype));
  if (!fits) throw beyond(beyond_int64 ? std::to_string(static_cast<uint64_t>(v)) : std::to_string(v));
  return constant(dtype, v);
}
DType index_dtype(int64_t elements) { return elements <= INT32_MAX ? DType::int32 : DType::int64; }
DType sum_dtype(DType t) {
  if (t == DType::uint8 || t == DType::uint16) return DType::uint32;
  return t == DType::bool_ || t == DType::int8 || t == DType::int16 ? DType::int32 : t;
}
DType working_dtype(DType t) { return t == DType::float64 ? t : DType::float32; }
DType float_of(DType t) { return is_float(t) ? t : DType::float32; }
void require_dtype(bool satisfied, std::string_view operation, DType dtype, std::string_view remedy) {
  if (!satisfied) throw DTypeError(fmt::format("{}: not defined for {}; {}", operation, name_of(dtype), remedy));
}

}  // namespace tg
