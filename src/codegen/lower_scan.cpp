// See lowering.hpp. Scans: what has been combined so far is carried round the innermost loop, and across its lanes in a few shuffles.
//
//   Scan<Sum>(x[i], i), lanes along i      carry = phi 0;  v = load x[i .. i + 16);  v += v shifted by 1, 2, 4, 8 lanes;
//                                          result = carry + v;  carry += last lane of v
#include <algorithm>

#include <fmt/format.h>

#include "codegen/lowering.hpp"
#include "tg/error.hpp"

namespace tg {

// A scan runs along one loop, which becomes the innermost, and whose rounds follow each other on one worker; the rest may be lanes.
void Lower::place_scan(const UOp& u) {
  const auto ranges = scan_ranges(u);
  int loops = 0;
  for (const UOp& r : ranges) {
    if (r.op() != Op::Range) continue;  // a single round
    const Axis& a = *axis_of_[id(r)];
    const auto at = std::find_if(order_.begin(), order_.end(), [&](int i) { return &nest_.axes[static_cast<size_t>(i)] == &a; });
    if (at != order_.end()) std::rotate(at, at + 1, order_.end());
    const bool lanes = a.kind == AxisKind::Vector && &r == &ranges.back();
    if (!lanes && (a.kind != AxisKind::Loop || loops++ > 0))
      throw ValueError(fmt::format("a scan runs along one loop and its lanes, not along {} too: {}", a.name, nest_.text()));
    if (lanes && vector_axis(u.ranges() & ~bit(r)))
      throw ValueError("a scan over lanes cannot be made for lanes of another axis: " + nest_.text());
  }
}

void Lower::emit_scan(const UOp& u) {
  const int level = level_of(u.ranges());
  at_level(level, [&] {
    const State result = scanned(u, level);
    for (size_t c = 0; c < result.size(); ++c) e_.levels[static_cast<size_t>(level)].memo[key(u, c)] = result[c];
  });
}

Lower::State Lower::scanned(const UOp& u, int level) {
  const UOp *along = nullptr, *loop = nullptr;
  for (const UOp& r : scan_ranges(u)) if (r.op() == Op::Range) (is_kind(id(r), AxisKind::Vector) ? along : loop) = &r;
  const UOp* beside = along ? along : vector_axis(u.ranges());
  const int lanes = beside ? width(*beside) : 1, carry_lanes = along ? 1 : lanes;
  State none, carry, value, last, before;
  for (const UOp& c : identity(monoid(u), u.dtype())) none.push_back(emit(c));
  for (size_t i = 0; i < none.size(); ++i) value.push_back(e_.broadcast(emit(u.src(i)), lanes));
  for (int c : none) carry.push_back(loop ? e_.phi(e_.broadcast(c, carry_lanes)) : e_.broadcast(c, carry_lanes));
  for (int by = 1; along && by < lanes; by *= 2) {  // the first lanes are whole already
    const State sum = combined(u, shifted(value, value, by), value);
    const int rest = e_.alu(0, Op::Less, DType::bool_, {e_.constant(DType::index, by - 1), emit(*along)});
    for (size_t c = 0; c < value.size(); ++c) value[c] = e_.alu(level, Op::Where, e_.dtype(value[c]), {rest, sum[c], value[c]});
  }

  for (int v : value) last.push_back(along ? pick(level, v, lanes - 1) : v);
  const State next = combined(u, carry, last);
  if (loop) carried_.insert(carried_.end(), next.begin(), next.end());
  const bool inclusive = u.as<ScanArg>().inclusive;
  if (!along) return inclusive ? next : carry;
  for (int c : carry) before.push_back(e_.broadcast(c, lanes));
  return combined(u, before, inclusive ? value : shifted(value, none, 1));
}

// Each lane's state is that of the lane so many before it; the first get that of `fill`.
Lower::State Lower::shifted(const State& s, const State& fill, int by) {
  State out;
  for (size_t c = 0; c < s.size(); ++c) {
    const int lanes = e_.lanes(s[c]);
    Inst i = make(InstOp::shuffle, e_.dtype(s[c]), 0, {e_.broadcast(fill[c], lanes), s[c]});
    i.lanes = static_cast<uint16_t>(lanes);
    for (int k = 0; k < lanes; ++k) i.list.push_back(k < by ? k : lanes + k - by);
    out.push_back(e_.push(e_.depth(), std::move(i)));
  }
  return out;
}

}  // namespace tg
