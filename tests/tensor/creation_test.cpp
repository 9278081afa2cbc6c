// Tensors from data, from nothing, and what they say of themselves.
#include "tensor_testing.hpp"
#include "tg/settings.hpp"

namespace tg {
namespace {

TEST(Creation, NestedBraces) {
  const Tensor m({{1.f, 2.f}, {3.f, 4.f}});
  EXPECT_EQ(m.dtype(), float32);
  expect_equal(m, {2, 2}, {1, 2, 3, 4});
  expect_equal(Tensor({{{1}, {2}, {3}}}), {1, 3, 1}, {1, 2, 3});
  expect_equal(Tensor({{1.f}}), {1, 1}, {1});
  expect_equal(Tensor({2.f}), {1}, {2});
  const Tensor braced{1.f, 2.f, 3.f};
  expect_equal(braced, {3}, {1, 2, 3});
  EXPECT_EQ(Tensor({}).shape(), Sizes{0});
  EXPECT_EQ(Tensor({{}, {}}).shape(), (Sizes{2, 0}));
}

TEST(Creation, DtypesOfLiterals) {
  EXPECT_EQ(Tensor({1, 2}).dtype(), int32);
  EXPECT_EQ(Tensor({1.0, 2.0}).dtype(), float32);
  EXPECT_EQ(Tensor({1, 2.5}).dtype(), float32);
  EXPECT_EQ(Tensor({true, false}).dtype(), tg::bool_);
  EXPECT_EQ(Tensor({int64_t{1}}).dtype(), int64);
  EXPECT_EQ(Tensor({true, 2}).dtype(), int32);
  EXPECT_EQ(Tensor({}).dtype(), float32);
  REQUIRE_DTYPE(float64);
  EXPECT_EQ(Tensor({1, 2}, {.dtype = float64}).dtype(), float64);
}

TEST(Creation, EveryDtypeHoldsItsNumbers) {
  for (DType t : {tg::bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, bfloat16, float32, float64}) {
    if (!supported(t)) continue;
    const Tensor x({0, 1, 1}, {.dtype = t});
    EXPECT_EQ(x.dtype(), t);
    EXPECT_EQ(x.to_vector<int>(), (std::vector<int>{0, 1, 1})) << name_of(t);
    EXPECT_EQ((x + x).dtype(), t);
    EXPECT_EQ(x.cast(float32).to_vector<float>(), (std::vector<float>{0, 1, 1})) << name_of(t);
    EXPECT_EQ(Tensor({0.f, 1.f, 1.f}).cast(t).to_vector<int>(), (std::vector<int>{0, 1, 1})) << name_of(t);
  }
}

TEST(Creation, FromContainers) {
  const std::vector<int16_t> v{1, -2, 3, 4};
  const Tensor a = Tensor::from(v, {2, 2});
  EXPECT_EQ(a.dtype(), int16);
  expect_equal(a, {2, 2}, {1, -2, 3, 4});
  const float raw[] = {1, 2, 3};
  expect_equal(Tensor::from(raw), {3}, {1, 2, 3});
  EXPECT_EQ(Tensor::from(v, {4}, {.dtype = float32}).dtype(), float32);
  expect_throw<ShapeError>([&] { (void)Tensor::from(v, {3}); }, "from: 4 elements do not fill shape (3,), which has 3");
}

TEST(Creation, Factories) {
  expect_equal(Tensor::zeros({2, 3}), {2, 3}, {0, 0, 0, 0, 0, 0});
  expect_equal(Tensor::ones({}), {}, {1});
  expect_equal(Tensor::full({2}, 7), {2}, {7, 7});
  EXPECT_EQ(Tensor::full({2}, 7).dtype(), int32);
  EXPECT_EQ(Tensor::full({2}, 7.5).dtype(), float32);
  EXPECT_EQ(Tensor::full({2}, true).dtype(), tg::bool_);
  expect_equal(Tensor::eye(2, 3), {2, 3}, {1, 0, 0, 0, 1, 0});
  expect_equal(Tensor::arange(4), {4}, {0, 1, 2, 3});
  EXPECT_EQ(Tensor::arange(4).dtype(), int32);
  expect_equal(Tensor::arange(5, 0, -2), {3}, {5, 3, 1});
  expect_equal(Tensor::arange(3, 3), {0}, {});
  expect_near(Tensor::arange(0, 1, 0.25), {0, 0.25, 0.5, 0.75});
  expect_equal(Tensor::zeros({0, 3}), {0, 3}, {});
  expect_throw<ValueError>([] { (void)Tensor::arange(0, 1, 0); }, "arange: a step of 0 never arrives");
  expect_throw<ShapeError>([] { (void)Tensor::zeros({2, -1}); }, "zeros: a size of -1 in shape (2, -1); sizes are 0 or more");
  expect_throw<ValueError>([] { (void)Tensor::full({1}, 300, {.dtype = uint8}); },
                           "full: 300 is outside the range of uint8; cast the tensor to a wider dtype first");
}
TEST(Creation, EyeWithMoreColumnsThanFit32Bits) {
  const WithSettings lazily({.eager = false});
  EXPECT_EQ(Tensor::eye(2, (int64_t{1} << 32) + 1).at(0, int64_t{1} << 32).item<float>(), 0);
}

TEST(Creation, RaggedDataSaysWhere) {
  expect_throw<ShapeError>([] { Tensor({{1, 2}, {3}}); },
                           "Tensor: the data[1] has 1 elements where its neighbours have 2; lists at one depth must be of one length");
  expect_throw<ShapeError>([] { Tensor({{1}, 2}); }, "Tensor: the data[1] is a number where its neighbours are lists");
  expect_throw<ShapeError>([] { Tensor({1, {2}}); }, "Tensor: the data[1] is a list where its neighbours are numbers");
}

TEST(Creation, UnknownDeviceIsRefusedWithTheList) {
  try {
    (void)Tensor::zeros({1}, {.device = "abacus"});
    FAIL();
  } catch (const DeviceError& e) {
    EXPECT_NE(std::string(e.what()).find("\"abacus\"; known: cpu"), std::string::npos) << e.what();
  }
}

TEST(Handle, UndefinedThenAssigned) {
  Tensor x;
  EXPECT_FALSE(x.defined());
  expect_throw<ValueError>([&] { (void)x.sum(); }, "sum: the tensor is undefined, a default Tensor(); assign one to it first");
  expect_throw<ValueError>([&] { (void)(x + 1); }, "add: the tensor is undefined, a default Tensor(); assign one to it first");
  x = Tensor({1.f});
  EXPECT_TRUE(x.defined());
  EXPECT_EQ(x.item<float>(), 1);
}

TEST(Handle, ItemAndNativeControlFlow) {
  const Tensor x({1.f, 2.f});
  EXPECT_TRUE(x.mean().item() > 0);
  EXPECT_TRUE(x.mean().item() == 1.5);
  EXPECT_FALSE(x.mean().item() < 1.5f);
  EXPECT_EQ(x.sum().item<int>(), 3);
  EXPECT_EQ(static_cast<double>(x.sum().item()), 3.0);
  EXPECT_TRUE(static_cast<bool>(x.sum()));
  EXPECT_EQ(Tensor({true, false}).to_vector<bool>(), (std::vector<bool>{true, false}));
  expect_throw<ShapeError>([&] { (void)x.item(); },
                           "item: the tensor of shape (2,) has 2 elements, not one; index it with at(...) or reduce it first");
}

TEST(Handle, CopiesAlias) {
  Tensor x({1.f, 2.f});
  const Tensor alias = x;
  x += 1;
  expect_equal(alias, {2}, {2, 3});
  x.assign(5);
  expect_equal(alias, {2}, {5, 5});
}

TEST(Handle, TheGraphIsVisible) {
  const Tensor x({2.f}), y = x * x + x.sin();
  EXPECT_EQ(y.is_leaf(), settings().eager);
  if (settings().eager) return;
  EXPECT_EQ(y.op(), Op::Add);
  ASSERT_EQ(y.parents().size(), 2u);
  EXPECT_EQ(y.parents()[0].op(), Op::Mul);
  EXPECT_EQ(y.parents()[1].op(), Op::Sin);
  EXPECT_TRUE(x.is_leaf());
  expect_near(y.parents()[0], {4});
  y.realize();
  EXPECT_TRUE(y.is_leaf());  // nothing requires a gradient, so only the memory is kept
}

TEST(Scalars, CompareByValueAndConvert) {
  EXPECT_TRUE(Scalar(2) == Scalar(2.0));
  EXPECT_TRUE(Scalar(uint64_t{1} << 63) > Scalar(-1));
  EXPECT_FALSE(Scalar(NAN) == Scalar(NAN));
  EXPECT_FALSE(Scalar(NAN) < Scalar(1));
  EXPECT_EQ(Scalar(300.7).to<int>(), 300);
  EXPECT_EQ(Scalar(1e20).to<int32_t>(), INT32_MAX);
  EXPECT_EQ(Scalar(NAN).to<int>(), 0);
  EXPECT_EQ(Scalar(300).to<uint8_t>(), 44);
  EXPECT_TRUE(Scalar(0.5).to<bool>());
}

}  // namespace
}  // namespace tg
