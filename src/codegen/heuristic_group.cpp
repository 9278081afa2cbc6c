// How reductions are split (the verb group): into rounds that add to what is stored, into parts for cores, into rows read side by side.
#include "codegen/choice.hpp"

namespace tg {
namespace {

constexpr double kWorthSplitting = 256e3;  // elements of a reduction that one core should not do alone
// Rows at once, each of which is fetched ahead along its pages; too many are not. Those of a part are some rounds.
constexpr int64_t kRowsAtOnce = 8, kRowsOfPart = 64;
constexpr int64_t kParts = 4, kPlanesOfPart = 4;  // that cores share equally, so or in multiples
constexpr int64_t kFewProducts = 8, kLine = 64;  // rows of a product that are made side by side; bytes
constexpr double kPieces = 0.8;      // of L2, for those of both operands of a product
constexpr double kLeastSteps = 400;  // of a sum in parts, each of which is stored and read
constexpr double kOfAPhase = 16e6;   // products that outweigh one more phase even where there are few parts
constexpr double kLongPiece = 16 << 10;  // bytes, which are fetched ahead whatever follows them

class Groups : public Choice {
 public:
  explicit Groups(const Choice& c) : Choice(c) {}

  Verbs run() { return sum_in_rounds() || split_long_reduction() || split_columns() || split_planes() ? take() : Verbs(); }

 private:
  // ---- long sums of products: in rounds that add to what is stored, each of panels of which L2 has a whole piece of rows ----

  bool sum_in_rounds() {
    for (const Split& s : nest_.splits) if (s.original.as<RangeArg>().id > 59) return false;
    if (reduces_.size() != 1 || kernel_.stores.size() != 1 || gates_ || lanes_ < 2) return false;
    const UOp& u = reduces_[0];
    if (reduce_ranges(u).size() != 1 || !is_contraction(u) || !is_float(u.dtype())) return false;
    const UOp& r = reduce_ranges(u)[0];
    if (!is_const(r.src(0))) return false;
    if (sum_in_parts(u, r)) return true;
    const auto far = [&](const UOp& operand) { return footprint(operand) > static_cast<double>(target_.l2_bytes); };
    const int64_t steps = target_.l2_bytes / 2 / kPiece;
    if (extent(r) < 4 * steps || !far(u.src(0).src(0)) || !far(u.src(0).src(1))) return false;
    const int64_t rounds = even_parts(extent(r), ceil_div(extent(r), std::max(steps, std::min(2 * steps, kRound))));
    if (extent(r) % rounds != 0) return false;
    verbs_.push_back(Verb::group(name(r), 1, extent(r) / rounds));
    return true;
  }

  // Where L2 holds enough steps of both operands beside each other, each core adds up pieces of its own: all of a piece is read once, and
  // cores share pieces and not the few panels of a product. Not of rows that lie along the sum, whose pieces would be short.
  bool sum_in_parts(const UOp& u, const UOp& r) {
    const UOp &product = u.src(0), &a = product.src(0), &b = product.src(1);
    const double bytes = footprint(a) + footprint(b), l2 = static_cast<double>(target_.l2_bytes);
    if (straight(product, r) || bytes <= l2) return false;
    double batch = 1;
    for (const UOp& o : kernel_.ranges) if (reads(a, o) && reads(b, o)) batch *= static_cast<double>(extent(o));
    const bool along = std::ranges::any_of(toposort(product), [&](const UOp& l) { return l.op() == Op::Load && stride(l.src(1), r) == 1; });
    const int64_t least = along || outputs_of(u) * length(u) < kOfAPhase ? 4 * kRound : 2 * kRound;
    const double step = bytes / batch / static_cast<double>(extent(r)), steps = std::min(kPieces * l2 / step, static_cast<double>(kRound));
    if (extent(r) < least || steps < kLeastSteps || batch >= static_cast<double>(kParts * target_.cores)) return false;
    verbs_.push_back(Verb::group(name(r), even_parts(extent(r), static_cast<int64_t>(static_cast<double>(extent(r)) / steps) + 1)));
    return true;
  }

  // ---- reductions longer than the output can keep the cores busy, or than a packed panel can be ----

  bool split_long_reduction() {
    for (const Split& s : nest_.splits) if (s.original.as<RangeArg>().id > 60) return false;
    for (const UOp& u : reduces_) {
      if (reduce_ranges(u).empty() || u.as<ReduceArg>().monoid == Monoid::ArgMax) continue;
      if (!alone(u)) continue;
      const UOp& r = *std::max_element(reduce_ranges(u).begin(), reduce_ranges(u).end(),
                                       [](const UOp& a, const UOp& b) { return extent(a) < extent(b); });
      const double n = length(u), outputs = outputs_of(u);
      int64_t parts = 0;
      if (outputs < 16 && outputs * n >= kWorthSplitting)
        parts = std::min<int64_t>(64, static_cast<int64_t>(outputs * n / (kWorthSplitting / 8)));
      else if (is_contraction(u)) {
        const double panel = n * static_cast<double>(2 * lanes_) * static_cast<double>(widest_),
                     most = 0.4 * static_cast<double>(target_.l2_bytes);
        if (panel > 2 * most && panel / most < static_cast<double>(extent(r))) parts = static_cast<int64_t>(panel / most) + 1;
      }
      if (parts < 2 || extent(r) < 2 * parts) continue;
      verbs_.push_back(Verb::group(name(r), even_parts(extent(r), parts)));
      return true;
    }
    return false;
  }
  bool alone(const UOp& u) const {  // no other reduction over any of its ranges, nor inside of it
    for (const UOp& r : reduce_ranges(u))
      for (const UOp& o : reduces_) if (!(o == u) && (closes(o, r) || reads(u, o))) return false;
    return true;
  }

  // ---- columns of an array that does not fit the cache: read straight through, row by row or some rows at once ----

  bool split_columns() {
    if (kernel_.ranges.empty() || lanes_ < 2) return false;
    for (const Split& s : nest_.splits) if (s.original.as<RangeArg>().id > 59) return false;
    for (const UOp& u : reduces_) {
      const auto closed = reduce_ranges(u);
      if (closed.size() != 1 || u.as<ReduceArg>().monoid == Monoid::ArgMax || !alone(u)) continue;
      const UOp& r = closed[0];
      if (!is_const(r.src(0)) || extent(r) <= kFewRows) continue;
      const int64_t apart = rows_pass_the_cache(u, r, kernel_.ranges.back());
      if (apart == 0) continue;
      const bool product = is_contraction(u), pages = apart > kPage;
      const int64_t columns = extent(kernel_.ranges.back()), rows = product ? static_cast<int64_t>(outputs_of(u)) / columns : 1;
      if (product && (!pages || columns <= kWidestTile * lanes_ || rows > most_rows(extent(r) * columns))) continue;
      const int64_t parts = kParts * ceil_div(extent(r), kParts * kRowsOfPart * rows);
      verbs_.push_back(columns <= kWidestTile * lanes_ ? Verb::group(name(r), parts)
                                                       : Verb::group(name(r), parts, pages ? kRowsAtOnce : 1));
      return true;
    }
    return false;
  }
  // Of a product of few rows by an array whose rows lie in pages of their own, all of these read it straight through together: up to so
  // many where it comes from memory, or where vectors are parts of lines. Each round then reads and writes their sums in L2: from the last
  // cache, tiles of more rows down some columns are faster.
  int64_t most_rows(int64_t elements) const {
    const bool distant = elements * static_cast<int64_t>(widest_) > target_.l3_bytes / 2;
    return distant || target_.vector_bytes < kLine ? kFewProducts : kFewProducts / 2;
  }
  double outputs_of(const UOp& u) const {
    double n = 1;
    for (const UOp& o : kernel_.ranges) if (u.ranges() & o.ranges()) n *= static_cast<double>(extent(o));
    return n;
  }
  // How many bytes apart they are, if what is reduced over r lies in rows along `last` of arrays that do not fit the cache; else 0.
  int64_t rows_pass_the_cache(const UOp& u, const UOp& r, const UOp& last) const {
    double bytes = 0;
    int64_t least = INT64_MAX;
    for (const UOp& l : toposort(u)) {
      if (l.op() != Op::Load || !reads(l.src(1), r)) continue;
      const int64_t along = stride(l.src(1), last), apart = stride(l.src(1), r);
      if (along == 0) continue;
      if (along != 1 || apart == kIrregular || std::abs(apart) < kFarApart) return 0;
      bytes += times(l.src(1)) * static_cast<double>(size_of(l.dtype()));
      least = std::min(least, std::abs(apart) * static_cast<int64_t>(size_of(l.dtype())));
    }
    return extent(last) >= kFarApart && bytes > static_cast<double>(target_.l2_bytes) ? least : 0;
  }

  // ---- pieces of planes (a channel of each image) of an array that does not fit the cache: all pieces of a few planes, then the next ----

  bool split_planes() {
    if (lanes_ < 2) return false;
    for (const Split& s : nest_.splits) if (s.original.as<RangeArg>().id > 60) return false;
    for (const UOp& u : reduces_) {
      const auto closed = reduce_ranges(u);
      if (closed.size() < 2 || !is_const(closed[0].src(0)) || extent(closed[0]) < kFewRows || !reads_planes(u)) continue;
      if (!std::ranges::all_of(reduces_, [&](const UOp& o) { return o == u || splits_with(u, o); })) continue;
      verbs_.push_back(Verb::group(name(closed[0]), ceil_div(extent(closed[0]), kPlanesOfPart)));
      return true;
    }
    return false;
  }
  // Whether what is reduced lies in pieces, one in each step of the outermost loop, with those of other outputs between them.
  bool reads_planes(const UOp& u) const {
    if (u.as<ReduceArg>().monoid == Monoid::ArgMax || is_contraction(u)) return false;
    const UOp &r = reduce_ranges(u)[0], &last = reduce_ranges(u).back();
    const double piece = length(u) / static_cast<double>(extent(r)) * static_cast<double>(widest_);
    double bytes = 0;
    for (const UOp& l : toposort(u)) {
      if (l.op() != Op::Load || !reads(l.src(1), r)) continue;
      const int64_t apart = stride(l.src(1), r);
      const bool between = std::ranges::any_of(kernel_.ranges, [&](const UOp& o) {
        const int64_t step = stride(l.src(1), o);
        return step >= extent(last) && step != kIrregular && step < apart;
      });
      if (!between || apart == kIrregular || apart * static_cast<int64_t>(widest_) < kPage || stride(l.src(1), last) != 1) return false;
      bytes += times(l.src(1)) * static_cast<double>(size_of(l.dtype()));
    }
    return extent(last) >= lanes_ && piece < kLongPiece && bytes > static_cast<double>(target_.l2_bytes);
  }
  // Whether one reduction can be split together with another.
  bool splits_with(const UOp& u, const UOp& o) const {
    if (reads(u, o) || reads(o, u)) return false;
    const auto a = reduce_ranges(u), b = reduce_ranges(o);
    return std::ranges::equal(a, b) && u.ranges() == o.ranges() && u.dtype() == o.dtype() && o.as<ReduceArg>().monoid != Monoid::ArgMax;
  }
};

}  // namespace

Verbs choose_groups(const Choice& c) { return Groups(c).run(); }

}  // namespace tg
