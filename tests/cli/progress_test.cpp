// The progress bar under a clock and a width of the test's own, and as plain lines.
#include "cli/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

namespace tg::cli {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

struct Screen {
  Terminal terminal{};
  std::ostringstream out{};
  Progress::Clock::time_point time{};
  Progress make(size_t total = 60'000) {
    return Progress(out, terminal, "epoch 2/4", total, [this] { return time; }, [this] { return terminal.width; });
  }
  void wait(int milliseconds) { time += std::chrono::milliseconds(milliseconds); }
  std::string take() {
    std::string text = out.str();
    out.str("");
    return text;
  }
};

TEST(Progress, LiveLine) {
  Screen screen{.terminal = {.live = true, .width = 120}};
  Progress bar = screen.make();
  screen.wait(9000);  // compiling: not part of the speed
  bar.update(512, {});
  EXPECT_EQ(screen.take(), "\r\x1b[Kepoch 2/4 [>                             ] 512/60,000");
  screen.wait(1000);
  bar.update(20'512, {.loss = 0.0912, .accuracy = 0.9721});
  EXPECT_EQ(screen.take(),
            "\r\x1b[Kepoch 2/4 [==========>                   ] 20,512/60,000  loss 0.0912  acc 97.21%  20,000 images/s  0:02 left");
  screen.wait(2000);
  bar.update(60'000, {.loss = 0.05, .accuracy = 0.99});
  bar.finish();
  EXPECT_THAT(
      screen.take(),
      EndsWith("\r\x1b[Kepoch 2/4 [==============================] 60,000/60,000  loss 0.0500  acc 99.00%  19,829 images/s  in 0:12\n"));
  bar.finish();
  EXPECT_EQ(screen.take(), "");
}

TEST(Progress, RedrawsTenTimesASecondAtMost) {
  Screen screen{.terminal = {.live = true}};
  Progress bar = screen.make();
  for (size_t i = 1; i <= 1000; ++i) {
    bar.update(i, {});
    screen.wait(1);
  }
  const std::string text = screen.take();
  EXPECT_EQ(std::ranges::count(text, '\r'), 10);
}

TEST(Progress, UsesLineDrawingInUtf8) {
  Screen screen{.terminal = {.live = true, .utf8 = true, .width = 41}};
  Progress bar = screen.make(4);
  bar.update(2, {});
  EXPECT_EQ(screen.take(), "\r\x1b[Kepoch 2/4 ━━━━━━━━━━━━╺─────────── 2/4");
}

TEST(Progress, FitsEveryWidth) {
  Screen screen{.terminal = {.live = true}};
  for (size_t width = 1; width < 140; ++width) {
    screen.terminal.width = width;
    Progress bar = screen.make();
    screen.wait(1000);
    bar.update(100, {.loss = 0.5, .accuracy = 0.9});
    screen.wait(1000);
    bar.update(59'999, {.loss = 123.4567, .accuracy = 0.9});
    const std::string text = screen.take(), line = text.substr(text.rfind("\x1b[K") + 3);
    EXPECT_LT(line.size(), std::max(width, size_t{2}));
    EXPECT_EQ(line.find("images/s") != std::string::npos, width > 89) << width << line;  // speed gives way first
    EXPECT_EQ(line.find("loss") != std::string::npos, width > 49) << width << line;
  }
}

TEST(Progress, NoteStandsAboveTheBar) {
  Screen screen{.terminal = {.live = true, .width = 40}};
  Progress bar = screen.make(4);
  bar.note("before");
  bar.update(1, {});
  screen.take();
  bar.note("saved model.safetensors");
  const std::string text = screen.take();
  EXPECT_THAT(text, testing::StartsWith("\r\x1b[Ksaved model.safetensors\n\r\x1b[Kepoch 2/4 ["));
}

TEST(Progress, AnErrorBeginsOnItsOwnLine) {
  Screen screen{.terminal = {.live = true}};
  {
    Progress bar = screen.make();
    bar.update(1, {});
  }
  EXPECT_THAT(screen.take(), EndsWith("1/60,000\n"));
}

TEST(Progress, PlainLinesNowAndThen) {
  Screen screen;
  Progress bar = screen.make();
  for (size_t i = 0; i <= 110; ++i) {
    bar.update(500 * i, {.loss = 1.5});
    screen.wait(100);
  }
  bar.finish();
  const std::string text = screen.take();
  EXPECT_THAT(text, Not(HasSubstr("\r")));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_EQ(text, "epoch 2/4 25,000/60,000  loss 1.5000  5,000 images/s  0:07 left\n"
                  "epoch 2/4 50,000/60,000  loss 1.5000  5,000 images/s  0:02 left\n"
                  "epoch 2/4 55,000/60,000  loss 1.5000  4,955 images/s  in 0:11\n");
}

TEST(Progress, OddNumbers) {
  Screen screen{.terminal = {.live = true, .width = 100}};
  Progress empty = screen.make(0);
  empty.update(0, {.loss = INFINITY});
  EXPECT_THAT(screen.take(), HasSubstr("0/0  loss inf"));
  Progress over = screen.make(10);
  over.update(20, {});
  screen.wait(1000);
  over.update(5, {});
  over.finish();
  EXPECT_THAT(screen.take(), EndsWith(" 5/10  in 0:01\n"));
}

TEST(ClockText, Shapes) {
  EXPECT_EQ(clock_text(0), "0:00");
  EXPECT_EQ(clock_text(7.4), "0:07");
  EXPECT_EQ(clock_text(754), "12:34");
  EXPECT_EQ(clock_text(3723), "1:02:03");
  EXPECT_EQ(clock_text(-3), "0:00");
  EXPECT_EQ(clock_text(INFINITY), "--:--");
  EXPECT_EQ(clock_text(NAN), "--:--");
}

}  // namespace
}  // namespace tg::cli
