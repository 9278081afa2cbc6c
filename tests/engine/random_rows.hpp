#pragma once
// Random programs like attention: products whose rows of scores are changed, normalised and multiplied again, with or without gradients.
//
//   RandomRows p(seed, "cpu");      p.roots: tensors that are not computed yet      p.text(): what it is, for people
//
// Scores are over groups of heads that share keys. What is masked is -inf, so what follows a mask turns scores into weights; no row is
// masked throughout.
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tg/tg.hpp"

namespace tg {

class RandomRows {
 public:
  RandomRows(uint64_t seed, std::string device) : random_(seed), device_(std::move(device)) {
    dtype_ = below(4) ? float32 : float64;
    batch_ = pick({1, 1, 2, 3}), groups_ = pick({1, 1, 2, 3}), heads_ = pick({1, 1, 2, 4});
    queries_ = 9 + below(90), keys_ = below(2) ? queries_ : 9 + below(90);
    if (below(6) == 0) keys_ += 120;  // of many vectors
    const int64_t inner = 1 + below(6), outer = 1 + below(6);
    q_ = input({batch_, groups_, heads_, queries_, inner});
    k_ = input({batch_, groups_, 1, keys_, inner});
    v_ = input({batch_, groups_, 1, keys_, outer});
    text_ = fmt::format("{} x {} groups of {} heads, {} queries of {}, {} keys, values of {}:", batch_, groups_, heads_, queries_, inner,
                        keys_,
                        outer);
    const Tensor weights = normalised(changed(q_.matmul(k_.transpose(-2, -1))));
    const Tensor result = weights.matmul(v_);
    roots.push_back(result);
    if (below(4) == 0) roots.push_back(said("sums of rows", weights.sum({.axis = -1})));
    if (below(4) == 0) roots.push_back(said("maxima of rows", weights.max({.axis = -1})));
    if (below(3) == 0) return;
    const bool depends = below(3) == 0;
    const std::vector<Tensor> inputs{q_, k_, v_};
    for (const Tensor& g : said(depends ? "gradients of squares" : "gradients",
                                depends ? gradient(result.square().sum(), inputs)
                                        : gradient(result, inputs, {.seed = input(result.shape()).detach()})))
      roots.push_back(g);
    if (below(3) == 0) roots.erase(roots.begin());  // the result itself is not asked for
  }
  std::vector<Tensor> roots;
  const std::string& text() const { return text_; }
  /// How far elements of a root whose largest is so large may be from exact ones.
  double error(double largest) const { return (dtype_ == float64 ? 1e-10 : 1e-4) * (1 + largest); }

 private:
  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  int64_t pick(const std::vector<int64_t>& from) { return from[static_cast<size_t>(below(static_cast<int64_t>(from.size())))]; }
  template <class T>
  T said(const std::string& what, T value) {
    text_ += " " + what + ";";
    return value;
  }
  Tensor input(const Sizes& shape, bool grad = true) {
    int64_t n = 1;
    for (int64_t s : shape) n *= s;
    std::vector<double> data(static_cast<size_t>(n));
    for (double& x : data) x = std::ldexp(static_cast<double>(below(1 << 16)), -15) - 1;
    return Tensor::from(data, shape, {.dtype = dtype_, .device = device_, .requires_grad = grad}).realize();
  }
  Sizes some_of_scores() {
    Sizes shape{batch_, groups_, heads_, queries_, keys_};
    for (size_t i = 0; i + 1 < shape.size(); ++i) if (below(i < 3 ? 2 : 6) == 0) shape[i] = 1;
    return shape;
  }
  Tensor changed(Tensor s) {
    for (int64_t n = below(4); n > 0; --n)
      switch (below(5)) {
        case 0: s = said("scaled", s * 0.37); break;
        case 1: s = said("capped", 2 * tanh(s / 2)); break;
        case 2: s = said("biased", s + input(some_of_scores(), false)); break;
        case 3: s = said("scaled by rows", s * input({queries_, 1}, false)); break;
        default: s = said("without what is negative", s.relu() + s * 0.1); break;
      }
    masked_ = false;
    const TensorOptions on{.device = device_};
    const Tensor row = Tensor::arange(queries_, on).unsqueeze(1), column = Tensor::arange(keys_, on);
    if (below(2)) s = said("causal", mask(s, column <= row + pick({0, 0, 0, 1, 5})));
    if (below(3) == 0) s = said("masked", mask(s, (input(some_of_scores(), false) < 0.3) | (column == 0)));
    return s;
  }
  Tensor mask(const Tensor& s, const Tensor& seen) {
    masked_ = true;
    return where(seen, s, -HUGE_VAL);
  }
  Tensor normalised(const Tensor& s) {
    const ReduceOptions along{.axis = -1, .keepdim = true};
    const Tensor most = s.max(along);
    Tensor p;
    switch (below(masked_ ? 4 : 7)) {
      case 0: case 1: p = said("softmax", s.softmax(-1)); break;
      case 2: p = said("by logsumexp", (s - s.logsumexp(along)).exp()); break;
      case 3: p = said("exponentials", (s - most.detach()).exp()), p = p / (1 + p.sum(along)); break;
      case 4: p = said("less the largest", s - most); break;
      case 5: p = said("by sums", s / (1 + s.square().sum(along))); break;
      default: p = said("as they are", s); break;
    }
    if (below(4) == 0) p = said("dropped out", where(input({batch_, groups_, heads_, queries_, keys_}, false) < 0.5, p / 0.75, 0));
    return p;
  }

  std::mt19937_64 random_;
  std::string device_, text_;
  DType dtype_ = float32;
  int64_t batch_ = 1, groups_ = 1, heads_ = 1, queries_ = 1, keys_ = 1;
  bool masked_ = false;
  Tensor q_, k_, v_;
};

}  // namespace tg
