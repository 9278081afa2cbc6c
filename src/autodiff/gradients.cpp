// THE table: a row an op. Everything that is differentiable is a composition of these.
//
//   sin(x) with dy upstream      its source gets dy * sin(pi/2 - x)
//
// Rows use arithmetic as it is: where a derivative is infinite or nan, so is the gradient. No epsilon is added anywhere.
#include "autodiff/gradients.hpp"

#include <algorithm>
#include <numbers>

#include "tg/error.hpp"

namespace tg {
namespace {

constexpr Var x{0}, y{1}, z{2}, dy = kUpstream, out = kResult;
constexpr double ln2 = std::numbers::ln2, pi = std::numbers::pi;
constexpr auto none = std::nullopt;

// ---- words ----

const UOp& source(const Match& m) { return m.root->src(0); }
UOp zeros(const Shape& s, DType t) { return broadcast_to(constant(t, 0), s); }
UOp sum(const UOp& u, uint32_t axes) { return UOp::make(Op::Reduce, {u}, ReduceArg{Monoid::Sum, axes}); }
UOp reshape(const UOp& u, const Shape& s) { return u.shape() == s ? u : UOp::make(Op::Reshape, {u}, s); }
UOp divide(const UOp& a, const UOp& b) { return UOp::make(Op::Div, {a, b}); }
UOp flip(const UOp& u, int64_t axis) { return UOp::make(Op::Flip, {u}, Ints({axis})); }
UOp scan(const UOp& u, Monoid m, int32_t axis, bool inclusive = true) { return UOp::make(Op::Scan, {u}, ScanArg{m, axis, inclusive}); }
UOp backward_scan(const UOp& u, Monoid m, int32_t axis, bool inclusive = true) {
  return flip(scan(flip(u, axis), m, axis, inclusive), axis);
}
UOp index_of(const UOp& tuple) { return UOp::make(Op::Get, {tuple}, int64_t{1}, DType::int64); }
UOp gather(const UOp& u, const UOp& index, int64_t axis) { return UOp::make(Op::Gather, {u, index}, axis); }
UOp scatter(const UOp& base, const UOp& index, const UOp& values, int32_t axis, ScatterMode mode) {
  return UOp::make(Op::Scatter, {base, index, values}, ScatterArg{axis, mode});
}
/// Where each element lies among those it is reduced with, counted in row-major order over `axes`.
UOp position(const Shape& shape, uint32_t axes) {
  Dims d = shape.dims();
  Dim n = 1;
  for (size_t i = 0; i < d.size(); ++i) axes >> i & 1 ? void(n = n * d[i]) : void(d[i] = 1);
  return broadcast_to(reshape(UOp::make(Op::Iota, {}, Shape{n}, DType::int64), d), shape);
}
Shape pairs_for(const Shape& shape, int32_t axis, const Dim& before, const Dim& after, bool pad) {
  Dims d;
  for (size_t i = 0; i < shape.rank(); ++i)
    if (static_cast<int32_t>(i) == axis) d.insert(d.end(), {before, after});
    else d.insert(d.end(), {0, pad ? Dim(0) : shape[i]});
  return d;
}

// ---- rows that are functions ----

UOp stack_row(const Match& m, size_t i) {
  const Shape shape = m[dy].shape();
  return reshape(UOp::make(Op::Shrink, {m[dy]}, pairs_for(shape, 0, i, i + 1, false)), source(m).shape());
}
UOp permute_row(const Match& m, size_t) {
  const auto& axes = *m.root->as<Ints>();
  std::vector<int64_t> inverse(axes.size());
  for (size_t i = 0; i < axes.size(); ++i) inverse[static_cast<size_t>(axes[i])] = static_cast<int64_t>(i);
  return UOp::make(Op::Permute, {m[dy]}, Ints(inverse));
}
UOp expand_row(const Match& m, size_t) {
  uint32_t axes = 0;
  for (size_t i = 0; i < m.root->shape().rank(); ++i) if (source(m).shape()[i] != m.root->shape()[i]) axes |= 1u << i;
  return sum(m[dy], axes);
}
// Pad's (before, after) and Shrink's (begin, end) undo each other; each one's pairs from the other's.
UOp pad_row(const Match& m, size_t) {
  Dims pairs = m.root->as<Shape>().dims();
  for (size_t i = 0; i < pairs.size(); i += 2) pairs[i + 1] = pairs[i] + source(m).shape()[i / 2];
  return UOp::make(Op::Shrink, {m[dy]}, Shape(pairs));
}
UOp shrink_row(const Match& m, size_t) {
  Dims pairs = m.root->as<Shape>().dims();
  for (size_t i = 0; i < pairs.size(); i += 2) pairs[i + 1] = source(m).shape()[i / 2] - pairs[i + 1];
  return UOp::make(Op::Pad, {m[dy]}, Shape(pairs));
}
UOp window_row(const Match& m, size_t) {
  WindowArg w = m.root->as<WindowArg>();
  w.length = source(m).shape()[static_cast<size_t>(w.axis)].value();
  return UOp::make(Op::OverlapAdd, {m[dy]}, w);
}
UOp overlap_add_row(const Match& m, size_t) {
  WindowArg w = m.root->as<WindowArg>();
  w.length = -1;
  return UOp::make(Op::Window, {m[dy]}, w);
}

UOp gather_row(const Match& m, size_t) {
  return scatter(zeros(source(m).shape(), m[dy].dtype()), m.root->src(1), m[dy], static_cast<int32_t>(m.root->as<int64_t>()), ScatterMode::Add);
}
UOp scatter_base_row(const Match& m, size_t) {
  const ScatterArg a = m.root->as<ScatterArg>();
  const UOp& values = m.root->src(2);
  return a.mode == ScatterMode::Add ? m[dy] : scatter(m[dy], m.root->src(1), zeros(values.shape(), values.dtype()), a.axis, a.mode);
}
UOp scatter_values_row(const Match& m, size_t) {
  const ScatterArg a = m.root->as<ScatterArg>();
  const UOp &index = m.root->src(1), &values = m.root->src(2), g = gather(m[dy], index, a.axis);
  if (a.mode == ScatterMode::Add) return g;
  // Of values set at one place only the last is seen: write their numbers, and look whose is still there.
  const UOp numbers = position(index.shape(), ~0u);
  const UOp kept = scatter(zeros({source(m).shape()[static_cast<size_t>(a.axis)]}, DType::int64), index, numbers, 0, ScatterMode::Set);
  Dims d(values.shape().rank(), 1);
  std::copy(index.shape().begin(), index.shape().end(), d.begin() + a.axis);
  const UOp lost = broadcast_to(reshape(not_equal(gather(kept, index, 0), numbers), d), values.shape());
  return where(lost, constant(g.dtype(), 0), g);
}
/// `values` added (or set) into zeros at `index` along `axis`, line by line: the adjoint of taking from each line.
UOp scatter_lines(const UOp& index, const UOp& values, int32_t axis, ScatterMode mode) {
  const Shape& shape = values.shape();
  Dim inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < shape.rank(); ++i) inner = inner * shape[i];
  const UOp flat = position(shape, ~0u) + (index - position(shape, 1u << axis)) * cast(inner.expr(), DType::int64);
  const Shape line{shape.numel()};
  return reshape(scatter(zeros(line, values.dtype()), reshape(flat, line), reshape(values, line), 0, mode), shape);
}
UOp sort_row(const Match& m, size_t) { return scatter_lines(index_of(*m.root), m[dy], m.root->as<SortArg>().axis, ScatterMode::Set); }

UOp sum_row(const Match& m, size_t) { return broadcast_to(m[dy], source(m).shape()); }
UOp extremum_row(const Match& m, size_t) {  // those that tie for it share evenly
  const ReduceArg a = m.root->as<ReduceArg>();
  const UOp &in = source(m), best = broadcast_to(*m.root, in.shape()), zero = constant(in.dtype(), 0);
  const UOp loses = a.monoid == Monoid::Max ? less(in, best) : less(best, in);
  const UOp count = sum(where(loses, zero, broadcast_to(constant(in.dtype(), 1), in.shape())), a.axes);
  return where(loses, zero, broadcast_to(divide(m[dy], count), in.shape()));
}
UOp arg_max_row(const Match& m, size_t) {
  const Shape& shape = source(m).shape();
  const UOp elsewhere = not_equal(position(shape, m.root->as<ReduceArg>().axes), broadcast_to(index_of(*m.root), shape));
  return where(elsewhere, constant(m[dy].dtype(), 0), broadcast_to(m[dy], shape));
}
// The product of all others is the product of those before and of those after: right whatever is zero. One axis after another.
UOp prod_row(const Match& m, size_t) {
  std::vector<std::pair<UOp, int32_t>> steps;
  UOp p = source(m), g = m[dy];
  for (int32_t i = 0; i < static_cast<int32_t>(p.shape().rank()); ++i) {
    if (!(m.root->as<ReduceArg>().axes >> i & 1)) continue;
    steps.emplace_back(p, i);
    p = UOp::make(Op::Reduce, {p}, ReduceArg{Monoid::Prod, 1u << i});
  }
  for (; !steps.empty(); steps.pop_back()) {
    const auto& [in, axis] = steps.back();
    g = broadcast_to(g, in.shape()) * (scan(in, Monoid::Prod, axis, false) * backward_scan(in, Monoid::Prod, axis, false));
  }
  return g;
}

// An exclusive scan is an inclusive one seen a place later: its dy is moved a place back.
UOp inclusive_dy(const Match& m) {
  const ScanArg a = m.root->as<ScanArg>();
  if (a.inclusive) return m[dy];
  const UOp longer = UOp::make(Op::Pad, {m[dy]}, pairs_for(m[dy].shape(), a.axis, 0, 1, true));
  return UOp::make(Op::Shrink, {longer}, pairs_for(m[dy].shape(), a.axis, 1, longer.shape()[static_cast<size_t>(a.axis)], false));
}
UOp scan_sum_row(const Match& m, size_t) { return backward_scan(inclusive_dy(m), Monoid::Sum, m.root->as<ScanArg>().axis); }
UOp scan_extremum_row(const Match& m, size_t) {  // to the first that was the best so far
  const ScanArg a = m.root->as<ScanArg>();
  const UOp in = a.monoid == Monoid::Min ? source(m) * -1 : source(m);
  return scatter_lines(index_of(scan(in, Monoid::ArgMax, a.axis)), inclusive_dy(m), a.axis, ScatterMode::Add);
}
// dx[j] = prod(x[k], k < j) * sum(dy[i] * prod(x[k], j < k <= i), i >= j): quadratic in the axis, but right whatever is zero.
UOp scan_prod_row(const Match& m, size_t) {
  const int32_t j = m.root->as<ScanArg>().axis, i = j + 1;
  const UOp &in = source(m), one = constant(in.dtype(), 1);
  Dims wide = in.shape().dims(), row = wide;
  row.insert(row.begin() + j, 1);
  wide.insert(wide.begin() + j, wide[static_cast<size_t>(j)]);
  const UOp at_j = position(wide, 1u << j), at_i = position(wide, 1u << i);
  const auto widened = [&](const UOp& u) { return broadcast_to(reshape(u, row), wide); };
  const UOp between = scan(where(less(at_j, at_i), widened(in), one), Monoid::Prod, i);
  const UOp terms = where(less(at_i, at_j), constant(in.dtype(), 0), widened(inclusive_dy(m)) * between);
  return scan(in, Monoid::Prod, j, false) * reshape(sum(terms, 1u << i), in.shape());
}
UOp get_row(const Match& m, size_t) {
  if (m.root->as<int64_t>() != 0) throw GradientError("gradient: only a tuple's value (component 0) has one: " + to_string(*m.root));
  return m[dy];
}
UOp same_row(const Match& m, size_t) { return m[dy]; }
UOp cast_row(const Match& m, size_t) { return cast(m[dy], source(m).dtype()); }
UOp reshape_row(const Match& m, size_t) { return reshape(m[dy], source(m).shape()); }
UOp flip_row(const Match& m, size_t) { return UOp::make(Op::Flip, {m[dy]}, m.root->arg()); }

}  // namespace

const std::vector<GradientRule>& gradient_rules() {
  static const std::vector<GradientRule> rules = {
      {exp2(x),             {dy * out * ln2}},
      {log2(x),             {dy / (x * ln2)}},
      {sin(x),              {dy * sin(pi / 2 - x)}},
      {sqrt(x),             {dy / (out * 2)}},
      {recip(x),            {-(dy * out * out)}},
      {x + y,               {dy, dy}},
      {x * y,               {dy * y, dy * x}},
      {x / y,               {dy / y, -(dy * (out / y))}},
      {max(x, y),           {where(less(x, y), 0, where(not_equal(x, y), dy, dy * 0.5)), where(less(y, x), 0, where(not_equal(x, y), dy, dy * 0.5))}},
      {where(x, y, z),      {none, where(x, dy, 0), where(x, 0, dy)}},
      {fma(x, y, z),        {dy * y, dy * x, dy}},
      {any(Op::Cast),       {{"{dy} as {x}'s dtype", cast_row}}},
      {any(Op::Reshape),    {{"{dy} in {x}'s shape", reshape_row}}},
      {any(Op::Permute),    {{"{dy} with its axes put back", permute_row}}},
      {any(Op::Expand),     {{"sum of {dy} over the expanded axes", expand_row}}},
      {any(Op::Pad),        {{"{dy} without the padding", pad_row}}},
      {any(Op::Shrink),     {{"{dy} padded with zeros to {x}'s shape", shrink_row}}},
      {any(Op::Flip),       {{"{dy} flipped", flip_row}}},
      {any(Op::Window),     {{"sum of {dy}'s overlapping windows", window_row}}},
      {any(Op::OverlapAdd), {{"windows of {dy}", overlap_add_row}}},
      {any(Op::Stack),      {{"its part of {dy}", stack_row}}},
      {any(Op::Gather),     {{"{dy} added into zeros at {y}", gather_row}, none}},
      {any(Op::Scatter),    {{"{dy}, zero where {out} was set", scatter_base_row}, none, {"{dy} at {y}, where still seen", scatter_values_row}}},
      {any(Op::Sort),       {{"{dy} put back in {x}'s order", sort_row}}},
      {any(Op::Get),        {{"{dy}", get_row}}},
      {any(Op::Reduce),     {{"{dy} repeated", sum_row}}, Monoid::Sum},
      {any(Op::Reduce),     {{"{dy} times the product of the others", prod_row}}, Monoid::Prod},
      {any(Op::Reduce),     {{"{dy} shared by those equal to {out}", extremum_row}}, Monoid::Max},
      {any(Op::Reduce),     {{"{dy} shared by those equal to {out}", extremum_row}}, Monoid::Min},
      {any(Op::Reduce),     {{"{dy} where {out} was found", arg_max_row}}, Monoid::ArgMax},
      {any(Op::Scan),       {{"running sum of {dy} from the end", scan_sum_row}}, Monoid::Sum},
      {any(Op::Scan),       {{"sum of {dy} times the products of the others", scan_prod_row}}, Monoid::Prod},
      {any(Op::Scan),       {{"{dy} added where {out} was found", scan_extremum_row}}, Monoid::Max},
      {any(Op::Scan),       {{"{dy} added where {out} was found", scan_extremum_row}}, Monoid::Min},
      {any(Op::Scan),       {{"{dy} added where {out} was found", scan_extremum_row}}, Monoid::ArgMax},
      {any(Op::Contiguous), {{"{dy}", same_row}}},
      {any(Op::Copy),       {{"{dy}", same_row}}},  // a value is the same on every device; who uses it places it
      {any(Op::Assign),     {none, {"{dy}", same_row}}},
  };
  return rules;
}

bool stops_gradient(Op op) {
  static constexpr Op ops[] = {Op::Const, Op::Buffer, Op::Param, Op::Variable, Op::Range, Op::Iota, Op::Bind, Op::Detach, Op::Trunc, Op::Bitcast,
                               Op::IDiv, Op::Mod, Op::Shl, Op::Shr, Op::And, Op::Or, Op::Xor, Op::Less, Op::NotEqual};
  return std::find(std::begin(ops), std::end(ops), op) != std::end(ops);
}

const GradientRule* gradient_rule(const UOp& u, Match& m) {
  static const auto by_op = [] {
    std::array<std::vector<const GradientRule*>, kOpCount> table;
    for (const GradientRule& r : gradient_rules()) table[static_cast<size_t>(r.left.op)].push_back(&r);
    return table;
  }();
  const auto monoid_is = [&](Monoid wanted) { return (u.op() == Op::Reduce ? u.as<ReduceArg>().monoid : u.as<ScanArg>().monoid) == wanted; };
  for (const GradientRule* r : by_op[static_cast<size_t>(u.op())]) if ((!r->monoid || monoid_is(*r->monoid)) && match(r->left, u, m)) return r;
  return nullptr;
}

}  // namespace tg
