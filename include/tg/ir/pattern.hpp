#pragma once
// Patterns and rewrite rules, as data: {left, right}, {left, right, when} or {left, function}.
//
//   constexpr Var x{0}; constexpr Var c{1, true};              // c matches constants only
//   const Rules rules = {{x + 0, x}, {x * c * c, [](const Match& m) { return ...; }}};
//   rewrite(a + 0, rules) == a
//
// Commuting is a trait of the op and never written twice. A number in a pattern stands for a constant of whatever dtype is beside it.
#include <array>
#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tg/ir/op_info.hpp"
#include "tg/ir/uop.hpp"

namespace tg {

/// A named hole. Constant-initialised, so rule files have no static-order trouble.
struct Var {
  uint8_t slot;
  bool only_const = false;
};
inline constexpr size_t kVars = 10;

/// A hole, a number or an op over patterns.
class Pat {
 public:
  // The line is taken where a hole or a number becomes a pattern: the compiler knows no better place inside a braced table of rules.
  Pat(Var v, int l = __builtin_LINE()) : var(v), line(l) {}
  Pat(double v, int l = __builtin_LINE()) : value(v), line(l) {}
  Pat(int v, int l = __builtin_LINE()) : value(v), line(l) {}
  Pat(Op o, std::vector<Pat> s, int l = 0) : op(o), src(std::move(s)), line(src.empty() ? l : src[0].line) {}

  // Which it is: the hole, the number, or else the op with its sources, whatever they are where `any_src` is set. And where it was written.
  std::optional<Var> var;
  std::optional<double> value;
  Op op = Op::Const;
  std::vector<Pat> src;
  bool any_src = false;  // matches the op whatever its sources are
  int line;
};
/// The op with any sources and argument: for rules whose right side is a function of Match::root.
inline Pat any(Op op, int line = __builtin_LINE()) { Pat p(op, {}, line); p.any_src = true; return p; }

/// Each op as it is written of numbers.
inline Pat operator+(Pat a, Pat b) { return {Op::Add, {std::move(a), std::move(b)}}; }
inline Pat operator*(Pat a, Pat b) { return {Op::Mul, {std::move(a), std::move(b)}}; }
inline Pat operator-(Pat a) { return {Op::Mul, {std::move(a), -1}}; }
inline Pat operator-(Pat a, Pat b) { return std::move(a) + -std::move(b); }
inline Pat operator/(Pat a, Pat b) { return {Op::Div, {std::move(a), std::move(b)}}; }
inline Pat operator&(Pat a, Pat b) { return {Op::And, {std::move(a), std::move(b)}}; }
inline Pat operator|(Pat a, Pat b) { return {Op::Or, {std::move(a), std::move(b)}}; }
inline Pat floor_div(Pat a, Pat b) { return {Op::IDiv, {std::move(a), std::move(b)}}; }
inline Pat floor_mod(Pat a, Pat b) { return {Op::Mod, {std::move(a), std::move(b)}}; }
inline Pat shl(Pat a, Pat b) { return {Op::Shl, {std::move(a), std::move(b)}}; }
inline Pat shr(Pat a, Pat b) { return {Op::Shr, {std::move(a), std::move(b)}}; }
inline Pat bit_xor(Pat a, Pat b) { return {Op::Xor, {std::move(a), std::move(b)}}; }
inline Pat max(Pat a, Pat b) { return {Op::Max, {std::move(a), std::move(b)}}; }
inline Pat less(Pat a, Pat b) { return {Op::Less, {std::move(a), std::move(b)}}; }
inline Pat not_equal(Pat a, Pat b) { return {Op::NotEqual, {std::move(a), std::move(b)}}; }
inline Pat where(Pat c, Pat a, Pat b) { return {Op::Where, {std::move(c), std::move(a), std::move(b)}}; }
inline Pat fma(Pat a, Pat b, Pat c) { return {Op::Fma, {std::move(a), std::move(b), std::move(c)}}; }
inline Pat recip(Pat a) { return {Op::Recip, {std::move(a)}}; }
inline Pat exp2(Pat a) { return {Op::Exp2, {std::move(a)}}; }
inline Pat log2(Pat a) { return {Op::Log2, {std::move(a)}}; }
inline Pat sin(Pat a) { return {Op::Sin, {std::move(a)}}; }
inline Pat cos(Pat a) { return {Op::Cos, {std::move(a)}}; }
inline Pat sqrt(Pat a) { return {Op::Sqrt, {std::move(a)}}; }
inline Pat trunc(Pat a) { return {Op::Trunc, {std::move(a)}}; }

/// An elementwise pattern as text, its holes by the names given: "(dy*y)".
std::string to_string(const Pat&, const std::function<std::string(Var)>& name);

/// What each hole stands for. Non-owning: valid while the matched expression lives.
class Match {
 public:
  const UOp& operator[](Var v) const { return *bound_[v.slot]; }
  bool bind(Var v, const UOp& u) {  // false: already bound to something else
    if (!bound_[v.slot]) bound_[v.slot] = &u;
    return *bound_[v.slot] == u;
  }
  const UOp* root = nullptr;  // the whole matched node

 private:
  std::array<const UOp*, kVars> bound_{};
};
/// Whether the expression has the pattern's form, its sources in either order where the op commutes; binds the holes where it has.
bool match(const Pat&, const UOp&, Match&);
/// The pattern with its holes filled; constants are folded on the way. `hint`: dtype of numbers that stand alone.
UOp build(const Pat&, const Match&, DType hint = DType::void_);

/// What has the form `left` becomes `right`, where `when` holds. A right side that is a function may decline by an empty UOp. `file` and
/// line(): where it was written, for those who want to know which rules fired.
struct Rule {
  using Build = std::function<UOp(const Match&)>;
  using When = std::function<bool(const Match&)>;
  Rule(Pat l, Pat r, When w = {}, const char* f = __builtin_FILE());
  template <std::invocable<const Match&> F>
  Rule(Pat l, F r, const char* f = __builtin_FILE()) : left(std::move(l)), right(std::move(r)), file(f) {}
  Pat left;
  Build right;
  When when;
  const char* file;
  int line() const { return left.line; }
};

/// Rules indexed by the op at their root.
class Rules {
 public:
  Rules(std::initializer_list<Rule> rules);
  /// The first rule that fires on this node, or empty. The result has the node's shape and dtype.
  UOp apply(const UOp&, const Rule** fired = nullptr) const;
  const std::vector<Rule>& of(Op op) const { return by_op_[static_cast<size_t>(op)]; }
  friend Rules operator+(Rules a, const Rules& b);
  /// For sets that live as long as the process: a node that they leave as it is carries a mark, and is not looked at again.
  /// The rules must depend on nothing but the node.
  Rules remembered() &&;
  uint32_t mark() const { return mark_; }

 private:
  uint32_t mark_ = 0;
  std::array<std::vector<Rule>, kOpCount> by_op_;
};

/// Rewrites sources before users, to a fixed point, without recursion. Rules that do not settle throw InternalError naming one.
UOp rewrite(const UOp& root, const Rules&);
std::vector<UOp> rewrite(std::span<const UOp> roots, const Rules&);

/// The expression with nodes replaced, wherever they are reached from root.
using Substitution = std::unordered_map<UOp, UOp>;
UOp substitute(const UOp& root, const Substitution&);
std::vector<UOp> substitute(std::span<const UOp> roots, const Substitution&);

/// The value repeated to `shape` (from shape () or one of equal rank).
UOp broadcast_to(const UOp&, const Shape& shape);

/// Elementwise op over constants, folded; empty if it cannot be.
UOp fold(Op op, std::span<const UOp> src, DType dtype);

}  // namespace tg
