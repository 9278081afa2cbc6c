#pragma once
// The thread pool of the cpu device: one job at a time over a range of blocks, claimed in pieces.
//
//   pool.run(n, [](void* context, int64_t first, int64_t last) { ... }, &context);    returns when all of [0, n) is done
//
// Each thread has a share of the range, the same one in every job of as many blocks, so that what it wrote in one job is in its
// cache in the next. Whoever is done with it goes on with the others', the caller too, so a worker that the system has put aside
// costs nothing. Pieces shrink as less is left, down to one block, so that all threads end together. Jobs that are nested in
// another, or come while one runs, are done whole on their caller. Workers spin for half a millisecond after their last piece
// (waking a sleeping thread costs 70-100 us), then sleep. They start with the first job and, in a child process, with the child's
// first job.
//
// A worker that the system wakes on the caller's own core finds little left each time it gets a turn, and may stay there for a second: the
// system sees one core that is hardly shared. So after a job the caller moves workers off its core that were there, or, where it has done
// the job alone, have not come.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

#include "base/fork.hpp"

namespace tg {

class Pool {
 public:
  /// Must not throw. Called with disjoint, non-empty [first, last), by several threads at once.
  using Job = void (*)(void* context, int64_t first, int64_t last);

  /// `threads` >= 1, the caller of run() included.
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return size_; }
  /// `tiny`: too little work to be worth another thread.
  void run(int64_t n, Job job, void* context, bool tiny = false);

  /// The process's pool, of settings().threads. Its workers are joined at exit; jobs after that run on their caller.
  static Pool& shared();

 private:
  void start();
  void stop();
  void forget_workers();
  struct Worker {
    std::thread thread;
    std::atomic<uint32_t> seen = 0;   // the last job it came for
    std::atomic<int> core = -1;       // where it was then
    std::atomic<int> kept_from = -1;  // a core that it was moved off, and may go back to when it comes
  };
  void work(Worker& self, int thread, uint32_t seen);
  int64_t do_pieces(int thread);
  int64_t do_one_piece_of(int share);
  int64_t end_of(int share, int64_t n) const { return n / size_ * (share + 1) + std::min<int64_t>(share + 1, n % size_); }
  void move_away(uint32_t epoch, bool alone);

  const int size_;
  const bool core_each_;  // for each thread
  struct alignas(64) Share { std::atomic<int64_t> unclaimed = 0; };  // blocks at its end that nobody has taken
  std::vector<Share> shares_;  // the caller's, then each worker's
  Mutex mutex_;  // held by the caller whose job is running, and while workers start or stop
  std::deque<Worker> workers_;
  // the job; written by its caller before shares are published, and relied on only by who has claimed a piece of it
  Job job_ = nullptr;
  void* context_ = nullptr;
  std::atomic<int64_t> n_ = 0;
  alignas(64) std::atomic<int64_t> unfinished_ = 0;
  alignas(64) std::atomic<uint32_t> epoch_ = 0;  // counts jobs: what idle workers watch
  std::atomic<int> sleepers_ = 0;
  std::atomic<bool> quit_ = false, stopped_ = false;
  InChild fork_;  // last: unregistered before anything it changes is gone
};

}  // namespace tg
