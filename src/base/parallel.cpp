// See parallel.hpp.
#include "base/parallel.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <optional>
#include <vector>

#include "tg/ir/mutex.hpp"

namespace tg {
namespace {

thread_local bool stack_is_large = false;

/// A thread with a stack of 64 MiB. Where one is made and left for each piece of work, the system takes 64 MiB back each time.
class LargeThread {
 public:
  explicit LargeThread(const std::function<void()>& work) : work_(work) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, size_t{64} << 20);
    const auto run = [](void* self) -> void* {
      stack_is_large = true;
      static_cast<LargeThread*>(self)->work_();
      return nullptr;
    };
    granted_ = pthread_create(&thread_, &attributes, run, this) == 0;
    pthread_attr_destroy(&attributes);
  }
  ~LargeThread() { if (granted_) pthread_join(thread_, nullptr); }
  LargeThread(const LargeThread&) = delete;
  LargeThread& operator=(const LargeThread&) = delete;
  bool granted() const { return granted_; }

 private:
  const std::function<void()>& work_;  // which does not throw
  pthread_t thread_{};
  bool granted_ = false;
};

}  // namespace

void on_threads(size_t threads, size_t count, const std::function<void(size_t)>& item) {
  std::atomic<size_t> next{0};
  Mutex failing;
  std::exception_ptr failure;
  const std::function<void()> work = [&] {
    for (size_t i; (i = next.fetch_add(1)) < count;) {
      try {
        item(i);
      } catch (...) {
        const std::lock_guard lock(failing);
        failure = std::current_exception();
        next = count;
      }
    }
  };
  {
    std::vector<std::optional<LargeThread>> others(std::max<size_t>(std::min(threads, count), 1) - 1);
    for (auto& other : others) if (!other.emplace(work).granted()) break;  // those that there are do it all
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

void on_large_stack(const std::function<void()>& work) {
  if (stack_is_large) return work();
  std::exception_ptr failure;
  const std::function<void()> caught = [&] {
    try {
      work();
    } catch (...) { failure = std::current_exception(); }
  };
  if (!LargeThread(caught).granted()) caught();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace tg
