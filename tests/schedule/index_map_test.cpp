// Movement as functions on indices, against counting.
#include "schedule/index_map.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include <fmt/format.h>

#include "ir/symbolic.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

int64_t at(const UOp& e, const Substitution& s) { return simplify(substitute(e, s)).as<int64_t>(); }

TEST(OverlapTerm, AreThoseElementsThatLieThere) {
  for (int stride = 1; stride <= 6; ++stride)
    for (int dilation = 1; dilation <= 6; ++dilation)
      for (int size = 1; size <= 5; ++size) {
        SCOPED_TRACE(fmt::format("stride {}, dilation {}, size {}", stride, dilation, size));
        const int64_t windows = 4, length = (windows - 1) * stride + (size - 1) * dilation + 3;
        std::multiset<std::array<int64_t, 3>> expected, found;  // place, window and element
        for (int64_t w = 0; w < windows; ++w)
          for (int64_t k = 0; k < size; ++k) expected.insert({w * stride + k * dilation, w, k});
        const UOp i = range(Dim(length), 0, RangeKind::Output), g = param(0, DType::float32, Dims{windows, size});
        const UOp u = UOp::make(Op::OverlapAdd, {g}, WindowArg{0, size, stride, dilation, length});
        const UOp n = range(overlap_terms(u), 1, RangeKind::Reduce);
        const Overlap term = overlap_term(u, i, n);
        for (int64_t place = 0; place < length; ++place)
          for (int64_t t = 0; t < overlap_terms(u).value(); ++t) {
            const Substitution s{{i, index(place)}, {n, index(t)}};
            if (!term.gate || at(term.gate, s)) found.insert({place, at(term.position, s), at(term.element, s)});
          }
        EXPECT_EQ(found, expected);
      }
}

TEST(SourceIndex, OfAReshapeIsTheSameElement) {
  const std::vector<std::pair<Dims, Dims>> shapes = {
      {{24}, {4, 6}},      {{4, 6}, {24}},       {{1, 6, 1, 4}, {6, 4}},     {{6, 4}, {1, 6, 4, 1, 1}}, {{2, 12, 5}, {8, 3, 5}},
      {{7, 1}, {7}},       {{2, 3, 2, 3}, {6, 6}}, {{3, 1, 4, 5}, {12, 1, 5}}, {{4, 6, 5}, {6, 4, 5}},    {{4, 3, 5}, {2, 2, 15}},
      {{1}, {1, 1}}};
  for (const auto& [from, to] : shapes) {
    const UOp u = UOp::make(Op::Reshape, {param(0, DType::float32, from)}, Shape(to));
    SCOPED_TRACE(fmt::format("{} to {}", to_string(Shape(from)), to_string(Shape(to))));
    Indices loops;
    for (size_t a = 0; a < to.size(); ++a)
      loops.push_back(to[a] == Dim(1) ? index(0) : range(to[a], static_cast<int>(a), RangeKind::Output));
    const Indices source = source_index(u, 0, loops);
    const int64_t elements = Shape(to).numel().value();
    for (int64_t e = 0; e < elements; ++e) {
      Substitution s;
      for (int64_t a = static_cast<int64_t>(to.size()), rest = e; a-- > 0;) {
        const int64_t n = to[static_cast<size_t>(a)].value();
        if (n > 1) s[loops[static_cast<size_t>(a)]] = index(rest % n);
        rest /= n;
      }
      int64_t found = 0;
      for (size_t a = 0; a < from.size(); ++a) {
        const int64_t i = at(source[a], s);
        EXPECT_TRUE(0 <= i && i < from[a].value());
        found = found * from[a].value() + i;
      }
      EXPECT_EQ(found, e);
    }
  }
}

// A convolution in groups sees the gradient of its windows through one: y - k may lie outside of the image, the channel does not.
TEST(SourceIndex, OfAReshapeKeepsApartWhatLiesOutside) {
  const UOp u = UOp::make(Op::Reshape, {param(0, DType::float32, Dims{4, 16, 56, 5})}, Shape(Dims{64, 56, 5}));
  const UOp c = range(64, 0, RangeKind::Output), y = range(56, 1, RangeKind::Output), k = range(3, 2, RangeKind::Reduce);
  const Indices source = source_index(u, 0, {c, simplify(y - k), index(0)});
  EXPECT_EQ(source[2], simplify(y - k));
  EXPECT_EQ(source[1], simplify(floor_mod(c, 16)));
}

}  // namespace
}  // namespace tg
