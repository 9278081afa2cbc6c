// The ways a user writes tensors, all of which must compile.
#include <tg/tg.hpp>

#include <iostream>
#include <span>

void creation() {
  tg::Tensor x({2.0f}, {.requires_grad = true});
  tg::Tensor m({{1.f, 2.f}, {3.f, 4.f}});
  tg::Tensor braces{1, 2, 3};
  tg::Tensor copied = {1.0, 2.0};
  tg::Tensor cube({{{true}, {false}}});
  tg::Tensor b = tg::Tensor::zeros({3}, {.dtype = tg::float32, .device = "cpu"});
  b.set_requires_grad(true);
  const std::vector<double> data{1, 2};
  tg::Tensor from = tg::Tensor::from(data);
  tg::Tensor spanned = tg::Tensor::from(std::span<const double>(data), {2, 1}, {.dtype = tg::float16});
  tg::Tensor later;
  later = std::move(from);
  static_assert(std::is_nothrow_move_constructible_v<tg::Tensor>);
  static_assert(!std::is_convertible_v<tg::Tensor, bool>);
}

void operators(const tg::Tensor& x, const tg::Tensor& y) {
  tg::Tensor z = x * y + 1 - 2.5f / x % 3;
  z += 1;
  z *= y;
  auto kept = (x + y) * (x - 1);  // a tensor, not an expression over temporaries
  static_assert(std::is_same_v<decltype(kept), tg::Tensor>);
  static_assert(std::is_same_v<decltype(x == 1), tg::Tensor>);
  static_assert(std::is_same_v<decltype(1 < x), tg::Tensor>);
  tg::Tensor bits = (~(x & y) | (x ^ 1)) << 2 >> y;
  if (x.mean().item() > 0 && x.any()) std::cout << -z << '\n';
  const float f = x.item<float>();
  const auto n = static_cast<int>(x.item());
  (void)f, (void)n, (void)bits;
}

void options(const tg::Tensor& x, const tg::Tensor& i, tg::Tensor& mutated) {
  auto s = x.sum({.axis = {0, 1}, .keepdim = true});
  auto one = tg::sum(x, {.axis = 1});
  auto c = x.conv2d(x, {.stride = 2, .padding = {1, 0}});
  auto d = tg::conv2d(x, x, x, {.groups = 4});
  auto e = tg::conv3d(x, x, {.padding = {0, 1, 1}});  // braces are options, never a bias
  auto f = tg::conv1d(x, x, {.stride = {2}}), g = x.conv2d(x, {.dilation = {1, 2}}),
       h = tg::conv2d(x, x, tg::Tensor(), {.padding = {1, 1}});
  auto p = x.max_pool2d({.size = 3, .stride = 1});
  auto part = x.at(0, tg::slice(1, 5), tg::none, i);
  auto step = x.at(tg::ellipsis, tg::slice(tg::none, tg::none, -2));
  mutated.set(0, tg::slice(1, 3), 5);
  mutated.set(i, x);
  auto joined = tg::cat({x, x, i}, 1);
  auto shaped = x.reshape({2, -1}).permute({1, 0}).expand({4, 2});
  x.sum().backward({.seed = x, .keep_graph = true});
  auto w = tg::where(x > 0, x, 0), m = tg::maximum(0, x), r = tg::Tensor::uniform({2}, {.low = -1, .tensor = {.dtype = tg::float64}});
}

namespace other {  // operators and functions are found without `using`
tg::Tensor f(const tg::Tensor& x) { return sin(x) * x + exp(x); }
}  // namespace other
