// Layers of transformers, composed of linear layers, norms and attention.
//
//   TransformerEncoderLayer(...)(x)      norm2(y + ff(y)), y = norm1(x + attention(x, x, x))
#include "tg/transformer.hpp"

#include <fmt/format.h>

#include <cmath>

#include "tensor/impl.hpp"
#include "tg/attention.hpp"
#include "tg/functions.hpp"
#include "tg/random.hpp"

namespace tg::nn {

namespace {

/// PyTorch's mask as an addition to the scores, or as what may be looked at where all are of bool.
Tensor seen(const Tensor& mask) { return mask.dtype() == DType::bool_ ? mask.logical_not() : mask; }
Tensor both(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() ? a : b;
  if (a.dtype() == DType::bool_ && b.dtype() == DType::bool_) return logical_and(a, b);
  const auto added = [](const Tensor& m) {
    return m.dtype() == DType::bool_ ? where(m, 0.0, -HUGE_VAL) : m;
  };
  return added(a) + added(b);
}
bool same(const Tensor& a, const Tensor& b) { return TensorImpl::of(a).get() == TensorImpl::of(b).get(); }

Tensor activated(const Tensor& x, Activation a) { return a == Activation::Gelu ? x.gelu() : x.relu(); }
Tensor dropped(const Tensor& x, double p) { return x.dropout(p, training()); }
MultiheadAttention attention_of(int64_t width, int64_t heads, const TransformerOptions& o) {
  return {width, heads, {.dropout = o.dropout, .bias = o.bias, .batch_first = o.batch_first, .tensor = o.tensor}};
}
Linear linear_of(int64_t in, int64_t out, const TransformerOptions& o) { return {in, out, {.bias = o.bias, .tensor = o.tensor}}; }
LayerNorm norm_of(int64_t width, const TransformerOptions& o) {
  return LayerNorm({width}, {.eps = o.eps, .bias = o.bias, .tensor = o.tensor});
}

/// The states of parts under their names.
State of_parts(std::initializer_list<std::pair<std::string_view, State>> parts) {
  State s;
  for (const auto& [name, more] : parts) append(s, name, more);
  return s;
}

/// x + f(x), normalised before or after.
template <class F>
Tensor residual(const Tensor& x, const LayerNorm& norm, const TransformerOptions& o, F f) {
  return o.norm_first ? x + dropped(f(norm(x)), o.dropout) : norm(x + dropped(f(x), o.dropout));
}

}  // namespace

MultiheadAttention::MultiheadAttention(int64_t width, int64_t h, const MultiheadAttentionOptions& o)
    : heads(h), out_proj(width, width, {.bias = o.bias, .tensor = o.tensor}), dropout(o.dropout), batch_first(o.batch_first) {
  if (h < 1 || width % h != 0) throw ValueError(fmt::format("MultiheadAttention: a width of {} does not divide by {} heads", width, h));
  if (!(o.dropout >= 0 && o.dropout < 1))
    throw ValueError(fmt::format("MultiheadAttention: dropout is {}; it takes 0 or more and less than 1", o.dropout));
  TensorOptions trained = o.tensor;
  trained.requires_grad = true;
  const double bound = std::sqrt(6.0 / static_cast<double>(4 * width));  // Glorot, Bengio 2010
  in_proj_weight = Tensor::uniform({3 * width, width}, {.low = -bound, .high = bound, .tensor = trained});
  if (!o.bias) return;
  in_proj_bias = Tensor::from(std::vector<float>(static_cast<size_t>(3 * width)), {3 * width}, trained);
  out_proj.bias.assign(0);
}
State MultiheadAttention::state() const {
  State s{{"in_proj_weight", in_proj_weight}};
  if (in_proj_bias.defined()) s.emplace_back("in_proj_bias", in_proj_bias);
  append(s, "out_proj", out_proj.state());
  return s;
}

Attended MultiheadAttention::operator()(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionMasks& masks) const {
  const int64_t width = in_proj_weight.size(1);
  const bool batch = query.rank() == 3;
  for (const auto& [x, what] : {std::pair(&query, "query"), std::pair(&key, "key"), std::pair(&value, "value")})
    if ((x->rank() != 2 && x->rank() != 3) || x->rank() != query.rank() || x->size(-1) != width)
      throw ShapeError(fmt::format("MultiheadAttention: the {}'s shape {} is not ({}, {})", what, to_string(x->shape()),
                                   query.rank() == 2 ? "length" : batch_first ? "n, length" : "length, n", width));
  // (n, length, width), n being 1 where there is no batch.
  const auto rows = [&](const Tensor& x) { return !batch ? x.unsqueeze(0) : batch_first ? x : x.transpose(0, 1); };
  // (n, heads, length, width / heads) of one of the three parts of the projections.
  const auto in_heads = [&](const Tensor& y) { return y.unflatten(2, {heads, width / heads}).transpose(1, 2); };
  const auto projected = [&](const Tensor& x, int64_t from, int64_t to) {
    const Slice part = slice(from * width, to * width);
    const Tensor y = rows(x).matmul(in_proj_weight.at(part).transpose());
    return in_proj_bias.defined() ? y + in_proj_bias.at(part) : y;
  };
  Tensor q, k, v;
  if (same(query, key) && same(key, value)) {
    const std::vector<Tensor> parts = projected(query, 0, 3).chunk(3, -1);
    q = in_heads(parts[0]), k = in_heads(parts[1]), v = in_heads(parts[2]);
  } else q = in_heads(projected(query, 0, 1)), k = in_heads(projected(key, 1, 2)), v = in_heads(projected(value, 2, 3));
  AttentionOptions o;
  o.causal = masks.causal;
  if (masks.mask.defined()) o.mask = masks.mask.rank() == 3 ? seen(masks.mask).unflatten(0, {-1, heads}) : seen(masks.mask);
  if (masks.key_padding.defined()) o.mask = both(o.mask, seen(masks.key_padding).reshape({-1, 1, 1, k.size(2)}));
  Attended out;
  out.weights = attention_weights(q, k, o).mean({.axis = 1});
  o.dropout = training() ? dropout : 0;
  const Tensor y = out_proj(scaled_dot_product_attention(q, k, v, o).transpose(1, 2).flatten(2));
  out.output = !batch ? y.squeeze(0) : batch_first ? y : y.transpose(0, 1);
  if (!batch) out.weights = out.weights.squeeze(0);
  return out;
}

TransformerEncoderLayer::TransformerEncoderLayer(int64_t width, int64_t heads, const TransformerOptions& o)
    : self_attn(attention_of(width, heads, o)), linear1(linear_of(width, o.feedforward, o)), linear2(linear_of(o.feedforward, width, o)),
      norm1(norm_of(width, o)), norm2(norm_of(width, o)), options(o) {}
Tensor TransformerEncoderLayer::operator()(const Tensor& x, const AttentionMasks& masks) const {
  const Tensor y = residual(x, norm1, options, [&](const Tensor& v) { return self_attn(v, v, v, masks).output; });
  return residual(y, norm2, options,
                  [&](const Tensor& v) { return linear2(dropped(activated(linear1(v), options.activation), options.dropout)); });
}
State TransformerEncoderLayer::state() const {
  return of_parts({{"self_attn", self_attn.state()}, {"linear1", linear1.state()}, {"linear2", linear2.state()},
                   {"norm1", norm1.state()}, {"norm2", norm2.state()}});
}

TransformerDecoderLayer::TransformerDecoderLayer(int64_t width, int64_t heads, const TransformerOptions& o)
    : self_attn(attention_of(width, heads, o)), multihead_attn(attention_of(width, heads, o)), linear1(linear_of(width, o.feedforward, o)),
      linear2(linear_of(o.feedforward, width, o)), norm1(norm_of(width, o)), norm2(norm_of(width, o)), norm3(norm_of(width, o)),
      options(o) {}
Tensor TransformerDecoderLayer::operator()(const Tensor& x, const Tensor& memory, const AttentionMasks& masks,
                                           const AttentionMasks& memory_masks) const {
  Tensor y = residual(x, norm1, options, [&](const Tensor& v) { return self_attn(v, v, v, masks).output; });
  y = residual(y, norm2, options, [&](const Tensor& v) { return multihead_attn(v, memory, memory, memory_masks).output; });
  return residual(y, norm3, options,
                  [&](const Tensor& v) { return linear2(dropped(activated(linear1(v), options.activation), options.dropout)); });
}
State TransformerDecoderLayer::state() const {
  return of_parts({{"self_attn", self_attn.state()}, {"multihead_attn", multihead_attn.state()}, {"linear1", linear1.state()},
                   {"linear2", linear2.state()}, {"norm1", norm1.state()}, {"norm2", norm2.state()}, {"norm3", norm3.state()}});
}

namespace {
/// So many layers like the given one, each with tensors of its own.
template <class Block>
std::vector<Block> copies(const Block& block, int64_t count, std::string_view what) {
  if (count < 1) throw ValueError(fmt::format("{}: {} layers; it takes 1 or more", what, count));
  Generator unused;  // the first weights are the given layer's, and not drawn
  const Drawing drawing(unused);
  std::vector<Block> out;
  std::vector<Tensor> all;
  for (int64_t i = 0; i < count; ++i) {
    const State from = block.state(), to = out.emplace_back(block.linear1.weight.size(1), block.self_attn.heads, block.options).state();
    for (size_t t = 0; t < to.size(); ++t) all.push_back(Tensor(to[t].second).assign(from[t].second));
  }
  realize(all);
  return out;
}
template <class Stack>
State state_of(const Stack& stack) {
  State s;
  for (size_t i = 0; i < stack.layers.size(); ++i) append(s, fmt::format("layers.{}", i), stack.layers[i].state());
  if (stack.norm) append(s, "norm", stack.norm->state());
  return s;
}
}  // namespace

TransformerEncoder::TransformerEncoder(const TransformerEncoderLayer& layer, int64_t count, std::optional<LayerNorm> last)
    : layers(copies(layer, count, "TransformerEncoder")), norm(std::move(last)) {}
Tensor TransformerEncoder::operator()(const Tensor& x, const AttentionMasks& masks) const {
  Tensor y = x;
  for (const TransformerEncoderLayer& layer : layers) y = layer(y, masks);
  return norm ? (*norm)(y) : y;
}
State TransformerEncoder::state() const { return state_of(*this); }

TransformerDecoder::TransformerDecoder(const TransformerDecoderLayer& layer, int64_t count, std::optional<LayerNorm> last)
    : layers(copies(layer, count, "TransformerDecoder")), norm(std::move(last)) {}
Tensor TransformerDecoder::operator()(const Tensor& x, const Tensor& memory, const AttentionMasks& masks,
                                      const AttentionMasks& memory_masks) const {
  Tensor y = x;
  for (const TransformerDecoderLayer& layer : layers) y = layer(y, memory, masks, memory_masks);
  return norm ? (*norm)(y) : y;
}
State TransformerDecoder::state() const { return state_of(*this); }

}  // namespace tg::nn
