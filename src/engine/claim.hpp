#pragma once
// Claim: assignments that one run makes, while no other run makes them or computes what they are part of.
//
//   x.assign(x * 2);   two threads: x.item()      the first writes in place; the second waits, and then finds the value in memory
//
// A pending assignment may be reached by many threads, each of which may read it. Whoever makes it in place overwrites what the others
// would compute it from.
#include <span>
#include <vector>

#include "tg/ir/uop.hpp"

namespace tg {

class Claim {
 public:
  /// Waits until nobody else has any of them.
  explicit Claim(std::span<const UOp> assignments);
  ~Claim();
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

 private:
  const std::vector<UOp> assignments_;
};

}  // namespace tg
