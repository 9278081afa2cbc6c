#pragma once
// The network that `tg train mnist` trains and `tg predict` asks, and the digits on a device.
//
//   nn::Sequential net = mnist_net("cpu");   load(path, net.state(), ...)
//   Digits test = to_device(io::load_mnist(io::find_mnist()).test, "cpu");
//   std::vector<float> p = probabilities(net, test);          10 a digit; accuracy(p, labels) == 0.9912
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/mnist.hpp"
#include "tg/optim.hpp"

namespace tg::cli {

inline constexpr int64_t kClasses = 10;
inline constexpr const char* kDefaultCheckpoint = "mnist.safetensors";
inline constexpr const char* kOptimizerPrefix = "optimizer.";  // of the names in a checkpoint that are not the network's

/// Images (n, 1, 28, 28) of floats from 0 to 1 to logits (n, 10); freshly initialised.
nn::Sequential mnist_net(const std::string& device);

/// Resident images, uint8 (n, 1, 28, 28), and labels, int32 (n).
struct Digits {
  Tensor images, labels;
};
Digits to_device(const io::MnistPart& part, const std::string& device);

/// The digits of those numbers as the network takes them: gathered, converted and scaled on the device. `which`: int32 (k).
struct Batch {
  Tensor images, labels;
};
Batch gather(const Digits& digits, const Tensor& which);
/// int32 numbers on a device.
Tensor numbers(std::span<const int32_t> values, const std::string& device);

/// One training step. Loss and the number of digits read right are those before it, computed together with it.
struct Outcome {
  Tensor loss, right;
};
Outcome train_step(const nn::Sequential& net, nn::Optimizer& optimizer, const Batch& batch);

/// What the network makes of every digit, in evaluation mode: 10 probabilities each.
std::vector<float> probabilities(const nn::Sequential& net, const Digits& digits);
/// The most probable class of digit i.
int best_class(std::span<const float> probabilities, size_t i);
/// The part, 0 to 1, whose most probable class is its label.
double accuracy(std::span<const float> probabilities, const io::MnistPart& part);

}  // namespace tg::cli
