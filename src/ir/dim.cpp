// Arithmetic on sizes: integers at once, symbolic ones as canonical index expressions, so that equal sizes compare equal.
//
//   Dim n(variable("n", 1, 8));   (n + 1) * 2 - n * 2 == Dim(2)
#include <fmt/format.h>

#include "ir/symbolic.hpp"
#include "tg/error.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

namespace {
[[noreturn]] void too_large(const Dim& a, const char* op, const Dim& b) {
  throw ShapeError(fmt::format("size {} {} {} exceeds 64 bits", to_string(a), op, to_string(b)));
}
}  // namespace

Dim operator+(const Dim& a, const Dim& b) {
  if (!a.known() || !b.known()) return Dim(simplify(a.expr() + b.expr()));
  int64_t r;
  if (__builtin_add_overflow(a.value_, b.value_, &r)) too_large(a, "+", b);
  return r;
}
Dim operator-(const Dim& a, const Dim& b) {
  if (!a.known() || !b.known()) return Dim(simplify(a.expr() - b.expr()));
  int64_t r;
  if (__builtin_sub_overflow(a.value_, b.value_, &r)) too_large(a, "-", b);
  return r;
}
Dim operator*(const Dim& a, const Dim& b) {
  if (!a.known() || !b.known()) return Dim(simplify(a.expr() * b.expr()));
  int64_t r;
  if (__builtin_mul_overflow(a.value_, b.value_, &r)) too_large(a, "*", b);
  return r;
}
Dim floor_div(const Dim& a, const Dim& b) {
  if (!a.known() || !b.known()) return Dim(simplify(floor_div(a.expr(), b.expr())));
  return ops::floor_div(a.value_, b.value_);
}

}  // namespace tg
