#pragma once
// Plans that are ready to run, with their compiled kernels: those that were run last. A server that meets new shapes for ever keeps as many
// kernels as TG_KERNELS says.
//
//   if (auto ready = Plans::shared().find(key)) ...      who runs a plan has it to the end, whatever becomes of the table meanwhile
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "base/recent.hpp"
#include "engine/kernels.hpp"
#include "schedule/plan.hpp"
#include "tg/ir/mutex.hpp"

namespace tg {

struct ReadyPlan {
  Plan plan;
  std::vector<UOp> variables;
  std::vector<std::shared_ptr<const CompiledKernel>> kernels;  // one a launch
  size_t checked = 0;                                          // launches after which all indices are known to be in bounds
  size_t harmless = 0;                                         // launches before the first that overwrites what a tensor holds
};

class Plans {
 public:
  using Key = std::tuple<const Device*, uint64_t, Hash128>;  // device, passes, graph

  /// `kernels`: how many launches all plans together may have.
  explicit Plans(size_t kernels) : recent_(kernels), forms_(kernels) {}
  std::shared_ptr<const ReadyPlan> find(const Key&);
  /// Of several threads that made the same plan, the last one's stays.
  void put(const Key&, std::shared_ptr<const ReadyPlan>);
  /// Which of its numbers, of a graph whose form is this, have been others in another run.
  std::vector<size_t> varying(const Key& form, const std::vector<double>& numbers);
  void forget();
  struct Counts { size_t plans, launches; };
  Counts counts() const;
  void set_limit(size_t kernels);

  static Plans& shared();

 private:
  struct Form {
    std::vector<double> first;
    std::vector<size_t> varying;
  };
  mutable Mutex mutex_;
  Recent<Key, std::shared_ptr<const ReadyPlan>> recent_;
  Recent<Key, Form> forms_;
};

}  // namespace tg
