// See index_map.hpp.
#include "schedule/index_map.hpp"

#include <numeric>

#include <fmt/format.h>

#include "ir/symbolic.hpp"
#include "tg/error.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

// Axes are taken apart block by block, the smallest that have as many elements in both shapes: (4, 16, 56, 56) to (64, 56, 56) is three
// of them. An index that lies outside of one, which a gate then forbids, leaves the others alone. Where axes are taken together
// the index stays inside, since what it is used for may check it before it is dropped.
Indices reshape_index(const Shape& from, const Shape& to, const Indices& idx) {
  Indices out(from.rank(), index(0));
  const auto several = [](const Shape& s, size_t i) {
    while (i < s.rank() && s[i] == Dim(1)) ++i;
    return i;
  };
  for (size_t i = several(from, 0), j = several(to, 0); i < from.rank() && j < to.rank();) {
    Dim mine = from[i], other = to[j];
    size_t end = i + 1, stop = j + 1;
    while (!(mine == other)) {
      const bool known = mine.known() && other.known(), less = known && mine.value() < other.value();
      if (less && end < from.rank()) mine = mine * from[end++];
      else if (known && !less && stop < to.rank()) other = other * to[stop++];
      else mine = other = Dim(0), end = from.rank(), stop = to.rank();
    }
    UOp rest = index(0);
    for (size_t k = j; k < stop; ++k) if (!(to[k] == Dim(1))) rest = rest * to[k].expr() + idx[k];
    rest = simplify(rest);
    for (size_t k = end; k-- > i + 1;) {
      if (from[k] == Dim(1)) continue;
      out[k] = simplify(floor_mod(rest, from[k].expr()));
      rest = simplify(floor_div(rest, from[k].expr()));
    }
    out[i] = stop - j > 1 || end - i > 1 ? simplify(floor_mod(rest, from[i].expr())) : rest;
    i = several(from, end);
    j = several(to, stop);
  }
  return out;
}

}  // namespace

UOp linear(const Indices& idx, const Shape& shape) {
  UOp at = index(0);
  for (size_t i = 0; i < shape.rank(); ++i)
    if (!(shape[i] == Dim(1))) at = at * shape[i].expr() + idx[i];
  return simplify(at);
}

UOp within(const UOp& x, const UOp& lo, const UOp& hi) {
  const UOp in = simplify(less(lo - 1, x) & less(x, hi));
  return is_const(in, 1) ? UOp() : in;
}

Indices source_index(const UOp& u, size_t i, const Indices& idx) {
  const Shape& from = u.src(i).shape();
  if (is_elementwise(u.op())) return from.empty() ? Indices{} : idx;
  Indices out = idx;
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

// dx[i] = sum over k of g[(i - k*dilation) / stride, k], where that is a whole number. With all divided by what stride and dilation have
// in common those are k = i * u mod stride, u * dilation = 1 mod stride, and every stride-th from there; where i is no multiple of it
// there is none, and k lies outside of the window.
Dim overlap_terms(const UOp& u) {
  const auto& w = u.as<WindowArg>();
  const int64_t step = w.stride / std::gcd(w.stride, w.dilation);
  return (w.size + step - 1) / step;
}
Overlap overlap_term(const UOp& u, const UOp& at, const UOp& n) {
  const auto& w = u.as<WindowArg>();
  const int64_t common = std::gcd(w.stride, w.dilation), step = w.stride / common, dilation = w.dilation / common;
  int64_t inverse = 0;
  while (inverse < step - 1 && inverse * dilation % step != 1) ++inverse;
  const UOp i = floor_div(at, common), first = floor_mod(i * inverse, step);
  Overlap out;
  out.element = simplify(n * step + first + floor_mod(at, common) * w.size);
  out.position = simplify((dilation == 1 ? floor_div(i, step) : floor_div(i - first * dilation, step)) - n * dilation);
  const auto require = [&](const UOp& c) { if (c) out.gate = out.gate ? out.gate & c : c; };
  require(within(out.position, index(0), u.src(0).shape()[static_cast<size_t>(w.axis)].expr()));
  require(within(out.element, index(0), index(w.size)));
  return out;
}

UOp source_gate(const UOp& u, const Indices& idx) {
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
