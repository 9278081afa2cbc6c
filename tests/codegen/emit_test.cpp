// The instruction emitter: what is asked for twice is made once, and only that.
#include "codegen/emit.hpp"

#include <gtest/gtest.h>

namespace tg {
namespace {

TEST(Emitter, OneScalarMayBeBroadcastToSeveralWidths) {
  Emitter e;
  const int one = e.constant(DType::float32, 0, 1.0), two = e.broadcast(one, 2), sixteen = e.broadcast(one, 16);
  EXPECT_EQ(e.lanes(two), 2);
  EXPECT_EQ(e.lanes(sixteen), 16);
  EXPECT_EQ(e.broadcast(one, 2), two);
}

}  // namespace
}  // namespace tg
