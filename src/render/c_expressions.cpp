// Rows of rules give each op its spelling, from the dialect first, then from those here; what is the same in C as in ops.def is spelled
// as ops.def says. Signed arithmetic that may wrap is done in unsigned types.
//
//   {Op::Mod, kUnsigned, "tg_floor_mod_{N}({0}, {1})", "{T} tg_floor_mod_{N}({T} a, {T} b) { ... }"}     tg_floor_mod_uint32(x0, 7u)
//
// Keys: {0} {1} {2} operands, {T} their type, {U} the unsigned type that holds it, {N} its name, {W} its width in bits, and for
// conversions {D} the result's type and {M} its name, {low} {high} the bounds of {D} as {T}, {min} {max} as {D}.
#include "render/c_expressions.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "base/float16.hpp"
#include "tg/ir/op_info.hpp"

namespace tg::render {
namespace {

constexpr uint16_t kNotHalf = kAny & ~kHalf;
constexpr Rule kRules[] = {  // no text: as ops.def spells it
    {Op::Exp2, 0, ""},
    {Op::Log2, 0, ""},
    {Op::Sin, 0, ""},
    {Op::Cos, 0, ""},
    {Op::Sqrt, 0, ""},
    {Op::Trunc, 0, ""},
    {Op::Fma, 0, ""},  // the dialect's or none
    {Op::Recip, kFloat, ""},
    {Op::Add, kFloat | kIndex | kWideUnsigned, ""},
    {Op::Add, kInt, "(({T})(({U}){0} + ({U}){1}))"},
    {Op::Add, kBool, "({0} | {1})"},
    {Op::Mul, kFloat | kIndex | kWideUnsigned, ""},
    {Op::Mul, kInt, "(({T})(({U}){0} * ({U}){1}))"},
    {Op::Mul, kBool, "({0} & {1})"},
    {Op::Div, kFloat, ""},
    {Op::Max, kFloat, "tg_max_{N}({0}, {1})", "{T} tg_max_{N}({T} a, {T} b) { return a > b || a != a ? a : b; }"},
    {Op::Max, kInt, "tg_max_{N}({0}, {1})", "{T} tg_max_{N}({T} a, {T} b) { return a > b ? a : b; }"},
    {Op::Max, kBool, "({0} | {1})"},
    {Op::IDiv, kEasy, "({0} / {1})"},
    {Op::IDiv, kSigned | kIndex, "tg_floor_div_{N}({0}, {1})",
     "{T} tg_floor_div_{N}({T} a, {T} b) {\n  if (b == 0) return 0;\n  if (b == -1) return ({T})(0 - ({U})a);\n"
     "  const {T} q = ({T})(a / b);\n  return ({T})(a % b != 0 && (a ^ b) < 0 ? q - 1 : q);\n}"},
    {Op::IDiv, kUnsigned, "tg_floor_div_{N}({0}, {1})", "{T} tg_floor_div_{N}({T} a, {T} b) { return b == 0 ? 0 : ({T})(a / b); }"},
    {Op::Mod, kEasy, "({0} % {1})"},
    {Op::Mod, kSigned | kIndex, "tg_floor_mod_{N}({0}, {1})",
     "{T} tg_floor_mod_{N}({T} a, {T} b) {\n  if (b == 0 || b == -1) return 0;\n"
     "  const {T} r = ({T})(a % b);\n  return ({T})(r != 0 && (r ^ b) < 0 ? r + b : r);\n}"},
    {Op::Mod, kUnsigned, "tg_floor_mod_{N}({0}, {1})", "{T} tg_floor_mod_{N}({T} a, {T} b) { return b == 0 ? 0 : ({T})(a % b); }"},
    {Op::Shl, kEasy, "({0} << {1})"},
    {Op::Shl, kInt, "tg_shl_{N}({0}, {1})", "{T} tg_shl_{N}({T} a, {T} b) { return ({U})b < {W} ? ({T})(({U})a << b) : 0; }"},
    {Op::Shr, kEasy, "({0} >> {1})"},
    {Op::Shr, kUnsigned, "tg_shr_{N}({0}, {1})", "{T} tg_shr_{N}({T} a, {T} b) { return b < {W} ? ({T})(a >> b) : 0; }"},
    {Op::Shr, kInt, "tg_shr_{N}({0}, {1})", "{T} tg_shr_{N}({T} a, {T} b) { return ({T})(a >> (({U})b < {W} ? b : {W} - 1)); }"},
    {Op::And, kInt | kBool, ""}, {Op::Or, kInt | kBool, ""}, {Op::Xor, kInt | kBool, ""},
    {Op::Less, kNotHalf, ""}, {Op::NotEqual, kNotHalf, ""}, {Op::Where, kAny, ""},
};

// Conversions and bit casts.
constexpr Rule kSaturate{Op::Cast, 0, "tg_{M}_of_{N}({0})",
                         "{D} tg_{M}_of_{N}({T} a) { return a != a ? 0 : a <= {low} ? {min} : a >= {high} ? {max} : ({D})a; }"};
constexpr Rule kBits{Op::Bitcast, 0, "tg_{M}_bits_of_{N}({0})",
                     "{D} tg_{M}_bits_of_{N}({T} a) {\n  union { {T} from; {D} to; } u;\n"
                     "  u.from = a;\n  return u.to;\n}"};
constexpr Rule kBfloatToFloat{Op::Cast, 0, "tg_float32_of_bfloat16({0})",
                              "float tg_float32_of_bfloat16({uint16} h) {\n  union { {uint32} bits; float value; } u;\n"
                              "  u.bits = ({uint32})h << 16;\n  return u.value;\n}"};
constexpr Rule kFloatToBfloat{Op::Cast, 0, "tg_bfloat16_of_float32({0})",
                              "{uint16} tg_bfloat16_of_float32(float a) {\n"
                              "  union { float value; {uint32} bits; } u;\n  u.value = a;\n"
                              "  if (a != a) return ({uint16})(u.bits >> 16 | 0x40);\n"
                              "  return ({uint16})((u.bits + 0x7fff + (u.bits >> 16 & 1)) >> 16);\n}"};
// To odd: a second rounding, to 16 bits, then gives what one would have (see llvm_arithmetic.cpp).
constexpr Rule kDoubleToOdd{Op::Cast, 0, "tg_float32_odd_of_float64({0})",
                            "float tg_float32_odd_of_float64(double a) {\n"
                            "  union { float value; {uint32} bits; } u;\n  u.value = (float)a;\n"
                            "  const double back = u.value;\n  if (a != a || back == a) return u.value;\n"
                            "  if ((back < 0 ? -back : back) > (a < 0 ? -a : a)) u.bits -= 1;\n  u.bits |= 1;\n  return u.value;\n}"};

/// ops.def spells without spaces: "({0}+{1})" becomes "({0} + {1})".
std::string spaced(std::string_view spelling) {
  std::string out;
  for (size_t i = 0; i < spelling.size();) {
    const size_t end = spelling[i] == '}' ? spelling.find('{', i) : std::string_view::npos;
    if (end == std::string_view::npos) { out += spelling[i++]; continue; }
    const std::string_view between = spelling.substr(i + 1, end - i - 1);
    put(out, between == "," ? "}" : "} ", between, " ");
    i = end;
  }
  return out;
}

std::string_view unsigned_type(const Dialect& d, DType t) {
  return d.types[static_cast<size_t>(size_of(t) == 8 ? DType::uint64 : DType::uint32)];
}

}  // namespace

std::string_view bare(std::string_view s) {
  if (s.size() < 2 || s.front() != '(' || s.back() != ')') return s;
  int depth = 0;
  for (size_t i = 0; i + 1 < s.size(); ++i) {
    depth += s[i] == '(' ? 1 : s[i] == ')' ? -1 : 0;
    if (depth == 0) return s;
  }
  return s.substr(1, s.size() - 2);
}

bool mentions(std::string_view expression, std::string_view name) {
  const auto letter = [&](size_t i) { return i < expression.size() && std::isalnum(static_cast<unsigned char>(expression[i])); };
  for (size_t at = 0; (at = expression.find(name, at)) != std::string_view::npos; at += name.size())
    if (!letter(at - 1) && !letter(at + name.size())) return true;
  return false;
}

void Expressions::need(std::string_view pattern, DType from, DType to) {
  if (pattern.empty() || !known_.insert({pattern.data(), from, to}).second) return;
  put(helpers_, d_.function);
  write(helpers_, pattern, from, to);
  helpers_ += '\n';
}

void Expressions::write(std::string& out, std::string_view pattern, DType from, DType to) const {
  const int value_bits = 8 * static_cast<int>(size_of(to)) - (is_signed_int(to) ? 1 : 0);
  expand(out, pattern, [&](std::string_view key) {
    if (key == "T") put(out, type(from));
    else if (key == "D") put(out, type(to));
    else if (key == "U") put(out, unsigned_type(d_, from));
    else if (key == "N") put(out, name_of(from));
    else if (key == "M") put(out, name_of(to));
    else if (key == "W") put(out, 8 * size_of(from));
    else if (key == "uint16") put(out, type(uint16));
    else if (key == "uint32") put(out, type(uint32));
    else if (key == "high") put(out, "0x1p", value_bits, from == float32 ? "f" : "");
    else if (key == "low") is_signed_int(to) ? put(out, "-0x1p", value_bits, from == float32 ? "f" : "") : put(out, "0");
    else if (key == "max")
      put(out, "(", type(to), ")", std::numeric_limits<uint64_t>::max() >> (64 - value_bits), "u", size_of(to) == 8 ? d_.wide_suffix : "");
    else if (key == "min" && is_signed_int(to))
      put(out, "(", type(to), ")(-", std::numeric_limits<uint64_t>::max() >> (64 - value_bits), size_of(to) == 8 ? d_.wide_suffix : "",
          " - 1)");
    else if (key == "min") put(out, "0");
    else put(out, "{", key, "}");
  });
}

std::string Expressions::constant(DType t, int64_t value, double real) const {
  if (t == DType::float16) return fmt::format("{}", half_from(real));
  if (t == DType::bfloat16) return fmt::format("{}", bfloat16_from(real));
  if (is_float(t)) {
    if (std::isnan(real)) return fmt::format("(({}){})", type(t), d_.nan);
    const double v = t == float32 ? static_cast<double>(static_cast<float>(real)) : real;
    if (std::isinf(v)) return fmt::format("(({}){}{})", type(t), v < 0 ? "-" : "", d_.infinity);
    std::string text = t == float32 ? fmt::format("{}", static_cast<float>(v)) : fmt::format("{}", v);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return t == float32 ? text + "f" : text;
  }
  if (value == std::numeric_limits<int64_t>::min() && t != uint64)
    return fmt::format("(-{}{} - 1)", std::numeric_limits<int64_t>::max(), d_.wide_suffix);
  const bool wide = value > std::numeric_limits<int32_t>::max() || value < -std::numeric_limits<int32_t>::max();
  if (t == uint64) return fmt::format("{}u{}", static_cast<uint64_t>(value), wide ? d_.wide_suffix : "");
  if (t == uint32) return fmt::format("{}u", static_cast<uint32_t>(value));
  return fmt::format("{}{}", value, wide ? d_.wide_suffix : "");
}

std::string Expressions::apply(const Rule& rule, DType from, DType to, std::span<const std::string> operands) {
  need(rule.helper, from, to);
  std::string pattern, out;
  if (rule.text.find_first_of("TUNDM") != std::string_view::npos) write(pattern, rule.text, from, to);
  else pattern = rule.text;
  const bool call = pattern.back() == ')' && pattern.front() != '(';  // arguments need no parentheses
  expand(out, pattern, [&](std::string_view key) {
    const std::string& operand = operands[static_cast<size_t>(key[0] - '0')];
    put(out, call ? bare(operand) : operand);
  });
  return out;
}

std::string Expressions::alu(Op op, uint16_t kind, DType t, std::span<const std::string> operands) {
  const Rule* rule = find(d_.rules, op, kind);
  if (!rule) rule = find(kRules, op, kind);
  if (rule && !rule->text.empty()) return apply(*rule, t, t, operands);
  // An op that has no row here at all is one of floats that ops.def alone describes.
  const bool known = std::any_of(std::begin(kRules), std::end(kRules), [&](const Rule& r) { return r.op == op; });
  if (!rule && (known || !(kind & kFloat))) return "";
  const std::string spelling = spaced(info(op).c);
  return apply({op, kind, spelling}, t, t, operands);
}

std::string Expressions::convert(const std::string& v, DType from, DType to) {
  if (type(from) == type(to) && kind_of(from) != kHalf && kind_of(to) != kHalf) return v;
  if (from == to) return v;
  const auto half = [&](const char* call, std::string_view function, const std::string& operand) {
    need(function);
    return fmt::format("{}({})", call, bare(operand));
  };
  if (from == float16) return convert(half("tg_float32_of_float16", d_.half_to_float, v), float32, to);
  if (from == bfloat16) return convert(apply(kBfloatToFloat, DType::void_, DType::void_, v), float32, to);
  if (kind_of(to) == kHalf) {
    if (from == float32)
      return to == float16 ? half("tg_float16_of_float32", d_.float_to_half, v) : apply(kFloatToBfloat, DType::void_, DType::void_, v);
    if (from == float64) return convert(apply(kDoubleToOdd, DType::void_, DType::void_, v), float32, to);
    // float32 holds small integers exactly; where there is no float64 the others are rounded twice
    const DType exact = size_of(from) < 4 || !target_.supports(float64) ? float32 : float64;
    return convert(convert(v, from, exact), exact, to);
  }
  if (to == DType::bool_) return fmt::format("({} != 0)", v);
  if (is_float(from) && !is_float(to)) return apply(kSaturate, from, to, v);
  return fmt::format("(({}){})", type(to), v);
}

std::string Expressions::bitcast(const std::string& v, DType from, DType to) {
  if (from == to) return v;
  if (to == DType::bool_) return fmt::format("({} != 0)", v);
  const bool floats = (kind_of(from) | kind_of(to)) & kFloat;
  return floats ? apply(kBits, from, to, v) : fmt::format("(({}){})", type(to), v);
}

}  // namespace tg::render
