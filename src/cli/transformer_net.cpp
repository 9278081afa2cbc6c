// Embeddings of tokens and of their places, layers that normalise first, and one linear layer to the logits.
#include "cli/transformer_net.hpp"

#include <fmt/format.h>

#include "tg/tg.hpp"

namespace tg::cli {

TransformerNet::TransformerNet(const std::string& device)
    : token(kVocabulary, kWidth, {.tensor = {.device = device}}), position(kLength, kWidth, {.tensor = {.device = device}}),
      norm({kWidth}, {.tensor = {.device = device}}), out(kWidth, kVocabulary, {.bias = false, .tensor = {.device = device}}) {
  for (int64_t i = 0; i < kLayers; ++i)
    layers.emplace_back(kWidth, kHeads,
                        nn::TransformerOptions{.feedforward = kFeedforward,
                                               .dropout = 0,
                                               .activation = nn::Activation::Gelu,
                                                               .batch_first = true, .norm_first = true, .tensor = {.device = device}});
}

Tensor TransformerNet::operator()(const Tensor& tokens) const {
  Tensor x = token(tokens) + position.weight.at(slice(0, tokens.size(1)));
  for (const nn::TransformerEncoderLayer& layer : layers) x = layer(x, {.causal = true});
  return out(norm(x));
}

nn::State TransformerNet::state() const {
  nn::State s;
  nn::append(s, "token", token.state());
  nn::append(s, "position", position.state());
  for (size_t i = 0; i < layers.size(); ++i) nn::append(s, fmt::format("layers.{}", i), layers[i].state());
  nn::append(s, "norm", norm.state());
  nn::append(s, "out", out.state());
  return s;
}

Tensor train_step(const TransformerNet& net, nn::Optimizer& optimizer, const Tensor& tokens, const Tensor& next) {
  const Tensor loss = net(tokens).flatten(0, 1).cross_entropy(next.flatten());
  loss.backward();
  optimizer.step({loss});
  return loss;
}

}  // namespace tg::cli
