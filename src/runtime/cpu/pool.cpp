// Jobs in, pieces of them run on all threads. Claiming is one compare-exchange on the count of unclaimed pieces.
#include "runtime/cpu/pool.hpp"

#include <algorithm>
#include <chrono>
#include <new>

#include "base/env.hpp"

namespace tg {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kPiecesPerThread = 4;
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

}  // namespace

Pool::Pool(int threads)
    : size_(std::max(threads, 1)), fork_(mutex_, [](void* self) { static_cast<Pool*>(self)->forget_workers(); }, this) {}

Pool::~Pool() { stop(); }

void Pool::run(int64_t n, Job job, void* context, bool tiny) {
  if (n <= 0) return;
  std::unique_lock<std::mutex> lock(mutex_, std::defer_lock);
  const bool alone = tiny || n == 1 || size_ == 1 || inside_job || stopped_.load() || !lock.try_lock();
  if (alone) return job(context, 0, n);

  if (workers_.empty()) start();
  job_ = job, context_ = context, n_ = n, pieces_ = std::min<int64_t>(n, int64_t{size_} * kPiecesPerThread);
  const int64_t helpers = std::min<int64_t>(pieces_ - 1, size_ - 1);
  unfinished_.store(pieces_, std::memory_order_relaxed);
  unclaimed_.store(pieces_, std::memory_order_release);
  epoch_.fetch_add(1);  // before reading sleepers_, as a worker counts itself there before it reads epoch_ again
  for (int64_t wake = std::min<int64_t>(helpers, sleepers_.load()); wake > 0; --wake) epoch_.notify_one();

  inside_job = true;
  while (do_one_piece()) {}
  inside_job = false;
  for (int spins = 0; unfinished_.load(std::memory_order_acquire) > 0;)
    if (++spins < kPausesBeforeYield) pause();
    else std::this_thread::yield();  // a worker that holds a piece may be waiting for this very core
}

bool Pool::do_one_piece() {
  int64_t left = unclaimed_.load(std::memory_order_acquire);
  do {
    if (left == 0) return false;
  } while (!unclaimed_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel, std::memory_order_acquire));
  const int64_t piece = pieces_ - left;
  job_(context_, n_ * piece / pieces_, n_ * (piece + 1) / pieces_);
  unfinished_.fetch_sub(1, std::memory_order_release);
  return true;
}

void Pool::work(uint32_t seen) {
  inside_job = true;
  // with more threads than cores an idle spin would take the core from a thread that has work
  const bool spin = static_cast<unsigned>(size_) <= std::max(1u, std::thread::hardware_concurrency());
  while (true) {
    while (do_one_piece()) {}
    const auto until = Clock::now() + kIdleSpin;
    while (spin && epoch_.load(std::memory_order_acquire) == seen && Clock::now() < until)
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
    while (static_cast<int>(workers_.size()) < size_ - 1) workers_.emplace_back([this, seen] { work(seen); });
  } catch (const std::system_error&) {
    // the system grants no more threads: those that started are enough, and the caller does what they do not
  }
}

void Pool::stop() {
  const std::lock_guard lock(mutex_);
  stopped_.store(true);
  quit_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& t : workers_) t.join();
  workers_.clear();
}

/// In a forked child no worker exists: drops their handles without joining, which the destructor of std::thread would refuse.
void Pool::forget_workers() {
  new (&workers_) std::vector<std::thread>;
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
