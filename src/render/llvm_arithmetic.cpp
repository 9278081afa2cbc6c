// LLVM's meaning of every alu row and conversion, as rows of text.
//
//   %7 = alu IDiv %5 %6 (both proven non-negative)  ->  "{d} = udiv {T} {0}, {1}"  ->  %v7 = udiv <8 x i64> %v5, %v6
//
// Keys: {d} the result (and stem of temporaries), {0} {1} {2} operands, {T} the operands' type, {D} a cast's result type, {M} bool
// and {F} {I} {H} float, i32, half of as many lanes, {t} the intrinsic suffix of {T}, {=n} the number n in {T} (bits: its width, last:
// one less), {i=n} in {I}, {log2} {low} a constant power of two's exponent and the mask below it, {low_in} {high_in} the bounds of {D}
// as {T}, {low_out} {high_out} as {D}.
#include "render/llvm_arithmetic.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/float16.hpp"

namespace tg::render {
namespace {

constexpr Rule kLlvmAlu[] = {
    {Op::Sqrt, kFloat, "{d} = call {T} @llvm.sqrt.{t}({T} {0})"},
    {Op::Recip, kFloat, "{d} = fdiv {T} {=1}, {0}"},
    {Op::Trunc, kFloat, "{d} = call {T} @llvm.trunc.{t}({T} {0})"},
    {Op::Add, kFloat, "{d} = fadd {T} {0}, {1}"},
    {Op::Add, kIndex, "{d} = add nsw {T} {0}, {1}"},
    {Op::Add, kInt, "{d} = add {T} {0}, {1}"},
    {Op::Add, kBool, "{d} = or {T} {0}, {1}"},
    {Op::Mul, kFloat, "{d} = fmul {T} {0}, {1}"},
    {Op::Mul, kIndex, "{d} = mul nsw {T} {0}, {1}"},
    {Op::Mul, kInt, "{d} = mul {T} {0}, {1}"},
    {Op::Mul, kBool, "{d} = and {T} {0}, {1}"},
    {Op::Div, kFloat, "{d} = fdiv {T} {0}, {1}"},
    // One max instruction and a blend; llvm.maximum, which also orders the zeros, takes three instructions more on x86.
    {Op::Max, kFloat,
     "{d}g = fcmp ogt {T} {0}, {1}\n{d}m = select {M} {d}g, {T} {0}, {T} {1}\n"
     "{d}n = fcmp uno {T} {0}, {0}\n{d} = select {M} {d}n, {T} {0}, {T} {d}m"},
    {Op::Max, kSigned | kIndex, "{d} = call {T} @llvm.smax.{t}({T} {0}, {T} {1})"},
    {Op::Max, kUnsigned, "{d} = call {T} @llvm.umax.{t}({T} {0}, {T} {1})"},
    {Op::Max, kBool, "{d} = or {T} {0}, {1}"},
    {Op::IDiv, kEasy, "{d} = udiv {T} {0}, {1}"},
    {Op::IDiv, kPowerOfTwo, "{d} = ashr {T} {0}, {log2}"},
    // Divisors 0 and -1, which trap, become 1; then the quotient is lowered where the signs differ and something is left over.
    {Op::IDiv, kSigned | kIndex,
     "{d}z = icmp eq {T} {1}, {=0}\n{d}n = icmp eq {T} {1}, {=-1}\n{d}s = or {M} {d}z, {d}n\n{d}b = select {M} {d}s, {T} {=1}, {T} {1}\n"
     "{d}q = sdiv {T} {0}, {d}b\n{d}p = mul {T} {d}q, {d}b\n{d}i = icmp ne {T} {d}p, {0}\n{d}x = xor {T} {0}, {d}b\n"
     "{d}o = icmp slt {T} {d}x, {=0}\n{d}l = and {M} {d}i, {d}o\n{d}e = sext {M} {d}l to {T}\n{d}f = add {T} {d}q, {d}e\n"
     "{d}m = sub {T} {=0}, {0}\n{d}r = select {M} {d}n, {T} {d}m, {T} {d}f\n{d} = select {M} {d}z, {T} {=0}, {T} {d}r"},
    {Op::IDiv, kUnsigned,
     "{d}z = icmp eq {T} {1}, {=0}\n{d}b = select {M} {d}z, {T} {=1}, {T} {1}\n{d}q = udiv {T} {0}, {d}b\n"
     "{d} = select {M} {d}z, {T} {=0}, {T} {d}q"},
    {Op::Mod, kEasy, "{d} = urem {T} {0}, {1}"},
    {Op::Mod, kPowerOfTwo, "{d} = and {T} {0}, {low}"},
    {Op::Mod, kSigned | kIndex,
     "{d}z = icmp eq {T} {1}, {=0}\n{d}n = icmp eq {T} {1}, {=-1}\n{d}s = or {M} {d}z, {d}n\n{d}b = select {M} {d}s, {T} {=1}, {T} {1}\n"
     "{d}r = srem {T} {0}, {d}b\n{d}i = icmp ne {T} {d}r, {=0}\n{d}x = xor {T} {0}, {d}b\n{d}o = icmp slt {T} {d}x, {=0}\n"
     "{d}l = and {M} {d}i, {d}o\n{d}e = select {M} {d}l, {T} {d}b, {T} {=0}\n{d} = add {T} {d}r, {d}e"},
    {Op::Mod, kUnsigned,
     "{d}z = icmp eq {T} {1}, {=0}\n{d}b = select {M} {d}z, {T} {=1}, {T} {1}\n{d}r = urem {T} {0}, {d}b\n"
     "{d} = select {M} {d}z, {T} {=0}, {T} {d}r"},
    // A shift too far is poison, which the select drops; on x86 the three lines are one vector instruction.
    {Op::Shl, kInt, "{d}s = shl {T} {0}, {1}\n{d}i = icmp ult {T} {1}, {=bits}\n{d} = select {M} {d}i, {T} {d}s, {T} {=0}"},
    {Op::Shr, kUnsigned, "{d}s = lshr {T} {0}, {1}\n{d}i = icmp ult {T} {1}, {=bits}\n{d} = select {M} {d}i, {T} {d}s, {T} {=0}"},
    {Op::Shr, kSigned | kIndex, "{d}s = call {T} @llvm.umin.{t}({T} {1}, {T} {=last})\n{d} = ashr {T} {0}, {d}s"},
    {Op::And, kInt | kBool, "{d} = and {T} {0}, {1}"},
    {Op::Or, kInt | kBool, "{d} = or {T} {0}, {1}"},
    {Op::Xor, kInt | kBool, "{d} = xor {T} {0}, {1}"},
    {Op::Less, kFloat, "{d} = fcmp olt {T} {0}, {1}"},
    {Op::Less, kSigned | kIndex, "{d} = icmp slt {T} {0}, {1}"},
    {Op::Less, kUnsigned | kBool, "{d} = icmp ult {T} {0}, {1}"},
    {Op::NotEqual, kFloat, "{d} = fcmp une {T} {0}, {1}"},
    {Op::NotEqual, kInt | kBool, "{d} = icmp ne {T} {0}, {1}"},
    {Op::Where, kAny, "{d} = select {M} {0}, {T} {1}, {T} {2}"},
    {Op::Fma, kFloat, "{d} = call {T} @llvm.fma.{t}({T} {0}, {T} {1}, {T} {2})"},
};

/// Conversions: the first row whose kinds fit. A 16-bit float is i16 in registers and goes through float32 (llvm.cpp, cast).
struct CastRule {
  uint16_t from, to;
  std::string_view text;
};
constexpr CastRule kLlvmCasts[] = {
    {kFloat, kBool, "{d} = fcmp une {T} {0}, {=0}"},
    {kInt, kBool, "{d} = icmp ne {T} {0}, {=0}"},
    {kFloat32, kFloat64, "{d} = fpext {T} {0} to {D}"},
    {kFloat64, kFloat32, "{d} = fptrunc {T} {0} to {D}"},
    {kSigned | kIndex, kFloat, "{d} = sitofp {T} {0} to {D}"},
    {kUnsigned | kBool, kFloat, "{d} = uitofp {T} {0} to {D}"},
    // llvm.fptosi.sat is taken apart lane by lane on x86; out of range the conversion is poison, which the selects drop.
    {kFloat, kSigned | kIndex,
     "{d}c = fptosi {T} {0} to {D}\n{d}g = fcmp oge {T} {0}, {high_in}\n{d}h = select {M} {d}g, {D} {high_out}, {D} {d}c\n"
     "{d}l = fcmp ole {T} {0}, {low_in}\n{d}k = select {M} {d}l, {D} {low_out}, {D} {d}h\n"
     "{d}n = fcmp uno {T} {0}, {0}\n{d} = select {M} {d}n, {D} zeroinitializer, {D} {d}k"},
    {kFloat, kUnsigned,
     "{d}c = fptoui {T} {0} to {D}\n{d}g = fcmp oge {T} {0}, {high_in}\n{d}h = select {M} {d}g, {D} {high_out}, {D} {d}c\n"
     "{d}n = fcmp ogt {T} {0}, {=0}\n{d} = select {M} {d}n, {D} {d}h, {D} zeroinitializer"},
};
constexpr std::string_view kLlvmHalfToFloat = "{d}h = bitcast {T} {0} to {H}\n{d} = fpext {H} {d}h to {F}";
constexpr std::string_view kLlvmFloatToHalf = "{d}h = fptrunc {F} {0} to {H}\n{d} = bitcast {H} {d}h to {D}";
constexpr std::string_view kLlvmBfloatToFloat = "{d}w = zext {T} {0} to {I}\n{d}s = shl {I} {d}w, {i=16}\n{d} = bitcast {I} {d}s to {F}";
// Adds just under half a unit of the upper half, and the rest of it where that is odd: ties to even. A nan keeps its upper half.
constexpr std::string_view kLlvmFloatToBfloat =
    "{d}b = bitcast {F} {0} to {I}\n{d}u = lshr {I} {d}b, {i=16}\n{d}o = and {I} {d}u, {i=1}\n{d}a = add {I} {d}b, {i=32767}\n"
    "{d}r = add {I} {d}a, {d}o\n{d}s = lshr {I} {d}r, {i=16}\n{d}q = or {I} {d}u, {i=64}\n{d}n = fcmp uno {F} {0}, {0}\n"
    "{d}m = select {M} {d}n, {I} {d}q, {I} {d}s\n{d} = trunc {I} {d}m to {D}";
// float64 to float32 rounded to odd: towards zero, and an inexact result's last bit set. Rounding that once more to 16 bits gives
// what one rounding would have (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
constexpr std::string_view kLlvmDoubleToOdd =
    "{d}f = fptrunc {T} {0} to {F}\n{d}x = fpext {F} {d}f to {T}\n{d}i = fcmp one {T} {d}x, {0}\n{d}p = call {T} @llvm.fabs.{t}({T} {0})\n"
    "{d}y = call {T} @llvm.fabs.{t}({T} {d}x)\n{d}g = fcmp ogt {T} {d}y, {d}p\n{d}e = sext {M} {d}g to {I}\n"
    "{d}b = bitcast {F} {d}f to {I}\n{d}z = add {I} {d}b, {d}e\n{d}o = or {I} {d}z, {i=1}\n"
    "{d}r = select {M} {d}i, {I} {d}o, {I} {d}b\n{d} = bitcast {I} {d}r to {F}";

constexpr std::string_view kTypes[kDTypeCount] = {"void", "i1",  "i8",  "i16", "i32", "i64",   "i8",    "i16",
                                                  "i32",  "i64", "i16", "i16", "float", "double", "i64"};
constexpr std::string_view kSuffixes[kDTypeCount] = {"",    "i8",  "i8",  "i16", "i32", "i64", "i8", "i16",
                                                     "i32", "i64", "i16", "i16", "f32", "f64", "i64"};
bool same_bits(DType a, DType b) { return a == b || (is_int(a) && is_int(b) && size_of(a) == size_of(b)); }

}  // namespace

std::string_view scalar_type(DType t) { return kTypes[static_cast<size_t>(t)]; }
std::string_view memory_type(DType t) { return t == DType::bool_ ? "i8" : scalar_type(t); }
void put_type(std::string& out, std::string_view scalar, int lanes) {
  if (lanes > 1) put(out, "<", lanes, " x ", scalar, ">");
  else put(out, scalar);
}
void put_suffix(std::string& out, DType t, int lanes) {
  if (lanes > 1) put(out, "v", lanes);
  put(out, kSuffixes[static_cast<size_t>(t)]);
}
std::string number(DType t, int64_t value, double real) {
  std::string out;
  if (t == DType::bool_) put(out, value ? "true" : "false");
  else if (t == DType::float16) put(out, half_from(real));
  else if (t == DType::bfloat16) put(out, bfloat16_from(real));
  else if (is_float(t)) {
    const auto bits = std::bit_cast<uint64_t>(t == DType::float32 ? static_cast<double>(static_cast<float>(real)) : real);
    put(out, "0x");
    for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789ABCDEF"[bits >> shift & 15];
  } else put(out, value);
  return out;
}
void put_splat(std::string& out, DType t, int lanes, std::string_view text) {
  if (lanes > 1) put(out, "splat (", scalar_type(t), " ", text, ")");
  else put(out, text);
}

void Lines::rule(std::string_view pattern, const std::string& d, DType from, DType to, int lanes,
                 std::span<const std::string* const> operands,
                 int64_t divisor) {
  const auto constant = [&](DType t, std::string_view text) {
    int64_t v = 0;
    if (text == "bits") v = 8 * static_cast<int64_t>(size_of(t));
    else if (text == "last") v = 8 * static_cast<int64_t>(size_of(t)) - 1;
    else std::from_chars(text.data(), text.data() + text.size(), v);
    put_splat(out, t, lanes, number(t, v, static_cast<double>(v)));
  };
  const int value_bits = 8 * static_cast<int>(size_of(to)) - (is_signed_int(to) ? 1 : 0);
  while (!pattern.empty()) {
    const size_t end = std::min(pattern.find('\n'), pattern.size());
    out += "  ";
    expand(out, pattern.substr(0, end), [&](std::string_view key) {
      switch (key[0]) {
        case 'd': put(out, d); return;
        case '0': case '1': case '2': put(out, *operands[static_cast<size_t>(key[0] - '0')]); return;
        case 'T': put_type(out, scalar_type(from), lanes); return;
        case 'D': put_type(out, scalar_type(to), lanes); return;
        case 'M': put_type(out, "i1", lanes); return;
        case 'F': put_type(out, "float", lanes); return;
        case 'H': put_type(out, "half", lanes); return;
        case 'I': put_type(out, "i32", lanes); return;
        case 't': put_suffix(out, from, lanes); return;
        case '=': constant(from, key.substr(1)); return;
        case 'i': constant(DType::int32, key.substr(2)); return;
        default: break;
      }
      if (key == "log2") put_splat(out, from, lanes, std::to_string(std::countr_zero(static_cast<uint64_t>(divisor))));
      else if (key == "low") put_splat(out, from, lanes, std::to_string(divisor - 1));
      else if (key == "high_in") put_splat(out, from, lanes, number(from, 0, std::ldexp(1.0, value_bits)));
      else if (key == "low_in") put_splat(out, from, lanes, number(from, 0, -std::ldexp(1.0, value_bits)));
      else if (key == "high_out")
        put_splat(out, to, lanes, is_signed_int(to) ? std::to_string(std::numeric_limits<int64_t>::max() >> (63 - value_bits)) : "-1");
      else if (key == "low_out") put_splat(out, to, lanes, std::to_string(std::numeric_limits<int64_t>::min() >> (63 - value_bits)));
      else fail("llvm", at, "unknown key in a rule");
    });
    out += '\n';
    pattern.remove_prefix(std::min(end + 1, pattern.size()));
  }
}

void Lines::alu(const Inst& u, DType from, int64_t divisor, const std::string& d, std::span<const std::string* const> operands) {
  uint16_t kind = kind_of(from);
  if (u.alu == Op::IDiv || u.alu == Op::Mod) {
    if (u.value == 1 && is_int(from)) kind = kEasy;
    else if (is_signed_int(from) && divisor > 0 && std::has_single_bit(static_cast<uint64_t>(divisor))) kind = kPowerOfTwo;
  }
  const Rule* found = find(kLlvmAlu, u.alu, kind);
  if (!found) fail("llvm", at, "no rule for alu " + std::string(name_of(u.alu)) + " on " + std::string(name_of(from)));
  rule(found->text, d, from, u.dtype, u.lanes, operands, divisor);
}

std::string Lines::convert(const std::string& v, DType from, DType to, int lanes, const std::string& d) {
  if (same_bits(from, to)) return v;
  const std::string* operands[] = {&v};
  const auto apply = [&](std::string_view pattern) { return rule(pattern, d, from, to, lanes, operands), d; };
  if (kind_of(from) == kHalf) {
    const std::string wide = to == DType::float32 ? d : d + "w_";
    rule(from == DType::float16 ? kLlvmHalfToFloat : kLlvmBfloatToFloat, wide, from, to, lanes, operands);
    return convert(wide, DType::float32, to, lanes, d);
  }
  if (kind_of(to) == kHalf) {
    if (from == DType::float32) return apply(to == DType::float16 ? kLlvmFloatToHalf : kLlvmFloatToBfloat);
    const std::string single = d + "o_";
    if (from == DType::float64) {
      rule(kLlvmDoubleToOdd, single, from, to, lanes, operands);
      return convert(single, DType::float32, to, lanes, d);
    }
    const DType exact = size_of(from) < 4 ? DType::float32 : DType::float64;
    return convert(convert(v, from, exact, lanes, d + "x_"), exact, to, lanes, d);
  }
  for (const CastRule& r : kLlvmCasts)
    if ((r.from & kind_of(from)) && (r.to & kind_of(to))) return apply(r.text);
  const bool widens = from == DType::bool_ || size_of(from) < size_of(to);
  return apply(!widens ? "{d} = trunc {T} {0} to {D}" : is_unsigned(from) ? "{d} = zext {T} {0} to {D}" : "{d} = sext {T} {0} to {D}");
}

}  // namespace tg::render
