#pragma once
// The schedule of a graph, with what passes added by the program (tg/passes.hpp) make of the graph and of its kernels.
//
//   const Passes now = Passes::in_force();   now.plan(graph.roots, target)   now.number: part of the key of whatever depends on them
#include <memory>
#include <span>
#include <vector>

#include "schedule/plan.hpp"
#include "tg/passes.hpp"
#include "tg/target.hpp"

namespace tg {

class Passes {
 public:
  struct Named {
    uint64_t id;
    std::string name;
    Stage stage;
    Pass pass;
  };
  using List = std::vector<Named>;

  static Passes in_force();
  bool none() const { return list_->empty(); }
  [[nodiscard]] Plan plan(std::span<const UOp> roots, const Target&) const;

  uint64_t number = 0;  // another one whenever a pass was added or has ended

 private:
  friend class AddedPass;
  std::shared_ptr<const List> list_ = std::make_shared<List>();
};

}  // namespace tg
