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

#include "tg/windows.hpp"

namespace tg::nn {

/// Tensors by name, in order. Those that require a gradient are parameters; the others (running statistics) are buffers.
using State = std::vector<std::pair<std::string, Tensor>>;

/// Adds `more` to `state` with `prefix` and a dot before each name.
void append(State& state, std::string_view prefix, const State& more);
/// The tensors of a state that require a gradient, each once: a tied weight by its first name.
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

using Metadata = std::map<std::string, std::string>;  // texts by name that a file holds beside its tensors

/// Writes the tensors as safetensors, atomically: the file is the old one or the new one, whatever happens. Throws IoError;
/// ValueError for a name that is taken twice.
void save(const std::string& path, const State& state, const Metadata& metadata = {});

/// The same bytes to a stream.
void save(std::ostream& out, const State& state, const Metadata& metadata = {});

struct LoadOptions {  // of load
  detail::ByName by_name_only = detail::by_name;
  std::string ignore = "";  // names in the file that begin with this are not looked at; "": none
};
/// Gives the tensors the values they have in the file, whose metadata is returned. Names, shapes and dtypes must agree exactly; otherwise
/// throws IoError that lists what is missing, unexpected or different, and no tensor is changed.
Metadata load(const std::string& path, const State& state, const LoadOptions& options = {});

// ---- layers ----

/// x (..., in) to x W^T + b (..., out), of weights (out, in) and a bias (out), or none.
[[nodiscard]] Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor());

struct LinearOptions {  // of a Linear
  detail::ByName by_name_only = detail::by_name;
  bool bias = true;           // with one, or without
  TensorOptions tensor = {};  // dtype and device
};
/// linear() with weights and a bias that start uniform in +-1/sqrt(in).
struct Linear {
  Tensor weight, bias;
  Linear(int64_t in, int64_t out, const LinearOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};

struct ConvLayerOptions {  // of Conv1d, Conv2d, Conv3d
  detail::ByName by_name_only = detail::by_name;
  PerAxis stride = 1;         // how far windows are apart
  Padding padding = 0;        // what is put around the axes
  PerAxis dilation = 1;       // how far elements of a window are apart
  int64_t groups = 1;         // channels are cut into so many parts that see each other only
  bool bias = true;           // with one, or without
  TensorOptions tensor = {};  // dtype and device
};
/// tg::conv1d, conv2d, conv3d with a weight (out, in / groups, size...) and a bias (out) that start uniform in +-1/sqrt(fan_in), fan_in
/// being the elements behind one output.
struct Conv {
  Tensor weight, bias;
  ConvOptions options;
  Conv(int axes, int64_t in, int64_t out, const PerAxis& size, const ConvLayerOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};
struct Conv1d : Conv {
  Conv1d(int64_t in, int64_t out, const PerAxis& size, const ConvLayerOptions& o = {}) : Conv(1, in, out, size, o) {}
};
struct Conv2d : Conv {
  Conv2d(int64_t in, int64_t out, const PerAxis& size, const ConvLayerOptions& o = {}) : Conv(2, in, out, size, o) {}
};
struct Conv3d : Conv {
  Conv3d(int64_t in, int64_t out, const PerAxis& size, const ConvLayerOptions& o = {}) : Conv(3, in, out, size, o) {}
};

struct ConvTransposeLayerOptions {  // of ConvTranspose1d, 2d, 3d
  detail::ByName by_name_only = detail::by_name;
  PerAxis stride = 1;          // how far windows are apart
  Padding padding = 0;         // what is put around the axes
  PerAxis output_padding = 0;  // so much longer at the end
  PerAxis dilation = 1;        // how far elements of a window are apart
  int64_t groups = 1;          // channels are cut into so many parts that see each other only
  bool bias = true;            // with one, or without
  TensorOptions tensor = {};   // dtype and device
};
/// tg::conv_transpose1d, 2d, 3d with a weight (in, out / groups, size...) and a bias (out), which start as PyTorch's.
struct ConvTranspose {
  Tensor weight, bias;
  ConvTransposeOptions options;
  ConvTranspose(int axes, int64_t in, int64_t out, const PerAxis& size, const ConvTransposeLayerOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};
struct ConvTranspose1d : ConvTranspose {
  ConvTranspose1d(int64_t in, int64_t out, const PerAxis& size, const ConvTransposeLayerOptions& o = {})
      : ConvTranspose(1, in, out, size, o) {}
};
struct ConvTranspose2d : ConvTranspose {
  ConvTranspose2d(int64_t in, int64_t out, const PerAxis& size, const ConvTransposeLayerOptions& o = {})
      : ConvTranspose(2, in, out, size, o) {}
};
struct ConvTranspose3d : ConvTranspose {
  ConvTranspose3d(int64_t in, int64_t out, const PerAxis& size, const ConvTransposeLayerOptions& o = {})
      : ConvTranspose(3, in, out, size, o) {}
};

struct BatchNormOptions {  // of a BatchNorm
  detail::ByName by_name_only = detail::by_name;
  double eps = 1e-5;          // added to the variance
  double momentum = 0.1;      // of the running statistics: running = (1 - momentum) running + momentum batch
  TensorOptions tensor = {};  // dtype and device
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
// PyTorch's names; behind axis 1 there may be any number of axes.
using BatchNorm1d = BatchNorm;
using BatchNorm2d = BatchNorm;
using BatchNorm3d = BatchNorm;

struct LayerNormOptions {  // of a LayerNorm
  detail::ByName by_name_only = detail::by_name;
  double eps = 1e-5;          // added to the variance
  bool affine = true;         // with a weight, which starts at 1
  bool bias = true;           // and a bias beside it, which starts at 0
  TensorOptions tensor = {};  // dtype and device
};
/// Tensor::layer_norm over the last axes, of the given sizes.
struct LayerNorm {
  Sizes shape;
  Tensor weight, bias;
  double eps;
  explicit LayerNorm(const Sizes& shape, const LayerNormOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};

struct AffineOptions {  // of GroupNorm and InstanceNorm
  detail::ByName by_name_only = detail::by_name;
  double eps = 1e-5;          // added to the variance
  bool affine = true;         // with a weight and a bias a channel, which start at 1 and 0
  TensorOptions tensor = {};  // dtype and device
};
/// tg::group_norm of (n, channels, ...). ValueError unless the channels divide by the groups.
struct GroupNorm {
  int64_t groups, channels;
  Tensor weight, bias;
  double eps;
  GroupNorm(int64_t groups, int64_t channels, const AffineOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};
/// tg::instance_norm of (n, channels, sizes...).
struct InstanceNorm {
  int64_t channels;
  Tensor weight, bias;
  double eps;
  explicit InstanceNorm(int64_t channels, const AffineOptions& options = {.affine = false});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};
struct RMSNormOptions {
  detail::ByName by_name_only = detail::by_name;
  double eps = 1e-5;          // added to the mean of squares
  TensorOptions tensor = {};  // dtype and device
};
/// tg::rms_norm over the last axes, of the given sizes. The weight starts at 1.
struct RMSNorm {
  Tensor weight;
  double eps;
  explicit RMSNorm(const Sizes& shape, const RMSNormOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};

/// The rows of a table (count, width) at integers (...), to (..., width). The row at padding_idx, which may count from the end, gets no
/// gradient. IndexError, when computed, for a number outside; at once for padding_idx.
inline constexpr int64_t kNoPadding = INT64_MIN;
[[nodiscard]] Tensor embedding(const Tensor& x, const Tensor& weight, int64_t padding_idx = kNoPadding);

struct EmbeddingOptions {  // of an Embedding
  detail::ByName by_name_only = detail::by_name;
  int64_t padding_idx = kNoPadding;  // this row starts at 0 and stays
  TensorOptions tensor = {};         // dtype and device
};
/// embedding() with a table that starts normal, variance 1.
struct Embedding {
  Tensor weight;
  int64_t padding_idx;
  Embedding(int64_t count, int64_t width, const EmbeddingOptions& options = {});
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
  [[nodiscard]] State state() const;
};

/// Tensor::dropout in training, nothing in evaluation. ValueError unless 0 <= p < 1.
struct Dropout {
  double p;
  explicit Dropout(double probability = 0.5);
  [[nodiscard]] Tensor operator()(const Tensor& x) const;
};

/// Tensor::flatten of the axes from `first` to `last`: what lies between convolutions and Linear.
struct Flatten {
  int first = 1, last = -1;
  [[nodiscard]] Tensor operator()(const Tensor& x) const { return x.flatten(first, last); }
};

// Pooling as layers: MaxPool2d(2), MaxPool2d({.size = 3, .stride = 2, .padding = 1}).
#define POOL(Name, function)                                                                                  \
  struct Name {                                                                                               \
    PoolOptions options;                                                                                      \
    explicit Name(const PoolOptions& o) : options(o) {}                                                       \
    template <detail::Integer I>                                                                              \
    explicit Name(I size) : options{.size = size} {}                                                          \
    [[nodiscard]] Tensor operator()(const Tensor& x) const { return function(x, options); }                   \
  };
POOL(MaxPool1d, max_pool1d) POOL(MaxPool2d, max_pool2d) POOL(MaxPool3d, max_pool3d)
POOL(AvgPool1d, avg_pool1d) POOL(AvgPool2d, avg_pool2d) POOL(AvgPool3d, avg_pool3d)
#undef POOL

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
