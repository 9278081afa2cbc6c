#pragma once
// The gradient table's row: what an op looks like, and what each source's gradient is.
//
//   {x * y, {dy * y, dy * x}}        dy: the gradient that reaches the op; out: the op itself
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ir/pattern.hpp"

namespace tg {

inline constexpr Var kUpstream{8}, kResult{9};  // dy and out in the rows

/// One source's gradient, as a pattern or as a function of the match and the source's number. Its text is for people.
struct SourceGradient {
  using Make = std::function<UOp(const Match&, size_t source)>;
  template <class P> requires std::convertible_to<P, Pat>
  SourceGradient(P p) : pattern(Pat(p)), make([p = Pat(p)](const Match& m, size_t) { return build(p, m, m.root->dtype()); }) {}
  SourceGradient(std::string t, Make f) : text(std::move(t)), make(std::move(f)) {}
  SourceGradient(std::nullopt_t) {}  // none passes to this source

  std::optional<Pat> pattern;
  std::string text;
  Make make;
};

struct GradientRule {
  Pat left;
  std::vector<SourceGradient> sources;  // the last is for all further ones too
  std::optional<Monoid> monoid = {};    // rows of Reduce and Scan
  const SourceGradient& of(size_t source) const { return sources[std::min(source, sources.size() - 1)]; }
};

const std::vector<GradientRule>& gradient_rules();
/// The row for this node, with its holes bound in `m`; null if it has none.
const GradientRule* gradient_rule(const UOp&, Match& m);
/// Ops that no gradient passes, silently: leaves, detach, and what is constant almost everywhere or has no real values.
bool stops_gradient(Op);

}  // namespace tg
