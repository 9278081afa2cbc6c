// See share_numbers.hpp.
#include "schedule/share_numbers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numbers>

#include <fmt/format.h>

#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

/// A kernel, and the launches that have it.
struct Shared {
  std::vector<size_t> launches;
  std::vector<UOp> numbers;  // in the order in which a walk meets them
};

/// The kernel with those of its numbers as scalars, behind the ones that it has.
Kernel without(const Kernel& k, const std::vector<UOp>& numbers) {
  Kernel out = k;
  Substitution scalars;
  for (const UOp& n : numbers)  // none of the names that scalars of the plan have, of which some may be gone
    scalars[n] = out.variables.emplace_back(scalar_variable(fmt::format("n{}", scalars.size()), n.dtype()));
  out.stores = substitute(out.stores, scalars);
  return out;
}

}  // namespace

bool is_known_to_rules(const UOp& number) {
  const double v = std::abs(number.as<double>());
  if (v == 0 || v == 1 || !std::isfinite(v)) return true;
  return std::ranges::any_of(std::array{std::numbers::ln2, std::numbers::log2e},
                             [&](double n) { return number == constant(number.dtype(), n); });
}
bool may_be_bound(const UOp& u) {
  return u.op() == Op::Const && (u.dtype() == DType::float32 || u.dtype() == DType::float64) && !is_known_to_rules(u);
}

void share_numbers(Plan& plan) {
  std::map<std::string, std::map<Hash128, Shared>> alike;  // by name, which says the sizes of loops
  for (size_t i = 0; i < plan.launches.size(); ++i) {
    const Kernel& k = plan.launches[i].kernel;
    alike[k.name()][k.hash()].launches.push_back(i);
  }
  for (auto& [name, kernels] : alike) {
    if (kernels.size() < 2) continue;
    std::map<Hash128, std::vector<Shared*>> forms;
    for (auto& [hash, s] : kernels) {
      const Kernel& k = plan.launches[s.launches[0]].kernel;
      std::ranges::copy_if(toposort(k.stores), std::back_inserter(s.numbers), may_be_bound);
      if (!s.numbers.empty()) forms[without(k, s.numbers).hash()].push_back(&s);
    }
    for (const auto& [hash, same] : forms) {
      std::vector<size_t> differ;
      for (size_t n = 0; n < same[0]->numbers.size(); ++n)
        if (std::ranges::any_of(same, [&](const Shared* s) { return !(s->numbers[n] == same[0]->numbers[n]); })) differ.push_back(n);
      if (differ.empty()) continue;
      for (const Shared* s : same) {
        std::vector<UOp> own;
        for (const size_t n : differ) own.push_back(s->numbers[n]);
        const Kernel k = without(plan.launches[s->launches[0]].kernel, own);
        for (const size_t i : s->launches) {
          plan.launches[i].kernel = k;
          plan.launches[i].scalars.insert(plan.launches[i].scalars.end(), own.begin(), own.end());
        }
      }
    }
  }
}

}  // namespace tg
