// The examples that can be tuned, and the table that is printed.
#include "cli/tune.hpp"

#include <fmt/format.h>

#include <functional>
#include <ostream>

#include "base/env.hpp"
#include "cli/mnist_net.hpp"
#include "tg/error.hpp"
#include "tg/optim.hpp"
#include "tg/tg.hpp"
#include "tg/tune.hpp"

namespace tg::cli {
namespace {

using Program = std::function<void()>;

Tensor data(const Sizes& shape, const std::string& device, bool gradient = false) {
  return Tensor::full(shape, 0.5, {.device = device, .requires_grad = gradient}).realize();
}

Program training_step(const std::string& device) {
  const nn::Sequential net = mnist_net(device);
  const auto optimizer = std::make_shared<nn::Adam>(net.state());
  const Batch batch{data({512, 1, 28, 28}, device), Tensor::zeros({512}, {.dtype = int32, .device = device}).realize()};
  return [=] { train_step(net, *optimizer, batch); };
}

Program convolution(const std::string& device) {
  const Tensor x = data({16, 64, 56, 56}, device, true), w = data({64, 64, 3, 3}, device, true);
  return [=] {
    const Tensor y = x.conv2d(w, ConvOptions{.padding = 1});
    y.realize();
    (void)gradient(y.sum(), {x, w})[1].realize();
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
    {"mnist", training_step},
};

}  // namespace

std::vector<std::string> tune_examples() {
  std::vector<std::string> out;
  for (const Example& e : kExamples) out.emplace_back(e.name);
  return out;
}

void tune(const TuneCommand& c, std::ostream& out) {
  Program program;
  for (const Example& e : kExamples)
    if (c.example == e.name) program = e.make(c.device.empty() ? settings().device : c.device);
  if (!program) throw ValueError(fmt::format("there is no example \"{}\"", c.example));
  const std::string file = c.out.empty() ? c.example + ".tuned" : c.out;
  const std::vector<TunedKernel> kernels =
      c.replay.empty() ? tg::tune(program, {.beam = c.beam, .seconds = c.seconds, .file = file}) : replay(program, c.replay);
  double sum = 0, by_default = 0;
  for (const TunedKernel& k : kernels) {
    sum += k.microseconds;
    by_default += k.default_microseconds;
    if (k.microseconds == 0) out << fmt::format("{}: no time was left\n", k.name);
    else
      out << fmt::format("{}: {:.1f} us, by default {:.1f} us, ratio {:.3f}{}\n", k.name, k.microseconds, k.default_microseconds,
                         k.microseconds / k.default_microseconds, c.replay.empty() && k.tried == 0 ? " (known from before)" : "");
    out << fmt::format("  default  {}\n", k.default_verbs);
    if (k.verbs != k.default_verbs) out << fmt::format("  {}    {}\n", c.replay.empty() ? "tuned" : "given", k.verbs);
  }
  out << fmt::format("all: {:.1f} us, by default {:.1f} us\n", sum, by_default);
  if (c.replay.empty())
    out << fmt::format("{}: use it with TG_TUNED={}; tuned kernels may round otherwise than default ones\n", file, file);
}

}  // namespace tg::cli
