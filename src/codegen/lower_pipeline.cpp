// See lowering.hpp and pipeline.hpp. Rounds of the loop over rows: keep a row while the one before is stored, make the rest, hand it on.
//
//   for i in first .. last:            p = phi 0                      what the stores need of the row before
//     for (once, if i == first):       the row is kept
//     for (once, if i > first):        for x: store of row i - 1, of p; the row is kept
//     p = ...                          the row's reductions
//   for (once, unless empty):          for x: store of row last - 1, of p
#include <algorithm>

#include "codegen/lowering.hpp"
#include "tg/error.hpp"

namespace tg {

void Lower::add_pipeline(std::span<const UOp> roots) {
  overlapped_ = roots[0];
  handed_on_.assign(roots.begin() + 1, roots.end());
  const Split& row = nest_.split_of(kernel_.ranges.back());
  const auto of_row = [&](int axis) { return std::ranges::find(row.axes, axis) != row.axes.end(); };
  rows_ = static_cast<size_t>(std::ranges::find_if(order_, of_row) - order_.begin());
  if (!std::all_of(order_.begin() + static_cast<ptrdiff_t>(rows_), order_.end(), of_row))
    throw ValueError("the row before is stored where loops over rows are outside of those along rows: " + nest_.text());
}

void Lower::emit_pipeline() {
  const KeptArray& first_kept = kept_[0];
  const UOp keeping = in_scratch(overlapped_, first_kept);
  open_to(rows_);
  for (const auto& [row, before] : pipeline_->before)
    if (depth_of_[id(row)] < e_.depth()) bind_at(depth_of_[id(row)], before, emit(row));
  const int level = e_.depth(), at = e_.counter(), begin = e_.insts[static_cast<size_t>(at)].src[0],
            end = e_.insts[static_cast<size_t>(at)].src[1], none = e_.constant(DType::index, 0), once = e_.constant(DType::index, 1);
  for (const UOp& h : handed_on_) e_.phi(e_.constant(h.src(2).dtype(), 0));
  const std::vector<int> handed = e_.phis();
  const auto one_less = [&](int n, int lowest) {
    const int less = e_.alu(e_.depth(), Op::Add, DType::index, {n, e_.constant(DType::index, -1)});
    return e_.alu(e_.depth(), Op::Where, DType::index, {e_.alu(e_.depth(), Op::Less, DType::bool_, {lowest, n}), less, n});
  };
  bind_row_before(one_less(at, begin), handed);
  const int follows = e_.cast(level, e_.alu(level, Op::Less, DType::bool_, {begin, at}), DType::index);
  e_.levels.back().memo[key(first_kept.store.src(0), 0)] = 0;
  e_.open_loop(follows, once);
  at_level(e_.depth(), [&] { walk_row(first_kept); });
  close({});
  e_.open_loop(none, follows);
  store_row_before(keeping);
  close({});
  std::vector<int> next;
  for (const UOp& h : handed_on_) next.push_back(emit(h.src(2)));
  for (const KeptArray& k : kept_) fill_row(k);
  close(next);
  e_.open_loop(one_less(end, begin), end);
  bind_row_before(e_.counter(), handed);
  store_row_before({});
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

// keeping: what is stored behind each element of it, if anything.
void Lower::store_row_before(const UOp& keeping) {
  const auto scope = scope_;
  const auto inside = inside_;
  for (size_t i = rows_; i + 1 < order_.size(); ++i) open(nest_.axes[static_cast<size_t>(order_[i])].range);
  const UOp& along = nest_.axes[static_cast<size_t>(order_.back())].range;
  const std::vector<Part> rounds = parts(along);
  for_parts(along, rounds, rounds.back(), [&] {
    for_points(output_axes(AxisKind::Unroll), [&] {
      const auto keep = [&](const auto& part) {
        if (!keeping) return;
        scope_ = {keeping};
        filling_row_ = true;
        part();
        filling_row_ = false;
      };
      keep([&] { emit(keeping.src(2)); });
      row_before_ = true;
      for (const UOp& s : stores_) {
        scope_ = {s};
        emit_store(s);
      }
      row_before_ = false;
      keep([&] { emit_store(keeping); });
    });
  });
  for (size_t i = rows_; i + 1 < order_.size(); ++i) close({});
  inside_ = inside;
  scope_ = scope;
}

}  // namespace tg
