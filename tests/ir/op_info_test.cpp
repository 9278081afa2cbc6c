// Scalar arithmetic against C++ itself, for every dtype at its edges, and against Python's floor division.
#include <cmath>
#include <limits>

#include "base/float16.hpp"
#include "ir_testing.hpp"

namespace tg {
namespace {

template <class T> struct TypeOf;
template <> struct TypeOf<int8_t> { static constexpr DType value = DType::int8; };
template <> struct TypeOf<int16_t> { static constexpr DType value = DType::int16; };
template <> struct TypeOf<int32_t> { static constexpr DType value = DType::int32; };
template <> struct TypeOf<int64_t> { static constexpr DType value = DType::int64; };
template <> struct TypeOf<uint8_t> { static constexpr DType value = DType::uint8; };
template <> struct TypeOf<uint16_t> { static constexpr DType value = DType::uint16; };
template <> struct TypeOf<uint32_t> { static constexpr DType value = DType::uint32; };
template <> struct TypeOf<uint64_t> { static constexpr DType value = DType::uint64; };
template <> struct TypeOf<float> { static constexpr DType value = DType::float32; };
template <> struct TypeOf<double> { static constexpr DType value = DType::float64; };

template <class T> std::vector<T> edges() {
  using L = std::numeric_limits<T>;
  if constexpr (std::is_floating_point_v<T>)
    return {T(0),        T(-0.0),       T(1),           T(-1),         T(0.5),  T(-2.5),  T(3),     T(127.7),        T(-128.9),
            T(300),      T(70000),      T(3e9),         T(-3e9),       T(2e19), T(-2e19), L::min(), L::denorm_min(), L::max(),
            L::lowest(), L::infinity(), -L::infinity(), L::quiet_NaN()};
  else
    return {L::min(),
            static_cast<T>(L::min() + 1),
            T(0),
            T(1),
            T(2),
            T(3),
            T(7),
            T(8),
            static_cast<T>(-1),
            static_cast<T>(-7),
            static_cast<T>(L::max() - 1),
            L::max(),
            static_cast<T>(L::max() / 2)};
}
template <class T> Number boxed(T v) {
  if constexpr (std::is_floating_point_v<T>) return {0, static_cast<double>(v)};
  else return {static_cast<int64_t>(v), 0};
}
template <class T> T unboxed(Number n) {
  if constexpr (std::is_floating_point_v<T>) return static_cast<T>(n.d);
  else return static_cast<T>(n.i);
}
template <class T> bool alike(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return (a != a && b != b) || (a == b && std::signbit(a) == std::signbit(b));
  else return a == b;
}
template <class T> T floor_quotient(T a, T b) {  // in wide arithmetic, by definition
  if (b == 0) return 0;
  const __int128 x = a, y = b;
  __int128 q = x / y;
  if (q * y != x && (x < 0) != (y < 0)) --q;
  return static_cast<T>(q);
}

template <class T> class Scalars : public testing::Test {};
using All = testing::Types<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, float, double>;
TYPED_TEST_SUITE(Scalars, All);

TYPED_TEST(Scalars, BinaryOpsAreThoseOfCpp) {
  using T = TypeParam;
  constexpr DType t = TypeOf<T>::value;
  for (T a : edges<T>())
    for (T b : edges<T>()) {
      const auto run = [&](Op op) { return unboxed<T>(evaluate(op, t, t, boxed(a), boxed(b))); };
      const auto test = [&](Op op) { return evaluate(op, t, DType::bool_, boxed(a), boxed(b)).i; };
      EXPECT_EQ(test(Op::Less), a < b);
      EXPECT_EQ(test(Op::NotEqual), a != b);
      if constexpr (std::is_floating_point_v<T>) {
        EXPECT_TRUE(alike(run(Op::Add), a + b)) << a << " " << b;
        EXPECT_TRUE(alike(run(Op::Mul), a * b));
        EXPECT_TRUE(alike(run(Op::Div), a / b));
        const T max = a != a ? a : b != b ? b : a == b ? (std::signbit(a) ? b : a) : std::max(a, b);
        EXPECT_TRUE(alike(run(Op::Max), max)) << a << " " << b;
        EXPECT_TRUE(alike(unboxed<T>(evaluate(Op::Fma, t, t, boxed(a), boxed(b), boxed(T(3)))), std::fma(a, b, T(3))));
      } else {
        using W = unsigned __int128;
        EXPECT_EQ(run(Op::Add), static_cast<T>(static_cast<W>(a) + static_cast<W>(b)));
        EXPECT_EQ(run(Op::Mul), static_cast<T>(static_cast<W>(a) * static_cast<W>(b)));
        EXPECT_EQ(run(Op::Max), std::max(a, b));
        EXPECT_EQ(run(Op::And), static_cast<T>(a & b));
        EXPECT_EQ(run(Op::Or), static_cast<T>(a | b));
        EXPECT_EQ(run(Op::Xor), static_cast<T>(a ^ b));
        EXPECT_EQ(run(Op::IDiv), floor_quotient(a, b)) << +a << " // " << +b;
        const T rest = b == 0 ? T(0) : static_cast<T>(static_cast<W>(a) - static_cast<W>(floor_quotient(a, b)) * static_cast<W>(b));
        EXPECT_EQ(run(Op::Mod), rest) << +a << " % " << +b;
        const bool past = static_cast<uint64_t>(b) >= 8 * sizeof(T);
        EXPECT_EQ(run(Op::Shl), past ? T(0) : static_cast<T>(static_cast<uint64_t>(a) << b));
        EXPECT_EQ(run(Op::Shr), past ? static_cast<T>(a < 0 ? -1 : 0) : static_cast<T>(a >> b));
      }
    }
}
TYPED_TEST(Scalars, UnaryOpsAreThoseOfCpp) {
  using T = TypeParam;
  if constexpr (std::is_floating_point_v<T>)
    for (T a : edges<T>()) {
      const auto run = [&](Op op) { return unboxed<T>(evaluate(op, TypeOf<T>::value, TypeOf<T>::value, boxed(a))); };
      EXPECT_TRUE(alike(run(Op::Exp2), std::exp2(a)));
      EXPECT_TRUE(alike(run(Op::Log2), std::log2(a)));
      EXPECT_TRUE(alike(run(Op::Sin), std::sin(a)));
      EXPECT_TRUE(alike(run(Op::Cos), std::cos(a)));
      EXPECT_TRUE(alike(run(Op::Sqrt), std::sqrt(a)));
      EXPECT_TRUE(alike(run(Op::Recip), T(1) / a));
      EXPECT_TRUE(alike(run(Op::Trunc), std::trunc(a)));
    }
  else EXPECT_EQ(info(Op::Sin).arity, 1);
}

template <class To, class From> To converted(From v) {
  if constexpr (std::is_floating_point_v<From> && !std::is_floating_point_v<To>) {
    if (v != v) return 0;
    const long double x = std::trunc(static_cast<long double>(v));
    if (x <= static_cast<long double>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
    if (x >= static_cast<long double>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
    return static_cast<To>(x);
  } else return static_cast<To>(v);
}
template <class From, class To> void check_conversion() {
  for (From v : edges<From>()) {
    const Number n = convert(boxed(v), TypeOf<From>::value, TypeOf<To>::value);
    EXPECT_TRUE(alike(unboxed<To>(n), converted<To>(v)))
        << name_of(TypeOf<From>::value) << " " << +v << " to " << name_of(TypeOf<To>::value);
    EXPECT_TRUE(same(TypeOf<To>::value, round_to(TypeOf<To>::value, n), n));
  }
}
TYPED_TEST(Scalars, ConversionsSaturateFloatsAndWrapIntegers) {
  using T = TypeParam;
  check_conversion<T, int8_t>(); check_conversion<T, int16_t>(); check_conversion<T, int32_t>(); check_conversion<T, int64_t>();
  check_conversion<T, uint8_t>(); check_conversion<T, uint16_t>(); check_conversion<T, uint32_t>(); check_conversion<T, uint64_t>();
  check_conversion<T, float>(); check_conversion<T, double>();
  for (T v : edges<T>()) EXPECT_EQ(convert(boxed(v), TypeOf<T>::value, DType::bool_).i, v != T(0));
}

TEST(HalfScalars, RoundOnce) {
  for (DType t : {DType::float16, DType::bfloat16})
    for (double a : edges<double>()) {
      const Number x = round_to(t, {0, a});
      const double expected =
          t == DType::float16 ? static_cast<double>(half_to_float(half_from(a))) : static_cast<double>(bfloat16_to_float(bfloat16_from(a)));
      EXPECT_TRUE(alike(x.d, expected));
      EXPECT_TRUE(same(t, evaluate(Op::Add, t, t, x, {0, 1}), round_to(t, {0, static_cast<double>(static_cast<float>(x.d) + 1.0f)})));
    }
}
TEST(Bits, GoBothWays) {
  for (int64_t bits : {0x0000, 0x8000, 0x3c00, 0x7c00, 0x0001, 0xc123}) {
    for (DType t : {DType::float16, DType::bfloat16}) EXPECT_EQ(bitcast(bitcast({bits, 0}, DType::uint16, t), t, DType::uint16).i, bits);
  }
  EXPECT_EQ(bitcast({0, 1.0}, DType::float32, DType::int32).i, 0x3f800000);
  EXPECT_EQ(bitcast({-1, 0}, DType::int8, DType::uint8).i, 255);
  EXPECT_EQ(bitcast({0, -0.0}, DType::float64, DType::int64).i, INT64_MIN);
}
TEST(Folding, EveryOpOverConstants) {
  const UOp a = constant(int8, 100), b = constant(int8, 50);
  EXPECT_EQ(simplify(a + b), constant(int8, -106));
  EXPECT_EQ(simplify(cast(constant(float32, 300.7), uint8)), constant(uint8, 255));
  EXPECT_EQ(simplify(UOp::make(Op::Bitcast, {constant(float32, 1.0)}, Arg{}, int32)), constant(int32, 0x3f800000));
  EXPECT_EQ(simplify(where(less(a, b), a, b)), b);
  EXPECT_EQ(constant(float32, 0.1).as<double>(), static_cast<double>(0.1f));
  EXPECT_EQ(constant(uint8, -1).as<int64_t>(), 255);
}

}  // namespace
}  // namespace tg
