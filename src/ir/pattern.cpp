// Matching, building and the one rewrite engine.
#include "tg/ir/pattern.hpp"

#include <algorithm>
#include <deque>

#include <fmt/format.h>

#include "base/log.hpp"
#include "ir/node_map.hpp"
#include "tg/error.hpp"

namespace tg {

bool match(const Pat& p, const UOp& u, Match& m) {
  if (p.var) return (!p.var->only_const || is_const(u)) && m.bind(*p.var, u);
  if (p.value) return is_const(u, *p.value);
  if (p.op != u.op()) return false;
  if (p.any_src) return true;
  const auto src = u.src();
  if (src.size() != p.src.size()) return false;
  const Match before = m;
  const auto in_order = [&](size_t swap) {  // swap: 1 exchanges the first two sources
    for (size_t i = 0; i < src.size(); ++i) if (!match(p.src[i], src[i < 2 ? i ^ swap : i], m)) return false;
    return true;
  };
  if (in_order(0)) return true;
  if (!commutes(p.op)) return false;
  m = before;
  return in_order(1);
}

namespace {

// The dtype a pattern will have once built; void when only numbers are in it.
DType dtype_of(const Pat& p, const Match& m) {
  if (p.var) return m[*p.var].dtype();
  if (p.value) return DType::void_;
  if (info(p.op).result == Result::Bool) return DType::bool_;
  for (size_t i = p.op == Op::Where ? 1 : 0; i < p.src.size(); ++i)
    if (const DType t = dtype_of(p.src[i], m); t != DType::void_) return t;
  return DType::void_;
}

Number number_of(const UOp& c) {
  return is_float(c.dtype()) ? Number{0, c.as<double>()} : Number{c.as<int64_t>(), 0};
}

}  // namespace

UOp fold(Op op, std::span<const UOp> src, DType dtype) {
  if (!is_elementwise(op)) return {};
  Number v[3];
  for (size_t i = 0; i < src.size(); ++i) {
    if (!is_const(src[i])) return {};
    v[i] = number_of(src[i]);
  }
  const DType t = src[op == Op::Where ? 1 : 0].dtype();
  const Number r = op == Op::Cast      ? convert(v[0], t, dtype)
                   : op == Op::Bitcast ? bitcast(v[0], t, dtype)
                                       : evaluate(op, t, dtype, v[0], v[1], v[2]);
  return is_float(dtype) ? constant(dtype, r.d) : constant(dtype, r.i);
}

UOp build(const Pat& p, const Match& m, DType hint) {
  if (p.var) return m[*p.var];
  if (p.value) return constant(hint, *p.value);
  DType operand = DType::void_;
  for (size_t i = p.op == Op::Where ? 1 : 0; i < p.src.size() && operand == DType::void_; ++i) operand = dtype_of(p.src[i], m);
  if (operand == DType::void_) operand = hint;
  std::array<UOp, 3> src;
  size_t n = 0;
  for (const Pat& s : p.src) src[n] = build(s, m, p.op == Op::Where && n == 0 ? DType::bool_ : operand), ++n;
  const std::span<const UOp> sources(src.data(), n);
  const DType out = info(p.op).result == Result::Bool ? DType::bool_ : operand;
  if (UOp c = fold(p.op, sources, out)) return c;
  return UOp::make(p.op, sources, Arg{}, out);
}

Rule::Rule(Pat l, Pat r, When w, const char* f)
    : left(std::move(l)), right([r = std::move(r)](const Match& m) { return build(r, m, m.root->dtype()); }), when(std::move(w)), file(f) {}

Rules::Rules(std::initializer_list<Rule> rules) {
  for (const Rule& r : rules) by_op_[static_cast<size_t>(r.left.op)].push_back(r);
}
Rules operator+(Rules a, const Rules& b) {
  for (size_t i = 0; i < a.by_op_.size(); ++i) a.by_op_[i].insert(a.by_op_[i].end(), b.by_op_[i].begin(), b.by_op_[i].end());
  return a;
}

Rules Rules::remembered() && {
  static std::atomic<uint32_t> given{0};
  const uint32_t bit = given.fetch_add(1);
  mark_ = bit < 32 ? uint32_t{1} << bit : 0;  // without a mark a set is merely slower
  return std::move(*this);
}

UOp Rules::apply(const UOp& u, const Rule** fired) const {
  for (const Rule& r : of(u.op())) {
    Match m;
    m.root = &u;
    if (!match(r.left, u, m) || (r.when && !r.when(m))) continue;
    UOp v = r.right(m);
    if (!v || v == u) continue;
    if (v.dtype() != u.dtype())
      throw InternalError(fmt::format("rule {}:{} turns {} into {}", r.file, r.line(), name_of(u.dtype()), name_of(v.dtype())));
    if (fired) *fired = &r;
    return v.shape() == u.shape() ? v : broadcast_to(v, u.shape());
  }
  return {};
}

UOp broadcast_to(const UOp& u, const Shape& shape) {
  if (u.shape() == shape) return u;
  const UOp ranked = u.shape().rank() == shape.rank() ? u : reshape(u, Dims(shape.rank(), 1));
  return ranked.shape() == shape ? ranked : UOp::make(Op::Expand, {ranked}, shape);
}

namespace {

constexpr int kStepCap = 1000;  // rewrites of one node before the rules are taken to be circular

class Engine {
 public:
  explicit Engine(const Rules& rules) : rules_(rules), trace_(logging(5)) {}

  UOp run(const UOp& root) {
    if (!done(root)) push(root);
    while (!stack_.empty()) step();
    return *done(root);
  }

 private:
  struct Frame {
    const UOp* from;  // lives in its user, or in the caller
    UOp now;
    bool entered = false;
    int steps = 0;
  };
  struct Result { UOp from, to; };  // `from` is kept alive too, so that no other node takes its address

  // What the node became; null: not known yet.
  const UOp* done(const UOp& u) const {
    if (u.node()->settled.load(std::memory_order_relaxed) & rules_.mark()) return &u;
    const Result* r = done_.find(u.node());
    return r ? &r->to : nullptr;
  }
  void push(const UOp& u) { stack_.push_back({&u, u}); }

  void step() {
    Frame& f = stack_.back();
    if (done(*f.from)) { stack_.pop_back(); return; }
    if (!f.entered) {
      f.entered = true;
      for (const UOp& s : f.now.src()) if (!done(s)) push(s);  // a deque's elements stay where they are
      return;
    }
    const UOp rebuilt = with_done_sources(f.now);
    const Rule* fired = nullptr;
    const UOp next = rules_.apply(rebuilt, &fired);
    if (!next) { finish(*f.from, rebuilt); return; }
    if (trace_) log(5, fmt::format("{}:{}: {} -> {}", fired->file, fired->line(), to_string(rebuilt), to_string(next)));
    if (++f.steps > kStepCap)
      throw InternalError(
          fmt::format("rewriting does not settle; rule {}:{} fired last, at {}", fired->file, fired->line(), name_of(next.op())));
    if (const UOp* known = done(next)) { finish(*f.from, UOp(*known)); return; }
    f.now = next;  // keep rewriting the replacement
    f.entered = false;
  }
  void finish(const UOp& from, const UOp& to) {
    if (rules_.mark()) to.node()->settled.fetch_or(rules_.mark(), std::memory_order_relaxed);
    else done_.add(to.node()).first = {to, to};
    if (!(from == to)) done_.add(from.node()).first = {from, to};
    stack_.pop_back();
  }
  UOp with_done_sources(const UOp& u) {
    src_.clear();
    for (const UOp& s : u.src()) src_.push_back(*done(s));
    return std::equal(src_.begin(), src_.end(), u.src().begin()) ? u : u.with(src_);
  }

  const Rules& rules_;
  const bool trace_;
  detail::NodeMap<Result> done_;
  std::deque<Frame> stack_;
  std::vector<UOp> src_;
};

}  // namespace

UOp rewrite(const UOp& root, const Rules& rules) {
  if (root.node()->settled.load(std::memory_order_relaxed) & rules.mark()) return root;
  return Engine(rules).run(root);
}
std::vector<UOp> rewrite(std::span<const UOp> roots, const Rules& rules) {
  Engine engine(rules);
  std::vector<UOp> out;
  for (const UOp& r : roots) out.push_back(engine.run(r));
  return out;
}

UOp substitute(const UOp& root, const Substitution& map) { return substitute(std::span(&root, 1), map)[0]; }
std::vector<UOp> substitute(std::span<const UOp> roots, const Substitution& map) {
  std::unordered_map<UOp, UOp> done(map);
  std::vector<UOp> out, src;
  std::vector<std::pair<UOp, bool>> stack;
  for (const UOp& root : roots) {
    stack.emplace_back(root, false);
    while (!stack.empty()) {
      auto [u, ready] = stack.back();
      stack.pop_back();
      if (done.contains(u)) continue;
      if (!ready) {
        stack.emplace_back(u, true);
        for (const UOp& s : u.src()) if (!done.contains(s)) stack.emplace_back(s, false);
        continue;
      }
      src.clear();
      for (const UOp& s : u.src()) src.push_back(done.at(s));
      done.emplace(u, std::equal(src.begin(), src.end(), u.src().begin()) ? u : u.with(src));
    }
    out.push_back(done.at(root));
  }
  return out;
}

}  // namespace tg
