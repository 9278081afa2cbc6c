// The command tg: arguments in, the work in train, predict, tune, bench and devices, and errors as one message and a code.
//
//   tg train mnist --epochs 1      0: done; 1: an error, said on stderr; 2: wrong usage; 130: interrupted, the checkpoint can be resumed
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "cli/bench.hpp"
#include "cli/examples.hpp"
#include "cli/predict.hpp"
#include "cli/train.hpp"
#include "cli/tune.hpp"
#include "tg/device.hpp"
#include "tg/error.hpp"

namespace {

constexpr int kUsage = 2;

template <class T>
auto into(std::optional<T>& to) {
  return [&to](const T& v) { to = v; };
}
/// A number of at least `least`, or above it where `above` says so.
template <class T>
CLI::Validator number_from(T least, bool above = false) {
  const std::string range = fmt::format("{} {}", above ? ">" : ">=", least);
  const auto check = [=](const std::string& text) {
    T v{};
    const bool fits = CLI::detail::lexical_cast(text, v) && (above ? v > least : v >= least);
    return fits ? std::string() : fmt::format("{} is not a {}number {}", text, std::is_integral_v<T> ? "whole " : "", range);
  };
  return {check, range};
}

void add_train(CLI::App& app, tg::cli::TrainOptions& o) {
  CLI::App& train = *app.add_subcommand("train", "Train a network");
  train.require_subcommand(1);
  CLI::App& mnist = *train.add_subcommand("mnist", "Train a convolutional network to read handwritten digits");
  mnist.footer(
      "The learning rate rises for a tenth of the steps and then falls to nothing along a cosine.\n"
      "Ctrl-C ends the run with a checkpoint from which --resume goes on as if nothing had happened.\n\n"
      "Examples:\n"
      "  tg train mnist                          the defaults: over 98.5% in a few minutes\n"
      "  tg train mnist --steps 20 --batch 64    a quick look\n"
      "  tg train mnist --optimizer sgd --lr 0.05 --seed 7 --checkpoint sgd.safetensors\n"
      "  tg train mnist --checkpoint sgd.safetensors --resume\n"
      "  TG_DEBUG=1 tg train mnist --steps 1     every kernel, with its time");
  auto* epochs = mnist.add_option_function<int64_t>("-e,--epochs", into(o.epochs), "Passes over the training set (default 3)")
                     ->check(number_from(int64_t{1}));
  mnist.add_option_function<int64_t>("--steps", into(o.steps), "Steps to train for, instead of epochs")
      ->check(number_from(int64_t{1}))
      ->excludes(epochs);
  mnist.add_option_function<int64_t>("-b,--batch", into(o.batch), "Digits a step (default 512)")->check(number_from(int64_t{2}));
  mnist.add_option_function<double>("--lr", into(o.lr), "Highest learning rate (default 0.003; sgd: 0.1)")->check(number_from(0.0, true));
  mnist.add_option_function<std::string>("--optimizer", into(o.optimizer), "How weights move (default adam)")
      ->check(CLI::IsMember({"adam", "adamw", "sgd"}));
  mnist.add_option("--device", o.device, "Where to compute; see `tg devices` (default: TG_DEVICE, else cpu)");
  mnist.add_option_function<int64_t>("--seed", into(o.seed), "Of the weights and the order of digits (default 0)")
      ->check(number_from(int64_t{0}));
  mnist.add_option("--checkpoint", o.checkpoint, "File to save to, and to resume from; the loss curve lands beside it")
      ->capture_default_str();
  mnist.add_flag("--resume", o.resume, "Go on from the checkpoint, with its settings");
  mnist.add_option("--data", o.data, "Folder with the four MNIST files (default: TG_DATA, else data/mnist near the program)");
}

void add_predict(CLI::App& app, tg::cli::PredictOptions& o) {
  CLI::App& predict = *app.add_subcommand("predict", "Ask a trained network which digit it sees");
  predict.footer(
      "Examples:\n  tg predict 7              digit 7 of the MNIST test set\n"
      "  tg predict mine.png       a picture of one digit, on paper or screen");
  predict.add_option("digit", o.what, "Number of an MNIST test digit, or a PNG or PGM file")->required();
  predict.add_option("--checkpoint", o.checkpoint, "The network, from `tg train mnist`")->capture_default_str();
  predict.add_option("--device", o.device, "Where to compute; see `tg devices` (default: TG_DEVICE, else cpu)");
  predict.add_option("--data", o.data, "Folder with the four MNIST files (default: TG_DATA, else data/mnist near the program)");
}

void add_tune(CLI::App& app, tg::cli::TuneCommand& o) {
  CLI::App& tune = *app.add_subcommand("tune", "Search for faster loops of an example's kernels, and keep them in a file");
  tune.footer(
      "A program uses the file under TG_TUNED=FILE. Any function can be tuned from C++: tg/tune.hpp.\n\n"
      "Examples:\n"
      "  tg tune matmul                              writes matmul.tuned\n"
      "  tg tune mnist --seconds 120 --beam 8        a whole training step\n"
      "  tg tune matmul --replay mine.tuned          times the verbs of a file, which may be edited by hand");
  tune.add_option("example", o.example, "Which program")->required()->check(CLI::IsMember(tg::cli::example_names()));
  tune.add_option("--beam", o.beam, "Verb lists that are kept from round to round")->check(CLI::Range(1, 64))->capture_default_str();
  tune.add_option("--seconds", o.seconds, "For all kernels together")->check(number_from(0.0, true))->capture_default_str();
  auto* out = tune.add_option("-o,--out", o.out, "File to write (default: EXAMPLE.tuned)");
  tune.add_option("--replay", o.replay, "Search for nothing: time the verbs of this file beside the default ones")->excludes(out);
  tune.add_option("--device", o.device, "Where to compute; see `tg devices` (default: TG_DEVICE, else cpu)");
}

void add_bench(CLI::App& app, tg::cli::BenchCommand& o) {
  CLI::App& bench = *app.add_subcommand("bench", "Time an example, or what each of the compiler's verbs brings to its kernels");
  bench.footer(
      "Examples:\n"
      "  tg bench matmul               its median time\n"
      "  tg bench matmul --ladder      from the loops as they are to the final kernel, a verb a line");
  bench.add_option("example", o.example, "Which program")->required()->check(CLI::IsMember(tg::cli::example_names()));
  bench.add_flag("--ladder", o.ladder, "Kernel by kernel, with the first of its verbs, the first two, and so on");
  bench.add_option("--device", o.device, "Where to compute; see `tg devices` (default: TG_DEVICE, else cpu)");
}

/// What is wrong with a command line without a command that is known: CLI11 says no more than that one is required.
std::string without_command(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands()[0];
  std::string known;
  for (const CLI::App* command : at->get_subcommands(nullptr)) known += (known.empty() ? "" : ", ") + command->get_name();
  const std::vector<std::string> rest = at->remaining();
  return fmt::format("{}: {}; known: {}. Try --help", at->get_name(),
                     rest.empty() ? "a command is missing" : fmt::format("no command is called \"{}\"", rest[0]), known);
}

void print_devices() {
  for (const tg::DeviceStatus& d : tg::devices())
    std::cout << fmt::format("{:<12} {}\n", d.name, d.problem.empty() ? d.description : fmt::format("not here: {}", d.problem));
}

int run(int argc, char** argv) {
  CLI::App app("Tensors, differentiation and a compiler: trains networks with kernels of its own making.", "tg");
  app.set_version_flag("--version", "tg " TG_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Start with `tg train mnist`, then `tg predict 7`. Each command has its own --help.\n"
      "Variables: TG_DEVICE (default device), TG_THREADS (default: all cores), TG_DEBUG=1..5 (what is compiled and run), TG_DATA.");
  tg::cli::TrainOptions train;
  tg::cli::PredictOptions predict;
  add_train(app, train);
  add_predict(app, predict);
  tg::cli::TuneCommand tune;
  add_tune(app, tune);
  tg::cli::BenchCommand bench;
  add_bench(app, bench);
  CLI::App* devices = app.add_subcommand("devices", "List the devices, and why one cannot be used");
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& e) {
    if (std::string_view(e.what()).find("subcommand") == std::string_view::npos) return app.exit(e), kUsage;
    std::cerr << without_command(app) << '\n';
    return kUsage;
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : kUsage;
  }
  const tg::cli::Terminal terminal = tg::cli::terminal_of(STDOUT_FILENO);
  if (devices->parsed()) return print_devices(), 0;
  if (app.got_subcommand("tune")) return tg::cli::tune(tune, std::cout), 0;
  if (app.got_subcommand("bench")) return tg::cli::bench(bench, std::cout), 0;
  if (app.got_subcommand("predict")) return tg::cli::predict(predict, std::cout, terminal), 0;
  return tg::cli::train_mnist(train, std::cout, terminal);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const int code = run(argc, argv);
    if (!std::cout.flush()) throw tg::IoError("what was printed could not all be written");
    return code;
  } catch (const std::exception& e) {
    std::cout << std::flush;
    std::cerr << "tg: " << e.what() << '\n';
    return 1;
  }
}
