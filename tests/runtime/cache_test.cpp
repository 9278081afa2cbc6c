// The compile cache: across instances and processes, and everything that can go wrong with a file.
#include "runtime/cache.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include "base/log.hpp"

namespace tg {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct Cache : testing::Test {
  fs::path directory;
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tg_cache_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory = name;
  }
  void TearDown() override { fs::remove_all(directory); }

  fs::path file() const { return directory / "kernels.sqlite"; }
  CacheOptions here() const { return {.directory = directory.string(), .busy_milliseconds = 100}; }
  void execute(const char* sql) const {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
};

Hash128 key(uint64_t i) { return mix(kHashSeed, i); }
std::string value(uint64_t i, size_t bytes = 1000) {
  std::string v(bytes, '\0');
  for (size_t b = 0; b < bytes; ++b) v[b] = static_cast<char>(i * 31 + b * 7);
  return v;
}

/// Runs f in a child; its result is the child's exit code.
template <typename F>
int in_child(F f) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(f());
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(Cache, RemembersInMemoryAndOnDisk) {
  {
    CompileCache cache(here());
    EXPECT_FALSE(cache.get(key(1)).has_value());
    cache.put(key(1), value(1));
    cache.put(key(2), "");
    EXPECT_EQ(cache.get(key(1)), value(1));
    EXPECT_EQ(cache.counts().memory_hits, 1);
    EXPECT_EQ(cache.counts().misses, 1);
    EXPECT_TRUE(cache.on_disk());
  }
  CompileCache again(here());
  EXPECT_EQ(again.get(key(1)), value(1));
  EXPECT_EQ(again.get(key(2)), "");
  EXPECT_FALSE(again.get(key(3)).has_value());
  EXPECT_EQ(again.counts().disk_hits, 2);
}

TEST_F(Cache, MemoryOnly) {
  CompileCache cache(CacheOptions{});
  cache.put(key(1), value(1));
  EXPECT_EQ(cache.get(key(1)), value(1));
  EXPECT_FALSE(cache.on_disk());
  CompileCache small({.memory_bytes = 2500});
  for (uint64_t i = 0; i < 10; ++i) small.put(key(i), value(i));
  EXPECT_EQ(small.get(key(9)), value(9));
  EXPECT_FALSE(small.get(key(0)).has_value());
}

TEST_F(Cache, ManyProcessesAndThreads) {
  std::vector<pid_t> children;
  for (uint64_t p = 0; p < 4; ++p) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      CacheOptions patient = here();
      patient.busy_milliseconds = 20000;
      CompileCache cache(patient);
      std::vector<std::thread> threads;
      std::atomic<int> wrong = 0;
      for (uint64_t t = 0; t < 2; ++t)
        threads.emplace_back([&, t] {
          for (uint64_t i = 0; i < 40; ++i) {
            const uint64_t k = (i * (p + t + 1)) % 40;
            const auto got = cache.get(key(k));
            if (!got) cache.put(key(k), value(k));
            if (got && *got != value(k)) ++wrong;
          }
        });
      for (std::thread& t : threads) t.join();
      _exit(wrong + !cache.on_disk());
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  CompileCache cache(here());
  for (uint64_t i = 0; i < 40; ++i) EXPECT_EQ(cache.get(key(i)), value(i)) << i;
}

TEST_F(Cache, AForkedChildOpensItsOwnConnection) {
  CompileCache cache(here());
  cache.put(key(1), value(1));
  EXPECT_EQ(in_child([&] {
              cache.put(key(2), value(2));
              return cache.get(key(1)) == value(1) && cache.on_disk() ? 0 : 1;
            }),
            0);
  EXPECT_EQ(cache.get(key(2)), value(2));
  cache.put(key(3), value(3));
  EXPECT_TRUE(cache.on_disk());
}

TEST_F(Cache, AKilledWriterLosesNothingThatWasComplete) {
  for (int round = 0; round < 5; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      CompileCache cache(here());
      for (uint64_t i = 0;; ++i) cache.put(key(i), value(i, 20000));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    CompileCache cache(here());
    for (uint64_t i = 0; i < 20; ++i) EXPECT_EQ(cache.get(key(i)).value_or(value(i, 20000)), value(i, 20000));
    EXPECT_TRUE(cache.on_disk());
  }
}

TEST_F(Cache, DamagedFilesAreBegunAnew) {
  std::ofstream(file()) << std::string(5000, 'x');
  LogCapture lines(1);
  {
    CompileCache cache(here());
    EXPECT_FALSE(cache.get(key(1)).has_value());
    cache.put(key(1), value(1));
    EXPECT_TRUE(cache.on_disk());
  }
  EXPECT_THAT(lines.text(), HasSubstr("is damaged"));
  EXPECT_TRUE(fs::exists(file().string() + ".damaged"));
  EXPECT_EQ(CompileCache(here()).get(key(1)), value(1));
}

TEST_F(Cache, DamagedValuesAreNeverUsed) {
  {
    CompileCache cache(here());
    for (uint64_t i = 0; i < 30; ++i) cache.put(key(i), value(i));
  }
  execute(
      "UPDATE kernels SET value = zeroblob(1000) WHERE rowid = 1;"
      "UPDATE kernels SET value = (SELECT value FROM kernels WHERE rowid = 3), "
      "sum = (SELECT sum FROM kernels WHERE rowid = 3) WHERE rowid = 2");
  {
    CompileCache cache(here());
    EXPECT_FALSE(cache.get(key(0)).has_value());
    EXPECT_FALSE(cache.get(key(1)).has_value());  // another key's value
    EXPECT_EQ(cache.get(key(2)), value(2));
    cache.put(key(0), value(0));
  }
  EXPECT_EQ(CompileCache(here()).get(key(0)), value(0));

  std::mt19937 random(5);
  const auto size = fs::file_size(file());
  for (int round = 0; round < 40; ++round) {
    {
      std::fstream bytes(file(), std::ios::in | std::ios::out | std::ios::binary);
      for (int k = 0; k < 20; ++k) {
        bytes.seekp(static_cast<std::streamoff>(random() % size));
        bytes.put(static_cast<char>(random()));
      }
    }
    CompileCache cache(here());
    for (uint64_t i = 0; i < 30; ++i) {
      ASSERT_EQ(cache.get(key(i)).value_or(value(i)), value(i));
      cache.put(key(i), value(i));
      ASSERT_EQ(cache.get(key(i)), value(i));
    }
  }
}

TEST_F(Cache, LockedFilesAreGivenUpWithOneWarning) {
  CompileCache(here()).put(key(1), value(1));
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
  LogCapture lines(1);
  CompileCache cache(here());
  cache.put(key(2), value(2));
  cache.put(key(3), value(3));
  EXPECT_EQ(cache.get(key(3)), value(3));
  EXPECT_FALSE(cache.on_disk());
  EXPECT_THAT(lines.text(), HasSubstr("database is locked"));
  EXPECT_THAT(lines.text(), HasSubstr("TG_CACHE_DIR"));
  EXPECT_EQ(lines.text().find("warning"), lines.text().rfind("warning"));
  sqlite3_close(other);
}

TEST_F(Cache, UnusableDirectoriesAreGivenUp) {
  std::ofstream(directory / "plain") << "a file";
  fs::create_directory(directory / "open");
  fs::permissions(directory / "open", fs::perms::all);
  fs::create_directories(directory / "odd" / "kernels.sqlite");
  for (const char* name : {"plain/below", "open", "odd"}) {
    LogCapture lines(1);
    CompileCache cache({.directory = (directory / name).string()});
    cache.put(key(1), value(1));
    EXPECT_EQ(cache.get(key(1)), value(1));
    EXPECT_FALSE(cache.on_disk()) << name;
    EXPECT_THAT(lines.text(), HasSubstr("warning: the compile cache in ")) << name;
  }
}

TEST_F(Cache, AFullDiskIsGivenUp) {
  EXPECT_EQ(in_child([&] {
              signal(SIGXFSZ, SIG_IGN);
              const rlimit small{200000, 200000};
              setrlimit(RLIMIT_FSIZE, &small);
              LogCapture lines(1);
              CompileCache cache(here());
              for (uint64_t i = 0; i < 40; ++i) cache.put(key(i), value(i, 20000));
              for (uint64_t i = 0; i < 40; ++i)
                if (cache.get(key(i)) != value(i, 20000)) return 1;
              return cache.on_disk() ? 2 : lines.text().empty() ? 3 : 0;
            }),
            0);
  CompileCache cache(here());
  cache.put(key(99), value(99));
  EXPECT_TRUE(cache.on_disk());
}

TEST_F(Cache, KeepsItsSizeByDroppingTheLongestUnused) {
  CacheOptions small = here();
  small.disk_bytes = 100000;
  {
    CompileCache cache(small);
    for (uint64_t i = 0; i < 80; ++i) cache.put(key(i), value(i));
    execute("UPDATE kernels SET used = used - 1000000");
  }
  {
    CompileCache cache(small);
    EXPECT_EQ(cache.get(key(3)), value(3));  // used again: now the youngest but for what follows
    for (uint64_t i = 100; i < 140; ++i) cache.put(key(i), value(i));
  }
  CompileCache cache(small);
  int kept = 0;
  for (uint64_t i = 0; i < 140; ++i) kept += cache.get(key(i)).has_value();
  EXPECT_LE(kept, 100);
  EXPECT_GE(kept, 60);
  EXPECT_EQ(cache.get(key(139)), value(139));
  EXPECT_EQ(cache.get(key(3)), value(3));
  EXPECT_FALSE(cache.get(key(0)).has_value());
}

}  // namespace
}  // namespace tg
