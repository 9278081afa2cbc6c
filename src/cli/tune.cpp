// The table that tg tune prints.
#include "cli/tune.hpp"

#include <fmt/format.h>

#include <ostream>

#include "cli/examples.hpp"
#include "tg/tune.hpp"

namespace tg::cli {

void tune(const TuneCommand& c, std::ostream& out) {
  const Program program = example(c.example, c.device);
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
