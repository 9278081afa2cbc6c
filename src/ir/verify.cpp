// The verifier is a table: {op, stage, what must hold, how to say that it does not}.
#include "tg/ir/verify.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/env.hpp"
#include "ir/monoid.hpp"
#include "tg/error.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

constexpr Op kBoth[] = {Op::Const, Op::Param, Op::Variable, Op::Reduce, Op::Scan, Op::Get, Op::Sink};
constexpr Op kKernelOnly[] = {Op::Range, Op::Load, Op::Store, Op::Check, Op::After, Op::End, Op::Mma};
bool belongs(Op op, Stage stage) {
  if (is_elementwise(op) || std::ranges::count(kBoth, op)) return true;
  return (std::ranges::count(kKernelOnly, op) != 0) == (stage == Stage::Kernel);
}

bool axis_ok(const UOp& u, int64_t axis) { return axis >= 0 && axis < static_cast<int64_t>(u.src(0).shape().rank()); }
bool distinct_axes(const UOp& u, bool all) {
  uint64_t seen = 0;
  for (int64_t a : *u.as<Ints>()) {
    if (!axis_ok(u, a) || seen >> a & 1) return false;
    seen |= uint64_t{1} << a;
  }
  return !all || u.as<Ints>()->size() == u.src(0).shape().rank();
}
bool pairs_ok(const UOp& u) {  // no negative padding; a cut within its axis
  const Shape& pairs = u.as<Shape>();
  for (size_t i = 0; 2 * i + 1 < pairs.rank(); ++i) {
    const Dim &a = pairs[2 * i], &b = pairs[2 * i + 1], &size = u.src(0).shape()[i];
    if (a.max() < 0 || b.max() < 0) return false;
    if (u.op() == Op::Shrink && a.known() && b.known() && size.known() && (a.value() > b.value() || b.value() > size.value())) return false;
  }
  return true;
}
bool ranges_follow(const UOp& u, size_t first = 1) {
  return std::ranges::all_of(u.src().subspan(first), [](const UOp& s) { return s.op() == Op::Range || is_const(s); });
}
// A load's or store's memory, index and gate.
bool access_ok(const UOp& u, size_t gate) {
  if (u.src().size() < gate || u.src().size() > gate + 1) return false;
  const bool memory = u.src(0).op() == Op::Param || u.src(0).op() == Op::After;
  return memory && u.src(1).dtype() == DType::index && (u.src().size() == gate || u.src(gate).dtype() == DType::bool_);
}
bool many_components(const UOp& u) {
  const UOp& from = u.src(0);
  if (from.op() == Op::Scatter) return u.as<int64_t>() == 1 && from.as<ScatterArg>().mode == ScatterMode::Add;
  if (from.op() == Op::Sort) return u.as<int64_t>() == 0 || u.as<int64_t>() == 1;
  const Monoid* m = from.op() == Op::Reduce ? &from.as<ReduceArg>().monoid : from.op() == Op::Scan ? &from.as<ScanArg>().monoid : nullptr;
  return m && u.as<int64_t>() >= 0 && u.as<int64_t>() < static_cast<int64_t>(components(*m));
}

bool scan_ok(const UOp& u) {  // over values, or over states of its monoid
  if (u.src().size() != 1 && u.src().size() != components(u.as<ScanArg>().monoid)) return false;
  return std::ranges::all_of(u.src(), [&](const UOp& s) { return s.shape() == u.shape(); }) && axis_ok(u, u.as<ScanArg>().axis);
}
bool scan_runs(const UOp& u) {
  const size_t n = components(u.as<ScanArg>().monoid);
  return u.src().size() > n && ranges_follow(u, n);
}
bool reduce_ok(const UOp& u) { return u.src().size() == 1 && u.as<ReduceArg>().axes >> u.src(0).shape().rank() == 0; }
bool window_ok(const UOp& u) {
  const auto& w = u.as<WindowArg>();
  return axis_ok(u, w.axis) && w.size > 0 && w.stride > 0 && w.dilation > 0;
}
bool gather_ok(const UOp& u) { return axis_ok(u, u.as<int64_t>()) && is_int(u.src(1).dtype()); }
bool scatter_ok(const UOp& u) {
  return axis_ok(u, u.as<ScatterArg>().axis) && static_cast<size_t>(u.as<ScatterArg>().apart) <= u.src(1).shape().rank() &&
         is_int(u.src(1).dtype()) && u.src(0).dtype() == u.src(2).dtype();
}
bool assign_ok(const UOp& u) { return u.src(0).shape() == u.src(1).shape() && u.src(0).dtype() == u.src(1).dtype(); }
bool bind_ok(const UOp& u) { return u.src(0).op() == Op::Variable && is_const(u.src(1)); }
bool range_ok(const UOp& u) { return u.src(0).dtype() == DType::index && u.src(0).ranges() == 0; }
bool load_ok(const UOp& u) { return access_ok(u, 2) && u.dtype() == u.src(0).dtype(); }
bool store_ok(const UOp& u) { return access_ok(u, 3) && u.src(2).dtype() == u.src(0).dtype(); }
bool check_ok(const UOp& u) { return u.dtype() == DType::index && u.src(1).dtype() == DType::index; }
bool end_ok(const UOp& u) {
  return std::ranges::all_of(u.src(), [](const UOp& s) { return s.dtype() == DType::void_ || s.op() == Op::Range || is_const(s); });
}

struct Check {
  Op op;
  Stage stage;
  bool (*holds)(const UOp&);
  const char* otherwise;
};
constexpr Check kChecks[] = {
    {Op::Reduce, Stage::Tensor, reduce_ok, "its axes are not its source's"},
    {Op::Permute, Stage::Tensor, [](const UOp& u) { return distinct_axes(u, true); }, "its axes are no permutation"},
    {Op::Flip, Stage::Tensor, [](const UOp& u) { return distinct_axes(u, false); }, "its axes are not its source's"},
    {Op::Pad, Stage::Tensor, pairs_ok, "negative padding"},
    {Op::Shrink, Stage::Tensor, pairs_ok, "it cuts outside its source"},
    {Op::Window, Stage::Tensor, window_ok, "it is no window of its source"},
    {Op::Gather, Stage::Tensor, gather_ok, "its axis or index does not fit"},
    {Op::Scatter, Stage::Tensor, scatter_ok, "its axis, index or values do not fit"},
    {Op::Scan, Stage::Tensor, scan_ok, "its axis or states are not its sources'"},
    {Op::Sort, Stage::Tensor, [](const UOp& u) { return axis_ok(u, u.as<SortArg>().axis); }, "its axis is not its source's"},
    {Op::Assign, Stage::Tensor, assign_ok, "target and value differ"},
    {Op::Bind, Stage::Tensor, bind_ok, "it binds no variable to a constant"},
    {Op::Get, Stage::Tensor, many_components, "its source has no such component"},
    {Op::Get, Stage::Kernel, many_components, "its source has no such component"},
    {Op::Range, Stage::Kernel, range_ok, "its extent is no size"},
    {Op::Load, Stage::Kernel, load_ok, "memory, index or gate do not fit"},
    {Op::Store, Stage::Kernel, store_ok, "memory, index, value or gate do not fit"},
    {Op::Check, Stage::Kernel, check_ok, "it checks no index"},
    {Op::Reduce, Stage::Kernel, [](const UOp& u) { return ranges_follow(u); }, "it reduces over what is no range"},
    {Op::Scan, Stage::Kernel, scan_runs, "it runs along what is no range"},
    {Op::End, Stage::Kernel, end_ok, "it ends what is neither store nor range"},
};

const char* fault(const UOp& u, Stage stage) {
  if (!belongs(u.op(), stage))
    return stage == Stage::Kernel ? "this op has no place in a kernel" : "this op has no place in a graph of tensors";
  if (stage == Stage::Tensor && u.ranges() != 0) return "a range is open outside of kernels";
  if (stage == Stage::Tensor && u.dtype() == DType::index && !u.shape().empty()) return "no tensor has the dtype index";
  if (stage == Stage::Kernel && u.op() != Op::Param && u.op() != Op::After && !u.shape().empty())
    return "a kernel's expressions are scalars";
  for (const Check& c : kChecks) if (c.op == u.op() && c.stage == stage && !c.holds(u)) return c.otherwise;
  return nullptr;
}

}  // namespace

void verify(const UOp& root, Stage stage) { verify(std::span(&root, 1), stage); }
void verify(std::span<const UOp> roots, Stage stage) {
  for (const UOp& u : toposort(roots)) {
    const char* why = fault(u, stage);
    if (!why) continue;
    std::string text = fmt::format("{} {} {}: {}; sources", name_of(u.op()), name_of(u.dtype()), to_string(u.shape()), why);
    for (const UOp& s : u.src()) text += fmt::format(" {} {} {}", name_of(s.op()), name_of(s.dtype()), to_string(s.shape()));
    throw InternalError(text);
  }
}

bool verifying() {
#ifndef NDEBUG
  return true;
#else
  return settings().debug > 0;
#endif
}

}  // namespace tg
