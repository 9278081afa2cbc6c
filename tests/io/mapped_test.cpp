// Tensors that are parts of files: the file's own memory where it can be, the same values where it cannot, and files that are too short.
#include "tg/mapped.hpp"

#include <fstream>
#include <sstream>

#include "io/npy.hpp"
#include "io/safetensors.hpp"
#include "io_testing.hpp"
#include "tg/memory.hpp"
#include "tg/tg.hpp"

namespace tg {
namespace {

using io::bytes_of;
using io::error_of;
using io::TempDir;

/// The file that a tensor's memory is mapped from, or "".
std::string mapped_from(const Tensor& t) {
  const auto memory = host_memory(t);
  const auto address = reinterpret_cast<uintptr_t>(memory.get());
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    char dash = 0;
    std::istringstream(line) >> std::hex >> begin >> dash >> end;
    if (begin <= address && address < end) return line.find('/') == std::string::npos ? "" : line.substr(line.find('/'));
  }
  return "";
}

TEST(Mapped, PartsOfAFile) {
  TempDir dir;
  const std::string path = dir / "numbers.bin";
  std::vector<float> numbers(40);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  io::write_file(path, bytes_of(numbers));
  Tensor t = from_file(path, float32, {2, 3}, 32);
  EXPECT_EQ(mapped_from(t), path);
  EXPECT_EQ((t * 2).to_vector<int>(), (std::vector<int>{16, 18, 20, 22, 24, 26}));
  const Tensor unaligned = from_file(path, float32, {2}, 4);
  EXPECT_EQ(mapped_from(unaligned), "");
  EXPECT_EQ(unaligned.to_vector<int>(), (std::vector<int>{1, 2}));
  EXPECT_EQ(from_file(path, int32, {0, 3}, 160).shape(), (Sizes{0, 3}));
  t += 1;  // in memory of its own
  EXPECT_EQ(from_file(path, float32, {}, 32).item<int>(), 8);
  const Tensor kept = from_file(path, float32, {1}, 16);
  io::write_file(path, "");  // another file of that name
  EXPECT_EQ(kept.item<int>(), 4);
}

TEST(Mapped, Errors) {
  TempDir dir;
  const std::string path = dir / "x.bin";
  io::write_file(path, bytes_of(std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(error_of([&] { (void)from_file(path, int32, {2, 2}); }),
            path + ": int32 (2, 2) from byte 0 on needs 16 bytes, and the file has 12 in all");
  EXPECT_EQ(error_of([&] { (void)from_file(path, int8, {1}, 12); }),
            path + ": int8 (1,) from byte 12 on needs 1 bytes, and the file has 12 in all");
  EXPECT_THROW((void)from_file(path, int8, {int64_t{1} << 62, 4}), ShapeError);
  EXPECT_THROW((void)from_file(path, int8, {1}, -1), ValueError);
  EXPECT_THROW((void)from_file(path, int8, {-1}), ShapeError);
  EXPECT_THROW((void)from_file(path, bool_, {12}), IoError);
  EXPECT_THROW((void)from_file(dir / "none", int8, {}), IoError);
  EXPECT_THROW((void)load_npy(path), IoError);
  EXPECT_THROW((void)load_tensors(path), IoError);
}

TEST(Mapped, Npy) {
  TempDir dir;
  const std::vector<double> numbers{1, 2, 3, 4, 5, 6};
  io::save_npy(dir / "a.npy", float64, std::vector<int64_t>{2, 3}, bytes_of(numbers));
  const Tensor a = load_npy(dir / "a.npy");
  EXPECT_EQ(mapped_from(a), (dir / "a.npy").string());
  EXPECT_EQ(a.to_vector<double>(), numbers);
  std::vector<std::byte> file = io::read_file(dir / "a.npy");
  const auto replaced = [&](std::string_view from, std::string_view to) {
    std::string text(reinterpret_cast<const char*>(file.data()), file.size());
    text.replace(text.find(from), from.size(), to);
    io::write_file(dir / "b.npy", text);
    return load_npy(dir / "b.npy");
  };
  const Tensor turned = replaced("'fortran_order': False", "'fortran_order': True ");
  EXPECT_EQ(mapped_from(turned), "");
  EXPECT_EQ(turned.to_vector<double>(), (std::vector<double>{1, 3, 5, 2, 4, 6}));
  const Tensor swapped = replaced("'<f8'", "'>f8'");
  EXPECT_EQ(swapped.to_vector<double>()[0], 3.03865e-319);
}

TEST(Mapped, Safetensors) {
  TempDir dir;
  const std::string path = dir / "m.safetensors";
  const std::vector<float> numbers(64, 3);
  io::save_safetensors(path, {{"w", float32, {8, 8}, std::as_bytes(std::span(numbers))}, {"b", uint8, {1}, bytes_of("\5")}},
                       {{"step", "7"}});
  const TensorFile file = load_tensors(path);
  EXPECT_EQ(file.metadata.at("step"), "7");
  ASSERT_EQ(file.tensors.size(), 2u);
  const auto& [name, w] = file.tensors[0];
  EXPECT_EQ(name, "w");
  EXPECT_EQ(w.shape(), (Sizes{8, 8}));
  EXPECT_EQ(mapped_from(w), path);
  EXPECT_EQ(w.sum().item<int>(), 192);
  EXPECT_EQ(file.at("b").item<int>(), 5);
  EXPECT_EQ(error_of<ValueError>([&] { (void)file.at("bias"); }), "no tensor \"bias\" in the file; there are: w, b");
}

}  // namespace
}  // namespace tg
