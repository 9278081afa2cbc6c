#pragma once
// Optimizers: one step moves every parameter, in one schedule with the loss and the gradients.
//
//   tg::nn::Adam optimizer(net.state(), {.lr = 1e-3});
//   for (...) {
//     tg::Tensor loss = net(x).cross_entropy(labels);
//     loss.backward();
//     optimizer.step({loss});             loss, gradients, moments, parameters and running statistics: computed together, each once
//   }
//
// The learning rate and what depends on the number of steps are scalars handed to the kernels at launch: they change from step to step
// and nothing is compiled again.
#include <variant>

#include "tg/nn.hpp"

namespace tg::nn {

struct SgdOptions {
  detail::ByName by_name_only = detail::by_name;
  double lr = 1e-3;
  double momentum = 0;
  double weight_decay = 0;  // added to the gradient: L2 regularisation
  bool nesterov = false;    // needs momentum
};
struct AdamOptions {
  detail::ByName by_name_only = detail::by_name;
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;  // Adam: added to the gradient; AdamW: p shrinks by lr * weight_decay a step
};

/// What SGD, Adam and AdamW have in common. Copies share the state.
class Optimizer {
 public:
  /// Updates every parameter that has a gradient and removes the gradient. The updates, the buffers of the model's state (running
  /// statistics) and the tensors in `also` are realized in one schedule. GradientError where no parameter has a gradient. Where it throws
  /// (an index out of bounds, no memory) nothing has changed but that the gradients are gone.
  void step(const std::vector<Tensor>& also = {});
  /// Removes all gradients, for a backward that is not to count.
  void zero_grad() const;

  [[nodiscard]] double lr() const { return lr_; }
  /// From the next step on. ValueError unless it is finite and not negative.
  void set_lr(double lr);
  /// Steps taken: saved and restored beside state(), since Adam's bias correction depends on it. ValueError if negative.
  [[nodiscard]] int64_t steps() const { return steps_; }
  void set_steps(int64_t steps);
  /// The moments, named after their parameters: "momentum.w"; "m.w" and "v.w".
  [[nodiscard]] State state() const;

 protected:
  struct AdamRule {
    AdamOptions options;
    bool decoupled;
  };
  Optimizer(const State& state, SgdOptions options);
  Optimizer(const State& state, AdamRule rule);

 private:
  struct Slot {
    std::string name;
    Tensor parameter, first, second;  // first: SGD's momentum or Adam's m; second: Adam's v; undefined where there is none
  };
  void fill(const State& state, bool first, bool second);

  std::variant<SgdOptions, AdamRule> rule_;
  double lr_;
  int64_t steps_ = 0;
  std::vector<Slot> slots_;
  std::vector<Tensor> buffers_;
};

/// v = momentum v + g; p -= lr v, or with Nesterov p -= lr (g + momentum v). Sutskever, Martens, Dahl, Hinton 2013, as PyTorch writes it.
struct SGD : Optimizer {
  explicit SGD(const State& state, const SgdOptions& options = {});
};
/// m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p -= lr m' / (sqrt(v') + eps), m' = m / (1 - beta1^t), v' =
/// v / (1 - beta2^t). Kingma, Ba 2015, algorithm 1.
struct Adam : Optimizer {
  explicit Adam(const State& state, const AdamOptions& options = {});
};
/// Adam with decoupled weight decay: Loshchilov, Hutter 2019.
struct AdamW : Optimizer {
  explicit AdamW(const State& state, const AdamOptions& options = {.weight_decay = 0.01});
};

}  // namespace tg::nn
