// Convolutions over one and three axes, their adjoints, pooling with indices and resizing; what is wrong with arguments; kernels.
#include "runtime/null/null.hpp"
#include "tensor_testing.hpp"

namespace tg {
namespace {

TEST(Windows, OneAndThreeAxesAreTwoAxesOfSizeOne) {
  const Tensor x = random({2, 4, 9}, 1), w = random({6, 2, 3}, 2), b = random({6}, 3);
  const Tensor y = conv1d(x, w, b, {.stride = 2, .padding = 1, .dilation = 2, .groups = 2});
  const ConvOptions flat{.stride = {1, 2}, .padding = {0, 1}, .dilation = {1, 2}, .groups = 2};
  expect_close(y, x.unsqueeze(2).conv2d(w.unsqueeze(2), b, flat).squeeze(2), 1e-5);
  const Tensor z = conv3d(x.reshape({2, 4, 9, 1, 1}), w.reshape({6, 2, 3, 1, 1}), b,
                          {.stride = {2, 1, 1}, .padding = {1, 0, 0}, .dilation = {2, 1, 1}, .groups = 2});
  expect_close(z.flatten(2), y, 1e-5);
  expect_close(conv1d(x.at(0), w, {.groups = 2}), conv1d(x, w, {.groups = 2}).at(0), 1e-6);
  EXPECT_EQ(conv1d(Tensor::zeros({0, 4, 9}), w, {.groups = 2}).shape(), (Sizes{0, 6, 7}));
}
TEST(Windows, PaddingIsTheSameOrAsymmetric) {
  const Tensor x = random({1, 1, 7}, 1), w = random({1, 1, 4}, 2);
  expect_close(conv1d(x, w, {.padding = Padding::same()}), conv1d(x.pad({{1, 2}}), w), 1e-6);
  expect_close(conv1d(x, w, {.padding = Padding::sides({{3, 0}})}), conv1d(x.pad({{3, 0}}), w), 1e-6);
}
TEST(Windows, TheTransposedConvolutionIsTheAdjoint) {
  // <conv(x), y> = <x, conv_transpose(y)>, where the sizes leave nothing over.
  const Tensor x = random({2, 4, 9, 8}, 1), w = random({6, 2, 3, 2}, 2);
  const Tensor y = x.conv2d(w, {.stride = {2, 3}, .padding = {1, 0}, .groups = 2}), z = random(y.shape(), 3);
  const Tensor back = conv_transpose2d(z, w, Tensor(), {.stride = {2, 3}, .padding = {1, 0}, .groups = 2});
  EXPECT_EQ(back.shape(), x.shape());
  EXPECT_NEAR((y * z).sum().item<double>(), (x * back).sum().item<double>(), 1e-4);
}
TEST(Windows, PoolingTellsWhere) {
  const Tensor x({{{1.f, 5.f, 2.f, 5.f, 0.f}}});
  const Found f = max_pool1d_with_indices(x, {.size = 3, .stride = 2, .padding = 1, .ceil_mode = true});
  expect_equal(f.values, {1, 1, 3}, {5, 5, 5});
  expect_equal(f.indices, {1, 1, 3}, {1, 1, 3});
  const Found none = max_pool1d_with_indices(Tensor::full({1, 1, 4}, -HUGE_VAL, {.dtype = float32}), {.padding = 1});
  expect_equal(none.indices, {1, 1, 3}, {0, 1, 3});  // never in the padding
  expect_equal(avg_pool1d(x, {.size = 2, .padding = 1, .count_include_pad = false}), {1, 1, 3}, {1, 3.5, 2.5});
  expect_equal(avg_pool1d(x, {.size = 2, .ceil_mode = true}), {1, 1, 3}, {3, 3.5, 0});
  expect_equal(avg_pool1d(x, {.size = 2, .divisor = 4}), {1, 1, 2}, {1.5, 1.75});
  expect_equal(adaptive_avg_pool1d(x, 3), {1, 1, 3}, {3, 4, 2.5});
  expect_equal(adaptive_max_pool1d_with_indices(x, 2).indices, {1, 1, 2}, {1, 3});
  expect_equal(adaptive_max_pool1d(x, -1), {1, 1, 5}, {1, 5, 2, 5, 0});
}
TEST(Windows, Resizing) {
  const Tensor x({{{0.f, 4.f, 8.f}}});
  expect_equal(interpolate(x, {.size = {6}}), {1, 1, 6}, {0, 0, 4, 4, 8, 8});
  expect_equal(interpolate(x, {.size = {2}}), {1, 1, 2}, {0, 4});
  expect_equal(interpolate(x, {.size = {6}, .mode = Resize::Linear}), {1, 1, 6}, {0, 1, 3, 5, 7, 8});
  expect_equal(interpolate(x, {.size = {5}, .mode = Resize::Linear, .align_corners = true}), {1, 1, 5}, {0, 2, 4, 6, 8});
  EXPECT_EQ(interpolate(random({1, 2, 5, 3}, 1), {.scale = {0.6, 2.5}}).shape(), (Sizes{1, 2, 3, 7}));
}
TEST(Windows, Errors) {
  const Tensor x = random({1, 4, 5}, 1), w = random({6, 2, 3}, 2);
  expect_throw<ShapeError>([&] { (void)conv1d(x, w); },
                           "conv1d: input (1, 4, 5), weight (6, 2, 3), groups 1: the input must have weight axis 1 times groups "
                           "channels, and weight axis 0 must divide by groups");
  expect_throw<ShapeError>([&] { (void)conv1d(x, x.at(0)); },
                           "conv1d: the weight's shape (4, 5) is not (out channels, in channels / groups, length)");
  expect_throw<ValueError>([&] { (void)conv1d(x, w, {.stride = {1, 2}, .groups = 2}); },
                           "conv1d: stride (1, 2) for 1 axes; give one number, or one an axis");
  expect_throw<ValueError>([&] { (void)conv1d(x, w, {.stride = 2, .padding = Padding::same(), .groups = 2}); },
                           "conv1d: the same padding with stride (2,); it is for a stride of 1");
  expect_throw<ShapeError>([&] { (void)conv_transpose1d(x, w); },
                           "conv_transpose1d: input (1, 4, 5), weight (6, 2, 3), groups 1: the input must have weight axis 0 channels, "
                           "and weight axis 0 must divide by groups");
  expect_throw<ValueError>([&] { (void)conv_transpose1d(x, random({4, 1, 3}, 1), Tensor(), {.output_padding = 1}); },
                           "conv_transpose1d: output_padding 1; it takes less than stride 1 or dilation 1");
  expect_throw<ValueError>([&] { (void)adaptive_avg_pool1d(x, 0); },
                           "adaptive_avg_pool1d: 0 windows of axis 2 of shape (1, 4, 5); it takes 1 or more of both");
  expect_throw<ValueError>([&] { (void)interpolate(x, {}); }, "interpolate: give either the new sizes or what they are multiplied by");
  expect_throw<ValueError>([&] { (void)interpolate(x, {.scale = {-1}}); }, "interpolate: scale -1; it takes a number above 0");
}
TEST(Windows, TakeFewKernels) {
  if (settings().eager) return;
  auto& null = dynamic_cast<NullDevice&>(device("null"));
  const auto stored = [](const Sizes& s) { return Tensor::zeros(s, {.device = "null"}).contiguous().realize(); };
  const auto kernels = [&](const Tensor& y) {
    const int64_t before = null.counts().kernels;
    y.realize();
    return null.counts().kernels - before;
  };
  const Tensor x = stored({4, 8, 12, 12}), w = stored({8, 6, 3, 3}), c = stored({8});
  EXPECT_LE(kernels(conv_transpose2d(x, w, Tensor(), {.stride = 2})), 3);
  EXPECT_LE(kernels(max_pool2d(x, {.size = 3, .padding = 1, .ceil_mode = true})), 1);
  const Found f = max_pool2d_with_indices(x);
  const int64_t before = null.counts().kernels;
  realize({f.values, f.indices});
  EXPECT_LE(null.counts().kernels - before, 2);
  EXPECT_LE(kernels(avg_pool2d(x, {.size = 3, .padding = 1, .count_include_pad = false})), 2);
  EXPECT_LE(kernels(adaptive_avg_pool2d(x, 3)), 1);
  EXPECT_LE(kernels(interpolate(x, {.scale = {2}})), 1);
  EXPECT_LE(kernels(group_norm(x, 4, c, c)), 2);
  EXPECT_LE(kernels(rms_norm(x, stored({12}))), 1);
  EXPECT_LE(kernels(mse_loss(x, x)), 1);
  EXPECT_LE(kernels(huber_loss(x, x)), 1);
  EXPECT_LE(kernels(cross_entropy(stored({64, 10}), Tensor::zeros({64}, {.dtype = int32, .device = "null"}))), 2);
  EXPECT_LE(kernels(scaled_dot_product_attention(x, x, x, {.causal = true})), 3);
}

}  // namespace
}  // namespace tg
