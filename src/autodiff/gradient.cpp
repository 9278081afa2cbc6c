// The walk: find the path from root to the targets, then in reverse order sum what reached a node and hand each source its share.
#include "autodiff/gradient.hpp"

#include <unordered_map>

#include <fmt/format.h>

#include "autodiff/gradients.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

/// A balanced sum, so that many uses of one value add neither depth nor much rounding.
UOp total(std::vector<UOp> terms) {
  for (; terms.size() > 1; terms.resize((terms.size() + 1) / 2))
    for (size_t i = 0; i < terms.size() / 2; ++i) terms[i] = terms[i] + terms[terms.size() - 1 - i];
  return terms[0];
}

/// The gradient in its source's shape: a scalar that was used beside arrays gets the sum over them.
UOp fitted(const UOp& g, const Shape& shape) {
  if (g.shape() == shape || !shape.empty()) return broadcast_to(g, shape);
  return UOp::make(Op::Reshape, {UOp::make(Op::Reduce, {g}, ReduceArg{Monoid::Sum, (1u << g.shape().rank()) - 1})}, Shape{});
}

std::string filled(std::string_view text, const auto& value_of) {  // each {key} replaced
  std::string out;
  for (size_t open; (open = text.find('{')) != text.npos; text.remove_prefix(text.find('}') + 1))
    out.append(text.substr(0, open)) += value_of(text.substr(open + 1, text.find('}') - open - 1));
  return out.append(text);
}

class Walk {
 public:
  Walk(const UOp& root, std::span<const UOp> wrt) : order_(toposort(root)), path_(order_.size()), reached_(order_.size()) {
    for (size_t i = 0; i < order_.size(); ++i) at_.emplace(order_[i].node(), i);
    for (const UOp& w : wrt) if (const auto it = at_.find(w.node()); it != at_.end()) path_[it->second] = true;
    for (size_t i = 0; i < order_.size(); ++i)
      if (is_float(order_[i].dtype()) && !stops_gradient(order_[i].op()))
        for (const UOp& s : order_[i].src()) if (path_[at_.at(s.node())]) path_[i] = true;
  }

  /// step(node, rule, match, source, gradient) is told of every share handed out.
  void run(const UOp& seed, const auto& step) {
    reached_.back() = {seed};
    for (size_t i = order_.size(); i-- > 0;) {
      if (reached_[i].empty()) continue;
      const UOp &u = order_[i], dy = total(std::move(reached_[i]));
      reached_[i] = {dy};
      if (stops_gradient(u.op())) continue;
      for (size_t k = 0; k < u.src().size(); ++k) if (path_[at_.at(u.src(k).node())]) { share(u, dy, step); break; }
    }
  }
  /// What reached a node; empty if nothing did.
  UOp of(const UOp& u) const {
    const auto it = at_.find(u.node());
    return it == at_.end() || reached_[it->second].empty() ? UOp() : reached_[it->second][0];
  }
  std::string name(const UOp& u) const { return fmt::format("%{}", at_.at(u.node())); }

 private:
  void share(const UOp& u, const UOp& dy, const auto& step) {
    Match m;
    m.root = &u;
    const GradientRule* rule = gradient_rule(u, m);
    if (!rule) throw GradientError(fmt::format("gradient: {} {} {} has none; detach it, or express it by ops that have one", name_of(u.op()), name_of(u.dtype()), to_string(u.shape())));
    m.bind(kUpstream, dy);
    m.bind(kResult, u);
    for (size_t k = 0; k < u.src().size(); ++k) {
      const size_t s = at_.at(u.src(k).node());
      if (!path_[s] || !rule->of(k).make) continue;
      const UOp g = fitted(rule->of(k).make(m, k), u.src(k).shape());
      if (g.dtype() != u.src(k).dtype()) throw InternalError(fmt::format("gradient: {} gives {} to a source of {}", name_of(u.op()), name_of(g.dtype()), name_of(u.src(k).dtype())));
      reached_[s].push_back(g);
      step(u, *rule, m, k);
    }
  }

  std::vector<UOp> order_;  // sources before users
  std::unordered_map<const detail::Node*, size_t> at_;
  std::vector<bool> path_;
  std::vector<std::vector<UOp>> reached_;
};

UOp checked_seed(const UOp& root, const UOp& seed, std::span<const UOp> wrt) {
  const auto need_float = [](const UOp& u, std::string_view what) {
    if (!is_float(u.dtype())) throw GradientError(fmt::format("gradient {} {} {}: only float dtypes have one; cast it first", what, name_of(u.dtype()), to_string(u.shape())));
  };
  need_float(root, "of");
  for (const UOp& w : wrt) need_float(w, "with respect to");
  if (seed.dtype() != root.dtype() || (!seed.shape().empty() && seed.shape() != root.shape()))
    throw GradientError(fmt::format("gradient: the seed is {} {}, the root {} {}; they must agree", name_of(seed.dtype()), to_string(seed.shape()), name_of(root.dtype()), to_string(root.shape())));
  return broadcast_to(seed, root.shape());
}

std::string text_of(const Pat& p, const auto& name_of_var) {
  if (p.var) return name_of_var(*p.var);
  if (p.value) return fmt::format("{:.6g}", *p.value);
  return filled(info(p.op).c, [&](std::string_view k) { return text_of(p.src[static_cast<size_t>(k[0] - '0')], name_of_var); });
}

}  // namespace

std::vector<UOp> gradient(const UOp& root, const UOp& seed, std::span<const UOp> wrt) {
  Walk walk(root, wrt);
  walk.run(checked_seed(root, seed, wrt), [](auto&&...) {});
  std::vector<UOp> out;
  for (const UOp& w : wrt) {
    out.push_back(walk.of(w));
    if (!out.back()) out.back() = broadcast_to(constant(w.dtype(), 0), w.shape());
  }
  return out;
}

std::string explain_gradient(const UOp& root, std::span<const UOp> wrt) {
  Walk walk(root, wrt);
  std::string text;
  UOp last;
  walk.run(checked_seed(root, constant(root.dtype(), 1), wrt), [&](const UOp& u, const GradientRule& rule, const Match& m, size_t k) {
    if (u != last) {
      text += fmt::format("{} = {}(", walk.name(u), name_of(u.op()));
      for (size_t i = 0; i < u.src().size(); ++i) text += (i ? ", " : "") + walk.name(u.src(i));
      text += ")\n";
    }
    last = u;
    const auto hole = [&](Var v) { return v.slot == kUpstream.slot ? "d" + walk.name(u) : walk.name(m[v]); };
    const auto word = [&](std::string_view key) { return key == "dy" ? "d" + walk.name(u) : walk.name(key == "out" ? u : u.src(key == "x" ? 0 : 1)); };
    const SourceGradient& g = rule.of(k);
    text += fmt::format("    d{} += {}\n", walk.name(u.src(k)), g.pattern ? text_of(*g.pattern, hole) : filled(g.text, word));
  });
  return text;
}

}  // namespace tg
