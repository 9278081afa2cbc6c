#pragma once
// A small language model of characters, as `tg bench transformer` and the benchmarks train it: GPT-2's shape (Radford et al. 2019), 6
// layers 384 wide with 6 heads, sequences of up to 256 of 65 characters.
//
//   TransformerNet net("cpu");     net(tokens)      int32 (n, t) to logits (n, t, 65)
#include <string>
#include <vector>

#include "tg/optim.hpp"
#include "tg/transformer.hpp"

namespace tg::cli {

struct TransformerNet {
  static constexpr int64_t kLayers = 6, kWidth = 384, kHeads = 6, kFeedforward = 4 * kWidth, kLength = 256, kVocabulary = 65;
  nn::Embedding token, position;
  std::vector<nn::TransformerEncoderLayer> layers;
  nn::LayerNorm norm;
  nn::Linear out;
  explicit TransformerNet(const std::string& device);
  [[nodiscard]] Tensor operator()(const Tensor& tokens) const;
  [[nodiscard]] nn::State state() const;
};

/// One training step on tokens (n, t) and those that follow each of them; the loss is that before it.
Tensor train_step(const TransformerNet& net, nn::Optimizer& optimizer, const Tensor& tokens, const Tensor& next);

}  // namespace tg::cli
