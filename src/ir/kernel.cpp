// A kernel's identity and name.
#include "ir/kernel.hpp"

#include <fmt/format.h>

#include "ir/monoid.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {

std::vector<UOp> Kernel::roots() const {
  std::vector<UOp> out = stores;
  for (const Kept& k : kept) out.push_back(k.store);
  return out;
}

Hash128 Kernel::hash() const {
  Hash128 h = mix(mix(kHashSeed, sequential), alone);
  for (const UOp& s : roots()) h = mix(h, s.hash());
  for (const UOp& r : ranges) h = mix(h, r.hash());
  for (const UOp& p : params) h = mix(h, p.hash());  // those, too, that nothing is read from: they are arguments
  return h;
}

UOp passing_outside(const UOp& condition, const UOp& check) {
  const UOp& bound = check.src(1);
  return check.with(std::vector{where(condition, check.src(0), index(0)),
                                bound.bounds().min > 0 ? bound : where(condition, bound, index(1))});
}

std::span<const UOp> reduce_ranges(const UOp& r) {
  return r.src().subspan(1, r.src().size() - (components(r.as<ReduceArg>().monoid) > 1 ? 2 : 1));
}

std::span<const UOp> scan_ranges(const UOp& s) { return s.src().subspan(components(s.as<ScanArg>().monoid)); }

std::string Kernel::name() const {
  bool reduces = false;
  for (const UOp& u : toposort(roots())) reduces |= u.op() == Op::Reduce;
  std::string out = sequential ? "s" : reduces ? "r" : "e";
  for (const UOp& r : ranges) out += fmt::format("_{}", r.src(0).op() == Op::Const ? r.src(0).as<int64_t>() : r.src(0).bounds().max);
  if (reduces)
    for (const UOp& u : toposort(roots())) {
      if (u.op() != Op::Reduce) continue;
      const char* separator = "_";
      for (const UOp& r : reduce_ranges(u)) out += fmt::format("{}{}", std::exchange(separator, "x"), r.src(0).bounds().max);
      if (out.size() > 60) break;
    }
  return out;
}

}  // namespace tg
