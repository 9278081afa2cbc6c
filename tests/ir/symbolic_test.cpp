// Index algebra: laws that must fold, and random expressions checked at every point.
#include "fuzzing.hpp"
#include "ir_testing.hpp"

#include <chrono>

namespace tg {
namespace {

UOp boolean(bool v) { return constant(DType::bool_, v); }

// Row-major index of axes, and the axes of an index.
UOp flatten(const std::vector<UOp>& axes, const std::vector<int64_t>& shape) {
  UOp flat = index(0);
  for (size_t i = 0; i < axes.size(); ++i) flat = flat * shape[i] + axes[i];
  return flat;
}
std::vector<UOp> unflatten(const UOp& flat, const std::vector<int64_t>& shape) {
  std::vector<UOp> axes(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    axes[i] = floor_mod(floor_div(flat, stride), shape[i]);
    stride *= shape[i];
  }
  return axes;
}
std::vector<UOp> ranges_of(const std::vector<int64_t>& shape) {
  std::vector<UOp> r;
  for (size_t i = 0; i < shape.size(); ++i) r.push_back(simplify(range(shape[i], static_cast<int>(i))));
  return r;
}

const std::vector<std::vector<int64_t>> kShapes = {{5},          {4, 6},    {2, 3, 4},      {16, 1, 7},
                                                   {3, 5, 7, 2}, {1, 1, 8}, {64, 64, 3, 3}, {2, 2, 2, 2, 2}};

TEST(Laws, FlattenThenUnflattenGivesTheAxes) {
  for (const auto& shape : kShapes) {
    const auto axes = ranges_of(shape);
    const auto back = unflatten(flatten(axes, shape), shape);
    for (size_t i = 0; i < shape.size(); ++i) EXPECT_EQ(simplify(back[i]), axes[i]);
  }
}
TEST(Laws, UnflattenThenFlattenGivesTheIndex) {
  for (const auto& shape : kShapes) {
    int64_t n = 1;
    for (int64_t s : shape) n *= s;
    const UOp i = range(n, 0);
    EXPECT_EQ(simplify(flatten(unflatten(i, shape), shape)), i);
  }
}
TEST(Laws, PermutedReshape) {  // (a, b, c) -> permute (c, a, b) -> flatten -> unflatten
  const std::vector<int64_t> shape{4, 6, 10};
  const auto axes = ranges_of({10, 4, 6});
  const auto back = unflatten(flatten(axes, {10, 4, 6}), {10, 4, 6});
  EXPECT_EQ(simplify(flatten({back[1], back[2], back[0]}, shape)), simplify(flatten({axes[1], axes[2], axes[0]}, shape)));
}
TEST(Laws, MergedAndSplitAxes) {
  const auto r = ranges_of({12, 10});
  const UOp flat = flatten(r, {12, 10});
  const auto split = unflatten(flat, {3, 4, 10});  // 12 becomes (3, 4)
  EXPECT_EQ(simplify(split[0]), simplify(floor_div(r[0], 4)));
  EXPECT_EQ(simplify(split[1]), simplify(floor_mod(r[0], 4)));
  EXPECT_EQ(simplify(split[2]), r[1]);
  EXPECT_EQ(simplify(flatten(split, {3, 4, 10})), simplify(flat));
  const auto s = ranges_of({3, 4, 10});
  const auto merged = unflatten(flatten(s, {3, 4, 10}), {12, 10});
  EXPECT_EQ(simplify(merged[0]), simplify(s[0] * 4 + s[1]));
  EXPECT_EQ(simplify(merged[1]), s[2]);
  const UOp i = range(240, 0);
  EXPECT_EQ(simplify(floor_mod(floor_div(i, 4), 3) * 4 + floor_mod(i, 4)), simplify(floor_mod(i, 12)));
}
TEST(Laws, Tiles) {
  const auto [o, i] = std::pair(range(8, 0), range(16, 1));
  EXPECT_EQ(simplify(floor_div(o * 16 + i, 16)), o);
  EXPECT_EQ(simplify(floor_mod(o * 16 + i, 16)), i);
  EXPECT_EQ(simplify(floor_div(o * 16 + i, 32)), simplify(floor_div(o, 2)));
  EXPECT_EQ(simplify(floor_mod(o * 16 + i, 8)), simplify(floor_mod(i, 8)));
  EXPECT_EQ(simplify(less(o * 16 + i, 128)), boolean(true));
  EXPECT_EQ(simplify(less(o * 16 + i, 64)), less(o, 4));
  EXPECT_EQ(simplify(less(o * 16 + i, 0)), boolean(false));
}
TEST(Laws, TilesOfSymbolicSizes) {
  const UOp n = variable("n", 1, 100), m = variable("m", 1, 50);
  const UOp i = range(Dim(m), 0), j = range(Dim(n), 1);
  EXPECT_EQ(simplify(floor_div(i * n + j, n)), i);
  EXPECT_EQ(simplify(floor_mod(i * n + j, n)), j);
  EXPECT_EQ(simplify(less(i * n + j, m * n)), boolean(true));
  EXPECT_EQ(simplify(floor_div(i * (n + 1) + j, n + 1)), i);
  EXPECT_EQ(simplify(less(j, n)), boolean(true));
  EXPECT_EQ(simplify(less(n - 1, j)), boolean(false));
  const UOp k = range(16, 2);
  EXPECT_EQ(simplify(floor_div((i * n + j) * 16 + k, 16)), simplify(i * n + j));
}
TEST(Laws, PadAndShrinkCancel) {
  const UOp i = range(10, 0);
  EXPECT_EQ(simplify((i + 3) - 3), i);
  EXPECT_EQ(simplify(less(index(-1), i + 0) & less(i, 10)), boolean(true));
  EXPECT_EQ(simplify(less(index(2), i + 3) & less(i + 3, 13)), boolean(true));
}
TEST(Laws, FlipTwice) {
  const UOp i = range(10, 0);
  EXPECT_EQ(simplify(index(9) - (index(9) - i)), i);
  const UOp j = range(4, 1), k = range(5, 2);
  EXPECT_EQ(simplify(floor_div(index(19) - (j * 5 + k), 5)), simplify(index(3) - j));
  EXPECT_EQ(simplify(floor_mod(index(19) - (j * 5 + k), 5)), simplify(index(4) - k));
}
TEST(Laws, WindowsWithoutOverlap) {  // position * stride + tap, taps within the stride
  const UOp p = range(7, 0), k = range(2, 1);
  EXPECT_EQ(simplify(floor_div(p * 2 + k, 2)), p);
  EXPECT_EQ(simplify(floor_mod(p * 2 + k, 2)), k);
  EXPECT_EQ(simplify(less(p * 2 + k, 14)), boolean(true));
}
TEST(Laws, NestedQuotientsAndRemainders) {
  const UOp i = range(1000, 0);
  EXPECT_EQ(simplify(floor_div(floor_div(i, 4), 8)), floor_div(i, 32));
  EXPECT_EQ(simplify(floor_mod(floor_mod(i, 32), 8)), floor_mod(i, 8));
  EXPECT_EQ(simplify(floor_div(floor_mod(i, 32), 8)), floor_mod(floor_div(i, 8), 4));
  EXPECT_EQ(simplify(floor_div(i, 4) * 4 + floor_mod(i, 4)), i);
  EXPECT_EQ(simplify(floor_div(i, 1000)), index(0));
  EXPECT_EQ(simplify(floor_mod(i, 1000)), i);
  EXPECT_EQ(simplify(floor_div(i - 1000, 1000)), index(-1));
  EXPECT_EQ(simplify(less(floor_div(i, 8), 3)), less(i, 24));
  EXPECT_EQ(simplify(less(i * 4, 10)), less(i, 3));
}
TEST(Laws, SumsAreCanonical) {
  const UOp i = range(8, 0), j = range(9, 1);
  EXPECT_EQ(simplify((i + j) * 4 + 5), simplify(j * 4 + (i * 2 + 2) * 2 + 1));
  EXPECT_EQ(to_string(simplify(j + i * 64 + 3)), "(((i0*64)+i1)+3)");
  EXPECT_EQ(simplify(i * 3 + j - i * 3), j);
}
TEST(Laws, Gates) {
  const UOp p = param(0, float32, Shape{100}), i = range(10, 0), j = range(12, 1);
  const UOp g = less(i, 5), h = less(j, 7);
  EXPECT_EQ(simplify(where(g, load(p, i), constant(float32, 0))), load(p, i, g));
  EXPECT_EQ(simplify(where(g, load(p, i, h), constant(float32, 0))), simplify(load(p, i, g & h)));
  EXPECT_EQ(simplify(load(p, i, less(i, 10))), load(p, i));
  EXPECT_EQ(simplify(load(p, i, less(i, 0))), constant(float32, 0));
  EXPECT_EQ(simplify(where(g, load(p, i), constant(float32, -0.0))).op(), Op::Where);
}
// A sum's terms have an order of their own in Sum and another as operands: neither undoes the other.
TEST(Laws, QuotientsOfTensorsSettle) {
  const UOp i = range(10, 0);
  for (const DType from : {DType::int8, DType::int32})
    for (int slot = 0; slot < 6; ++slot)
      for (const int64_t d : {2, 3, 10, 16, 100}) {
        const UOp y = cast(load(param(slot, from, Shape{10}), i), DType::int64), left = y - floor_mod(y, d);
        for (const UOp& u : {floor_mod(floor_div(left, d), 2), floor_div(floor_div(left, d), 2), floor_mod(y * 3 - left, d)})
          for (int64_t at : {0, 4, 9}) EXPECT_EQ(value_of(simplify(u), {{i, {at, 0}}}).i, value_of(u, {{i, {at, 0}}}).i) << to_string(u);
      }
}
TEST(Laws, Given) {
  const UOp i = range(10, 0), j = range(3, 1);
  EXPECT_EQ(simplify_given(floor_div(i + 2, 4), less(i, 2)), index(0));
  EXPECT_EQ(simplify_given(floor_mod(i + j, 8), less(i + j, 8)), simplify(i + j));
  EXPECT_EQ(simplify_given(less(i, 7), less(i, 5)), boolean(true));
  EXPECT_EQ(simplify_given(where(less(i, 5), i, j), less(i, 5) & less(j, 1)), i);
}

TEST(Laws, PaddedWindowsUnderTheirGate) {  // a convolution's input, 28 x 30, padded by 1, its image flattened on the way
  const UOp o = range(28 * 30, 0), k = range(9, 1), c = range(32, 2);
  const UOp y = floor_div(o, 30) + floor_div(k, 3) - 1, x = floor_mod(o, 30) + floor_mod(k, 3) - 1;
  const UOp inside = less(index(-1), y) & less(y, 28) & less(index(-1), x) & less(x, 30);
  const auto axes = unflatten((c * 28 + y) * 30 + x, {32, 28, 30});
  EXPECT_EQ(simplify_given(axes[0], inside), c);
  EXPECT_EQ(simplify_given(axes[1], inside), simplify(y));
  EXPECT_EQ(simplify_given(axes[2], inside), simplify(x));
  EXPECT_EQ(simplify_given(flatten(axes, {32, 28, 30}), inside), simplify((c * 28 + y) * 30 + x));
}

// ---- random expressions, at every point ----

class IndexFuzz {
 public:
  explicit IndexFuzz(uint64_t seed) : random_(seed) {
    const int n = static_cast<int>(random_.between(1, 3));
    static constexpr int64_t sizes[] = {1, 2, 3, 4, 5, 6, 8};
    for (int i = 0; i < n; ++i) {
      extents_.push_back(random_.pick(sizes));
      ranges_.push_back(range(extents_.back(), i));
    }
  }
  UOp expression(int depth) {
    if (depth == 0) return random_.below(4) ? random_.pick(ranges_) : index(random_.between(-9, 12));
    const auto sub = [&] { return expression(depth - 1 - static_cast<int>(random_.below(depth))); };
    static constexpr int64_t divisors[] = {1, 2, 3, 4, 6, 8, 12, 16, -2, -3, 0};
    switch (random_.below(10)) {
      case 0: case 1: return sub() + sub();
      case 2: case 3: return sub() * random_.between(-6, 12) + sub();
      case 4: case 5: return floor_div(sub(), random_.pick(divisors));
      case 6: case 7: return floor_mod(sub(), random_.pick(divisors));
      case 8: return where(condition(depth - 1), sub(), sub());
      default: return random_.coin() ? UOp::make(Op::Max, {sub(), sub()}) : sub() * sub();
    }
  }
  UOp condition(int depth) {
    const auto sub = [&] { return expression(std::max(0, depth - 1)); };
    switch (random_.below(depth > 0 ? 6 : 2)) {
      case 0: return less(sub(), random_.between(-5, 20));
      case 1: return less(sub(), sub());
      case 2: return not_equal(sub(), sub());
      case 3: return condition(depth - 1) & condition(depth - 1);
      case 4: return condition(depth - 1) | condition(depth - 1);
      default: return logical_not(condition(depth - 1));
    }
  }
  template <class F> void at_every_point(F f) const {
    std::vector<int64_t> at(ranges_.size(), 0);
    while (true) {
      Values v;
      for (size_t i = 0; i < at.size(); ++i) v[ranges_[i]] = {at[i], 0};
      f(v);
      size_t i = 0;
      while (i < at.size() && ++at[i] == extents_[i]) at[i++] = 0;
      if (i == at.size()) return;
    }
  }
  Random& random() { return random_; }

 private:
  Random random_;
  std::vector<int64_t> extents_;
  std::vector<UOp> ranges_;
};

TEST(IndexAlgebra, SimplifiedIsTheSameEverywhere) {
  size_t before = 0, after = 0;
  for (uint64_t seed = 1; seed <= fuzz_seeds(20000) && !testing::Test::HasFailure(); ++seed) {
    IndexFuzz fuzz(seed);
    const UOp e = fuzz.random().below(4) ? fuzz.expression(4) : fuzz.condition(4);
    const UOp s = simplify(e);
    ASSERT_EQ(simplify(s), s);
    before += toposort(e).size();
    after += toposort(s).size();
    fuzz.at_every_point([&](const Values& v) {
      const Number x = value_of(e, v), y = value_of(s, v);
      ASSERT_EQ(x.i, y.i) << "seed " << seed << "\n  " << to_string(e) << "\n  " << to_string(s);
      ASSERT_LE(s.bounds().min, x.i) << to_string(s);
      ASSERT_GE(s.bounds().max, x.i) << to_string(s);
    });
  }
  EXPECT_LT(after * 2, before);
}
TEST(IndexAlgebra, SimplifiedUnderAConditionIsTheSameWhereItHolds) {
  for (uint64_t seed = 1; seed <= fuzz_seeds(3000) && !testing::Test::HasFailure(); ++seed) {
    IndexFuzz fuzz(seed);
    const UOp e = fuzz.expression(3), given = fuzz.condition(2), s = simplify_given(e, given);
    fuzz.at_every_point([&](const Values& v) {
      if (!value_of(given, v).i) return;
      ASSERT_EQ(value_of(e, v).i, value_of(s, v).i)
          << "seed " << seed << "\n  " << to_string(e) << "\n  " << to_string(given) << "\n  " << to_string(s);
    });
  }
}
TEST(Bounds, HoldEveryValue) {
  for (uint64_t seed = 1; seed <= fuzz_seeds(10000) && !testing::Test::HasFailure(); ++seed) {
    IndexFuzz fuzz(seed);
    const UOp e = fuzz.random().coin() ? fuzz.expression(4) : fuzz.condition(3);
    fuzz.at_every_point([&](const Values& v) {
      const int64_t x = value_of(e, v).i;
      ASSERT_TRUE(e.bounds().min <= x && x <= e.bounds().max) << to_string(e);
    });
  }
}

}  // namespace
}  // namespace tg
