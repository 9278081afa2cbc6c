// Losses: one elementwise formula each, then the reduction, in the working dtype.
//
//   mse_loss(x, t)            mean((x - t)^2)
//   nll_loss(x, classes)      -sum(x[class] w[class]) / sum(w[class]), classes to be ignored weighing nothing
#include "tg/loss.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "tensor/impl.hpp"
#include "tg/contract.hpp"
#include "tg/functions.hpp"

namespace tg {

namespace {

Tensor reduced(const Tensor& x, Reduction r) {
  switch (r) {
    case Reduction::None: return x;
    case Reduction::Mean: return x.mean();
    case Reduction::Sum: return x.sum();
    default: return x.sum() / static_cast<double>(x.rank() == 0 ? 1 : x.size(0));
  }
}

/// f(x, target) in the working dtype, reduced and rounded once.
template <class F>
Tensor loss(std::string_view operation, const Tensor& x, const Tensor& target, Reduction r, F f) {
  (void)broadcast_shape(shape_of(x.shape()), shape_of(target.shape()), operation);
  const DType result = float_of(promote(x.dtype(), target.dtype())), work = working_dtype(result);
  return reduced(f(x.cast(work), target.cast(work)), r).cast(result);
}
Tensor weighted(const Tensor& x, const Tensor& weight) { return weight.defined() ? x * weight : x; }

/// log x, at least -100; its gradient at 0 is 0 and not infinite.
Tensor limited_log(const Tensor& x) {
  const Tensor zero = x == 0;
  return where(zero, -100, where(zero, 1, x).log().clamp({.min = -100}));
}

/// What is along the classes, axis 1, or 0 where there is no batch.
int class_axis(const Tensor& x, std::string_view operation) {
  if (x.rank() == 0) throw ShapeError(fmt::format("{}: an input of shape (); it must be (n, classes, ...) or (classes)", operation));
  return x.rank() == 1 ? 0 : 1;
}
/// A weight a class, beside x.
Tensor class_weights(const Tensor& x, const Tensor& weight, int axis, std::string_view operation) {
  if (weight.rank() != 1 || weight.size(0) != x.size(axis))
    throw ShapeError(fmt::format("{}: a weight of shape {} for {} classes; it takes one each", operation, to_string(weight.shape()),
                                 x.size(axis)));
  Sizes beside(static_cast<size_t>(x.rank()), 1);
  beside[static_cast<size_t>(axis)] = x.size(axis);
  return weight.cast(x.dtype()).reshape(beside);
}

/// Classes, with 0 for those to be ignored. Unsigned, so that those below 0 are not counted from the end: gather finds them outside.
Tensor checked_classes(const Tensor& target, const Tensor& ignored) { return where(ignored, 0, target).cast(DType::uint64); }
/// Of log-probabilities in the working dtype.
Tensor of_classes(const Tensor& x, const Tensor& target, const ClassOptions& o, std::string_view operation) {
  const int axis = class_axis(x, operation);
  Sizes wanted = x.shape();
  wanted.erase(wanted.begin() + axis);
  if (target.shape() != wanted)
    throw ShapeError(fmt::format("{}: targets of shape {} for an input of shape {}; they must be {}, one class index each", operation,
                                 to_string(target.shape()), to_string(x.shape()), to_string(wanted)));
  require_dtype(is_int(target.dtype()), operation, target.dtype(), "targets are integers; cast them");
  const Tensor ignored = target == Scalar(o.ignore_index), index = checked_classes(target, ignored);
  Tensor each = -x.gather(axis, index.unsqueeze(axis)).squeeze(axis), weight;
  if (o.weight.defined()) {
    (void)class_weights(x, o.weight, axis, operation);
    weight = o.weight.cast(x.dtype()).take(index);
    each = each * weight;
  }
  if (o.label_smoothing != 0) {
    ReduceOptions over;
    over.axis = axis;
    const Tensor all = o.weight.defined() ? x * class_weights(x, o.weight, axis, operation) : x;
    each = each * (1 - o.label_smoothing) - all.sum(over) * (o.label_smoothing / static_cast<double>(x.size(axis)));
  }
  each = where(ignored, 0, each);
  if (o.reduction != Reduction::Mean) return reduced(each, o.reduction);
  const Tensor counts = weight.defined() ? where(ignored, 0, weight) : ignored.logical_not().cast(x.dtype());
  return each.sum() / counts.sum();
}
/// Of log-probabilities and probabilities in the working dtype.
Tensor of_probabilities(const Tensor& x, Tensor target, const ClassOptions& o) {
  const int axis = class_axis(x, "cross_entropy");
  if (o.label_smoothing != 0) target = target * (1 - o.label_smoothing) + o.label_smoothing / static_cast<double>(x.size(axis));
  Tensor each = x * target;
  if (o.weight.defined()) each = each * class_weights(x, o.weight, axis, "cross_entropy");
  ReduceOptions over;
  over.axis = axis;
  return reduced(-each.sum(over), o.reduction);
}

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction r) {
  return loss("mse_loss", x, target, r, [](const Tensor& a, const Tensor& t) { return (a - t).square(); });
}
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction r) {
  return loss("l1_loss", x, target, r, [](const Tensor& a, const Tensor& t) { return (a - t).abs(); });
}
Tensor huber_loss(const Tensor& x, const Tensor& target, double delta, Reduction r) {
  if (!(delta > 0)) throw ValueError(fmt::format("huber_loss: delta is {}; it takes a number above 0", delta));
  return loss("huber_loss", x, target, r, [&](const Tensor& a, const Tensor& t) {
    const Tensor e = a - t, d = e.abs();
    return where(d > delta, delta * (d - delta / 2), e.square() * 0.5);
  });
}
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta, Reduction r) {
  if (!(beta >= 0)) throw ValueError(fmt::format("smooth_l1_loss: beta is {}; it takes a number from 0 on", beta));
  if (beta == 0) return l1_loss(x, target, r);
  return loss("smooth_l1_loss", x, target, r, [&](const Tensor& a, const Tensor& t) {
    const Tensor e = a - t, d = e.abs();
    return where(d >= beta, d - beta / 2, e.square() * (0.5 / beta));
  });
}

Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const BinaryOptions& o) {
  return loss("binary_cross_entropy", x, target, o.reduction, [&](const Tensor& p, const Tensor& t) {
    return weighted(-(t * limited_log(p) + (1 - t) * limited_log(1 - p)), o.weight);
  });
}
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, const BinaryOptions& o) {
  return loss("binary_cross_entropy_with_logits", x, target, o.reduction, [&](const Tensor& v, const Tensor& t) {
    return weighted(-(weighted(t, o.pos_weight) * v.logsigmoid() + (1 - t) * (-v).logsigmoid()), o.weight);
  });
}

Tensor nll_loss(const Tensor& x, const Tensor& target, const ClassOptions& o) {
  return in_working_dtype(x, [&](const Tensor& v) { return of_classes(v, target, o, "nll_loss"); });
}
Tensor cross_entropy(const Tensor& x, const Tensor& target, const ClassOptions& o) {
  if (!(o.label_smoothing >= 0 && o.label_smoothing <= 1))
    throw ValueError(fmt::format("cross_entropy: label_smoothing is {}; it takes a number from 0 to 1", o.label_smoothing));
  return in_working_dtype(x, [&](const Tensor& v) {
    const Tensor logs = v.log_softmax(class_axis(v, "cross_entropy"));
    const bool probabilities = is_float(target.dtype()) && target.shape() == x.shape();
    return probabilities ? of_probabilities(logs, target.cast(v.dtype()), o) : of_classes(logs, target, o, "cross_entropy");
  });
}
Tensor Tensor::cross_entropy(const Tensor& target) const { return tg::cross_entropy(*this, target); }

namespace {
/// The loss of a value by a target of 1 or -1.
Tensor signed_loss(std::string_view operation, const Tensor& x, const Tensor& target, Reduction r, const Tensor& alike,
                   const Tensor& apart) {
  (void)broadcast_shape(shape_of(x.shape()), shape_of(target.shape()), operation);
  return reduced(where(target == -1, 0, alike) + where(target == 1, 0, apart), r);
}
}  // namespace
Tensor margin_ranking_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin, Reduction r) {
  return loss("margin_ranking_loss", a - b, target, r, [&](const Tensor& d, const Tensor& t) { return (margin - t * d).relu(); });
}
Tensor hinge_embedding_loss(const Tensor& x, const Tensor& target, double margin, Reduction r) {
  return in_working_dtype(x, [&](const Tensor& v) {
    return signed_loss("hinge_embedding_loss", v, target, r, v, (margin - v).relu());
  });
}
Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin, Reduction r) {
  const DType t = promote(a.dtype(), b.dtype());
  return in_working_dtype(cosine_similarity(a.cast(t), b.cast(t), -1), [&](const Tensor& c) {
    return signed_loss("cosine_embedding_loss", c, target, r, 1 - c, (c - margin).relu());
  });
}
Tensor soft_margin_loss(const Tensor& x, const Tensor& target, Reduction r) {
  return loss("soft_margin_loss", x, target, r, [](const Tensor& v, const Tensor& t) { return -(t * v).logsigmoid(); });
}
Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& target, const Tensor& weight, Reduction r) {
  return loss("multilabel_soft_margin_loss", x, target, r, [&](const Tensor& v, const Tensor& t) {
    return weighted(-(t * v.logsigmoid() + (1 - t) * (-v).logsigmoid()), weight).mean({.axis = -1});
  });
}
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative, const TripletOptions& o) {
  const auto far = [&](const Tensor& a, const Tensor& b) { return pairwise_distance(a, b, o.p, o.eps); };
  const Tensor other = far(anchor, negative);
  return loss("triplet_margin_loss", far(anchor, positive), o.swap ? minimum(other, far(positive, negative)) : other, o.reduction,
              [&](const Tensor& near, const Tensor& away) { return (near - away + o.margin).relu(); });
}
Tensor poisson_nll_loss(const Tensor& x, const Tensor& target, const PoissonOptions& o) {
  return loss("poisson_nll_loss", x, target, o.reduction, [&](const Tensor& v, const Tensor& t) {
    const Tensor each = o.log_input ? v.exp() - t * v : v - t * (v + o.eps).log();
    if (!o.full) return each;
    const Tensor several = t > 1, n = where(several, t, 1);
    return each + where(several, n * n.log() - n + (2 * std::numbers::pi * n).log() * 0.5, 0);
  });
}
Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& var, bool full, double eps, Reduction r) {
  if (!(eps > 0)) throw ValueError(fmt::format("gaussian_nll_loss: eps is {}; it takes a number above 0", eps));
  (void)broadcast_shape(shape_of(x.shape()), shape_of(var.shape()), "gaussian_nll_loss");
  return loss("gaussian_nll_loss", x, target, r, [&](const Tensor& v, const Tensor& t) {
    const Tensor least = var.cast(v.dtype()).clamp({.min = eps});
    return (least.log() + (v - t).square() / least + (full ? std::log(2 * std::numbers::pi) : 0)) * 0.5;
  });
}

Tensor kl_div(const Tensor& x, const Tensor& target, bool log_target, Reduction r) {
  return loss("kl_div", x, target, r, [&](const Tensor& a, const Tensor& t) {
    if (log_target) return t.exp() * (t - a);
    const Tensor zero = t == 0;
    return where(zero, 0, t * (where(zero, 1, t).log() - a));
  });
}

}  // namespace tg
