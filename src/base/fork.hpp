#pragma once
// Keeps the library usable in a child process after fork(), where of all threads only the one that forked lives on.
//
//   const ForkWaits whole;         a scope that is over, or not begun, in every child: one that holds a Mutex, compiles, overwrites tensors
//   ForkMayCome::look();           in the middle of one: if a thread wants to fork, now it may
//   InChild forget{[](void* self) { static_cast<Cache*>(self)->connection.reset(); }, this};      what does not survive a fork
//
// fork() closes a gate: threads that are in such a scope finish it, others wait before theirs. So a child finds every mutex free and
// every table whole, whatever the order in which they are taken, and no list of them has to be kept. Scopes nest at the price of a counter.
#include <cstdint>

#include "tg/ir/mutex.hpp"

namespace tg {

/// fork() on another thread waits for its end.
class ForkWaits {
 public:
  ForkWaits() { detail::hold_off_fork(); }
  ~ForkWaits() { detail::let_fork(); }
  ForkWaits(const ForkWaits&) = delete;
  ForkWaits& operator=(const ForkWaits&) = delete;
};

/// A part of ForkWaits scopes for which fork() does not wait: where this thread waits for another, or calls the program's own code, which
/// may. No Mutex may be held, and all must be whole. Nothing where there is no such scope.
class ForkMayCome {
 public:
  ForkMayCome();
  ~ForkMayCome();
  ForkMayCome(const ForkMayCome&) = delete;
  ForkMayCome& operator=(const ForkMayCome&) = delete;
  static void look() { const ForkMayCome now; }

 private:
  int depth_;
};

/// While it lives, a child process calls the function before fork() returns there.
class InChild {
 public:
  using Function = void (*)(void* context);
  InChild(Function function, void* context);
  ~InChild();
  InChild(const InChild&) = delete;
  InChild& operator=(const InChild&) = delete;

 private:
  friend struct ForkGate;
  const Function function_;
  void* const context_;
};

/// How many forks lie between the first process and this one: who has another number than when it began has lost its threads since.
uint64_t forks_behind();

}  // namespace tg
