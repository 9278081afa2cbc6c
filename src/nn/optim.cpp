// Optimizers: updates as assignments to the parameters and their moments, all realized at once.
//
//   step t of Adam      m' = Assign(m, ...)  v' = Assign(v, ...)  p' = Assign(p, p - rate * m' / (sqrt(v') * scale + eps))
//                       rate, scale: Bind
#include "tg/optim.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tensor/impl.hpp"
#include "tg/contract.hpp"
#include "tg/functions.hpp"
#include "tg/ir/op_info.hpp"

namespace tg::nn {

namespace {

/// A number that is handed to kernels at launch, so that the graph is the same whatever it is.
Tensor scalar(const std::string& name, double value, const Tensor& beside) {
  const UOp variable = scalar_variable("optimizer." + name, beside.dtype());
  return make(UOp::make(Op::Bind, {variable, constant(beside.dtype(), value)}), beside.device());
}

void require(bool satisfied, std::string_view what, double value, std::string_view takes) {
  if (!satisfied) throw ValueError(fmt::format("optimizer: {} is {}; it takes {}", what, value, takes));
}
void require_rate(double lr) { require(lr >= 0 && std::isfinite(lr), "lr", lr, "a finite number from 0 on"); }
void require_part(double v, std::string_view what) { require(v >= 0 && v < 1, what, v, "0 or more and less than 1"); }
void check_moments(double beta1, double beta2, double eps) {
  require_part(beta1, "beta1");
  require_part(beta2, "beta2");
  require(eps >= 0, "eps", eps, "0 or more");
}

/// A copy in memory of its own: equal constants would be one node.
Tensor own(const Tensor& like, DType dtype) {
  return Tensor::from(std::vector<float>(static_cast<size_t>(like.numel())), like.shape(), {.dtype = dtype, .device = like.device()});
}

/// The matrix nearest to g, all of whose singular values become about 1: the quintic iteration of Jordan et al. 2024.
Tensor orthogonal(const Tensor& g, int steps) {
  const bool tall = g.size(0) > g.size(1);
  Tensor x = tall ? g.transpose() : g;
  x = x / (norm(x) + 1e-7);
  for (int i = 0; i < steps; ++i) {
    const Tensor a = x.matmul(x.transpose());
    x = x * 3.4445 + (a * -4.7750 + a.matmul(a) * 2.0315).matmul(x);
  }
  return tall ? x.transpose() : x;
}

}  // namespace

void Optimizer::add(const State& state, const Rule& rule) {
  bool first = true, second = true, matrices = false;
  double lr = 0, decay = 0;
  if (const auto* sgd = std::get_if<SgdOptions>(&rule)) {
    require_part(sgd->momentum, "momentum");
    if (sgd->nesterov && sgd->momentum == 0)
      throw ValueError("optimizer: nesterov without momentum has no meaning; set momentum, such as 0.9");
    first = sgd->momentum != 0, second = false, lr = sgd->lr, decay = sgd->weight_decay;
  } else if (const auto* adam = std::get_if<AdamRule>(&rule)) {
    check_moments(adam->options.beta1, adam->options.beta2, adam->options.eps);
    lr = adam->options.lr, decay = adam->options.weight_decay;
  } else if (const auto* lamb = std::get_if<LambOptions>(&rule)) {
    check_moments(lamb->beta1, lamb->beta2, lamb->eps);
    lr = lamb->lr, decay = lamb->weight_decay;
  } else {
    const auto& muon = std::get<MuonOptions>(rule);
    require_part(muon.momentum, "momentum");
    require(muon.steps >= 1, "the number of iterations", muon.steps, "1 or more");
    second = false, matrices = true, lr = muon.lr, decay = muon.weight_decay;
  }
  require_rate(lr);
  require(decay >= 0, "weight_decay", decay, "0 or more");
  std::vector<Slot> slots;
  std::vector<Tensor> buffers;
  for (const auto& [name, t] : state) {
    if (!t.requires_grad()) {
      buffers.push_back(t);
      continue;
    }
    const auto is_this = [&, &p = t](const Slot& s) { return TensorImpl::of(s.parameter).get() == TensorImpl::of(p).get(); };
    if (std::ranges::any_of(slots_, is_this)) throw ValueError(fmt::format("optimizer: parameter {} is in another group already", name));
    if (matrices && t.rank() < 2)
      throw ValueError(fmt::format("optimizer: Muon is for matrices, and parameter {} has shape {}; give it to another optimizer", name,
                                   to_string(t.shape())));
    // Moments of 16-bit parameters are kept in float32.
    const DType work = working_dtype(t.dtype());
    slots.push_back({name, groups_.size(), t, first ? own(t, work) : Tensor(), second ? own(t, work) : Tensor()});
  }
  if (slots.empty()) throw ValueError("optimizer: no tensor in the state requires a gradient");
  groups_.push_back({rule, lr, lr});
  slots_.insert(slots_.end(), slots.begin(), slots.end());
  buffers_.insert(buffers_.end(), buffers.begin(), buffers.end());
}

double Optimizer::lr(size_t group) const {
  if (group >= groups_.size()) throw ValueError(fmt::format("optimizer: group {} of {}", group, groups_.size()));
  return groups_[group].lr;
}
double Optimizer::initial_lr(size_t group) const {
  (void)lr(group);
  return groups_[group].initial_lr;
}
void Optimizer::set_lr(double rate, size_t group) {
  require_rate(rate);
  (void)lr(group);
  groups_[group].lr = rate;
}
void Optimizer::set_lr(double rate) {
  for (size_t g = 0; g < groups_.size(); ++g) set_lr(rate, g);
}
void Optimizer::set_steps(int64_t steps) {
  require(steps >= 0, "the number of steps", static_cast<double>(steps), "0 or more");
  steps_ = steps;
}
void Optimizer::zero_grad() const {
  for (const Slot& s : slots_) s.parameter.zero_grad();
}
std::vector<Tensor> Optimizer::parameters() const {
  std::vector<Tensor> out;
  for (const Slot& s : slots_) out.push_back(s.parameter);
  return out;
}

State Optimizer::state() const {
  State out;
  for (const Slot& s : slots_) {
    const Rule& rule = groups_[s.group].rule;
    const bool adam = std::holds_alternative<AdamRule>(rule) || std::holds_alternative<LambOptions>(rule);
    if (s.first.defined()) out.emplace_back((adam ? "m." : "momentum.") + s.name, s.first);
  }
  for (const Slot& s : slots_)
    if (s.second.defined()) out.emplace_back("v." + s.name, s.second);
  return out;
}

/// One parameter's step: a rule gives its new value, and moves its moments.
struct Optimizer::Stepping {
  Slot& slot;
  Tensor p, g;  // in the working dtype
  double lr, t;
  std::vector<Tensor>& all;

  Tensor bound(std::string_view name, double value) const { return scalar(fmt::format("{}.{}", slot.group, name), value, p); }
  const Tensor& moved(Tensor& moment, const Tensor& value) {
    all.push_back(moment.assign(value));
    return moment;
  }
  Tensor shrunk(double weight_decay) const { return weight_decay != 0 ? p * bound("kept", 1 - lr * weight_decay) : p; }

  Tensor operator()(const SgdOptions& o) {
    if (o.weight_decay != 0) g = g + p * o.weight_decay;
    if (o.momentum != 0) {
      const Tensor& v = moved(slot.first, slot.first * o.momentum + g);
      g = o.nesterov ? g + v * o.momentum : v;
    }
    return p - g * bound("lr", lr);
  }
  Tensor operator()(const AdamRule& rule) {
    const AdamOptions& o = rule.options;
    if (o.weight_decay != 0 && !rule.decoupled) g = g + p * o.weight_decay;
    const Tensor& m = moved(slot.first, slot.first * o.beta1 + g * (1 - o.beta1));
    const Tensor& v = moved(slot.second, slot.second * o.beta2 + g.square() * (1 - o.beta2));
    const Tensor rate = bound("rate", lr / (1 - std::pow(o.beta1, t))), scale = bound("scale", 1 / std::sqrt(1 - std::pow(o.beta2, t)));
    return (rule.decoupled ? shrunk(o.weight_decay) : p) - rate * m / (v.sqrt() * scale + o.eps);
  }
  Tensor operator()(const LambOptions& o) {
    const Tensor& m = moved(slot.first, slot.first * o.beta1 + g * (1 - o.beta1));
    const Tensor& v = moved(slot.second, slot.second * o.beta2 + g.square() * (1 - o.beta2));
    const Tensor first = bound("first", 1 / (1 - std::pow(o.beta1, t))), second = bound("scale", 1 / std::sqrt(1 - std::pow(o.beta2, t)));
    Tensor r = m * first / (v.sqrt() * second + o.eps);
    if (o.weight_decay != 0) r = r + p * o.weight_decay;
    const Tensor size = norm(p), step = norm(r);
    return p - bound("lr", lr) * where(logical_and(size > 0, step > 0), size / step, 1) * r;
  }
  Tensor operator()(const MuonOptions& o) {
    const Tensor& v = moved(slot.first, slot.first * o.momentum + g * (1 - o.momentum));
    const Tensor update = (o.nesterov ? g * (1 - o.momentum) + v * o.momentum : v).flatten(1);
    const double shape = std::sqrt(std::max(1.0, static_cast<double>(update.size(0)) / static_cast<double>(update.size(1))));
    return shrunk(o.weight_decay) - orthogonal(update, o.steps).reshape(p.shape()) * bound("lr", lr * shape);
  }
};

void Optimizer::step(const std::vector<Tensor>& also) {
  std::vector<Tensor> all;
  const NoGrad none;
  for (Slot& s : slots_) {
    if (!s.parameter.has_grad()) continue;
    const DType work = working_dtype(s.parameter.dtype());
    const Group& group = groups_[s.group];
    Stepping next{s, s.parameter.cast(work).detach(), s.parameter.grad().cast(work), group.lr, static_cast<double>(steps_ + 1), all};
    s.parameter.zero_grad();  // the step is the gradient's last reader
    s.parameter.assign(std::visit(next, group.rule));
    all.push_back(s.parameter);
  }
  if (all.empty()) throw GradientError("optimizer: no parameter has a gradient; call backward() on the loss before step()");
  all.insert(all.end(), buffers_.begin(), buffers_.end());
  all.insert(all.end(), also.begin(), also.end());
  realize(all);
  ++steps_;
}

Tensor clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm, double p) {
  require(max_norm > 0, "max_norm", max_norm, "a number above 0");
  const NoGrad none;
  std::vector<Tensor> norms;
  for (const Tensor& t : parameters)
    if (t.has_grad()) norms.push_back(norm(t.grad().cast(working_dtype(t.dtype())), {.p = p}));
  if (norms.empty()) return Tensor::zeros({});
  Tensor total = norms.size() == 1 ? norms[0] : norm(stack(norms), {.p = p});
  const Tensor factor = minimum(scalar("max_norm", max_norm, total) / (total + 1e-6), 1);
  for (const Tensor& t : parameters)
    if (t.has_grad()) t.set_grad((t.grad() * factor).cast(t.dtype()));
  return total;
}
void clip_grad_value(const std::vector<Tensor>& parameters, double limit) {
  require(limit >= 0, "limit", limit, "0 or more");
  const NoGrad none;
  for (const Tensor& t : parameters)
    if (t.has_grad()) t.set_grad(t.grad().clamp({.min = -limit, .max = limit}));
}

ExponentialAverage::ExponentialAverage(const State& state, double decay) : decay_(decay) {
  require(decay >= 0 && decay <= 1, "decay", decay, "a number from 0 to 1");
  std::vector<Tensor> all;
  for (const auto& [name, t] : state) {
    if (!is_float(t.dtype())) continue;
    weights_.emplace_back(name, t);
    averages_.emplace_back(name, own(t, t.dtype()).assign(t.detach()));
    all.push_back(averages_.back().second);
  }
  realize(all);
}
void ExponentialAverage::update() const {
  const NoGrad none;
  std::vector<Tensor> all;
  for (size_t i = 0; i < weights_.size(); ++i) {
    Tensor average = averages_[i].second;
    const Tensor keep = scalar("decay", decay_, average.cast(working_dtype(average.dtype())));
    all.push_back(average.assign(average * keep + weights_[i].second.detach() * (1 - keep)));
  }
  realize(all);
}
void ExponentialAverage::swap() const {
  const NoGrad none;
  std::vector<Tensor> all;
  for (size_t i = 0; i < weights_.size(); ++i) {
    Tensor weight = weights_[i].second, average = averages_[i].second;
    const Tensor before = weight.detach();
    all.push_back(weight.assign(average.detach()));
    all.push_back(average.assign(before));
  }
  realize(all);
}

}  // namespace tg::nn
