// See block_steps.hpp. Loops over rows become loops over the rows of a block, whose number is a variable; what else there is in an index
// of a row follows from that number.
#include "schedule/block_steps.hpp"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "ir/sum.hpp"
#include "ir/symbolic.hpp"
#include "schedule/row_ends.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

constexpr int64_t kChains = 8;  // of blocks that are added up, at least: not by how many cores there are, which may change no bits

class Rewriting {
 public:
  Rewriting(Plan& plan, const BlockGroup& group) : plan_(plan), group_(group) {}

  std::vector<PlanLaunch> operator()() {
    number_blocks();
    std::vector<StepView> views;
    for (const Step& s : group_.steps) views.push_back(view(s));
    const int64_t first = std::min(group_.length, chain_ * group_.block);  // rows that begin with the first to be summed, at least
    const RowEnds ends(views, begin_ + (group_.block - 1), in_order_ ? follows_ : UOp(), first);
    std::vector<PlanLaunch> behind;
    for (size_t i = 0; i < group_.steps.size(); ++i) {
      const Step& s = group_.steps[i];
      if (group_.sums_apart(s) > 1) behind.push_back(added_up(s));
      rewrite(s, ends.of(i));
      PlanLaunch& l = plan_.launches[s.launch];
      l.blocks = number_.bounds().max + 1;
      l.in_order = in_order_ ? chain_ : 1;
    }
    for (int b : group_.handed_on) {
      PlanBuffer& p = plan_.buffers[static_cast<size_t>(b)];
      p.elements = Dim(group_.row_length(p) * group_.block);
      p.kind = PlanBuffer::Kind::Local;
    }
    return behind;
  }

 private:
  // Which rows a block has.
  void number_blocks() {
    in_order_ = std::ranges::any_of(group_.steps, &Step::adds);
    const int64_t all = group_.blocks_of_length();
    chain_ = in_order_ ? all / group_.parts() : all;
    number_ = variable("block", 0, group_.parallel * all - 1);
    outer_ = simplify(floor_div(number_, all));
    const UOp along = simplify(floor_mod(number_, all));
    part_ = simplify(floor_div(along, chain_));
    begin_ = along * group_.block;
    here_ = simplify(smaller(index(group_.length) - begin_, index(group_.block)));
    follows_ = simplify(less(floor_mod(along, chain_), chain_ - 1));
  }
  int64_t row_length(int b) const { return group_.row_length(plan_.buffers[static_cast<size_t>(b)]); }

  StepView view(const Step& s) const {
    const PlanLaunch& l = plan_.launches[s.launch];
    StepView v{.stores = l.kernel.stores, .row = s.rows.back(), .adds = s.adds(), .place = {}};
    for (const UOp& u : toposort(l.kernel.stores))
      if (accesses_memory(u))
        if (const int b = buffer_of(l, u); group_.handed_on.contains(b)) v.place[u] = {b, *in_row(u.src(1), row_length(b), s.rows)};
    return v;
  }

  // The launch that adds up what chains of blocks have summed each for itself. The step gets memory for those sums.
  PlanLaunch added_up(const Step& s) {
    PlanLaunch& l = plan_.launches[s.launch];
    const UOp &store = l.kernel.stores[0], &sum = store.src(2), &row = s.rows.back();
    int& written = l.buffers[static_cast<size_t>(store.src(0).as<ParamArg>().slot)];
    const int whole = written;
    const int64_t elements = plan_.buffers[static_cast<size_t>(whole)].elements.value(), n = group_.sums_apart(s);
    PlanBuffer apart;
    apart.dtype = sum.dtype();
    apart.elements = Dim(elements * n);
    apart.why = fmt::format("sums of {} parts of the rows, which are added up", n);
    written = static_cast<int>(plan_.buffers.size());
    plan_.buffers.push_back(std::move(apart));
    PlanLaunch out;
    out.kernel.params = {param(0, sum.dtype()), param(1, sum.dtype())};
    const UOp each = range(Dim(n), row.as<RangeArg>().id, RangeKind::Reduce),
              value = load(out.kernel.params[1], each * elements + store.src(1), UOp());
    out.kernel.stores = {tg::store(out.kernel.params[0], store.src(1), UOp::make(Op::Reduce, {value, each}, sum.arg()), UOp())};
    out.kernel.ranges = l.kernel.ranges;
    out.buffers = {whole, written};
    return out;
  }

  void rewrite(const Step& s, const std::unordered_map<UOp, UOp>& ends) {
    PlanLaunch& l = plan_.launches[s.launch];
    Kernel& k = l.kernel;
    Substitution at, ranges;
    UOp rest = outer_;
    for (size_t a = s.rows.size() - 1; a-- > 0; rest = simplify(floor_div(rest, s.rows[a].src(0))))
      at[s.rows[a]] = a == 0 ? rest : simplify(floor_mod(rest, s.rows[a].src(0)));
    const UOp& row = s.rows.back();
    ranges[row] = range(Dim(here_), row.as<RangeArg>().id, row.as<RangeArg>().kind);
    at[row] = simplify(begin_ + ranges[row]);
    for (const auto& [r, end] : ends) at[r] = ranges[r] = range(Dim(end), r.as<RangeArg>().id, r.as<RangeArg>().kind);
    for (UOp& store : k.stores) store = rewritten(store, l, s, at, ranges);
    std::vector<UOp> loops;
    for (const UOp& r : k.ranges)
      if (std::find(s.rows.begin(), s.rows.end() - 1, r) == s.rows.end() - 1) loops.push_back(ranges.contains(r) ? ranges.at(r) : r);
    k.ranges = std::move(loops);
    k.alone = true;
    k.variables.insert(k.variables.begin(), number_);
    l.scalars.insert(l.scalars.begin(), number_);
  }

  // A store over the rows of a block: everything at its place there, what is handed on in memory of one block.
  UOp rewritten(const UOp& store, const PlanLaunch& l, const Step& s, const Substitution& at, const Substitution& ranges) const {
    std::unordered_map<UOp, UOp> done;
    for (const auto& [from, to] : at) done[from] = to;
    for (const UOp& u : toposort(store)) {
      if (done.contains(u)) continue;
      std::vector<UOp> src;
      for (const UOp& x : u.src()) src.push_back(done.at(x));
      if (u.op() == Op::Reduce) src = over_block(u, std::move(src), s, ranges);
      if (accesses_memory(u))
        if (const int b = buffer_of(l, u); group_.handed_on.contains(b))
          src[1] = ranges.at(s.rows.back()) * row_length(b) + simplify(substitute(*in_row(u.src(1), row_length(b), s.rows), at));
      if (s.adds() && u == store) {
        src[1] = place_of_sum(s, at, src[1], l);
        src[2] = load(src[0], src[1], follows_) + src[2];
      }
      done[u] = std::equal(src.begin(), src.end(), u.src().begin(), u.src().end()) ? u : u.with(src);
    }
    return simplify(done.at(store));
  }
  // A reduction without the loops that are the group's.
  static std::vector<UOp> over_block(const UOp& reduce, std::vector<UOp> src, const Step& s, const Substitution& ranges) {
    std::vector<UOp> out{src[0]};
    for (size_t n = 1; n < src.size(); ++n) {
      const UOp& r = reduce.src(n);
      if (std::find(s.rows.begin(), s.rows.end() - 1, r) == s.rows.end() - 1) out.push_back(ranges.contains(r) ? ranges.at(r) : src[n]);
    }
    return out;
  }
  // Where a chain's own sum is, if they are added up later.
  UOp place_of_sum(const Step& s, const Substitution& at, const UOp& place, const PlanLaunch& l) const {
    const int64_t n = group_.sums_apart(s);
    if (n == 1) return place;
    UOp which = part_;
    for (size_t a = s.summed; a + 1 < s.rows.size(); ++a) which = which * size_of_loop(s.rows[a]) + at.at(s.rows[a]);
    const int64_t all = plan_.buffers[static_cast<size_t>(buffer_of(l, l.kernel.stores[0]))].elements.value();
    return simplify(which * (all / n) + place);
  }

  Plan& plan_;
  const BlockGroup& group_;
  bool in_order_ = false;                      // blocks are added up
  int64_t chain_ = 1;                          // so many after each other
  UOp number_, outer_, part_, begin_, here_;   // of a block: its number, axes outside, chain of those along rows, first row, how many rows
  UOp follows_;                                // whether it adds to what its chain has summed before
};

}  // namespace

int64_t BlockGroup::row_length(const PlanBuffer& b) const {
  return b.elements.known() && b.elements.value() % rows() == 0 ? b.elements.value() / rows() : 0;
}
int64_t BlockGroup::parts() const {
  const int64_t wanted = std::min((kChains + parallel - 1) / parallel, blocks_of_length());
  for (int64_t n = wanted; n < 2 * wanted; ++n) if (blocks_of_length() % n == 0) return n;  // no chain is shorter: kernels need rows
  int64_t fewer = wanted;
  while (blocks_of_length() % fewer != 0) --fewer;
  return fewer;
}
int64_t BlockGroup::sums_apart(const Step& s) const {
  if (!s.adds()) return 1;
  int64_t n = parts();
  for (size_t a = s.summed; a + 1 < s.rows.size(); ++a) n *= size_of_loop(s.rows[a]);
  return n;
}

int64_t size_of_loop(const UOp& range) { return range.src(0).as<int64_t>(); }
bool accesses_memory(const UOp& u) { return u.op() == Op::Load || u.op() == Op::Store; }
int buffer_of(const PlanLaunch& l, const UOp& access) { return l.buffers[static_cast<size_t>(access.src(0).as<ParamArg>().slot)]; }

std::optional<UOp> in_row(const UOp& index, int64_t length, const std::vector<UOp>& rows) {
  Sum rest(index);
  int64_t step = length;
  for (size_t a = rows.size(); a-- > 0; step *= size_of_loop(rows[a])) rest.add(rows[a], -step);
  if (!rest.ok()) return {};
  const UOp out = rest.expr();
  for (const UOp& u : toposort(out)) if (std::find(rows.begin(), rows.end(), u) != rows.end()) return {};
  const Bounds b = out.bounds();
  if (b.min < 0 || b.max >= length) return {};
  return out;
}

std::vector<PlanLaunch> rewrite_steps(Plan& plan, const BlockGroup& group) { return Rewriting(plan, group)(); }

}  // namespace tg
