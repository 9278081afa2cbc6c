// The training step of a small language model (cli/transformer_net.hpp), batch 8, AdamW: beside PyTorch's, from nothing, and counted
// (training.hpp).
//
// The least possible. Operations: two a multiplication of the linear layers, forward, for the weights' and for the inputs' gradients, and
// of attention's two products over the half of the scores that is not masked, forward and twice backward. The floor is the time of these
// operations at the rate at which independent multiply-adds run on all threads. Bytes: what a linear layer, a norm or attention puts out is
// written once, read once forward and once backward, its gradient is written and read once; ten accesses of a parameter (mnist.cpp).
#include "cli/transformer_net.hpp"
#include "peak.hpp"
#include "training.hpp"

using namespace tg;
using Net = cli::TransformerNet;

namespace {

constexpr int64_t kBatch = 8;

bench::Step training(const std::string& device) {
  manual_seed(0);
  const Net net(device);
  const auto optimizer = std::make_shared<nn::AdamW>(net.state());
  const Tensor text = Tensor::randint({kBatch, Net::kLength + 1}, 0, Net::kVocabulary, {.device = device});
  const Tensor tokens = text.at(slice(), slice(0, -1)), next = text.at(slice(), slice(1));
  bench::realize_state(net.state(), *optimizer, {tokens, next});
  return [=] { return cli::train_step(net, *optimizer, tokens, next).item<double>(); };
}

bench::Work least_possible() {
  constexpr double tokens = kBatch * Net::kLength, width = Net::kWidth, inner = Net::kFeedforward;
  const double linear = Net::kLayers * (4 * width * width + 2 * width * inner) + width * Net::kVocabulary;
  const double scores = Net::kLayers * 2 * width * Net::kLength / 2;  // multiplications a token
  const double outputs = Net::kLayers * (2 * width + 3 * width + width + width + 2 * inner + width) + width + Net::kVocabulary;
  double parameters = 0;
  for (const auto& [name, t] : nn::parameters(Net("null").state())) parameters += static_cast<double>(t.numel());
  return {3 * 2 * tokens * (linear + scores), 5 * 4 * tokens * outputs + 10 * 4 * parameters};
}

}  // namespace

int main(int count_of_arguments, char** arguments) {
  if (count_of_arguments > 1 && std::string_view(arguments[1]) == "--from-nothing")
    return bench::from_nothing(training, count_of_arguments > 2);
  // forked before this process has threads
  bench::Torch peer("transformer_torch.py", {std::to_string(settings().threads), std::to_string(kBatch)});
  const double ours = bench::time_beside(peer, "transformer step", training);
  const bench::Work least = least_possible();
  bench::report({"transformer step, beside its floor", ours, "ms", "least", least.operations / bench::peak() * 1e3});
  bench::time_from_nothing("transformer step", 100, 1000);
  bench::count("transformer step", training, least);
}
