// Digits and bars as characters, in every kind of terminal; what a terminal is taken for.
#include "cli/draw.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cmath>

#include "tg/error.hpp"

namespace tg::cli {
namespace {

const std::array<uint8_t, 16> kPicture{0, 255, 255, 0,  //
                                       0, 0,   255, 0,  //
                                       0, 0,   0,   128, 255, 0, 0, 130};
const Terminal kPlain{}, kBlocks{.live = true, .utf8 = true}, kColour{.live = true, .colour = true, .utf8 = true};

TEST(DrawDigit, Ascii) {
  const Block b = draw_digit(kPicture, kPlain, "7", 4);
  EXPECT_EQ(b.width, 4u);
  EXPECT_THAT(b.lines, testing::ElementsAre(" =@ ", "=  +", " 7  "));
}

TEST(DrawDigit, HalfBlocks) { EXPECT_THAT(draw_digit(kPicture, kBlocks, "", 4).lines, testing::ElementsAre(" ▀█ ", "▄  █")); }

TEST(DrawDigit, Grays) {
  const Block b = draw_digit(std::array<uint8_t, 4>{0, 255, 128, 10}, kColour, "", 2);
  EXPECT_THAT(b.lines, testing::ElementsAre("\x1b[38;5;16;48;5;244m▀\x1b[38;5;231;48;5;232m▀\x1b[0m"));
  EXPECT_EQ(b.width, 2u);
}

TEST(DrawDigit, OddSideAndWrongSize) {
  EXPECT_THAT(draw_digit(std::array<uint8_t, 9>{255, 0, 0, 255, 0, 0, 255, 0, 0}, kBlocks, "", 3).lines,
              testing::ElementsAre("█  ", "▀  "));
  EXPECT_THROW(
      {
        try {
          draw_digit(std::array<uint8_t, 9>{}, kPlain);
        } catch (const ValueError& e) {
          EXPECT_STREQ(e.what(), "draw_digit: expected 28 x 28 pixels, found 9");
          throw;
        }
      },
      ValueError);
}

TEST(DrawProbabilities, Bars) {
  const std::array<float, 3> p{0.25f, 0.75f, 0.0f};
  EXPECT_THAT(draw_probabilities(p, kPlain, 8).lines,
              testing::ElementsAre("0 ##        25.00%  ", "1 ######    75.00% <", "2            0.00%  "));
  const std::array<float, 2> q{0.05f, 0.95f};
  EXPECT_THAT(draw_probabilities(q, kColour, 4).lines, testing::ElementsAre("0 ▎      5.00%  ", "\x1b[1m1 ███▊  95.00% <\x1b[0m"));
}

TEST(DrawProbabilities, OddNumbers) {
  const std::array<float, 4> p{NAN, INFINITY, -1.0f, 2.0f};
  const Block b = draw_probabilities(p, kPlain, 4);
  EXPECT_EQ(b.lines.size(), 4u);
  EXPECT_THAT(b.lines[3], testing::StartsWith("3 #### 200.00%"));
  EXPECT_TRUE(draw_probabilities({}, kPlain).lines.empty());
}

TEST(DrawProbabilities, WidthIsTrue) {
  for (size_t classes : {3u, 10u, 11u}) {
    const Block b = draw_probabilities(std::vector<float>(classes, 0.333f), kPlain, 24);
    for (const std::string& line : b.lines) EXPECT_EQ(line.size(), b.width);
  }
}

TEST(Beside, RowsAsTheWidthAllows) {
  const Block tall{{"aaa", "bbb"}, 3}, low{{"cc"}, 2};
  EXPECT_EQ(beside({tall, low, tall}, {.width = 80}), "aaa  cc  aaa\nbbb      bbb\n");
  EXPECT_EQ(beside({tall, low, tall}, {.width = 11}), "aaa  cc\nbbb\n\naaa\nbbb\n");
  EXPECT_EQ(beside({tall, low}, {.width = 1}), "aaa\nbbb\n\ncc\n");
  EXPECT_EQ(beside({}, {}), "");
}

class TerminalOf : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG", "NO_COLOR"}) ::unsetenv(name);
    ::setenv("TERM", "xterm", 1);
    host_ = ::posix_openpt(O_RDWR | O_NOCTTY);
    ASSERT_TRUE(host_ >= 0 && ::grantpt(host_) == 0 && ::unlockpt(host_) == 0);
    screen_ = ::open(::ptsname(host_), O_RDWR | O_NOCTTY);
    ASSERT_GE(screen_, 0);
  }
  void TearDown() override {
    ::close(screen_);
    ::close(host_);
  }
  int host_ = -1, screen_ = -1;
};

TEST_F(TerminalOf, Screen) {
  Terminal t = terminal_of(screen_);
  EXPECT_TRUE(t.live && t.colour && !t.utf8);
  EXPECT_EQ(t.width, 80u);
  winsize size{};
  size.ws_col = 133;
  ASSERT_EQ(::ioctl(screen_, TIOCSWINSZ, &size), 0);
  ::setenv("LANG", "de_DE.utf8", 1);
  ::setenv("NO_COLOR", "1", 1);
  t = terminal_of(screen_);
  EXPECT_TRUE(t.live && !t.colour && t.utf8);
  EXPECT_EQ(t.width, 133u);
  ::setenv("LC_ALL", "C", 1);  // goes before LANG
  ::setenv("TERM", "dumb", 1);
  t = terminal_of(screen_);
  EXPECT_TRUE(!t.live && !t.colour && !t.utf8);
}

TEST_F(TerminalOf, PipeIsPlain) {
  ::setenv("LANG", "C.UTF-8", 1);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Terminal t = terminal_of(ends[1]);
  EXPECT_TRUE(!t.live && !t.colour && !t.utf8);
  EXPECT_EQ(t.width, 80u);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace tg::cli
