// See passes.hpp. The list in force is never changed, only replaced, so that a run keeps the one it began with.
#include "engine/passes.hpp"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "base/fork.hpp"
#include "schedule/hoist_offsets.hpp"
#include "schedule/in_blocks.hpp"
#include "schedule/share_numbers.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

struct InForce {
  Mutex mutex;
  Passes passes;
};
InForce& in_force() {
  static InForce& leaked = *new InForce;
  return leaked;
}

std::string described(const UOp& u) {
  return u ? fmt::format("{} {} {}", name_of(u.op()), name_of(u.dtype()), to_string(u.shape())) : "nothing";
}

bool is_given(const UOp& u) { return u.op() == Op::Param || u.op() == Op::Variable; }

void check_pass(const Passes::Named& p, std::span<const UOp> before, std::span<const UOp> after) {
  const auto refuse = [&](const std::string& what) { throw ValueError(fmt::format("pass \"{}\": {}", p.name, what)); };
  if (after.size() != before.size()) refuse(fmt::format("it was given {} roots and returned {}", before.size(), after.size()));
  for (size_t i = 0; i < after.size(); ++i) {
    const bool same = after[i] && after[i].dtype() == before[i].dtype() && after[i].shape() == before[i].shape() &&
                      (after[i].op() == Op::Store) == (before[i].op() == Op::Store);
    if (!same) refuse(fmt::format("root {} was {} and is {}; shapes and dtypes must stay", i, described(before[i]), described(after[i])));
    if (after[i].holds_buffer()) refuse(fmt::format("root {} holds memory, which was not there before", i));
    if (after[i].ranges() & ~before[i].ranges()) refuse(fmt::format("root {} is over loops that it was not over before", i));
  }
  std::unordered_set<UOp> given;
  for (const UOp& u : toposort(before)) if (is_given(u)) given.insert(u);
  for (const UOp& u : toposort(after))
    if (is_given(u) && !given.contains(u)) refuse(fmt::format("{} was not there before", to_string(u)));
  try {
    verify(after, p.stage);
  } catch (const InternalError& e) { refuse(e.what()); }
}

std::vector<UOp> called(const Passes::Named& p, std::span<const UOp> roots) {
  const ForkMayCome meanwhile;
  return p.pass(roots);
}

std::vector<UOp> through(const Passes::List& list, Stage stage, std::vector<UOp> roots) {
  for (const Passes::Named& p : list) {
    if (p.stage != stage) continue;
    std::vector<UOp> after = called(p, roots);
    check_pass(p, roots, after);
    roots = std::move(after);
  }
  return roots;
}

}  // namespace

Passes Passes::in_force() {
  const std::lock_guard lock(tg::in_force().mutex);
  return tg::in_force().passes;
}
Plan Passes::plan(std::span<const UOp> roots, const Target& target) const {
  Plan p = schedule(through(*list_, Stage::Tensor, {roots.begin(), roots.end()}));
  for (PlanLaunch& l : p.launches) l.kernel.stores = through(*list_, Stage::Kernel, std::move(l.kernel.stores));
  if (target.blocks) in_blocks(p, target);
  hoist_offsets(p, target.alignment);
  share_numbers(p);
  return p;
}

Pass rewriting(Rules rules) {
  return [rules = std::move(rules)](std::span<const UOp> roots) { return rewrite(roots, rules); };
}

AddedPass::AddedPass(std::string name, Stage stage, Pass pass)
    : id_([&] {
        const std::lock_guard lock(tg::in_force().mutex);
        Passes& now = tg::in_force().passes;
        auto list = std::make_shared<Passes::List>(*now.list_);
        list->push_back({++now.number, std::move(name), stage, std::move(pass)});
        now.list_ = std::move(list);
        return now.number;
      }()) {}

AddedPass::~AddedPass() {
  const std::lock_guard lock(tg::in_force().mutex);
  Passes& now = tg::in_force().passes;
  auto list = std::make_shared<Passes::List>(*now.list_);
  std::erase_if(*list, [&](const Passes::Named& p) { return p.id == id_; });
  now.list_ = std::move(list);
  ++now.number;
}

}  // namespace tg
