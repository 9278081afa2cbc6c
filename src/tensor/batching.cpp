// The rows of batching, and the walk that applies them. See batching.hpp.
#include "tensor/batching.hpp"

#include <atomic>
#include <numeric>

#include <fmt/format.h>

#include "ir/node_map.hpp"
#include "tensor/impl.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

Shape prefixed(const Dims& front, const Shape& shape) {
  Dims d = front;
  d.insert(d.end(), shape.begin(), shape.end());
  return d;
}
/// `rank` axes; `count` of them from `from` are put at `to`, counted among the others.
std::vector<int64_t> moved(size_t rank, size_t from, size_t count, size_t to) {
  std::vector<int64_t> order(rank), block;
  std::iota(order.begin(), order.end(), 0);
  const auto first = order.begin() + static_cast<ptrdiff_t>(from);
  block.assign(first, first + static_cast<ptrdiff_t>(count));
  order.erase(first, first + static_cast<ptrdiff_t>(count));
  order.insert(order.begin() + static_cast<ptrdiff_t>(to), block.begin(), block.end());
  return order;
}
UOp remade(const BatchingStep& b, Arg arg) {
  std::vector<UOp> src;
  for (size_t i = 0; i < b.with.size(); ++i) src.push_back(b.all(i));
  return UOp::make(b.u.op(), src, std::move(arg), b.u.dtype());
}
UOp elementwise(const BatchingStep& b) {
  std::vector<UOp> src;
  for (size_t i = 0; i < b.with.size(); ++i) {
    const Shape& one = b.u.src(i).shape();
    if (!b.with[i]) src.push_back(one.empty() ? b.u.src(i) : b.all(i));
    else if (one == b.u.shape()) src.push_back(b.with[i]);
    else src.push_back(spread(reshape(b.with[i], prefixed({b.size}, Dims(b.u.shape().rank(), 1))), b.behind(b.u.shape())));
  }
  return UOp::make(b.u.op(), src, b.u.arg(), b.u.dtype());
}
UOp same_argument(const BatchingStep& b) { return remade(b, b.u.arg()); }
UOp to_shape(const BatchingStep& b) { return remade(b, b.behind(b.u.shape())); }
UOp margins(const BatchingStep& b) { return remade(b, prefixed({0, b.u.op() == Op::Pad ? Dim(0) : b.size}, b.u.as<Shape>())); }
UOp other_axes(const BatchingStep& b) {
  std::vector<int64_t> axes;
  if (b.u.op() == Op::Permute) axes.push_back(0);
  for (int64_t a : *b.u.as<Ints>()) axes.push_back(a + 1);
  return remade(b, Ints(axes));
}
template <class A>
UOp next_axis(const BatchingStep& b) {
  A arg = b.u.as<A>();
  ++arg.axis;
  return remade(b, arg);
}
UOp reduced(const BatchingStep& b) { return remade(b, ReduceArg{b.u.as<ReduceArg>().monoid, b.u.as<ReduceArg>().axes << 1}); }
UOp stacked(const BatchingStep& b) { return permute(remade(b, b.u.arg()), moved(b.u.shape().rank() + 1, 1, 1, 0)); }

// Where each example has indices of its own, the axis that is looked into and the batch become one, example after example. An index outside
// of its example's part is sent outside of the whole, so that it is an error as before.
struct Merged {
  UOp index;
  Dim size;  // of the axis in one example
  explicit Merged(const BatchingStep& b, const Dim& axis) : size(axis) {
    const UOp i = cast(b.with[1], DType::int64), n = cast(axis.expr(), DType::int64);
    const UOp example =
        spread(reshape(UOp::make(Op::Iota, {}, Shape{b.size}, DType::int64), prefixed({b.size}, Dims(i.shape().rank() - 1, 1))),
                               i.shape());
    const UOp inside = less(i, 0) | logical_not(less(i, n));
    index = where(inside, cast((b.size * axis).expr(), DType::int64), i + example * n);
  }
  /// (size, before..., n, after...) to (size * n, before..., after...), and back.
  UOp merge(const UOp& x, size_t axis) const {
    const UOp front = permute(x, moved(x.shape().rank(), axis + 1, 1, 1));
    Dims d = front.shape().dims();
    d[1] = d[0] * d[1];
    d.erase(d.begin());
    return reshape(front, d);
  }
  UOp divide(const UOp& x, size_t axis, const Dim& examples) const {
    Dims d = x.shape().dims();
    d[0] = size;
    d.insert(d.begin(), examples);
    return permute(reshape(x, d), moved(d.size(), 1, 1, axis + 1));
  }
};
UOp gathered(const BatchingStep& b) {
  const auto axis = static_cast<size_t>(b.u.as<int64_t>());
  if (!b.with[1]) return UOp::make(Op::Gather, {b.with[0], b.u.src(1)}, static_cast<int64_t>(axis) + 1);
  const size_t rank = b.u.shape().rank() + 1;
  if (!b.with[0]) return permute(UOp::make(Op::Gather, {b.u.src(0), b.with[1]}, b.u.arg()), moved(rank, axis, 1, 0));
  const Merged m(b, b.u.src(0).shape()[axis]);
  return permute(UOp::make(Op::Gather, {m.merge(b.with[0], axis), m.index}, int64_t{0}),
                 moved(rank, 1, b.u.src(1).shape().rank(), axis + 1));
}
UOp scattered(const BatchingStep& b) {
  ScatterArg arg = b.u.as<ScatterArg>();
  const auto axis = static_cast<size_t>(arg.axis);
  if (!b.with[1]) {
    ++arg.axis;
    return UOp::make(Op::Scatter, {b.all(0), b.u.src(1), b.all(2)}, arg);
  }
  const Merged m(b, b.u.src(0).shape()[axis]);
  const UOp values = b.all(2), first = permute(values, moved(values.shape().rank(), axis + 1, b.u.src(1).shape().rank(), 1));
  const ScatterArg flat{0, arg.mode, arg.apart + 1};
  return m.divide(UOp::make(Op::Scatter, {m.merge(b.all(0), axis), m.index, first}, flat), axis, b.size);
}
UOp component(const BatchingStep& b) {
  if (b.u.src(0).op() == Op::Scatter) throw InternalError("batch: what a scatter added to is known to kernels only");
  return remade(b, b.u.arg());
}
/// Its gradient is the batched gradient of one example.
UOp function(const BatchingStep& b) {
  const FunctionArg one = b.u.as<FunctionArg>();
  std::vector<std::pair<DType, Shape>> kinds;
  for (const UOp& s : b.u.src()) kinds.emplace_back(s.dtype(), s.shape());
  const auto gradient = [one, kinds, size = b.size](const UOp& u, const UOp& g, size_t i) {
    const Tracing tracing;
    std::vector<UOp> examples, batches(u.src().begin(), u.src().end());
    for (const auto& [dtype, shape] : kinds) examples.push_back(new_example(dtype, shape));
    const UOp node = UOp::make(Op::Function, examples, one);
    examples.push_back(new_example(node.dtype(), node.shape()));
    batches.push_back(spread(g, u.shape()));
    // The result itself is an example too: its definition is not to be made again.
    const UOp of_one = one->gradient(node, examples.back(), i);
    examples.push_back(node);
    batches.push_back(u);
    return batch(std::span(&of_one, 1), examples, batches, size)[0];
  };
  return remade(b, FunctionArg(std::make_shared<const Function>(one->name, gradient)));
}

constexpr BatchingRule kRules[] = {
    {Op::Reshape, to_shape},
    {Op::Expand, to_shape},
    {Op::Permute, other_axes},
    {Op::Flip, other_axes},
    {Op::Pad, margins},
    {Op::Shrink, margins},
    {Op::Window, next_axis<WindowArg>},
    {Op::OverlapAdd, next_axis<WindowArg>},
    {Op::Stack, stacked},
    {Op::Gather, gathered},
    {Op::Scatter, scattered},
    {Op::Reduce, reduced},
    {Op::Scan, next_axis<ScanArg>},
    {Op::Sort, next_axis<SortArg>},
    {Op::Get, component},
    {Op::Contiguous, same_argument},
    {Op::Detach, same_argument},
    {Op::Copy, same_argument},
    {Op::Function, function},
};

UOp batched(const BatchingStep& b) {
  if (is_elementwise(b.u.op())) return elementwise(b);
  for (const BatchingRule& r : kRules) if (r.op == b.u.op()) return r.rule(b);
  throw ValueError(fmt::format("vmap: {} of {} {} cannot be batched; compute it outside of the function{}", name_of(b.u.op()),
                               name_of(b.u.dtype()), to_string(b.u.shape()),
                               b.u.op() == Op::Assign ? ", or return the new value instead of assigning it" : ""));
}

}  // namespace

std::span<const BatchingRule> batching_rules() { return kRules; }
int& Tracing::depth() { thread_local int depth = 0; return depth; }

Shape BatchingStep::behind(const Shape& example) const { return prefixed({size}, example); }
UOp BatchingStep::all(size_t i) const {
  return with[i] ? with[i] : spread(reshape(u.src(i), prefixed({1}, u.src(i).shape())), behind(u.src(i).shape()));
}

UOp new_example(DType dtype, const Shape& shape) {
  static std::atomic<int> slot{0};
  return param(slot++, dtype, shape);
}

std::vector<UOp> batch(std::span<const UOp> roots, std::span<const UOp> examples, std::span<const UOp> batches, const Dim& size) {
  detail::NodeMap<UOp> done;  // of those that depend on an example
  for (size_t i = 0; i < examples.size(); ++i) done.add(examples[i].node()).first = batches[i];
  std::vector<UOp> with, out;
  for (const UOp& u : toposort(roots)) {
    if (done.contains(u.node())) continue;
    with.clear();
    bool depends = false;
    for (const UOp& s : u.src()) {
      const UOp* known = done.find(s.node());
      depends |= known != nullptr;
      with.push_back(known ? *known : UOp());
    }
    if (!depends) continue;
    UOp made = batched({u, with, size});
    done.add(u.node()).first = std::move(made);
  }
  for (const UOp& r : roots) {
    const UOp* known = done.find(r.node());
    out.push_back(known ? *known : spread(reshape(r, prefixed({1}, r.shape())), prefixed({size}, r.shape())));
  }
  return out;
}

}  // namespace tg
