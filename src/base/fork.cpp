// One set of pthread_atfork handlers over a list of the live guards.
#include "base/fork.hpp"

#include <pthread.h>

#include <algorithm>
#include <vector>

namespace tg {
namespace {

struct Guards {
  std::mutex mutex;
  std::vector<ForkGuard*> live;
};

Guards& guards() {
  // never destroyed: fork may be called by other static objects' destructors
  static Guards* const g = [] {
    auto* made = new Guards;
    pthread_atfork(
        [] {
          guards().mutex.lock();
          for (ForkGuard* guard : guards().live) guard->mutex.lock();
        },
        [] {
          for (ForkGuard* guard : guards().live) guard->mutex.unlock();
          guards().mutex.unlock();
        },
        [] {
          for (ForkGuard* guard : guards().live) {
            guard->mutex.unlock();
            if (guard->in_child) guard->in_child(guard->context);
          }
          guards().mutex.unlock();
        });
    return made;
  }();
  return *g;
}

}  // namespace

ForkGuard::ForkGuard(std::mutex& m, InChild child, void* with) : mutex(m), in_child(child), context(with) {
  const std::lock_guard lock(guards().mutex);
  guards().live.push_back(this);
}

ForkGuard::~ForkGuard() {
  const std::lock_guard lock(guards().mutex);
  std::erase(guards().live, this);
}

}  // namespace tg
