#pragma once
// For tests that want values of graphs from the interpreter: leaves from numbers, and numbers from nodes.
//
//   UOp x = leaf(float32, {2, 2}, {1, 2, 3, 4});   numbers(x + x) == {2, 4, 6, 8}
#include "runtime/buffer.hpp"
#include "runtime/interpreter/evaluate.hpp"
#include "runtime/registry.hpp"

namespace tg {

inline Device& interpreter_device() {
  static Device* const d = open_interpreter().release();  // outlives every static node
  return *d;
}
inline UOp leaf(const HostArray& a) {
  const auto b = make_buffer(interpreter_device(), a.bytes.size());
  interpreter_device().copy_in(b->ref(), a.bytes.data(), a.bytes.size());
  return buffer(b, a.dtype, Shape(Dims(a.shape.begin(), a.shape.end())));
}
inline UOp leaf(DType t, std::vector<int64_t> shape, const std::vector<double>& values) {
  return leaf(HostArray::of(t, std::move(shape), values));
}
inline HostArray value(const UOp& u) { return evaluate(std::span(&u, 1))[0]; }
inline std::vector<double> numbers(const UOp& u) { return value(u).numbers(); }
inline std::vector<int64_t> integers(const UOp& u) { return value(u).integers(); }

inline Ints ints(std::vector<int64_t> v) { return Ints(std::move(v)); }
inline UOp iota(int64_t n, DType t = int64) { return UOp::make(Op::Iota, {}, Shape{n}, t); }
inline UOp reduce(const UOp& x, Monoid m, uint32_t axes) { return UOp::make(Op::Reduce, {x}, ReduceArg{m, axes}); }
inline UOp get(const UOp& x, int64_t component, DType t) { return UOp::make(Op::Get, {x}, component, t); }
inline UOp expand(const UOp& x, Shape s) { return UOp::make(Op::Expand, {x}, std::move(s)); }

}  // namespace tg
