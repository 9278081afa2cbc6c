// Optimizers: updates as assignments to the parameters and their moments, all realized at once.
//
//   step t of Adam      m' = Assign(m, ...)  v' = Assign(v, ...)  p' = Assign(p, p - rate * m' / (sqrt(v') * scale + eps))
//                       rate, scale: Bind
#include "tg/optim.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "nn/distinct.hpp"
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
template <class O>
void require_betas(const O& o) {
  require_part(o.beta1, "beta1");
  require_part(o.beta2, "beta2");
}

/// A copy in memory of its own: equal constants would be one node.
Tensor own(const Tensor& like, DType dtype, double value = 0) {
  const auto filled = [&]<typename T>(T number) {  // one that need not be converted, where that is float32
    return Tensor::from(std::vector<T>(static_cast<size_t>(like.numel()), number), like.shape(), {.dtype = dtype, .device = like.device()});
  };
  return dtype == DType::float32 ? filled(static_cast<float>(value)) : filled(value);
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

/// What a group's rule keeps of each parameter, after a look at its options.
struct Kept {
  double lr, weight_decay;
  std::vector<std::string> moments;
  bool maximize = false, matrices = false;
  double initial = 0;  // what the moments begin with
};
Kept kept(const SgdOptions& o) {
  require_part(o.momentum, "momentum");
  require_part(o.dampening, "dampening");
  if (o.nesterov && o.momentum == 0)
    throw ValueError("optimizer: nesterov without momentum has no meaning; set momentum, such as 0.9");
  if (o.nesterov && o.dampening != 0) throw ValueError("optimizer: nesterov with dampening has no meaning; leave one out");
  return {o.lr, o.weight_decay, o.momentum != 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{}, o.maximize};
}
Kept kept(const LambOptions& o) {
  require_betas(o);
  require(o.eps >= 0, "eps", o.eps, "0 or more");
  return {o.lr, o.weight_decay, {"m", "v"}};
}
Kept kept(const MuonOptions& o) {
  require_part(o.momentum, "momentum");
  require(o.steps >= 1, "the number of iterations", o.steps, "1 or more");
  return {o.lr, o.weight_decay, {"momentum"}, false, true};
}
Kept kept(const RmspropOptions& o) {
  require_part(o.alpha, "alpha");
  require_part(o.momentum, "momentum");
  require(o.eps >= 0, "eps", o.eps, "0 or more");
  std::vector<std::string> moments{"v"};
  if (o.momentum != 0) moments.emplace_back("momentum");
  if (o.centered) moments.emplace_back("mean");
  return {o.lr, o.weight_decay, moments, o.maximize};
}
Kept kept(const AdagradOptions& o) {
  require(o.lr_decay >= 0, "lr_decay", o.lr_decay, "0 or more");
  require(o.initial >= 0, "the sum to begin with", o.initial, "0 or more");
  require(o.eps >= 0, "eps", o.eps, "0 or more");
  return {o.lr, o.weight_decay, {"sum"}, o.maximize, false, o.initial};
}
Kept kept(const AdadeltaOptions& o) {
  require_part(o.rho, "rho");
  require(o.eps >= 0, "eps", o.eps, "0 or more");
  return {o.lr, o.weight_decay, {"v", "delta"}, o.maximize};
}
template <class O>
Kept kept(const O& o) {  // of Adam's kin
  require_betas(o);
  require(o.eps >= 0, "eps", o.eps, "0 or more");
  if constexpr (requires { o.momentum_decay; }) require(o.momentum_decay >= 0, "momentum_decay", o.momentum_decay, "0 or more");
  Kept k{o.lr, o.weight_decay, {"m", "v"}, o.maximize};
  if constexpr (requires { o.amsgrad; })
    if (o.amsgrad) k.moments.emplace_back("largest");
  return k;
}

}  // namespace

void Optimizer::add(const State& state, const Rule& rule) {
  const Kept what = std::visit([]<class R>(const R& r) {
    if constexpr (std::is_same_v<R, AdamRule>) return kept(r.options);
    else return kept(r);
  }, rule);
  require_rate(what.lr);
  require(what.weight_decay >= 0, "weight_decay", what.weight_decay, "0 or more");
  std::vector<Slot> slots;
  std::vector<Tensor> buffers;
  for (const auto& [name, t] : distinct(state)) {
    if (!t.requires_grad()) {
      buffers.push_back(t);
      continue;
    }
    const auto is_this = [&, &p = t](const Slot& s) { return TensorImpl::of(s.parameter).get() == TensorImpl::of(p).get(); };
    if (std::ranges::any_of(slots_, is_this)) throw ValueError(fmt::format("optimizer: parameter {} is in another group already", name));
    if (what.matrices && t.rank() < 2)
      throw ValueError(fmt::format("optimizer: Muon is for matrices, and parameter {} has shape {}; give it to another optimizer", name,
                                   to_string(t.shape())));
    slots.push_back({name, groups_.size(), t, {}});
    // Moments of 16-bit parameters are kept in float32.
    for (size_t i = 0; i < what.moments.size(); ++i) slots.back().moments.push_back(own(t, working_dtype(t.dtype()), what.initial));
  }
  if (slots.empty()) throw ValueError("optimizer: no tensor in the state requires a gradient");
  groups_.push_back({rule, what.lr, what.lr, what.moments, what.maximize});
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
  size_t most = 0;
  for (const Group& g : groups_) most = std::max(most, g.moments.size());
  for (size_t i = 0; i < most; ++i)
    for (const Slot& s : slots_)
      if (i < s.moments.size()) out.emplace_back(groups_[s.group].moments[i] + "." + s.name, s.moments[i]);
  return out;
}

/// One parameter's step: a rule gives its new value, and moves its moments.
struct Optimizer::Stepping {
  Slot& slot;
  Tensor p, g;  // in the working dtype
  double lr, t;
  std::vector<Tensor>& all;

  Tensor bound(std::string_view name, double value) const { return scalar(fmt::format("{}.{}", slot.group, name), value, p); }
  /// A moment, or what it becomes: read after that, it is that.
  Tensor& kept(size_t i) const { return slot.moments[i]; }
  const Tensor& moved(size_t i, const Tensor& value) {
    all.push_back(kept(i).assign(value));
    return kept(i);
  }
  const Tensor& averaged(size_t i, double decay, const Tensor& next) { return moved(i, kept(i) * decay + next * (1 - decay)); }
  Tensor shrunk(double weight_decay) const { return weight_decay != 0 ? p * bound("kept", 1 - lr * weight_decay) : p; }
  void decay(double weight_decay) { if (weight_decay != 0) g = g + p * weight_decay; }
  double bias(double beta) const { return 1 - std::pow(beta, t); }  // what a running mean is of its value after t steps

  Tensor operator()(const SgdOptions& o) {
    decay(o.weight_decay);
    if (o.momentum != 0) {
      const Tensor& v = moved(0, kept(0) * o.momentum + (o.dampening != 0 ? g * bound("new", t > 1 ? 1 - o.dampening : 1) : g));
      g = o.nesterov ? g + v * o.momentum : v;
    }
    return p - g * bound("lr", lr);
  }
  Tensor operator()(const AdamRule& rule) {
    const AdamOptions& o = rule.options;
    if (!rule.decoupled) decay(o.weight_decay);
    const Tensor &m = averaged(0, o.beta1, g), &v = averaged(1, o.beta2, g.square());
    const Tensor size = o.amsgrad ? moved(2, maximum(kept(2), v)) : v;
    const Tensor rate = bound("rate", lr / bias(o.beta1)), scale = bound("scale", 1 / std::sqrt(bias(o.beta2)));
    return (rule.decoupled ? shrunk(o.weight_decay) : p) - rate * m / (size.sqrt() * scale + o.eps);
  }
  Tensor operator()(const LambOptions& o) {
    const Tensor &m = averaged(0, o.beta1, g), &v = averaged(1, o.beta2, g.square());
    const Tensor first = bound("first", 1 / bias(o.beta1)), second = bound("scale", 1 / std::sqrt(bias(o.beta2)));
    Tensor r = m * first / (v.sqrt() * second + o.eps);
    if (o.weight_decay != 0) r = r + p * o.weight_decay;
    const Tensor size = norm(p), step = norm(r);
    return p - bound("lr", lr) * where(logical_and(size > 0, step > 0), size / step, 1) * r;
  }
  Tensor operator()(const MuonOptions& o) {
    const Tensor& v = averaged(0, o.momentum, g);
    const Tensor update = (o.nesterov ? g * (1 - o.momentum) + v * o.momentum : v).flatten(1);
    const double shape = std::sqrt(std::max(1.0, static_cast<double>(update.size(0)) / static_cast<double>(update.size(1))));
    return shrunk(o.weight_decay) - orthogonal(update, o.steps).reshape(p.shape()) * bound("lr", lr * shape);
  }
  Tensor operator()(const RmspropOptions& o) {
    decay(o.weight_decay);
    Tensor square = averaged(0, o.alpha, g.square());
    if (o.centered) square = maximum(square - averaged(slot.moments.size() - 1, o.alpha, g).square(), 0);  // not below, by rounding
    const Tensor update = g / (square.sqrt() + o.eps);
    return p - (o.momentum != 0 ? moved(1, kept(1) * o.momentum + update) : update) * bound("lr", lr);
  }
  Tensor operator()(const AdagradOptions& o) {
    decay(o.weight_decay);
    const Tensor& sum = moved(0, kept(0) + g.square());
    return p - bound("lr", lr / (1 + (t - 1) * o.lr_decay)) * g / (sum.sqrt() + o.eps);
  }
  Tensor operator()(const AdadeltaOptions& o) {
    decay(o.weight_decay);
    const Tensor& square = averaged(0, o.rho, g.square());
    const Tensor delta = (kept(1) + o.eps).sqrt() / (square + o.eps).sqrt() * g;
    (void)averaged(1, o.rho, delta.square());
    return p - delta * bound("lr", lr);
  }
  Tensor operator()(const AdamaxOptions& o) {
    decay(o.weight_decay);
    const Tensor &m = averaged(0, o.beta1, g), &size = moved(1, maximum(kept(1) * o.beta2, g.abs() + o.eps));
    return p - bound("rate", lr / bias(o.beta1)) * m / size;
  }
  Tensor operator()(const NadamOptions& o) {
    decay(o.weight_decay);
    const auto momentum = [&](double step) { return o.beta1 * (1 - 0.5 * std::pow(0.96, step * o.momentum_decay)); };
    double product = 1;  // of the momenta so far; beyond 2^-60 it is nothing beside 1
    for (double i = 1; i <= t && product > 0x1p-60; ++i) product *= momentum(i);
    const Tensor &m = averaged(0, o.beta1, g), &v = averaged(1, o.beta2, g.square());
    const Tensor ahead = bound("rate", lr * momentum(t + 1) / (1 - product * momentum(t + 1))), scale = bound("scale", 1 / bias(o.beta2));
    return p - (g * bound("lr", lr * (1 - momentum(t)) / (1 - product)) + m * ahead) / ((v * scale).sqrt() + o.eps);
  }
  Tensor operator()(const RadamOptions& o) {
    decay(o.weight_decay);
    const Tensor &m = averaged(0, o.beta1, g), &v = averaged(1, o.beta2, g.square());
    // How long the average of squares is, at most and by now.
    const double most = 2 / (1 - o.beta2) - 1, length = most - 2 * t * std::pow(o.beta2, t) / bias(o.beta2);
    const double known = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length);
    const Tensor rectified = bound("scale", length > 5 ? std::sqrt(known * bias(o.beta2)) : 0);
    return p - bound("rate", lr / bias(o.beta1)) * m * where(rectified > 0, rectified / (v.sqrt() + o.eps), 1);
  }
};

void Optimizer::step(const std::vector<Tensor>& also) {
  std::vector<Tensor> all;
  const NoGrad none;
  for (Slot& s : slots_) {
    if (!s.parameter.has_grad()) continue;
    const DType work = working_dtype(s.parameter.dtype());
    const Group& group = groups_[s.group];
    const Tensor gradient = s.parameter.grad().cast(work);
    Stepping next{s, s.parameter.cast(work).detach(), group.maximize ? -gradient : gradient, group.lr,
                  static_cast<double>(steps_ + 1), all};
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
  for (const auto& [name, t] : distinct(state)) {
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
