#pragma once
// A training run as a picture: one self-contained SVG that any browser shows.
//
//   Curve curve{.title = "mnist", .loss = losses, .accuracy = {{118, 0.971}, {236, 0.984}}};
//   io::write_file("loss.svg", plot_svg(curve));
#include <string>
#include <utility>
#include <vector>

namespace tg::cli {

struct Curve {
  std::string title{};
  std::string x_label = "step";
  std::vector<float> loss{};  // one a step, from step `first_step` on; what is not finite leaves a gap
  size_t first_step = 1;
  std::vector<std::pair<size_t, float>> accuracy{};  // (step, 0 to 1) on the validation set; may be empty
};

/// The raw loss lightly and its running mean boldly, on a logarithmic axis where it spans a factor of ten or more; accuracy, if there is
/// any, as dots against an axis on the right.
std::string plot_svg(const Curve& curve);

/// Round numbers (1, 2 or 5 times a power of ten apart) within [low, high], about `count` of them. Empty where the range is not finite.
std::vector<double> nice_ticks(double low, double high, size_t count);

/// 1, 2 and 5 times the powers of ten within [low, high], which must be positive; where that would be more than `count`, the powers alone,
/// or every second, third... of them.
std::vector<double> log_ticks(double low, double high, size_t count);

}  // namespace tg::cli
