#pragma once
// The value half of the C family: how a dialect writes constants, operations and conversions, and the helper functions they call.
//
//   Expressions e(dialect, target);
//   e.alu(Op::Max, kFloat32, float32, {"x0", "0.0f"})   "tg_max_float32(x0, 0.0f)", and e.helpers() defines tg_max_float32
//
// An expression is a word, a call, or in parentheses, so that it can be an operand of anything.
#include <set>
#include <tuple>

#include "render/c_family.hpp"

namespace tg::render {

/// Without the outer parentheses, where they enclose the whole.
std::string_view bare(std::string_view expression);
/// Is the name a whole word of the expression?
bool mentions(std::string_view expression, std::string_view name);

class Expressions {
 public:
  Expressions(const Dialect& d, const Target& target) : d_(d), target_(target) {}

  std::string constant(DType t, int64_t value, double real) const;
  /// An op on operands of type `t`, by the rule of that kind; empty where there is none.
  std::string alu(Op op, uint16_t kind, DType t, std::span<const std::string> operands);
  std::string convert(const std::string& v, DType from, DType to);
  std::string bitcast(const std::string& v, DType from, DType to);
  /// Has helpers() define the function that the pattern is, once for each pair of types.
  void need(std::string_view pattern, DType from = DType::void_, DType to = DType::void_);
  const std::string& helpers() const { return helpers_; }

 private:
  std::string_view type(DType t) const { return d_.types[static_cast<size_t>(t)]; }
  void write(std::string& out, std::string_view pattern, DType from, DType to) const;
  std::string apply(const Rule& rule, DType from, DType to, std::span<const std::string> operands);
  std::string apply(const Rule& rule, DType from, DType to, const std::string& operand) {
    return apply(rule, from, to, std::span(&operand, 1));
  }

  const Dialect& d_;
  const Target& target_;
  std::string helpers_;  // in order of first use
  std::set<std::tuple<const char*, DType, DType>> known_;
};

}  // namespace tg::render
