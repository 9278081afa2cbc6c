// See parallel.hpp.
#include "base/parallel.hpp"

#include <pthread.h>

#include <exception>
#include <system_error>
#include <thread>
#include <vector>

namespace tg {

void on_threads(size_t threads, const std::function<void()>& work) {
  std::vector<std::jthread> others;
  others.reserve(threads);
  try {
    while (others.size() + 1 < threads) others.emplace_back(work);
  } catch (const std::system_error&) {
    // those that there are do it all
  }
  work();
}

void on_large_stack(const std::function<void()>& work) {
  struct Call {
    const std::function<void()>& work;
    std::exception_ptr failure;
  } call{work, nullptr};
  const auto run = [](void* c) -> void* {
    try {
      static_cast<Call*>(c)->work();
    } catch (...) { static_cast<Call*>(c)->failure = std::current_exception(); }
    return nullptr;
  };
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, size_t{64} << 20);
  pthread_t thread;
  const bool granted = pthread_create(&thread, &attributes, run, &call) == 0;
  pthread_attr_destroy(&attributes);
  if (!granted) return work();
  pthread_join(thread, nullptr);
  if (call.failure) std::rethrow_exception(call.failure);
}

}  // namespace tg
