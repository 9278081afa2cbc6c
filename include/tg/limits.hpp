#pragma once
// finfo, iinfo: what a dtype can hold, as NumPy's functions of these names.
//
//   tg::finfo(tg::float32).eps      1.1920929e-07
//   tg::iinfo(tg::int8).max         127
#include <cstdint>

#include "tg/dtype.hpp"

namespace tg {

struct FloatInfo {
  DType dtype;
  int bits;
  double eps;               // from 1 to the next larger number
  double max, min;          // the largest and the smallest finite number
  double tiny;              // the smallest positive normal number
  double smallest_subnormal;
  int mantissa;             // digits after the leading one
};
struct IntInfo {
  DType dtype;
  int bits;
  int64_t min;
  uint64_t max;
};
/// DTypeError unless the dtype is a float; an integer.
[[nodiscard]] FloatInfo finfo(DType dtype);
[[nodiscard]] IntInfo iinfo(DType dtype);

}  // namespace tg
