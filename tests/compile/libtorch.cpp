// What people write for PyTorch's C++ library, with tg in its place. Options stand in braces by name; x[i], x.at(...) and x.set(...) are
// libtorch's index and index_put_, x.set_requires_grad() its requires_grad_, tg::borrow its from_blob.
#include <tg/data.hpp>
#include <tg/lr.hpp>
#include <tg/mapped.hpp>
#include <tg/nn.hpp>
#include <tg/optim.hpp>
#include <tg/tg.hpp>
#include <tg/transform.hpp>
#include <tg/transformer.hpp>

#include <iostream>
#include <sstream>

namespace torch = tg;
using torch::Tensor;

void creation() {
  Tensor x = torch::rand({2, 3}), y = torch::randn({3, 4}), z = torch::zeros({2, 3}, {.dtype = torch::float64});
  std::cout << x.size(0) << x.numel() << torch::eye(3).dtype() << torch::zeros_like(z).dtype() << x.defined();
  std::cout << torch::tensor({1.f, 2.f}) << torch::tensor({{1, 2}, {3, 4}});
  std::cout << torch::full({2, 2}, 7).to(torch::float32).mean().item<double>();
  std::cout << torch::arange(6).reshape({2, 3})[1][2].item<int>() << torch::linspace(0, 1, 5) << torch::randint({4}, 0, 10).max();
  const float data[4] = {1, 2, 3, 4};
  std::cout << Tensor::from(data, {2, 2}) << (x.shape() == torch::Sizes{2, 3}) << torch::ones({4}).to("cpu").detach().is_leaf();
  torch::manual_seed(1);
}

void computation() {
  Tensor a = torch::randn({3, 4}), b = torch::randn({4, 5}), c = torch::matmul(a, b);
  std::cout << torch::sum(c).item<float>() << torch::max(c) << torch::max(a, a * 2) << (a < 10).all().item<bool>() << torch::allclose(a, a);
  std::cout << torch::cat({a, a}, 0).size(0) << torch::stack({a, a}).T() << torch::where(a > 0, 1.0, 0.0);
  std::cout << torch::einsum("ij,jk->ik", {a, b});
  std::cout << torch::softmax(a, 1).argmax({.axis = 1}) << a.view({-1}).squeeze().unsqueeze(0).expand({2, 12}) << torch::hstack({a, a});
  auto [values, indices] = torch::topk(a, 2);
  for (const float v : values.to_vector<float>()) std::cout << v;
  a += 1;
  a[0] = 5;
  a[1][2] += 2;
  a.clone().add_(1).mul_(2);
  if ((a > 0).all().item<bool>()) std::cout << indices << 2 / a << -a;
}

void gradients() {
  Tensor x = torch::ones({2}, {.requires_grad = true});
  (x * x).sum().backward();
  const torch::NoGrad guard;
  x -= 0.1 * x.grad();
  const torch::GradMode again(true);
  std::cout << torch::grad([](const Tensor& v) { return (v * v).sum(); })(x) << torch::gradient(x.sum(), {x})[0] << torch::grad_enabled();
}

struct Net {
  torch::nn::Linear hidden{4, 8}, out{8, 2};
  Tensor operator()(const Tensor& x) const { return out(torch::dropout(torch::relu(hidden(x)), 0.5, torch::nn::training())); }
  torch::nn::State state() const {
    torch::nn::State s;
    torch::nn::append(s, "hidden", hidden.state());
    torch::nn::append(s, "out", out.state());
    return s;
  }
};

void training() {
  const Net net;
  torch::nn::Adam optimizer(net.state(), {.lr = 1e-3});
  torch::nn::LrSchedule schedule(optimizer, torch::nn::step_lr(10));
  const torch::Dataset data({torch::randn({32, 4}), torch::randint({32}, 0, 2)});
  const auto parts = torch::random_split(data, {0.75, 0.25});
  for (const torch::Example& batch : torch::DataLoader(parts[0], {.batch_size = 8, .shuffle = true})) {
    const Tensor loss = torch::cross_entropy(net(batch[0]), batch[1]);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step({loss});
    schedule.step();
    std::cout << loss.item<float>();
  }
  const torch::nn::Evaluation evaluation;
  std::stringstream file;
  torch::nn::save(file, net.state());
  std::cout << torch::load_tensors(file).tensors.size() << torch::mse_loss(torch::ones({2}), torch::zeros({2}));
}

void layers() {
  const torch::nn::Sequential net{torch::nn::Conv2d(1, 4, 3, {.padding = 1}), torch::nn::BatchNorm(4), torch::relu,
                                  [](const Tensor& x) { return torch::max_pool2d(x, {.size = 2}).flatten(1); }, torch::nn::Linear(64, 3)};
  std::cout << net(torch::ones({1, 1, 8, 8})) << torch::conv2d(torch::ones({1, 3, 8, 8}), torch::ones({4, 3, 3, 3}), {.padding = 1});
  const torch::nn::TransformerEncoder encoder({8, 2}, 2);
  std::cout << encoder(torch::ones({5, 1, 8}));
}
