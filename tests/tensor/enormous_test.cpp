// What no memory holds: an error at once, from the call that makes it or the one that asks for values, naming the size; nothing is computed
// before, and the next program runs.
#include <chrono>

#include <gmock/gmock.h>

#include "tensor/tensor_testing.hpp"
#include "tg/arrange.hpp"
#include "tg/error.hpp"
#include "tg/random.hpp"
#include "tg/scatter.hpp"
#include "tg/settings.hpp"

namespace tg {
namespace {

constexpr int64_t kHuge = int64_t{1} << 45, kSide = int64_t{1} << 23;

struct Enormous {
  const char* name;
  Tensor (*build)(const Tensor& one);
};
const Enormous kEnormous[] = {
    {"contiguous", [](const Tensor& one) { return one.expand({kHuge}).contiguous(); }},
    {"arange", [](const Tensor&) { return Tensor::arange(kHuge); }},
    {"full", [](const Tensor&) { return Tensor::full({int64_t{1} << 58}, 3.f); }},
    {"pad", [](const Tensor& one) { return one.pad({{kHuge, 0}}); }},
    {"cat", [](const Tensor& one) { return Tensor::cat({one.expand({kHuge}), one.expand({kHuge - 1})}); }},
    {"stack", [](const Tensor& one) { return Tensor::stack(std::vector<Tensor>(20, one.expand({kHuge}))); }},
    {"one_hot", [](const Tensor& one) { return one_hot(one.expand({kSide}).cast(int32), kSide); }},
    {"eye", [](const Tensor&) { return Tensor::eye(kSide); }},
    {"matmul", [](const Tensor& one) { return one.expand({kSide, 1}).matmul(one.expand({1, kSide})); }},
    {"conv", [](const Tensor& one) { return one.expand({1, 1, kSide, kSide}).conv2d(one.expand({1, 1, 3, 3})); }},
    {"max_pool", [](const Tensor& one) { return one.expand({1, 1, kSide, kSide}).max_pool2d({.size = 2}); }},
    {"cumsum", [](const Tensor& one) { return one.expand({kHuge}).cumsum(0); }},
    {"sort", [](const Tensor& one) { return one.expand({int64_t{1} << 58}).sort().values; }},
    {"argsort", [](const Tensor& one) { return one.expand({kHuge}).argsort(); }},
    {"topk", [](const Tensor& one) { return one.expand({kHuge}).topk(int64_t{1} << 40).values; }},
    {"rand", [](const Tensor&) { return Tensor::rand({kHuge}); }},
    {"randn", [](const Tensor&) { return Tensor::randn({int64_t{1} << 58}); }},
    {"randperm", [](const Tensor&) { return randperm(kHuge); }},
    {"softmax", [](const Tensor& one) { return one.expand({kHuge}).softmax(0); }},
    {"take", [](const Tensor& one) { return one.take(Tensor::zeros({kHuge}, {.dtype = int32})); }},
    {"roll", [](const Tensor& one) { return roll(one.expand({kHuge}), {3}, {0}); }},
    {"where", [](const Tensor& one) { return where(one.expand({kHuge}) > 0, one, 2); }},
};

TEST(Enormous, IsAnErrorAtOnce) {
  const WithSettings lazily({.eager = false});
  const Tensor one = Tensor::ones({1}).contiguous().realize();
  for (const Enormous& e : kEnormous) {
    SCOPED_TRACE(e.name);
    const auto begin = std::chrono::steady_clock::now();
    try {
      (void)e.build(one).realize();
      ADD_FAILURE() << "no error";
    } catch (const DeviceError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("no memory for "));
    } catch (const ShapeError& error) { EXPECT_THAT(error.what(), testing::HasSubstr("more elements than any memory")); }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  }
  EXPECT_EQ(one.item<float>(), 1);
}

TEST(Enormous, IsAnErrorWhereverValuesAreAskedFor) {
  const WithSettings lazily({.eager = false});
  const Tensor huge = Tensor::ones({1}).contiguous().realize().expand({kHuge});
  EXPECT_THROW((void)huge.to_vector<float>(), DeviceError);
  EXPECT_THROW((void)huge.str(), DeviceError);
  EXPECT_THROW((void)huge.repr(), DeviceError);
  EXPECT_THROW((void)nonzero(huge > 0), DeviceError);
  EXPECT_THROW((void)huge.at(huge > 0), DeviceError);
  EXPECT_THROW((void)Tensor::full({int64_t{1} << 61}, 1.f), ShapeError);
}

}  // namespace
}  // namespace tg
