#pragma once
// Work for other threads than the caller's, which waits for them.
//
//   std::atomic<size_t> next = 0;   on_threads(4, [&] { for (size_t i; (i = next++) < n;) compile(i); });
#include <cstddef>
#include <functional>

namespace tg {

/// Calls `work`, which must not throw, on so many threads, this one included, and returns when all are done; on fewer where the system
/// grants no more.
void on_threads(size_t threads, const std::function<void()>& work);

/// Calls `work` on a stack of 64 MiB, for what recurses deeper than the program's threads may: its own, where the system grants no such.
/// Throws what work throws.
void on_large_stack(const std::function<void()>& work);

}  // namespace tg
