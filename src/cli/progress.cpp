// Composes the line from title, bar, count and figures, dropping what the terminal has no room for, and decides when to draw it.
#include "cli/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <utility>
#include <vector>

#include "io/array.hpp"

namespace tg::cli {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kPlainLine{5};
constexpr size_t kShortestBar = 8, kLongestBar = 30;
constexpr std::string_view kClearLine = "\r\x1b[K";

double seconds(Progress::Clock::duration d) { return std::chrono::duration<double>(d).count(); }

/// `columns` wide, `part` of it (0 to 1) full.
std::string progress_bar(double part, size_t columns, bool utf8) {
  const size_t full = static_cast<size_t>(part * static_cast<double>(columns));
  std::string text;
  if (!utf8) {
    text = std::string(full, '=') + (full < columns ? ">" : "");
    text.resize(columns, ' ');
    return "[" + text + "]";
  }
  for (size_t i = 0; i < columns; ++i) text += i < full ? "━" : i == full ? "╺" : "─";
  return text;
}

}  // namespace

std::string clock_text(double seconds) {
  if (!std::isfinite(seconds) || seconds >= 360'000) return "--:--";
  const long s = std::lround(std::max(seconds, 0.0));
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60) : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

Progress::Progress(std::ostream& out, const Terminal& terminal, std::string title, size_t total, std::function<Clock::time_point()> now,
                   std::function<size_t()> width)
    : out_(out), terminal_(terminal), title_(std::move(title)), total_(total), now_(std::move(now)), width_(std::move(width)) {
  if (!now_) now_ = Clock::now;
  if (!width_) width_ = [columns = terminal.width] { return columns; };
  start_ = first_ = latest_ = drawn_ = now_();
}

Progress::~Progress() {
  if (on_line_) out_ << '\n' << std::flush;
}

void Progress::update(size_t done, const Figures& figures) {
  const Clock::time_point now = now_();
  latest_ = now;
  if (!updated_) first_ = now, first_done_ = done;
  done_ = done;
  figures_ = figures;
  const bool due = terminal_.live ? !updated_ || now - drawn_ >= kRedraw : now - drawn_ >= kPlainLine;
  updated_ = true;
  if (due) draw();
}

void Progress::note(const std::string& line) {
  if (on_line_) out_ << kClearLine;
  out_ << line << '\n' << std::flush;
  if (on_line_) draw();
}

void Progress::finish() {
  if (std::exchange(finished_, true)) return;
  latest_ = now_();
  draw();
  if (std::exchange(on_line_, false)) out_ << '\n' << std::flush;
}

void Progress::draw() {
  drawn_ = latest_;
  if (terminal_.live) {
    out_ << kClearLine << line(std::max(width_(), size_t{2}) - 1)
         << std::flush;  // the last column stays free: filling it may wrap the line
    on_line_ = true;
  } else {
    out_ << line(0) << '\n' << std::flush;
  }
}

std::string Progress::speed_and_time() const {
  const double elapsed = seconds(latest_ - first_), items = static_cast<double>(done_ - std::min(first_done_, done_));
  std::string text;
  if (elapsed > 0 && items > 0) {
    const double rate = items / elapsed;
    text = fmt::format("  {} images/s", io::with_commas(static_cast<uint64_t>(std::llround(rate))));
    if (!finished_ && total_ > done_) return text + fmt::format("  {} left", clock_text(static_cast<double>(total_ - done_) / rate));
  }
  return finished_ ? text + fmt::format("  in {}", clock_text(seconds(latest_ - start_))) : text;
}

/// The line in at most `columns` (0: as long as it is, without the bar). What gives way first: speed, accuracy, loss, the bar.
std::string Progress::line(size_t columns) const {
  std::vector<std::string> parts{title_ + " ", fmt::format(" {}/{}", io::with_commas(done_), io::with_commas(total_))};
  if (!std::isnan(figures_.loss)) parts.push_back(fmt::format("  loss {:.4f}", figures_.loss));
  if (!std::isnan(figures_.accuracy)) parts.push_back(fmt::format("  acc {:.2f}%", 100 * figures_.accuracy));
  parts.push_back(speed_and_time());
  std::string tail;
  size_t used = parts[0].size() + parts[1].size() + kShortestBar + 2;
  for (size_t i = 1; i < parts.size(); ++i) {
    if (i > 1 && columns > 0) {
      if (used + parts[i].size() > columns) break;
      used += parts[i].size();
    }
    tail += parts[i];
  }
  if (columns == 0) return title_ + tail;
  if (used > columns) return (title_ + tail).substr(0, columns);
  const double part = total_ == 0 ? 1 : std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  return parts[0] + progress_bar(part, std::min(kLongestBar, kShortestBar + columns - used), terminal_.utf8) + tail;
}

}  // namespace tg::cli
