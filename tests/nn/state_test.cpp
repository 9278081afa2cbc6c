// Models to files and back: round trips, and files that do not fit, which must change nothing.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tensor/tensor_testing.hpp"
#include "tg/mapped.hpp"
#include "tg/nn.hpp"

namespace tg::nn {
namespace {

class StateFile : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(path_); }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_ = std::filesystem::temp_directory_path() / ("tg-state-" + std::to_string(::getpid()) + ".safetensors");

  static State layer(int64_t in, int64_t out) {
    State s;
    append(s, "fc", Linear(in, out).state());
    s.emplace_back("count", Tensor({7}));
    return s;
  }
  std::string message(const State& s, const LoadOptions& o = {}) const {
    try {
      load(path_, s, o);
    } catch (const IoError& e) {
      return e.what();
    }
    return "nothing was thrown";
  }
};

TEST_F(StateFile, ComesBackExactly) {
  const State a = layer(3, 2), b = layer(3, 2);
  ASSERT_NE(a[0].second.to_vector<float>(), b[0].second.to_vector<float>());
  save(path_, a, {{"step", "12"}});
  EXPECT_EQ(load(path_, b).at("step"), "12");
  for (size_t i = 0; i < a.size(); ++i) expect_close(b[i].second, a[i].second, 0);
  (b[0].second * 2).sum().backward();  // still a leaf
  expect_near(b[0].second.grad(), {2, 2, 2, 2, 2, 2});
}

TEST_F(StateFile, ThatDoesNotFitChangesNothing) {
  save(path_, {{"fc.weight", Tensor::ones({2, 3})}, {"fc.bias", Tensor::ones({3})}, {"other", Tensor({1})}});
  const State s = layer(3, 2);
  const auto before = s[0].second.to_vector<float>();
  EXPECT_EQ(message(s), path_ + ": does not fit the model, which is unchanged; 3 of its tensors differ:\n"
                                "  fc.bias is float32 (3,), the model's float32 (2,)\n"
                                "  count is missing\n"
                                "  other is not in the model");
  EXPECT_EQ(s[0].second.to_vector<float>(), before);
  save(path_, {{"fc.weight", Tensor::ones({2, 3}, {.dtype = int32})}, s[1], s[2]});
  EXPECT_THAT(message(s), testing::HasSubstr("fc.weight is int32 (2, 3), the model's float32 (2, 3)"));
  EXPECT_EQ(s[0].second.to_vector<float>(), before);
}

TEST_F(StateFile, MayHoldMoreWhereToldSo) {
  State more = layer(3, 2);
  more.emplace_back("optimizer.m", Tensor({1.f}));
  save(path_, more);
  const State s = layer(3, 2);
  EXPECT_THAT(message(s), testing::HasSubstr("optimizer.m is not in the model"));
  load(path_, s, {.ignore = "optimizer."});
  expect_close(s[0].second, more[0].second, 0);
}

TEST_F(StateFile, ThatIsNotThereOrDamagedIsNamed) {
  const State s = layer(3, 2);
  EXPECT_THAT(message(s), testing::StartsWith(path_));
  save(path_, s);
  std::filesystem::resize_file(path_, 40);
  EXPECT_THAT(message(s), testing::StartsWith(path_));
}

TEST_F(StateFile, CannotTakeANameTwice) { EXPECT_THROW(save(path_, {{"a", Tensor({1})}, {"a", Tensor({2})}}), ValueError); }

TEST_F(StateFile, AStreamHoldsTheSameBytes) {
  const State a = layer(3, 2);
  save(path_, a, {{"step", "12"}});
  std::stringstream stream;
  save(stream, a, {{"step", "12"}});
  std::ifstream file(path_, std::ios::binary);
  EXPECT_EQ(stream.str(), std::string(std::istreambuf_iterator<char>(file), {}));
  const TensorFile back = load_tensors(stream);
  EXPECT_EQ(back.metadata.at("step"), "12");
  for (const auto& [name, t] : back.tensors)
    for (const auto& [own, value] : a)
      if (own == name) expect_close(t, value, 0);
  EXPECT_EQ(back.tensors.size(), a.size());
  std::istringstream damaged(stream.str().substr(0, 20));
  EXPECT_THROW((void)load_tensors(damaged), IoError);
  std::ostringstream closed;
  closed.setstate(std::ios::failbit);
  EXPECT_THROW(save(closed, a), IoError);
}

}  // namespace
}  // namespace tg::nn
