// Whole-file reading, mapping, gzip and atomic replacement, through full disks and kills.
#include "io/file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zlib.h>

#include "io_testing.hpp"

namespace tg::io {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

std::vector<std::byte> gzip(const std::vector<std::byte>& bytes) {
  z_stream s{};
  deflateInit2(&s, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
  std::vector<std::byte> out(deflateBound(&s, bytes.size()) + 32);
  s.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
  s.avail_in = static_cast<uInt>(bytes.size());
  s.next_out = reinterpret_cast<Bytef*>(out.data());
  s.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&s, Z_FINISH), Z_STREAM_END);
  deflateEnd(&s);
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(s.total_out)};
}

TEST(File, ReadsWhatWasWritten) {
  TempDir dir;
  for (size_t n : {0, 1, 4095, 4096, 100'000}) {
    std::vector<std::byte> bytes(n);
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>(i * 7);
    write_file(dir / "f", bytes);
    EXPECT_EQ(read_file(dir / "f"), bytes);
    const MappedFile map(dir / "f");
    EXPECT_TRUE(std::ranges::equal(map.bytes(), bytes));
  }
  EXPECT_EQ(dir.files(), 1u);
}

TEST(File, ReadsWhatHasNoSize) {
  EXPECT_FALSE(read_file("/proc/self/status").empty());
  EXPECT_EQ(error_of([] { read_file("/dev/zero", 100'000); }), "/dev/zero: holds more than the 100,000 bytes allowed here");
}

TEST(File, LimitIsExact) {
  TempDir dir;
  write_file(dir / "f", std::string_view("12345"));
  EXPECT_EQ(read_file(dir / "f", 5).size(), 5u);
  EXPECT_THAT(error_of([&] { read_file(dir / "f", 4); }), EndsWith("f: holds more than the 4 bytes allowed here"));
}

TEST(File, MissingAndUnreadable) {
  TempDir dir;
  EXPECT_EQ(error_of([&] { read_file("/nowhere/f"); }), "/nowhere/f: cannot open: No such file or directory");
  EXPECT_EQ(error_of([&] { MappedFile("/nowhere/f"); }), "/nowhere/f: cannot open: No such file or directory");
  EXPECT_EQ(error_of([&] { read_file("/tmp"); }), "/tmp: cannot read: Is a directory");
  EXPECT_EQ(error_of([&] { MappedFile("/tmp"); }), "/tmp: cannot be mapped: not a regular file");
}

TEST(File, MappingMoves) {
  TempDir dir;
  write_file(dir / "a", std::string_view("aa"));
  write_file(dir / "b", std::string_view("bbb"));
  MappedFile a(dir / "a"), b(dir / "b");
  MappedFile c = std::move(a);
  c = std::move(b);
  EXPECT_EQ(c.bytes().size(), 3u);
  EXPECT_EQ(c.bytes()[2], std::byte{'b'});
}

TEST(AtomicFile, NothingChangesWithoutCommit) {
  TempDir dir;
  write_file(dir / "f", std::string_view("old"));
  {
    AtomicFile file(dir / "f");
    file.write("new and longer");
  }
  EXPECT_EQ(read_file(dir / "f"), bytes_of("old"));
  EXPECT_EQ(dir.files(), 1u);
}

TEST(AtomicFile, UnwritablePlaces) {
  TempDir dir;
  write_file(dir / "f", std::string_view("x"));
  EXPECT_EQ(error_of([] { write_file("/nowhere/f", std::string_view("x")); }), "/nowhere/f: cannot write: No such file or directory");
  EXPECT_THAT(error_of([&] { write_file(dir / "f/g", std::string_view("x")); }), EndsWith("f/g: cannot write: Not a directory"));
  EXPECT_EQ(error_of([] { write_file("/tmp", std::string_view("x")); }), "/tmp: cannot write: not a regular file");
  EXPECT_EQ(error_of([] { write_file("/dev/null", std::string_view("x")); }), "/dev/null: cannot write: not a regular file");
  EXPECT_EQ(dir.files(), 1u);
}

TEST(AtomicFile, KeepsModeAndLinks) {
  TempDir dir;
  write_file(dir / "target", std::string_view("1"));
  std::filesystem::permissions(dir / "target", std::filesystem::perms{0640});
  std::filesystem::create_symlink(dir / "target", dir / "link");
  write_file(dir / "link", std::string_view("2"));
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "link"));
  EXPECT_EQ(read_file(dir / "target"), bytes_of("2"));
  EXPECT_EQ(std::filesystem::status(dir / "target").permissions(), std::filesystem::perms{0640});
}

TEST(AtomicFile, FullDiskLeavesTheOldFile) {
  TempDir dir;
  write_file(dir / "f", std::string_view("old"));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{10'000, before.rlim_max};  // the kernel then refuses writes past 10,000 bytes, as a full disk would
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = error_of([&] { write_file(dir / "f", std::vector<std::byte>(20'000)); });
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_THAT(message, EndsWith("f: cannot write: File too large"));
  EXPECT_EQ(read_file(dir / "f"), bytes_of("old"));
  EXPECT_EQ(dir.files(), 1u);
}

TEST(AtomicFile, KilledAtAnyMomentLosesNothing) {
  TempDir dir;
  const std::filesystem::path path = dir / "f";
  write_file(path, std::vector<std::byte>(50'000, std::byte{0}));
  for (int round = 0; round < 30; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      for (int fill = 1;; fill = (fill + 1) % 256) write_file(path, std::vector<std::byte>(50'000, static_cast<std::byte>(fill)));
    }
    usleep(static_cast<useconds_t>(200 + 331 * round));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const std::vector<std::byte> bytes = read_file(path);
    ASSERT_EQ(bytes.size(), 50'000u);
    ASSERT_EQ(std::ranges::count(bytes, bytes[0]), 50'000);
  }
}

TEST(Gzip, RoundTripAndMembers) {
  for (size_t n : {0, 1, 1000, 16384, 16385, 1'000'000}) {
    std::vector<std::byte> bytes(n);
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>(i * i / 100);
    const std::vector<std::byte> packed = gzip(bytes);
    EXPECT_TRUE(is_gzip(packed));
    EXPECT_EQ(gunzip(packed, n, "x"), bytes);
    EXPECT_EQ(gunzip_prefix(packed, 10, "x").size(), std::min(n, size_t{10}));
    std::vector<std::byte> twice = packed;
    twice.insert(twice.end(), packed.begin(), packed.end());
    EXPECT_EQ(gunzip(twice, 2 * n, "x").size(), 2 * n);
  }
}

TEST(Gzip, RefusesBombs) {
  const std::vector<std::byte> bomb = gzip(std::vector<std::byte>(50'000'000));
  EXPECT_LT(bomb.size(), 60'000u);
  EXPECT_EQ(error_of([&] { gunzip(bomb, 1000, "b.gz"); }), "b.gz: gzip data inflates to more than the 1,000 bytes expected");
  EXPECT_EQ(gunzip_prefix(bomb, 1000, "b.gz").size(), 1000u);
}

TEST(Gzip, RefusesDamage) {
  std::vector<std::byte> bytes(5000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * i / 100);
  const std::vector<std::byte> packed = gzip(bytes);
  attack(packed, packed.size(), [&](std::span<const std::byte> in) {
    if (gunzip(in, 6000, "x") != bytes) throw Error("damage went unnoticed");
  });
  std::vector<std::byte> cut(packed.begin(), packed.end() - 3), tail = packed, sum = packed;
  EXPECT_THAT(error_of([&] { gunzip(cut, 6000, "x.gz"); }), HasSubstr("x.gz: gzip data is truncated: it ends after"));
  tail.push_back(std::byte{'!'});
  EXPECT_EQ(error_of([&] { gunzip(tail, 6000, "x.gz"); }), "x.gz: 1 bytes follow the end of the gzip data");
  sum[sum.size() - 6] ^= std::byte{1};
  EXPECT_THAT(error_of([&] { gunzip(sum, 6000, "x.gz"); }), EndsWith("incorrect data check"));
  EXPECT_THAT(error_of([&] { gunzip({}, 10, "x.gz"); }), HasSubstr("truncated"));
}

}  // namespace
}  // namespace tg::io
