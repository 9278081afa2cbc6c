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
  const size_t ra = f.a.shape().rank(), rb = f.b.shape().rank();
  if (ra == 0 || rb == 0)
    throw ShapeError(fmt::format("matmul: shapes {} and {}; a scalar has no axis to contract, use * instead", to_string(shape()),
                                 to_string(other.shape())));
  // Vectors become a row and a column.
  const Shape &x = f.a.shape(), &y = f.b.shape();
  const size_t batch_a = std::max<size_t>(ra, 2) - 2, batch_b = std::max<size_t>(rb, 2) - 2;
  const Dim m = ra > 1 ? x[ra - 2] : Dim(1), k = x[ra - 1], n = rb > 1 ? y[rb - 1] : Dim(1);
  if (const Dim& other_k = y[rb > 1 ? rb - 2 : 0]; !(k == other_k))
    throw ShapeError(fmt::format(
        "matmul: shapes {} and {}: the last axis of the first is {} and the {} of the second {}; they must be equal",
                                 to_string(shape()), to_string(other.shape()), tg::to_string(k), rb == 1 ? "only axis" : "last but one",
                                 tg::to_string(other_k)));
  const auto joined = [](std::span<const Dim> batch, std::initializer_list<Dim> last) {
    Dims d;
    d.reserve(batch.size() + last.size());
    d.insert(d.end(), batch.begin(), batch.end());
    d.insert(d.end(), last);
    return d;
  };
  const std::span<const Dim> of_a(x.begin(), batch_a), of_b(y.begin(), batch_b);
  const Shape batch = broadcast_shape(Dims(of_a.begin(), of_a.end()), Dims(of_b.begin(), of_b.end()), "matmul");
  const std::span<const Dim> of_all(batch.begin(), batch.rank());
  const Shape terms = joined(of_all, {m, k, n});
  const UOp products = spread(tg::reshape(f.a, joined(of_a, {m, k, 1})), terms) * spread(tg::reshape(f.b, joined(of_b, {1, k, n})), terms);
  Dims out = joined(of_all, {m, n});
  if (rb == 1) out.pop_back();
  if (ra == 1) out.erase(out.end() - (rb == 1 ? 1 : 2));
  const UOp sums = reduce(products, Monoid::Sum, {static_cast<int>(terms.rank()) - 2});
  return make(tg::cast(tg::reshape(sums, out), f.result), device(),
              is_float(f.result) && (carries_gradient(*this) || carries_gradient(other)));
}

}  // namespace tg
