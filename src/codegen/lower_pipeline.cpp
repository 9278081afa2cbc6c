// See lowering.hpp and pipeline.hpp. Rounds of the loop over rows: reduce a row while the one before is stored, make the rest, hand it on.
//
//   for i in first .. last:            p = phi 0                      what the stores need of the row before
//     for (once, if i == first):       the walk over row i
//     for (once, if i > first):        the ends of row i - 1, which are masked, are stored, of p
//                                      the walk over row i: in each round also what is whole of row i - 1 and begins in that round's part
//     p = ...                          the row's reductions
//   for (once, unless empty):          for x: store of row last - 1, of p
//
// What a round keeps of row i is kept behind the stores, so that nothing of the row before is overwritten that still is to be read.
#include <algorithm>

#include "codegen/lowering.hpp"
#include "tg/error.hpp"

namespace tg {

void Lower::add_pipeline(std::span<const UOp> roots) {
  driver_ = roots[0].src(2);
  handed_on_.assign(roots.begin() + 1, roots.end());
  const Split& row = nest_.split_of(kernel_.ranges.back());
  const auto of_row = [&](int axis) { return std::ranges::find(row.axes, axis) != row.axes.end(); };
  rows_ = static_cast<size_t>(std::ranges::find_if(order_, of_row) - order_.begin());
  if (rows_ + 1 != order_.size())
    throw ValueError("the row before is stored in one loop, inside of those over rows: " + nest_.text());
  if (driver_.op() != Op::Reduce) throw ValueError("nothing is reduced of a row: " + nest_.text());
  int64_t round = 1;
  int loops = 0;
  for (const UOp& r : reduce_ranges(driver_)) {
    const Axis& a = *axis_of_[id(r)];
    if (a.kind != AxisKind::Loop) round *= a.most;
    else if (++loops == 1) reduced_ = &a;
  }
  if (loops != 1 || reduced_->step != round)
    throw ValueError("the row before is stored while one loop walks along the next, a piece of it each round: " + nest_.text());
}

void Lower::emit_pipeline() {
  open_to(rows_);
  for (const auto& [row, before] : pipeline_->before)
    if (depth_of_[id(row)] < e_.depth()) bind_at(depth_of_[id(row)], before, emit(row));
  const int at = e_.counter(), begin = e_.insts[static_cast<size_t>(at)].src[0], end = e_.insts[static_cast<size_t>(at)].src[1];
  for (const UOp& h : handed_on_) e_.phi(e_.constant(h.src(2).dtype(), 0));
  const std::vector<int> handed = e_.phis();
  const auto one_less = [&](int n, int lowest) {
    const int less = e_.alu(e_.depth(), Op::Add, DType::index, {n, e_.constant(DType::index, -1)});
    return e_.alu(e_.depth(), Op::Where, DType::index, {e_.alu(e_.depth(), Op::Less, DType::bool_, {lowest, n}), less, n});
  };
  bind_row_before(one_less(at, begin), handed);
  if (!kept_.empty()) e_.levels.back().memo[key(kept_[0].store.src(0), 0)] = 0;
  ask_for_ends();
  walk_beside(e_.cast(e_.depth(), e_.alu(e_.depth(), Op::Less, DType::bool_, {begin, at}), DType::index));
  std::vector<int> next;
  for (const UOp& h : handed_on_) next.push_back(emit(h.src(2)));
  for (const KeptArray& k : kept_) fill_row(k);
  close(next);
  e_.open_loop(one_less(end, begin), end);
  bind_row_before(e_.counter(), handed);
  const UOp& along = nest_.axes[static_cast<size_t>(order_.back())].range;
  for (const Part& p : parts(along)) store_row_before(p);
  close({});
}

// The ranges over the row before, in the innermost loop that is open, and what was handed on of it.
void Lower::bind_row_before(int row, const std::vector<int>& handed) {
  if (grid_axes_ == rows_) bind_grid(row, pipeline_->before);
  else bind_range(pipeline_->before.at(nest_.axes[static_cast<size_t>(order_[rows_ - 1])].range), row);
  for (const UOp& u : toposort(stores_))
    for (size_t n = 0; n < handed.size(); ++n)
      if (u.op() == Op::Load && u.src(0) == handed_on_[n].src(0)) e_.levels[static_cast<size_t>(e_.depth())].memo[key(u, 0)] = handed[n];
}

// Lines that are stored in part are read before: those at the ends of a row are asked for while it is reduced.
void Lower::ask_for_ends() {
  const UOp& along = nest_.axes[static_cast<size_t>(order_.back())].range;
  if (parts(along).size() == 1) return;
  Substitution at;
  for (const auto& [row, before] : pipeline_->before) at[before] = row;
  for (int i : nest_.split_of(kernel_.ranges.back()).axes) at[nest_.axes[static_cast<size_t>(i)].range] = index(0);
  for (const UOp& s : stores_) {
    if (!streams(s.src(1), s.src(2).dtype())) continue;
    for (const UOp& end : {index(0), substitute(along.src(0) - 1, at)}) {
      at[along] = end;
      ask(s, e_.depth(), emit(simplify(substitute(s.src(1), at))));
    }
  }
}

// The walk of the driver, and of the reductions that share its loop. follows: 1 where there is a row before to be stored meanwhile, else 0.
void Lower::walk_beside(int follows) {
  const int level = e_.depth(), none = e_.constant(DType::index, 0), once = e_.constant(DType::index, 1);
  const std::vector<UOp> group = together(driver_);
  std::vector<int> results;
  for (const UOp& r : group)
    for (const UOp& x : identity(monoid(r), r.dtype())) results.push_back(emit(x));
  const UOp& along = nest_.axes[static_cast<size_t>(order_.back())].range;
  const std::vector<Part> rounds = parts(along);
  const Part& whole = rounds[rounds.size() > 1 ? rounds.size() - 2 : 0];
  const auto scope = scope_;
  std::vector<const Axis*> tile;
  for (const UOp& r : reduce_ranges(driver_)) if (is_kind(id(r), AxisKind::Unroll)) tile.push_back(axis_of_[id(r)]);
  const UOp keeping = kept_.empty() ? UOp() : in_scratch(kept_[0].store, kept_[0]);
  for (const bool stores : {false, true}) {
    e_.open_loop(stores ? none : follows, stores ? follows : once);
    for (int& v : results) v = e_.phi(v);
    const std::vector<int> phis = e_.phis();
    for (const Part& p : rounds) if (stores && &p != &whole) store_row_before(p);
    scope_.clear();
    for (const UOp& r : group) scope_.push_back(r.src(0));
    walking_ = true, filling_row_ = true;
    at_level(e_.depth(), [&] {
      const std::vector<State> made = reduced(group, [&] {
        if (stores) store_row_before(beside(whole));
        if (keeping) for_points(tile, [&] { emit_store(keeping); });
      });
      results.clear();
      for (const State& s : made) results.insert(results.end(), s.begin(), s.end());
    });
    walking_ = false, filling_row_ = false;
    close(results);
    results = phis;
  }
  scope_ = scope;
  size_t n = 0;
  for (const UOp& r : group)
    for (size_t c = 0; c < components(monoid(r)); ++c) e_.levels[static_cast<size_t>(level)].memo[key(r, c)] = results[n++];
}

// Those of some rounds whose first element is in the part of the row that is reduced in this round.
Lower::Part Lower::beside(const Part& rounds) const {
  const Split& row = nest_.split_of(kernel_.ranges.back());
  const int64_t step = nest_.axes[static_cast<size_t>(order_.back())].step, piece = reduced_->step;
  const UOp first = row.before ? reduced_->range * piece + row.before : reduced_->range * piece;
  const auto up_to = [&](const UOp& element) {
    const UOp round = floor_div(element + (step - 1), index(step));
    return where(less(rounds.end, round), rounds.end, round);
  };
  const UOp from = up_to(first), begin = simplify(where(less(from, rounds.begin), rounds.begin, from));
  return {begin, simplify(up_to(first + piece)), rounds.holds};
}

// Rounds of the row before, in a loop of their own whose counter begins at 0, so that their number can be seen.
void Lower::store_row_before(const Part& rounds) {
  const auto scope = scope_;
  const auto inside = inside_;
  const bool walking = std::exchange(walking_, false), filling = std::exchange(filling_row_, false);
  const UOp& along = nest_.axes[static_cast<size_t>(order_.back())].range;
  const int begin = emit(rounds.begin), known = depth_of_[id(along)];
  const int counter = e_.open_loop(e_.constant(DType::index, 0), emit(simplify(rounds.end - rounds.begin)));
  bind_range(along, e_.alu(e_.depth(), Op::Add, DType::index, {begin, counter}));
  for (const UOp& c : rounds.holds) holds_.push_back({c, e_.depth()});
  leave_out(along, rounds);
  row_before_ = true;
  for_points(output_axes(AxisKind::Unroll), [&] {
    for (const UOp& s : stores_) {
      scope_ = {s};
      emit_store(s);
    }
  });
  row_before_ = false;
  close({});
  depth_of_[id(along)] = known;
  inside_ = inside;
  scope_ = scope;
  walking_ = walking, filling_row_ = filling;
}

}  // namespace tg
