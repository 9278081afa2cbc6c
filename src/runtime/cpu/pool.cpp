// Jobs in, pieces of them run on all threads. Claiming is one compare-exchange on the count of a share's unclaimed blocks.
#include "runtime/cpu/pool.hpp"

#ifdef __linux__
#include <pthread.h>
#include <sched.h>
#endif

#include <algorithm>
#include <chrono>
#include <new>

#include "base/env.hpp"

namespace tg {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kPieces = 4;       // of what is left of a share
constexpr int kMostPieces = 64;  // of all of it
constexpr auto kIdleSpin = std::chrono::microseconds(500);
constexpr int kPausesPerLook = 64;  // at the clock, while idle
constexpr int kPausesBeforeYield = 2000;

thread_local bool inside_job = false;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whether a thread (null: this one) may run on that core, changed. Nothing where the system has no such call, or it fails.
#ifdef __linux__
bool allow(std::thread* other, int core, bool yes) {
  const pthread_t t = other ? other->native_handle() : pthread_self();
  cpu_set_t cores;
  if (core < 0 || core >= CPU_SETSIZE || pthread_getaffinity_np(t, sizeof(cores), &cores) != 0) return false;
  if (static_cast<bool>(CPU_ISSET(core, &cores)) == yes || (!yes && CPU_COUNT(&cores) == 1)) return false;
  if (yes) CPU_SET(core, &cores);
  else CPU_CLR(core, &cores);
  return pthread_setaffinity_np(t, sizeof(cores), &cores) == 0;
}
int current_core() { return sched_getcpu(); }
#else
bool allow(std::thread*, int, bool) { return false; }
int current_core() { return -1; }
#endif

}  // namespace

Pool::Pool(int threads)
    : size_(std::max(threads, 1)), core_each_(static_cast<unsigned>(size_) <= std::max(1u, std::thread::hardware_concurrency())),
      shares_(static_cast<size_t>(size_)),
      fork_([](void* self) { static_cast<Pool*>(self)->forget_workers(); }, this) {}

Pool::~Pool() { stop(); }

void Pool::run(int64_t n, Job job, void* context, bool tiny) {
  if (n <= 0) return;
  std::unique_lock<Mutex> lock(mutex_, std::defer_lock);
  const bool alone = tiny || n == 1 || size_ == 1 || inside_job || stopped_.load() || !lock.try_lock();
  if (alone) return job(context, 0, n);

  if (workers_.empty()) start();
  job_ = job, context_ = context;
  n_.store(n, std::memory_order_relaxed);
  const int64_t helpers = std::min<int64_t>(n - 1, size_ - 1);
  unfinished_.store(n, std::memory_order_relaxed);
  for (int s = 0; s < size_; ++s)
    shares_[static_cast<size_t>(s)].unclaimed.store(end_of(s, n) - end_of(s - 1, n), std::memory_order_release);
  const uint32_t epoch = epoch_.fetch_add(1) + 1;  // before reading sleepers_, as a worker counts itself there before it reads epoch_ again
  for (int64_t wake = std::min<int64_t>(helpers, sleepers_.load()); wake > 0; --wake) epoch_.notify_one();

  inside_job = true;
  const int64_t own = do_pieces(0);
  inside_job = false;
  for (int spins = 0; unfinished_.load(std::memory_order_acquire) > 0;)
    if (++spins < kPausesBeforeYield) pause();
    else std::this_thread::yield();  // a worker that holds a piece may be waiting for this very core
  if (core_each_) move_away(epoch, own == n);
}

// Of a thread's own share first, then of what others have not come to. The number of blocks done, which are said to be at the end alone:
// all threads count on one cache line.
int64_t Pool::do_pieces(int thread) {
  int64_t done = 0;
  for (int i = 0; i < size_; ++i)
    while (const int64_t blocks = do_one_piece_of((thread + i) % size_)) done += blocks;
  if (done > 0) unfinished_.fetch_sub(done, std::memory_order_release);
  return done;
}
int64_t Pool::do_one_piece_of(int share) {
  std::atomic<int64_t>& unclaimed = shares_[static_cast<size_t>(share)].unclaimed;
  int64_t left = unclaimed.load(std::memory_order_acquire), blocks = 0;
  do {
    if (left == 0) return 0;
    blocks = std::clamp<int64_t>(std::max(left / kPieces, n_.load(std::memory_order_relaxed) / size_ / kMostPieces), 1, left);
  } while (!unclaimed.compare_exchange_weak(left, left - blocks, std::memory_order_acq_rel, std::memory_order_acquire));
  const int64_t first = end_of(share, n_.load(std::memory_order_relaxed)) - left;
  job_(context_, first, first + blocks);
  return blocks;
}

void Pool::move_away(uint32_t epoch, bool alone) {
  const int here = current_core();
  for (Worker& w : workers_) {
    const bool missed = w.seen.load() != epoch;
    if ((missed ? alone : w.core.load() == here) && w.kept_from.load() < 0 && allow(&w.thread, here, false)) w.kept_from.store(here);
  }
}

void Pool::work(Worker& self, int thread, uint32_t seen) {
  inside_job = true;
  while (true) {
    self.core.store(current_core());
    self.seen.store(seen);
    do_pieces(thread);
    if (const int core = self.kept_from.load(); core >= 0) {
      allow(nullptr, core, true);
      self.kept_from.store(-1);
    }
    const auto until = Clock::now() + kIdleSpin;
    // with more threads than cores an idle spin would take the core from a thread that has work
    while (core_each_ && epoch_.load(std::memory_order_acquire) == seen && Clock::now() < until)
      for (int i = 0; i < kPausesPerLook && epoch_.load(std::memory_order_relaxed) == seen; ++i) pause();
    if (epoch_.load() == seen) {
      sleepers_.fetch_add(1);
      epoch_.wait(seen);
      sleepers_.fetch_sub(1);
    }
    seen = epoch_.load();
    if (quit_.load()) return;
  }
}

void Pool::start() {
  quit_.store(false);
  const uint32_t seen = epoch_.load();
  try {
    while (static_cast<int>(workers_.size()) < size_ - 1) {
      Worker& w = workers_.emplace_back();
      w.thread = std::thread([this, &w, thread = static_cast<int>(workers_.size()), seen] { work(w, thread, seen); });
    }
  } catch (const std::system_error&) {
    // the system grants no more threads: those that started are enough, and the caller does what they do not
    workers_.pop_back();
  }
}

void Pool::stop() {
  const std::lock_guard lock(mutex_);
  stopped_.store(true);
  quit_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (Worker& w : workers_) w.thread.join();
  workers_.clear();
}

/// In a forked child no worker exists: drops their handles without joining, which the destructor of std::thread would refuse.
void Pool::forget_workers() {
  new (&workers_) std::deque<Worker>;
  sleepers_.store(0);
}

Pool& Pool::shared() {
  // the pool itself is never destroyed, so that static objects of the user may still run kernels while they go
  static Pool* const pool = new Pool(settings().threads);
  static const struct Stopper {
    ~Stopper() { pool->stop(); }
  } stopper;
  return *pool;
}

}  // namespace tg
