#pragma once
// A progress bar where output is a terminal, a line now and then where it is not.
//
//   Progress bar(std::cout, terminal_of(STDOUT_FILENO), "epoch 2/4", 60'000);
//   bar.update(12'288, {.loss = 0.0912, .accuracy = 0.9721});
//   bar.finish();
//
//   epoch 2/4 [======>                  ] 12,288/60,000  loss 0.0912  acc 97.21%  21,530 images/s  0:02 left
#include <chrono>
#include <functional>
#include <iosfwd>
#include <limits>
#include <string>

#include "cli/terminal.hpp"

namespace tg::cli {

/// What is shown beside the count; NaN is left out.
struct Figures {
  double loss = std::numeric_limits<double>::quiet_NaN();
  double accuracy = std::numeric_limits<double>::quiet_NaN();  // 0 to 1
};

class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  /// Draws on `out`, redrawing one line at most 10 times a second if `terminal.live`, else writing a line every 5 seconds. `now` and
  /// `width` (columns at each drawing) are for tests and resized terminals; without them: the steady clock and terminal.width.
  Progress(std::ostream& out, const Terminal& terminal, std::string title, size_t total, std::function<Clock::time_point()> now = {},
           std::function<size_t()> width = {});
  /// Ends the line if it is not finished, so that what is printed next (an error, say) begins on its own.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` of `total` items are through. Speed counts from the first update, so that what precedes it (compiling) does not spoil it.
  void update(size_t done, const Figures& figures);
  /// Takes the bar away, prints a line, and draws the bar again below it.
  void note(const std::string& line);
  /// Draws the last state with the time taken, and ends the line.
  void finish();

 private:
  std::string line(size_t columns) const;
  std::string speed_and_time() const;
  void draw();

  std::ostream& out_;
  Terminal terminal_;
  std::string title_;
  size_t total_, done_ = 0, first_done_ = 0;
  Figures figures_;
  std::function<Clock::time_point()> now_;
  std::function<size_t()> width_;
  Clock::time_point start_, first_, latest_, drawn_;
  bool updated_ = false, on_line_ = false, finished_ = false;
};

/// "0:07", "12:34", "1:02:03".
std::string clock_text(double seconds);

}  // namespace tg::cli
