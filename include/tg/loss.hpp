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

/// target (log target - x) of log-probabilities x and probabilities, or, with log_target, their logarithms. Kullback, Leibler 1951.
/// BatchMean is the divergence; Mean divides by the number of classes as well.
[[nodiscard]] Tensor kl_div(const Tensor& x, const Tensor& target, bool log_target = false, Reduction reduction = Reduction::Mean);

}  // namespace tg
