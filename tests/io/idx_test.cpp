// idx files, MNIST among them: what is read, and what lying or damaged files say.
#include "io/idx.hpp"

#include "io/file.hpp"
#include "io/image.hpp"
#include "io/mnist.hpp"
#include "io_testing.hpp"

namespace tg::io {
namespace {

using testing::EndsWith;
using testing::StartsWith;

std::vector<std::byte> idx(uint8_t code, const std::vector<uint32_t>& sizes, size_t data_bytes) {
  std::vector<uint8_t> file{0, 0, code, static_cast<uint8_t>(sizes.size())};
  for (uint32_t n : sizes) {
    for (int shift : {24, 16, 8, 0}) file.push_back(static_cast<uint8_t>(n >> shift));
  }
  for (size_t i = 0; i < data_bytes; ++i) file.push_back(static_cast<uint8_t>(i));
  return bytes_of(file);
}

TEST(Idx, ReadsEveryTypeBigEndian) {
  const std::vector<std::pair<uint8_t, DType>> types{{8, uint8}, {9, int8}, {11, int16}, {12, int32}, {13, float32}, {14, float64}};
  for (const auto& [code, dtype] : types) {
    const Array a = parse_idx(idx(code, {2, 3}, 6 * size_of(dtype)), "x");
    EXPECT_EQ(a.dtype, dtype);
    EXPECT_EQ(a.shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(a.data[size_of(dtype) - 1], std::byte{0});  // the most significant byte comes first in the file, last here
  }
  EXPECT_EQ(parse_idx(idx(12, {2}, 8), "x").at<int32_t>(1), 0x04050607);
}

TEST(Idx, EmptyAndScalar) {
  EXPECT_TRUE(parse_idx(idx(8, {0, 28, 28}, 0), "x").data.empty());
  EXPECT_EQ(parse_idx(idx(8, {}, 1), "x").data.size(), 1u);
}

TEST(Idx, SaysWhatIsWrong) {
  const auto message = [](const std::vector<std::byte>& file) { return error_of([&] { parse_idx(file, "t.idx"); }); };
  EXPECT_EQ(message({}), "t.idx: an idx file has at least 4 bytes, found 0");
  EXPECT_EQ(message(bytes_of("PK\x03\x04")), "t.idx: an idx file begins with bytes 00 00, found 50 4b");
  EXPECT_EQ(message(idx(10, {1}, 1)), "t.idx: idx type code 0x0a is unknown, expected 0x08, 0x09 or 0x0b to 0x0e");
  EXPECT_EQ(message(idx(8, {10, 28, 28}, 7000)), "t.idx: idx header says uint8 [10, 28, 28] = 7,840 bytes of data, found 7,000");
  EXPECT_EQ(message(idx(8, {10}, 11)), "t.idx: idx header says uint8 [10] = 10 bytes of data, found 11");
  EXPECT_EQ(message(idx(8, {0xffffffff, 0xffffffff, 0xffffffff}, 1)),
            "t.idx: idx sizes [4294967295, 4294967295, 4294967295] are too large to count");
  EXPECT_EQ(message(idx(14, {0x20000000, 2}, 1)),
            "t.idx: idx header says float64 [536870912, 2] = 8,589,934,592 bytes of data, more than the 4,294,967,296 allowed here");
  std::vector<std::byte> cut = idx(8, {1, 1, 1}, 0);
  cut.resize(9);
  EXPECT_EQ(message(cut), "t.idx: an idx header of 3 axes has 16 bytes, found 9");
}

TEST(Idx, SurvivesDamage) {
  const auto read = [](std::span<const std::byte> in) { parse_idx(in, "x"); };
  const std::vector<std::byte> raw = idx(11, {3, 5}, 30);
  attack(raw, raw.size(), read);
}

class MnistFiles : public testing::Test {
 protected:
  void SetUp() override {
    write_file(dir_ / "train-images-idx3-ubyte", idx(8, {3, 28, 28}, 3 * 784));
    write_file(dir_ / "train-labels-idx1-ubyte", idx(8, {3}, 3));
    write_file(dir_ / "t10k-images-idx3-ubyte", idx(8, {2, 28, 28}, 2 * 784));
    write_file(dir_ / "t10k-labels-idx1-ubyte", idx(8, {2}, 2));
  }
  std::string message() {
    return error_of([&] { load_mnist(dir_ / ""); });
  }
  TempDir dir_;
};

TEST_F(MnistFiles, Load) {
  const Mnist mnist = load_mnist(dir_ / "");
  EXPECT_EQ(mnist.train.images.shape, (std::vector<int64_t>{3, 28, 28}));
  EXPECT_EQ(mnist.test.labels.shape, (std::vector<int64_t>{2}));
}

TEST_F(MnistFiles, AreFoundWhereTheSettingsSay) {
  std::filesystem::create_directory(dir_ / "up");
  std::filesystem::create_symlink(dir_ / "", dir_ / "up/mnist");
  EXPECT_EQ(find_mnist("", (dir_ / "up").string()), dir_ / "up/mnist");
  EXPECT_EQ(error_of([] { find_mnist("", "/nowhere"); }),
            "the MNIST files were not found; set TG_DATA to the folder above mnist/. Looked in:\n  /nowhere/mnist\n  /nowhere");
  EXPECT_EQ(find_mnist("/given"), "/given");
}

TEST_F(MnistFiles, MustAgree) {
  write_file(dir_ / "t10k-labels-idx1-ubyte", idx(8, {3}, 3));
  EXPECT_THAT(message(), EndsWith(": MNIST t10k has 2 images but 3 labels"));
  write_file(dir_ / "t10k-labels-idx1-ubyte", idx(8, {1, 2}, 2));
  EXPECT_THAT(message(), EndsWith(": MNIST t10k labels are uint8 [1, 2], expected uint8 [n]"));
  write_file(dir_ / "train-labels-idx1-ubyte", bytes_of(std::string_view("\0\0\x08\x01\0\0\0\x03\0\x01\x0a", 11)));
  EXPECT_THAT(message(), EndsWith(": MNIST train label 2 is 10, expected 0 to 9"));
  write_file(dir_ / "train-images-idx3-ubyte", idx(8, {3, 8, 8}, 192));
  EXPECT_THAT(message(), EndsWith(": MNIST train images are uint8 [3, 8, 8], expected uint8 [n, 28, 28]"));
  std::filesystem::remove(dir_ / "train-images-idx3-ubyte");
  EXPECT_THAT(message(), EndsWith(": no file train-images-idx3-ubyte.gz or train-images-idx3-ubyte in this folder"));
}

TEST(Mnist, TheRealFiles) {
  const std::filesystem::path folder = std::filesystem::path(TG_SOURCE_DIR) / "data/mnist";
  const Mnist mnist = load_mnist(folder);
  EXPECT_EQ(mnist.train.images.shape, (std::vector<int64_t>{60000, 28, 28}));
  EXPECT_EQ(mnist.test.images.shape, (std::vector<int64_t>{10000, 28, 28}));
  EXPECT_EQ(std::to_integer<int>(mnist.train.labels.data[0]), 5);
  EXPECT_EQ(std::to_integer<int>(mnist.test.labels.data[0]), 7);
  // Prepared anew, the authors' own digits stay what they are, but for the faintest grays.
  double difference = 0, ink = 0;
  for (size_t i = 0; i < 200; ++i) {
    Image image{28, 28, std::vector<uint8_t>(784)};
    std::memcpy(image.pixels.data(), mnist.test.images.data.data() + 784 * i, 784);
    const auto again = to_mnist(image);
    for (size_t p = 0; p < 784; ++p) {
      difference += std::abs(image.pixels[p] - again[p]);
      ink += image.pixels[p];
    }
  }
  EXPECT_LT(difference / ink, 0.03);
  const std::vector<std::byte> labels = read_file(folder / "t10k-labels-idx1-ubyte.gz");
  attack(labels, 12, [](std::span<const std::byte> in) { parse_idx(in, "x"); });
  EXPECT_THAT(error_of([&] { parse_idx(std::span(labels).first(4000), "t.gz"); }), StartsWith("t.gz: gzip data is truncated"));
}

}  // namespace
}  // namespace tg::io
