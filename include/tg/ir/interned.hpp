#pragma once
// Interned<T>: a counted handle to the one copy of an immutable value. A copy is a pointer, equality is a compare.
//
//   Interned<std::string> a("x"), b("x");   a == b, and *a is the string
//
// What nobody has a handle to stays until that is so for a third of all values: most programs name the same ones again and again.
// T needs operator== and hash_of(T) found by argument lookup or declared before use.
#include <atomic>
#include <utility>
#include <vector>

#include "tg/ir/chains.hpp"
#include "tg/ir/hash.hpp"
#include "tg/ir/mutex.hpp"

namespace tg {

/// From the elements, in order.
Hash128 hash_of(const std::vector<int64_t>&);

/// Null, or the one copy of a value; counted, safe to copy and drop from any thread.
template <class T>
class Interned {
 public:
  Interned() = default;
  explicit Interned(T value) : box_(find(std::move(value))) {}
  Interned(const Interned& o) noexcept : box_(o.box_) { if (box_) box_->refs.fetch_add(1, std::memory_order_relaxed); }
  Interned(Interned&& o) noexcept : box_(std::exchange(o.box_, nullptr)) {}
  Interned& operator=(Interned o) noexcept { std::swap(box_, o.box_); return *this; }
  ~Interned() { if (box_ && box_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) table().idle.fetch_add(1, std::memory_order_relaxed); }

  const T& operator*() const { return box_->value; }
  const T* operator->() const { return &box_->value; }
  explicit operator bool() const { return box_ != nullptr; }
  /// The value's, computed once; 0 of null.
  Hash128 hash() const { return box_ ? box_->hash : Hash128{}; }
  friend bool operator==(const Interned& a, const Interned& b) { return a.box_ == b.box_; }

 private:
  struct Box {
    T value;
    Hash128 hash;
    std::atomic<uint32_t> refs{1};  // from 0 to 1 with the lock only
    Box* next = nullptr;
  };
  struct Table {
    Mutex mutex;
    Chains<Box> boxes;
    std::atomic<size_t> idle{0};  // of which refs are 0
  };
  static constexpr size_t kFew = 64;
  static Table& table() { static auto& leaked = *new Table; return leaked; }  // outlives every static

  static Box* find(T value) {
    const Hash128 hash = hash_of(value);
    Table& t = table();
    Box* gone = nullptr;
    auto* const found = [&] {
      const std::lock_guard lock(t.mutex);
      if (Box* b = t.boxes.find(hash, [&](const Box& x) { return x.value == value; })) {
        if (b->refs.fetch_add(1, std::memory_order_acq_rel) == 0) t.idle.fetch_sub(1, std::memory_order_relaxed);
        return b;
      }
      if (3 * t.idle.load(std::memory_order_relaxed) > t.boxes.count() + kFew) {
        gone = t.boxes.take([](const Box& b) { return b.refs.load(std::memory_order_acquire) == 0; });
        for (Box* b = gone; b; b = b->next) t.idle.fetch_sub(1, std::memory_order_relaxed);
      }
      auto* b = new Box{std::move(value), hash};
      t.boxes.insert(b);
      return b;
    }();
    while (gone) delete std::exchange(gone, gone->next);  // outside the lock: a value may hold nodes that hold other values
    return found;
  }

  Box* box_ = nullptr;
};

}  // namespace tg
