// See access.hpp.
#include "codegen/access.hpp"

#include "ir/sum.hpp"

namespace tg {

bool reads(const UOp& u, const UOp& range) {
  for (const UOp& n : toposort(u)) if (n == range) return true;
  return false;
}

int64_t stride(const UOp& index, const UOp& range) {
  int64_t out = 0;
  const Sum sum(index);
  for (const Sum::Term& t : sum.terms()) {
    if (t.atom == range) out = t.coef;
    else if ((t.atom.ranges() & range.ranges()) && reads(t.atom, range)) return kIrregular;
  }
  return out;
}

}  // namespace tg
