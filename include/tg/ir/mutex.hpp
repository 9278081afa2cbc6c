#pragma once
// The one mutex of the library: what it guards is whole in a child process made by fork(), and it is free there.
//
//   Mutex mutex;   const std::lock_guard lock(mutex);      fork() on another thread waits until the lock is gone
//
// How that works is in src/base/fork.hpp.
#include <mutex>

namespace tg {

namespace detail {
void hold_off_fork();
void let_fork() noexcept;
}  // namespace detail

/// As std::mutex.
class Mutex {
 public:
  void lock() {
    detail::hold_off_fork();
    mutex_.lock();
  }
  bool try_lock() {
    detail::hold_off_fork();
    if (mutex_.try_lock()) return true;
    detail::let_fork();
    return false;
  }
  void unlock() {
    mutex_.unlock();
    detail::let_fork();
  }

 private:
  std::mutex mutex_;
};

}  // namespace tg
