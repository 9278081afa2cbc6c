// Verbs from a search and from files: what wins computes the same, files are refused with line, verb and reason, and results are kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include <unistd.h>

#include "base/log.hpp"
#include "engine/tunings.hpp"
#include "fuzzing.hpp"
#include "tensor/batching.hpp"
#include "tg/device.hpp"
#include "tg/settings.hpp"
#include "tg/tg.hpp"
#include "tg/tune.hpp"

namespace tg {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using testing::ThrowsMessage;

struct File {
  explicit File(const std::string& text) { std::ofstream(path) << text; }
  ~File() { std::filesystem::remove(path); }
  const std::string path = (std::filesystem::temp_directory_path() / ("verbs" + std::to_string(getpid()) + ".tuned")).string();
};

Tensor whole(const Sizes& shape) {
  int64_t n = 1;
  for (int64_t s : shape) n *= s;
  std::vector<float> data(static_cast<size_t>(n));
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>((i * 7 + i / 5) % 11) - 5;
  return Tensor::from(data, shape).realize();
}
struct Product {  // one kernel, whose sums are exact in any order
  explicit Product(int64_t rows) : a(whole({rows, 60})), b(whole({60, 36})) {}
  Tensor lazy() const {  // not computed yet, nor any part of it
    const Tracing nothing_is_computed_yet;
    return a.matmul(b);
  }
  Tensor operator()() const { return lazy().realize(); }
  Tensor a, b;
};

TEST(Tune, FindsVerbsThatComputeTheSame) {
  const Product product(100 + getpid() % 9973);  // a kernel that no earlier process left on disk
  const std::vector<float> before = product().to_vector<float>();
  File file("");
  const auto first = tune([&] { product(); }, {.beam = 2, .seconds = 5, .file = file.path});
  ASSERT_EQ(first.size(), 1u);
  EXPECT_THAT(first[0].name, StartsWith("r_"));
  EXPECT_GT(first[0].tried, 1);
  EXPECT_EQ(product().to_vector<float>(), before);
  EXPECT_LE(first[0].microseconds, first[0].default_microseconds * 1.03) << "measured in turns with the default";

  const std::vector<Tuning> written = read_tunings(file.path);
  EXPECT_EQ(written.size(), first[0].verbs == first[0].default_verbs ? 0u : 1u);
  for (const Tuning& t : written) {
    EXPECT_EQ(t.target, device(product.a.device()).target().name);
    EXPECT_EQ(to_string(t.verbs), first[0].verbs);
    EXPECT_TRUE(t.hash.has_value());
    const auto again = tune([&] { product(); }, {.beam = 2, .seconds = 5});
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].verbs, first[0].verbs) << "known from disk or memory";
    EXPECT_EQ(again[0].tried, 0);
  }
}

TEST(Tune, ReplaysWhatIsPrintedAndEdited) {
  const Product product(45);
  const std::string printed = explain(product.lazy(), "loops");  // "r_45_36_60: tile(...); ...\ni0 < 45: ..."
  const File as_printed(printed);
  const auto same = replay([&] { product(); }, as_printed.path);
  ASSERT_EQ(same.size(), 1u);
  EXPECT_EQ(same[0].verbs, same[0].default_verbs);
  const File edited(same[0].name + ": tile(i1, 4, unroll)  \n# nothing else\n");
  const auto other = replay([&] { product(); }, edited.path);
  ASSERT_EQ(other.size(), 1u);
  EXPECT_EQ(other[0].verbs, "tile(i1, 4, unroll)");
  EXPECT_GT(other[0].microseconds, 0);
}

void check_rungs(const std::vector<TunedKernel>& rungs) {
  ASSERT_GE(rungs.size(), 3u);
  EXPECT_EQ(rungs[0].verbs, "no verbs");
  EXPECT_EQ(rungs.back().verbs, rungs.back().default_verbs);
  for (size_t i = 1; i < rungs.size(); ++i) {
    EXPECT_THAT(rungs[i].verbs, StartsWith(i == 1 ? "" : rungs[i - 1].verbs + "; "));
    EXPECT_GT(rungs[i].microseconds, 0);
    EXPECT_EQ(rungs[i].hash, rungs[0].hash);
  }
}
TEST(Tune, ALadderHasARungForEachVerb) {
  const Product product(48);
  check_rungs(ladder([&] { product(); }));
}
TEST(Tune, ALadderOfAKernelThatIsMadeAnewHasARungForEachVerb) {
  const WithSettings lazily({.eager = false});
  const Tensor x = Tensor::ones({32, 1024}, {.device = "cpu"}).realize();
  const std::vector<TunedKernel> rungs = ladder([&] { x.softmax(1).realize(); });
  check_rungs(rungs);
  EXPECT_THAT(rungs.back().verbs, StartsWith("keep("));
}

TEST(Tune, UsesAFile) {
  const Product product(46);
  const std::vector<float> before = product().to_vector<float>();
  const File file("target a machine that is not here\nr_46_36_60: tile(i0, 3, loop)\ntarget " + device(product.a.device()).target().name +
                  "\nr_46_36_60: tile(i1, 4, unroll); tile(i0, 2, unroll)\n");
  use_tuned(file.path);
  const LogCapture lines(3);
  EXPECT_EQ(product().to_vector<float>(), before);
  EXPECT_THAT(lines.text(), HasSubstr(", tuned"));
  EXPECT_THAT(explain(product.lazy(), "loops"), HasSubstr("r_46_36_60: tile(i1, 4, unroll); tile(i0, 2, unroll)"));
}

TEST(Tune, RefusesWithLineVerbAndReason) {
  const Product product(47);
  const auto replayed = [&](const std::string& text) {
    return [&, text] {
      const File file(text);
      replay([&] { product(); }, file.path);
    };
  };
  const auto refuses = [&](const std::string& text, const std::string& why) {
    EXPECT_THAT(replayed(text), ThrowsMessage<ValueError>(HasSubstr(why))) << text;
  };
  refuses("\nr_47_36_60: tile(i9, 4, unroll)\n", ".tuned:2: r_47_36_60: tile(i9, 4, unroll): no such axis");
  refuses("r_47_36_60: fold(i0, 4)", ".tuned:1: verb \"fold(i0, 4)\": unknown verb");
  refuses("r_47_36_60: tile(i0, 4000, unroll)", "tile(i0, 4000, unroll): register tiles of more than 1024 points");
  refuses("r_47_36_60: tile(i0, 4000, vector)", "more than 256 lanes");
  refuses("r_47_36_60: stage(p7, i0)", "stage(p7, i0): the kernel has no operand p7");
  refuses("r_47_36_60: tile(i0, 99999999999999999999, loop)", "not a number");
  refuses("r_47_36_60 deadbeef: no verbs", "hash of 32 digits");
  refuses("r_1_1_1: no verbs", ".tuned:1: the program has no kernel r_1_1_1");
  refuses("no colon", ".tuned:1: expected NAME: VERBS");
  refuses(std::string(20'000, 'x'), "at most 16384 are read");
  std::string many = "r_47_36_60: ";
  for (int i = 0; i < 65; ++i) many += "order(i0, i1); ";
  refuses(many, "65 verbs; a kernel takes at most 64");
  EXPECT_THAT([&] { replay([] {}, "/nowhere/x"); }, ThrowsMessage<IoError>("/nowhere/x: cannot be read"));
  EXPECT_THAT([&] { tune([] {}, {.file = "/nowhere/x"}); }, ThrowsMessage<IoError>(HasSubstr("/nowhere/x")));
  EXPECT_THROW(tune([] {}, {.beam = 0}), ValueError);
  EXPECT_THROW(tune([] {}, {.seconds = -1}), ValueError);
}

// Damaged text is refused or means something; it never does anything else.
TEST(Tune, ReadsAnyText) {
  const std::string good =
      "# x\ntarget cpu a b\nr_4_4_4 00112233445566778899aabbccddeeff: tile(i0, 16, vector); order(i1, i0); stage(p1, launch)\n";
  std::mt19937 random(5);
  for (int n = fuzz_runs(2000); n > 0; --n) {
    std::string text = good;
    for (int edits = 1 + static_cast<int>(random() % 4); edits > 0; --edits) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0: text[at] = static_cast<char>(random() % 256); break;
        case 1: text.erase(at, 1 + random() % 5); break;
        default: text.insert(at, 1, "():;,\n #9"[random() % 9]);
      }
      if (text.empty()) text = "x";
    }
    try {
      for (const Tuning& t : parse_tunings(text, "f")) EXPECT_EQ(parse_tunings(to_string(t), "g").size(), 1u) << text;
    } catch (const ValueError& e) {
      EXPECT_THAT(e.what(), StartsWith("f:")) << text;
    }
  }
}

}  // namespace
}  // namespace tg
