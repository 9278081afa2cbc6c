#pragma once
// Two operands of a sum of products in the dtype that it is computed in, and the dtype of the result.
//
//   in:  float16 and int8      out: both as float32; the result is float16
#include "tensor/impl.hpp"

namespace tg {

struct Factors {
  UOp a, b;
  DType result;
  Factors(const Tensor& x, const Tensor& y, std::string_view operation) : a(source_of(x, operation)), b(source_of(y, operation)) {
    check_same_device(x, y, operation);
    result = promote(a.dtype(), b.dtype());
    const DType wide = is_float(result) ? working_dtype(result) : result == DType::bool_ ? DType::int32 : result;
    a = cast(a, wide);
    b = cast(b, wide);
  }
};

}  // namespace tg
