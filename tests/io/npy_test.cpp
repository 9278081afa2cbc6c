// .npy: round trips, files of every version, order and byte order, and headers that lie.
#include "io/npy.hpp"

#include <numeric>

#include "io/file.hpp"
#include "io_testing.hpp"

namespace tg::io {
namespace {

using testing::EndsWith;
using testing::StartsWith;

/// A file as NumPy would write it, its header padded so that the data starts at a multiple of 64 bytes.
std::vector<std::byte> npy(std::string header, const std::vector<std::byte>& data, int version = 1) {
  const size_t start = version == 1 ? 10 : 12;
  while ((start + header.size() + 1) % 64) header += ' ';
  header += '\n';
  std::string text = "\x93NUMPY";
  text += static_cast<char>(version);
  text += '\0';
  for (size_t i = 0; i < start - 8; ++i) text += static_cast<char>(header.size() >> 8 * i);
  std::vector<std::byte> file = bytes_of(text + header);
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

std::string message(const std::string& header, size_t data_bytes) {
  return error_of([&] { parse_npy(npy(header, std::vector<std::byte>(data_bytes)), "x.npy"); });
}

template <class T>
std::vector<T> values(const Array& a) {
  std::vector<T> out;
  for (size_t i = 0; i < a.data.size() / sizeof(T); ++i) out.push_back(a.at<T>(i));
  return out;
}

TEST(Npy, RoundTripOfEveryTypeAndShape) {
  TempDir dir;
  for (DType t : {bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, float32, float64}) {
    for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{}, {0}, {5}, {2, 3}, {3, 0, 2}, {2, 1, 2, 2}}) {
      std::vector<std::byte> data(*byte_count(t, shape));
      for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i % 2);
      save_npy(dir / "x.npy", t, shape, data);
      const Array a = load_npy(dir / "x.npy");
      EXPECT_EQ(a.dtype, t);
      EXPECT_EQ(a.shape, shape);
      EXPECT_EQ(a.data, data);
      EXPECT_EQ((read_file(dir / "x.npy").size() - data.size()) % 64, 0u);
    }
  }
}

TEST(Npy, WritesExactlyWhatNumPyDoes) {
  TempDir dir;
  const std::vector<float> x{1, 2, 3};
  save_npy(dir / "x.npy", float32, std::vector<int64_t>{3}, std::as_bytes(std::span(x)));
  EXPECT_EQ(read_file(dir / "x.npy"), npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", bytes_of(x)));
}

TEST(Npy, LongHeadersTakeVersion2) {
  TempDir dir;
  const std::vector<int64_t> shape(30'000, 1);
  save_npy(dir / "x.npy", uint8, shape, std::vector<std::byte>(1));
  EXPECT_EQ(read_file(dir / "x.npy")[6], std::byte{2});
  EXPECT_EQ(load_npy(dir / "x.npy").shape, shape);
}

TEST(Npy, ReadsAllVersionsAndSpellings) {
  const std::vector<std::byte> data = bytes_of(std::vector<int16_t>{1, 2, 3, 4, 5, 6});
  for (int version : {1, 2, 3}) {
    EXPECT_EQ(values<int16_t>(parse_npy(npy("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }", data, version), "x")),
              (std::vector<int16_t>{1, 2, 3, 4, 5, 6}));
  }
  EXPECT_EQ(parse_npy(npy("{\"shape\":(6 ,),\"descr\":\"=i2\",\"fortran_order\":False}", data), "x").shape, (std::vector<int64_t>{6}));
}

TEST(Npy, BigEndianIsConverted) {
  const std::vector<std::byte> data = bytes_of(std::string_view("\x00\x00\x00\x01\x01\x02\x03\x04", 8));
  EXPECT_EQ(values<int32_t>(parse_npy(npy("{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }", data), "x")),
            (std::vector<int32_t>{1, 0x01020304}));
}

TEST(Npy, FortranOrderIsConverted) {
  std::vector<int32_t> stored(24), expected;
  std::iota(stored.begin(), stored.end(), 0);
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 4; ++k) expected.push_back(i + 2 * j + 6 * k);
    }
  }
  EXPECT_EQ(values<int32_t>(parse_npy(npy("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3, 4), }", bytes_of(stored)), "x")),
            expected);
  EXPECT_EQ(parse_npy(npy("{'descr': '<i4', 'fortran_order': True, 'shape': (), }", bytes_of(std::vector<int32_t>{9})), "x").at<int32_t>(0),
            9);
  EXPECT_TRUE(parse_npy(npy("{'descr': '<i4', 'fortran_order': True, 'shape': (1099511627776, 4, 0), }", {}), "x").data.empty());
}

TEST(Npy, SaysWhatIsWrong) {
  EXPECT_EQ(error_of([] { parse_npy(bytes_of("PK"), "x.npy"); }), "x.npy: not an npy file: it does not begin with \\x93NUMPY");
  EXPECT_EQ(error_of([] { parse_npy(npy("{}", {}, 4), "x.npy"); }), "x.npy: npy version 4 is unknown, expected 1, 2 or 3");
  EXPECT_EQ(error_of([] { parse_npy(bytes_of(std::string_view("\x93NUMPY\x01\x00\x40\x00{", 11)), "x.npy"); }),
            "x.npy: npy header claims 64 bytes, found 1");
  EXPECT_EQ(message("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", 20),
            "x.npy: npy header says float32 [3, 2] = 24 bytes of data, found 20");
  EXPECT_EQ(message("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 1099511627776), }", 20),
            "x.npy: npy header says float64 [1099511627776, 1099511627776] = more than 2^63 bytes of data, found 20");
  EXPECT_EQ(message("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8),
            "x.npy: npy type '|O' is not supported, expected b1, i1 to i8, u1 to u8 or f2 to f8 after <, >, | or =");
  EXPECT_THAT(message("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4),
              StartsWith("x.npy: npy header: structured types are not supported; expected one number type at byte 10 of"));
  EXPECT_THAT(message("{'descr': '<f4', 'shape': (1,), }", 4),
              StartsWith("x.npy: npy header: expected keys 'descr', 'fortran_order' and 'shape' at byte 33 of"));
  EXPECT_THAT(message("{'descr': '<f4', 'fortran_order': False, 'shape': (1), }", 4),
              StartsWith("x.npy: npy header: expected ',' at byte 52"));
  EXPECT_THAT(message("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4),
              StartsWith("x.npy: npy header: expected a size from 0 to 2^63-1 at byte 51"));
  EXPECT_THAT(message("{'descr': '<f4', 'descr': '<f4'}", 4), StartsWith("x.npy: npy header: key 'descr' is unknown or there twice"));
  EXPECT_EQ(error_of([] { parse_npy(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (1,), }", {std::byte{7}}), "x.npy"); }),
            "x.npy: bool element 0 is 7, expected 0 or 1");
}

TEST(Npy, RefusesToWriteNonsense) {
  TempDir dir;
  const std::vector<int64_t> two{2};
  EXPECT_EQ(error_of<DTypeError>([&] { save_npy(dir / "x", bfloat16, two, std::vector<std::byte>(4)); }),
            "save_npy: NumPy has no bfloat16; cast to float32 first or save as safetensors");
  EXPECT_EQ(error_of<DTypeError>([&] { save_npy(dir / "x", DType::index, two, std::vector<std::byte>(16)); }),
            "save_npy: NumPy has no index; cast to float32 first or save as safetensors");
  EXPECT_EQ(error_of<ValueError>([&] { save_npy(dir / "x", int32, two, std::vector<std::byte>(4)); }),
            "save_npy: int32 [2] does not take 4 bytes");
  EXPECT_EQ(dir.files(), 0u);
  EXPECT_THAT(error_of([] { load_npy("/nowhere/x.npy"); }), EndsWith("cannot open: No such file or directory"));
}

TEST(Npy, SurvivesDamage) {
  const std::vector<std::byte> data = bytes_of(std::vector<int16_t>{1, 2, 3, 4, 5, 6});
  for (const char* header :
       {"{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }", "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }"}) {
    for (int version : {1, 2, 3}) {
      attack(npy(header, data, version), 140, [](std::span<const std::byte> in) { parse_npy(in, "x"); });
    }
  }
}

}  // namespace
}  // namespace tg::io
