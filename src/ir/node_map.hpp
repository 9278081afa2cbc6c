#pragma once
// A flat table from nodes, or what else has an address, to values, for walks over graphs: no order, and no allocation for the first few.
//
//   NodeMap<int> depth;   auto [value, fresh] = depth.add(u.node());   const int* d = depth.find(u.node())
#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace tg::detail {

template <class V>
class NodeMap {
 public:
  const V* find(const void* key) const {
    const Slot& s = slots()[place(key)];
    return s.key ? &s.value : nullptr;
  }
  bool contains(const void* key) const { return find(key) != nullptr; }
  /// The value of the key, and whether it is new. Valid until the next add.
  std::pair<V&, bool> add(const void* key) {
    if (2 * (count_ + 1) > size_t{1} << bits_) grow();
    const size_t i = place(key);
    Slot& s = many_.empty() ? few_[i] : many_[i];
    const bool fresh = !s.key;
    if (fresh) { s.key = key; ++count_; }
    return {s.value, fresh};
  }

 private:
  struct Slot {
    const void* key = nullptr;
    V value{};
  };
  const Slot* slots() const { return many_.empty() ? few_.data() : many_.data(); }
  size_t place(const void* key) const {  // of the key's slot, or of the empty one where it belongs
    size_t i = static_cast<size_t>((reinterpret_cast<uintptr_t>(key) * 0x9e3779b97f4a7c15u) >> (64 - bits_));
    for (const Slot* s = slots(); s[i].key && s[i].key != key;) i = (i + 1) & ((size_t{1} << bits_) - 1);
    return i;
  }
  void grow() {
    std::vector<Slot> old(size_t{2} << bits_++);
    old.swap(many_);
    for (Slot& s : old.empty() ? std::span<Slot>(few_) : std::span<Slot>(old)) if (s.key) many_[place(s.key)] = std::move(s);
  }

  int bits_ = 5;
  std::array<Slot, 32> few_;
  std::vector<Slot> many_;  // in its place, where there are more
  size_t count_ = 0;
};

}  // namespace tg::detail
