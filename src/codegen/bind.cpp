// See bind.hpp.
#include "codegen/bind.hpp"

#include <algorithm>
#include <unordered_set>

#include "ir/monoid.hpp"
#include "ir/symbolic.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

class Binder {
 public:
  Binder(const Nest& nest, bool masks) : nest_(nest), masks_(masks) {
    for (const Split& s : nest.splits) {
      const UOp at = nest.expression(s);
      inside_[s.original] = s.exact ? UOp() : nest.inside(s);
      done_[s.original] = s.exact || masked(s) ? at : where(inside_[s.original], at, nest.extent_of(s) - 1);
    }
  }

  std::vector<UOp> run(const Kernel& k) {
    for (const UOp& u : toposort(k.roots())) if (!done_.contains(u)) done_[u] = rebuild(u);
    std::vector<UOp> stores;
    const auto add = [&](const UOp& s, std::span<const UOp> ranges) {
      std::vector<UOp> src(done_.at(s).src().begin(), done_.at(s).src().end());
      UOp gate = src.size() > 3 ? src[3] : UOp();
      for (const UOp& r : ranges) gate = both(gate, inside_.at(r));
      stores.push_back(store(src[0], src[1], src[2], gate));
    };
    for (const UOp& s : k.stores) add(s, k.ranges);
    for (const Kept& kept : k.kept) add(kept.store, {&kept.range, 1});
    return simplify(stores);
  }

 private:
  static UOp both(const UOp& a, const UOp& b) { return !a ? b : !b ? a : a & b; }
  // Whether its ends are where loads are masked. Steps that a matrix instruction takes at once are what is loaded at once, as lanes are.
  bool masked(const Split& s) const {
    return masks_ || paired(s) || std::any_of(s.axes.begin(), s.axes.end(), [&](int a) {
      const AxisKind k = nest_.axes[static_cast<size_t>(a)].kind;
      return k == AxisKind::Vector || k == AxisKind::Thread;
    });
  }
  bool paired(const Split& s) const {
    return !nest_.matrix.empty() && s.reduces() && std::any_of(s.axes.begin(), s.axes.end(), [&](int a) {
      return nest_.axes[static_cast<size_t>(a)].kind == AxisKind::Unroll;
    });
  }

  UOp rebuild(const UOp& u) {
    std::vector<UOp> src;
    for (const UOp& s : u.src()) src.push_back(done_.at(s));
    if (u.op() == Op::Load) return load(src[0], src[1], gate_of_load(u, src.size() > 2 ? src[2] : UOp()));
    if (u.op() == Op::Reduce) return rebuild_reduce(u, src[0]);
    if (u.op() == Op::Scan) return rebuild_scan(u, std::move(src));
    if (u.op() == Op::Check) return checked(u, u.with(src));
    return std::equal(src.begin(), src.end(), u.src().begin()) ? u : u.with(src);
  }
  UOp gate_of_load(const UOp& u, UOp gate) const {
    for (const Split& s : nest_.splits)
      if (!s.exact && masked(s) && (u.src(1).ranges() & s.original.ranges()) && reads(u.src(1), s.original))
        gate = both(gate, inside_.at(s.original));
    return gate;
  }
  // Lanes that reach past the end have nothing to report.
  UOp checked(const UOp& u, UOp check) const {
    for (const Split& s : nest_.splits)
      if (!s.exact && masked(s) && (u.ranges() & s.original.ranges()) && reads(u, s.original))
        check = passing_outside(inside_.at(s.original), check);
    return check;
  }
  // Whether the range is open in it. Two ranges may share an id when they are never open together, so a set bit is not proof.
  static bool reads(const UOp& expr, const UOp& r) {
    std::vector<const UOp*> stack{&expr};
    std::unordered_set<UOp> seen;
    while (!stack.empty()) {
      const UOp& u = *stack.back();
      stack.pop_back();
      if (u == r) return true;
      const auto closed = u.op() == Op::Reduce ? reduce_ranges(u) : u.op() == Op::Scan ? scan_ranges(u) : std::span<const UOp>();
      if (!(u.ranges() & r.ranges()) || std::find(closed.begin(), closed.end(), r) != closed.end() || !seen.insert(u).second) continue;
      for (const UOp& s : u.src()) stack.push_back(&s);
    }
    return false;
  }
  UOp rebuild_reduce(const UOp& u, UOp value) {
    const Monoid monoid = u.as<ReduceArg>().monoid;
    std::vector<UOp> src{{}};
    for (const UOp& r : reduce_ranges(u)) {
      const Split& s = nest_.split_of(r);
      for (int a : s.axes) src.push_back(nest_.axes[static_cast<size_t>(a)].range);
      if (s.exact) continue;
      const UOp& inside = inside_.at(r);
      const bool by_factor = paired(s) && monoid == Monoid::Sum && value.op() == Op::Mul;
      value = by_factor ? within(value.src(0), inside) * within(value.src(1), inside)
                        : where(inside, value, identity(monoid, value.dtype())[0]);
    }
    src[0] = value;
    if (components(monoid) > 1) src.push_back(done_.at(u.src().back()));
    return u.with(src);
  }
  // A factor of a product that an instruction makes: 0 elsewhere, of the same form: a load by its mask.
  static UOp within(const UOp& factor, const UOp& inside) {
    if (factor.op() == Op::Cast) return factor.with(std::vector{within(factor.src(0), inside)});
    if (factor.op() != Op::Load) return where(inside, factor, constant(factor.dtype(), 0));
    const UOp gate = factor.src().size() > 2 ? factor.src(2) : UOp();
    return load(factor.src(0), factor.src(1), gate == inside ? gate : both(gate, inside));
  }

  UOp rebuild_scan(const UOp& u, std::vector<UOp> src) {
    const Split& s = nest_.split_of(scan_ranges(u)[0]);
    src.pop_back();
    const std::vector<UOp> none = identity(u.as<ScanArg>().monoid, u.dtype());
    if (!s.exact) for (size_t i = 0; i < src.size(); ++i) src[i] = where(inside_.at(s.original), src[i], none[i]);
    for (int a : s.axes) src.push_back(nest_.axes[static_cast<size_t>(a)].range);
    return u.with(src);
  }

  const Nest& nest_;
  const bool masks_;
  std::unordered_map<UOp, UOp> done_, inside_;
};

}  // namespace

std::vector<UOp> bind(const Kernel& k, const Nest& nest, bool masks) { return Binder(nest, masks).run(k); }

}  // namespace tg
