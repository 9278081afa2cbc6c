#pragma once
// What ops.def says of each op, and the scalar meaning of elementwise ops.
//
//   info(Op::Add).arity == 2;  evaluate(Op::Add, float32, 1.0, 2.0) == 3.0
#include <cmath>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "tg/dtype.hpp"
#include "tg/op.hpp"

namespace tg {

/// What is true of an op wherever it stands.
enum class Trait : uint8_t { None = 0, Elementwise = 1, Commutes = 2, Associates = 4, Movement = 8 };
constexpr Trait operator|(Trait a, Trait b) { return static_cast<Trait>(static_cast<uint8_t>(a) | static_cast<uint8_t>(b)); }
/// Whether a set of traits holds that one, or one of those.
constexpr bool has(Trait set, Trait t) { return (static_cast<uint8_t>(set) & static_cast<uint8_t>(t)) != 0; }
/// Where a node's dtype is from: what make() is told, the first or the second source's, bool, none.
enum class Result : uint8_t { Arg, Same, Second, Bool, Void };

/// A row of ops.def: name, number of sources (-1: any), traits, dtype of the result, how C spells it.
struct OpInfo {
  std::string_view name;
  int8_t arity;
  Trait traits;
  Result result;
  std::string_view c;
};
namespace detail {
using enum Trait;
inline constexpr OpInfo kOps[] = {
#define OP(name, arity, traits, result, value, c_spelling) {#name, arity, traits, Result::result, c_spelling},
#include "tg/ops.def"
#undef OP
};
}  // namespace detail
/// The rows by op, and questions that many ask of them.
inline constexpr size_t kOpCount = std::size(detail::kOps);
constexpr const OpInfo& info(Op op) { return detail::kOps[static_cast<size_t>(op)]; }
constexpr bool is_elementwise(Op op) { return has(info(op).traits, Trait::Elementwise); }
constexpr bool is_movement(Op op) { return has(info(op).traits, Trait::Movement); }
constexpr bool commutes(Op op) { return has(info(op).traits, Trait::Commutes); }

// Scalar meanings that C++ has no operator for. T is float, double, int64_t or uint64_t.
namespace ops {
// Nan if either is; of two zeros the positive one, so that order never matters (IEEE 754-2019 maximum).
template <class T> T max(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) if (a == b) return std::signbit(a) ? b : a;
  return a > b || a != a ? a : b;
}
template <class T> T floor_div(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return std::floor(a / b);
  else if constexpr (std::is_unsigned_v<T>) return b == 0 ? 0 : a / b;
  else {
    if (b == 0) return 0;
    if (b == -1) return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(a));
    return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
  }
}
template <class T> T floor_mod(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a - std::floor(a / b) * b;
  else if constexpr (std::is_unsigned_v<T>) return b == 0 ? 0 : a % b;
  else {
    if (b == 0 || b == -1) return 0;
    const T r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  }
}
template <class T> T fma(T a, T b, T c) { if constexpr (std::is_floating_point_v<T>) return std::fma(a, b, c); else return a * b + c; }
#define TG_INTEGER_OP(name, expression)                                          \
  template <class T> T name([[maybe_unused]] T a, [[maybe_unused]] T b) {        \
    if constexpr (std::is_floating_point_v<T>) return 0;                         \
    else return static_cast<T>(expression);                                      \
  }
TG_INTEGER_OP(shl, static_cast<uint64_t>(b) > 63 ? 0 : static_cast<uint64_t>(a) << b)
TG_INTEGER_OP(shr, static_cast<uint64_t>(b) > 63 ? (a < T(0) ? ~T(0) : T(0)) : a >> b)
TG_INTEGER_OP(bit_and, a & b)
TG_INTEGER_OP(bit_or, a | b)
TG_INTEGER_OP(bit_xor, a ^ b)
#undef TG_INTEGER_OP

/// value(a, b, c) of ops.def for every op, on one C++ type. Integers: 64 bits without overflow traps; the caller wraps.
template <class T> using Meaning = T (*)(T a, T b, T c);
template <class T> Meaning<T> meaning(Op op) {
  // Unsigned arithmetic where C++ leaves signed overflow undefined.
  using W = std::conditional_t<std::is_same_v<T, int64_t>, uint64_t, T>;
  if constexpr (!std::is_same_v<W, T>) {
    if (op == Op::Add) return [](T a, T b, T) -> T { return static_cast<T>(static_cast<W>(a) + static_cast<W>(b)); };
    if (op == Op::Mul) return [](T a, T b, T) -> T { return static_cast<T>(static_cast<W>(a) * static_cast<W>(b)); };
    if (op == Op::Fma)
      return [](T a, T b, T c) -> T { return static_cast<T>(static_cast<W>(a) * static_cast<W>(b) + static_cast<W>(c)); };
  }
  static constexpr Meaning<T> table[] = {
#define OP(name, arity, traits, result, value, c_spelling)                                                                          \
  []([[maybe_unused]] T a, [[maybe_unused]] T b, [[maybe_unused]] T c) -> T {                                                         \
    if constexpr (std::is_floating_point_v<T> || (Op::name != Op::Recip && Op::name != Op::Div)) return static_cast<T>(value);       \
    else return b != T(0) ? a : T(0);                                                                                                 \
  },
#include "tg/ops.def"
#undef OP
  };
  return table[static_cast<size_t>(op)];
}
}  // namespace ops

/// A number of any dtype: `i` for integers, bool and index, `d` for floats.
struct Number {
  int64_t i = 0;
  double d = 0;
};
/// The value after storing it in `dtype`: integers wrap, floats round, bool is 0 or 1.
Number round_to(DType dtype, Number v);
/// One elementwise op on values of `dtype` (Cast and Bitcast excepted: see convert), in that dtype's own precision; the result is `out`'s.
Number evaluate(Op op, DType dtype, DType out, Number a, Number b = {}, Number c = {});
/// Value conversion: float to integer truncates and saturates, nan to 0; integer to integer wraps.
Number convert(Number v, DType from, DType to);
/// The value whose bits in `to` are v's bits in `from`; both of one size.
Number bitcast(Number v, DType from, DType to);

}  // namespace tg
