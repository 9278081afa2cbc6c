// See codegen.hpp.
#include "codegen/codegen.hpp"

#include <fmt/format.h>

#include "base/fork.hpp"
#include "codegen/collapse.hpp"
#include "codegen/group.hpp"
#include "codegen/heuristic.hpp"
#include "codegen/keep.hpp"
#include "codegen/pack.hpp"
#include "codegen/part.hpp"
#include "codegen/split.hpp"
#include "tg/error.hpp"

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

// Appends the phases of a kernel, and the memory between them; returns the verbs that made them.
Verbs add_phases(Generated& out, const Kernel& kernel, const Target& target, const std::optional<Verbs>& given, const Phases& may) {
  Verbs verbs = given ? *given : choose_verbs(kernel, target, may);
  Nest nest(kernel);
  const auto add = [&](const Kernel& k, const std::optional<Verbs>& of, const Phases& may_have) {
    const size_t at = out.nest.size();
    const Verbs made = add_phases(out, k, target, of, may_have);
    out.nest.insert(at, to_string(made) + "\n");
    return made;
  };
  std::optional<Grouped> grouped;
  if (!verbs.empty() && verbs[0].kind == Verb::Kind::Group) grouped = group(kernel, nest, verbs[0]);
  if (grouped && !grouped->in_place) {  // two phases, each with verbs of its own
    const Grouped& parts = *grouped;
    out.temporaries.emplace_back(parts.partial.params.back().dtype(), parts.elements);
    add(collapse(parts.partial), {}, {.group = false});
    add(collapse(parts.final), {}, {.group = !target.grid, .copy = false});  // long columns leave many parts
    return verbs;
  }
  if (!verbs.empty() && verbs[0].kind == Verb::Kind::Part) {
    for (const Kernel& k : part(kernel, nest, verbs[0])) add(collapse(k), {}, {.part = false});
    return verbs;
  }
  // The verbs that follow are of the kernel that is left; a list that was given is whole.
  const auto add_rest = [&](const Kernel& k, bool may_copy = false) {
    std::optional<Verbs> rest;
    if (given || verbs.size() > 1) rest.emplace(verbs.begin() + 1, verbs.end());
    const Verbs made = add(k, rest, {.group = false, .copy = may_copy, .keep = false});
    verbs.resize(1);
    verbs.insert(verbs.end(), made.begin(), made.end());
    return verbs;
  };
  if (grouped) return add_rest(collapse(grouped->partial), may.copy);
  if (!verbs.empty() && verbs[0].kind == Verb::Kind::Keep) return add_rest(keep(kernel, nest, verbs[0]));
  if (!verbs.empty() && verbs[0].before_all()) {
    const Packed parts = pack(kernel, verbs[0]);
    out.temporaries.emplace_back(parts.dtype, parts.elements);
    add(parts.copy, {}, {.group = false, .copy = false, .keep = false});
    return add_rest(parts.main);
  }
  for (const Verb& v : verbs) nest.apply(v);
  out.nest += nest.text();
  out.phases.push_back(lower(kernel, nest, target));
  if (target.grid) out.nest += launch_text(out.phases.back());
  return verbs;
}

}  // namespace

Generated generate(const Kernel& kernel, const Target& target, const std::optional<Verbs>& verbs) {
  const ForkWaits whole;  // tables of rules are made when they are first used
  Generated out{.phases = {}, .kernel = collapse(split(kernel)), .verbs = {}, .nest = {}, .temporaries = {}};
  if (!kernel.alone) {
    out.verbs = add_phases(out, Kernel(out.kernel), target, verbs, {});
    return out;
  }
  Target core = target;
  core.cores = 1;
  out.verbs = add_phases(out, Kernel(out.kernel), core, verbs, {.group = false, .copy = false, .part = false});
  if (out.phases.size() > 1)
    throw ValueError(fmt::format("{}: {} is a step of a block, which one thread makes in one phase", to_string(out.verbs), kernel.name()));
  return out;
}

}  // namespace tg
