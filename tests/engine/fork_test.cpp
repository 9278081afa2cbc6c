// fork() while other threads compile, compute, draw and build graphs: the child finds everything whole, and computes.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "base/fork.hpp"
#include "sanitizers.hpp"
#include "tg/data.hpp"
#include "tg/error.hpp"
#include "tg/nn.hpp"
#include "tg/optim.hpp"
#include "tg/settings.hpp"
#include "tg/tg.hpp"

extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }

namespace tg {
namespace {

/// The last of all static objects to go, behind what the library ends at exit.
struct Last {
  std::optional<Tensor> tensor;
  float compute() const { return (*tensor * 2).sum().item<float>(); }
  ~Last() {
    if (!tensor) return;
    bool good = compute() == 12;
    try {
      good &= (*tensor * 2.625f - 3).exp().max().item<float>() > 0;  // a kernel that is new
    } catch (const DeviceError&) {}
    _exit(good ? 7 : 1);
  }
} last;

/// What waitpid says of a child that does that; a child that hangs is ended by a signal.
int in_child(const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    bool good = false;
    try { good = work(); } catch (...) {}
    _exit(good ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

/// Threads that call `work` with their number over and over while this lives.
class Meanwhile {
 public:
  Meanwhile(int threads, const std::function<void(int)>& work) {
    for (int t = 0; t < threads; ++t) threads_.emplace_back([this, work, t] { while (!stop_) work(t); });
  }
  ~Meanwhile() {
    stop_ = true;
    for (std::thread& t : threads_) t.join();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

float trained() {
  Tensor w({1.f, 2.f, 3.f}, {.requires_grad = true});
  nn::SGD optimizer({{"w", w}}, {.lr = 0.1});
  for (int i = 0; i < 3; ++i) {
    (w * w).sum().backward();
    optimizer.step();
  }
  return w.sum().item<float>();
}

/// What a forked child can do, which begins threads of its own.
struct Children : testing::Test {
  void SetUp() override {
#if TG_THREAD_SANITIZER
    GTEST_SKIP() << "the thread sanitizer loses count of threads that a forked child begins";
#elif TG_ADDRESS_SANITIZER
    GTEST_SKIP() << "the address sanitizer's allocator stays locked in a child where another thread was inside of it";
#endif
  }
};

TEST_F(Children, ComputeWhateverOtherThreadsDo) {
  if (Tensor({1.f}).device() == "opencl") GTEST_SKIP() << "its driver has threads";
  const float right = trained();
  std::atomic<int64_t> size = 1000;
  const Meanwhile busy(4, [&](int t) {
    const int64_t n = ++size;  // a kernel that nobody has compiled
    if (t == 0) (void)(Tensor::arange(n, {.dtype = float32}) * 2).sum().item<float>();
    if (t == 1) (void)trained();
    if (t == 2) (void)Tensor::rand({5}).to_vector<float>();
    if (t == 3) for (int i = 0; i < 200; ++i) (void)(Tensor({1.f, 2.f}) * i).reshape({2, 1}).expand({2, 3}).softmax();
  });
  for (int i = 0; i < 12; ++i)
    ASSERT_EQ(in_child([&] {
                const int64_t fresh = 100'000 + i;
                return trained() == right && Tensor::rand({9}).max().item<float>() < 1 &&
                       Tensor::ones({fresh}).contiguous().sum().item<float>() == static_cast<float>(fresh);
              }), 0)
        << "child " << i;
}

TEST_F(Children, SeeNoValueHalfWritten) {
  if (Tensor({1.f}).device() == "opencl") GTEST_SKIP() << "its driver has threads";
  const WithSettings lazily({.eager = false});
  Tensor a = Tensor::zeros({20'000}).contiguous().realize(), b = Tensor::zeros({30'000}).contiguous().realize();
  Mutex mutex;  // of the program's own, around what is to be seen together
  const auto step = [&](int) {
    const WithSettings here({.eager = false});
    const std::lock_guard lock(mutex);
    a.assign(a + 1);
    b.assign(b + 1);
    realize({a, b});
  };
  step(0);
  const Meanwhile busy(1, step);
  for (int i = 0; i < 20; ++i)
    ASSERT_EQ(in_child([&] {
                const float first = a.at(0).item<float>();
                return first >= 1 && a.min().item<float>() == first && a.max().item<float>() == first && b.min().item<float>() == first &&
                       b.max().item<float>() == first;
              }), 0)
        << "child " << i;
}

TEST_F(Children, HaveNothingThatALoadersThreadsWereToMake) {
  const Dataset numbers({Tensor::arange(64, {.device = "cpu"})});
  Epoch epoch = DataLoader(numbers, {.batch_size = 8, .threads = 2}).epoch();
  (void)epoch.next();
  EXPECT_EQ(in_child([&] {
              try {
                (void)epoch.next();
                return false;
              } catch (const ValueError&) {}
              { const Epoch gone = std::move(epoch); }
              int batches = 0;
              Epoch own = DataLoader(numbers, {.batch_size = 8, .threads = 2}).epoch();
              while (own.next()) ++batches;
              return batches == 8;
            }), 0);
  EXPECT_TRUE(epoch.next());
}

TEST(Exit, StaticTensorsMayComputeToTheEnd) {
  if (Tensor({1.f}).device() == "opencl") GTEST_SKIP() << "its driver has threads";
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    last.tensor = Tensor({1.f, 2.f, 3.f});
    (void)last.compute();
    exit(1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
}

TEST(Fork, MayBeCalledInTheMiddleAndByManyAtOnce) {
  const ForkWaits outer;
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        const ForkWaits whole;
        good += in_child([] { const ForkWaits again; return true; }) == 0;
      }
    });
  {
    const ForkMayCome meanwhile;
    for (std::thread& t : threads) t.join();
  }
  EXPECT_EQ(good, 20);
}

TEST(Fork, WaitsForAllThreadsThatHaveOneCount) {
  for (int t = 0; t < 70; ++t) std::thread([] { const ForkWaits own; }).join();  // those that come later have one in common
  struct State {
    std::atomic<int> inside = 0;
    std::atomic<bool> done = false;
    void enter() {
      ++inside;
      while (inside < 2) std::this_thread::yield();
    }
  };
  const auto state = std::make_shared<State>();
  std::thread([state] {
    const ForkWaits whole;
    std::thread([state] { const ForkWaits other; state->enter(); }).join();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    state->done = true;
  }).detach();  // nobody can join it in the child
  state->enter();
  EXPECT_EQ(in_child([&] { return state->done.load(); }), 0) << "a child that begins in the middle of what a thread does";
}

}  // namespace
}  // namespace tg
