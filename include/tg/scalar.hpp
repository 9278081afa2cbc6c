#pragma once
// Scalar: one number that knows its dtype. What item() returns, and what a plain number becomes beside a tensor.
//
//   in:  x.mean().item()       out: a Scalar of x's dtype; compares with plain numbers, converts where asked
//   if (x.mean().item() > 0) ...       float f = x.mean().item<float>();       auto n = static_cast<int>(x.sum().item());
#include <compare>
#include <cstdint>
#include <iosfwd>
#include <type_traits>

#include "tg/dtype.hpp"

namespace tg {

namespace detail {
template <class T>
concept Arithmetic = std::is_arithmetic_v<T>;

/// The element type with the meaning of the C++ type T; long double is float64.
template <Arithmetic T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, bool>) return DType::bool_;
  else if constexpr (std::is_floating_point_v<T>) return sizeof(T) == 4 ? DType::float32 : DType::float64;
  else {
    constexpr DType ints[] = {DType::int8, DType::int16, DType::int32, DType::int64};
    constexpr DType unsigned_ints[] = {DType::uint8, DType::uint16, DType::uint32, DType::uint64};
    constexpr int log2 = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return std::is_signed_v<T> ? ints[log2] : unsigned_ints[log2];
  }
}
}  // namespace detail

/// A number and its dtype. Beside a tensor it is weak: `x + 1` keeps x's dtype (promotion is documented at Tensor).
class Scalar {
 public:
  template <detail::Arithmetic T>
  Scalar(T v) : dtype_(detail::dtype_of<T>()) {
    if constexpr (std::is_floating_point_v<T>) real_ = static_cast<double>(v);
    else integer_ = static_cast<int64_t>(v);
  }
  /// The number as `dtype` holds it: rounded or wrapped.
  Scalar(double v, DType dtype);
  Scalar(int64_t v, DType dtype);

  [[nodiscard]] DType dtype() const { return dtype_; }  // of the number
  /// The value as a C++ number. Floats to integers truncate; beyond T's range they saturate, and nan is 0. Integers wrap.
  template <detail::Arithmetic T>
  [[nodiscard]] T to() const {
    if constexpr (std::is_same_v<T, bool>) return is_float(dtype_) ? real_ != 0 : integer_ != 0;
    else if constexpr (std::is_floating_point_v<T>) return static_cast<T>(to_double());
    else return static_cast<T>(to_integer(detail::dtype_of<T>()));
  }
  template <detail::Arithmetic T>
  explicit operator T() const {
    return to<T>();
  }

  /// By value, whatever the dtypes: Scalar(2) == 2.0f. Nan is unordered.
  friend std::partial_ordering operator<=>(const Scalar& a, const Scalar& b) { return compare(a, b); }
  friend bool operator==(const Scalar& a, const Scalar& b) { return compare(a, b) == 0; }
  /// As NumPy prints a number of this dtype: 2.5, 7, True.
  friend std::ostream& operator<<(std::ostream& out, const Scalar& s) { return s.print(out); }

 private:
  static std::partial_ordering compare(const Scalar& a, const Scalar& b);
  double to_double() const;
  int64_t to_integer(DType as) const;  // in `as`'s range; a uint64's upper half as negative numbers
  std::ostream& print(std::ostream&) const;

  DType dtype_;
  int64_t integer_ = 0;  // of integers and bool
  double real_ = 0;      // of floats
};

}  // namespace tg
