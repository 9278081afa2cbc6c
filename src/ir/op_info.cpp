// Scalar arithmetic in each dtype's own precision: what constant folding and the interpreter agree on.
#include "tg/ir/op_info.hpp"

#include <bit>
#include <limits>

#include "base/float16.hpp"

namespace tg {

namespace {
int64_t wrap(DType t, int64_t v) {
  switch (t) {
    case DType::bool_: return v != 0;
    case DType::int8: return static_cast<int8_t>(v);
    case DType::int16: return static_cast<int16_t>(v);
    case DType::int32: return static_cast<int32_t>(v);
    case DType::uint8: return static_cast<uint8_t>(v);
    case DType::uint16: return static_cast<uint16_t>(v);
    case DType::uint32: return static_cast<uint32_t>(v);
    default: return v;
  }
}
double round_float(DType t, double v) {
  switch (t) {
    case DType::float16: return static_cast<double>(half_to_float(half_from(v)));
    case DType::bfloat16: return static_cast<double>(bfloat16_to_float(bfloat16_from(v)));
    case DType::float32: return static_cast<double>(static_cast<float>(v));
    default: return v;
  }
}
template <class Int> int64_t saturate(double v) {
  if (v != v) return 0;
  if (v <= static_cast<double>(std::numeric_limits<Int>::min())) return static_cast<int64_t>(std::numeric_limits<Int>::min());
  if (v >= static_cast<double>(std::numeric_limits<Int>::max())) return static_cast<int64_t>(std::numeric_limits<Int>::max());
  return static_cast<int64_t>(static_cast<Int>(v));
}
int64_t saturate(DType t, double v) {
  switch (t) {
    case DType::bool_: return v != 0;
    case DType::int8: return saturate<int8_t>(v);
    case DType::int16: return saturate<int16_t>(v);
    case DType::int32: return saturate<int32_t>(v);
    case DType::uint8: return saturate<uint8_t>(v);
    case DType::uint16: return saturate<uint16_t>(v);
    case DType::uint32: return saturate<uint32_t>(v);
    case DType::uint64: return saturate<uint64_t>(v);
    default: return saturate<int64_t>(v);
  }
}
template <class T> T apply(Op op, double a, double b, double c) {
  return ops::meaning<T>(op)(static_cast<T>(a), static_cast<T>(b), static_cast<T>(c));
}
}  // namespace

Number round_to(DType t, Number v) { return is_float(t) ? Number{0, round_float(t, v.d)} : Number{wrap(t, v.i), 0}; }

Number evaluate(Op op, DType t, DType out, Number a, Number b, Number c) {
  Number r;
  if (op == Op::Where) r = a.i != 0 ? b : c;  // the condition is a bool whatever the operands are
  else if (is_float(t)) {
    r.d = t == DType::float64 ? apply<double>(op, a.d, b.d, c.d) : static_cast<double>(apply<float>(op, a.d, b.d, c.d));
    r.i = r.d != 0;
  } else if (t == DType::uint64) {
    const auto bits = [](Number n) { return static_cast<uint64_t>(n.i); };
    r.i = static_cast<int64_t>(ops::meaning<uint64_t>(op)(bits(a), bits(b), bits(c)));
  } else {
    const bool past_end = (op == Op::Shl || op == Op::Shr) && static_cast<uint64_t>(b.i) >= 8 * size_of(t);
    if (past_end) b.i = 64;
    r.i = ops::meaning<int64_t>(op)(a.i, b.i, c.i);
  }
  return round_to(out, r);
}

Number convert(Number v, DType from, DType to) {
  if (is_float(from)) return is_float(to) ? round_to(to, v) : Number{saturate(to, v.d), 0};
  if (!is_float(to)) return round_to(to, v);
  const bool big = from == DType::uint64 && v.i < 0;
  if (to == DType::float32) return {0, static_cast<double>(big ? static_cast<float>(static_cast<uint64_t>(v.i)) : static_cast<float>(v.i))};
  return round_to(to, {0, big ? static_cast<double>(static_cast<uint64_t>(v.i)) : static_cast<double>(v.i)});
}

Number bitcast(Number v, DType from, DType to) {
  const auto bits = [&]() -> uint64_t {
    switch (from) {
      case DType::float16: return half_from(v.d);
      case DType::bfloat16: return bfloat16_from(v.d);
      case DType::float32: return std::bit_cast<uint32_t>(static_cast<float>(v.d));
      case DType::float64: return std::bit_cast<uint64_t>(v.d);
      default: return static_cast<uint64_t>(v.i);
    }
  }();
  switch (to) {
    case DType::float16: return {0, static_cast<double>(half_to_float(static_cast<uint16_t>(bits)))};
    case DType::bfloat16: return {0, static_cast<double>(bfloat16_to_float(static_cast<uint16_t>(bits)))};
    case DType::float32: return {0, static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)))};
    case DType::float64: return {0, std::bit_cast<double>(bits)};
    default: return round_to(to, {static_cast<int64_t>(bits), 0});
  }
}

}  // namespace tg
