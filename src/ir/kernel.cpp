// A kernel's identity and name.
#include "ir/kernel.hpp"

#include <fmt/format.h>

namespace tg {

Hash128 Kernel::hash() const {
  Hash128 h = mix(kHashSeed, sequential);
  for (const UOp& s : stores) h = mix(h, s.hash());
  for (const UOp& r : ranges) h = mix(h, r.hash());
  return h;
}

std::string Kernel::name() const {
  bool reduces = false;
  for (const UOp& u : toposort(stores)) reduces |= u.op() == Op::Reduce;
  std::string out = sequential ? "s" : reduces ? "r" : "e";
  for (const UOp& r : ranges) out += fmt::format("_{}", r.src(0).op() == Op::Const ? r.src(0).as<int64_t>() : r.src(0).bounds().max);
  if (reduces)
    for (const UOp& u : toposort(stores)) {
      if (u.op() != Op::Reduce) continue;
      out += "_";
      for (const UOp& r : u.src().subspan(1)) out += fmt::format("{}{}", &r == &u.src(1) ? "" : "x", r.src(0).bounds().max);
      if (out.size() > 60) break;
    }
  return out;
}

}  // namespace tg
