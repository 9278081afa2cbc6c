#pragma once
// A flat table from nodes, or what else has an address, to values, for walks over graphs: one allocation, no order.
//
//   NodeMap<int> depth;   auto [value, fresh] = depth.add(u.node());   const int* d = depth.find(u.node())
#include <cstdint>
#include <utility>
#include <vector>

namespace tg::detail {

template <class V>
class NodeMap {
 public:
  const V* find(const void* key) const {
    if (slots_.empty()) return nullptr;
    const Slot& s = slots_[at(key)];
    return s.key ? &s.value : nullptr;
  }
  bool contains(const void* key) const { return find(key) != nullptr; }
  /// The value of the key, and whether it is new. Valid until the next add.
  std::pair<V&, bool> add(const void* key) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    Slot& s = slots_[at(key)];
    const bool fresh = !s.key;
    if (fresh) { s.key = key; ++count_; }
    return {s.value, fresh};
  }

 private:
  struct Slot {
    const void* key = nullptr;
    V value{};
  };
  size_t at(const void* key) const {  // the key's slot, or the empty one where it belongs
    size_t i = static_cast<size_t>((reinterpret_cast<uintptr_t>(key) * 0x9e3779b97f4a7c15u) >> shift_);
    while (slots_[i].key && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
    return i;
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 32 : 2 * slots_.size());
    shift_ = slots_.empty() ? 64 - 5 : shift_ - 1;
    old.swap(slots_);
    for (Slot& s : old) if (s.key) slots_[at(s.key)] = std::move(s);
  }

  std::vector<Slot> slots_;
  size_t count_ = 0;
  int shift_ = 0;
};

}  // namespace tg::detail
