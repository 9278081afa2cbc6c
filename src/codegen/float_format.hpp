#pragma once
// How a float's bits are laid out, and the expressions every polynomial here is written with.
//
//   const FloatFormat f(float32);   f.bits == int32; f.mantissa == 23; f.bias == 127
//   horner(x, p)                    fma(fma(c2, x, c1), x, c0)
#include <cmath>
#include <span>

#include "tg/ir/uop.hpp"

namespace tg::codegen {

struct FloatFormat {
  DType real, bits, words;  // the float; signed and unsigned integers of its size
  int mantissa, bias;       // stored mantissa bits; the exponent field of 1.0
  explicit FloatFormat(DType t)
      : real(t), bits(t == float64 ? int64 : int32), words(t == float64 ? uint64 : uint32), mantissa(t == float64 ? 52 : 23),
        bias(t == float64 ? 1023 : 127) {}
  int width() const { return real == float64 ? 64 : 32; }
  UOp number(double v) const { return constant(real, v); }
  UOp integer(int64_t v) const { return constant(bits, v); }
  /// What takes a float below 2^(mantissa-1) to the nearest integer when added and subtracted again; that integer is then in the sum's low
  /// bits.
  double magic() const { return std::ldexp(1.5, mantissa); }
  /// Half way from the exponent of 1 to the largest: what is made larger by that loses no digits where it would else be denormal.
  int middle() const { return (bias + 1) / 2; }
};

inline UOp bitcast(const UOp& x, DType to) { return UOp::make(Op::Bitcast, {x}, Arg{}, to); }
inline UOp shl(const UOp& x, const UOp& by) { return UOp::make(Op::Shl, {x, by}); }
inline UOp shr(const UOp& x, const UOp& by) { return UOp::make(Op::Shr, {x, by}); }
inline UOp shl(const UOp& x, int by) { return shl(x, constant(x.dtype(), by)); }
inline UOp shr(const UOp& x, int by) { return shr(x, constant(x.dtype(), by)); }
inline UOp bit_xor(const UOp& a, const UOp& b) { return UOp::make(Op::Xor, {a, b}); }
inline UOp fma(const UOp& a, const UOp& b, const UOp& c) { return UOp::make(Op::Fma, {a, b, c}); }

/// Coefficients, constant term first, for arguments in float32 and in float64.
struct Polynomial { std::span<const double> narrow, wide; };
/// c[0] + c[1] x + c[2] x^2 + ..., one fma a power.
inline UOp horner(const UOp& x, const Polynomial& p) {
  const auto c = x.dtype() == float64 ? p.wide : p.narrow;
  UOp sum = constant(x.dtype(), c.back());
  for (size_t i = c.size() - 1; i-- > 0;) sum = fma(sum, x, constant(x.dtype(), c[i]));
  return sum;
}

}  // namespace tg::codegen
