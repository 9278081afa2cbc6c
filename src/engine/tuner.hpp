#pragma once
// Who searches, when, and for how long: the process under TG_BEAM, or a call of tune() or replay() on this thread.
//
//   if (Tuner* t = Tuner::current()) t->tune(plan, device);      its kernels' verbs are in Tunings now, where searching found any
#include <chrono>
#include <set>

#include "engine/tunings.hpp"
#include "schedule/plan.hpp"
#include "tg/device.hpp"
#include "tg/tune.hpp"

namespace tg {

class Tuner {
 public:
  /// Of this thread; null: nobody searches.
  static Tuner* current();

  /// A search that takes at most so long in all, however often tune() is called.
  Tuner(int beam, double seconds) : beam_(beam), left_(seconds) {}
  /// No search: the entries' verbs beside the default ones.
  explicit Tuner(std::vector<Tuning> replayed) : does_(Does::Replay), replayed_(std::move(replayed)) {}
  /// No search: the first of the default verbs beside all of them.
  static Tuner of_ladders() { return Tuner(Does::Ladder); }

  void tune(const Plan&, Device&);
  /// Whether graphs that were prepared before shall be prepared again.
  bool looks_again() const { return again_; }

  /// Makes it this thread's while the scope lives.
  class Scope {
   public:
    explicit Scope(Tuner&);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Tuner* const outer_;
  };

  std::vector<TunedKernel> kernels;   // what was looked at, each once
  std::vector<Tuning> found;          // of those with a target, a hash and verbs that won
  /// Throws ValueError where an entry that is for the target that was met, or for any, found no kernel.
  void check_all_used() const;

 private:
  void search_for(const Plan&, const PlanLaunch&, Device&, double seconds);
  void replay(const Plan&, const PlanLaunch&, Device&);
  void climb(const Plan&, const PlanLaunch&, Device&);
  void race_with(const Plan&, const PlanLaunch&, Device&, const Generated&);

  enum class Does : uint8_t { Search, Replay, Ladder };
  explicit Tuner(Does does) : does_(does) {}

  const Does does_ = Does::Search;
  int beam_ = 1;
  double left_ = 0;
  std::vector<Tuning> replayed_;
  std::set<std::string> used_;  // entries, by where they are from
  std::set<Hash128> seen_;
  std::string target_;
  bool again_ = false;
};

}  // namespace tg
