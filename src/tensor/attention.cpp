// Attention as two products with a softmax between.
//
//   scaled_dot_product_attention(q, k, v)      softmax(q k^T / sqrt(e)) v
#include "tg/attention.hpp"

#include <fmt/format.h>

#include <cmath>

#include "tensor/impl.hpp"
#include "tg/functions.hpp"

namespace tg {

namespace {

constexpr const char* kName = "scaled_dot_product_attention";

void check(const Tensor& q, const Tensor& k, const Tensor* v) {
  if (q.rank() < 2 || k.rank() < 2 || q.size(-1) != k.size(-1))
    throw ShapeError(fmt::format("{}: queries {} and keys {}; they are (..., l, e) and (..., s, e)", kName, to_string(q.shape()),
                                 to_string(k.shape())));
  if (v && (v->rank() < 2 || v->size(-2) != k.size(-2)))
    throw ShapeError(fmt::format("{}: keys {} and values {}; they are (..., s, e) and (..., s, v)", kName, to_string(k.shape()),
                                 to_string(v->shape())));
}
/// (..., h, l, e) as (..., groups, h / groups, l, e), with the keys' heads as groups.
Tensor in_groups(const Tensor& q, int64_t groups) {
  if (groups < 1 || q.size(-3) % groups != 0)
    throw ValueError(fmt::format("{}: {} heads of queries do not divide by {} of keys", kName, q.size(-3), groups));
  return q.unflatten(-3, {groups, q.size(-3) / groups});
}
/// The weights, in groups where options say so.
Tensor weights(Tensor q, Tensor k, const AttentionOptions& o) {
  const DType work = working_dtype(promote(q.dtype(), k.dtype()));
  const double scale = o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<double>(q.size(-1)));
  if (o.grouped) {
    if (q.rank() < 3 || k.rank() < 3)
      throw ShapeError(fmt::format("{}: queries {} and keys {} have no axis of heads to group", kName, to_string(q.shape()),
                                   to_string(k.shape())));
    q = in_groups(q, k.size(-3));
    k = k.unsqueeze(-3);
  }
  Tensor scores = q.cast(work).matmul(k.cast(work).transpose(-2, -1)) * scale;
  const auto apart = [&](const Tensor& mask) {  // as the scores are
    return o.grouped && mask.rank() > 2 ? (mask.size(-3) == 1 ? mask.unsqueeze(-3) : in_groups(mask, k.size(-4))) : mask;
  };
  if (o.mask.defined())
    scores = o.mask.dtype() == DType::bool_ ? where(apart(o.mask), scores, -HUGE_VAL) : scores + apart(o.mask).cast(work);
  if (o.causal) {
    const TensorOptions on{.device = q.device()};
    const Tensor row = Tensor::arange(scores.size(-2), on).unsqueeze(1), column = Tensor::arange(scores.size(-1), on);
    scores = where(column <= row, scores, -HUGE_VAL);
  }
  return scores.softmax(-1);
}
Tensor without_groups(const Tensor& x, const AttentionOptions& o) { return o.grouped ? x.flatten(-4, -3) : x; }

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o) {
  check(q, k, &v);
  const Tensor p = weights(q, k, o).dropout(o.dropout), w = o.grouped ? v.unsqueeze(-3) : v;
  return without_groups(p.matmul(w.cast(working_dtype(v.dtype()))), o).cast(float_of(promote(q.dtype(), v.dtype())));
}
Tensor attention_weights(const Tensor& q, const Tensor& k, const AttentionOptions& o) {
  check(q, k, nullptr);
  return without_groups(weights(q, k, o), o);
}

}  // namespace tg
