#pragma once
// Element types and their promotion.
//
//   DType t = tg::float32;  size_of(t) == 4;  name_of(t) == "float32"
//   promote(int8, int32) == int32;  promote(int64, float16) == float16;  promote(float16, bfloat16) == float32
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string_view>

namespace tg {

enum class DType : uint8_t {  // the type of a tensor's elements
  void_,  // no value: stores, control
  bool_,
  int8, int16, int32, int64,
  uint8, uint16, uint32, uint64,
  float16, bfloat16, float32, float64,
  index,  // exact index algebra inside kernels: 64 bits, never wraps; no tensor has it
};
inline constexpr size_t kDTypeCount = 15;  // void and index included
// tg::float32 is DType::float32.
inline constexpr DType bool_ = DType::bool_;
inline constexpr DType int8 = DType::int8, int16 = DType::int16, int32 = DType::int32, int64 = DType::int64;
inline constexpr DType uint8 = DType::uint8, uint16 = DType::uint16, uint32 = DType::uint32, uint64 = DType::uint64;
inline constexpr DType float16 = DType::float16, bfloat16 = DType::bfloat16, float32 = DType::float32, float64 = DType::float64;

/// Bytes of one element; 0 for void.
constexpr size_t size_of(DType t) {
  constexpr uint8_t sizes[kDTypeCount] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 8};
  return sizes[static_cast<size_t>(t)];
}
constexpr std::string_view name_of(DType t) {
  constexpr std::string_view names[kDTypeCount] = {"void",   "bool",   "int8",    "int16",    "int32",   "int64",   "uint8", "uint16",
                                                   "uint32", "uint64", "float16", "bfloat16", "float32", "float64", "index"};
  return names[static_cast<size_t>(t)];
}
constexpr bool is_float(DType t) { return t >= DType::float16 && t <= DType::float64; }
constexpr bool is_unsigned(DType t) { return t == DType::bool_ || (t >= DType::uint8 && t <= DType::uint64); }
constexpr bool is_signed_int(DType t) { return (t >= DType::int8 && t <= DType::int64) || t == DType::index; }
constexpr bool is_int(DType t) { return is_signed_int(t) || (t >= DType::uint8 && t <= DType::uint64); }

/// The smallest type that holds values of both, by the lattice bool < unsigned/signed < float16/bfloat16 < float32 < float64.
/// An integer beside a float takes the float's type; uint64 beside a signed type gives float32 (no integer holds both).
constexpr DType promote(DType a, DType b) {
  if (a == b) return a;
  if (a > b) { const DType t = a; a = b; b = t; }  // now a < b in declaration order
  if (a == DType::bool_ || a == DType::void_) return b;
  if (b == DType::float64) return b;
  if (b == DType::float32) return b;
  if (a == DType::float16 && b == DType::bfloat16) return DType::float32;
  if (is_float(b)) return b;
  if (is_signed_int(a) && is_signed_int(b)) return b;
  if (is_unsigned(a) && is_unsigned(b)) return b;
  // a signed, b unsigned: the smallest signed type wider than b and at least as wide as a
  switch (b) {
    case DType::uint8: return a > DType::int16 ? a : DType::int16;
    case DType::uint16: return a > DType::int32 ? a : DType::int32;
    case DType::uint32: return DType::int64;
    default: return DType::float32;
  }
}

std::ostream& operator<<(std::ostream&, DType);

}  // namespace tg
