// What the engine hands to a device: pieces of memory that are the same or apart.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <regex>

#include "base/env.hpp"
#include "base/log.hpp"
#include "engine/realize.hpp"
#include "runtime/null/null.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

/// Notes the buffers of every launch.
struct Recording : NullDevice {
  using NullDevice::NullDevice;
  void launch(Program& program, const LaunchArgs& args) override {
    launches.emplace_back(args.buffers.begin(), args.buffers.end());
    NullDevice::launch(program, args);
  }
  std::vector<std::vector<MemoryRef>> launches;
};

TEST(Launch, PiecesOfMemoryDoNotOverlap) {
  register_device("recording", [] { return std::make_unique<Recording>(device("null").target()); });
  auto& recording = dynamic_cast<Recording&>(device("recording"));
  Tensor x = Tensor::ones({64, 64}, {.device = "recording"}).realize();
  for (int i = 0; i < 5; ++i) x = (x.matmul(x) + x.transpose(0, 1)).softmax(1);
  x.realize();
  Tensor h = x.at(0);
  for (int64_t t = 1; t < 8; ++t) h = (x.at(t) * h + (x * 2).contiguous().at(t + 8)).contiguous();
  x += h;
  x.realize();
  size_t shared = 0, rests = 0;
  for (const auto& buffers : recording.launches)
    for (const MemoryRef& a : buffers) {
      EXPECT_EQ(a.offset % static_cast<size_t>(recording.target().alignment), 0u);
      rests += a.offset % 512 != 0;
      for (const MemoryRef& b : buffers) {
        if (&a == &b || a.handle != b.handle) continue;
        ++shared;
        const bool same = a.offset == b.offset && a.bytes == b.bytes;
        const bool apart = (a.bytes && a.offset + a.bytes <= b.offset) || (b.bytes && b.offset + b.bytes <= a.offset);
        EXPECT_TRUE(same || apart) << a.offset << "+" << a.bytes << " and " << b.offset << "+" << b.bytes;
      }
    }
  EXPECT_TRUE(shared > 0 || settings().eager);  // the temporaries lie in one arena
  EXPECT_TRUE(rests > 0 || settings().eager);   // rows
}

TEST(Launch, TheLogSaysOnceWhatWasCompiledAndHowLargeItIs) {
  // A number that no process before has compiled, so that the code is not on disk; and no other was seen in its place, so that it is code.
  forget_plans();
  const auto number = static_cast<double>(std::chrono::steady_clock::now().time_since_epoch().count() % 1'000'000'007);
  const Tensor x = Tensor::ones({3}, {.device = "cpu"}).realize();
  const std::regex line(R"(compiled: [0-9]+\.[0-9]+ ms, [1-9][0-9]* bytes of code)");
  for (const bool first : {true, false}) {
    const LogCapture lines(2);
    (x * number).realize();
    EXPECT_EQ(std::regex_search(lines.text(), line), first) << lines.text();
  }
}

// A sum over nothing is launched, and a device wants something to point to.
TEST(Launch, TemporariesOfNoElementsArePiecesOfMemory) {
  const Tensor x = Tensor::ones({0, 5}).realize();
  const Tensor between = (x.exp().contiguous() * 2.0f).contiguous();
  EXPECT_EQ((between.sum() + Tensor::ones({3})).to_vector<float>(), std::vector<float>(3, 1));
}

}  // namespace
}  // namespace tg
