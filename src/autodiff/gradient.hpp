#pragma once
// gradient: reverse-mode differentiation as a transformation of the graph, from a table with a row an op.
//
//   UOp y = x * x;  gradient(y, constant(float32, 1), {&x, 1})[0]      the graph of x + x
//
// The result is graph like any other: it is fused and compiled with the rest, and its own gradient is the second derivative.
#include <optional>

#include "tg/ir/pattern.hpp"

namespace tg {

/// d(sum(seed * root)) / d(w) for each w of `wrt`, in its shape and dtype; zeros where root does not depend on it. `seed` has root's
/// dtype, and its shape or (). Throws GradientError where root or a w is not of a float dtype, or an op between them has no gradient.
std::vector<UOp> gradient(const UOp& root, const UOp& seed, std::span<const UOp> wrt);
/// The same walk as text, a line a step: node, and what it adds to a source's gradient. Numbers are those of dump(root).
std::string explain_gradient(const UOp& root, std::span<const UOp> wrt);

/// One source's gradient: a pattern over the op's sources, dy and out (the op itself); or a function of the node, dy and the source's
/// number, with a text of what becomes of dy; or none, where nothing passes.
struct SourceGradient {
  template <class P> requires std::convertible_to<P, Pat> SourceGradient(P p) : pattern(Pat(p)) {}
  SourceGradient(std::string_view t, UOp (*f)(const UOp& node, const UOp& dy, size_t source)) : text(t), function(f) {}
  SourceGradient(std::nullopt_t) {}
  std::optional<Pat> pattern;
  std::string_view text;
  UOp (*function)(const UOp&, const UOp&, size_t) = nullptr;
};
struct GradientRule {
  Pat left;
  std::vector<SourceGradient> sources;  // the last is for all further ones too
  std::vector<Monoid> monoids = {};     // which Reduce or Scan
};
inline constexpr Var kUpstream{8}, kResult{9};  // dy and out
const std::vector<GradientRule>& gradient_rules();
/// Ops that no gradient passes, silently: leaves, detach, and what is constant almost everywhere or not of real numbers.
inline constexpr Op kNoGradient[] = {Op::Const, Op::Buffer, Op::Param, Op::Variable, Op::Range, Op::Iota, Op::Bind, Op::Detach, Op::Trunc,
    Op::Bitcast, Op::IDiv, Op::Mod, Op::Shl, Op::Shr, Op::And, Op::Or, Op::Xor, Op::Less, Op::NotEqual};

}  // namespace tg
