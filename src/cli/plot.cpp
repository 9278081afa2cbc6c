// Writes the SVG by hand: frame and grid, the two loss lines, the accuracy dots, a legend.
#include "cli/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "io/array.hpp"

namespace tg::cli {
namespace {

constexpr double kWidth = 860, kHeight = 480, kLeft = 70, kRight = 70, kTop = 76, kBottom = 58;
constexpr size_t kColumns = 720;  // the raw line keeps the least and the greatest value of each pixel column
constexpr std::string_view kInk = "#1f2937", kFaint = "#6b7280", kGrid = "#e5e7eb", kLoss = "#2563eb", kAccuracy = "#d97706";

/// Maps values to a span of pixels.
struct Axis {
  double low, high, from, to;
  bool log = false;
  double at(double value) const {
    const double part = log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + (to - from) * std::clamp(part, 0.0, 1.0);
  }
};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else if (static_cast<unsigned char>(c) >= ' ') out += c;  // XML has no control characters
  }
  return out;
}

std::string text_at(double x, double y, std::string_view anchor, std::string_view fill, int size, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" fill=\"{}\" font-size=\"{}\">{}</text>\n", x, y, anchor, fill,
                     size, escaped(text));
}

std::string line_between(double x1, double y1, double x2, double y2, std::string_view stroke) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1, x2, y2, stroke);
}

using Points = std::vector<std::pair<double, double>>;  // x in steps, y the value; a NaN lifts the pen

/// Each value's mean with its neighbours on both sides, so that the line does not lag; the window grows with the run and shrinks at its
/// ends.
std::vector<float> smoothed(const std::vector<float>& values) {
  std::vector<double> sum{0}, count{0};  // of the finite values before each
  for (const float v : values) {
    sum.push_back(sum.back() + (std::isfinite(v) ? v : 0));
    count.push_back(count.back() + (std::isfinite(v) ? 1 : 0));
  }
  const size_t widest = std::clamp(values.size() / 60, size_t{1}, size_t{250});
  std::vector<float> out;
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t half = std::min({widest, i, values.size() - 1 - i}), begin = i - half, end = i + half + 1;
    out.push_back(std::isfinite(values[i]) ? static_cast<float>((sum[end] - sum[begin]) / (count[end] - count[begin])) : values[i]);
  }
  return out;
}

/// At most two points a pixel column, so that a long run stays a small file.
Points thinned(const std::vector<float>& values, size_t first_step) {
  Points points;
  const size_t stride = std::max(size_t{1}, values.size() / kColumns);
  for (size_t begin = 0; begin < values.size(); begin += stride) {
    const auto part = values.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto end = values.begin() + static_cast<std::ptrdiff_t>(std::min(begin + stride, values.size()));
    auto [low, high] = std::minmax_element(part, end, [](float a, float b) { return std::isfinite(a) && (!std::isfinite(b) || a < b); });
    if (low > high) std::swap(low, high);
    const auto add = [&](auto it) { points.emplace_back(static_cast<double>(first_step + static_cast<size_t>(it - values.begin())), *it); };
    add(low);
    if (high != low) add(high);
  }
  return points;
}

std::string path_of(const Points& points, const Axis& x, const Axis& y, std::string_view style) {
  std::string d;
  bool down = false;
  for (const auto& [px, py] : points) {
    const bool visible = std::isfinite(py) && (!y.log || py > 0);
    if (visible) d += fmt::format("{}{:.1f} {:.1f}", down ? "L" : "M", x.at(px), y.at(py));
    down = visible;
  }
  return fmt::format("<path d=\"{}\" fill=\"none\" {}/>\n", d, style);
}

/// The axis of the loss: from below its least to above its greatest value, logarithmic where that is the better view.
Axis loss_axis(const std::vector<float>& loss) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const float v : loss) {
    if (std::isfinite(v)) low = std::min(low, double{v}), high = std::max(high, double{v});
  }
  if (low > high) low = 0, high = 1;  // nothing to show
  const double bottom = kHeight - kBottom;
  if (low > 0 && high / low >= 10) return {low / 1.15, high * 1.15, bottom, kTop, true};
  const double margin = high > low ? 0.05 * (high - low) : std::max(0.5, 0.05 * std::abs(high));
  return {low >= 0 ? std::max(0.0, low - margin) : low - margin, high + margin, bottom, kTop};
}

std::string tick_text(double v) { return v >= 1e4 && v < 1e15 ? io::with_commas(static_cast<uint64_t>(v)) : fmt::format("{:.6g}", v); }

std::string accuracy_part(const Curve& curve, const Axis& x) {
  double low = 1;
  Points points;
  for (const auto& [step, value] : curve.accuracy) {
    points.emplace_back(static_cast<double>(step), 100.0 * value);
    if (std::isfinite(value)) low = std::min(low, double{value});
  }
  low = std::max(0.0, std::floor(100 * low - 0.25 * (100 - 100 * low)));  // room below the lowest dot
  const Axis y{std::min(low, 99.0), 100, kHeight - kBottom, kTop};
  std::string svg;
  for (const double t : nice_ticks(y.low, y.high, 6)) {
    svg += text_at(kWidth - kRight + 8, y.at(t) + 4, "start", kAccuracy, 12, tick_text(t) + "%");
  }
  svg += path_of(points, x, y, fmt::format("stroke=\"{}\" stroke-width=\"1.5\" stroke-dasharray=\"4 3\"", kAccuracy));
  for (const auto& [step, value] : points) {
    if (std::isfinite(value)) {
      svg +=
          fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\" stroke=\"white\"/>\n", x.at(step), y.at(value), kAccuracy);
    }
  }
  return svg;
}

}  // namespace

std::vector<double> nice_ticks(double low, double high, size_t count) {
  if (!std::isfinite(low) || !std::isfinite(high) || high <= low || count == 0) return {};
  const double raw = (high - low) / static_cast<double>(count), power = std::pow(10.0, std::floor(std::log10(raw)));
  const double step = power * (raw / power <= 1 ? 1 : raw / power <= 2 ? 2 : raw / power <= 5 ? 5 : 10);
  std::vector<double> ticks;
  const double first = std::ceil(low / step - 1e-9);
  for (double i = first; i * step <= high + 1e-9 * step && ticks.size() <= 2 * count; ++i) ticks.push_back(i == 0 ? 0 : i * step);
  return ticks;
}

std::vector<double> log_ticks(double low, double high, size_t count) {
  std::vector<double> ticks, powers;
  for (double p = std::floor(std::log10(low)); p <= std::ceil(std::log10(high)); ++p) {
    for (const double m : {1.0, 2.0, 5.0}) {
      const double t = p < 0 ? m / std::pow(10.0, -p) : m * std::pow(10.0, p);  // exact powers: 0.05, not 0.05000000000000001
      if (t < low || t > high) continue;
      ticks.push_back(t);
      if (m == 1) powers.push_back(t);
    }
  }
  if (ticks.size() <= count) return ticks;
  std::vector<double> few;
  for (size_t i = 0, stride = (powers.size() + count - 1) / count; i < powers.size(); i += stride) few.push_back(powers[i]);
  return few;
}

std::string plot_svg(const Curve& curve) {
  const Axis y = loss_axis(curve.loss);
  size_t last_step = curve.first_step + std::max(curve.loss.size(), size_t{2}) - 1;
  for (const auto& point : curve.accuracy) last_step = std::max(last_step, point.first);
  const Axis x{static_cast<double>(curve.first_step), static_cast<double>(last_step), kLeft, kWidth - kRight};
  const double bottom = kHeight - kBottom, right = kWidth - kRight;

  std::string svg =
      fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
                  "font-family=\"system-ui, 'DejaVu Sans', sans-serif\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
                  kWidth, kHeight);
  svg += fmt::format("<text x=\"{}\" y=\"30\" fill=\"{}\" font-size=\"17\" font-weight=\"600\">{}</text>\n", kLeft, kInk,
                     escaped(curve.title));
  for (const double t : y.log ? log_ticks(y.low, y.high, 10) : nice_ticks(y.low, y.high, 6)) {
    svg += line_between(kLeft, y.at(t), right, y.at(t), kGrid) + text_at(kLeft - 8, y.at(t) + 4, "end", kFaint, 12, tick_text(t));
  }
  for (const double t : nice_ticks(x.low, x.high, 8)) {
    if (t != std::floor(t)) continue;  // there is no half step
    svg += line_between(x.at(t), bottom, x.at(t), bottom + 5, kFaint) + text_at(x.at(t), bottom + 20, "middle", kFaint, 12, tick_text(t));
  }
  svg += line_between(kLeft, bottom, right, bottom, kFaint);
  svg += text_at((kLeft + right) / 2, kHeight - 16, "middle", kInk, 13, curve.x_label);
  svg +=
      path_of(thinned(curve.loss, curve.first_step), x, y, fmt::format("stroke=\"{}\" stroke-width=\"1\" stroke-opacity=\"0.25\"", kLoss));
  svg += path_of(thinned(smoothed(curve.loss), curve.first_step), x, y,
                 fmt::format("stroke=\"{}\" stroke-width=\"2.2\" stroke-linejoin=\"round\"", kLoss));
  if (!curve.accuracy.empty()) {
    svg += accuracy_part(curve, x);
    svg += text_at(kLeft + (y.log ? 195 : 125), 54, "start", kAccuracy, 13, "● validation accuracy");
  }
  svg += text_at(kLeft, 54, "start", kLoss, 13, y.log ? "━ training loss (log scale)" : "━ training loss");
  return svg + "</svg>\n";
}

}  // namespace tg::cli
