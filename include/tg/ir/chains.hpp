#pragma once
// Chains<T>: a hash table of things that know their hash and the next one of their chain, so that it costs a pointer each.
//
//   struct Box { int value; Hash128 hash; Box* next; };
//   Chains<Box> all;   all.insert(b);   all.find(b->hash, [&](const Box& x) { return x.value == 3; });   all.erase(b)
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "tg/ir/hash.hpp"

namespace tg {

/// Points to what others own. T has a `hash` and a `next`, which is the table's while it is in there.
template <class T>
class Chains {
 public:
  /// The newest with that hash of which `is` says so; null if there is none.
  template <class Is>
  T* find(const Hash128& hash, Is is) const {
    if (heads_.empty()) return nullptr;
    for (T* t = heads_[place(hash)]; t; t = t->next) if (t->hash == hash && is(*t)) return t;
    return nullptr;
  }
  void insert(T* t) {
    if (++count_ > heads_.size()) grow();
    link(t);
  }
  /// Whether it was there.
  bool erase(const T* t) {
    if (heads_.empty()) return false;
    T*& head = heads_[place(t->hash)];
    T* before = nullptr;
    for (T* at = head; at; before = std::exchange(at, at->next)) {
      if (at != t) continue;
      (before ? before->next : head) = at->next;
      --count_;
      return true;
    }
    return false;
  }
  /// Takes out those of which `is` says so, as one chain.
  template <class Is>
  T* take(Is is) {
    T* out = nullptr;
    for (T*& head : heads_)
      for (T** at = &head; *at;) {
        T* const t = *at;
        if (!is(*t)) { at = &t->next; continue; }
        *at = std::exchange(t->next, out);
        out = t;
        --count_;
      }
    return out;
  }
  size_t count() const { return count_; }

 private:
  size_t place(const Hash128& h) const { return h.high & (heads_.size() - 1); }
  void link(T* t) {
    T*& head = heads_[place(t->hash)];
    t->next = std::exchange(head, t);
  }
  void grow() {
    std::vector<T*> old(std::max<size_t>(64, heads_.size() * 2));
    old.swap(heads_);
    for (T* t : old) while (t) link(std::exchange(t, t->next));
  }
  std::vector<T*> heads_;
  size_t count_ = 0;
};

}  // namespace tg
