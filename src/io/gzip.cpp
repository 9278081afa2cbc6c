// Inflating gzip data through zlib, with a limit on what comes out.
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "io/array.hpp"
#include "io/file.hpp"
#include "tg/error.hpp"

namespace tg::io {
namespace {

/// The content's first `count` bytes at most; if it is shorter, all of it, verified to the last byte of the input.
std::vector<std::byte> inflate_at_most(std::span<const std::byte> in, size_t count, const std::string& where) {
  struct Stream : z_stream {
    Stream() : z_stream{} {
      if (inflateInit2(this, 15 + 16) != Z_OK) throw IoError("zlib: out of memory");  // 16: a gzip header, not a zlib one
    }
    ~Stream() { inflateEnd(this); }
  } stream;
  const size_t size = in.size();
  std::vector<std::byte> out;
  for (size_t used = 0; used < count;) {
    if (used == out.size()) out.resize(std::min(count, std::max(2 * used, size_t{1} << 14)));
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
    stream.avail_in = static_cast<uInt>(std::min(in.size(), size_t{1} << 30));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = static_cast<uInt>(std::min(out.size() - used, size_t{1} << 30));
    const uInt given = stream.avail_in, room = stream.avail_out;
    const int status = inflate(&stream, Z_NO_FLUSH);
    in = in.subspan(given - stream.avail_in);
    used += room - stream.avail_out;
    if (status == Z_STREAM_END) {
      if (in.empty() || used == count) {
        out.resize(used);
        return out;
      }
      if (!is_gzip(in)) throw IoError(fmt::format("{}: {} bytes follow the end of the gzip data", where, with_commas(in.size())));
      inflateReset(&stream);
    } else if (status == Z_BUF_ERROR || (status == Z_OK && in.empty() && stream.avail_out > 0)) {
      throw IoError(fmt::format("{}: gzip data is truncated: it ends after {} bytes without an end mark", where, with_commas(size)));
    } else if (status != Z_OK) {
      throw IoError(fmt::format("{}: gzip data is corrupt near byte {}: {}", where, with_commas(size - in.size()),
                                stream.msg ? stream.msg : "unknown reason"));
    }
  }
  return out;
}

}  // namespace

bool is_gzip(std::span<const std::byte> bytes) { return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b}; }

std::vector<std::byte> gunzip(std::span<const std::byte> bytes, size_t limit, const std::string& where) {
  std::vector<std::byte> out = inflate_at_most(bytes, limit + 1, where);
  if (out.size() > limit)
    throw IoError(fmt::format("{}: gzip data inflates to more than the {} bytes expected", where, with_commas(limit)));
  return out;
}

std::vector<std::byte> gunzip_prefix(std::span<const std::byte> bytes, size_t count, const std::string& where) {
  return inflate_at_most(bytes, count, where);
}

}  // namespace tg::io
