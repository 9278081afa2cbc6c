// See block.hpp.
#include "codegen/block.hpp"

#include <algorithm>
#include <bit>

#include "codegen/access.hpp"
#include "ir/symbolic.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {

int Block::thread(int number) {
  int& t = thread_[static_cast<size_t>(number)];
  if (t < 0) t = e_.push(0, {.op = InstOp::thread, .dtype = DType::index, .value = number});
  return t;
}
int Block::stride(int number) const {
  int64_t n = 1;
  for (int i = 0; i < number; ++i) n *= threads_.extent(i);
  return e_.constant(DType::index, n);
}
int Block::flat() {
  if (flat_ >= 0) return flat_;
  flat_ = e_.constant(DType::index, 0);
  for (int n = 0; n < 3; ++n)
    if (threads_.extent(n) > 1)
      flat_ = e_.alu(0, Op::Add, DType::index, {flat_, e_.alu(0, Op::Mul, DType::index, {thread(n), stride(n)})});
  return flat_;
}
int Block::sole() {
  if (sole_ >= 0) return sole_;
  for (int n = 0; n < 3; ++n) {
    if (!threads_.idle(n)) continue;
    const int first = e_.alu(0, Op::Less, DType::bool_, {thread(n), e_.constant(DType::index, 1)});
    sole_ = sole_ < 0 ? first : e_.alu(0, Op::And, DType::bool_, {sole_, first});
  }
  return sole_;
}
int Block::shared(DType dtype, int64_t elements) {
  const int out = e_.push(0, {.op = InstOp::scratch, .dtype = dtype, .value = shared_bytes_});
  shared_bytes_ += (elements * static_cast<int64_t>(size_of(dtype)) + 63) / 64 * 64;
  return out;
}
void Block::barrier(int level) { e_.push(level, {.op = InstOp::barrier}); }
int Block::load(int pointer, int at) {
  return e_.push(e_.depth(), {.op = InstOp::load, .dtype = e_.dtype(pointer), .src = {pointer, at}});
}
void Block::store(int pointer, int at, int value) {
  e_.push(e_.depth(), {.op = InstOp::store, .dtype = e_.dtype(pointer), .src = {pointer, at, value}});
}

void Block::combine(std::vector<State>& states, int number, const std::function<State(size_t, const State&, const State&)>& combine) {
  const int64_t n = threads_.extent(number);
  const int me = flat(), t = thread(number), outside = e_.depth();
  std::vector<State> memory;
  for (const State& s : states) {
    memory.emplace_back();
    for (int v : s) {
      memory.back().push_back(shared(e_.dtype(v), threads_.count()));
      store(memory.back().back(), me, v);
    }
  }
  barrier(outside);
  const auto log = static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(n - 1)));
  e_.open_loop(e_.constant(DType::index, 0), e_.constant(DType::index, log));
  const int half = e_.phi(e_.constant(DType::index, (int64_t{1} << log) / 2)), in = e_.depth();
  int active = e_.alu(in, Op::Less, DType::bool_, {t, half});
  if (!std::has_single_bit(static_cast<uint64_t>(n))) {
    const int other = e_.alu(in, Op::Add, DType::index, {t, half});
    active = e_.alu(in, Op::And, DType::bool_, {active, e_.alu(in, Op::Less, DType::bool_, {other, e_.constant(DType::index, n)})});
  }
  e_.open_if(active);
  const int far = e_.alu(in, Op::Add, DType::index, {me, e_.alu(in, Op::Mul, DType::index, {half, stride(number)})});
  for (size_t i = 0; i < states.size(); ++i) {
    State a, b;
    for (int m : memory[i]) {
      a.push_back(load(m, me));
      b.push_back(load(m, far));
    }
    const State both = combine(i, a, b);
    for (size_t c = 0; c < both.size(); ++c) store(memory[i][c], me, both[c]);
  }
  e_.close_if();
  barrier(in);
  e_.close_loop({e_.alu(in, Op::IDiv, DType::index, {half, e_.constant(DType::index, 2)}, true)});
  int first = e_.constant(DType::index, 0);  // the place of the thread whose number is 0 here and the same in other directions
  for (int d = 0; d < 3; ++d)
    if (d != number && threads_.extent(d) > 1)
      first = e_.alu(0, Op::Add, DType::index, {first, e_.alu(0, Op::Mul, DType::index, {thread(d), stride(d)})});
  for (size_t i = 0; i < states.size(); ++i)
    for (size_t c = 0; c < states[i].size(); ++c) states[i][c] = load(memory[i][c], first);
  if (outside > 0) barrier(outside);  // the next round writes where this one was read
}

BlockCopy plan_copy(const UOp& u, std::span<const CopyAxis> axes, const UOp& round, const UOp& thread, int64_t threads) {
  std::vector<CopyAxis> by_memory(axes.begin(), axes.end());  // slowest first
  std::sort(by_memory.begin(), by_memory.end(), [&](const CopyAxis& a, const CopyAxis& b) {
    return std::pair(stride(u.src(1), a.range), a.stride) > std::pair(stride(u.src(1), b.range), b.stride);
  });
  const UOp number = round * threads + thread;
  BlockCopy out;
  Substitution at;
  int64_t size = 1;
  UOp place = index(0), inside;
  for (size_t i = by_memory.size(); i-- > 0;) {
    const UOp& r = by_memory[i].range;
    const int64_t n = by_memory[i].most;
    const UOp here = simplify(floor_div(number, index(size)));
    size *= n;
    at[r] = i == 0 ? here : simplify(floor_mod(here, index(n)));
    place = place + at[r] * by_memory[i].stride;
  }
  const auto both = [](const UOp& a, const UOp& b) { return !a ? b : a & b; };
  if (size % threads != 0) out.inside = simplify(less(number, index(size)));
  UOp gate = out.inside;
  for (const CopyAxis& a : axes)  // the last of several tiles may be shorter
    if (!is_const(a.range.src(0))) gate = both(gate, less(at[a.range], substitute(a.range.src(0), at)));
  if (u.src().size() > 2) gate = both(gate, substitute(u.src(2), at));
  out.value = simplify(load(u.src(0), substitute(u.src(1), at), gate));
  out.place = simplify(place);
  return out;
}

}  // namespace tg
