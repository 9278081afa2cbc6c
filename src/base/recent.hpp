#pragma once
// A table of what was used last, up to a limit on how much that is altogether.
//
//   Recent<int, std::string> names(3);   names.put(1, "one", 2), names.put(2, "two", 1);   names.find(1);
//   names.put(3, "three", 1)             returns {"two"}: of 4, three may stay, and it was not asked for since
#include <cstddef>
#include <list>
#include <map>
#include <utility>
#include <vector>

namespace tg {

template <class Key, class Value>
class Recent {
 public:
  explicit Recent(size_t limit) : limit_(limit) {}

  /// Null where it is not kept; else it now counts as used.
  const Value* find(const Key& key) {
    const auto it = places_.find(key);
    if (it == places_.end()) return nullptr;
    order_.splice(order_.begin(), order_, it->second);
    return &it->second->value;
  }
  /// In place of what is under that key. Returns what is kept no longer, to be dropped where that may take its time; the newest is kept
  /// whatever its size.
  [[nodiscard]] std::vector<Value> put(const Key& key, Value value, size_t size) {
    std::vector<Value> dropped;
    if (const auto it = places_.find(key); it != places_.end()) drop(it->second, dropped);
    order_.push_front({key, std::move(value), size});
    places_[key] = order_.begin();
    size_ += size;
    while (size_ > limit_ && order_.size() > 1) drop(std::prev(order_.end()), dropped);
    return dropped;
  }
  [[nodiscard]] std::vector<Value> clear() {
    std::vector<Value> dropped;
    while (!order_.empty()) drop(order_.begin(), dropped);
    return dropped;
  }
  size_t size() const { return size_; }
  size_t count() const { return order_.size(); }
  /// Holds from the next put on.
  void set_limit(size_t limit) { limit_ = limit; }

 private:
  struct Entry {
    Key key;
    Value value;
    size_t size;
  };
  using Place = typename std::list<Entry>::iterator;
  void drop(Place place, std::vector<Value>& dropped) {
    dropped.push_back(std::move(place->value));
    size_ -= place->size;
    places_.erase(place->key);
    order_.erase(place);
  }

  std::list<Entry> order_;  // the one used last first
  std::map<Key, Place> places_;
  size_t size_ = 0, limit_;
};

}  // namespace tg
