// Memory first, then SQLite in write-ahead mode, whose own locking makes many processes safe.
#include "runtime/cache.hpp"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/env.hpp"
#include "base/log.hpp"

namespace tg {

/// SQLite said no.
struct DiskError {
  int code;
  std::string message;
};

namespace {

namespace fs = std::filesystem;

constexpr int64_t kSecondsADay = 86400;  // how exactly "last used" is known
constexpr const char* kSchema =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
    "CREATE TABLE IF NOT EXISTS kernels (key BLOB PRIMARY KEY, sum BLOB NOT NULL, used INTEGER NOT NULL, value BLOB NOT NULL);"
    "CREATE INDEX IF NOT EXISTS kernels_by_use ON kernels (used);";

[[noreturn]] void fail(sqlite3* file) { throw DiskError{sqlite3_errcode(file) & 0xff, sqlite3_errmsg(file)}; }

/// One prepared statement; parameters are bound in the order given.
class Statement {
 public:
  template <typename... Parameters>
  Statement(sqlite3* file, const char* sql, const Parameters&... parameters) : file_(file) {
    if (sqlite3_prepare_v2(file, sql, -1, &statement_, nullptr) != SQLITE_OK) fail(file);
    int place = 0;
    (bind(++place, parameters), ...);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// True while there are rows.
  bool step() {
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) fail(file_);
    return code == SQLITE_ROW;
  }
  std::string_view bytes(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return {data, data ? static_cast<size_t>(sqlite3_column_bytes(statement_, column)) : 0};
  }
  int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  void bind(int place, int64_t value) { sqlite3_bind_int64(statement_, place, value); }
  void bind(int place, std::string_view value) {
    sqlite3_bind_blob64(statement_, place, value.empty() ? "" : value.data(), value.size(), SQLITE_STATIC);
  }
  sqlite3* file_;
  sqlite3_stmt* statement_ = nullptr;
};

void run(sqlite3* file, const char* sql) {
  if (sqlite3_exec(file, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(file);
}

std::string bytes_of(const Hash128& h) { return std::string(reinterpret_cast<const char*>(&h), sizeof h); }
/// Of key and value, so that a value under the wrong key is noticed too.
std::string checksum(Hash128 key, std::string_view value) { return bytes_of(hash_of(value, key)); }

/// Kernels are run: whoever can write the directory can run code as us.
void make_directory(const std::string& path) {
  fs::create_directories(path);
  struct stat facts;
  if (stat(path.c_str(), &facts) != 0) throw fs::filesystem_error("cannot look at", path, std::error_code(errno, std::generic_category()));
  if (facts.st_uid != geteuid() || (facts.st_mode & S_IWOTH))
    throw DiskError{SQLITE_PERM, "the directory belongs to another user or may be written by everyone; choose another with TG_CACHE_DIR"};
}

sqlite3* open(const std::string& path, int busy_milliseconds) {
  sqlite3* file = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  try {
    if (sqlite3_open_v2(path.c_str(), &file, flags, nullptr) != SQLITE_OK) fail(file);
    sqlite3_busy_timeout(file, busy_milliseconds);
    // who changes the journal's mode while another does is told at once that the file is busy, whatever the timeout
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(busy_milliseconds);
    while (true) {
      try {
        run(file, kSchema);
        return file;
      } catch (const DiskError& e) {
        if (e.code != SQLITE_BUSY || std::chrono::steady_clock::now() >= until) throw;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  } catch (const DiskError&) {
    sqlite3_close(file);
    throw;
  }
}

bool damaged(const DiskError& e) { return e.code == SQLITE_NOTADB || e.code == SQLITE_CORRUPT; }

void put_aside(const std::string& path) {
  std::error_code ignored;  // another process may have done it
  fs::rename(path, path + ".damaged", ignored);
  fs::remove(path + "-wal", ignored);
  fs::remove(path + "-shm", ignored);
}

}  // namespace

CompileCache::CompileCache(CacheOptions options)
    : options_(std::move(options)), memory_(static_cast<size_t>(options_.memory_bytes)), wanted_(!options_.directory.empty()),
      fork_([](void* self) { static_cast<CompileCache*>(self)->file_ = nullptr; }, this) {}

CompileCache::~CompileCache() { close(); }

std::optional<std::string> CompileCache::get(Hash128 key) {
  const std::lock_guard lock(mutex_);
  if (const std::string* known = memory_.find(key)) {
    ++counts_.memory_hits;
    return *known;
  }
  std::optional<std::string> value;
  try {
    use_disk();
    if (file_) value = read(key);
  } catch (const DiskError& e) { give_up(e); }
  ++(value ? counts_.disk_hits : counts_.misses);
  if (value) (void)memory_.put(key, *value, value->size());
  return value;
}

void CompileCache::put(Hash128 key, std::string_view value) {
  const std::lock_guard lock(mutex_);
  ++counts_.puts;
  (void)memory_.put(key, std::string(value), value.size());
  try {
    use_disk();
    if (file_) write(key, value);
  } catch (const DiskError& e) { give_up(e); }
}

CompileCache::Counts CompileCache::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::string CompileCache::path() const { return options_.directory + "/kernels.sqlite"; }

bool CompileCache::on_disk() const {
  const std::lock_guard lock(mutex_);
  return file_ != nullptr;
}

CompileCache& CompileCache::shared() {
  // never destroyed, only closed at exit: static objects of the user may still compile while they go
  static CompileCache* const cache = new CompileCache({.directory = settings().cache ? settings().cache_dir : ""});
  static const struct Closer {
    ~Closer() {
      const std::lock_guard lock(cache->mutex_);
      cache->close();
    }
  } closer;
  return *cache;
}

/// Opens the file if it is wanted and not open. A damaged one is put aside, once.
void CompileCache::use_disk() {
  if (file_ || !wanted_) return;
  const std::string where = path();
  try {
    make_directory(options_.directory);
    try {
      file_ = open(where, options_.busy_milliseconds);
    } catch (const DiskError& e) {
      if (!damaged(e)) throw;
      log_warning(fmt::format("the compile cache {} is damaged ({}); it is kept as {}.damaged and begun anew", where, e.message, where));
      put_aside(where);
      file_ = open(where, options_.busy_milliseconds);
    }
    Statement total(file_, "SELECT ifnull(sum(length(value)), 0) FROM kernels");
    total.step();
    disk_bytes_ = total.number(0);
  } catch (const fs::filesystem_error& e) { throw DiskError{SQLITE_CANTOPEN, e.code().message()}; }
}

void CompileCache::close() noexcept {
  sqlite3_close(std::exchange(file_, nullptr));
  wanted_ = false;
}

void CompileCache::give_up(const DiskError& e) {
  close();
  if (damaged(e)) put_aside(path());  // the next process begins anew
  log_warning(fmt::format("the compile cache in {} is not used any more by this process: {}. Kernels are compiled anew; TG_CACHE_DIR names "
                          "another directory, TG_CACHE=0 does without",
                          options_.directory, e.message));
}

std::optional<std::string> CompileCache::read(Hash128 key) {
  const std::string id = bytes_of(key);
  Statement select(file_, "SELECT value, sum, used FROM kernels WHERE key = ?", std::string_view(id));
  if (!select.step()) return {};
  std::string value(select.bytes(0));
  if (select.bytes(1) != checksum(key, value)) return {};  // damaged or foreign: to be compiled anew, and then replaced
  const int64_t now = std::time(nullptr);
  if (now - select.number(2) > kSecondsADay)
    Statement(file_, "UPDATE kernels SET used = ? WHERE key = ?", now, std::string_view(id)).step();
  return value;
}

void CompileCache::write(Hash128 key, std::string_view value) {
  const std::string id = bytes_of(key), sum = checksum(key, value);
  Statement(file_, "INSERT OR REPLACE INTO kernels (key, sum, used, value) VALUES (?, ?, ?, ?)", std::string_view(id),
            std::string_view(sum), int64_t{std::time(nullptr)}, value)
      .step();
  disk_bytes_ += static_cast<int64_t>(value.size());
  if (disk_bytes_ > options_.disk_bytes) evict();
}

/// Down to three quarters of the cap, the longest unused first.
void CompileCache::evict() {
  const int64_t target = options_.disk_bytes / 4 * 3;
  Statement(file_,
            "DELETE FROM kernels WHERE rowid IN (SELECT rowid FROM (SELECT rowid, sum(length(value)) OVER (ORDER BY used DESC, rowid DESC) "
            "AS bytes FROM kernels) WHERE bytes > ?)",
            target)
      .step();
  Statement total(file_, "SELECT ifnull(sum(length(value)), 0) FROM kernels");
  total.step();
  disk_bytes_ = total.number(0);
}

}  // namespace tg
