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

bool straight(const UOp& product, const UOp& range) {
  return std::ranges::all_of(toposort(product), [&](const UOp& u) {
    return u.op() != Op::Load || stride(u.src(1), range) == 0 || stride(u.src(1), range) == 1;
  });
}

bool multiplies(const MatrixInstruction& m, const UOp& reduce) {
  const auto widened = [&](const UOp& x, DType from) {
    return x.op() == Op::Cast && x.src(0).dtype() == from && x.dtype() == m.accumulator;
  };
  const UOp& product = reduce.src(0);
  if (reduce.as<ReduceArg>().monoid != Monoid::Sum || reduce.dtype() != m.accumulator || product.op() != Op::Mul) return false;
  const UOp &x = product.src(0), &y = product.src(1);
  return (widened(x, m.a) && widened(y, m.b)) || (widened(x, m.b) && widened(y, m.a));
}

size_t first_operand(const MatrixInstruction& m, const UOp& reduce) { return reduce.src(0).src(0).src(0).dtype() == m.a ? 0 : 1; }

}  // namespace tg
