// What a node knows of itself, from its sources' own facts: dtype, shape, open ranges, integer bounds.
//
//   in:  Op::Reduce, x of shape (2, 3), {Sum, axis 1}      out: dtype of x, shape (2, 1)
//
// Sources that do not fit are our own bug here (users' mistakes are caught at the call that made them), so this throws InternalError.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "tg/error.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/uop.hpp"

namespace tg::detail {
namespace {

[[noreturn]] void misfit(Op op, std::span<const UOp> src, std::string_view why) {
  std::string text = fmt::format("{}: {}; sources", name_of(op), why);
  for (const UOp& s : src) text += fmt::format(" {} {} {}", name_of(s.op()), name_of(s.dtype()), to_string(s.shape()));
  throw InternalError(text);
}

// ---- bounds of integers, saturating at 64 bits ----

constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
int64_t add(int64_t a, int64_t b) {
  int64_t r;
  return __builtin_add_overflow(a, b, &r) ? (a < 0 ? kMin : kMax) : r;
}
int64_t mul(int64_t a, int64_t b) {
  int64_t r;
  return __builtin_mul_overflow(a, b, &r) ? ((a < 0) == (b < 0) ? kMax : kMin) : r;
}
}  // namespace

Bounds all_of(DType t) {
  switch (t) {
    case DType::bool_: return {0, 1};
    case DType::int8: return {-128, 127};
    case DType::int16: return {-32768, 32767};
    case DType::int32: return {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
    case DType::uint8: return {0, 255};
    case DType::uint16: return {0, 65535};
    case DType::uint32: return {0, std::numeric_limits<uint32_t>::max()};
    default: return {kMin, kMax};  // uint64 too: its upper half reads as negative, so nothing is known of it
  }
}

namespace {

Bounds corners(auto f, Bounds a, Bounds b) {
  const auto [lo, hi] = std::minmax({f(a.min, b.min), f(a.min, b.max), f(a.max, b.min), f(a.max, b.max)});
  return {lo, hi};
}
Bounds within(DType t, Bounds b) {  // a result that may wrap can be anything
  const Bounds all = all_of(t);
  if (t == DType::int64 && (b.min == kMin || b.max == kMax)) return all;  // saturated: it may have wrapped
  return b.min < all.min || b.max > all.max || t == DType::uint64 ? all : b;
}
Bounds idiv(Bounds a, Bounds b) {
  if (b.min <= 0 && b.max >= 0) return {kMin, kMax};
  return corners([](int64_t x, int64_t y) { return y == -1 ? mul(x, -1) : ops::floor_div(x, y); }, a, b);
}
Bounds mod(Bounds a, Bounds b) {
  if (b.min <= 0) return {kMin, kMax};
  if (b.min == b.max && ops::floor_div(a.min, b.min) == ops::floor_div(a.max, b.min))
    return {ops::floor_mod(a.min, b.min), ops::floor_mod(a.max, b.min)};
  if (a.min >= 0) return {0, std::min(a.max, b.max - 1)};
  return {0, b.max - 1};
}
Bounds bounds_of(Op op, std::span<const UOp> src, const Arg& arg, DType dtype) {
  if (is_float(dtype) || dtype == DType::void_) return {};
  const auto a = [&] { return src[0].bounds(); };
  const auto b = [&] { return src[1].bounds(); };
  const bool floats = !src.empty() && is_float(src[0].dtype());
  switch (op) {
    case Op::Const: return {std::get<int64_t>(arg), std::get<int64_t>(arg)};
    case Op::Variable: return within(dtype, {std::get<VariableArg>(arg).min, std::get<VariableArg>(arg).max});
    case Op::Range: return {0, std::max<int64_t>(0, a().max - 1)};
    case Op::Iota: return within(dtype, {0, std::max<int64_t>(0, std::get<Shape>(arg)[0].max() - 1)});
    case Op::Add: return within(dtype, {add(a().min, b().min), add(a().max, b().max)});
    case Op::Mul: return within(dtype, corners(mul, a(), b()));
    case Op::Max: return {std::max(a().min, b().min), std::max(a().max, b().max)};
    case Op::IDiv: return within(dtype, idiv(a(), b()));
    case Op::Mod: return within(dtype, mod(a(), b()));
    case Op::And:
      if (dtype == DType::bool_) return {a().min & b().min, a().max & b().max};
      if (a().min >= 0 && b().min >= 0) return {0, std::min(a().max, b().max)};
      return all_of(dtype);
    case Op::Or:
      if (dtype == DType::bool_) return {a().min | b().min, a().max | b().max};
      return all_of(dtype);
    case Op::Less:
      if (floats) return {0, 1};
      if (src[0].dtype() == DType::uint64) return {0, 1};
      return {a().max < b().min, a().min < b().max};
    case Op::NotEqual:
      if (floats) return {0, 1};
      if (a().max < b().min || b().max < a().min) return {1, 1};
      return {0, !(a().min == a().max && a() == b())};
    case Op::Where: return {std::min(b().min, src[2].bounds().min), std::max(b().max, src[2].bounds().max)};
    case Op::Cast: return is_float(src[0].dtype()) || src[0].dtype() == DType::uint64 ? all_of(dtype) : within(dtype, a());
    case Op::Check: return {0, std::max<int64_t>(0, b().max - 1)};
    case Op::Reshape: case Op::Permute: case Op::Expand: case Op::Shrink: case Op::Flip: case Op::Window: case Op::Contiguous:
    case Op::Detach: case Op::Bind: case Op::Copy: case Op::Function: return a();
    case Op::Pad: return {std::min<int64_t>(0, a().min), std::max<int64_t>(0, a().max)};
    default: return all_of(dtype);
  }
}

// ---- shapes ----

Shape shape_of(Op op, std::span<const UOp> src, const Arg& arg) {
  if (is_elementwise(op)) {  // all alike, or scalars
    const Shape* shape = &src[0].shape();
    for (const UOp& s : src.subspan(1)) {
      if (shape->empty()) shape = &s.shape();
      else if (!s.shape().empty() && s.shape() != *shape) misfit(op, src, "sources differ in shape");
    }
    return *shape;
  }
  const auto in = [&]() -> const Shape& { return src[0].shape(); };
  switch (op) {
    case Op::Buffer: return std::get<BufferArg>(arg).shape;
    case Op::Param: return std::get<ParamArg>(arg).shape;
    case Op::Iota: return std::get<Shape>(arg);
    case Op::Reshape:
      if (!(std::get<Shape>(arg).numel() == in().numel()))
        misfit(op, src, fmt::format("cannot become {}", to_string(std::get<Shape>(arg))));
      return std::get<Shape>(arg);
    case Op::Expand: {
      const Shape& out = std::get<Shape>(arg);
      if (out.rank() != in().rank()) misfit(op, src, fmt::format("cannot expand to {}", to_string(out)));
      for (size_t i = 0; i < out.rank(); ++i)
        if (!(in()[i] == out[i]) && !(in()[i] == Dim(1))) misfit(op, src, fmt::format("cannot expand to {}", to_string(out)));
      return out;
    }
    case Op::Permute: {
      Dims d;
      for (int64_t a : *std::get<Ints>(arg)) d.push_back(in()[static_cast<size_t>(a)]);
      if (d.size() != in().rank()) misfit(op, src, "wrong number of axes");
      return d;
    }
    case Op::Pad: case Op::Shrink: {
      const Shape& pairs = std::get<Shape>(arg);
      if (pairs.rank() != 2 * in().rank()) misfit(op, src, "wrong number of axes");
      Dims d;
      for (size_t i = 0; i < in().rank(); ++i)
        d.push_back(op == Op::Pad ? pairs[2 * i] + in()[i] + pairs[2 * i + 1] : pairs[2 * i + 1] - pairs[2 * i]);
      return d;
    }
    case Op::Window: {
      const auto& w = std::get<WindowArg>(arg);
      Dims d = in().dims();
      Dim& axis = d.at(static_cast<size_t>(w.axis));
      axis = floor_div(axis - Dim((w.size - 1) * w.dilation + 1), Dim(w.stride)) + Dim(1);
      d.push_back(w.size);
      return d;
    }
    case Op::OverlapAdd: {
      const auto& w = std::get<WindowArg>(arg);
      Dims d = in().dims();
      d.pop_back();
      d.at(static_cast<size_t>(w.axis)) = w.length;
      return d;
    }
    case Op::Stack: {
      Dims d{src.size()};
      for (const UOp& s : src) if (s.shape() != in()) misfit(op, src, "sources differ in shape");
      d.insert(d.end(), in().begin(), in().end());
      return d;
    }
    case Op::Gather: {
      Dims d = in().dims();
      const auto axis = static_cast<size_t>(std::get<int64_t>(arg));
      d.erase(d.begin() + static_cast<ptrdiff_t>(axis));
      d.insert(d.begin() + static_cast<ptrdiff_t>(axis), src[1].shape().begin(), src[1].shape().end());
      return d;
    }
    case Op::Reduce: {
      if (src.size() > 1) return {};  // in a kernel
      Dims d = in().dims();
      for (size_t i = 0; i < d.size(); ++i) if (std::get<ReduceArg>(arg).axes >> i & 1) d[i] = 1;
      return d;
    }
    case Op::Get: return src[0].op() == Op::Scatter ? src[0].src(2).shape() : in();
    case Op::Flip: case Op::Scatter: case Op::Scan: case Op::Sort: case Op::Contiguous: case Op::Detach:
    case Op::Assign: case Op::Copy: case Op::AllReduce: case Op::After: case Op::Function: return in();
    default: return {};
  }
}

uint64_t ranges_of(Op op, std::span<const UOp> src, const Arg& arg) {
  uint64_t open = 0;
  for (const UOp& s : src) open |= s.ranges();
  if (op == Op::Range) {
    const int32_t id = std::get<RangeArg>(arg).id;
    if (id < 0 || id > 63) misfit(op, src, "more than 64 ranges in one kernel");
    return open | uint64_t{1} << id;
  }
  if (op == Op::Reduce || op == Op::End) {
    uint64_t closed = 0;
    for (const UOp& r : src.subspan(1)) if (r.op() == Op::Range) closed |= uint64_t{1} << r.as<RangeArg>().id;
    open = src[0].ranges() & ~closed;
    for (const UOp& r : src.subspan(1)) if (r.op() == Op::Range) open |= r.src(0).ranges() & ~closed;
  }
  return open;
}

void check_dtypes(Op op, std::span<const UOp> src, DType dtype) {
  if (!is_elementwise(op) || op == Op::Cast || op == Op::Bitcast) {
    if (op == Op::Bitcast && size_of(src[0].dtype()) != size_of(dtype)) misfit(op, src, "sizes differ");
    return;
  }
  const size_t first = op == Op::Where ? 1 : 0;
  if (op == Op::Where && src[0].dtype() != DType::bool_) misfit(op, src, "the condition is not bool");
  for (size_t i = first + 1; i < src.size(); ++i) if (src[i].dtype() != src[first].dtype()) misfit(op, src, "sources differ in dtype");
  const DType t = src[first].dtype();
  constexpr Op kFloatOnly[] = {Op::Exp2, Op::Log2, Op::Sin, Op::Cos, Op::Sqrt, Op::Recip, Op::Trunc, Op::Div};
  constexpr Op kIntegerOnly[] = {Op::IDiv, Op::Mod, Op::Shl, Op::Shr, Op::And, Op::Or, Op::Xor};
  const bool needs_float = std::ranges::count(kFloatOnly, op) != 0, needs_int = std::ranges::count(kIntegerOnly, op) != 0;
  if ((needs_float && !is_float(t)) || (needs_int && is_float(t))) misfit(op, src, "no meaning for this dtype");
}

}  // namespace

Facts infer(Op op, std::span<const UOp> src, const Arg& arg, DType dtype) {
  if (info(op).arity >= 0 && src.size() != static_cast<size_t>(info(op).arity))
    misfit(op, src, fmt::format("expected {} sources, got {}", info(op).arity, src.size()));
  check_dtypes(op, src, dtype);
  return {dtype, ranges_of(op, src, arg), bounds_of(op, src, arg, dtype), shape_of(op, src, arg)};
}

}  // namespace tg::detail
