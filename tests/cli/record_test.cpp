// Training records as metadata and back, and metadata that is not one.
#include "cli/record.hpp"

#include <gtest/gtest.h>

#include "tg/error.hpp"

namespace tg::cli {
namespace {

TrainRecord example() {
  TrainRecord r{.optimizer = "sgd", .batch = 64, .epochs = 2, .steps = 0, .lr = 0.1, .seed = 7, .step = 3};
  r.loss = {2.3025851f, 1e-7f, 0.1f};
  r.accuracy = {{2, 0.9731f}, {3, 1.0f}};
  return r;
}

TEST(Record, ComesBackExactly) {
  const TrainRecord a = example(), b = from_metadata(to_metadata(a), "file");
  EXPECT_EQ(b.optimizer, a.optimizer);
  EXPECT_EQ(b.batch, a.batch);
  EXPECT_EQ(b.epochs, a.epochs);
  EXPECT_EQ(b.steps, a.steps);
  EXPECT_EQ(b.lr, a.lr);
  EXPECT_EQ(b.seed, a.seed);
  EXPECT_EQ(b.step, a.step);
  EXPECT_EQ(b.loss, a.loss);
  EXPECT_EQ(b.accuracy, a.accuracy);
}

TEST(Record, RefusesWhatItIsNot) {
  const auto message = [](const std::string& key, const char* value) {
    nn::Metadata m = to_metadata(example());
    if (value) m[key] = value;
    else m.erase(key);
    try {
      from_metadata(m, "x.safetensors");
    } catch (const IoError& e) {
      return std::string(e.what());
    }
    return std::string("nothing was thrown");
  };
  EXPECT_EQ(message("seed", nullptr), "x.safetensors: not a checkpoint of tg train mnist: its metadata has no \"seed\"");
  EXPECT_EQ(message("kind", "a poem"), "x.safetensors: its \"kind\" is not valid: \"a poem\"");
  EXPECT_EQ(message("optimizer", "magic"), "x.safetensors: its \"optimizer\" is not valid: \"magic\"");
  EXPECT_EQ(message("step", "3 "), "x.safetensors: its \"step\" is not valid: \"3 \"");
  EXPECT_EQ(message("batch", "1"), "x.safetensors: its \"batch\" is not valid: \"1\"");
  EXPECT_EQ(message("lr", "nan"), "x.safetensors: its \"lr\" is not valid: \"nan\"");
  EXPECT_EQ(message("step", "4"), "x.safetensors: its \"loss\" is not valid: \"2.3025851,1e-07,0.1\"");
  EXPECT_EQ(message("loss", "1,two,3"), "x.safetensors: its \"loss\" is not valid: \"1,two,3\"");
  EXPECT_EQ(message("accuracy", "1"), "x.safetensors: its \"accuracy\" is not valid: \"1\"");
}

}  // namespace
}  // namespace tg::cli
