#pragma once
// Keeps state guarded by a mutex usable in a child process after fork().
//
//   std::mutex mutex_;  ForkGuard fork_{mutex_, [](void* self) { static_cast<Cache*>(self)->forget_connection(); }, this};
//
// fork() waits for the mutexes of all live guards, so the child finds every guarded state whole; there the guard then calls its
// function to drop what does not survive a fork (threads, database connections). Guarded mutexes must be leaves: no guarded mutex
// is taken while another is held.
#include <mutex>

namespace tg {

class ForkGuard {
 public:
  using InChild = void (*)(void* context);
  explicit ForkGuard(std::mutex& mutex, InChild in_child = nullptr, void* context = nullptr);
  ~ForkGuard();
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;

  std::mutex& mutex;
  InChild in_child;
  void* context;
};

}  // namespace tg
