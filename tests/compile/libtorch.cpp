// What people write for PyTorch's C++ library, with tg in its place. Options stand in braces by name; x[i], x.at(...) and x.set(...) are
// libtorch's index and index_put_, x.set_requires_grad() its requires_grad_, tg::borrow its from_blob, which shares the memory's owner,
// since values are computed later.
#include <tg/data.hpp>
#include <tg/lr.hpp>
#include <tg/mapped.hpp>
#include <tg/nn.hpp>
#include <tg/optim.hpp>
#include <tg/tg.hpp>
#include <tg/transform.hpp>
#include <tg/transformer.hpp>

#include <array>
#include <iostream>
#include <map>
#include <numeric>
#include <span>
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

void conversion(Tensor x) {
  std::cout << x.shape() << x.dtype() << x.device() << x.dim() << x.size(-1) << x << x.repr() << std::endl;
  const std::vector<float> numbers{1, 2, 3};
  const std::array<int, 2> pair{4, 5};
  const double plain[] = {6, 7};
  std::cout << torch::tensor(numbers) << torch::tensor(pair) << torch::tensor(plain) << torch::tensor(3.5) << torch::tensor(true);
  std::cout << torch::tensor(std::span(numbers).first(2), {.dtype = torch::float64}) << Tensor::from(numbers, {3, 1});
  std::cout << torch::eye(3, {.dtype = torch::float64}) << torch::randint(0, 10, {3}) << x.to(torch::float16).to(torch::bool_);
  const auto [rows, columns] = std::pair{x.size(0), x.size(1)};
  std::vector<Tensor> list;
  for (int64_t i = 0; i < rows * columns; ++i) list.emplace_back(torch::full({2}, i));
  std::cout << torch::stack(list) << std::accumulate(list.begin(), list.end(), torch::zeros({2}));
  std::map<std::string, Tensor> named{{"x", x}};
  named["y"] = x.clone().detach();
  const auto n = static_cast<size_t>(x.sum().item<int64_t>());
  if (const double loss = x.mean().item<double>(); loss < 1e-3 && x.shape()[0] == 2) std::cout << n;
}

void methods(Tensor x, const Tensor& y, const Tensor& ids) {
  std::cout << x.add(y).sub(1).mul(y).div(2).pow(2).eq(0) << x.abs().lt(1).logical_and(y.gt(0)) << x.mm(y.t()) << x.norm();
  std::cout << x.sum(1) << x.mean(0, true) << x.sum({0, 1}) << torch::sum(x, -1) << torch::mean(x, {0, 1}, true) << x.argmax(1) << x.std(0);
  std::cout << x.clamp(0, 1) << torch::clamp(x, 0, 1) << x.clamp({.min = 0}) << x.maximum(y).minimum(0) << x.masked_fill(x > 0, 0);
  std::cout << x.scatter(1, ids, 1.0) << x.gather(1, ids) << x.index_select(0, ids[0]) << x.nonzero() << x.tril() << torch::triu(x, 1);
  std::cout << x.transpose(-2, -1).contiguous().view({-1}) << x.mT() << x.expand_as(y) << y.view_as(x)
            << x.unsqueeze(-1).expand({-1, -1, 3});
  for (const Tensor& part : torch::chunk(x, 2, 1)) std::cout << part;
  for (const Tensor& part : torch::split(x, {1, 1}, 0)) std::cout << part;
  std::cout << torch::pad(x, {{1, 1}}) << torch::outer(x[0], y[0]) << torch::bmm(x.unsqueeze(0), y.t().unsqueeze(0)) << torch::mm(x, y.t());
  x.uniform_();
  x.normal_();
  x.mul_(2).add_(y, {.alpha = 3}).clamp_(0, 1).masked_fill_(x > 0, 1);
  const auto correct = (x.argmax(1) == ids).sum().item<int>();
  std::cout << correct << (x.argmax(1) == ids).cast(torch::float32).mean().item<double>();
}

void parts(Tensor x, const Tensor& y) {
  std::cout << x.narrow(0, 0, 2) << x.select(0, 1) << x.slice(1, 0, 2) << x.slice(1, torch::none, torch::none, 2) << x.unbind(1)[0];
  std::cout << x.at(torch::ellipsis, 0) << x.at(torch::none, torch::slice(), -1) << x.at(x > 0);
  for (Tensor row : x) row += 1;
  for (const Tensor& column : torch::unbind(x, 1)) std::cout << column;
  x.set(0, torch::slice(1, 3), 5);
  x[0][1] = 3.5;
  x[x > 0] = 0;
  x[torch::slice(0, 1)] = y[torch::slice(0, 1)];
  x.narrow(1, 0, 1).copy_(y.select(1, 0).unsqueeze(1));
}

void images(const Tensor& x) {
  std::cout << torch::max_pool2d(x, 2) << torch::avg_pool2d(x, {2, 2}) << torch::max_pool2d(x, {.size = 3, .stride = 2, .padding = 1});
  const torch::nn::Sequential net{torch::nn::Conv2d(1, 4, 3), torch::nn::BatchNorm2d(4), torch::relu, torch::nn::MaxPool2d(2),
                                  torch::nn::Conv2d(4, 8, {3, 3}, {.stride = 2, .bias = false}), torch::nn::AvgPool2d({.size = 3}),
                                  torch::nn::Flatten(), torch::nn::Dropout(0.1), torch::nn::Linear(8, 10)};
  for (const auto& [name, parameter] : torch::nn::parameters(net.state())) std::cout << name << parameter.shape();
  net(x).backward(torch::ones({1, 10}));
  torch::nn::SGD optimizer(net.state(), {.lr = 0.1, .momentum = 0.9, .nesterov = true});
  torch::nn::clip_grad_norm(optimizer.parameters(), 1.0);
  optimizer.step();
  torch::nn::save("net.safetensors", net.state());
  torch::nn::load("net.safetensors", net.state());
  std::cout << torch::load_tensors("net.safetensors").at("0.weight");
}
