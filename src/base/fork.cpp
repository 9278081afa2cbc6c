// The gate: a count of open scopes, a part for each thread as far as they go, and whether a thread is forking.
#include "base/fork.hpp"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

namespace tg {

struct ForkGate {
  struct alignas(64) Count { std::atomic<int> open = 0; };
  static constexpr unsigned kParts = 64;  // the last one is that of all threads which come later

  std::array<Count, kParts> counts;
  std::mutex forking;  // held by the thread that forks, and while the list changes
  std::vector<InChild*> in_child;
  uint64_t forks = 0;
  std::atomic<unsigned> threads = 0;

  ForkGate() {
    begin_to_order();
    pthread_atfork([] { the().close(); }, [] { the().begin_parent(); }, [] { the().begin_child(); });
  }
  static ForkGate& the() { static auto& leaked = *new ForkGate; return leaked; }  // fork may be called by static objects' destructors

  static void begin_to_order();
  void close();
  void begin_parent();
  void begin_child();
};

namespace {

struct Here {
  int depth = 0;  // of scopes that this thread is in
  bool alone = false;  // with its count
  ForkGate::Count* counted = nullptr;
};
constinit std::atomic<uint32_t> closed = 0;
/// Whether the thread that forks can make the others' writes and reads happen in order, so that they need not see to it at each scope.
constinit bool orders = false;
// No destructor: usable to the last moment of a thread. Reached without a call, since every lock does: it is small enough for what the
// system leaves to libraries that are opened later.
[[gnu::tls_model("initial-exec")]] constinit thread_local Here here;

ForkGate::Count& own() {
  if (!here.counted) {
    ForkGate& gate = ForkGate::the();
    const unsigned number = std::min(gate.threads.fetch_add(1), ForkGate::kParts - 1);
    here.counted = &gate.counts[number], here.alone = number < ForkGate::kParts - 1;
  }
  return *here.counted;
}
void leave() {
  if (here.alone) here.counted->open.store(0, std::memory_order_release);
  else here.counted->open.fetch_sub(1);
}
// Counted before closed is read, as close() sets that before it reads the counts.
[[gnu::noinline]] void enter_in_order() {
  for (;; closed.wait(1)) {
    own().open.fetch_add(1);
    if (!closed.load()) return;
    leave();
  }
}
void enter() {
  if (!here.alone || !orders) return enter_in_order();
  here.counted->open.store(1, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (!closed.load()) return;
  leave();
  enter_in_order();
}

}  // namespace

void ForkGate::begin_to_order() { orders = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0; }

// A thread that forks in the middle of a scope is not counted meanwhile, so that two of them do not wait for each other.
void ForkGate::close() {
  if (here.depth > 0) own().open.fetch_sub(1);
  forking.lock();
  closed.store(1);
  if (orders) syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
  for (Count& c : counts)
    for (int looks = 0; c.open.load() > 0;)
      if (++looks < 100) std::this_thread::yield();
      else std::this_thread::sleep_for(std::chrono::microseconds(50));  // a kernel runs, and wants this core
}
void ForkGate::begin_parent() {
  if (here.depth > 0) own().open.fetch_add(1);
  closed.store(0);
  closed.notify_all();
  forking.unlock();
}
void ForkGate::begin_child() {
  ++forks;
  begin_to_order();
  for (Count& c : counts) c.open.store(0);  // threads that were about to wait had counted themselves
  if (here.depth > 0) own().open.store(1);
  closed.store(0);
  for (const InChild* c : in_child) c->function_(c->context_);
  forking.unlock();
}

void detail::hold_off_fork() {
  if (here.depth++ == 0) enter();
}
void detail::let_fork() noexcept {
  if (--here.depth == 0) leave();
}

ForkMayCome::ForkMayCome() : depth_(std::exchange(here.depth, 0)) {
  if (depth_ > 0) leave();
}
ForkMayCome::~ForkMayCome() {
  if (depth_ > 0) enter();
  here.depth = depth_;
}

InChild::InChild(Function function, void* context) : function_(function), context_(context) {
  ForkGate& gate = ForkGate::the();
  const std::lock_guard lock(gate.forking);
  gate.in_child.push_back(this);
}
InChild::~InChild() {
  ForkGate& gate = ForkGate::the();
  const std::lock_guard lock(gate.forking);
  std::erase(gate.in_child, this);
}

uint64_t forks_behind() { return ForkGate::the().forks; }

}  // namespace tg
