#pragma once
// Compiled kernels by the hash of everything that decided them, kept in memory and in one SQLite file shared by all processes.
//
//   CompileCache& cache = CompileCache::shared();
//   std::optional<std::string> object = cache.get(key);   if (!object) cache.put(key, *(object = device.compile(text)));
//
// The file is <directory>/kernels.sqlite. A file that is damaged is put aside and begun anew; one that is locked for long, cannot be
// written or has no room left is given up for the rest of the process: one warning in the log, and memory alone serves on.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/fork.hpp"
#include "base/recent.hpp"
#include "tg/ir/hash.hpp"

struct sqlite3;

namespace tg {

struct DiskError;

struct CacheOptions {
  std::string directory = "";                 // made where missing; empty: memory only
  int64_t disk_bytes = int64_t{512} << 20;    // beyond this the values unused for longest go
  int64_t memory_bytes = int64_t{32} << 20;   // beyond this the values unused for longest go from memory
  int busy_milliseconds = 2000;               // how long to wait for another process
};

class CompileCache {
 public:
  explicit CompileCache(CacheOptions options);
  ~CompileCache();
  CompileCache(const CompileCache&) = delete;
  CompileCache& operator=(const CompileCache&) = delete;

  /// The value put under that key, by this process or another; checked against its checksum. Never throws for the disk's sake.
  std::optional<std::string> get(Hash128 key);
  void put(Hash128 key, std::string_view value);

  struct Counts {
    int64_t memory_hits = 0, disk_hits = 0, misses = 0, puts = 0;
  };
  Counts counts() const;
  /// Whether the file is in use: false when there is none, or when it was given up.
  bool on_disk() const;

  /// The process's cache, of settings().cache and cache_dir.
  static CompileCache& shared();

 private:
  std::string path() const;
  void use_disk();
  void close() noexcept;
  void give_up(const DiskError&);
  std::optional<std::string> read(Hash128 key);
  void write(Hash128 key, std::string_view value);
  void evict();

  const CacheOptions options_;
  mutable Mutex mutex_;
  Recent<Hash128, std::string> memory_;
  sqlite3* file_ = nullptr;
  bool wanted_;             // the disk: until given up or closed
  int64_t disk_bytes_ = 0;  // as last counted, and what this process has added
  Counts counts_;
  InChild fork_;  // a connection does not survive a fork: the child opens its own
};

}  // namespace tg
