// See codegen.hpp.
#include "codegen/codegen.hpp"

#include "codegen/collapse.hpp"
#include "codegen/heuristic.hpp"

namespace tg {

Generated generate(const Kernel& kernel, const Target& target, const std::optional<Verbs>& verbs) {
  Generated out{.phases = {}, .kernel = collapse(kernel), .verbs = {}, .nest = {}};
  out.verbs = verbs ? *verbs : choose_verbs(out.kernel, target);
  Nest nest(out.kernel);
  for (const Verb& v : out.verbs) nest.apply(v);
  out.nest = nest.text();
  out.phases.push_back(lower(out.kernel, nest, target));
  return out;
}

}  // namespace tg
