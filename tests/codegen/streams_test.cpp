// Arrays that pass by the caches: stored around them, asked for ahead of time, and where kept rows lie meanwhile. That results are the same
// is in verbs_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "codegen/one_kernel.hpp"

namespace tg {
namespace {

TEST(Streams, GoAroundTheCache) {
  struct Counts { int stores = 0, around = 0, loads = 0, ahead = 0; };
  const auto counts = [](const Tensor& y, int64_t cache) {
    const Case c(y, device("null"));
    Target t = c.device.target();
    t.l3_bytes = cache;
    Counts out;
    const Generated g = generate(c.kernel, t);
    for (const Inst& i : g.phases[0].phase.insts) {
      out.stores += i.op == InstOp::store;
      out.around += i.op == InstOp::store && i.hint == Hint::non_temporal;
      out.loads += i.op == InstOp::load;
      out.ahead += i.op == InstOp::prefetch;
    }
    return out;
  };
  const Inputs in{"null"};
  const Tensor x = in({64, 1024}), y = in({64, 1024});
  const Counts large = counts(x * 2 + y, 64 * 1024), small = counts(x * 2 + y, 1024 * 1024);
  EXPECT_EQ(large.around, large.stores);
  EXPECT_EQ(large.ahead, large.loads) << "every load asks ahead";
  EXPECT_EQ(small.around + small.ahead, 0);
  const Counts rows = counts(x.layer_norm(in({1024}), in({1024})), 64 * 1024);
  EXPECT_EQ(rows.around, rows.stores);
  EXPECT_GT(rows.ahead, 0);
  EXPECT_LT(2 * rows.ahead, rows.loads) << "of three passes over a row one asks for the next, and weights stay where they are";
  for (const int64_t odd : {1021, 1022, 1028}) {
    SCOPED_TRACE(odd);
    const Tensor part = in({61, odd + 1}).at(slice(), slice(1)) * 2;
    for (const Tensor& rows_of : {in({61, odd}) + in({odd}), in({61, odd}).layer_norm(in({odd}), in({odd})), part}) {
      const Counts c = counts(rows_of, 64 * 1024);
      EXPECT_GT(c.around, 0);
      EXPECT_LE(c.stores, 3 * c.around) << "but in the first and in the last round of a row";
    }
  }
  EXPECT_EQ(counts(in({600, 101}) + in({101}), 64 * 1024).around, 0) << "rows of a few lines";
}

// The next row, whether rows begin where lines do or not: of what is read once, and not of weights. One of the walks asks for all of it,
// with what is masked in loops of its own. A pipeline's first row is walked in a loop of its own, and lines at the ends of what is stored
// are asked for as well.
TEST(Streams, AskForTheNextRow) {
  const Inputs in{"null"};
  for (const int64_t n : {1021, 1024}) {
    const Tensor x = in({61, n}), w = in({n});
    struct Asking { Tensor y; int whole, odd; };
    for (const auto& [y, whole, odd] :
         {Asking{x.layer_norm(w, w), 1, 2}, Asking{x / x.sum({.axis = 1, .keepdim = true}), 1, 3}, Asking{x.softmax(), 2, 4}}) {
      const Case c(y, device("null"));
      SCOPED_TRACE(c.kernel.name());
      Target t = c.device.target();
      t.l3_bytes = 64 * 1024;
      const Phase phase = generate(c.kernel, t).phases[0].phase;
      int walks = 0, ends = 0;
      bool asked = false;
      for (const Inst& i : phase.insts) {
        if (i.op == InstOp::loop) walks += std::exchange(asked, false);
        if (i.op != InstOp::prefetch) continue;
        const Inst& array = phase.insts[static_cast<size_t>(i.src[0])];
        ASSERT_EQ(array.op, InstOp::buffer);
        if (array.value == 0 && ++ends) continue;
        asked = true;
        EXPECT_EQ(array.value, 1) << "x";
      }
      EXPECT_EQ(walks + asked, n % 16 ? odd : whole);
      EXPECT_EQ(ends, phase.scratch_bytes && n % 16 ? 2 : 0);
    }
  }
}

// Transposed tiles are stored in rows pages apart, so each store asks for the place of the next tile's: where it does not go around the
// cache, and the rows do not all stay in it.
TEST(Streams, AskForTheRowsBelow) {
  const Inputs in{"null"};
  struct Transpose { int64_t rows, columns; bool asks; };
  for (const auto& [rows, columns, asks] : {Transpose{1537, 1027, true}, Transpose{1025, 67, false}, Transpose{2048, 2048, false}}) {
    const Case c(in({columns, rows}).transpose(0, 1).contiguous(), device("null"));
    SCOPED_TRACE(c.kernel.name());
    Target t = c.device.target();
    t.l3_bytes = 2 << 20;
    const Phase phase = generate(c.kernel, t).phases[0].phase;
    int stores = 0, asked = 0;
    for (const Inst& i : phase.insts) {
      stores += i.op == InstOp::store && i.hint != Hint::non_temporal;
      if (i.op != InstOp::prefetch) continue;
      const Inst& at = phase.insts[static_cast<size_t>(i.src[1])];
      asked += phase.insts[static_cast<size_t>(i.src[0])].value == 0 && phase.insts[static_cast<size_t>(at.src[1])].value == 16 * columns;
    }
    EXPECT_EQ(asked, asks ? stores : 0);
    EXPECT_TRUE(!asks || stores > 0);
  }
}

// Each tile of a product asks for the first two lines of the next one's rows, outside of its own loop: where these have more than a few
// lines, and no more than a page.
TEST(Streams, AskForTheBeginningsOfTheNextRows) {
  const Inputs in{"null"};
  struct Product { int64_t steps; int asked; };
  for (const auto& [steps, expected] : {Product{512, 8}, Product{333, 8}, Product{1024, 8}, Product{40, 0}, Product{1040, 0}}) {
    const Case c(in({96, steps}).matmul(in({steps, 32})), device("null"));
    SCOPED_TRACE(c.kernel.name());
    const Phase phase = generate(c.kernel, c.device.target(), parse_verbs("tile(i1, 16, vector); tile(i0, 4, unroll)")).phases[0].phase;
    int asked = 0, loops = 0, most = 0;
    for (const Inst& i : phase.insts) {
      loops += (i.op == InstOp::loop) - (i.op == InstOp::end_loop);
      most = std::max(most, loops);
    }
    for (const Inst& i : phase.insts) {
      loops += (i.op == InstOp::loop) - (i.op == InstOp::end_loop);
      if (i.op != InstOp::prefetch) continue;
      ++asked;
      EXPECT_EQ(phase.insts[static_cast<size_t>(i.src[0])].value, 1) << "of the first operand";
      EXPECT_EQ(loops, most - 1);
    }
    EXPECT_EQ(asked, expected);
  }
}

// Tiles that begin before a row and end after it: what masked lanes reach in scratch is there, a vector more where the tiles that
// are stored are shifted. Rows begin where half a page does.
TEST(Streams, HaveRoomAroundKeptRows) {
  const Inputs in{"null"};
  for (const int64_t n : {1021, 1024}) {
    const Case c(in({61, n}).softmax(), device("null"));
    Target t = c.device.target();
    t.l3_bytes = 64 * 1024;
    EXPECT_EQ(generate(c.kernel, t).phases[0].phase.scratch_bytes, 2048 + 4 * 1024 + (n % 16 ? 2 : 1) * t.vector_bytes) << n;
  }
}

}  // namespace
}  // namespace tg
