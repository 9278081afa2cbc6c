#pragma once
// Work for other threads than the caller's, which waits for them.
//
//   on_threads(4, kernels.size(), [&](size_t i) { compile(kernels[i]); });
#include <cstddef>
#include <functional>

namespace tg {

/// Calls item(0) to item(count - 1) on so many threads, this one included; on fewer where the system grants no more. Each thread takes the
/// next one as it is done with the last. Where one throws no other begins, and what it threw is thrown when all are done.
void on_threads(size_t threads, size_t count, const std::function<void(size_t)>& item);

/// Calls `work` on a stack of 64 MiB, for what recurses deeper than the program's threads may: another thread's, unless this one has such
/// a stack already, as those that are made here have; its own, where the system grants no such. Throws what work throws.
void on_large_stack(const std::function<void()>& work);

}  // namespace tg
