#pragma once
// Learning rates that follow a schedule: a rate by the number of steps, and what gives it to an optimizer.
//
//   tg::nn::LrSchedule schedule(optimizer, tg::nn::sequential_lr({tg::nn::linear_lr(0.1, 1, 100), tg::nn::cosine_lr(900)}, {100}));
//   for (...) { loss.backward(); optimizer.step({loss}); schedule.step(); }
//
// The rates are PyTorch's of the same names. They reach kernels as scalars at launch, so nothing is compiled again.
#include "tg/optim.hpp"

namespace tg::nn {

/// The rate at step t, from 0, of a group whose options say `base`.
using LrRule = std::function<double(double base, int64_t t)>;

[[nodiscard]] LrRule step_lr(int64_t size, double gamma = 0.1);                 // times gamma every `size` steps
[[nodiscard]] LrRule multistep_lr(std::vector<int64_t> at, double gamma = 0.1);  // times gamma at each of these steps
[[nodiscard]] LrRule lambda_lr(std::function<double(int64_t t)> factor);        // base times factor(t)
[[nodiscard]] LrRule exponential_lr(double gamma);                              // times gamma every step
/// From base times `from` to base times `to` in `steps` steps, then constant: a warmup.
[[nodiscard]] LrRule linear_lr(double from = 1.0 / 3, double to = 1, int64_t steps = 5);
/// Half a cosine from base to `least` in `steps` steps, and back in as many. Loshchilov, Hutter 2017.
[[nodiscard]] LrRule cosine_lr(int64_t steps, double least = 0);
[[nodiscard]] LrRule constant_lr(double factor = 1.0 / 3, int64_t steps = 5);  // times the factor for the first `steps` steps
[[nodiscard]] LrRule polynomial_lr(int64_t steps = 5, double power = 1);       // times (1 - t / steps)^power, down to 0
/// cosine_lr down, from the base again every `first` steps, each time `times` as many. Loshchilov, Hutter 2017. ValueError: times below 1.
[[nodiscard]] LrRule cosine_restarts_lr(int64_t first, int64_t times = 1, double least = 0);
enum class Cycle : uint8_t { Triangular, Halving, Exponential };  // equal; each half as high as the last; times gamma every step
struct CyclicOptions {  // of cyclic_lr
  detail::ByName by_name_only = detail::by_name;
  int64_t up = 2000, down = 0;  // steps to rise and to fall, 0: as many
  Cycle cycle = Cycle::Triangular;  // how high each is
  double gamma = 1;             // of Exponential
};
/// From low to high and back on lines, again and again, whatever the base. Smith 2017.
[[nodiscard]] LrRule cyclic_lr(double low, double high, const CyclicOptions& options = {});
struct OneCycleOptions {
  detail::ByName by_name_only = detail::by_name;
  double rise = 0.3;            // the part of the steps on which it rises
  double div_factor = 25;       // it begins at max_lr / div_factor
  double final_div_factor = 1e4;  // and ends at that, divided by this
  bool linear = false;          // instead of half cosines
};
/// Up to max_lr and down again in `steps` steps, whatever the base. Smith, Topin 2019.
[[nodiscard]] LrRule one_cycle_lr(double max_lr, int64_t steps, const OneCycleOptions& options = {});
/// One rule after another, each counting from 0 at its milestone. ValueError unless there is a milestone between any two.
[[nodiscard]] LrRule sequential_lr(std::vector<LrRule> rules, std::vector<int64_t> milestones);

/// Gives an optimizer's groups the rates of a rule: those of step 0 at once, the next with each step(). It refers to the optimizer, which
/// must outlive it.
class LrSchedule {
 public:
  LrSchedule(Optimizer& optimizer, LrRule rule);
  void step();
  /// To go on where a saved run stopped. ValueError if negative.
  void set_steps(int64_t steps);
  [[nodiscard]] int64_t steps() const { return steps_; }

 private:
  void apply();
  Optimizer& optimizer_;
  LrRule rule_;
  std::vector<double> base_;
  int64_t steps_ = 0;
};

struct PlateauOptions {  // of a PlateauLr
  detail::ByName by_name_only = detail::by_name;
  bool largest = false;     // the metric is to grow, not to shrink
  double factor = 0.1;      // what rates are multiplied by
  int64_t patience = 10;    // steps without an improvement that are forgiven
  double threshold = 1e-4;  // an improvement is by more than this part of the best
  int64_t cooldown = 0;     // steps after a reduction in which nothing is counted
  double least = 0;         // rates stay above
};
/// Multiplies the rates by `factor` when a metric has stopped to improve.
class PlateauLr {
 public:
  explicit PlateauLr(Optimizer& optimizer, const PlateauOptions& options = {});
  void step(double metric);

  /// What changes from step to step.
  struct Progress {
    double best;                   // metric so far
    int64_t bad = 0, cooling = 0;  // steps without an improvement, steps in which nothing is counted yet
  };
  /// What to save beside the optimizer, and to go on from.
  [[nodiscard]] const Progress& progress() const { return progress_; }
  void set_progress(const Progress& progress) { progress_ = progress; }

 private:
  Optimizer& optimizer_;
  PlateauOptions options_;
  Progress progress_;
};

}  // namespace tg::nn
