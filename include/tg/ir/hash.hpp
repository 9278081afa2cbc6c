#pragma once
// The 128-bit hash of structures and cache keys: the same in every run and on every machine.
//
//   Hash128 h = mix(mix(kHashSeed, 3), hash_of("Add"));   hex(h) == "0123456789abcdef..." (32 digits)
//
// Not cryptographic: 128 well-mixed bits make accidental collisions negligible. `mix` with a number is a permutation of the state
// (murmur3's 64-bit finalizer on each half, cross-added), so no state and no input is ever lost.
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tg {

/// 128 bits of which each depends on all that was mixed in.
struct Hash128 {
  uint64_t low = 0, high = 0;
  friend constexpr auto operator<=>(const Hash128&, const Hash128&) = default;
};

inline constexpr Hash128 kHashSeed{0x243f6a8885a308d3, 0x13198a2e03707344};  // digits of pi

namespace detail {
constexpr uint64_t scramble(uint64_t x) {
  x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
  x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
  return x ^ x >> 33;
}
}  // namespace detail

/// The hash of what h is of, followed by one thing more.
constexpr Hash128 mix(Hash128 h, uint64_t value) {
  const uint64_t low = detail::scramble(h.low ^ value);
  const uint64_t high = detail::scramble(h.high + low + 0x9e3779b97f4a7c15);
  return {low + std::rotl(high, 32), high};
}
/// The same with all of another hash.
constexpr Hash128 mix(Hash128 h, Hash128 other) { return mix(mix(h, other.low), other.high); }
/// That as well, at the price of one mix.
constexpr Hash128 absorb(Hash128 h, Hash128 other) {
  const uint64_t low = detail::scramble(h.low ^ other.low);
  const uint64_t high = detail::scramble((h.high + other.high) ^ std::rotl(low, 23));
  return {low + high, high};
}

/// Of the bytes and their number.
inline Hash128 hash_of(std::string_view bytes, Hash128 seed = kHashSeed) {
  Hash128 h = mix(seed, bytes.size());
  while (!bytes.empty()) {
    uint64_t word = 0;
    const size_t n = bytes.size() < 8 ? bytes.size() : 8;
    std::memcpy(&word, bytes.data(), n);
    h = mix(h, word);
    bytes.remove_prefix(n);
  }
  return h;
}

/// 32 lower-case digits, high half first.
inline std::string hex(Hash128 h) {
  std::string text(32, '0');
  for (int i = 0; i < 32; ++i) {
    const uint64_t half = i < 16 ? h.high : h.low;
    text[static_cast<size_t>(i)] = "0123456789abcdef"[half >> (60 - 4 * (i % 16)) & 15];
  }
  return text;
}

}  // namespace tg

/// For the standard library's containers.
template <>
struct std::hash<tg::Hash128> {
  size_t operator()(const tg::Hash128& h) const noexcept { return h.low; }
};
