#pragma once
// Attention and transformers as layers, under PyTorch's names, so that its weights can be loaded.
//
//   tg::nn::TransformerEncoderLayer block(384, 6, {.feedforward = 1536, .batch_first = true, .norm_first = true});
//   tg::Tensor y = block(x, {.causal = true});
//   tg::nn::TransformerEncoder twelve(block, 12);      of twelve such blocks
//
// Sequences are (length, n, width), or (n, length, width) where batch_first says so, or (length, width) without a batch.
#include <optional>

#include "tg/nn.hpp"

namespace tg::nn {

/// Who may not look where; PyTorch's sense, which is opposite to scaled_dot_product_attention's: true means no.
struct AttentionMasks {
  detail::ByName by_name_only = detail::by_name;
  Tensor mask = {};         // (l, s) or (n heads, l, s): of bool, true where a query may not look; of floats, added to the scores
  Tensor key_padding = {};  // (n, s), or (s) without a batch: the same of whole keys
  bool causal = false;      // query i looks at keys 0 to i
};
struct Attended {
  Tensor output;
  Tensor weights;  // (n, l, s): the mean over the heads; costs nothing unless its value is asked for
};

struct MultiheadAttentionOptions {  // of a MultiheadAttention
  detail::ByName by_name_only = detail::by_name;
  double dropout = 0;         // of the weights of attention, in training
  bool bias = true;           // with one, or without
  bool batch_first = false;   // (n, l, width) instead of (l, n, width)
  TensorOptions tensor = {};  // dtype and device
};
/// Queries, keys and values of one width, projected, cut into heads, attended to, put side by side and projected again. Vaswani et al.
/// 2017. ValueError unless the width divides by the heads.
struct MultiheadAttention {
  int64_t heads;
  Tensor in_proj_weight, in_proj_bias;  // (3 width, width): of queries, keys and values
  Linear out_proj;
  double dropout;
  bool batch_first;
  MultiheadAttention(int64_t width, int64_t heads, const MultiheadAttentionOptions& options = {});
  [[nodiscard]] Attended operator()(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionMasks& masks = {}) const;
  [[nodiscard]] State state() const;
};

enum class Activation : uint8_t { Relu, Gelu };  // of transformer layers
struct TransformerOptions {  // of both kinds of layer
  detail::ByName by_name_only = detail::by_name;
  int64_t feedforward = 2048;                // the width between the two linear layers
  double dropout = 0.1;                      // of weights and results, in training
  Activation activation = Activation::Relu;  // between the two linear layers
  double eps = 1e-5;                         // added to the variance
  bool batch_first = false;                  // (n, l, width) instead of (l, n, width)
  bool norm_first = false;                   // normalise what goes into attention and linear layers, instead of the sums
  bool bias = true;                          // with one, or without
  TensorOptions tensor = {};                 // dtype and device
};
/// Attention of the sequence to itself, then two linear layers, each added to what went in and normalised.
struct TransformerEncoderLayer {
  MultiheadAttention self_attn;
  Linear linear1, linear2;
  LayerNorm norm1, norm2;
  TransformerOptions options;
  TransformerEncoderLayer(int64_t width, int64_t heads, const TransformerOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x, const AttentionMasks& masks = {}) const;
  [[nodiscard]] State state() const;
};
/// The same with attention to a second sequence, the memory, in between.
struct TransformerDecoderLayer {
  MultiheadAttention self_attn, multihead_attn;
  Linear linear1, linear2;
  LayerNorm norm1, norm2, norm3;
  TransformerOptions options;
  TransformerDecoderLayer(int64_t width, int64_t heads, const TransformerOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x, const Tensor& memory, const AttentionMasks& masks = {},
                                  const AttentionMasks& memory_masks = {}) const;
  [[nodiscard]] State state() const;
};

/// One encoder layer after another, with tensors of their own that start at the given layer's values; then a norm, if one is given.
/// ValueError: no layers.
struct TransformerEncoder {
  std::vector<TransformerEncoderLayer> layers;
  std::optional<LayerNorm> norm;
  TransformerEncoder(const TransformerEncoderLayer& layer, int64_t count, std::optional<LayerNorm> last = {});
  [[nodiscard]] Tensor operator()(const Tensor& x, const AttentionMasks& masks = {}) const;
  [[nodiscard]] State state() const;
};
/// The same of decoder layers, all of which see the memory.
struct TransformerDecoder {
  std::vector<TransformerDecoderLayer> layers;
  std::optional<LayerNorm> norm;
  TransformerDecoder(const TransformerDecoderLayer& layer, int64_t count, std::optional<LayerNorm> last = {});
  [[nodiscard]] Tensor operator()(const Tensor& x, const Tensor& memory, const AttentionMasks& masks = {},
                                  const AttentionMasks& memory_masks = {}) const;
  [[nodiscard]] State state() const;
};

}  // namespace tg::nn
