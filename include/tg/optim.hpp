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
#include <functional>
#include <variant>

#include "tg/nn.hpp"

namespace tg::nn {

struct SgdOptions {  // of SGD
  detail::ByName by_name_only = detail::by_name;
  double lr = 1e-3;         // the learning rate
  double momentum = 0;      // how much of the last update is in the next
  double dampening = 0;     // how much of a gradient is not, from the second step on
  double weight_decay = 0;  // added to the gradient: L2 regularisation
  bool nesterov = false;    // needs momentum, and no dampening
  bool maximize = false;    // goes up the gradient
};
struct AdamOptions {  // of Adam and AdamW
  detail::ByName by_name_only = detail::by_name;
  double lr = 1e-3;                   // the learning rate
  double beta1 = 0.9, beta2 = 0.999;  // how much of the last averages, of gradients and of their squares, is in the next
  double eps = 1e-8;                  // added to the divisor
  double weight_decay = 0;            // Adam: added to the gradient; AdamW: p shrinks by lr * weight_decay a step
  bool amsgrad = false;               // divides by the largest average of squares so far: Reddi, Kale, Kumar 2018
  bool maximize = false;              // goes up the gradient
};

struct LambOptions {  // of LAMB
  detail::ByName by_name_only = detail::by_name;
  double lr = 1e-3;                   // the learning rate
  double beta1 = 0.9, beta2 = 0.999;  // how much of the last averages, of gradients and of their squares, is in the next
  double eps = 1e-6;                  // added to the divisor
  double weight_decay = 0;            // times p, added to the update
};
struct MuonOptions {  // of Muon
  detail::ByName by_name_only = detail::by_name;
  double lr = 1e-3;           // the learning rate
  double momentum = 0.95;     // how much of the last average is in the next
  double weight_decay = 0.1;  // p shrinks by lr * weight_decay a step
  bool nesterov = true;       // looks ahead by the momentum
  int steps = 5;              // of the iteration that makes the update orthogonal
};

// The options of the others.
struct RmspropOptions {  // of RMSprop
  detail::ByName by_name_only = detail::by_name;
  double lr = 1e-2;         // the learning rate
  double alpha = 0.99;      // how much of the last average of squares is in the next
  double eps = 1e-8;        // added to the divisor
  double weight_decay = 0;  // added to the gradient, times p
  double momentum = 0;      // how much of the last update is in the next
  bool centered = false;    // divides by the deviation, not by the root of the mean square
  bool maximize = false;    // goes up the gradient
};
struct AdagradOptions {  // of Adagrad
  detail::ByName by_name_only = detail::by_name;
  double lr = 1e-2;         // the learning rate
  double lr_decay = 0;      // which is divided by 1 + lr_decay times the steps before
  double weight_decay = 0;  // added to the gradient, times p
  double initial = 0;       // what sums of squares begin with
  double eps = 1e-10;       // added to the divisor
  bool maximize = false;    // goes up the gradient
};
struct AdadeltaOptions {  // of Adadelta
  detail::ByName by_name_only = detail::by_name;
  double lr = 1;            // what updates are multiplied by
  double rho = 0.9;         // how much of the last averages of squares is in the next
  double eps = 1e-6;        // added under the roots
  double weight_decay = 0;  // added to the gradient, times p
  bool maximize = false;    // goes up the gradient
};
struct AdamaxOptions {  // of Adamax
  detail::ByName by_name_only = detail::by_name;
  double lr = 2e-3;                   // the learning rate
  double beta1 = 0.9, beta2 = 0.999;  // how much of the last average of gradients, and of their largest size, is in the next
  double eps = 1e-8;                  // added to the size of a gradient
  double weight_decay = 0;            // added to the gradient, times p
  bool maximize = false;              // goes up the gradient
};
struct NadamOptions {  // of NAdam
  detail::ByName by_name_only = detail::by_name;
  double lr = 2e-3;                   // the learning rate
  double beta1 = 0.9, beta2 = 0.999;  // how much of the last averages, of gradients and of their squares, is in the next
  double eps = 1e-8;                  // added to the divisor
  double weight_decay = 0;            // added to the gradient, times p
  double momentum_decay = 4e-3;       // momentum grows to beta1: step t has beta1 (1 - 0.96^(t momentum_decay) / 2)
  bool maximize = false;              // goes up the gradient
};
struct RadamOptions {  // of RAdam
  detail::ByName by_name_only = detail::by_name;
  double lr = 1e-3;                   // the learning rate
  double beta1 = 0.9, beta2 = 0.999;  // how much of the last averages, of gradients and of their squares, is in the next
  double eps = 1e-8;                  // added to the divisor
  double weight_decay = 0;            // added to the gradient, times p
  bool maximize = false;              // goes up the gradient
};

/// What all optimizers have in common: groups of parameters, each with options of its own. Copies share the moments.
class Optimizer {
 public:
  /// Updates every parameter that has a gradient and removes the gradient. The updates, the buffers of the model's state (running
  /// statistics) and the tensors in `also` are realized in one schedule. GradientError where no parameter has a gradient. Where it throws
  /// (an index out of bounds, no memory) nothing has changed but that the gradients are gone.
  void step(const std::vector<Tensor>& also = {});
  /// Removes all gradients, for a backward that is not to count.
  void zero_grad() const;

  [[nodiscard]] size_t groups() const { return groups_.size(); }  // how many were added
  /// The learning rate of a group; set_lr of all of them, or of one. From the next step on. ValueError unless it is finite and not
  /// negative, or where there is no such group.
  [[nodiscard]] double lr(size_t group = 0) const;
  void set_lr(double lr);
  void set_lr(double lr, size_t group);
  [[nodiscard]] double initial_lr(size_t group = 0) const;  // what the group's options said
  /// Steps taken: saved and restored beside state(), since Adam's bias correction depends on it. ValueError if negative.
  [[nodiscard]] int64_t steps() const { return steps_; }
  void set_steps(int64_t steps);
  /// The moments, named after their parameters: "momentum.w" of SGD, "m.w" and "v.w" of Adam.
  [[nodiscard]] State state() const;
  /// The tensors that it moves.
  [[nodiscard]] std::vector<Tensor> parameters() const;

 protected:
  struct AdamRule {
    AdamOptions options;
    bool decoupled;
  };
  using Rule = std::variant<SgdOptions, AdamRule, LambOptions, MuonOptions, RmspropOptions, AdagradOptions, AdadeltaOptions, AdamaxOptions,
                            NadamOptions, RadamOptions>;
  Optimizer(const State& state, const Rule& rule) { add(state, rule); }
  /// More parameters, by options of their own. ValueError where there are none, or one is here already.
  void add(const State& state, const Rule& rule);

 private:
  struct Slot {
    std::string name;
    size_t group;
    Tensor parameter;
    std::vector<Tensor> moments;  // those that its group names
  };
  struct Group {
    Rule rule;
    double lr, initial_lr;
    std::vector<std::string> moments;
    bool maximize;
  };
  struct Stepping;  // optim.cpp

  std::vector<Group> groups_;
  int64_t steps_ = 0;
  std::vector<Slot> slots_;
  std::vector<Tensor> buffers_;
};

/// An optimizer whose groups are told by one kind of options.
template <class Options>
struct OptimizerOf : Optimizer {
  explicit OptimizerOf(const State& state, const Options& options = {}) : Optimizer(state, options) {}
  void add_group(const State& state, const Options& options) { add(state, options); }  // more parameters
};

/// v = momentum v + (1 - dampening) g; p -= lr v, or with Nesterov p -= lr (g + momentum v). Sutskever, Martens, Dahl, Hinton 2013, as
/// PyTorch writes it.
struct SGD : OptimizerOf<SgdOptions> { using OptimizerOf::OptimizerOf; };
/// m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p -= lr m' / (sqrt(v') + eps), m' = m / (1 - beta1^t), v' =
/// v / (1 - beta2^t). Kingma, Ba 2015, algorithm 1.
struct Adam : Optimizer {
  explicit Adam(const State& state, const AdamOptions& options = {}) : Optimizer(state, AdamRule{options, false}) {}
  void add_group(const State& state, const AdamOptions& options) { add(state, AdamRule{options, false}); }
};
/// Adam with decoupled weight decay: Loshchilov, Hutter 2019.
struct AdamW : Optimizer {
  explicit AdamW(const State& state, const AdamOptions& options = {.weight_decay = 0.01}) : Optimizer(state, AdamRule{options, true}) {}
  void add_group(const State& state, const AdamOptions& options) { add(state, AdamRule{options, true}); }
};
/// r = m' / (sqrt(v') + eps) + weight_decay p; p -= lr (|p| / |r|) r, the ratio of norms being 1 where one is 0. You et al. 2020.
struct LAMB : OptimizerOf<LambOptions> { using OptimizerOf::OptimizerOf; };
/// For matrices (and what flattens to them from axis 1 on): v = momentum v + (1 - momentum) g; the update, with Nesterov
/// (1 - momentum) g + momentum v, made orthogonal by a quintic Newton-Schulz iteration, times sqrt(max(1, rows / columns)). Jordan et al.
/// 2024. ValueError for vectors and scalars: give those to another optimizer.
struct Muon : OptimizerOf<MuonOptions> { using OptimizerOf::OptimizerOf; };
/// v = alpha v + (1 - alpha) g^2; u = g / (sqrt(v) + eps), centered, with a = alpha a + (1 - alpha) g, g / (sqrt(v - a^2) + eps);
/// b = momentum b + u; p -= lr b. Hinton 2012; Graves 2013.
struct RMSprop : OptimizerOf<RmspropOptions> { using OptimizerOf::OptimizerOf; };
/// s += g^2; p -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps). Duchi, Hazan, Singer 2011.
struct Adagrad : OptimizerOf<AdagradOptions> { using OptimizerOf::OptimizerOf; };
/// v = rho v + (1 - rho) g^2; d = sqrt(a + eps) / sqrt(v + eps) g; a = rho a + (1 - rho) d^2; p -= lr d. Zeiler 2012.
struct Adadelta : OptimizerOf<AdadeltaOptions> { using OptimizerOf::OptimizerOf; };
/// m as Adam's; u = max(beta2 u, |g| + eps); p -= lr / (1 - beta1^t) m / u. Kingma, Ba 2015, algorithm 2.
struct Adamax : OptimizerOf<AdamaxOptions> { using OptimizerOf::OptimizerOf; };
/// Adam with Nesterov's momentum: m' = c' m / (1 - c1 ... ct c') + (1 - ct) g / (1 - c1 ... ct), ct the momentum of step t, c' of the next.
/// Dozat 2016.
struct NAdam : OptimizerOf<NadamOptions> { using OptimizerOf::OptimizerOf; };
/// Adam whose division begins, rectified, when the variance of v' is known; before, p -= lr m'. Liu et al. 2020.
struct RAdam : OptimizerOf<RadamOptions> { using OptimizerOf::OptimizerOf; };

// ---- gradients, before a step ----

/// Scales all gradients so that the norm of their norms is at most `max_norm`; gives the norm they had, which is not computed before it
/// is asked for. Pascanu, Mikolov, Bengio 2013. ValueError unless max_norm is above 0.
Tensor clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm, double p = 2);
/// Limits every element of the gradients to +-limit.
void clip_grad_value(const std::vector<Tensor>& parameters, double limit);

/// A running mean of weights: average = decay average + (1 - decay) weight, from the weights it begins with on. Polyak, Juditsky 1992.
class ExponentialAverage {
 public:
  /// Of all float tensors of a state, each once, by its first name. ValueError unless 0 <= decay <= 1.
  explicit ExponentialAverage(const State& state, double decay = 0.999);
  /// Takes the weights as they are now.
  void update() const;
  /// Exchanges weights and averages: before an evaluation and after it.
  void swap() const;
  /// The averages, under the names of the weights.
  [[nodiscard]] const State& state() const { return averages_; }

 private:
  State weights_, averages_;
  double decay_;
};

}  // namespace tg::nn
