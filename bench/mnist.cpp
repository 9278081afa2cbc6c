// The training step of `tg train mnist`, batch 512, Adam: beside PyTorch's, from nothing, and counted (training.hpp). Each batch is
// gathered from the resident data set, on both sides.
//
// The least possible. Operations: two a multiplication of the convolutions and the linear layer, forward, for the weights' gradients, and
// for the inputs' but the first. Bytes: every layer's output (after relu; norm and pool are one layer) is written once, read once forward
// and once backward; its gradient is written and read once; pixels are read twice; of a parameter p, its gradient g and Adam's m and v
// there are ten accesses: p forward and backward, g written and read, p, m and v read and written.
#include "cli/mnist_net.hpp"
#include "training.hpp"

using namespace tg;

namespace {

constexpr int64_t kBatch = 512, kExamples = 60'000;

bench::Step training(const std::string& device, const cli::Digits& digits) {
  manual_seed(0);
  const nn::Sequential net = cli::mnist_net(device);
  const auto optimizer = std::make_shared<nn::Adam>(net.state());
  bench::realize_state(net.state(), *optimizer, {digits.images, digits.labels});
  return [=, at = int64_t{0}]() mutable {
    std::vector<int32_t> which;
    for (int64_t i = 0; i < kBatch; ++i) which.push_back(static_cast<int32_t>((at += 7919) % kExamples));
    return cli::train_step(net, *optimizer, cli::gather(digits, cli::numbers(which, device))).loss.item<double>();
  };
}
bench::Step training_on_zeros(const std::string& device) {
  return training(device, {Tensor::zeros({kExamples, 1, 28, 28}, {.dtype = uint8, .device = device}),
                           Tensor::zeros({kExamples}, {.dtype = int32, .device = device})});
}

bench::Work least_possible() {
  struct Product { double in, out, places; bool first = false; };  // sums of `in` terms: `out` a place, of which an image has `places`
  bench::Work out;
  for (const Product& p : {Product{25, 32, 24 * 24, true}, {32 * 25, 32, 20 * 20}, {32 * 9, 64, 8 * 8}, {64 * 9, 64, 6 * 6}, {576, 10, 1}})
    out.operations += (p.first ? 2 : 3) * 2.0 * kBatch * p.in * p.out * p.places;
  for (const double outputs : {32. * 24 * 24, 32. * 20 * 20, 32. * 10 * 10, 64. * 8 * 8, 64. * 6 * 6, 64. * 3 * 3, 10.})
    out.bytes += 5 * 4.0 * kBatch * outputs;
  double parameters = 0;
  for (const auto& [name, t] : nn::parameters(cli::mnist_net("null").state())) parameters += static_cast<double>(t.numel());
  out.bytes += 2.0 * kBatch * 28 * 28 + 10 * 4 * parameters;
  return out;
}

}  // namespace

int main(int count_of_arguments, char** arguments) {
  if (count_of_arguments > 1 && std::string_view(arguments[1]) == "--from-nothing")
    return bench::from_nothing(training_on_zeros, count_of_arguments > 2);
  const std::string data = io::find_mnist().string();
  // forked before this process has threads
  bench::Torch peer("mnist_torch.py", {data, std::to_string(settings().threads), std::to_string(kBatch)});
  bench::time_beside(peer, "mnist step", [&](const std::string& device) {
    return training(device, cli::to_device(io::load_mnist(data).train, device));
  });
  bench::time_from_nothing("mnist step", 100, 500);
  bench::count("mnist step", training_on_zeros, least_possible(), 60);
}
