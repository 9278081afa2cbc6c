// See expansions.hpp. Sorting a line of n elements means to know the place of each. Either it is counted how many come before it, n * n
// comparisons in one kernel; or, as in LSD radix sort (Knuth, The Art of Computer Programming 3, 5.2.5), elements are put in the order of
// one byte of their keys after the other. In a chunk that one worker walks through, a table says where the next element with each byte
// goes:
//
//   slot   = byte + 256 * chunk                  of each element
//   counts = add 1 at each slot                  how many of them: chunks in parallel, elements of a chunk in order
//   first  = running sum of counts, bytes of all chunks before the next byte
//   place  = what 1 is added to, at each slot    of a table that starts as first; then elements move to their places, all in parallel
//
// A key is an unsigned integer that orders as its element does, so that nan comes last and what is equal stays in its order.
#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_set>

#include "schedule/cost.hpp"
#include "schedule/expansions.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

constexpr int64_t kBytes = 256;               // values of one
constexpr int64_t kSortChunk = 8192, kMost = 127; // elements a chunk at least, and chunks a line: their table is then scanned in one go
constexpr int64_t kWorthSelecting = 4;        // times fewer elements to sort, before they are looked for first
constexpr double kCompare = 0.15, kPass = 12, kPassLaunches = 30e3;  // cycles: of two elements, of one element's pass, of a pass's kernels

UOp permute(const UOp& u, const std::vector<int64_t>& axes) {
  return std::is_sorted(axes.begin(), axes.end()) ? u : UOp::make(Op::Permute, {u}, Ints(axes));
}
UOp op(Op o, const UOp& a, const UOp& b) { return UOp::make(o, {a, b}); }
UOp flat(const UOp& u) { return reshape(u, Shape{u.shape().numel()}); }
UOp filled(const Shape& s, DType t, int64_t v) { return broadcast_to(constant(t, v), s); }
UOp counting(int64_t n, DType t) { return UOp::make(Op::Iota, {}, Shape{n}, t); }
/// 0, step, 2 * step, ... along the first axis.
UOp along_first(const Shape& s, int64_t step, DType t) {
  Dims d(s.rank(), 1);
  d[0] = s[0];
  return broadcast_to(reshape(counting(s[0].value(), t) * step, d), s);
}
UOp moved(const UOp& values, const UOp& place) {
  const Shape line{values.shape().numel()};
  return UOp::make(Op::Scatter, {filled(line, values.dtype(), 0), place, flat(values)}, ScatterArg{0, ScatterMode::Set, 1});
}

DType unsigned_of(size_t bytes) {
  return bytes == 1 ? DType::uint8 : bytes == 2 ? DType::uint16 : bytes == 4 ? DType::uint32 : DType::uint64;
}
class Keys {
 public:
  Keys(DType t, bool descending) : of_(t), type_(unsigned_of(size_of(t))), descending_(descending) {}
  DType dtype() const { return type_; }

  /// zeros_equal: -0 has the key of 0, and cannot be had back.
  UOp of(UOp x, bool zeros_equal) const {
    if (is_float(of_)) {
      if (zeros_equal) x = where(not_equal(x, constant(of_, 0)), x, constant(of_, 0));
      const UOp nan = not_equal(x, x), bits = UOp::make(Op::Bitcast, {x}, {}, type_);
      const UOp key = turned(op(Op::Xor, bits, where(less(bits, sign()), sign(), ones())));
      return where(nan, ones(), key);
    }
    if (of_ == DType::bool_ || is_unsigned(of_)) return turned(cast(x, type_));
    return turned(op(Op::Xor, UOp::make(Op::Bitcast, {x}, {}, type_), sign()));
  }
  UOp back(UOp key) const {
    if (is_float(of_)) {
      const UOp k = turned(key), bits = op(Op::Xor, k, where(less(k, sign()), ones(), sign()));
      return where(not_equal(key, ones()), UOp::make(Op::Bitcast, {bits}, {}, of_), constant(of_, std::nan("")));
    }
    key = turned(key);
    if (of_ == DType::bool_ || is_unsigned(of_)) return cast(key, of_);
    return UOp::make(Op::Bitcast, {op(Op::Xor, key, sign())}, {}, of_);
  }
  UOp complement(const UOp& key) const { return op(Op::Xor, key, ones()); }

 private:
  UOp ones() const { return constant(type_, -1); }
  UOp sign() const { return constant(type_, static_cast<int64_t>(uint64_t{1} << (8 * size_of(type_) - 1))); }
  UOp turned(const UOp& key) const { return descending_ ? complement(key) : key; }
  DType of_, type_;
  bool descending_;
};

/// Of keys (lines, n): where each goes among all elements, by counting what comes before it in its line.
UOp places_by_counting(const UOp& key, DType number) {
  const Dim lines = key.shape()[0], n = key.shape()[1];
  const Shape pairs{lines, n, n};
  const UOp mine = broadcast_to(reshape(key, {lines, n, 1}), pairs), other = broadcast_to(reshape(key, {lines, 1, n}), pairs);
  const UOp at = reshape(counting(n.value(), number), {1, n, 1}), before = reshape(at, {1, 1, n});
  const UOp first = less(other, mine) | (logical_not(less(mine, other)) & less(broadcast_to(before, pairs), broadcast_to(at, pairs)));
  const UOp rank = UOp::make(Op::Reduce, {cast(first, number)}, ReduceArg{Monoid::Sum, 4});
  return flat(reshape(rank, key.shape()) + along_first(key.shape(), n.value(), number));
}

struct Sorted { UOp keys, indices; };  // flat; indices are empty if they are not wanted
/// Of keys (lines, chunks, n) with positions in their lines: in the order of one byte after the other.
Sorted by_bytes(const UOp& key, DType number, bool with_indices) {
  const Shape& shape = key.shape();
  const int64_t lines = shape[0].value(), chunks = shape[1].value(), line = chunks * shape[2].value(), table = chunks * kBytes;
  Sorted s{flat(key), with_indices ? flat(broadcast_to(reshape(counting(line, number), {1, chunks, shape[2]}), shape)) : UOp()};
  const UOp chunk = broadcast_to(reshape(counting(lines * chunks, number) * kBytes, {lines, chunks, 1}), shape);
  const UOp one = filled(shape, number, 1);
  const auto add = [&](const UOp& base, const UOp& slot) {
    return UOp::make(Op::Scatter, {base, slot, one}, ScatterArg{0, ScatterMode::Add, 2});
  };
  for (size_t byte = 0; byte < size_of(key.dtype()); ++byte) {
    const UOp shifted = byte == 0 ? s.keys : op(Op::Shr, s.keys, constant(key.dtype(), static_cast<int64_t>(8 * byte)));
    const UOp slot = cast(cast(reshape(shifted, shape), DType::uint8), number) + chunk;
    const UOp counts = reshape(add(filled({lines * table}, number, 0), slot), {lines, chunks, kBytes});
    const UOp in_order = reshape(permute(counts, {0, 2, 1}), {lines, table});
    const UOp running = UOp::make(Op::Scan, {in_order}, ScanArg{Monoid::Sum, 1, false}) + along_first(in_order.shape(), line, number);
    const UOp first = flat(permute(reshape(running, {lines, kBytes, chunks}), {0, 2, 1}));
    const UOp place = flat(UOp::make(Op::Get, {add(first, slot)}, int64_t{1}, number));
    s.keys = moved(s.keys, place);
    if (with_indices) s.indices = moved(s.indices, place);
  }
  return s;
}

/// The axis last, and all others one axis before it.
struct Lines {
  Lines(const Shape& shape, int64_t axis) : inverse(shape.rank()) {
    for (int64_t a = 0; a < static_cast<int64_t>(shape.rank()); ++a) if (a != axis) order.push_back(a);
    order.push_back(axis);
    for (size_t i = 0; i < order.size(); ++i) {
      inverse[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
      turned.push_back(shape[static_cast<size_t>(order[i])]);
    }
    n = turned.back().value();
    count = n > 0 ? shape.numel().value() / n : 0;
  }
  UOp of(const UOp& u) const { return reshape(permute(u, order), {count, n}); }
  UOp back(const UOp& lines) const {  // which may have become shorter
    Dims d = turned;
    d.back() = lines.shape().numel().value() / count;
    return permute(reshape(lines, d), inverse);
  }
  int64_t count, n;

 private:
  std::vector<int64_t> order, inverse;
  Dims turned;
};
UOp first_of_lines(const UOp& u, int64_t k) { return UOp::make(Op::Shrink, {u}, Shape{0, u.shape()[0], 0, k}); }
/// u[line, index[line, i]]
UOp taken(const UOp& u, const UOp& index) {
  return UOp::make(Op::Gather, {flat(u), flat(index + along_first(index.shape(), u.shape()[1].value(), index.dtype()))}, int64_t{0});
}

/// Component 0 or 1 of a Sort; with_indices: somebody wants component 1.
UOp expand(const UOp& sort, size_t component, bool with_indices) {
  const auto [axis, descending] = sort.as<SortArg>();
  if (sort.shape().numel() == Dim(0) || sort.shape()[static_cast<size_t>(axis)] == Dim(1))
    return component == 0 ? sort.src(0) : filled(sort.shape(), DType::int64, 0);
  const Lines split(sort.shape(), axis);
  const int64_t n = split.n, lines = split.count, all = n * lines;
  const auto result = [&](const UOp& u) { return split.back(u); };
  const UOp x = split.of(sort.src(0));
  const Keys keys(x.dtype(), descending);

  const double elements = static_cast<double>(all), passes = static_cast<double>(size_of(x.dtype()));
  if (elements * static_cast<double>(n) * kCompare <= passes * (elements * kPass + kPassLaunches)) {
    const UOp place = places_by_counting(keys.of(x, true), all < INT32_MAX ? DType::int32 : DType::int64);
    const UOp position = broadcast_to(reshape(counting(n, DType::int64), {1, n}), x.shape());
    return result(moved(component == 0 ? x : position, place));
  }
  // What fills up the last chunk goes last.
  const int64_t chunks = std::clamp<int64_t>(n / kSortChunk, 1, kMost), chunk = (n + chunks - 1) / chunks, line = chunks * chunk;
  const DType number = lines * line < INT32_MAX ? DType::int32 : DType::int64;
  UOp key = keys.of(x, with_indices);
  if (line > n) key = keys.complement(UOp::make(Op::Pad, {keys.complement(key)}, Shape{0, 0, 0, line - n}));
  const Sorted s = by_bytes(reshape(key, {lines, chunks, chunk}), number, with_indices);
  const auto cut = [&](const UOp& u) {
    const UOp all_lines = reshape(u, {lines, line});
    return line == n ? all_lines : first_of_lines(all_lines, n);
  };
  if (!with_indices) return result(keys.back(cut(s.keys)));
  const UOp indices = cut(s.indices);
  if (component == 1) return result(cast(indices, DType::int64));
  return result(taken(x, indices));
}

/// The same of the first k alone. They lie in the k pieces of a line whose own first elements come first, so only these are sorted: since
/// equal elements stay in their order, so do pieces, and what is found in them is what sorting everything would find. Empty if k is large.
UOp expand_first(const UOp& sort, size_t component, int64_t k) {
  const auto [axis, descending] = sort.as<SortArg>();
  if (sort.shape().numel() == Dim(0) || k == 0) return {};
  const Lines split(sort.shape(), axis);
  const int64_t n = split.n, lines = split.count;
  const auto piece = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::sqrt(static_cast<double>(n) / static_cast<double>(k)))));
  const int64_t pieces = (n + piece - 1) / piece;
  if (kWorthSelecting * k * piece > n) return {};
  const UOp x = split.of(sort.src(0));
  const Keys keys(x.dtype(), descending);
  UOp key = keys.of(x, true);
  if (pieces * piece > n) key = keys.complement(UOp::make(Op::Pad, {keys.complement(key)}, Shape{0, 0, 0, pieces * piece - n}));
  const auto order = [](const UOp& u, int64_t c) {
    return expand(UOp::make(Op::Sort, {u}, SortArg{1, false}), static_cast<size_t>(c), c == 1);
  };
  const UOp best = reshape(UOp::make(Op::Reduce, {reshape(key, {lines, pieces, piece})}, ReduceArg{Monoid::Min, 4}), {lines, pieces});
  const UOp chosen = order(first_of_lines(order(best, 1), k), 0);  // in the order in which they lie
  const Shape wide{lines, k, piece};
  const UOp at = reshape(broadcast_to(reshape(chosen * piece, {lines, k, 1}), wide) +
                             broadcast_to(reshape(counting(piece, DType::int64), {1, 1, piece}), wide), {lines, k * piece});
  const UOp found = first_of_lines(order(reshape(taken(key, at), at.shape()), 1), k);
  const UOp index = reshape(taken(at, found), found.shape());
  return split.back(component == 1 ? index : reshape(taken(x, index), index.shape()));
}
/// How many the Shrink takes, if it takes the first of what is sorted along its axis alone; -1 otherwise.
int64_t first_few(const UOp& shrink) {
  if (shrink.op() != Op::Shrink || shrink.src(0).op() != Op::Get || shrink.src(0).src(0).op() != Op::Sort) return -1;
  const auto axis = static_cast<size_t>(shrink.src(0).src(0).as<SortArg>().axis);
  for (size_t a = 0; a < shrink.shape().rank(); ++a) {
    const Dim &begin = shrink.as<Shape>()[2 * a], &end = shrink.as<Shape>()[2 * a + 1];
    if (!(begin == Dim(0)) || (a != axis && !(end == shrink.src(0).shape()[a]))) return -1;
  }
  return shrink.shape()[axis].value();
}

}  // namespace

std::vector<UOp> expand_sorts(std::span<const UOp> roots) {
  const std::vector<UOp> order = toposort(roots);
  std::unordered_set<UOp> with_indices;
  bool any = false;
  for (const UOp& u : order) {
    any |= u.op() == Op::Sort;
    if (u.op() == Op::Get && u.src(0).op() == Op::Sort && u.as<int64_t>() == 1) with_indices.insert(u.src(0));
  }
  if (!any) return {roots.begin(), roots.end()};
  std::unordered_map<UOp, UOp> done;
  for (const UOp& u : order) {
    std::vector<UOp> src;
    for (const UOp& s : u.src()) src.push_back(done.at(s));
    UOp& now = done[u];
    now = std::equal(src.begin(), src.end(), u.src().begin()) ? u : u.with(src);
    if (u.op() == Op::Get && u.src(0).op() == Op::Sort)
      now = cast(expand(src[0], static_cast<size_t>(u.as<int64_t>()), with_indices.contains(u.src(0))), u.dtype());
    if (const int64_t k = first_few(u); k >= 0)
      if (const UOp few = expand_first(done.at(u.src(0).src(0)), static_cast<size_t>(u.src(0).as<int64_t>()), k); few)
        now = cast(few, u.dtype());
  }
  std::vector<UOp> out;
  for (const UOp& r : roots) out.push_back(done.at(r));
  return out;
}

}  // namespace tg
