// See tg/limits.hpp.
#include "tg/limits.hpp"

#include <cmath>

#include "tensor/impl.hpp"

namespace tg {

FloatInfo finfo(DType dtype) {
  require_dtype(is_float(dtype), "finfo", dtype, "iinfo is for integers");
  const int bits = 8 * static_cast<int>(size_of(dtype));
  const int mantissa = dtype == DType::float64 ? 52 : dtype == DType::float32 ? 23 : dtype == DType::float16 ? 10 : 7;
  const int bias = (1 << (bits - mantissa - 2)) - 1;
  const double eps = std::ldexp(1.0, -mantissa), max = std::ldexp(2 - eps, bias), tiny = std::ldexp(1.0, 1 - bias);
  return {dtype, bits, eps, max, -max, tiny, tiny * eps, mantissa};
}
IntInfo iinfo(DType dtype) {
  require_dtype(is_int(dtype) && dtype != DType::index, "iinfo", dtype, "finfo is for floats");
  const int bits = 8 * static_cast<int>(size_of(dtype));
  if (is_unsigned(dtype)) return {dtype, bits, 0, ~uint64_t{0} >> (64 - bits)};
  return {dtype, bits, -1 - static_cast<int64_t>(~uint64_t{0} >> (65 - bits)), ~uint64_t{0} >> (65 - bits)};
}

}  // namespace tg
