// The programs that tg tune and tg bench know by name.
#include "cli/examples.hpp"

#include <memory>

#include <fmt/format.h>

#include "base/env.hpp"
#include "cli/mnist_net.hpp"
#include "cli/transformer_net.hpp"
#include "tg/attention.hpp"
#include "tg/error.hpp"
#include "tg/optim.hpp"
#include "tg/tg.hpp"

namespace tg::cli {
namespace {

Tensor data(const Sizes& shape, const std::string& device, bool gradient = false) {
  return Tensor::full(shape, 0.5, {.device = device, .requires_grad = gradient}).realize();
}

Program training_step(const std::string& device) {
  const nn::Sequential net = mnist_net(device);
  const auto optimizer = std::make_shared<nn::Adam>(net.state());
  const Batch batch{data({512, 1, 28, 28}, device), Tensor::zeros({512}, {.dtype = int32, .device = device}).realize()};
  return [=] { train_step(net, *optimizer, batch); };
}

Program transformer_step(const std::string& device) {
  const auto net = std::make_shared<TransformerNet>(device);
  const auto optimizer = std::make_shared<nn::AdamW>(net->state());
  const Tensor tokens = Tensor::zeros({8, TransformerNet::kLength}, {.dtype = int32, .device = device}).realize();
  return [=] { train_step(*net, *optimizer, tokens, tokens).realize(); };
}

Program convolution(const std::string& device) {
  const Tensor x = data({16, 64, 56, 56}, device, true), w = data({64, 64, 3, 3}, device, true),
               dy = data({16, 64, 56, 56}, device);
  return [=] {
    const Tensor y = x.conv2d(w, ConvOptions{.padding = 1});
    y.realize();
    (void)gradient(y, {x, w}, {.seed = dy})[1].realize();
  };
}

struct Example {
  const char* name;
  Program (*make)(const std::string& device);
};
const Example kExamples[] = {
    {"matmul",
     [](const std::string& d) -> Program {
       const Tensor a = data({1024, 1024}, d), b = data({1024, 1024}, d);
       return [=] { a.matmul(b).realize(); };
     }},
    {"small", [](const std::string& d) -> Program {
       const Tensor a = data({48, 48}, d), b = data({48, 48}, d);
       return [=] { (a.matmul(b) + b).relu().sum({.axis = 1}).realize(); };
     }},
    {"convolution", convolution},
    {"softmax",
     [](const std::string& d) -> Program {
       const Tensor x = data({4096, 4096}, d);
       return [=] { x.softmax(1).realize(); };
     }},
    {"layer_norm",
     [](const std::string& d) -> Program {
       const Tensor x = data({4096, 4096}, d), w = data({4096}, d);
       return [=] { x.layer_norm(w, w).realize(); };
     }},
    {"attention",
     [](const std::string& d) -> Program {
       const Tensor q = data({8, 512, 64}, d), k = data({8, 512, 64}, d), v = data({8, 512, 64}, d);
       return [=] { scaled_dot_product_attention(q, k, v).realize(); };
     }},
    {"mnist", training_step},
    {"transformer", transformer_step},
};

}  // namespace

std::vector<std::string> example_names() {
  std::vector<std::string> out;
  for (const Example& e : kExamples) out.emplace_back(e.name);
  return out;
}

Program example(const std::string& name, const std::string& device) {
  for (const Example& e : kExamples)
    if (name == e.name) return e.make(device.empty() ? settings().device : device);
  throw ValueError(fmt::format("there is no example \"{}\"", name));
}

}  // namespace tg::cli
