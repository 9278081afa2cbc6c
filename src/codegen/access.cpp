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
    else if (t.atom.op() != Op::Range && (t.atom.ranges() & range.ranges()) && reads(t.atom, range)) return kIrregular;
  }
  return out;
}

bool multiplies(const MatrixInstruction& m, const UOp& reduce) {
  const auto widened = [&](const UOp& x) { return x.op() == Op::Cast && x.src(0).dtype() == m.operand && x.dtype() == m.accumulator; };
  const UOp& product = reduce.src(0);
  return reduce.as<ReduceArg>().monoid == Monoid::Sum && reduce.dtype() == m.accumulator && product.op() == Op::Mul &&
         widened(product.src(0)) && widened(product.src(1));
}

}  // namespace tg
