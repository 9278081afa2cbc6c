// Reading, mapping and atomically writing files through POSIX calls.
#include "io/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "io/array.hpp"
#include "tg/error.hpp"

namespace tg::io {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int error) {
  throw IoError(fmt::format("{}: {}: {}", path.string(), what, std::generic_category().message(error)));
}

/// A descriptor that closes itself.
struct Descriptor {
  explicit Descriptor(const std::filesystem::path& path) : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd < 0) fail(path, "cannot open", errno);
  }
  ~Descriptor() { ::close(fd); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd;
};

/// The file behind a symbolic link, so that replacing it leaves the link alone.
std::filesystem::path resolved(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_symlink(path, ignored)) return path;
  std::filesystem::path target = std::filesystem::canonical(path, ignored);
  return target.empty() ? path : target;
}

}  // namespace

std::vector<std::byte> read_file(const std::filesystem::path& path, size_t limit) {
  const Descriptor file(path);
  struct stat info{};
  if (::fstat(file.fd, &info) != 0) fail(path, "cannot read", errno);
  std::vector<std::byte> bytes;
  const size_t expected = S_ISREG(info.st_mode) ? static_cast<size_t>(info.st_size) : 0;
  for (size_t used = 0;;) {  // one byte of room beyond what is expected finds the end, and growth, without asking again
    if (used == bytes.size()) bytes.resize(std::min(std::max({expected, 2 * used, size_t{4095}}), limit) + 1);
    const ssize_t got = ::read(file.fd, bytes.data() + used, bytes.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "cannot read", errno);
    used += static_cast<size_t>(got);
    if (used > limit) throw IoError(fmt::format("{}: holds more than the {} bytes allowed here", path.string(), with_commas(limit)));
    if (got == 0) {
      bytes.resize(used);
      return bytes;
    }
  }
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file(path);
  struct stat info{};
  if (::fstat(file.fd, &info) != 0) fail(path, "cannot read", errno);
  if (!S_ISREG(info.st_mode)) throw IoError(fmt::format("{}: cannot be mapped: not a regular file", path.string()));
  const size_t size = static_cast<size_t>(info.st_size);
  if (size == 0) return;  // an empty mapping is refused by the system
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (data == MAP_FAILED) fail(path, "cannot map", errno);
  bytes_ = {static_cast<const std::byte*>(data), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(resolved(path)) {
  struct stat old{};
  const bool exists = ::stat(path_.c_str(), &old) == 0;
  if (exists && !S_ISREG(old.st_mode)) throw IoError(fmt::format("{}: cannot write: not a regular file", path_.string()));
  static std::atomic<unsigned> serial{0};
  do {  // a name is taken only if a process with our number was killed here; the next one is free
    temporary_ = path_.parent_path() / fmt::format(".tg-{}-{}.tmp", ::getpid(), serial++);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd_ < 0 && errno == EEXIST);
  if (fd_ < 0) fail(path_, "cannot write", errno);
  if (exists) (void)::fchmod(fd_, old.st_mode & 07777);
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd_, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail(path_, "cannot write", errno);
    bytes = bytes.subspan(static_cast<size_t>(wrote));
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) fail(path_, "cannot write", errno);
  if (::close(std::exchange(fd_, -1)) != 0) fail(path_, "cannot write", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "cannot write", errno);
  temporary_.clear();
  const std::filesystem::path parent = path_.parent_path();
  const Descriptor folder(parent.empty() ? "." : parent);
  if (::fsync(folder.fd) != 0 && errno != EINVAL) fail(path_, "cannot write", errno);  // some file systems have no fsync of folders
}

void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}
void write_file(const std::filesystem::path& path, std::string_view text) { write_file(path, std::as_bytes(std::span(text))); }

}  // namespace tg::io
