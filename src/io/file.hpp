#pragma once
// Whole files: read, mapped, inflated, and replaced in one step.
//
//   std::vector<std::byte> bytes = read_file("a.bin");
//   MappedFile map("weights.safetensors");  map.bytes().size()
//   AtomicFile out("model.safetensors");  out.write(header);  out.write(body);  out.commit();
//   std::vector<std::byte> text = gunzip(bytes, 1 << 20, "a.gz");
//
// Everything throws IoError that starts with the path and, where the system refused, ends with its reason.
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tg::io {

/// More than this is not read into memory at once; larger files are mapped.
inline constexpr size_t kMaxFileBytes = size_t{1} << 32;

/// The bytes of a file. IoError where it cannot be read or holds more than `limit`.
std::vector<std::byte> read_file(const std::filesystem::path& path, size_t limit = kMaxFileBytes);

/// A regular file seen as memory, read-only. As with every mapping, a file that another process shortens meanwhile must not be touched
/// past its new end; files replaced by AtomicFile keep their old content for whoever has them mapped.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

/// Writes a file so that at any moment, a kill or a full disk included, `path` holds either all of its old content or all of its new:
/// the bytes go to a temporary file beside it, reach the disk, and take the name in commit(). Without commit() nothing changes.
/// The mode of a file that is replaced is kept, and a symbolic link keeps pointing to it.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int fd_ = -1;
};

void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file(const std::filesystem::path& path, std::string_view text);

/// True if the bytes open as gzip does.
bool is_gzip(std::span<const std::byte> bytes);

/// The content of gzip data (one or more members), its checksum verified. IoError (starting with `where`) where the data is truncated,
/// corrupt or followed by anything else, or the content exceeds `limit` bytes; memory stays within twice the content and the limit.
std::vector<std::byte> gunzip(std::span<const std::byte> bytes, size_t limit, const std::string& where);

/// The first `count` bytes of the content (fewer if it is shorter); what comes after is not looked at.
std::vector<std::byte> gunzip_prefix(std::span<const std::byte> bytes, size_t count, const std::string& where);

}  // namespace tg::io
