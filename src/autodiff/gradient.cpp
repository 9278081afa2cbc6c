// The walk: find the path from root to the targets; then, users before sources, sum what reached a node and hand each source its share.
#include "autodiff/gradient.hpp"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "ir/node_map.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

[[noreturn]] void fail(const std::string& why) { throw GradientError("gradient: " + why); }
std::string kind(const UOp& u) { return fmt::format("{} {} {}", name_of(u.op()), name_of(u.dtype()), to_string(u.shape())); }

/// A balanced sum: many uses of one value add little depth and little rounding.
UOp total(std::vector<UOp> terms) {
  for (; terms.size() > 1; terms.resize((terms.size() + 1) / 2))
    for (size_t i = 0; i < terms.size() / 2; ++i) terms[i] = terms[i] + terms[terms.size() - 1 - i];
  return terms[0];
}
/// In the source's shape: a scalar that was used beside arrays gets the sum over them.
UOp fitted(const UOp& g, const Shape& shape) {
  if (!shape.empty() || g.shape().empty()) return broadcast_to(g, shape);
  return UOp::make(Op::Reshape, {UOp::make(Op::Reduce, {g}, ReduceArg{Monoid::Sum, (1u << g.shape().rank()) - 1})}, Shape{});
}
const GradientRule& rule_of(const UOp& u, Match& m) {
  const auto is = [&](Monoid wanted) { return wanted == (u.op() == Op::Reduce ? u.as<ReduceArg>().monoid : u.as<ScanArg>().monoid); };
  for (const GradientRule& r : gradient_rules())
    if (r.left.op == u.op() && (r.monoids.empty() || std::ranges::any_of(r.monoids, is)) && match(r.left, u, m)) return r;
  fail(kind(u) + " has none; detach it, or express it by ops that have one");
}
/// told(match, row, source) hears of every share handed out.
std::vector<UOp> walk(const UOp& root, const UOp& seed, std::span<const UOp> wrt, const auto& told) {
  for (const UOp& w : wrt) if (!is_float(w.dtype())) fail("with respect to " + kind(w) + ": only float dtypes have one; cast it first");
  if (!is_float(root.dtype())) fail("of " + kind(root) + ": only float dtypes have one; cast it first");
  if (seed.dtype() != root.dtype() || (!seed.shape().empty() && seed.shape() != root.shape()))
    fail(fmt::format("the seed is {}, but the root is {}; give the seed the root's dtype and shape", kind(seed), kind(root)));
  const std::vector<UOp> order = toposort(root);
  detail::NodeMap<size_t> at;
  std::vector<bool> target(order.size()), path(order.size());
  std::vector<std::vector<UOp>> reached(order.size());
  for (size_t i = 0; i < order.size(); ++i) at.add(order[i].node()).first = i;
  for (const UOp& w : wrt) if (const size_t* i = at.find(w.node())) target[*i] = path[*i] = true;
  const auto passes = [](const UOp& u) { return is_float(u.dtype()) && std::ranges::find(kNoGradient, u.op()) == std::end(kNoGradient); };
  for (size_t i = 0; i < order.size(); ++i)
    for (const UOp& s : order[i].src()) if (path[*at.find(s.node())] && passes(order[i])) path[i] = true;
  reached.back() = {broadcast_to(seed, root.shape())};
  for (size_t i = order.size(); i-- > 0;) {
    if (reached[i].empty()) continue;
    const UOp &u = order[i], dy = total(std::move(reached[i]));
    reached[i].assign(target[i], dy);
    Match m;
    const GradientRule* rule = nullptr;
    for (size_t k = 0; k < u.src().size() && passes(u); ++k) {
      const size_t s = *at.find(u.src(k).node());
      if (!path[s]) continue;
      if (!rule) m.root = &u, rule = &rule_of(u, m), m.bind(kUpstream, dy), m.bind(kResult, u);
      const SourceGradient& row = rule->sources[std::min(k, rule->sources.size() - 1)];
      if (!row.pattern && !row.function) continue;
      reached[s].push_back(fitted(row.pattern ? build(*row.pattern, m, u.dtype()) : row.function(u, dy, k), u.src(k).shape()));
      told(m, row, k);
    }
  }
  std::vector<UOp> out;
  for (const UOp& w : wrt)
    if (const size_t* i = at.find(w.node()); i && !reached[*i].empty()) out.push_back(reached[*i][0]);
    else out.push_back(broadcast_to(constant(w.dtype(), 0), w.shape()));
  return out;
}

}  // namespace

std::vector<UOp> gradient(const UOp& root, const UOp& seed, std::span<const UOp> wrt) { return walk(root, seed, wrt, [](auto&&...) {}); }

std::string explain_gradient(const UOp& root, std::span<const UOp> wrt) {
  std::unordered_map<UOp, std::string> names;
  for (const UOp& u : toposort(root)) names.emplace(u, fmt::format("%{}", names.size()));
  std::string text;
  walk(root, constant(root.dtype(), 1), wrt, [&](const Match& m, const SourceGradient& row, size_t k) {
    const std::string dy = "d" + names[*m.root];
    const std::string what = row.pattern ? to_string(*row.pattern, [&](Var v) { return v.slot == kUpstream.slot ? dy : names[m[v]]; })
                                         : fmt::format("{}{}{}", dy, row.text.empty() ? "" : " ", row.text);
    text += fmt::format("{:<4} {:<10} d{} += {}\n", names[*m.root], name_of(m.root->op()), names[m.root->src(k)], what);
  });
  return text;
}

}  // namespace tg
