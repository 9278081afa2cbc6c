// THE table: a row an op. Everything that is differentiable is a composition of these.
//
//   {sin(x), {dy * cos(x)}}     the source of a sine gets dy * cos(x)
//
// Rows use arithmetic as it is: where a derivative is infinite or nan, so is the gradient. No epsilon is added anywhere.
#include <algorithm>
#include <bit>
#include <numbers>

#include "autodiff/gradient.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

constexpr Var x{0}, y{1}, z{2}, dy = kUpstream, out = kResult;
constexpr auto none = std::nullopt;
using enum Monoid;
// ---- words, and the rows that are functions: u is the node, g the gradient that reaches it ----

UOp zeros(const Shape& s, DType t) { return broadcast_to(constant(t, 0), s); }
UOp unless(const UOp& condition, const UOp& g) { return where(condition, constant(g.dtype(), 0), g); }
UOp reduce(const UOp& u, Monoid m, uint32_t axes) { return UOp::make(Op::Reduce, {u}, ReduceArg{m, axes}); }
UOp scan(const UOp& u, Monoid m, int32_t axis, bool inclusive) { return UOp::make(Op::Scan, {u}, ScanArg{m, axis, inclusive}); }
UOp flip(const UOp& u, int64_t axis) { return UOp::make(Op::Flip, {u}, Ints({axis})); }
UOp scan_back(const UOp& u, Monoid m, int32_t axis, bool inclusive) { return flip(scan(flip(u, axis), m, axis, inclusive), axis); }
UOp index_of(const UOp& tuple) { return UOp::make(Op::Get, {tuple}, int64_t{1}, DType::int64); }
UOp scatter(const UOp& base, const UOp& index, const UOp& v, ScatterArg arg) { return UOp::make(Op::Scatter, {base, index, v}, arg); }
/// Where each element lies among those it shares `axes` with, counted in row-major order.
UOp position(const Shape& shape, uint32_t axes) {
  Dims d = shape.dims();
  for (size_t i = 0; i < d.size(); ++i) if (!(axes >> i & 1)) d[i] = 1;
  return broadcast_to(reshape(UOp::make(Op::Iota, {}, Shape{Shape(d).numel()}, DType::int64), d), shape);
}
/// `g` put into zeros at `index` along `axis`, each line by itself: the adjoint of taking from each line. Set: a permutation.
UOp scatter_lines(const UOp& index, const UOp& g, int32_t axis, ScatterMode mode) {
  Dim inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < g.shape().rank(); ++i) inner = inner * g.shape()[i];
  const UOp flat = position(g.shape(), ~0u) + (index - position(g.shape(), 1u << axis)) * cast(inner.expr(), DType::int64);
  const Shape line{g.shape().numel()};
  return reshape(scatter(zeros(line, g.dtype()), reshape(flat, line), reshape(g, line), {0, mode, mode == ScatterMode::Set}), g.shape());
}
UOp of_permute(const UOp& u, const UOp& g, size_t) {
  std::vector<int64_t> inverse(u.shape().rank());
  for (size_t i = 0; i < inverse.size(); ++i) inverse[static_cast<size_t>((*u.as<Ints>())[i])] = static_cast<int64_t>(i);
  return UOp::make(Op::Permute, {g}, Ints(inverse));
}
UOp of_expand(const UOp& u, const UOp& g, size_t) {
  uint32_t axes = 0;
  for (size_t i = 0; i < u.shape().rank(); ++i) if (u.src(0).shape()[i] != u.shape()[i]) axes |= 1u << i;
  return reduce(g, Sum, axes);
}
UOp of_pad_or_shrink(const UOp& u, const UOp& g, size_t) {  // (before, after) and (begin, end) undo each other
  const bool pad = u.op() == Op::Pad;
  Dims p = u.as<Shape>().dims();
  for (size_t i = 1; i < p.size(); i += 2) p[i] = pad ? p[i - 1] + u.src(0).shape()[i / 2] : u.src(0).shape()[i / 2] - p[i];
  return UOp::make(pad ? Op::Shrink : Op::Pad, {g}, Shape(p));
}
UOp of_window_or_overlap_add(const UOp& u, const UOp& g, size_t) {
  WindowArg w = u.as<WindowArg>();
  w.length = u.op() == Op::Window ? u.src(0).shape()[static_cast<size_t>(w.axis)].value() : -1;
  return UOp::make(u.op() == Op::Window ? Op::OverlapAdd : Op::Window, {g}, w);
}
UOp of_stack(const UOp& u, const UOp& g, size_t i) {
  Dims p{i, i + 1};
  for (const Dim& d : u.src(0).shape()) p.insert(p.end(), {0, d});
  return reshape(UOp::make(Op::Shrink, {g}, Shape(p)), u.src(0).shape());
}
UOp of_scatter_base(const UOp& u, const UOp& g, size_t) {
  const ScatterArg a = u.as<ScatterArg>();
  return a.mode == ScatterMode::Add ? g : scatter(g, u.src(1), zeros(u.src(2).shape(), g.dtype()), a);
}
UOp of_scatter_values(const UOp& u, const UOp& g, size_t) {
  const auto [axis, mode, apart] = u.as<ScatterArg>();
  const UOp &index = u.src(1), taken = UOp::make(Op::Gather, {g, index}, int64_t{axis});
  if (mode == ScatterMode::Add || static_cast<size_t>(apart) == index.shape().rank()) return taken;
  // Of values set at one place only the last is seen: write their numbers there, and look whose is left.
  const UOp numbers = position(index.shape(), ~0u);
  const UOp left = scatter(zeros({u.shape()[static_cast<size_t>(axis)]}, DType::int64), index, numbers, {0, ScatterMode::Set});
  Dims d(taken.shape().rank(), 1);
  std::copy(index.shape().begin(), index.shape().end(), d.begin() + axis);
  return unless(broadcast_to(reshape(not_equal(UOp::make(Op::Gather, {left, index}, int64_t{0}), numbers), d), taken.shape()), taken);
}
UOp of_max_or_min(const UOp& u, const UOp& g, size_t) {
  const UOp &in = u.src(0), best = broadcast_to(u, in.shape());
  const UOp loses = u.as<ReduceArg>().monoid == Max ? less(in, best) : less(best, in);
  const UOp ties = reduce(unless(loses, broadcast_to(constant(g.dtype(), 1), in.shape())), Sum, u.as<ReduceArg>().axes);
  return unless(loses, broadcast_to(UOp::make(Op::Div, {g, ties}), in.shape()));
}
UOp of_arg_max(const UOp& u, const UOp& g, size_t) {
  const Shape& shape = u.src(0).shape();
  return unless(not_equal(position(shape, u.as<ReduceArg>().axes), broadcast_to(index_of(u), shape)), broadcast_to(g, shape));
}
/// The product of the others is that of those before times that of those after: right whatever is zero. One axis after another.
UOp times_others(const UOp& in, uint32_t axes, const UOp& g) {
  if (axes == 0) return g;
  const int32_t a = std::countr_zero(axes);
  const UOp outer = times_others(reduce(in, Prod, 1u << a), axes & (axes - 1), g);
  return broadcast_to(outer, in.shape()) * (scan(in, Prod, a, false) * scan_back(in, Prod, a, false));
}
/// dx[j] = prod(x[k], k < j) * sum(g[i] * prod(x[k], j < k <= i), i >= j): quadratic in the axis, but right whatever is zero.
UOp of_scan_prod(const UOp& u, const UOp& g, size_t) {
  const auto [monoid, j, inclusive] = u.as<ScanArg>();
  Dims wide = u.shape().dims(), row = wide;
  row.insert(row.begin() + j, 1);
  wide.insert(wide.begin() + j, u.shape()[static_cast<size_t>(j)]);
  const auto widened = [&](const UOp& v) { return broadcast_to(reshape(v, row), wide); };
  const UOp at_j = position(wide, 1u << j), at_i = position(wide, 2u << j), after = less(at_j, at_i);
  const UOp between = scan(where(after, widened(u.src(0)), constant(g.dtype(), 1)), monoid, j + 1, inclusive);
  const UOp terms = unless(inclusive ? less(at_i, at_j) : logical_not(after), widened(g) * between);
  return scan(u.src(0), monoid, j, false) * reshape(reduce(terms, Sum, 2u << j), u.shape());
}
UOp of_scan_best(const UOp& u, const UOp& g, size_t) {  // to the first that was the best so far
  const auto [monoid, axis, inclusive] = u.as<ScanArg>();
  const UOp index = index_of(scan(monoid == Min ? u.src(0) * -1 : u.src(0), ArgMax, axis, inclusive));
  if (inclusive) return scatter_lines(index, g, axis, ScatterMode::Add);
  const UOp first = less(position(u.shape(), 1u << axis), 1);  // there nothing came before
  return scatter_lines(unless(first, index), unless(first, g), axis, ScatterMode::Add);
}
UOp of_function(const UOp& u, const UOp& g, size_t i) { return u.as<FunctionArg>()->gradient(u, g, i); }
}  // namespace
#define FUNCTION(...) []([[maybe_unused]] const UOp& u, const UOp& g, size_t) -> UOp { return __VA_ARGS__; }
const std::vector<GradientRule>& gradient_rules() {
  const Pat shared = where(not_equal(x, y), dy, dy * 0.5);
  static const std::vector<GradientRule>& rules = *new std::vector<GradientRule>{
      {exp2(x),             {dy * out * std::numbers::ln2}},
      {log2(x),             {dy / (x * std::numbers::ln2)}},
      {sin(x),              {dy * cos(x)}},
      {cos(x),              {-(dy * sin(x))}},
      {sqrt(x),             {dy / (out * 2)}},
      {recip(x),            {-(dy * out * out)}},
      {x + y,               {dy, dy}},
      {x * y,               {dy * y, dy * x}},
      {x / y,               {dy / y, -(dy * (out / y))}},
      {max(x, y),           {where(less(x, y), 0, shared), where(less(y, x), 0, shared)}},
      {where(x, y, z),      {none, where(x, dy, 0), where(x, 0, dy)}},
      {fma(x, y, z),        {dy * y, dy * x, dy}},
      {any(Op::Cast),       {{"in the source's dtype", FUNCTION(cast(g, u.src(0).dtype()))}}},
      {any(Op::Reshape),    {{"in the source's shape", FUNCTION(reshape(g, u.src(0).shape()))}}},
      {any(Op::Permute),    {{"with its axes put back", of_permute}}},
      {any(Op::Expand),     {{"summed over the expanded axes", of_expand}}},
      {any(Op::Pad),        {{"without the padding", of_pad_or_shrink}}},
      {any(Op::Shrink),     {{"padded with zeros", of_pad_or_shrink}}},
      {any(Op::Flip),       {{"flipped", FUNCTION(UOp::make(Op::Flip, {g}, u.arg()))}}},
      {any(Op::Window),     {{"summed where its windows overlap", of_window_or_overlap_add}}},
      {any(Op::OverlapAdd), {{"seen through windows", of_window_or_overlap_add}}},
      {any(Op::Stack),      {{"at this source's place", of_stack}}},
      {any(Op::Gather),     {{"added into zeros at the index", FUNCTION(scatter(zeros(u.src(0).shape(), g.dtype()), u.src(1), g,
                               {static_cast<int32_t>(u.as<int64_t>()), ScatterMode::Add}))}, none}},
      {any(Op::Scatter),    {{"where nothing was set", of_scatter_base}, none, {"at the index, where still seen", of_scatter_values}}},
      {any(Op::Sort),       {{"in the old order", FUNCTION(scatter_lines(index_of(u), g, u.as<SortArg>().axis, ScatterMode::Set))}}},
      {any(Op::Get),        {{"", FUNCTION(u.as<int64_t>() == 0 ? g : throw GradientError("gradient: component 0 alone has one"))}}},
      {any(Op::Reduce),     {{"repeated", FUNCTION(broadcast_to(g, u.src(0).shape()))}}, {Sum}},
      {any(Op::Reduce),     {{"times the others", FUNCTION(times_others(u.src(0), u.as<ReduceArg>().axes, g))}}, {Prod}},
      {any(Op::Reduce),     {{"shared by those equal to the result", of_max_or_min}}, {Max, Min}},
      {any(Op::Reduce),     {{"where the result was found", of_arg_max}}, {ArgMax}},
      {any(Op::Scan),       {{"summed from the end", FUNCTION(scan_back(g, Sum, u.as<ScanArg>().axis, u.as<ScanArg>().inclusive))}}, {Sum}},
      {any(Op::Scan),       {{"times the others, summed from the end", of_scan_prod}}, {Prod}},
      {any(Op::Scan),       {{"added where the results were found", of_scan_best}}, {Max, Min, ArgMax}},
      {any(Op::Function),   {none, {"by a rule of its own", of_function}}},
      {any(Op::Contiguous), {{"", FUNCTION(g)}}},
      {any(Op::Copy),       {{"", FUNCTION(g)}}},  // a value is the same on every device; who uses it places it
      {any(Op::Assign),     {none, {"", FUNCTION(g)}}},
  };
  return rules;
}

}  // namespace tg
