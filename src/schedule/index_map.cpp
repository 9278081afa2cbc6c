// See index_map.hpp.
#include "schedule/index_map.hpp"

#include <fmt/format.h>

#include "ir/op_info.hpp"
#include "ir/symbolic.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

// Reshape only adds or drops axes of size 1: no arithmetic is needed.
bool squeeze_index(const Shape& from, const Shape& to, const Index& idx, Index& out) {
  size_t j = 0;
  for (const Dim& d : from) {
    if (d == Dim(1)) { out.push_back(index(0)); continue; }
    while (j < to.rank() && to[j] == Dim(1)) ++j;
    if (j == to.rank() || !(to[j] == d)) return false;
    out.push_back(idx[j++]);
  }
  return true;
}

Index reshape_index(const Shape& from, const Shape& to, const Index& idx) {
  Index out;
  if (squeeze_index(from, to, idx, out)) return out;
  out.assign(from.rank(), index(0));
  UOp rest = linear(idx, to);
  for (size_t i = from.rank(); i-- > 0;) {
    if (from[i] == Dim(1)) continue;
    out[i] = simplify(floor_mod(rest, from[i].expr()));
    rest = simplify(floor_div(rest, from[i].expr()));
  }
  return out;
}

}  // namespace

UOp linear(const Index& idx, const Shape& shape) {
  UOp at = index(0);
  for (size_t i = 0; i < shape.rank(); ++i)
    if (!(shape[i] == Dim(1))) at = at * shape[i].expr() + idx[i];
  return simplify(at);
}

UOp within(const UOp& x, const UOp& lo, const UOp& hi) {
  const UOp in = simplify(less(lo - 1, x) & less(x, hi));
  return is_const(in, 1) ? UOp() : in;
}

Index source_index(const UOp& u, size_t i, const Index& idx) {
  const Shape& from = u.src(i).shape();
  if (is_elementwise(u.op())) return from.empty() ? Index{} : idx;
  Index out = idx;
  switch (u.op()) {
    case Op::Reshape: return reshape_index(from, u.shape(), idx);
    case Op::Permute: {
      const auto& axes = *u.as<Ints>();
      for (size_t a = 0; a < axes.size(); ++a) out[static_cast<size_t>(axes[a])] = idx[a];
      return out;
    }
    case Op::Expand:
      for (size_t a = 0; a < out.size(); ++a) if (!(from[a] == u.shape()[a])) out[a] = index(0);
      return out;
    case Op::Pad: case Op::Shrink:
      for (size_t a = 0; a < out.size(); ++a) {
        const UOp begin = u.as<Shape>()[2 * a].expr();
        out[a] = simplify(u.op() == Op::Pad ? idx[a] - begin : idx[a] + begin);
      }
      return out;
    case Op::Flip:
      for (int64_t a : *u.as<Ints>())
        out[static_cast<size_t>(a)] = simplify(from[static_cast<size_t>(a)].expr() - 1 - idx[static_cast<size_t>(a)]);
      return out;
    case Op::Window: {
      const auto& w = u.as<WindowArg>();
      UOp& at = out[static_cast<size_t>(w.axis)];
      at = simplify(at * w.stride + out.back() * w.dilation);
      out.pop_back();
      return out;
    }
    case Op::Contiguous: case Op::Detach: case Op::Copy: return out;
    default: throw InternalError(fmt::format("{} is not a function of its source's indices alone", name_of(u.op())));
  }
}

UOp source_gate(const UOp& u, const Index& idx) {
  if (u.op() != Op::Pad) return {};
  UOp gate;
  for (size_t a = 0; a < idx.size(); ++a) {
    const UOp begin = u.as<Shape>()[2 * a].expr();
    const UOp in = within(idx[a], begin, begin + u.src(0).shape()[a].expr());
    if (in) gate = gate ? gate & in : in;
  }
  return gate;
}

}  // namespace tg
