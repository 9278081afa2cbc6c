// safetensors: round trips, the exact bytes of the format, and headers that lie.
#include "io/safetensors.hpp"

#include "io_testing.hpp"

namespace tg::io {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

std::vector<std::byte> file_of(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::vector<std::byte> file = bytes_of(std::vector<uint64_t>{length});
  const std::vector<std::byte> text = bytes_of(header);
  file.insert(file.end(), text.begin(), text.end());
  file.resize(file.size() + data_bytes);
  return file;
}

std::vector<NamedView> parse(std::span<const std::byte> file) {
  Metadata metadata;
  return parse_safetensors(file, metadata, "m.st");
}
std::string complaint(const std::string& header, size_t data_bytes = 0) {
  return error_of([&] { parse(file_of(header, data_bytes)); });
}

TEST(SafeTensors, RoundTripOfEveryType) {
  TempDir dir;
  std::vector<std::byte> data(48);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i % 2);
  std::vector<NamedView> tensors{{"empty", float32, {0, 3}, {}}, {"scalar", uint8, {}, std::span(data).first(1)}};
  for (DType t : {bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, bfloat16, float32, float64}) {
    tensors.push_back({std::string(name_of(t)), t, {2, 3}, std::span(data).first(6 * size_of(t))});
  }
  const Metadata metadata{{"step", "600"}, {"quote \"\n", "ü"}};
  save_safetensors(dir / "m.safetensors", tensors, metadata);
  const SafeTensors file(dir / "m.safetensors");
  EXPECT_EQ(file.metadata(), metadata);
  EXPECT_EQ(file.tensors().size(), tensors.size());
  for (const NamedView& t : tensors) {
    const NamedView* const found = file.find(t.name);
    ASSERT_TRUE(found) << t.name;
    EXPECT_EQ(found->dtype, t.dtype);
    EXPECT_EQ(found->shape, t.shape);
    EXPECT_TRUE(std::ranges::equal(found->data, t.data));
    EXPECT_TRUE(t.data.empty() || reinterpret_cast<uintptr_t>(found->data.data()) % size_of(t.dtype) == 0) << t.name;
  }
  EXPECT_EQ(file.find("absent"), nullptr);
}

TEST(SafeTensors, WritesExactlyTheFormat) {
  TempDir dir;
  const std::vector<float> w{1, 2};
  const std::vector<uint8_t> b{7};
  save_safetensors(dir / "m", {{"b", uint8, {1}, std::as_bytes(std::span(b))}, {"w", float32, {2}, std::as_bytes(std::span(w))}},
                   {{"k", "v"}});
  const std::string header = R"({"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}})";
  const std::vector<std::byte> file = read_file(dir / "m");
  const size_t padded = (header.size() + 7) / 8 * 8;
  ASSERT_EQ(file.size(), 8 + padded + 9);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(file.data()) + 8, padded), header + std::string(padded - header.size(), ' '));
  EXPECT_EQ(file.back(), std::byte{7});
}

TEST(SafeTensors, RefusesToWriteNonsense) {
  TempDir dir;
  const std::vector<std::byte> four(4);
  const auto save = [&](const std::vector<NamedView>& tensors, const Metadata& metadata = {}) {
    return [&dir, tensors, metadata] { save_safetensors(dir / "m", tensors, metadata); };
  };
  EXPECT_EQ(error_of<ValueError>(save({{"a", float32, {1}, four}, {"a", float32, {1}, four}})),
            "save_safetensors: name 'a' is taken twice or reserved");
  EXPECT_EQ(error_of<ValueError>(save({{"__metadata__", float32, {1}, four}})),
            "save_safetensors: name '__metadata__' is taken twice or reserved");
  EXPECT_EQ(error_of<ValueError>(save({{"a", float32, {2}, four}})), "save_safetensors: tensor 'a': float32 [2] does not take 4 bytes");
  EXPECT_EQ(error_of<DTypeError>(save({{"a", DType::void_, {2}, {}}})),
            "save_safetensors: tensor 'a' has dtype void, which the format lacks");
  EXPECT_THAT(error_of<ValueError>(save({{"\xff", float32, {1}, four}})), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(error_of<ValueError>(save({}, {{"k", "\xff"}})), HasSubstr("not valid UTF-8"));
  EXPECT_EQ(dir.files(), 0u);
}

TEST(SafeTensors, SaysWhatIsWrong) {
  EXPECT_EQ(error_of([] { parse(std::vector<std::byte>(7)); }), "m.st: a safetensors file has at least 8 bytes, found 7");
  EXPECT_EQ(error_of([] { parse(std::vector<std::byte>(20, std::byte{1})); }),
            "m.st: safetensors header claims 72,340,172,838,076,673 bytes, expected at most 12 in a file of 20");
  EXPECT_EQ(complaint("[]"), "m.st: a safetensors header begins with '{'");
  EXPECT_THAT(complaint(R"({"a":})"), HasSubstr("m.st: safetensors header is not valid JSON: "));
  EXPECT_THAT(complaint(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}} x)", 4), HasSubstr("not valid JSON"));
  EXPECT_EQ(complaint(R"({"a":1})"), "m.st: tensor 'a': entry is of type number, expected object");
  EXPECT_EQ(complaint(R"({"a":{"shape":[],"data_offsets":[0,0]}})"), "m.st: tensor 'a': field 'dtype' is missing");
  EXPECT_EQ(complaint(R"({"a":{"dtype":"F8_E4M3","shape":[],"data_offsets":[0,0]}})"),
            "m.st: tensor 'a': dtype 'F8_E4M3' is unknown, expected F64, F32, F16, BF16, I64 to I8, U64 to U8 or BOOL");
  EXPECT_EQ(complaint(R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,0]}})"),
            "m.st: tensor 'a': field 'shape' is of type number, expected array");
  for (const char* bad : {"-1", "1.0", "1e3", "\"1\"", "18446744073709551615", "99999999999999999999", "null"}) {
    EXPECT_THAT(complaint(std::string(R"({"a":{"dtype":"F32","shape":[)") + bad + R"(],"data_offsets":[0,4]}})", 4),
                testing::StartsWith("m.st: tensor 'a': field 'shape' holds "))
        << bad;
  }
  EXPECT_EQ(complaint(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})"),
            "m.st: tensor 'a': field 'data_offsets' has 1 numbers, expected 2");
  EXPECT_EQ(complaint(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4),
            "m.st: tensor 'a': data_offsets [0, 8] lie outside the 4 bytes of data in the file; it is truncated or damaged");
  EXPECT_EQ(complaint(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8),
            "m.st: tensor 'a': data_offsets [8, 0] lie outside the 8 bytes of data in the file; it is truncated or damaged");
  EXPECT_EQ(complaint(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
            "m.st: tensor 'a': float32 [3] takes 12 bytes, but data_offsets [0, 8] hold 8");
  EXPECT_EQ(complaint(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
            "m.st: tensor 'a': float32 [4294967296, 4294967296] takes more than 2^63 bytes, but data_offsets [0, 0] hold 0");
  EXPECT_EQ(complaint(R"({"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2),
            "m.st: tensor 'b' overlaps the one before it by 1 bytes");
  EXPECT_EQ(complaint(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2), "m.st: 1 bytes before tensor 'a' belong to none");
  EXPECT_EQ(complaint(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2),
            "m.st: 1 bytes at the end of the file belong to no tensor");
  EXPECT_EQ(complaint(R"({"__metadata__":{"k":1}})"), "m.st: __metadata__ 'k' is of type number, expected string");
  EXPECT_EQ(complaint(R"({"__metadata__":[]})"), "m.st: __metadata__ is of type array, expected object");
}

TEST(SafeTensors, RefusesDuplicatesAtEveryLevel) {
  EXPECT_EQ(complaint(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"),
            "m.st: safetensors header has key 'a' twice");
  EXPECT_EQ(complaint(R"({"a":{"dtype":"U8","dtype":"F32","shape":[0],"data_offsets":[0,0]}})"),
            "m.st: safetensors header has key 'dtype' twice");
  EXPECT_EQ(complaint(R"({"__metadata__":{"k":"1","k":"2"}})"), "m.st: safetensors header has key 'k' twice");
}

TEST(SafeTensors, RefusesDepth) {
  EXPECT_EQ(complaint(R"({"a":{"shape":[[1]]}})"), "m.st: safetensors header is nested deeper than 3 levels");
  EXPECT_EQ(complaint(R"({"a":)" + std::string(1'000'000, '[')), "m.st: safetensors header is nested deeper than 3 levels");
  EXPECT_EQ(complaint(R"({"a":{"b":{"c":{}}}})"), "m.st: safetensors header is nested deeper than 3 levels");
}

TEST(SafeTensors, RefusesBoolsThatAreNone) {
  std::vector<std::byte> file = file_of(R"({"a":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})", 3);
  EXPECT_EQ(parse(file).size(), 1u);
  file.back() = std::byte{2};
  EXPECT_EQ(error_of([&] { parse(file); }), "m.st: tensor 'a': bool element 2 is 2, expected 0 or 1");
}

TEST(SafeTensors, MessagesStayShort) {
  EXPECT_LT(complaint(R"({")" + std::string(100'000, 'x') + R"(":1})").size(), 400u);
  EXPECT_LT(complaint(R"({")" + std::string(100'000, 'x')).size(), 400u);
  EXPECT_LT(complaint(R"({"a":{"dtype":")" + std::string(100'000, 'x') + R"("}})").size(), 400u);
}

TEST(SafeTensors, SurvivesDamage) {
  TempDir dir;
  const std::vector<std::byte> data(24, std::byte{1});
  save_safetensors(dir / "m", {{"a.b", float64, {3}, data}, {"c", bool_, {2, 2}, std::span(data).first(4)}}, {{"k", "v"}});
  const std::vector<std::byte> good = read_file(dir / "m");
  attack(good, good.size(), [](std::span<const std::byte> in) { parse(in); });
}

// Every value of every byte before the data, and files that are too short or too long: an error that names the file, or tensors whose bytes
// are all in it.
TEST(SafeTensors, WhatIsTakenIsThere) {
  TempDir dir;
  const std::vector<std::byte> data(24, std::byte{1});
  save_safetensors(dir / "m", {{"a", float32, {3}, std::span(data).first(12)},
                               {"b", int8, {2, 0, 5}, {}},
                               {"c", bool_, {}, std::span(data).first(1)}});
  const std::vector<std::byte> good = read_file(dir / "m");
  size_t refused = 0, taken = 0;
  const auto look = [&](const std::vector<std::byte>& file) {
    try {
      size_t bytes = 0;
      for (const NamedView& t : parse(file)) {
        ASSERT_EQ(byte_count(t.dtype, t.shape), t.data.size());
        ASSERT_GE(t.data.data(), file.data());
        ASSERT_LE(t.data.data() + t.data.size(), file.data() + file.size());
        bytes += t.data.size();
      }
      ASSERT_EQ(bytes, 13u) << "all the data there is";
      ++taken;
    } catch (const IoError& e) {
      ASSERT_THAT(e.what(), testing::StartsWith("m.st: "));
      ++refused;
    }
  };
  for (size_t at = 0; at < good.size() - 13; ++at)
    for (int value = 0; value < 256; ++value) {
      std::vector<std::byte> bad = good;
      bad[at] = static_cast<std::byte>(value);
      look(bad);
    }
  for (size_t more = 1; more < 40; ++more) {
    std::vector<std::byte> longer = good;
    longer.resize(good.size() + more);
    EXPECT_THROW(parse(longer), IoError);
  }
  EXPECT_GT(refused, 10 * taken) << "names and other dtypes of one size are what a changed byte may mean";
}

TEST(SafeTensors, FileErrors) {
  EXPECT_EQ(error_of([] { SafeTensors("/nowhere/m"); }), "/nowhere/m: cannot open: No such file or directory");
  EXPECT_EQ(error_of([] { save_safetensors("/nowhere/m", {}); }), "/nowhere/m: cannot write: No such file or directory");
  TempDir dir;
  write_file(dir / "m", std::string_view());
  EXPECT_THAT(error_of([&] { SafeTensors(dir / "m"); }), EndsWith("m: a safetensors file has at least 8 bytes, found 0"));
  save_safetensors(dir / "m", {});
  EXPECT_TRUE(SafeTensors(dir / "m").tensors().empty());
}

}  // namespace
}  // namespace tg::io
