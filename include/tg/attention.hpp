#pragma once
// Attention: each query's mean of the values, weighted by how well it agrees with their keys.
//
//   scaled_dot_product_attention(q, k, v, {.causal = true})
#include "tg/tensor.hpp"

namespace tg {

struct AttentionOptions {  // of scaled_dot_product_attention
  detail::ByName by_name_only = detail::by_name;
  Tensor mask = {};      // broadcasts to (..., l, s): of bool, true where a query may look; of floats, added to the scores
  bool causal = false;   // query i looks at keys 0 to i
  bool grouped = false;  // axis -3 of the queries is a multiple of the keys': groups of heads share keys and values
  double scale = 0;      // of the scores; 0: 1 / sqrt(e)
  double dropout = 0;    // the probability of a weight to be 0
};
/// softmax(q k^T scale + mask) v of queries (..., l, e), keys (..., s, e) and values (..., s, v), to (..., l, v). Leading axes broadcast.
/// Scores and weights are float32 (float64) numbers; a query that may look nowhere gets nan. Keys behind the last that `causal` lets a
/// query see may be left out of its sums: then a weight of 0 times nan or infinity adds nothing. Vaswani et al. 2017; grouped: Ainslie
/// et al. 2023. ShapeError where shapes do not fit, ValueError where the number of heads does not divide.
[[nodiscard]] Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                                  const AttentionOptions& options = {});
/// The weights (..., l, s) alone, without dropout.
[[nodiscard]] Tensor attention_weights(const Tensor& query, const Tensor& key, const AttentionOptions& options = {});

}  // namespace tg
