// Movement and indexing, against what NumPy gives for the same expressions.
#include "tensor_testing.hpp"
#include "tg/settings.hpp"

namespace tg {
namespace {

const Tensor& m() { static const Tensor t({{0, 1, 2}, {3, 4, 5}}); return t; }
Tensor cube() { return Tensor::arange(24).reshape({2, 3, 4}); }

TEST(Movement, Shapes) {
  expect_equal(m().reshape({3, -1}), {3, 2}, {0, 1, 2, 3, 4, 5});
  expect_equal(m().flatten(), {6}, {0, 1, 2, 3, 4, 5});
  EXPECT_EQ(cube().flatten(1).shape(), (Sizes{2, 12}));
  EXPECT_EQ(cube().flatten(0, -2).shape(), (Sizes{6, 4}));
  EXPECT_EQ(cube().unflatten(2, {2, -1}).shape(), (Sizes{2, 3, 2, 2}));
  EXPECT_EQ(Tensor::full({}, 1).flatten().shape(), Sizes{1});
  EXPECT_EQ(cube().unsqueeze(-1).shape(), (Sizes{2, 3, 4, 1}));
  EXPECT_EQ(cube().unsqueeze(0).squeeze().shape(), (Sizes{2, 3, 4}));
  EXPECT_EQ(Tensor::zeros({1, 2, 1}).squeeze(2).shape(), (Sizes{1, 2}));
  expect_equal(m().T(), {3, 2}, {0, 3, 1, 4, 2, 5});
  EXPECT_EQ(cube().permute({2, 0, 1}).shape(), (Sizes{4, 2, 3}));
  expect_equal(cube().permute({2, 0, 1}).at(3, 1), {3}, {15, 19, 23});
  EXPECT_EQ(cube().transpose(0, -1).shape(), (Sizes{4, 3, 2}));
  expect_equal(Tensor({1, 2}).expand({2, 2}), {2, 2}, {1, 2, 1, 2});
  expect_equal(Tensor({{1}, {2}}).expand({-1, 2}), {2, 2}, {1, 1, 2, 2});
  expect_equal(Tensor({1, 2}).repeat({2, 2}), {2, 4}, {1, 2, 1, 2, 1, 2, 1, 2});
  expect_equal(m().flip(), {2, 3}, {5, 4, 3, 2, 1, 0});
  expect_equal(m().flip(1), {2, 3}, {2, 1, 0, 5, 4, 3});
}

TEST(Movement, PadAndShrink) {
  expect_equal(m().pad({{1, 0}}), {2, 4}, {0, 0, 1, 2, 0, 3, 4, 5});
  expect_equal(m().pad({{0, 1}, {0, 0}}, {.value = 9}), {3, 3}, {0, 1, 2, 3, 4, 5, 9, 9, 9});
  expect_equal(m().pad({{-1, 1}}), {2, 3}, {1, 2, 0, 4, 5, 0});
  expect_near(Tensor({1.f}).pad({{1, 0}}, {.value = -INFINITY}), {-INFINITY, 1});
  expect_equal(m().shrink({{1, 3}}), {2, 2}, {1, 2, 4, 5});
}

TEST(Movement, Joining) {
  expect_equal(stack({Tensor({1, 2}), Tensor({3, 4})}), {2, 2}, {1, 2, 3, 4});
  expect_equal(stack({Tensor({1, 2}), Tensor({3, 4})}, 1), {2, 2}, {1, 3, 2, 4});
  expect_equal(stack({Tensor({1, 2}), Tensor({3, 4})}, -1), {2, 2}, {1, 3, 2, 4});
  expect_equal(cat({m(), m()}), {4, 3}, {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5});
  expect_equal(cat({m(), m()}, 1), {2, 6}, {0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5});
  expect_equal(cat({Tensor({1}), Tensor({2, 3}), Tensor({4.5f})}), {4}, {1, 2, 3, 4.5});
  expect_near(cat({Tensor({NAN}), Tensor({-0.f, INFINITY})}), {NAN, 0, INFINITY});
  EXPECT_TRUE(std::signbit(cat({Tensor({1.f}), Tensor({-0.f, 1.f})}).at(1).item<double>()));
  expect_equal(cat({Tensor::zeros({0}), Tensor({1.f, 2.f})}), {2}, {1, 2});
}

TEST(Movement, Splitting) {
  const auto parts = Tensor::arange(5).split(2);
  ASSERT_EQ(parts.size(), 3u);
  expect_equal(parts[2], {1}, {4});
  const auto uneven = m().split(Sizes{1, 2}, 1);
  expect_equal(uneven[1], {2, 2}, {1, 2, 4, 5});
  EXPECT_EQ(Tensor::arange(10).chunk(4).size(), 4u);
  EXPECT_EQ(Tensor::arange(10).chunk(4)[3].shape(), Sizes{1});
  EXPECT_EQ(Tensor::arange(4).chunk(INT64_MAX).size(), 4u);
  const auto many = Tensor::arange(640).split(10);
  ASSERT_EQ(many.size(), 64u);
  EXPECT_EQ(many[63].at(9).item<int>(), 639);
}

TEST(Movement, Errors) {
  expect_throw<ShapeError>([] { (void)m().reshape({4}); }, "reshape: shape (2, 3) has 6 elements and shape (4,) has 4; they must be equal");
  expect_throw<ShapeError>([] { (void)m().reshape({-1, 4}); }, "reshape: 6 elements of shape (2, 3) do not divide into shape (-1, 4)");
  expect_throw<ShapeError>([] { (void)m().reshape({-1, -1}); }, "reshape: shape (-1, -1) leaves two sizes open; at most one may be -1");
  expect_throw<ShapeError>([] { (void)m().permute({0}); }, "permute: 1 axes {0} for shape (2, 3); name each of its 2 once");
  expect_throw<ValueError>([] { (void)m().permute({0, 0}); }, "permute: axis 0 is given twice in {0, 0}");
  expect_throw<IndexError>([] { (void)m().transpose(0, 2); }, "transpose: axis 2 is out of range for 2 axes; it takes -2 to 1");
  expect_throw<ShapeError>([] { (void)m().expand({4, 3}); },
                           "expand: shapes (2, 3) and (4, 3) do not broadcast: axis -2 is 2 and 4; sizes must be equal, or one of them 1");
  expect_throw<ShapeError>([] { (void)m().expand({1, 3}); },
                           "expand: shape (2, 3) does not expand to (1, 3); only axes of size 1 and new axes in front grow");
  expect_throw<IndexError>([] { (void)m().shrink({{0, 4}}); }, "shrink: [0, 4) of axis 1 of size 3; it takes 0 <= begin <= end <= size");
  expect_throw<ShapeError>([] { (void)m().pad({{0, 0}, {0, 0}, {0, 1}}); },
                           "pad: 3 pairs {(0, 0), (0, 0), (0, 1)} for the 2 axes of shape (2, 3); give one an axis, or fewer");
  expect_throw<ShapeError>([] { (void)cat({m(), Tensor({1})}); },
                           "cat: shapes (2, 3) and (1,) differ beside axis 0; all other sizes must be equal");
  expect_throw<ShapeError>([] { (void)stack({m(), Tensor({1})}); }, "stack: shapes (2, 3) and (1,) differ; they must be equal");
  expect_throw<ValueError>([] { (void)cat({}); }, "cat: no tensors; give at least one");
  expect_throw<ShapeError>([] { (void)m().squeeze(0); },
                           "squeeze: axis 0 of shape (2, 3) is not of size 1; name others, or none for all that are");
  expect_throw<ShapeError>([] { (void)m().split(Sizes{1, 1}, 1); },
                           "split: lengths (1, 1) of axis 1 of size 3; they are 0 or more and add up to it");
  expect_throw<ShapeError>([] { (void)m().split(Sizes{-1, 4}, 1); },
                           "split: lengths (-1, 4) of axis 1 of size 3; they are 0 or more and add up to it");
}

TEST(Movement, OfShapesThatNoMemoryHolds) {
  const WithSettings lazily({.eager = false});
  const int64_t large = int64_t{1} << 40;
  const Tensor row = Tensor::zeros({1, large}), column = Tensor::zeros({large, 1}), most = Tensor::zeros({large << 20});
  expect_throw<ShapeError>([&] { (void)(column + row); }, "Add: shape (1099511627776, 1099511627776) has more elements than any memory");
  expect_throw<ShapeError>([&] { (void)stack({most, most}); }, "Stack: shape (2, 1152921504606846976) has more elements than any memory");
  expect_throw<ShapeError>([&] { (void)column.reshape({-1, large, large}); },
                           "reshape: 1099511627776 elements of shape (1099511627776, 1) do not divide into shape "
                           "(-1, 1099511627776, 1099511627776)");
  EXPECT_EQ((column * Tensor::zeros({1, 0})).shape(), (Sizes{large, 0}));
  expect_throw<ValueError>([&] { (void)row.at(0, slice(none, none, large / 2)); },
                           "at: a step of 549755813888 along axis 1 of size 1099511627776; it takes -2147483647 to 2147483647");
}

TEST(Movement, OfManyAxes) {
  const Sizes many(32, 1);
  Sizes shape = many;
  shape[3] = shape[31] = 2;
  expect_equal(Tensor::arange(4).reshape(shape).sum({.axis = 31}).flatten(), {2}, {1, 5});
  expect_throw<ShapeError>([&] { (void)Tensor::zeros(many).unsqueeze(0); }, "reshape: 33 axes; a tensor has at most 32");
}

TEST(Indexing, IntegersAndSlices) {
  const Tensor x = cube();
  expect_equal(x.at(1, 2, 3), {}, {23});
  expect_equal(x.at(-1, 0), {4}, {12, 13, 14, 15});
  expect_equal(x.at(0, slice(1, none), slice(0, 4, 2)), {2, 2}, {4, 6, 8, 10});
  expect_equal(x.at(0, 0, slice(none, none, -1)), {4}, {3, 2, 1, 0});
  expect_equal(x.at(0, 0, slice(none, none, -2)), {2}, {3, 1});
  expect_equal(x.at(0, 0, slice(2, 0, -1)), {2}, {2, 1});
  expect_equal(x.at(0, 0, slice(-3, -1)), {2}, {1, 2});
  expect_equal(x.at(0, 0, slice(1, 100)), {3}, {1, 2, 3});
  expect_equal(x.at(0, 0, slice(3, 1)), {0}, {});
  expect_equal(Tensor::arange(10).at(slice(1, none, 3)), {3}, {1, 4, 7});
  expect_equal(Tensor::arange(10).at(slice(8, none, -3)), {3}, {8, 5, 2});
  expect_equal(Tensor::arange(10).at(slice(2, none, INT64_MAX)), {1}, {2});
  expect_equal(Tensor::arange(10).at(slice(none, none, INT64_MIN)), {1}, {9});
  EXPECT_EQ(x.at(none, 0, none).shape(), (Sizes{1, 1, 3, 4}));
  expect_equal(x.at(ellipsis, 0), {2, 3}, {0, 4, 8, 12, 16, 20});
  EXPECT_EQ(x.at(0, ellipsis, none).shape(), (Sizes{3, 4, 1}));
  EXPECT_EQ(x.at().shape(), x.shape());
}

TEST(Indexing, MasksWithoutAxes) {  // choose all or nothing, along a new axis
  const Tensor yes = Tensor::full({}, true), no = Tensor::full({}, false), number = Tensor::full({}, 7);
  expect_equal(number.at(number > 3), {1}, {7});
  expect_equal(number.at(number > 9), {0}, {});
  EXPECT_EQ(m().at(yes).shape(), (Sizes{1, 2, 3}));
  EXPECT_EQ(m().at(slice(), no).shape(), (Sizes{2, 0, 3}));
  expect_equal(m().at(yes, Tensor({1, 0})), {2, 3}, {3, 4, 5, 0, 1, 2});
  Tensor x = number.clone(), y = m().clone();
  x.set(x > 3, 1).set(x > 3, 2);
  y.set(no, 5).set(1, yes, 6);
  expect_equal(x, {}, {1});
  expect_equal(y, {2, 3}, {0, 1, 2, 6, 6, 6});
}

TEST(Indexing, Tensors) {
  const Tensor x = cube(), rows({1, 0, -1}), columns({2, 0, 1});
  expect_equal(m().at(Tensor({1, 0, 1})), {3, 3}, {3, 4, 5, 0, 1, 2, 3, 4, 5});
  expect_equal(m().at(slice(), Tensor({{2, 0}})), {2, 1, 2}, {2, 0, 5, 3});
  expect_equal(m().at(rows, columns), {3}, {5, 0, 4});
  expect_equal(x.at(slice(0, 1), slice(), columns), {1, 3, 3}, {2, 0, 1, 6, 4, 5, 10, 8, 9});
  expect_equal(x.at(Tensor({1, 0}), slice(0, 1), Tensor({0, 3})), {2, 1}, {12, 3});  // apart: in front
  expect_equal(x.at(0, slice(), columns), {3, 3}, {2, 6, 10, 0, 4, 8, 1, 5, 9});  // so is a number that is apart
  EXPECT_EQ(x.at(Tensor({1, 0}), ellipsis, 0, 0).shape(), (Sizes{2}));
  EXPECT_EQ(x.at(slice(), 0, Tensor({1, 0, 1})).shape(), (Sizes{2, 3}));
  EXPECT_EQ(x.at(Tensor({1, 0}), none, 0).shape(), (Sizes{2, 1, 4}));
  EXPECT_EQ(x.at(none, 0, Tensor({1, 0}), ellipsis).shape(), (Sizes{1, 2, 4}));
  expect_equal(x.at(slice(), Tensor({{0}, {2}}), Tensor({0, 3})), {2, 2, 2}, {0, 3, 8, 11, 12, 15, 20, 23});
  expect_equal(m().take(Tensor({2, 2}), 1), {2, 2}, {2, 2, 5, 5});
  expect_equal(m().at(Tensor({1}, {.dtype = uint8})), {1, 3}, {3, 4, 5});
  expect_equal(m().gather(1, Tensor({{2, 0}, {1, 1}})), {2, 2}, {2, 0, 4, 4});
  expect_equal(m().take_along_dim(Tensor({{2, 0}}), 1), {2, 2}, {2, 0, 5, 3});  // the index broadcasts
  expect_equal(take_along_dim(Tensor({{7, 8, 9}}), Tensor({{2}, {0}}), -1), {2, 1}, {9, 7});
  expect_equal(m().take_along_dim(Tensor({{5, 0}, {-1, 1}})), {4}, {5, 0, 5, 1});
  expect_equal(m().take_along_dim(m().argsort({.axis = 1, .descending = true, .stable = true}), 1), {2, 3}, {2, 1, 0, 5, 4, 3});
  expect_equal(m().gather(0, Tensor({{1, 0, 1}})), {1, 3}, {3, 1, 5});
}

TEST(Indexing, Masks) {
  const Tensor x = cube(), rows({false, true}), none_of = m() > 9;
  expect_equal(m().at(m() > 2), {3}, {3, 4, 5});
  expect_equal(m().at(rows), {1, 3}, {3, 4, 5});
  expect_equal(m().at(slice(), Tensor({true, false, true})), {2, 2}, {0, 2, 3, 5});
  expect_equal(m().at(rows, 1), {1}, {4});
  expect_equal(x.at(x.at(ellipsis, 0) > 3, slice(0, 2)), {5, 2}, {4, 5, 8, 9, 12, 13, 16, 17, 20, 21});
  expect_equal(m().at(none_of), {0}, {});
  expect_equal(x.at(rows, slice(), Tensor({1})), {1, 3}, {13, 17, 21});  // as the index 1 in its place
}

TEST(Indexing, MasksWriteAndAreDifferentiated) {
  Tensor x = m();
  x.set(m() > 3, -1);
  expect_equal(x, {2, 3}, {0, 1, 2, 3, -1, -1});
  x.set(Tensor({true, false}), Tensor({7, 8, 9}));
  expect_equal(x, {2, 3}, {7, 8, 9, 3, -1, -1});
  x.set(x > 100, 5);
  expect_equal(x, {2, 3}, {7, 8, 9, 3, -1, -1});
  Tensor w({1.f, -2.f, 3.f}, {.requires_grad = true});
  w.at(w > 0).square().sum().backward();
  expect_near(w.grad(), {2, 0, 6});
}

TEST(Indexing, Setting) {
  Tensor x = Tensor::zeros({2, 3});
  x.set(0, slice(1, 3), 5);
  expect_equal(x, {2, 3}, {0, 5, 5, 0, 0, 0});
  x.set(slice(), 0, Tensor({1, 2}));
  expect_equal(x, {2, 3}, {1, 5, 5, 2, 0, 0});
  x.set(Tensor({1, 1}), Tensor({1, 2}), Tensor({8.f, 9.f}));
  expect_equal(x, {2, 3}, {1, 5, 5, 2, 8, 9});
  x.set(slice(none, none, -1), slice(none, none, 2), Tensor({{1, 2}, {3, 4}}));
  expect_equal(x, {2, 3}, {3, 5, 4, 1, 8, 2});
  x.set(ellipsis, 0);
  expect_equal(x, {2, 3}, {0, 0, 0, 0, 0, 0});
  Tensor data({1, 2, 3}), alias = data;
  data.set(-1, 7);
  expect_equal(alias, {3}, {1, 2, 7});
}

TEST(Indexing, Errors) {
  expect_throw<IndexError>([] { (void)m().at(2); }, "at: index 2 is out of range for axis 0 of size 2; it takes -2 to 1");
  expect_throw<IndexError>([] { (void)m().at(0, 0, 0); }, "at: 3 indices for the 2 axes of shape (2, 3); give one an axis, or fewer");
  expect_throw<IndexError>([] { (void)m().at(ellipsis, ellipsis); },
                           "at: more than one ellipsis; only one can stand for the axes that are left");
  expect_throw<ValueError>([] { (void)m().at(slice(0, 1, 0)); },
                           "at: a slice with a step of 0 never arrives; use 1, or an integer for one element");
  expect_throw<DTypeError>([] { (void)m().at(Tensor({1.f})); }, "at: not defined for float32; an index tensor is of integers; cast it");
  expect_throw<DTypeError>([] { (void)m().take(Tensor({true})); },
                           "take: not defined for bool; a mask goes to at(mask) or where(mask, x, 0)");
  expect_throw<ShapeError>([] { (void)m().at(m().transpose(0, 1) > 1); },
                           "at: a mask of shape (3, 2) for axes 0 to 1 of shape (2, 3); it needs their sizes");
  expect_throw<IndexError>([] { (void)m().at(slice(), m() > 1); },
                           "at: 3 indices for the 2 axes of shape (2, 3); give one an axis, or fewer");
  expect_throw<ShapeError>([] { (void)m().gather(0, Tensor({1})); },
                           "gather: the index's shape (1,) does not fit into (2, 3); it must have as many axes, none but axis 0 longer");
  expect_throw<ShapeError>([] { Tensor x = Tensor::zeros({2}); x.set(slice(), Tensor({1, 2, 3})); },
                           "set: shapes (2,) and (3,) do not broadcast: axis -1 is 2 and 3; sizes must be equal, or one of them 1");
}

TEST(Indexing, DataOutsideIsAnErrorThatNamesIndexAndBound) {
  for (int bad : {2, -3, 1000}) {
    const Tensor y = settings().eager ? Tensor() : m().at(Tensor({0, bad}));
    const auto value = [&] { (void)(settings().eager ? m().at(Tensor({0, bad})) : y).to_vector<int>(); };
    try {
      value();
      FAIL() << bad;
    } catch (const IndexError& e) {
      const std::string text = e.what();
      EXPECT_NE(text.find("index " + std::to_string(bad) + " "), std::string::npos) << text;
      EXPECT_NE(text.find("size 2"), std::string::npos) << text;
    }
  }
  EXPECT_THROW((void)Tensor::zeros({2, 10}).cross_entropy(Tensor({3, 10})).item(), IndexError);
}

}  // namespace
}  // namespace tg
