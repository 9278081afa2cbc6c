#pragma once
// Where values are kept in memory: one walk from the roots back, deciding for each node whether its users compute it where they need it.
//
//   in:  a graph of tensor ops over Params      out: groups, each a kernel to be; a node is either stored by one group or inlined in all
//
// Each node hears from its users at which indices, inside which loops, they want it (a demand). One user that wants each element once is
// always fused. Otherwise the price of computing again (evaluations x operations) is set against storing and loading. A stored node whose
// user reads it element for element joins that user's kernel as a further output, unless that would make kernels wait for each other.
#include <set>
#include <unordered_map>
#include <vector>

#include "schedule/cost.hpp"
#include "schedule/group.hpp"

namespace tg {

class Demands {
 public:
  /// stored: what an earlier walk over the same graph decided to store, which tells this one what computing again would take.
  explicit Demands(std::span<const UOp> roots, const Stored& stored = {});
  Stored stored() const;

  /// Makes one group of two over the same loops, where neither waits for the other: b's outputs go to a, and b is left empty.
  bool merge(int a, int b);

  std::vector<Group> groups;
  std::unordered_map<UOp, int> home;            // stored node -> the group that stores it
  std::unordered_map<UOp, int> first_store;     // stored by two groups: a Scatter's base, the zeros around what is dear to compute
  std::unordered_map<UOp, std::string> why;     // stored node -> reason, for people
  std::unordered_map<UOp, Halo> halo;           // stored node -> the zeros stored around it

 private:
  /// How one user wants a node.
  struct Demand {
    int group;
    Indices idx;              // where
    std::vector<UOp> nest;  // inside which loops
    bool summed;            // only added up on the way to an enclosing sum

    std::vector<UOp> needed() const;       // loops that the value depends on: everything down to the innermost that is open in idx
    double evaluations() const;
    bool reduces(uint64_t ranges) const;   // whether a reduction of the nest is among the ranges
  };
  void decide(const UOp& u);
  void surround(const UOp& u);
  void store(const UOp& u, std::string reason);
  void store_scatter(const UOp& u);
  void store_before(const UOp& u);
  void inline_into(const UOp& u, const Demand& d);
  bool is_free(const UOp& u) const;
  bool worth_inlining(const UOp& u, std::string& reason);
  int joinable(const UOp& u) const;
  bool runs_along(const UOp& scan, const Demand& d) const;
  void run_in_order(const UOp& scan, const Demand& d);
  bool wants_halo(const UOp& u, Halo& zeros) const;
  static bool skips_border(const Shape& shape, const Halo& zeros, const Demand& d);
  bool reduces_each(const UOp& u) const;
  void fill_wide_borders();
  bool reaches(int from, int to) const;         // must `to` run before `from`
  int open_group(const Shape& shape);
  void demand(const UOp& u, Demand d);

  std::unordered_map<UOp, std::vector<Demand>> demands_;
  std::set<const detail::Node*> forced_;
  std::unordered_map<const detail::Node*, int> users_;
  std::unordered_set<const detail::Node*> sums_end_;  // made, element for element, of a sum that is needed for nothing else
  std::unordered_map<UOp, Price> cost_;
  std::unordered_map<UOp, int> runs_in_;        // a scan or scatter -> the group that stores one of its components
  std::unordered_map<UOp, double> behind_;      // elements of the values that a node is made of, before they were repeated
};

/// Loops that a reduction over `extents` opens when it is read at idx: numbered above every loop open in idx.
std::vector<UOp> fresh_ranges(const Indices& idx, std::span<const Dim> extents);
/// What a Reduce folds: the extents of its axes in order.
std::vector<Dim> reduced_extents(const UOp& u);

}  // namespace tg
