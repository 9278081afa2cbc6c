// The identity of a build is there, and stays the same.
#include "base/build_id.hpp"

#include <gtest/gtest.h>

namespace tg {
namespace {

TEST(BuildId, IsTheOneInThisFile) {
  EXPECT_GE(build_id().size(), 8u);
  EXPECT_EQ(build_id(), build_id());
}

}  // namespace
}  // namespace tg
