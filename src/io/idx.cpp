// Reads idx files: the header is checked against what the file holds before anything of the size it claims is made.
#include "io/idx.hpp"

#include <fmt/format.h>

#include "io/file.hpp"
#include "tg/error.hpp"

namespace tg::io {
namespace {

struct IdxHeader {
  DType dtype;
  std::vector<int64_t> shape;
  size_t header_bytes, data_bytes;
};

DType dtype_of(unsigned code, const std::string& where) {
  switch (code) {
    case 0x08: return uint8;
    case 0x09: return int8;
    case 0x0b: return int16;
    case 0x0c: return int32;
    case 0x0d: return float32;
    case 0x0e: return float64;
    default: throw IoError(fmt::format("{}: idx type code 0x{:02x} is unknown, expected 0x08, 0x09 or 0x0b to 0x0e", where, code));
  }
}

/// The header out of the first bytes of the (inflated) file.
IdxHeader parse_header(std::span<const std::byte> bytes, const std::string& where) {
  const auto byte = [&](size_t i) { return std::to_integer<uint32_t>(bytes[i]); };
  if (bytes.size() < 4) throw IoError(fmt::format("{}: an idx file has at least 4 bytes, found {}", where, bytes.size()));
  if (byte(0) != 0 || byte(1) != 0) {
    throw IoError(fmt::format("{}: an idx file begins with bytes 00 00, found {:02x} {:02x}", where, byte(0), byte(1)));
  }
  IdxHeader h{dtype_of(byte(2), where), {}, 4 + 4 * size_t{byte(3)}, 0};
  if (bytes.size() < h.header_bytes) {
    throw IoError(fmt::format("{}: an idx header of {} axes has {} bytes, found {}", where, byte(3), h.header_bytes, bytes.size()));
  }
  for (size_t i = 4; i < h.header_bytes; i += 4) {
    h.shape.push_back(int64_t{byte(i)} << 24 | int64_t{byte(i + 1)} << 16 | int64_t{byte(i + 2)} << 8 | int64_t{byte(i + 3)});
  }
  const std::optional<size_t> count = byte_count(h.dtype, h.shape);
  if (!count) throw IoError(fmt::format("{}: idx sizes {} are too large to count", where, shape_text(h.shape)));
  h.data_bytes = *count;
  return h;
}

}  // namespace

Array parse_idx(std::span<const std::byte> file, const std::string& where, size_t limit) {
  constexpr size_t kLongestHeader = 4 + 4 * 255;
  const bool zipped = is_gzip(file);
  const IdxHeader h =
      parse_header(zipped ? gunzip_prefix(file, kLongestHeader, where)
                          : std::vector(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(std::min(file.size(), kLongestHeader))),
                   where);
  const auto claim = [&] {
    return fmt::format("{}: idx header says {} {} = {} bytes of data", where, name_of(h.dtype), shape_text(h.shape),
                       with_commas(h.data_bytes));
  };
  if (h.data_bytes > limit) throw IoError(fmt::format("{}, more than the {} allowed here", claim(), with_commas(limit)));
  std::vector<std::byte> inflated;
  if (zipped) file = inflated = gunzip(file, h.header_bytes + h.data_bytes, where);
  if (file.size() != h.header_bytes + h.data_bytes) {
    throw IoError(fmt::format("{}, found {}", claim(), with_commas(file.size() - h.header_bytes)));
  }
  const std::span<const std::byte> elements = file.subspan(h.header_bytes);
  Array array{h.dtype, h.shape, {elements.begin(), elements.end()}};
  swap_bytes(array.data, size_of(h.dtype));
  return array;
}

Array load_idx(const std::filesystem::path& path, size_t limit) { return parse_idx(MappedFile(path).bytes(), path.string(), limit); }

}  // namespace tg::io
