// The usual small network: two pairs of convolutions, each with a normalisation and a pooling behind it, and one linear layer.
#include "cli/mnist_net.hpp"

#include <algorithm>
#include <numeric>

#include "tg/tg.hpp"

namespace tg::cli {

nn::Sequential mnist_net(const std::string& device) {
  const TensorOptions on{.device = device};
  const auto pool = [](const Tensor& x) { return x.max_pool2d({.size = 2}); };
  const auto flat = [](const Tensor& x) { return x.flatten(1); };
  return {
      {"conv1", nn::Conv2d(1, 32, 5, {.tensor = on})},   // 28 -> 24
      relu,
      {"conv2", nn::Conv2d(32, 32, 5, {.tensor = on})},  // -> 20
      relu,
      {"norm1", nn::BatchNorm(32, {.tensor = on})},
      pool,                                              // -> 10
      {"conv3", nn::Conv2d(32, 64, 3, {.tensor = on})},  // -> 8
      relu,
      {"conv4", nn::Conv2d(64, 64, 3, {.tensor = on})},  // -> 6
      relu,
      {"norm2", nn::BatchNorm(64, {.tensor = on})},
      pool,                                              // -> 3
      flat,
      {"out", nn::Linear(64 * 3 * 3, kClasses, {.tensor = on})},
  };
}

Digits to_device(const io::MnistPart& part, const std::string& device) {
  const Sizes& s = part.images.shape;
  return {Tensor::from_memory(part.images.data.data(), s[0] * s[1] * s[2], uint8, {s[0], 1, s[1], s[2]}, {.device = device}),
          Tensor::from_memory(part.labels.data.data(), s[0], uint8, {s[0]}, {.dtype = int32, .device = device})};
}

Batch gather(const Digits& digits, const Tensor& which) {
  return {digits.images.take(which).cast(float32) * (1.0 / 255), digits.labels.take(which)};
}
Tensor numbers(std::span<const int32_t> values, const std::string& device) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.device = device});
}

Outcome train_step(const nn::Sequential& net, nn::Optimizer& optimizer, const Batch& batch) {
  Outcome out;
  {
    const Tensor logits = net(batch.images);
    out = {logits.cross_entropy(batch.labels), (logits.detach().argmax({.axis = 1}) == batch.labels).sum()};
  }
  out.loss.backward();
  optimizer.step({out.loss, out.right});
  return out;
}

std::vector<float> probabilities(const nn::Sequential& net, const Digits& digits) {
  const nn::Evaluation mode;
  const NoGrad none;
  const auto count = static_cast<size_t>(digits.images.size(0)), batch = std::min<size_t>(count, 1000);
  std::vector<float> out(count * kClasses);
  std::vector<int32_t> which(batch);
  for (size_t done = 0; done < count; done += batch) {
    // Batches of one size, so that one schedule serves them all: the last one may reach back.
    const size_t first = std::min(done, count - batch);
    std::iota(which.begin(), which.end(), static_cast<int32_t>(first));
    const Tensor p = net(gather(digits, numbers(which, digits.images.device())).images).softmax(1);
    p.copy_out(out.data() + first * kClasses, float32);
  }
  return out;
}

int best_class(std::span<const float> p, size_t i) {
  const auto row = p.subspan(i * kClasses, kClasses);
  return static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin());
}

double accuracy(std::span<const float> p, const io::MnistPart& part) {
  const size_t count = part.labels.data.size();
  size_t right = 0;
  for (size_t i = 0; i < count; ++i) right += best_class(p, i) == part.labels.at<uint8_t>(i);
  return count == 0 ? 0 : static_cast<double>(right) / static_cast<double>(count);
}

}  // namespace tg::cli
