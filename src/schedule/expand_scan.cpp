// See expansions.hpp. Few long lines are cut into chunks, so that many workers have something to do; everything is read twice instead of
// once.
#include "ir/monoid.hpp"
#include "schedule/cost.hpp"
#include "schedule/expansions.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

constexpr int64_t kScanChunk = 16384;      // elements: some microseconds of work
constexpr double kEnoughLines = 16;    // that keep the cores busy as they are

bool is_half(DType t) { return t == DType::float16 || t == DType::bfloat16; }
/// Components of a tuple, in dtypes that tensors have.
State gets(const UOp& u, Monoid m) {
  if (components(m) == 1) return {u};
  State out;
  for (size_t i = 0; i < components(m); ++i) {
    const DType t = component_dtype(m, i, u.dtype());
    out.push_back(UOp::make(Op::Get, {u}, static_cast<int64_t>(i), t == DType::index ? DType::int64 : t));
  }
  return out;
}
/// first, first + step, ... along an axis of the shape, repeated along the others.
UOp counting(const Shape& shape, size_t axis, int64_t step) {
  Dims d(shape.rank(), 1);
  d[axis] = shape[axis];
  return broadcast_to(reshape(UOp::make(Op::Iota, {}, Shape{shape[axis]}, DType::int64), d), shape) * step;
}
/// The identity of one component, or an element's own.
UOp scan_of_one(const UOp& scan, size_t component) {
  const auto [m, axis, inclusive] = scan.as<ScanArg>();
  const State s = inclusive ? lift(m, scan.src(0), constant(DType::int64, 0)) : identity(m, scan.dtype());
  const UOp& v = s[component];
  return broadcast_to(v.dtype() == DType::index ? cast(v, DType::int64) : v, scan.shape());
}

}  // namespace

UOp expand_scan(const UOp& scan, size_t component) {
  const auto [m, a, inclusive] = scan.as<ScanArg>();
  const auto axis = static_cast<size_t>(a);
  const Shape& shape = scan.shape();
  if (!shape[axis].known() || scan.src().size() > 1) return {};
  const int64_t n = shape[axis].value();
  if (n == 1) return scan_of_one(scan, component);
  if (n < 2 * kScanChunk || elements(shape) >= kEnoughLines * static_cast<double>(n)) return {};

  // (.., n, ..) to (.., chunks, elements, ..). What is appended comes last, and is dropped again.
  const int64_t chunks = (n + kScanChunk - 1) / kScanChunk;
  Dims pads(2 * shape.rank(), 0), d = shape.dims();
  pads[2 * axis + 1] = chunks * kScanChunk - n;
  UOp x = chunks * kScanChunk == n ? scan.src(0) : UOp::make(Op::Pad, {scan.src(0)}, Shape(pads));
  d[axis] = kScanChunk;
  d.insert(d.begin() + a, chunks);
  const Shape wide(d);
  x = reshape(is_half(x.dtype()) ? cast(x, DType::float32) : x, wide);

  d[axis + 1] = 1;
  const UOp place = counting(wide, axis, kScanChunk) + counting(wide, axis + 1, 1);
  State whole = gets(UOp::make(Op::Reduce, {x}, ReduceArg{m, 2u << axis}), m), each = lift(m, x, place);
  if (m == Monoid::ArgMax) whole[1] = whole[1] + counting(d, axis, kScanChunk);
  for (UOp& s : each) s = broadcast_to(s, wide);
  const State before = gets(UOp::make(Op::Scan, whole, ScanArg{m, a, false}), m),
              within = gets(UOp::make(Op::Scan, each, ScanArg{m, a + 1, inclusive}), m);
  State carried;
  for (const UOp& s : before) carried.push_back(broadcast_to(s, wide));
  UOp out =
      UOp::make(Op::Contiguous, {cast(combine(m, carried, within)[component], component > 0 ? within[component].dtype() : scan.dtype())});
  d = shape.dims();
  d[axis] = chunks * kScanChunk;
  out = reshape(out, d);
  if (chunks * kScanChunk == n) return out;
  Dims cut;
  for (const Dim& s : shape) cut.insert(cut.end(), {0, s});
  return UOp::make(Op::Shrink, {out}, Shape(cut));
}

}  // namespace tg
