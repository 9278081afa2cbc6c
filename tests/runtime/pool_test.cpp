// The thread pool: every block exactly once, under contention, nesting, more threads than cores, and after fork.
#include "runtime/cpu/pool.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <system_error>
#include <thread>
#include <vector>

#include "base/parallel.hpp"

// fork() from a process with threads, and threads in the child, are what one test is about
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }

namespace tg {
namespace {

struct Blocks {
  std::vector<std::atomic<int>> done;
  std::atomic<int> calls = 0;
  explicit Blocks(int64_t n) : done(static_cast<size_t>(n)) {}
  static void job(void* self, int64_t first, int64_t last) {
    auto* blocks = static_cast<Blocks*>(self);
    ++blocks->calls;
    for (int64_t i = first; i < last; ++i) ++blocks->done[static_cast<size_t>(i)];
  }
  bool each_once() const {
    for (const auto& d : done)
      if (d != 1) return false;
    return true;
  }
};

TEST(Pool, DoesEveryBlockOnce) {
  for (int threads : {1, 2, 3, 8}) {
    Pool pool(threads);
    for (int64_t n : {0, 1, 2, 3, 7, 8, 9, 31, 32, 33, 1000}) {
      Blocks blocks(n);
      pool.run(n, Blocks::job, &blocks);
      EXPECT_TRUE(blocks.each_once()) << threads << " threads, " << n << " blocks";
      EXPECT_LE(blocks.calls, 32 * threads);
    }
  }
}

TEST(Pool, AThreadHasTheSameShareOfEveryJob) {
  static constexpr int kThreads = 4;
  Pool pool(kThreads);
  struct Job {
    std::vector<std::thread::id> who = std::vector<std::thread::id>(kThreads);
    std::atomic<int> begun = 0;
  };
  const auto run = [&] {
    Job j;
    pool.run(
        kThreads,
        [](void* c, int64_t first, int64_t) {
          auto* job = static_cast<Job*>(c);
          job->who[static_cast<size_t>(first)] = std::this_thread::get_id();
          for (++job->begun; job->begun < kThreads;) std::this_thread::yield();  // so that nobody takes a second one
        },
        &j);
    return j.who;
  };
  std::map<std::vector<std::thread::id>, int> times;
  for (int i = 0; i < 50; ++i) ++times[run()];
  const auto& [usual, often] = *std::ranges::max_element(times, {}, [](const auto& t) { return t.second; });
  EXPECT_GE(often, 40);  // a thread that a busy machine lets wait may find its part taken
  EXPECT_EQ(usual[0], std::this_thread::get_id());
}

TEST(Pool, TinyWorkStaysOnItsCaller) {
  Pool pool(4);
  struct Who {
    std::thread::id id;
    int calls = 0;
  } who;
  const auto job = [](void* c, int64_t, int64_t) {
    auto* w = static_cast<Who*>(c);
    w->id = std::this_thread::get_id();
    ++w->calls;
  };
  pool.run(100, job, &who, true);
  EXPECT_EQ(who.calls, 1);
  EXPECT_EQ(who.id, std::this_thread::get_id());
  pool.run(1, job, &who);
  EXPECT_EQ(who.calls, 2);
  EXPECT_EQ(who.id, std::this_thread::get_id());
}

TEST(Pool, SeveralThreadsWorkAtOnce) {
  Pool pool(2);
  std::atomic<int> inside = 0;
  // each of the first two pieces waits for the other to be inside too: only two threads can finish this
  pool.run(
      2,
      [](void* c, int64_t, int64_t) {
        auto& count = *static_cast<std::atomic<int>*>(c);
        ++count;
        while (count < 2) std::this_thread::yield();
      },
      &inside);
  EXPECT_EQ(inside, 2);
}

TEST(Pool, WakesSleepers) {
  Pool pool(3);
  for (int i = 0; i < 5; ++i) {
    Blocks blocks(64);
    pool.run(64, Blocks::job, &blocks);
    EXPECT_TRUE(blocks.each_once());
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // longer than the idle spin
  }
}

#ifdef __linux__
// A worker that slept through a job may wake on its caller's core, so it must come for the next from another; then it may go back.
TEST(Pool, AWorkerThatMissedAJobComesFromAnotherCore) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "one core";
  struct Seen {
    std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> helped = 0, kept_from_callers = 0;
    int core = -1;
  };
  const auto look = [](void* c, int64_t, int64_t) {
    auto& seen = *static_cast<Seen*>(c);
    if (std::this_thread::get_id() != seen.caller) {
      cpu_set_t cores;
      sched_getaffinity(0, sizeof(cores), &cores);
      if (seen.helped++ == 0 && !CPU_ISSET(seen.core, &cores)) ++seen.kept_from_callers;
    }
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(100);
    while (std::chrono::steady_clock::now() < until) {}
  };
  Pool pool(2);
  int moved = 0, back = 0;
  for (int round = 0; round < 200 && (moved == 0 || back == 0); ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // longer than the idle spin
    pool.run(2, [](void*, int64_t, int64_t) {}, nullptr);       // over before anyone wakes
    Seen first, second;
    first.core = second.core = sched_getcpu();
    pool.run(40, look, &first);
    pool.run(40, look, &second);
    moved += first.helped && first.kept_from_callers;
    back += first.kept_from_callers && second.helped && !second.kept_from_callers;
  }
  EXPECT_GT(moved, 0);
  EXPECT_GT(back, 0);
}
#endif

TEST(Pool, ConcurrentAndNestedJobsAllFinish) {
  Pool pool(3);
  struct Outer {
    Pool* pool;
    std::deque<Blocks> inner;
  };
  std::vector<std::thread> callers;
  std::atomic<int> good = 0;
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        Outer outer{&pool, {}};
        for (int i = 0; i < 5; ++i) outer.inner.emplace_back(9);
        pool.run(
            5,
            [](void* context, int64_t first, int64_t last) {
              auto* o = static_cast<Outer*>(context);
              for (int64_t i = first; i < last; ++i) o->pool->run(9, Blocks::job, &o->inner[static_cast<size_t>(i)]);
            },
            &outer);
        for (const Blocks& b : outer.inner) good += b.each_once();
      }
    });
  for (std::thread& t : callers) t.join();
  EXPECT_EQ(good, 4 * 200 * 5);
}

TEST(Pool, WorkersAreMadeAnewAfterFork) {
  Pool pool(2);
  const auto both = [](void* c, int64_t, int64_t) {  // needs two live threads
    auto& count = *static_cast<std::atomic<int>*>(c);
    ++count;
    while (count < 2) std::this_thread::yield();
  };
  std::atomic<int> before = 0;
  pool.run(2, both, &before);
  // a job runs on another thread at the moment of the fork
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    while (!stop) {
      Blocks blocks(100);
      pool.run(100, Blocks::job, &blocks);
    }
  });
  for (int i = 0; i < 5; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      std::atomic<int> inside = 0;
      pool.run(2, both, &inside);
      Blocks blocks(1000);
      pool.run(1000, Blocks::job, &blocks);
      _exit(inside == 2 && blocks.each_once() ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  stop = true;
  busy.join();
}

// The limit counts what all processes of a user have, and root has none, so the child becomes another user.
TEST(Pool, AndHelpersDoWithFewerThreadsThanAskedFor) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    const rlimit none{0, 0};
    if (setrlimit(RLIMIT_NPROC, &none) != 0 || (getuid() == 0 && setresuid(65123, 65123, 65123) != 0)) _exit(2);
    try {
      std::thread([] {}).join();
      _exit(2);  // the system has no such limit
    } catch (const std::system_error&) {}
    Pool pool(4);
    Blocks blocks(100);
    pool.run(100, Blocks::job, &blocks);
    std::vector<int> calls(4);
    on_threads(4, calls.size(), [&](size_t i) { ++calls[i]; });
    _exit(blocks.each_once() && calls == std::vector<int>(4, 1) ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 2) GTEST_SKIP() << "no limit of threads here";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(Pool, SharedPoolIsJoinedAtExitAndStillServesLaterDestructors) {
  const pid_t child = fork();
  if (child == 0) {
    static struct Late {
      ~Late() {  // runs after the pool's own exit handler: constructed before the pool
        Blocks blocks(50);
        Pool::shared().run(50, Blocks::job, &blocks);
        _exit(blocks.each_once() ? 7 : 1);
      }
    } late;
    alarm(20);
    Blocks blocks(50);
    Pool::shared().run(50, Blocks::job, &blocks);
    exit(1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
}

}  // namespace
}  // namespace tg
