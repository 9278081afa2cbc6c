#pragma once
// What the io tests share: bytes from text, a folder of their own, and the hunt for input that a reader takes badly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "fuzzing.hpp"
#include "tg/error.hpp"

namespace tg::io {

inline std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

/// A folder that is made for a test and removed with it.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "tg-io-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw IoError("no temporary folder");
    path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  size_t files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path path_;
};

/// The message of the IoError that `run` must throw.
template <class E = IoError>
std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const E& e) { return e.what(); } catch (const std::exception& e) {
    return std::string("another exception: ") + e.what();
  }
  return "no exception";
}

/// Feeds the reader every truncation of `good` (which must all fail unless they are long enough: `may_succeed_from`) and every byte of
/// its first `header` bytes set to other values, all of them where that many are few and TG_FUZZ does not ask for less. Each must succeed
/// or throw IoError; anything else, or a crash, fails the test.
inline void attack(const std::vector<std::byte>& good, size_t header, const std::function<void(std::span<const std::byte>)>& read,
                   size_t may_succeed_from = SIZE_MAX) {
  ASSERT_NO_THROW(read(good));
  for (size_t n = 0; n < good.size(); n += n < 600 ? 1 : 1 + good.size() / 500) {
    const std::vector<std::byte> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n));  // own memory: overruns are seen
    if (n >= may_succeed_from) {
      try {
        read(cut);
      } catch (const IoError&) {}
    } else {
      ASSERT_THROW(read(cut), IoError) << "cut to " << n << " of " << good.size() << " bytes";
    }
  }
  std::vector<int> flips{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff, 0x55};
  if (header <= 512 && fuzz_budget() >= 1) for (flips.clear(); flips.size() < 255;) flips.push_back(static_cast<int>(flips.size()) + 1);
  for (size_t at = 0; at < std::min(header, good.size()); ++at) {
    for (int flip : flips) {
      std::vector<std::byte> bad = good;
      bad[at] ^= static_cast<std::byte>(flip);
      try {
        read(bad);
      } catch (const IoError& e) { ASSERT_LT(std::string(e.what()).size(), 1000u); } catch (const std::exception& e) {
        FAIL() << "byte " << at << " xor " << flip << ": " << e.what();
      }
    }
  }
}

}  // namespace tg::io
