#pragma once
// What the threads of a GPU's block do together, through shared memory: combine what each has reduced, and copy what all will read.
//
//   every thread has a part s       m[me] = s; barrier; halve: m[me] += m[me + half], barrier; ...       every thread has the whole m[0]
#include <functional>

#include "codegen/emit.hpp"
#include "codegen/threads.hpp"

namespace tg {

class Block {
 public:
  using State = std::vector<int>;  // instructions, one a component of a monoid
  Block(Emitter& e, int64_t& shared_bytes, const Threads& threads) : e_(e), shared_bytes_(shared_bytes), threads_(threads) {}

  int thread(int number);           // instruction: the thread's number in one direction
  int flat();                       // ... and in the block
  int sole();                       // bool: whether this is the one among threads with equal results that stores them; -1 if all are
  int shared(DType, int64_t elements);  // pointer to shared memory of its own
  void barrier(int level);
  /// Every thread's states become the combination over all threads that differ from it in `number` alone. combine(which, a, b) emits.
  void combine(std::vector<State>& states, int number, const std::function<State(size_t, const State&, const State&)>& combine);

 private:
  int load(int pointer, int at);
  void store(int pointer, int at, int value);
  int stride(int number) const;
  Emitter& e_;
  int64_t& shared_bytes_;
  const Threads& threads_;
  std::array<int, 3> thread_{-1, -1, -1};
  int flat_ = -1, sole_ = -1;
};

/// How the threads of a block copy what a load reads: element number e of the copy is taken by thread e % threads in round e / threads.
/// Numbers follow the order in memory, so that neighbours read side by side, whatever the order in which the copy is kept.
struct BlockCopy {
  UOp value;    // the load, over `round` and `thread`
  UOp place;    // where in the copy
  UOp inside;   // whether there is such an element; empty: always
};
struct CopyAxis { UOp range; int64_t most, stride; };  // an axis of the copy, its largest extent, and how far it moves there
BlockCopy plan_copy(const UOp& load, std::span<const CopyAxis> axes, const UOp& round, const UOp& thread, int64_t threads);

}  // namespace tg
