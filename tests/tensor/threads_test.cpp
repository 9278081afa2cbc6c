// Four threads that share tensors, caches and seeds. `./do check` runs this under the thread sanitizer.
#include <algorithm>
#include <atomic>
#include <latch>
#include <numeric>
#include <thread>

#include "tensor_testing.hpp"
#include "tg/ir/uop.hpp"
#include "tg/memory.hpp"
#include "tg/nn.hpp"

namespace tg {
namespace {

constexpr int kThreads = 4;

/// work(0) to work(3), begun together.
void together(const std::function<void(int)>& work) {
  std::latch start(kThreads);
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      start.arrive_and_wait();
      work(t);
    });
}
Tensor counting(int64_t n) { return Tensor::arange(n, {.dtype = float32}); }

TEST(Sharing, ReadOneTensorThatNobodyHasComputed) {
  for (int round = 0; round < 5; ++round) {
    const Tensor x = counting(1000 + round) * 2 + 1;
    const double expected = static_cast<double>(x.numel() * x.numel());
    together([&](int t) {
      if (t == 0) x.realize();
      if (t == 1) { EXPECT_EQ(x.at(3).item<float>(), 7); }
      if (t == 2) { EXPECT_EQ(x.to_vector<float>()[10], 21); }
      EXPECT_EQ(x.sum().item<double>(), expected);
      EXPECT_EQ((x - 1).max().item<float>(), 2 * static_cast<float>(x.numel()) - 2);
    });
  }
}

TEST(Sharing, ReadAnAssignmentThatNobodyHasMade) {
  for (int round = 0; round < 400; ++round) {
    Tensor x = Tensor::ones({int64_t{256} << round % 9}).contiguous().realize();
    x.assign(x * 2);
    std::atomic<int> wrong = 0;
    together([&](int t) {
      const Tensor y = t == 3 ? x + 1 : x;
      for (float v : y.to_vector<float>()) wrong += v != (t == 3 ? 3 : 2);
    });
    ASSERT_EQ(wrong, 0) << "round " << round;
  }
}

TEST(Sharing, AssignWhileOthersRead) {
  Tensor x = Tensor::zeros({40'000}).contiguous().realize();
  std::atomic<int> wrong = 0;
  together([&](int t) {
    float last = 0;
    for (int i = 0; i < 30; ++i) {
      if (t == 0) {
        x.assign(x + 1);
        continue;
      }
      if (t == 1) x.realize();
      const std::vector<float> values = x.to_vector<float>();
      wrong += values[0] < last || std::ranges::any_of(values, [&](float v) { return v != values[0]; });
      last = values[0];
    }
  });
  EXPECT_EQ(wrong, 0) << "a value half written, or an older one than before";
  EXPECT_EQ(x.min().item<float>(), 30);
}

// Between computing a value and reading it another thread may assign the next one, which nobody has computed.
TEST(Sharing, AssignWithoutPauseWhileOthersRead) {
  Tensor x = Tensor::zeros({3}).contiguous().realize();
  std::atomic<int> wrong = 0;
  std::atomic<bool> over = false;
  together([&](int t) {
    if (t == 0) {
      for (int i = 0; i < 20'000; ++i) {
        x.assign(x + 1);
        x.realize();
      }
      over = true;
    }
    for (float last = 0; !over;) {
      const float first = t == 1 ? *static_cast<const float*>(host_memory(x).get()) : x.to_vector<float>()[0];
      wrong += first < last;
      last = first;
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(x.min().item<float>(), 20'000);
}

TEST(Sharing, CompileTheSameKernelsAtOnce) {
  const auto program = [](int64_t n) { return ((counting(n) - 5).abs().reshape({n / 2, 2}) * 3).sum({.axis = 0}); };
  for (int64_t n = 2050; n < 2062; n += 2) {  // sizes that no other test has
    std::vector<std::vector<float>> got(kThreads);
    together([&](int t) { got[static_cast<size_t>(t)] = program(n).to_vector<float>(); });
    for (const auto& values : got) EXPECT_EQ(values, got[0]);
    EXPECT_EQ(got[0], program(n).to_vector<float>());
  }
}

TEST(Sharing, AddTheirGradientsUp) {
  const Tensor w({1.f, 2.f, 3.f}, {.requires_grad = true}), scale = (counting(3) + 1).realize();
  together([&](int t) {
    for (int i = 0; i < 25; ++i) (w * scale * (t + 1)).sum().backward();
  });
  expect_near(w.grad(), {250, 500, 750});
  w.zero_grad();
  together([&](int) { EXPECT_EQ(gradient((w * w).sum(), {w})[0].to_vector<float>(), (std::vector<float>{2, 4, 6})); });
  EXPECT_FALSE(w.has_grad());
}

TEST(Sharing, DrawEachNumberOfASeedOnce) {
  constexpr int kDraws = 8;
  manual_seed(7);
  std::vector<std::vector<float>> wanted(kThreads * kDraws), got = wanted;
  for (auto& draw : wanted) draw = Tensor::rand({5}).to_vector<float>();
  manual_seed(7);
  together([&](int t) {
    for (int i = 0; i < kDraws; ++i) got[static_cast<size_t>(t * kDraws + i)] = Tensor::rand({5}).to_vector<float>();
  });
  std::sort(wanted.begin(), wanted.end());
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, wanted);
}

TEST(Sharing, SeedWhileOthersDraw) {
  together([](int t) {
    for (int i = 0; i < 20; ++i) {
      if (t == 0) manual_seed(static_cast<uint64_t>(i));
      const std::vector<float> draw = Tensor::rand({3}).to_vector<float>();
      EXPECT_TRUE(std::all_of(draw.begin(), draw.end(), [](float v) { return v >= 0 && v < 1; }));
    }
  });
  manual_seed(3);
  const auto first = Tensor::randn({4}).to_vector<float>();
  manual_seed(3);
  EXPECT_EQ(Tensor::randn({4}).to_vector<float>(), first);
}

TEST(Sharing, ModesAreEachThreadsOwn) {
  const Tensor w({1.f}, {.requires_grad = true});
  together([&](int t) {
    for (int i = 0; i < 20; ++i) {
      if (t % 2) {
        const NoGrad none;
        const nn::Evaluation evaluation;
        EXPECT_FALSE((w * 2).requires_grad());
        EXPECT_FALSE(nn::training());
      } else {
        EXPECT_TRUE((w * 2).requires_grad());
        EXPECT_TRUE(nn::training());
      }
    }
  });
}

TEST(Sharing, AnErrorStaysWithItsThread) {
  const Tensor table = counting(10).realize();
  together([&](int t) {
    for (int i = 0; i < 10; ++i) {
      if (t == 0) EXPECT_THROW((void)table.take(Tensor({10 + i})).to_vector<float>(), IndexError);
      else
        EXPECT_EQ(table.take(Tensor({t, 9 - t})).to_vector<float>(),
                  (std::vector<float>{static_cast<float>(t), static_cast<float>(9 - t)}));
    }
  });
  EXPECT_EQ(table.sum().item<float>(), 45);
}

TEST(Sharing, AccumulateAndRead) {
  const Tensor w = leaf({1, 2}, {2});
  const Tensor shared = w * 3;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        (w * 2).sum().backward();
        EXPECT_EQ(shared.to_vector<float>(), (std::vector<float>{3, 6}));
        (void)Tensor::rand({3}).to_vector<float>();
      }
    });
  for (std::thread& t : threads) t.join();
  expect_near(w.grad(), {80, 80});
}

TEST(Sharing, LeaveNoNodesBehind) {
  const auto work = [](int t) {
    Tensor w({1.f, 2.f}, {.requires_grad = true});
    for (int i = 0; i < 5; ++i) (w * (t + i)).sum().backward();
    EXPECT_EQ(w.grad().sum().item<float>(), static_cast<float>(2 * (5 * t + 10)));
  };
  together(work);  // what caches keep, they have now
  const size_t before = detail::live_nodes();
  together(work);
  EXPECT_EQ(detail::live_nodes(), before);
}

}  // namespace
}  // namespace tg
