#pragma once
// finfo, iinfo: what a dtype can hold, as NumPy's functions of these names.
//
//   tg::finfo(tg::float32).eps      1.1920929e-07
//   tg::iinfo(tg::int8).max         127
#include <cstdint>

#include "tg/dtype.hpp"

namespace tg {

struct FloatInfo {  // what finfo tells
  DType dtype;                // of which this is said
  int bits;                   // of one element
  double eps;                 // from 1 to the next larger number
  double max, min;            // the largest and the smallest finite number
  double tiny;                // the smallest positive normal number
  double smallest_subnormal;  // the smallest positive number
  int mantissa;               // digits after the leading one
};
struct IntInfo {  // what iinfo tells
  DType dtype;   // of which this is said
  int bits;      // of one element
  int64_t min;   // the smallest number
  uint64_t max;  // the largest number
};
/// DTypeError unless the dtype is a float; an integer.
[[nodiscard]] FloatInfo finfo(DType dtype);
[[nodiscard]] IntInfo iinfo(DType dtype);

}  // namespace tg
