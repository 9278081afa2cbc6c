// Schedules of learning rates, each in closed form.
//
//   cosine_lr(100)(0.1, 50)      0.05
#include "tg/lr.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tg::nn {

namespace {

void require(bool satisfied, std::string_view rule, std::string_view what, double value, std::string_view takes) {
  if (!satisfied) throw ValueError(fmt::format("{}: {} is {}; it takes {}", rule, what, value, takes));
}
void require_steps(int64_t steps, std::string_view rule) {
  require(steps >= 1, rule, "the number of steps", static_cast<double>(steps), "1 or more");
}
/// From a to b on half a cosine, or a line.
double between(double a, double b, double part, bool linear) {
  return linear ? a + (b - a) * part : b + (a - b) * (1 + std::cos(std::numbers::pi * part)) / 2;
}

}  // namespace

LrRule step_lr(int64_t size, double gamma) {
  require_steps(size, "step_lr");
  return [=](double base, int64_t t) { return base * std::pow(gamma, static_cast<double>(t / size)); };
}
LrRule multistep_lr(std::vector<int64_t> at, double gamma) {
  return [at = std::move(at), gamma](double base, int64_t t) {
    return base * std::pow(gamma, static_cast<double>(std::ranges::count_if(at, [&](int64_t m) { return m <= t; })));
  };
}
LrRule lambda_lr(std::function<double(int64_t)> factor) {
  return [factor = std::move(factor)](double base, int64_t t) { return base * factor(t); };
}
LrRule exponential_lr(double gamma) {
  return [=](double base, int64_t t) { return base * std::pow(gamma, static_cast<double>(t)); };
}
LrRule linear_lr(double from, double to, int64_t steps) {
  require_steps(steps, "linear_lr");
  return [=](double base, int64_t t) {
    return base * between(from, to, static_cast<double>(std::min(t, steps)) / static_cast<double>(steps), true);
  };
}
LrRule cosine_lr(int64_t steps, double least) {
  require_steps(steps, "cosine_lr");
  return [=](double base, int64_t t) { return between(base, least, static_cast<double>(t) / static_cast<double>(steps), false); };
}
LrRule constant_lr(double factor, int64_t steps) {
  return [=](double base, int64_t t) { return t < steps ? base * factor : base; };
}
LrRule polynomial_lr(int64_t steps, double power) {
  require_steps(steps, "polynomial_lr");
  return [=](double base, int64_t t) {
    return base * std::pow(1 - static_cast<double>(std::min(t, steps)) / static_cast<double>(steps), power);
  };
}
LrRule cosine_restarts_lr(int64_t first, int64_t times, double least) {
  require_steps(first, "cosine_restarts_lr");
  require(times >= 1, "cosine_restarts_lr", "times", static_cast<double>(times), "1 or more");
  return [=](double base, int64_t t) {
    int64_t steps = first;
    for (t = times == 1 ? t % first : t; t >= steps; steps *= times) t -= steps;
    return between(base, least, static_cast<double>(t) / static_cast<double>(steps), false);
  };
}
LrRule cyclic_lr(double low, double high, const CyclicOptions& o) {
  require_steps(o.up, "cyclic_lr");
  require(o.down >= 0, "cyclic_lr", "the number of steps down", static_cast<double>(o.down), "0 or more");
  const int64_t all = o.up + (o.down == 0 ? o.up : o.down);
  return [=, up = o.up, cycle = o.cycle, gamma = o.gamma](double, int64_t t) {
    const auto at = static_cast<double>(t % all), rise = static_cast<double>(up), whole = static_cast<double>(all);
    const double part = at <= rise ? at / rise : (whole - at) / (whole - rise);
    const double height = cycle == Cycle::Halving       ? std::pow(0.5, static_cast<double>(t / all))
                          : cycle == Cycle::Exponential ? std::pow(gamma, static_cast<double>(t))
                                                        : 1;
    return low + (high - low) * part * height;
  };
}
LrRule one_cycle_lr(double max_lr, int64_t steps, const OneCycleOptions& o) {
  require_steps(steps, "one_cycle_lr");
  require(o.rise > 0 && o.rise < 1, "one_cycle_lr", "rise", o.rise, "a part of the steps, above 0 and below 1");
  const double first = max_lr / o.div_factor, last = first / o.final_div_factor;
  const double top = o.rise * static_cast<double>(steps) - 1, end = static_cast<double>(steps) - 1;
  return [=](double, int64_t t) {
    const auto at = static_cast<double>(t);
    if (at <= top) return between(first, max_lr, top > 0 ? at / top : 1, o.linear);
    return between(max_lr, last, std::min(1.0, (at - top) / (end - top)), o.linear);
  };
}
LrRule sequential_lr(std::vector<LrRule> rules, std::vector<int64_t> milestones) {
  if (rules.empty() || milestones.size() + 1 != rules.size())
    throw ValueError(fmt::format("sequential_lr: {} rules and {} milestones; it takes a milestone between any two rules", rules.size(),
                                 milestones.size()));
  return [rules = std::move(rules), milestones = std::move(milestones)](double base, int64_t t) {
    size_t i = 0;
    while (i < milestones.size() && milestones[i] <= t) ++i;
    return rules[i](base, i == 0 ? t : t - milestones[i - 1]);
  };
}

LrSchedule::LrSchedule(Optimizer& optimizer, LrRule rule) : optimizer_(optimizer), rule_(std::move(rule)) {
  for (size_t g = 0; g < optimizer.groups(); ++g) base_.push_back(optimizer.initial_lr(g));
  apply();
}
void LrSchedule::step() {
  ++steps_;
  apply();
}
void LrSchedule::set_steps(int64_t steps) {
  require(steps >= 0, "LrSchedule", "the number of steps", static_cast<double>(steps), "0 or more");
  steps_ = steps;
  apply();
}
void LrSchedule::apply() {
  for (size_t g = 0; g < base_.size(); ++g) optimizer_.set_lr(rule_(base_[g], steps_), g);
}

PlateauLr::PlateauLr(Optimizer& optimizer, const PlateauOptions& o)
    : optimizer_(optimizer), options_(o), progress_{o.largest ? -HUGE_VAL : HUGE_VAL} {
  require(o.factor > 0 && o.factor < 1, "PlateauLr", "factor", o.factor, "a number above 0 and below 1");
}
void PlateauLr::step(double metric) {
  const PlateauOptions& o = options_;
  auto& [best, bad, cooling] = progress_;
  const bool better = o.largest ? metric > best * (1 + o.threshold) || std::isinf(best) : metric < best * (1 - o.threshold);
  if (better) best = metric;
  bad = better ? 0 : bad + 1;
  if (cooling > 0) --cooling, bad = 0;
  if (bad <= o.patience) return;
  for (size_t g = 0; g < optimizer_.groups(); ++g) optimizer_.set_lr(std::max(o.least, optimizer_.lr(g) * o.factor), g);
  cooling = o.cooldown;
  bad = 0;
}

}  // namespace tg::nn
