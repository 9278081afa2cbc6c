// explain: the steps of realize() taken without memory, each step's result as text.
//
//   in:  explain(x * y + w, "schedule")      out: "b0: input float32 x 4, ..."
#include "tg/explain.hpp"

#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "autodiff/gradient.hpp"
#include "base/log.hpp"
#include "engine/canonical.hpp"
#include "engine/kernels.hpp"
#include "engine/passes.hpp"
#include "schedule/plan.hpp"
#include "tensor/impl.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

/// Copies that have not happened, as the memory that they will have.
UOp without_copies(const UOp& root) {
  std::unordered_map<UOp, UOp> memory;
  int slot = 0;
  for (const UOp& u : toposort(root)) slot += u.storage() != nullptr;  // canonicalising numbers memory from 0: these come after it
  for (const UOp& u : toposort(root))
    if (u.op() == Op::Copy && !u.storage()) memory.emplace(u, param(slot++, u.dtype(), u.shape()));
  return memory.empty() ? root : substitute(root, memory);
}

struct Explained {
  const Tensor& tensor;
  const UOp root = node_of(tensor, "explain");
  const bool has_gradient = tensor.requires_grad();
  Device& device = tg::device(tensor.device());

  std::string graph() const { return dump(root); }
  std::string gradient() const {
    if (!has_gradient)
      throw GradientError("explain: nothing below this tensor requires a gradient, or backward dropped the history; explain it before");
    return explain_gradient(root, leaf_nodes_below(root));
  }
  Plan plan() const {
    if (root.storage() || device.interprets()) return {};
    const UOp here = without_copies(root);
    return Passes::in_force().plan(Canonical(std::span(&here, 1)).roots(), device.target());
  }
  std::string schedule() const {
    if (root.storage()) return "nothing: the value is in memory\n";
    if (device.interprets()) return "none: this device evaluates the graph op by op\n";
    return to_string(plan());
  }
  std::string each_kernel(const auto& text) const {
    std::string out;
    std::unordered_set<std::string> seen;
    const Plan p = plan();
    for (const PlanLaunch& l : p.launches) {
      const std::string one = text(l.kernel.name(), generate_tuned(l.kernel, device.target()));
      if (seen.insert(one).second) out += one;
    }
    return out;
  }
  std::string loops() const {
    return each_kernel(
        [](const std::string& name, const Generated& g) { return fmt::format("{}: {}\n{}", name, to_string(g.verbs), g.nest); });
  }
  std::string source() const {
    return each_kernel([&](const std::string&, const Generated& g) { return tg::source(g, device.target()); });
  }
  std::string rewrites() const {
    const LogCapture fired(5);
    each_kernel([](const std::string&, const Generated&) { return std::string(); });
    return fired.text();
  }
};

struct Part { std::string_view name; std::string (Explained::*text)() const; };
constexpr Part kParts[] = {{"graph", &Explained::graph}, {"gradient", &Explained::gradient}, {"schedule", &Explained::schedule},
                           {"loops", &Explained::loops}, {"source", &Explained::source}, {"rewrites", &Explained::rewrites}};

}  // namespace

std::string explain(const Tensor& tensor, std::string_view part) {
  const Explained explained{tensor};
  std::string out, known;
  for (const auto& [name, text] : kParts) {
    if (part == name) return (explained.*text)();
    known += fmt::format("{}, ", name);
    if (part == "all" && name != "rewrites" && (name != "gradient" || explained.has_gradient))
      out += fmt::format("-- {} --\n{}\n", name, (explained.*text)());
  }
  if (part != "all") throw ValueError(fmt::format("explain: there is no part \"{}\"; there are: {}all", part, known));
  return out;
}

}  // namespace tg
