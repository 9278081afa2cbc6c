// Scalar: conversions between dtypes as the rest of the library makes them, comparison by value.
#include "tg/scalar.hpp"

#include <ostream>

#include "tensor/print.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

Scalar::Scalar(double v, DType dtype) : dtype_(dtype) {
  const Number n = convert({0, v}, DType::float64, dtype);
  integer_ = n.i;
  real_ = n.d;
}
Scalar::Scalar(int64_t v, DType dtype) : dtype_(dtype) {
  const Number n = convert({v, 0}, DType::int64, dtype);
  integer_ = n.i;
  real_ = n.d;
}

double Scalar::to_double() const { return is_float(dtype_) ? real_ : convert({integer_, 0}, dtype_, DType::float64).d; }
int64_t Scalar::to_integer(DType as) const { return convert({integer_, real_}, dtype_, as).i; }

std::partial_ordering Scalar::compare(const Scalar& a, const Scalar& b) {
  if (is_float(a.dtype_) || is_float(b.dtype_)) return a.to_double() <=> b.to_double();
  const auto beyond = [](const Scalar& s) { return s.dtype_ == DType::uint64 && s.integer_ < 0; };  // above int64
  if (beyond(a) != beyond(b)) return beyond(a) ? std::partial_ordering::greater : std::partial_ordering::less;
  return a.integer_ <=> b.integer_;
}

std::ostream& Scalar::print(std::ostream& out) const { return out << format_scalar({integer_, real_}, dtype_); }

}  // namespace tg
