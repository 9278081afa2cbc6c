// See lowering.hpp. Loops that combine: accumulators for each point of the register tile, joined at the end.
#include <algorithm>
#include <numeric>
#include <span>

#include "codegen/access.hpp"
#include "codegen/lowering.hpp"
#include "tg/error.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

constexpr int64_t kTerms = 16;       // added one after the other to an accumulator of a sum
constexpr int64_t kProducts = 1024;  // ... of a contraction
constexpr int64_t kFewSums = 16;     // vectors of a tile whose rounds are short: 12 products are 6 cycles, 23 instructions at least 4
constexpr int64_t kRoundsAtOnce = 4, kManyRounds = 16 * kRoundsAtOnce;

}  // namespace

// ---- reductions ----

// Reductions over the same loops at the same depth that do not need each other share one loop.
std::vector<UOp> Lower::together(const UOp& r) const {
  std::vector<UOp> out{r};
  const int level = level_of(r.ranges());
  for (const UOp& o : reduces_) {
    if (o == r || level_of(o.ranges()) != level || !std::equal(o.src().begin() + 1, o.src().end(), r.src().begin() + 1, r.src().end()))
      continue;
    if (unrolled(o.ranges()) != unrolled(r.ranges())) continue;
    const bool tied = std::any_of(out.begin(), out.end(), [&](const UOp& x) { return contains(x, o) || contains(o, x); });
    if (!tied && ready(o, level)) out.push_back(o);
  }
  return out;
}

// What an expression depends on, through the arrays that are kept of it as well.
std::vector<UOp> Lower::behind(const UOp& u) const {
  std::vector<UOp> roots{u};
  for (const KeptArray& k : kept_)
    if (std::any_of(roots.begin(), roots.end(), [&](const UOp& r) { return reads(r, k.store.src(0)); })) roots.push_back(k.store.src(2));
  return toposort(roots);
}

bool Lower::contains(const UOp& root, const UOp& u) const {
  const auto all = behind(root);
  return std::find(all.begin(), all.end(), u) != all.end();
}

// Whatever o needs from other reductions has been computed.
bool Lower::ready(const UOp& o, int level) const {
  for (const UOp& n : behind(o))
    if (n.op() == Op::Reduce && !(n == o) &&
        !e_.levels[static_cast<size_t>(std::min(level, level_of(n.ranges())))].memo.contains(key(n, 0)))
      return false;
  return true;
}

uint64_t Lower::unrolled(uint64_t ranges) const {
  uint64_t out = 0;
  for (uint64_t r = ranges; r; r &= r - 1) if (is_kind(__builtin_ctzll(r), AxisKind::Unroll)) out |= r & -r;
  return out;
}

// Vectors of lanes last: what is repeated in all lanes is then needed for one row of the tile at a time, in one register.
std::vector<const Axis*> Lower::axes_in(uint64_t ranges) const {
  std::vector<const Axis*> rows, vectors;
  for (; ranges; ranges &= ranges - 1) {
    const Axis* const a = axis_of_[__builtin_ctzll(ranges)];
    (beside_lanes(*a) ? vectors : rows).push_back(a);
  }
  rows.insert(rows.end(), vectors.begin(), vectors.end());
  return rows;
}

// Of the register tile, those along which a reduction has a value each: an instruction with tiles makes all of its rows as one.
std::vector<const Axis*> Lower::axes_of_sums(const UOp& r) const {
  return axes_in(unrolled(r.ranges()) & ~(tile_rows_ ? bit(tile_rows_->range) : 0));
}

bool Lower::beside_lanes(const Axis& a) const {
  return std::any_of(nest_.splits.begin(), nest_.splits.end(), [&](const Split& s) {
    bool here = false, lanes = false;
    for (int i : s.axes) {
      here |= &nest_.axes[static_cast<size_t>(i)] == &a;
      lanes |= nest_.axes[static_cast<size_t>(i)].kind == AxisKind::Vector;
    }
    return here && lanes;
  });
}

void Lower::emit_reduces(const UOp& first) {
  const std::vector<UOp> group = together(first);
  const int level = level_of(first.ranges());
  const std::vector<UOp> outer = std::exchange(scope_, {});
  for (const UOp& r : group) scope_.push_back(r.src(0));
  const bool filling = std::exchange(filling_row_, false);
  at_level(level, [&] { note(group, reduced(group), level); });
  filling_row_ = filling;
  scope_ = outer;
}

namespace {

void append(const std::vector<UOp>& from, std::vector<UOp>& to) { to.insert(to.end(), from.begin(), from.end()); }

// Conditions without which a term is nothing: those of the loads that it is a multiple of.
void needs(const UOp& term, std::vector<UOp>& out) {
  switch (term.op()) {
    case Op::Mul: for (const UOp& s : term.src()) needs(s, out); break;
    case Op::Cast: needs(term.src(0), out); break;
    case Op::Load: if (term.src().size() > 2) append(conjunction(term.src(2)), out); break;
    case Op::Where:
      if (!is_const(term.src(2), 0)) break;
      append(conjunction(term.src(0)), out);
      needs(term.src(1), out);
      break;
    default: break;
  }
}

}  // namespace

// Which of the conditions without which a sum's terms are nothing are known before its innermost loop: in the rounds of the loops around it
// where one fails, that loop has no rounds.
std::vector<UOp> Lower::known_before(const UOp& innermost, const std::vector<UOp>& group) const {
  std::vector<UOp> out;
  if (target_.grid || group.size() > 1 || monoid(group[0]) != Monoid::Sum) return out;
  needs(group[0].src(0), out);
  std::erase_if(out, [&](const UOp& c) {
    for (uint64_t r = c.ranges(); r; r &= r - 1) {
      const int i = __builtin_ctzll(r);
      if (is_kind(i, AxisKind::Unroll) || is_kind(i, AxisKind::Vector) || i == id(innermost)) return true;
    }
    const auto all = toposort(c);
    return std::any_of(all.begin(), all.end(), [](const UOp& u) { return u.op() == Op::Load || u.op() == Op::Reduce; });
  });
  return out;
}

// Whether its error grows with the number of terms that are added one after the other.
bool Lower::rounds_off(const UOp& r) { return monoid(r) == Monoid::Sum && is_float(r.dtype()); }

// In which sizes of blocks, outermost first, each loop is walked, so that no accumulator of a float sum is what more than a few terms or
// blocks were added to one after the other: errors then grow with the logarithm of the number of terms. An empty list: the loop as it is.
std::vector<std::vector<int64_t>> Lower::chain_blocks(const std::vector<UOp>& loops, const std::vector<UOp>& group) const {
  std::vector<std::vector<int64_t>> out(loops.size());
  if (std::none_of(group.begin(), group.end(), rounds_off)) return out;
  const int64_t most = std::all_of(group.begin(), group.end(), is_contraction) ? kProducts : kTerms;
  int64_t chain = tile_steps_ ? tile_steps_->most : 1;  // additions that a round makes
  for (size_t i = loops.size(); i-- > 0;) {
    const int64_t n = loops[i].src(0).bounds().max;
    if (chain * n <= most) {
      chain *= n;
      continue;
    }
    for (int64_t size = most / chain; size < n; size *= most) out[i].insert(out[i].begin(), size);
    chain = ceil_div(n, out[i][0]);
  }
  return out;
}

// A product whose factors each depend on outputs of their own: a tile of accumulators fills the registers, so that each pass to another
// set of them is paid in loads and stores, and the time is that of arithmetic.
bool Lower::is_contraction(const UOp& r) {
  const UOp& v = r.src(0);
  if (v.op() != Op::Mul) return false;
  const uint64_t a = v.src(0).ranges() & r.ranges(), b = v.src(1).ranges() & r.ranges();
  return (a & ~b) && (b & ~a);
}

// The loops of reductions that share them, and what these have added up so far: a state for each reduction, point of the register tile and
// point of the part of the sum that is unrolled.
class Lower::Loops {
 public:
  Loops(Lower& lower, const std::vector<UOp>& group, std::function<void()> beside);
  void emit() { from(0); }
  std::vector<State> results();

 private:
  using Sizes = std::span<const int64_t>;
  template <class F> void each(F f) {  // what the states consist of, in one order
    for (auto& a : states_) for (auto& o : a) for (State& s : o) for (int& v : s) f(v);
  }
  int open(int begin, int end, int64_t step);
  void close();
  void from(size_t i);
  // How many rounds a loop has: known, or the most and what their number is a multiple of.
  struct Count { int64_t all = 0, multiple = 0; bool known = false; };
  Count counted(int begin, int end) const;
  void in_blocks(size_t i, int begin, int end, Count count, Sizes sizes, const std::vector<UOp>& hold);
  int64_t rounds_at_once(size_t i, Count count) const;
  void rounds(size_t i, int counter, int64_t count);
  void round();
  template <class F> void apart(const F& body);

  Lower& l_;
  Emitter& e_ = l_.e_;
  const std::vector<UOp>& group_;
  const std::function<void()> beside_;  // what else each round does
  std::vector<UOp> loops_;
  std::vector<const Axis*> outs_, own_;  // of the register tile, of the sum
  const UOp* lanes_of_ = nullptr;        // the part of the sum that has the lanes
  std::vector<int> threads_;             // that share out this reduction
  std::vector<std::vector<int64_t>> blocks_;
  std::vector<std::vector<std::vector<State>>> states_;
};

// What reductions that share their loops come to: those of the first for each point of the register tile, then those of the next.
std::vector<Lower::State> Lower::reduced(const std::vector<UOp>& group, std::function<void()> beside) {
  if (group.size() == 1 && is_contraction(group[0])) ask_for_next_rows(group[0]);
  Loops loops(*this, group, std::move(beside));
  loops.emit();
  return loops.results();
}

// Notes results as the reductions' values.
void Lower::note(const std::vector<UOp>& group, const std::vector<State>& results, int level) {
  const std::vector<const Axis*> outs = axes_of_sums(group[0]);
  size_t i = 0;
  for (const UOp& r : group)
    for_points(outs, [&] {
      for (size_t c = 0; c < results[i].size(); ++c) e_.levels[static_cast<size_t>(level)].memo[key(r, c)] = results[i][c];
      ++i;
    });
}

Lower::Loops::Loops(Lower& lower, const std::vector<UOp>& group, std::function<void()> beside)
    : l_(lower), group_(group), beside_(std::move(beside)), states_(group.size()) {
  uint64_t own_unrolled = 0;
  for (const UOp& r : reduce_ranges(group[0])) {
    const Axis* const axis = l_.axis_of_[id(r)];
    if (l_.is_kind(id(r), AxisKind::Unroll)) own_unrolled |= axis == l_.pair_ || axis == l_.tile_steps_ ? 0 : bit(r);
    else if (l_.is_kind(id(r), AxisKind::Vector)) lanes_of_ = &axis->range;
    else if (l_.is_kind(id(r), AxisKind::Thread)) threads_.push_back(l_.threads_.number(id(r)));
    else if (!l_.target_.grid || !axis->single()) loops_.push_back(r);
  }
  outs_ = l_.axes_of_sums(group[0]);
  own_ = l_.axes_in(own_unrolled);
  blocks_ = l_.chain_blocks(loops_, group);
  const int rows = l_.tile_rows_ ? l_.matrix_->rows : 1;
  for (size_t g = 0; g < group.size(); ++g)
    l_.for_points(outs_, [&] {
      states_[g].emplace_back();
      l_.for_points(own_, [&] { states_[g].back().push_back(l_.initial(group[g], l_.lanes_of_value(group[g], lanes_of_) * rows)); });
    });
}

int Lower::Loops::open(int begin, int end, int64_t step) {
  const int counter = e_.open_loop(begin, end, step);
  each([&](int& v) { v = e_.phi(v); });
  return counter;
}

void Lower::Loops::close() {
  std::vector<int> next;
  each([&](int& v) { next.push_back(v); });
  const std::vector<int> phis = e_.phis();
  l_.close(next);
  size_t n = 0;
  each([&](int& v) { v = phis[n++]; });
}

// From the i-th loop on. The innermost one has parts, and no rounds where a condition fails that its terms cannot do without.
void Lower::Loops::from(size_t i) {
  if (i == loops_.size()) return round();
  const UOp& r = loops_[i];
  if (i + 1 < loops_.size()) return in_blocks(i, l_.emit(index(0)), l_.emit(r.src(0)), {}, blocks_[i], {});
  UOp wanted;
  const std::vector<UOp> known = l_.known_before(r, group_);
  for (const UOp& c : known) wanted = wanted ? wanted & c : c;
  for (Part p : l_.parts(r)) {
    std::vector<UOp> hold = known;
    append(p.holds, hold);
    if (wanted) hold.push_back(wanted);
    Sizes sizes = blocks_[i];
    while (!sizes.empty() && sizes[0] >= simplify(p.end - p.begin).bounds().max) sizes = sizes.subspan(1);
    if (wanted) p.end = where(wanted, p.end, p.begin);
    const int begin = l_.emit(p.begin), end = l_.emit(p.end);
    in_blocks(i, begin, end, counted(begin, end), sizes, hold);
  }
}

Lower::Loops::Count Lower::Loops::counted(int begin, int end) const {
  const Inst &from = e_.insts[static_cast<size_t>(begin)], &to = e_.insts[static_cast<size_t>(end)];
  if (from.op != InstOp::constant || to.op != InstOp::constant) return {};
  return {to.value - from.value, to.value - from.value, true};
}

// Rounds of a loop in blocks of these sizes, outermost first. hold: what is true in them.
void Lower::Loops::in_blocks(size_t i, int begin, int end, Count count, Sizes sizes, const std::vector<UOp>& hold) {
  const int64_t size = sizes.empty() ? 1 : sizes[0];
  if (const int64_t n = sizes.empty() && hold.empty() ? rounds_at_once(i, count) : 1; n > 1) {
    const int64_t left = count.multiple % n;
    const int middle = left == 0 ? end : e_.constant(DType::index, e_.insts[static_cast<size_t>(end)].value - left);
    rounds(i, open(begin, middle, n), n);
    close();
    if (left == 0) return;
    begin = middle;
  }
  const int counter = open(begin, end, size);
  if (size > 1) {
    const int after = e_.alu(e_.depth(), Op::Add, DType::index, {counter, e_.constant(DType::index, size)}),
              inside = e_.alu(e_.depth(), Op::Less, DType::bool_, {after, end}),
              stop = e_.alu(e_.depth(), Op::Where, DType::index, {inside, after, end});
    apart([&] { in_blocks(i, counter, stop, {std::min(size, count.all), std::gcd(size, count.multiple), false}, sizes.subspan(1), hold); });
  } else {
    l_.bind_range(loops_[i], counter);
    for (const UOp& h : hold) l_.holds_.push_back({h, e_.depth()});
    if (sizes.empty()) from(i + 1);
    else apart([&] { from(i + 1); });
  }
  close();
}

// A round of few products is not much longer than what counts it: several are made one after the other, of a short loop all. How many, of
// this loop. Of a large tile's, where rounds are many: a thread that shares its core with another's has every other turn to begin
// instructions, and then 37 for 24 products are too many. With a last panel's narrow lanes registers would run out.
int64_t Lower::Loops::rounds_at_once(size_t i, Count count) const {
  const int64_t all = count.all;
  if (i + 1 < loops_.size() || (!count.known && count.multiple % kRoundsAtOnce != 0)) return 1;
  if (l_.target_.grid || beside_ || group_.size() > 1 || l_.pair_ || !is_contraction(group_[0])) return 1;
  int64_t sums = 1;
  for (const auto* axes : {&outs_, &own_}) for (const Axis* a : *axes) sums *= a->most;
  const bool whole = sums == static_cast<int64_t>(states_[0].size() * states_[0][0].size());  // what is beyond a last tile is little
  if (!whole || all <= 1) return 1;
  if (sums > kFewSums) return all >= kManyRounds && l_.narrow_.lanes == 0 ? kRoundsAtOnce : 1;
  return all <= kRoundsAtOnce ? all : all >= 2 * kRoundsAtOnce ? kRoundsAtOnce : 1;
}

// So many rounds from the counter's on.
void Lower::Loops::rounds(size_t i, int counter, int64_t count) {
  for (int64_t n = 0; n < count; ++n) {
    if (n > 0) {  // nothing that was computed in the round before is this one's
      e_.levels.back().memo.clear();
      e_.levels.back().broadcasts.clear();
      std::erase_if(l_.panels_, [&](const auto& p) { return p.second.depth >= e_.depth(); });
    }
    l_.bind_range(loops_[i], e_.alu(e_.depth(), Op::Add, DType::index, {counter, e_.constant(DType::index, n)}));
    round();
  }
}

void Lower::Loops::round() {
  size_t o = 0;
  l_.for_points(outs_, [&] {
    size_t p = 0;
    l_.for_points(own_, [&] {
      for (size_t g = 0; g < group_.size(); ++g) states_[g][o][p] = l_.accumulate(group_[g], states_[g][o][p]);
      ++p;
    });
    ++o;
  });
  if (beside_) beside_();
}

// Runs body with states of their own for the sums, which then are added to those that were.
template <class F> void Lower::Loops::apart(const F& body) {
  auto before = states_;
  for (size_t g = 0; g < group_.size(); ++g)
    for (size_t o = 0; rounds_off(group_[g]) && o < states_[g].size(); ++o)
      for (size_t p = 0; p < states_[g][o].size(); ++p) {
        State& s = states_[g][o][p];
        before[g][o][p] = l_.set_aside(s);
        s = l_.initial(group_[g], e_.lanes(s[0]));
      }
  body();
  for (size_t g = 0; g < group_.size(); ++g)
    for (size_t o = 0; rounds_off(group_[g]) && o < states_[g].size(); ++o)
      for (size_t p = 0; p < states_[g][o].size(); ++p) states_[g][o][p] = l_.combined(group_[g], before[g][o][p], states_[g][o][p]);
}

// Joins what was unrolled, lanes and threads.
std::vector<Lower::State> Lower::Loops::results() {
  std::vector<State> results;
  for (size_t g = 0; g < group_.size(); ++g)
    for (auto& parts : states_[g]) {
      results.push_back(l_.tree(group_[g], std::move(parts)));
      if (lanes_of_) results.back() = l_.across_lanes(group_[g], std::move(results.back()));
    }
  const auto reduction = [&](size_t i) -> const UOp& { return group_[i / states_[0].size()]; };
  for (int n : threads_)
    l_.block_.combine(results, n, [&](size_t i, const State& x, const State& y) { return l_.combined(reduction(i), x, y); });
  return results;
}

int Lower::lanes_of_value(const UOp& r, const UOp* own) const {
  if (own) return width(*own);
  const UOp* v = vector_axis(r.ranges());
  return v ? width(*v) : 1;
}

Lower::State Lower::initial(const UOp& r, int lanes) {
  State out;
  if (tile_rows_) return {no_sums(r.dtype(), lanes)};
  for (const UOp& c : identity(monoid(r), r.dtype())) out.push_back(e_.broadcast(emit(c), lanes));
  return out;
}

Lower::State Lower::accumulate(const UOp& r, const State& acc) {
  const UOp& v = r.src(0);
  const int lanes = e_.lanes(acc[0]);
  if (pair_ && (v.ranges() & bit(pair_->range))) return {dot(r, acc[0])};
  if (monoid(r) == Monoid::Sum && v.op() == Op::Mul && is_float(v.dtype()) && target_.fma) {
    const int a = emit(v.src(0)), b = emit(v.src(1));
    return {e_.alu(e_.depth(), Op::Fma, v.dtype(), {e_.broadcast(a, lanes), e_.broadcast(b, lanes), acc[0]})};
  }
  State value{e_.broadcast(emit(v), lanes)};
  if (components(monoid(r)) > 1) {
    const int position = emit(r.src().back());
    value =
        row(r, {value[0], e_.broadcast(position, lanes)}, [&](const std::vector<UOp>& x) { return lift(monoid(r), x[0], x[1]); }, true);
  }
  return combined(r, acc, value);
}

Lower::State Lower::combined(const UOp& r, const State& a, const State& b) {
  if (tile_rows_) return {add_tile(a[0], b[0])};
  State both = a;
  both.insert(both.end(), b.begin(), b.end());
  return row(r, both, [&](const std::vector<UOp>& x) {
    const auto half = static_cast<ptrdiff_t>(x.size() / 2);
    return combine(monoid(r), {x.begin(), x.begin() + half}, {x.begin() + half, x.end()});
  }, false);
}

int Lower::expression(const UOp& root, std::unordered_map<UOp, int>& known) {
  for (const UOp& u : toposort(root)) {
    if (known.contains(u)) continue;
    if (is_const(u)) { known[u] = emit(u); continue; }
    std::vector<int> src;
    for (const UOp& s : u.src()) src.push_back(known.at(s));
    if (u.op() == Op::Cast) known[u] = e_.cast(e_.depth(), src[0], u.dtype());
    else if (u.op() == Op::Bitcast) known[u] = bitcast(e_.depth(), src[0], u.dtype());
    else known[u] = e_.alu(e_.depth(), u.op(), u.dtype(), std::move(src));
  }
  return known.at(root);
}

Lower::State Lower::tree(const UOp& r, std::vector<State> parts) {
  while (parts.size() > 1) {
    std::vector<State> next;
    for (size_t i = 0; i + 1 < parts.size(); i += 2) next.push_back(combined(r, parts[i], parts[i + 1]));
    if (parts.size() % 2) next.push_back(std::move(parts.back()));
    parts = std::move(next);
  }
  return parts[0];
}

Lower::State Lower::across_lanes(const UOp& r, State s) {
  for (int n = e_.lanes(s[0]); n > 1; n = (n + 1) / 2) {
    State low, high;
    for (int v : s) { low.push_back(half(v, 0, (n + 1) / 2)); high.push_back(half(v, n / 2, (n + 1) / 2)); }
    if (n % 2) throw InternalError("lanes are a power of two");
    s = combined(r, low, high);
  }
  return s;
}

int Lower::half(int v, int from, int n) {
  if (n == 1) return e_.push(e_.depth(), make(InstOp::extract, e_.dtype(v), from, {v}));
  return shuffle(e_.depth(), v, n, [&](int k) { return from + k; });
}

}  // namespace tg
