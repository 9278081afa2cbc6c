#pragma once
// Layers of neural networks: plain structs that hold their tensors, are called with one, and name what they hold.
//
//   tg::nn::Sequential net{{"hidden", tg::nn::Linear(784, 128)}, tg::relu, {"out", tg::nn::Linear(128, 10)}};
//   tg::Tensor loss = net(x).cross_entropy(labels);
//   net.state()                                hidden.weight, hidden.bias, out.weight, out.bias
//   tg::nn::save("net.safetensors", net.state());
//   tg::nn::load("net.safetensors", net.state());
//
// A model of one's own is any struct with `Tensor operator()(const Tensor&) const` and, if it holds tensors, `State state() const` (which
// append() helps to write); Sequential takes it as it takes these. Copies of a layer share its tensors, as copies of a Tensor do.
//
// Layers train unless an Evaluation lives on the calling thread. All weights start as PyTorch's do, from tg/random.hpp's generator.
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tg/tensor.hpp"

namespace tg::nn {

/// Tensors by name, in order. Those that require a gradient are parameters; the others (running statistics) are buffers.
using State = std::vector<std::pair<std::string, Tensor>>;

/// Adds `more` to `state` with `prefix` and a dot before each name.
void append(State& state, std::string_view prefix, const State& more);
/// The tensors of a state that require a gradient.
[[nodiscard]] State parameters(const State& state);

/// While one lives, layers called on this thread evaluate: BatchNorm uses its running statistics and Dropout passes its input on. It does
/// not stop the recording of history: NoGrad does.
class Evaluation {
 public:
  Evaluation();
  ~Evaluation();
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

 private:
  bool before_;
};
/// True where no Evaluation lives on this thread.
[[nodiscard]] bool training();

// ---- files ----

using Metadata = std::map<std::string, std::string>;

/// Writes the tensors as safetensors, atomically: the file is the old one or the new one, whatever happens. Throws IoError;
/// ValueError for a name that is taken twice.
void save(const std::string& path, const State& state, const Metadata& metadata = {});

struct LoadOptions {
  detail::ByName by_name_only = detail::by_name;
  std::string ignore = "";  // names in the file that begin with this are not looked at; "": none
};
/// Gives the tensors the values they have in the file, whose metadata is returned. Names, shapes and dtypes must agree exactly; otherwise
/// throws IoError that lists what is missing, unexpected or different, and no tensor is changed.
Metadata load(const std::string& path, const State& state, const LoadOptions& options = {});

// ---- layers ----

struct LinearOptions {
  detail::ByName by_name_only = detail::by_name;
  bool bias = true;
  TensorOptions tensor = {};
};
/// x (..., in) to x W^T + b (..., out). W (out, in) and b (out) start uniform in +-1/sqrt(in).
struct Linear {
  Tensor weight, bias;
  Linear(int64_t in, int64_t out, const LinearOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};

struct Conv2dOptions {
  detail::ByName by_name_only = detail::by_name;
  Pair stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  TensorOptions tensor = {};
};
/// Tensor::conv2d with a weight (out, in / groups, height, width) and a bias (out) that start uniform in +-1/sqrt(fan_in), fan_in being the
/// elements behind one output.
struct Conv2d {
  Tensor weight, bias;
  ConvOptions options;
  Conv2d(int64_t in, int64_t out, Pair size, const Conv2dOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};

struct BatchNormOptions {
  detail::ByName by_name_only = detail::by_name;
  double eps = 1e-5;
  double momentum = 0.1;  // of the running statistics: running = (1 - momentum) running + momentum batch
  TensorOptions tensor = {};
};
/// Over axis 1 of (n, c, ...): in training by the batch's mean and population variance, which also move the running ones (the variance
/// divided by n - 1 there), in evaluation by the running ones. Ioffe, Szegedy 2015.
///
/// The running statistics are assigned lazily: realize them with the step. An Optimizer given the whole state does.
struct BatchNorm {
  Tensor weight, bias, running_mean, running_var;
  double eps, momentum;
  explicit BatchNorm(int64_t channels, const BatchNormOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};

struct LayerNormOptions {
  detail::ByName by_name_only = detail::by_name;
  double eps = 1e-5;
  bool bias = true;
  TensorOptions tensor = {};
};
/// Tensor::layer_norm over the last axes, of the given sizes.
struct LayerNorm {
  Tensor weight, bias;
  double eps;
  explicit LayerNorm(const Sizes& shape, const LayerNormOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};

/// Integers (...) to rows of a table (count, width): (..., width). Starts normal, variance 1. IndexError, when computed, for a number
/// outside.
struct Embedding {
  Tensor weight;
  Embedding(int64_t count, int64_t width, const TensorOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};

/// Tensor::dropout in training, nothing in evaluation. ValueError unless 0 <= p < 1.
struct Dropout {
  double p;
  explicit Dropout(double probability = 0.5);
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
};

/// Anything that maps a tensor to a tensor, with its state, if it has one, and a name, if it is given one.
class Layer {
 public:
  template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Layer> && std::is_invocable_r_v<Tensor, const F&, const Tensor&>)
  Layer(F f) : Layer("", std::move(f)) {}
  template <class F>
    requires std::is_invocable_r_v<Tensor, const F&, const Tensor&>
  Layer(std::string name, F f) : name_(std::move(name)) {
    if constexpr (requires { f.state(); }) state_ = [f] { return f.state(); };
    call_ = std::move(f);
  }
  [[nodiscard]] Tensor operator()(const Tensor& x) const { return call_(x); }
  [[nodiscard]] State state() const { return state_ ? state_() : State(); }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::function<Tensor(const Tensor&)> call_;
  std::function<State()> state_;
};

/// One layer after another. A layer without a name is named by its position, from 0, as in PyTorch.
class Sequential {
 public:
  Sequential(std::initializer_list<Layer> layers) : layers_(layers) {}
  explicit Sequential(std::vector<Layer> layers) : layers_(std::move(layers)) {}
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;

 private:
  std::vector<Layer> layers_;
};

}  // namespace tg::nn
