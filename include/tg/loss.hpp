#pragma once
// Losses: how far an input is from its target, element by element, then as a mean, a sum, or as they are.
//
//   mse_loss(y, target);  cross_entropy(logits, classes, {.label_smoothing = 0.1, .ignore_index = 0});  l1_loss(y, t, Reduction::Sum)
//
// The names and formulas are PyTorch's. Targets are of the input's shape or broadcast to it. 16-bit floats are computed in float32.
#include "tg/tensor.hpp"

namespace tg {

enum class Reduction : uint8_t { None, Mean, Sum, BatchMean };  // BatchMean: the sum divided by the size of axis 0

[[nodiscard]] Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::Mean);  // (x - target)^2
[[nodiscard]] Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::Mean);   // |x - target|
/// d = |x - target|: d^2 / 2 up to delta, then delta (d - delta / 2). Huber 1964. ValueError unless delta is above 0.
[[nodiscard]] Tensor huber_loss(const Tensor& x, const Tensor& target, double delta = 1, Reduction reduction = Reduction::Mean);
/// d^2 / (2 beta) below beta, then d - beta / 2; with a beta of 0, l1_loss. Girshick 2015.
[[nodiscard]] Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta = 1, Reduction reduction = Reduction::Mean);

struct BinaryOptions {  // of binary_cross_entropy and the one with logits
  detail::ByName by_name_only = detail::by_name;
  Tensor weight = {};                     // of each element; broadcasts
  Tensor pos_weight = {};                 // with logits: of the targets that are 1; broadcasts
  Reduction reduction = Reduction::Mean;  // of the elements' losses
};
/// -(target log x + (1 - target) log(1 - x)) of probabilities x; the logarithms are at least -100.
[[nodiscard]] Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const BinaryOptions& options = {});
/// The same of sigmoid(x), without overflow.
[[nodiscard]] Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, const BinaryOptions& options = {});

struct ClassOptions {  // of nll_loss and cross_entropy
  detail::ByName by_name_only = detail::by_name;
  Tensor weight = {};                     // (classes): of each class; means are weighted by it
  int64_t ignore_index = -100;            // targets of this class count for nothing
  double label_smoothing = 0;             // cross_entropy: so much of each target is spread over all classes; Szegedy et al. 2016
  Reduction reduction = Reduction::Mean;  // of the elements' losses
};
/// -x[target] of log-probabilities (n, classes, ...) or (classes) and classes (n, ...) or (). IndexError, when it is computed, for a class
/// outside.
[[nodiscard]] Tensor nll_loss(const Tensor& x, const Tensor& target, const ClassOptions& options = {});
/// nll_loss of log_softmax(x); or, where the target is of floats in x's shape, -sum(target log_softmax(x)) over the classes.
[[nodiscard]] Tensor cross_entropy(const Tensor& x, const Tensor& target, const ClassOptions& options = {});

// Of two inputs and a target of 1 or -1, which says which of them is to be larger, or whether they are to be alike.
/// max(0, margin - target (a - b)).
[[nodiscard]] Tensor margin_ranking_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin = 0,
                                         Reduction reduction = Reduction::Mean);
/// x where the target is 1, max(0, margin - x) where it is -1.
[[nodiscard]] Tensor hinge_embedding_loss(const Tensor& x, const Tensor& target, double margin = 1, Reduction reduction = Reduction::Mean);
/// 1 - c where the target is 1, max(0, c - margin) where it is -1, of the cosine c of the last axis.
[[nodiscard]] Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin = 0,
                                           Reduction reduction = Reduction::Mean);
/// log(1 + exp(-target x)), of targets 1 or -1.
[[nodiscard]] Tensor soft_margin_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::Mean);
/// binary_cross_entropy_with_logits, as a mean over the last axis.
[[nodiscard]] Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                                                 Reduction reduction = Reduction::Mean);
struct TripletOptions {  // of triplet_margin_loss
  detail::ByName by_name_only = detail::by_name;
  double margin = 1, p = 2, eps = 1e-6;  // by how much; of pairwise_distance
  bool swap = false;                     // the nearer of anchor and positive to the negative counts: Balntas et al. 2016
  Reduction reduction = Reduction::Mean;  // of the elements' losses
};
/// max(0, |anchor - positive| - |anchor - negative| + margin).
[[nodiscard]] Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                         const TripletOptions& options = {});
struct PoissonOptions {  // of poisson_nll_loss
  detail::ByName by_name_only = detail::by_name;
  bool log_input = true;  // x is the logarithm of the rate
  bool full = false;      // with Stirling's approximation of log(target!)
  double eps = 1e-8;      // added to the rate in its logarithm
  Reduction reduction = Reduction::Mean;  // of the elements' losses
};
/// exp(x) - target x of the rate's logarithm x.
[[nodiscard]] Tensor poisson_nll_loss(const Tensor& x, const Tensor& target, const PoissonOptions& options = {});
/// (log v + (x - target)^2 / v) / 2, of variances v, at least eps; `full`: and log(2 pi) / 2. Nix, Weigend 1994.
[[nodiscard]] Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& var, bool full = false, double eps = 1e-6,
                                       Reduction reduction = Reduction::Mean);

/// target (log target - x) of log-probabilities x and probabilities, or, with log_target, their logarithms. Kullback, Leibler 1951.
/// BatchMean is the divergence; Mean divides by the number of classes as well.
[[nodiscard]] Tensor kl_div(const Tensor& x, const Tensor& target, bool log_target = false, Reduction reduction = Reduction::Mean);

}  // namespace tg
