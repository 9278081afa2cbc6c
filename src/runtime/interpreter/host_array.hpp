#pragma once
// HostArray: an array in host memory, packed in row-major order, as the interpreter reads and makes them.
//
//   HostArray a = HostArray::of(float32, {2, 2}, {1, 2, 3, 4});   a.number(3) == 4.0;   a.bytes.size() == 16
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/float16.hpp"
#include "tg/dtype.hpp"
#include "tg/error.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

struct HostArray {
  DType dtype = DType::void_;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  HostArray() = default;
  /// Zeros.
  HostArray(DType t, std::vector<int64_t> s) : dtype(t), shape(std::move(s)) { bytes.resize(static_cast<size_t>(numel()) * size_of(t)); }
  /// The values, converted to `t`. Throws ShapeError when they are not as many as the shape says.
  template <class T> static HostArray from(DType t, std::vector<int64_t> shape, std::span<const T> values) {
    HostArray a(t, std::move(shape));
    if (static_cast<size_t>(a.numel()) != values.size())
      throw ShapeError("HostArray: " + std::to_string(values.size()) + " values for " + std::to_string(a.numel()) + " elements");
    for (size_t i = 0; i < values.size(); ++i) {
      if constexpr (std::is_floating_point_v<T>) a.set(i, convert({0, static_cast<double>(values[i])}, DType::float64, t));
      else a.set(i, convert({static_cast<int64_t>(values[i]), 0}, DType::int64, t));
    }
    return a;
  }
  static HostArray of(DType t, std::vector<int64_t> shape, const std::vector<double>& values) {
    return from(t, std::move(shape), std::span(values));
  }

  int64_t numel() const {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    return n;
  }
  double number(size_t i) const { const Number v = at(i); return is_float(dtype) ? v.d : static_cast<double>(v.i); }
  int64_t integer(size_t i) const { const Number v = at(i); return is_float(dtype) ? static_cast<int64_t>(v.d) : v.i; }
  std::vector<double> numbers() const { return all<double>([this](size_t i) { return number(i); }); }
  std::vector<int64_t> integers() const { return all<int64_t>([this](size_t i) { return integer(i); }); }

  /// Element i in row-major order.
  Number at(size_t i) const {
    switch (dtype) {
      case DType::bool_: case DType::uint8: return {get<uint8_t>(i), 0};
      case DType::int8: return {get<int8_t>(i), 0};
      case DType::int16: return {get<int16_t>(i), 0};
      case DType::int32: return {get<int32_t>(i), 0};
      case DType::uint16: return {get<uint16_t>(i), 0};
      case DType::uint32: return {get<uint32_t>(i), 0};
      case DType::float16: return {0, static_cast<double>(half_to_float(get<uint16_t>(i)))};
      case DType::bfloat16: return {0, static_cast<double>(bfloat16_to_float(get<uint16_t>(i)))};
      case DType::float32: return {0, static_cast<double>(get<float>(i))};
      case DType::float64: return {0, get<double>(i)};
      default: return {get<int64_t>(i), 0};
    }
  }
  /// `v` is a value of this dtype already (see round_to).
  void set(size_t i, Number v) {
    switch (dtype) {
      case DType::float16: return put(i, half_from(v.d));
      case DType::bfloat16: return put(i, bfloat16_from(v.d));
      case DType::float32: return put(i, static_cast<float>(v.d));
      case DType::float64: return put(i, v.d);
      default: break;
    }
    switch (size_of(dtype)) {
      case 1: return put(i, static_cast<uint8_t>(v.i));
      case 2: return put(i, static_cast<uint16_t>(v.i));
      case 4: return put(i, static_cast<uint32_t>(v.i));
      default: return put(i, v.i);
    }
  }

 private:
  template <class T> T get(size_t i) const { T v; std::memcpy(&v, bytes.data() + i * sizeof(T), sizeof(T)); return v; }
  template <class T> void put(size_t i, T v) { std::memcpy(bytes.data() + i * sizeof(T), &v, sizeof(T)); }
  template <class T, class F> std::vector<T> all(F read) const {
    std::vector<T> out(static_cast<size_t>(numel()));
    for (size_t i = 0; i < out.size(); ++i) out[i] = read(i);
    return out;
  }
};

}  // namespace tg
