// Optimizers: updates as assignments to the parameters and their moments, all realized at once.
//
//   step t of Adam      m' = Assign(m, ...)  v' = Assign(v, ...)  p' = Assign(p, p - rate * m' / (sqrt(v') * scale + eps)); rate, scale:
//   Bind
#include "tg/optim.hpp"

#include <fmt/format.h>

#include <cmath>

#include "ir/op_info.hpp"
#include "tensor/impl.hpp"

namespace tg::nn {

namespace {

/// A number that is handed to kernels at launch, so that the graph is the same whatever it is.
Tensor scalar(std::string_view name, double value, const Tensor& beside) {
  const UOp variable = scalar_variable(fmt::format("optimizer.{}", name), beside.dtype());
  return make(UOp::make(Op::Bind, {variable, constant(beside.dtype(), value)}), beside.device());
}

void require(bool satisfied, std::string_view what, double value, std::string_view takes) {
  if (!satisfied) throw ValueError(fmt::format("optimizer: {} is {}; it takes {}", what, value, takes));
}
void require_rate(double lr) { require(lr >= 0 && std::isfinite(lr), "lr", lr, "a finite number from 0 on"); }
void require_part(double v, std::string_view what) { require(v >= 0 && v < 1, what, v, "0 or more and less than 1"); }

}  // namespace

Optimizer::Optimizer(const State& state, SgdOptions o) : rule_(o), lr_(o.lr) {
  require_part(o.momentum, "momentum");
  require(o.weight_decay >= 0, "weight_decay", o.weight_decay, "0 or more");
  if (o.nesterov && o.momentum == 0) throw ValueError("optimizer: nesterov without momentum has no meaning; set momentum, such as 0.9");
  fill(state, o.momentum != 0, false);
}
Optimizer::Optimizer(const State& state, AdamRule rule) : rule_(rule), lr_(rule.options.lr) {
  require_part(rule.options.beta1, "beta1");
  require_part(rule.options.beta2, "beta2");
  require(rule.options.eps >= 0, "eps", rule.options.eps, "0 or more");
  require(rule.options.weight_decay >= 0, "weight_decay", rule.options.weight_decay, "0 or more");
  fill(state, true, true);
}

void Optimizer::fill(const State& state, bool first, bool second) {
  require_rate(lr_);
  for (const auto& [name, t] : state) {
    if (!t.requires_grad()) {
      buffers_.push_back(t);
      continue;
    }
    // Moments of 16-bit parameters are kept in float32. Each has memory of its own: equal constants would be one node.
    const auto zeros = [&, &p = t] {
      return Tensor::from(std::vector<float>(static_cast<size_t>(p.numel())), p.shape(),
                          {.dtype = working_dtype(p.dtype()), .device = p.device()});
    };
    slots_.push_back({name, t, first ? zeros() : Tensor(), second ? zeros() : Tensor()});
  }
  if (slots_.empty()) throw ValueError("optimizer: no tensor in the state requires a gradient");
}

void Optimizer::set_lr(double lr) {
  require_rate(lr);
  lr_ = lr;
}
void Optimizer::set_steps(int64_t steps) {
  require(steps >= 0, "the number of steps", static_cast<double>(steps), "0 or more");
  steps_ = steps;
}
void Optimizer::zero_grad() const {
  for (const Slot& s : slots_) s.parameter.zero_grad();
}

State Optimizer::state() const {
  State out;
  const bool adam = std::holds_alternative<AdamRule>(rule_);
  for (const Slot& s : slots_)
    if (s.first.defined()) out.emplace_back((adam ? "m." : "momentum.") + s.name, s.first);
  for (const Slot& s : slots_)
    if (s.second.defined()) out.emplace_back("v." + s.name, s.second);
  return out;
}

void Optimizer::step(const std::vector<Tensor>& also) {
  std::vector<Tensor> all;
  const NoGrad none;
  const auto t = static_cast<double>(steps_ + 1);
  for (Slot& s : slots_) {
    if (!s.parameter.has_grad()) continue;
    const DType work = working_dtype(s.parameter.dtype());
    const Tensor p = s.parameter.cast(work).detach();
    Tensor g = s.parameter.grad().cast(work);
    s.parameter.zero_grad();  // the step is the gradient's last reader
    const auto moved = [&](Tensor& moment, const Tensor& value) -> const Tensor& {
      all.push_back(moment.assign(value));
      return moment;
    };
    if (const auto* sgd = std::get_if<SgdOptions>(&rule_)) {
      if (sgd->weight_decay != 0) g = g + p * sgd->weight_decay;
      if (sgd->momentum != 0) {
        const Tensor& v = moved(s.first, s.first * sgd->momentum + g);
        g = sgd->nesterov ? g + v * sgd->momentum : v;
      }
      s.parameter.assign(p - g * scalar("lr", lr_, p));
    } else {
      const auto& [o, decoupled] = std::get<AdamRule>(rule_);
      if (o.weight_decay != 0 && !decoupled) g = g + p * o.weight_decay;
      const Tensor& m = moved(s.first, s.first * o.beta1 + g * (1 - o.beta1));
      const Tensor& v = moved(s.second, s.second * o.beta2 + g.square() * (1 - o.beta2));
      const Tensor rate = scalar("rate", lr_ / (1 - std::pow(o.beta1, t)), p),
                   scale = scalar("scale", 1 / std::sqrt(1 - std::pow(o.beta2, t)), p);
      const Tensor kept = o.weight_decay != 0 && decoupled ? p * scalar("kept", 1 - lr_ * o.weight_decay, p) : p;
      s.parameter.assign(kept - rate * m / (v.sqrt() * scale + o.eps));
    }
    all.push_back(s.parameter);
  }
  if (all.empty()) throw GradientError("optimizer: no parameter has a gradient; call backward() on the loss before step()");
  all.insert(all.end(), buffers_.begin(), buffers_.end());
  all.insert(all.end(), also.begin(), also.end());
  realize(all);
  ++steps_;
}

SGD::SGD(const State& state, const SgdOptions& o) : Optimizer(state, o) {}
Adam::Adam(const State& state, const AdamOptions& o) : Optimizer(state, AdamRule{o, false}) {}
AdamW::AdamW(const State& state, const AdamOptions& o) : Optimizer(state, AdamRule{o, true}) {}

}  // namespace tg::nn
