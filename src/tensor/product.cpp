// The product of matrices: a broadcasted multiplication and a sum; what makes it fast is the compiler's business.
//
//   a.matmul(b), (m, k) by (k, n)      Reshape(Reduce(Mul(Expand(Reshape(a)), Expand(Reshape(b))), Sum, axis k))      7 nodes
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tensor/factors.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

Tensor Tensor::matmul(const Tensor& other) const {
  const Factors f(*this, other, "matmul");
  const int ra = rank(), rb = other.rank();
  if (ra == 0 || rb == 0)
    throw ShapeError(fmt::format("matmul: shapes {} and {}; a scalar has no axis to contract, use * instead", to_string(shape()),
                                 to_string(other.shape())));
  // Vectors become a row and a column.
  Dims a = f.a.shape().dims(), b = f.b.shape().dims();
  if (ra == 1) a.insert(a.begin(), 1);
  if (rb == 1) b.push_back(1);
  const Dim m = a[a.size() - 2], k = a.back(), n = b.back();
  if (!(k == b[b.size() - 2]))
    throw ShapeError(fmt::format(
        "matmul: shapes {} and {}: the last axis of the first is {} and the {} of the second {}; they must be equal",
                                 to_string(shape()), to_string(other.shape()), tg::to_string(k), rb == 1 ? "only axis" : "last but one",
                                 tg::to_string(b[b.size() - 2])));
  a.push_back(1);                  // (..., m, k, 1)
  b.insert(b.end() - 2, 1);        // (..., 1, k, n)
  const Dims batch = broadcast_shape(Dims(a.begin(), a.end() - 3), Dims(b.begin(), b.end() - 3), "matmul").dims();
  Dims all = batch, out = batch;
  all.insert(all.end(), {m, k, n});
  if (ra > 1) out.push_back(m);
  if (rb > 1) out.push_back(n);
  const Shape terms(all);
  const UOp sums = reduce(spread(tg::reshape(f.a, a), terms) * spread(tg::reshape(f.b, b), terms), Monoid::Sum,
                          {static_cast<int>(terms.rank()) - 2});
  return make(tg::cast(tg::reshape(sums, out), f.result), device(),
              is_float(f.result) && (carries_gradient(*this) || carries_gradient(other)));
}

}  // namespace tg
