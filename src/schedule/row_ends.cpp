// See row_ends.hpp. Values behind the ends are followed from step to step; then, from the last step back, who needs what lies there.
#include "schedule/row_ends.hpp"

#include <algorithm>
#include <cmath>

#include "ir/kernel.hpp"
#include "ir/monoid.hpp"
#include "ir/sum.hpp"
#include "ir/symbolic.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

// A range plus a constant, of any integer dtype.
bool shifted_range(const UOp& u, UOp& range, int64_t& by) {
  const Sum sum(u);
  if (!sum.ok() || sum.terms().size() != 1 || sum.terms()[0].coef != 1) return false;
  range = sum.terms()[0].atom;
  by = sum.constant();
  if (range.op() == Op::Cast) {
    int64_t inside = 0;
    const UOp from = range.src(0);
    if (is_float(from.dtype()) || !shifted_range(from, range, inside)) return false;
    by += inside;
  }
  return range.op() == Op::Range;
}

double value_of(const UOp& u) { return is_float(u.dtype()) ? u.as<double>() : static_cast<double>(u.as<int64_t>()); }

std::vector<UOp> loops_of(const std::vector<UOp>& stores) {
  std::vector<UOp> out;
  for (const UOp& u : toposort(stores)) if (u.op() == Op::Range) out.push_back(u);
  return out;
}

}  // namespace

bool RowEnds::compares(const UOp& u, const UOp& row, Comparison& out) {
  UOp a, b;
  int64_t x = 0, y = 0;
  if (u.op() != Op::Less || is_float(u.src(0).dtype()) || !shifted_range(u.src(0), a, x) || !shifted_range(u.src(1), b, y)) return false;
  if (a == row && !(b == row)) out = {b, x - y + 1, true};
  else if (b == row && !(a == row)) out = {a, y - x, false};
  else return false;
  return true;
}

RowEnds::RowEnds(const std::vector<StepView>& steps, const UOp& last, const UOp& follows, int64_t first)
    : steps_(steps), ends_(steps.size()) {
  choose();
  if (length_ == 0) return;
  UOp end = smaller(index(length_), last + beyond_);
  if (follows && length_ > first - 1 + beyond_) end = where(follows, end, index(length_));
  end = simplify(end);
  for (size_t s = 0; s < steps.size(); ++s)
    for (const UOp& store : steps[s].stores) {
      const auto at = steps[s].place.find(store);
      double v = 0;
      if (at != steps[s].place.end() && at->second.second.op() == Op::Range && known(store.src(2), at->second.second, s, v))
        values_[at->second.first] = v;
    }
  for (size_t s = steps.size(); s-- > 0;)
    for (const UOp& r : loops_of(steps[s].stores))
      if (!(r == steps[s].row) && r.src(0).as<int64_t>() == length_ && ends_early(r, s)) ends_[s][r] = end;
}

// So far behind the row that all comparisons are known.
void RowEnds::choose() {
  for (const StepView& s : steps_)
    for (const UOp& u : toposort(s.stores))
      if (Comparison c; compares(u, s.row, c)) {
        const int64_t n = c.range.src(0).as<int64_t>();
        if (length_ == 0) length_ = n, beyond_ = c.beyond;
        else if (n == length_) beyond_ = std::max(beyond_, c.beyond);
      }
  if (beyond_ < 1) length_ = 0;
}

// The value of an expression in all rounds of a loop behind its end, if it is the same in all.
bool RowEnds::known(const UOp& root, const UOp& range, size_t step, double& out) const {
  constexpr double kInfinity = HUGE_VAL;
  std::unordered_map<UOp, double> values;
  const auto has = [&](const UOp& u) { return values.contains(u); };
  for (const UOp& u : toposort(root)) {
    const auto is = [&](size_t i, double v) { return has(u.src(i)) && values.at(u.src(i)) == v; };
    const auto set = [&](double v) { values[u] = v; };
    const bool both = u.src().size() == 2 && has(u.src(0)) && has(u.src(1));
    const auto value = [&](size_t i) { return values.at(u.src(i)); };
    switch (u.op()) {
      case Op::Const: set(value_of(u)); break;
      case Op::Less:
        if (Comparison c; compares(u, steps_[step].row, c) && c.range == range) set(c.holds);
        break;
      case Op::Load: {
        const auto at = steps_[step].place.find(u);
        if (u.src().size() == 2 && at != steps_[step].place.end() && at->second.second == range)
          if (const auto v = values_.find(at->second.first); v != values_.end()) set(v->second);
        break;
      }
      case Op::And:
        if (is(0, 0) || is(1, 0)) set(0);
        else if (both) set(1);
        break;
      case Op::Or:
        if (is(0, 1) || is(1, 1)) set(1);
        else if (both) set(0);
        break;
      case Op::NotEqual: if (both) set(value(0) != value(1)); break;
      case Op::Cast: if (has(u.src(0)) && is_float(u.dtype()) == is_float(u.src(0).dtype())) set(value(0)); break;
      case Op::Where:
        if (has(u.src(0)) && has(u.src(value(0) != 0 ? 1 : 2))) set(value(value(0) != 0 ? 1 : 2));
        break;
      case Op::Add:
        if (is(0, -kInfinity) || is(1, -kInfinity)) set(-kInfinity);  // were the other inf or nan, the row's first elements would be nan
        else if (both) set(value(0) + value(1));
        break;
      case Op::Mul:
        if (is(0, 0) || is(1, 0)) set(0);
        else if (both) set(value(0) * value(1));
        break;
      case Op::Exp2: if (is(0, -kInfinity)) set(0); break;
      default: break;
    }
  }
  if (!has(root)) return false;
  out = values.at(root);
  return true;
}

bool RowEnds::ends_early(const UOp& r, size_t s) const {
  const StepView& step = steps_[s];
  double v = 0;
  for (const UOp& u : toposort(step.stores)) {
    if (u.op() != Op::Reduce) continue;
    const auto closed = reduce_ranges(u);
    if (std::find(closed.begin(), closed.end(), r) == closed.end()) continue;
    const Monoid m = u.as<ReduceArg>().monoid;
    if (components(m) > 1 || !known(u.src(0), r, s, v) || v != value_of(identity(m, u.dtype())[0])) return false;
  }
  for (const UOp& store : step.stores) {
    const auto all = toposort(store.src(1));
    if (std::find(all.begin(), all.end(), r) == all.end()) continue;
    if (step.adds) {
      if (!known(store.src(2).src(0), r, s, v) || v != 0) return false;
      continue;
    }
    const auto at = step.place.find(store);
    if (at == step.place.end() || !(at->second.second == r) || !read_before_end(at->second.first, s)) return false;
  }
  return true;
}

// Whether all later steps read it in loops that end early.
bool RowEnds::read_before_end(int buffer, size_t from) const {
  for (size_t s = from; s < steps_.size(); ++s)
    for (const auto& [access, place] : steps_[s].place)
      if (access.op() == Op::Load && place.first == buffer && !ends_[s].contains(place.second)) return false;
  return true;
}

}  // namespace tg
