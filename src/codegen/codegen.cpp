// See codegen.hpp.
#include "codegen/codegen.hpp"

#include <fmt/format.h>

#include "codegen/collapse.hpp"
#include "codegen/group.hpp"
#include "codegen/heuristic.hpp"

namespace tg {
namespace {

std::string launch_text(const LoweredPhase& p) {
  std::string blocks, threads;
  for (size_t i = 0; i < 3; ++i) {
    const std::string join = i == 0 ? "" : " x ";
    if (i == 0 || !p.grid_axes[i].empty())
      blocks += join + to_string(p.grid[i]) + (p.grid_axes[i].empty() ? "" : fmt::format(" ({})", p.grid_axes[i]));
    if (i == 0 || p.phase.block[i] > 1) threads += fmt::format("{}{}", join, p.phase.block[i]);
  }
  return fmt::format("blocks {}, threads {}, shared memory {} bytes\n", blocks, threads, p.phase.scratch_bytes);
}

}  // namespace

Generated generate(const Kernel& kernel, const Target& target, const std::optional<Verbs>& verbs) {
  Generated out{.phases = {}, .kernel = collapse(kernel), .verbs = {}, .nest = {}, .temporaries = {}};
  out.verbs = verbs ? *verbs : choose_verbs(out.kernel, target);
  Nest nest(out.kernel);
  if (!out.verbs.empty() && out.verbs[0].kind == Verb::Kind::Group) {  // two phases, each with verbs of its own
    const Grouped parts = group(out.kernel, nest, out.verbs[0]);
    out.temporaries.emplace_back(parts.partial.params.back().dtype(), parts.elements);
    for (const Kernel* k : {&parts.partial, &parts.final}) {
      Generated phase = generate(*k, target, choose_verbs(collapse(*k), target, false));
      out.nest += to_string(phase.verbs) + "\n" + phase.nest;
      out.phases.push_back(std::move(phase.phases[0]));
    }
    return out;
  }
  for (const Verb& v : out.verbs) nest.apply(v);
  out.nest = nest.text();
  out.phases.push_back(lower(out.kernel, nest, target));
  if (target.grid) out.nest += launch_text(out.phases[0]);
  return out;
}

}  // namespace tg
