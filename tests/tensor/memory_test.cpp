// Memory shared with the program: read in place, never written, kept as long as something needs it.
#include "tg/memory.hpp"

#include <cstring>

#include "tensor/tensor_testing.hpp"

namespace tg {
namespace {

struct Lent {
  std::shared_ptr<std::vector<float>> floats;
  std::shared_ptr<int> given_up = std::make_shared<int>(0);
  explicit Lent(std::vector<float> v) : floats(std::make_shared<std::vector<float>>(std::move(v))) {}
  std::shared_ptr<const void> pointer(size_t at = 0) const {
    return {floats->data() + at, [keep = floats, count = given_up](const void*) { ++*count; }};
  }
};

TEST(Memory, IsReadInPlaceAndGivenUpWithItsLastReader) {
  Lent lent({1, 2, 3, 4, 5, 6});
  Tensor sum;
  {
    const Tensor x = borrow(lent.pointer(), float32, {2, 3});
    EXPECT_EQ(host_memory(x).get() == lent.floats->data(), device(x.device()).uses_host_memory());
    (*lent.floats)[5] = 60;
    sum = x.sum({.axis = 1});
    if (device(x.device()).uses_host_memory()) expect_equal(x, {2, 3}, {1, 2, 3, 4, 5, 60});
  }
  sum.realize();
  EXPECT_EQ(*lent.given_up, 1);
}

TEST(Memory, IsNeverWritten) {
  Lent lent({1, 2, 3, 4});
  Tensor x = borrow(lent.pointer(), float32, {4});
  x += 1;
  x.set(0, 9);
  x.realize();
  x.assign(x * 2).realize();
  expect_equal(x, {4}, {18, 6, 8, 10});
  EXPECT_EQ(*lent.floats, (std::vector<float>{1, 2, 3, 4}));
  Tensor leaf = borrow(lent.pointer(), float32, {4}, {.requires_grad = true});
  (leaf * leaf).sum().backward();
  leaf.assign(leaf - leaf.grad()).realize();
  expect_equal(leaf, {4}, {-1, -2, -3, -4});
  EXPECT_EQ(*lent.floats, (std::vector<float>{1, 2, 3, 4}));
}

TEST(Memory, IsCopiedWhereItCannotBeRead) {
  Lent lent({1, 2, 3, 4, 5});
  const Tensor odd = borrow(lent.pointer(1), float32, {4}), other = borrow(lent.pointer(), float32, {5}, {.dtype = float64});
  EXPECT_EQ(*lent.given_up, 2);
  expect_equal(odd, {4}, {2, 3, 4, 5});
  expect_equal(other, {5}, {1, 2, 3, 4, 5});
  expect_equal(borrow(nullptr, float32, {0, 3}), {0, 3}, {});
}

// Lengths around a vector's, at the end of the allocation: what a sanitizer sees if a kernel reads too far.
TEST(Memory, IsNotReadPastItsEnd) {
  for (const int64_t n : {1, 3, 15, 17, 31, 100, 1000}) {
    Lent lent(std::vector<float>(static_cast<size_t>(n), 2));
    const Tensor x = borrow(lent.pointer(), float32, {n});
    EXPECT_EQ((x * 3).sum().item<float>(), 6.0f * static_cast<float>(n));
    EXPECT_EQ(x.reshape({n, 1}).matmul(x.reshape({1, n})).max().item<float>(), 4);
  }
}

TEST(Memory, LentStaysAsItIs) {
  Tensor x({1.f, 2.f, 3.f});
  const auto before = host_memory(x);
  x += 1;
  x.realize();
  x.assign(7).realize();
  float values[3];
  std::memcpy(values, before.get(), sizeof values);
  EXPECT_EQ(values[0] + values[1] + values[2], 6);
  x = Tensor();
  std::memcpy(values, before.get(), sizeof values);
  EXPECT_EQ(values[2], 3);
}

}  // namespace
}  // namespace tg
