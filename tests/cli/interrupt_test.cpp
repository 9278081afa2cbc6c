// Ctrl-C once is a request, twice is the end.
#include "cli/interrupt.hpp"

#include <gtest/gtest.h>

#include "tg/error.hpp"

namespace tg::cli {
namespace {

void remember(int) {}

TEST(Interrupt, FirstSetsTheFlag) {
  Interrupt interrupt;
  EXPECT_FALSE(interrupt.requested());
  raise(SIGINT);
  EXPECT_TRUE(interrupt.requested());
}

TEST(Interrupt, AnotherOneStartsAfresh) {
  {
    Interrupt first;
    raise(SIGINT);
  }
  EXPECT_FALSE(Interrupt().requested());
}

TEST(InterruptDeathTest, SecondKills) {
  EXPECT_EXIT(
      {
        Interrupt interrupt;
        raise(SIGINT);
        raise(SIGINT);
      },
      testing::KilledBySignal(SIGINT), "");
}

TEST(Interrupt, GivesTheFormerHandlerBack) {
  for (auto handler : {SIG_DFL, &remember}) {
    const auto outer = signal(SIGINT, handler);
    { Interrupt interrupt; }
    EXPECT_EQ(signal(SIGINT, outer), handler);
    signal(SIGINT, handler);
    {
      Interrupt interrupt;
      raise(SIGINT);
    }
    EXPECT_EQ(signal(SIGINT, outer), handler);
  }
}

TEST(Interrupt, LeavesBackgroundJobsAlone) {
  const auto outer = signal(SIGINT, SIG_IGN);
  Interrupt interrupt;
  raise(SIGINT);
  EXPECT_FALSE(interrupt.requested());
  signal(SIGINT, outer);
}

TEST(Interrupt, OneAtATime) {
  Interrupt interrupt;
  EXPECT_THROW(Interrupt(), ValueError);
}

}  // namespace
}  // namespace tg::cli
