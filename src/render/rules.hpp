#pragma once
// What the renderers share: rows of rules (op, operand kinds, text pattern), their expansion, and quick appending to a string.
//
//   Rule{Op::Add, kFloat, "{d} = fadd {T} {0}, {1}"}     put(out, "%v", 12, "\n")
//
// A pattern's {key} is replaced by what the renderer gives for it; other braces are text.
#include <charconv>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tg/dtype.hpp"
#include "tg/error.hpp"
#include "tg/inst.hpp"

namespace tg::render {

/// Classes of operand types that share a rule, as a bit set.
enum Kind : uint16_t {
  kBool = 1,
  kNarrowSigned = 2,
  kNarrowUnsigned = 4,
  kWideSigned = 8,
  kWideUnsigned = 16,
  kIndex = 32,
  kHalf = 64,
  kFloat32 = 128,
  kFloat64 = 256,
  kEasy = 512,         // operands proven to be where the language's own operator is right: no sign, no zero divisor, no overlong shift
  kPowerOfTwo = 1024,  // signed, and the divisor is a constant power of two
  kFloat = kFloat32 | kFloat64, kSigned = kNarrowSigned | kWideSigned, kUnsigned = kNarrowUnsigned | kWideUnsigned,
  kInt = kSigned | kUnsigned | kIndex, kAny = kBool | kInt | kFloat | kHalf,
};
constexpr uint16_t kind_of(DType t) {
  constexpr uint16_t kinds[kDTypeCount] = {0,           kBool,           kNarrowSigned,   kNarrowSigned, kWideSigned,
                                           kWideSigned, kNarrowUnsigned, kNarrowUnsigned,
                                           kWideUnsigned, kWideUnsigned, kHalf, kHalf, kFloat32, kFloat64, kIndex};
  return kinds[static_cast<size_t>(t)];
}

struct Rule {
  Op op;
  uint16_t kinds;
  std::string_view text;
  std::string_view helper = {};  // C family: a function the text calls
};
inline const Rule* find(std::span<const Rule> rules, Op op, uint16_t kind) {
  for (const Rule& r : rules) if (r.op == op && (r.kinds & kind)) return &r;
  return nullptr;
}

inline void append(std::string& out, std::string_view s) { out += s; }
inline void append(std::string& out, char c) { out += c; }
template <class T>
  requires(std::is_integral_v<T>)
void append(std::string& out, T v) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, v).ptr);
}
template <class... T> void put(std::string& out, const T&... parts) { (append(out, parts), ...); }

/// The pattern with each {key} handed to `replace(key)`, which appends.
template <class F> void expand(std::string& out, std::string_view pattern, F&& replace) {
  while (true) {
    const size_t open = pattern.find('{');
    out += pattern.substr(0, open);
    if (open == std::string_view::npos) return;
    size_t close = open + 1;
    while (close < pattern.size() && pattern[close] != '}' && pattern[close] != ' ' && pattern[close] != '\n') ++close;
    if (close == pattern.size() || pattern[close] != '}' || close == open + 1) {
      out += '{';
      pattern.remove_prefix(open + 1);
    } else {
      replace(pattern.substr(open + 1, close - open - 1));
      pattern.remove_prefix(close + 1);
    }
  }
}

/// The type an alu instruction works on: comparisons give bool, Where takes one.
inline DType operand_type(const std::vector<Inst>& insts, const Inst& u) {
  return u.alu == Op::Where ? u.dtype : insts[static_cast<size_t>(u.src.front())].dtype;
}

[[noreturn]] inline void fail(std::string_view renderer, size_t at, const std::string& why) {
  throw InternalError("render/" + std::string(renderer) + ": instruction %" + std::to_string(at) + ": " + why);
}

}  // namespace tg::render
