#pragma once
// Runs an instruction list one instruction at a time, also those that this machine does not have.
//
//   MemoryOfKernel memory{bytes of p0, bytes of p1, ..., scratch};
//   Instructions(phase, blocks, memory).run();      then memory[0] is what is stored
#include <cstring>
#include <vector>

#include "base/float16.hpp"
#include "tg/error.hpp"
#include "tg/inst.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

using MemoryOfKernel = std::vector<std::vector<std::byte>>;  // each buffer, then scratch

class Instructions {
 public:
  Instructions(const Phase& phase, int64_t blocks, MemoryOfKernel& memory)
      : insts_(phase.insts), blocks_(blocks), memory_(memory), values_(insts_.size()) {}
  void run() { range(0, insts_.size()); }

 private:
  using Lanes = std::vector<Number>;
  static Number read(DType t, const std::byte* at) {
    const auto as = [&](auto v) {
      std::memcpy(&v, at, sizeof v);
      return v;
    };
    if (t == DType::float32) return {0, as(float{})};
    if (t == DType::bfloat16) return {0, bfloat16_to_float(as(uint16_t{}))};
    if (t == DType::int8) return {as(int8_t{}), 0};
    if (t == DType::uint8) return {as(uint8_t{}), 0};
    if (t == DType::int32) return {as(int32_t{}), 0};
    throw InternalError("a number of this dtype is not read here");
  }
  static void write(DType t, const Number& v, std::byte* at) {
    const auto put = [&](auto x) { std::memcpy(at, &x, sizeof x); };
    if (t == DType::float32) return put(static_cast<float>(v.d));
    if (t == DType::bfloat16) return put(bfloat16_from(v.d));
    if (size_of(t) == 1) return put(static_cast<int8_t>(v.i));
    if (t == DType::int32) return put(static_cast<int32_t>(v.i));
    throw InternalError("a number of this dtype is not written here");
  }
  const Lanes& value(const Inst& u, size_t n) const { return values_[static_cast<size_t>(u.src[n])]; }
  const Inst& source(const Inst& u, size_t n) const { return insts_[static_cast<size_t>(u.src[n])]; }
  std::byte* place(const Inst& u, int64_t element) {
    const Inst& p = source(u, 0);
    const bool scratch = p.op == InstOp::scratch;
    const int64_t size = static_cast<int64_t>(size_of(p.dtype)), at = element * size + (scratch ? p.value : 0);
    std::vector<std::byte>& of = scratch ? memory_.back() : memory_[static_cast<size_t>(p.value)];
    if (at < 0 || at + size > static_cast<int64_t>(of.size())) throw InternalError("outside of its memory: " + to_string({u}));
    return of.data() + at;
  }
  void range(size_t begin, size_t end) {
    for (size_t at = begin; at < end; ++at) {
      if (insts_[at].op == InstOp::loop) at = loop(at);
      else one(insts_[at], values_[at]);
    }
  }
  size_t loop(size_t at) {
    size_t end = at + 1, first = at + 1;
    for (int depth = 1;; ++end) {
      depth += insts_[end].op == InstOp::loop ? 1 : insts_[end].op == InstOp::end_loop ? -1 : 0;
      if (depth == 0) break;
    }
    for (; insts_[first].op == InstOp::phi; ++first) values_[first] = value(insts_[first], 0);
    const int64_t stop = value(insts_[at], 1)[0].i;
    for (int64_t counter = value(insts_[at], 0)[0].i; counter < stop; counter += insts_[at].value) {
      values_[at] = {{counter, 0}};
      range(first, end);
      std::vector<Lanes> next;
      for (size_t n = 1; n < insts_[end].src.size(); ++n) next.push_back(value(insts_[end], n));
      for (size_t n = 0; n < next.size(); ++n) values_[at + 1 + n] = next[n];
    }
    return end;
  }
  void one(const Inst& u, Lanes& out) {
    const auto lanes = static_cast<size_t>(u.lanes);
    const auto each = [&](auto make) {
      Lanes made(lanes);
      for (size_t l = 0; l < lanes; ++l) made[l] = make(l);
      out = std::move(made);
    };
    const auto lane = [&](size_t n, size_t l) { return value(u, n)[value(u, n).size() == 1 ? 0 : l]; };
    switch (u.op) {
      case InstOp::constant: out = {{u.value, u.real}}; break;
      case InstOp::buffer: case InstOp::scratch: break;
      case InstOp::first_chunk: case InstOp::begun: out = {{0, 0}}; break;
      case InstOp::last_chunk: out = {{blocks_, 0}}; break;
      case InstOp::ramp: each([&](size_t l) { return Number{static_cast<int64_t>(l), 0}; }); break;
      case InstOp::broadcast: each([&](size_t) { return value(u, 0)[0]; }); break;
      case InstOp::cast: each([&](size_t l) { return convert(lane(0, l), source(u, 0).dtype, u.dtype); }); break;
      case InstOp::alu:
        each([&](size_t l) {
          Number v[3];
          for (size_t n = 0; n < u.src.size(); ++n) v[n] = lane(n, l);
          return evaluate(u.alu, source(u, u.alu == Op::Where ? 1 : 0).dtype, u.dtype, v[0], v[1], v[2]);
        });
        break;
      case InstOp::shuffle:
        each([&](size_t l) {
          const size_t from = static_cast<size_t>(u.list[l]), n = value(u, 0).size();
          return from < n ? value(u, 0)[from] : value(u, 1)[from - n];
        });
        break;
      case InstOp::bitcast: {
        const DType from = source(u, 0).dtype;
        std::vector<std::byte> bytes(value(u, 0).size() * size_of(from));
        for (size_t l = 0; l < value(u, 0).size(); ++l) write(from, value(u, 0)[l], bytes.data() + l * size_of(from));
        each([&](size_t l) { return read(u.dtype, bytes.data() + l * size_of(u.dtype)); });
        break;
      }
      case InstOp::tile_zero: out.assign(lanes, {0, 0}); break;
      case InstOp::load: case InstOp::gather:
        each([&](size_t l) { return u.src.size() < 3 || lane(2, l).i ? read(u.dtype, place(u, element(u, l))) : Number{0, 0}; });
        break;
      case InstOp::tile_load:
        each([&](size_t l) { return read(u.dtype, place(u, in_tile(u, l, lanes / static_cast<size_t>(u.value), 2))); });
        break;
      case InstOp::store: case InstOp::scatter:
        for (size_t l = 0; l < value(u, 2).size(); ++l)
          if (u.src.size() < 4 || lane(3, l).i) write(source(u, 2).dtype, value(u, 2)[l], place(u, element(u, l)));
        break;
      case InstOp::tile_store: {
        const Lanes& tile = value(u, 2);
        for (size_t l = 0; l < tile.size(); ++l) write(source(u, 2).dtype, tile[l], place(u, in_tile(u, l, 16, 3)));
        break;
      }
      case InstOp::tile_dot: {
        const auto depth = static_cast<size_t>(u.value), columns = size_t{16}, steps = value(u, 1).size() / lanes * columns / depth;
        each([&](size_t l) {
          Number sum = value(u, 0)[l];
          for (size_t s = 0; s < steps; ++s)
            for (size_t d = 0; d < depth; ++d) {
              const Number &a = value(u, 1)[(l / columns * steps + s) * depth + d],
                           &b = value(u, 2)[(s * columns + l % columns) * depth + d];
              sum.i += a.i * b.i, sum.d += a.d * b.d;
            }
          return sum;
        });
        break;
      }
      default: throw InternalError("not run here: " + to_string({u}));
    }
  }
  int64_t element(const Inst& u, size_t l) const {
    const bool apart = u.op == InstOp::gather || u.op == InstOp::scatter;
    return apart ? value(u, 1)[l].i : value(u, 1)[0].i + static_cast<int64_t>(l);
  }
  int64_t in_tile(const Inst& u, size_t l, size_t row, size_t stride) const {
    return value(u, 1)[0].i + static_cast<int64_t>(l / row) * value(u, stride)[0].i + static_cast<int64_t>(l % row);
  }

  const std::vector<Inst>& insts_;
  const int64_t blocks_;
  MemoryOfKernel& memory_;
  std::vector<Lanes> values_;
};

}  // namespace tg
