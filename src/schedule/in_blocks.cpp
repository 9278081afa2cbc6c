// See in_blocks.hpp. Which launches can be steps of one group follows from how they access what they hand on; whether they should be,
// from bytes. Then each step's kernel is rewritten.
#include "schedule/in_blocks.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "ir/sum.hpp"
#include "ir/symbolic.hpp"
#include "schedule/row_ends.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

constexpr int64_t kRows = 64, kFewestRows = 8;  // of a block
constexpr int64_t kFewestSums = 4;  // made at once where blocks are added up: not by how many cores there are, which may change no bits
constexpr double kRoom = 0.6;   // of L2, for what is handed on in a block
constexpr double kSaves = 2;    // bytes of what is handed on, each pass counted, for each byte of other memory
constexpr double kLess = 3;     // times the bytes that it is made of: what takes more is made again rather than stored
constexpr double kNearer = 3;   // what all blocks read again comes from a nearer cache than what is saved

int slot(const UOp& access) { return access.src(0).as<ParamArg>().slot; }
bool accesses_memory(const UOp& u) { return u.op() == Op::Load || u.op() == Op::Store; }

/// A launch as a step: which of its loops are the group's.
struct Step {
  size_t launch;
  std::vector<UOp> rows;  // outermost first, the last of them in blocks
  bool adds = false;      // the last is summed over
};

class Grouping {
 public:
  Grouping(Plan& plan, const Target& target) : plan_(plan), target_(target) {}

  /// Makes one group that begins with the launch; false where there is none.
  bool group_from(size_t first) {
    if (!seed(first)) return false;
    gather(first, plan_.launches.size());
    return make_again(first) || group();
  }

 private:
  bool group() {
    prune();
    if (steps_.size() < 2 || !arrange() || !worthwhile()) return false;
    rewrite_steps();
    reorder();
    return true;
  }
  bool group_among(size_t first, size_t end) {
    if (!seed(first)) return false;
    gather(first, end);
    return group();
  }

  using Launch = PlanLaunch;
  const Launch& launch(size_t i) const { return plan_.launches[i]; }
  const PlanBuffer& buffer(int b) const { return plan_.buffers[static_cast<size_t>(b)]; }
  int buffer_of(const Launch& l, const UOp& access) const { return l.buffers[static_cast<size_t>(slot(access))]; }
  double bytes(int b) const { return static_cast<double>(buffer(b).elements.max() * static_cast<int64_t>(size_of(buffer(b).dtype))); }

  // ---- which launches ----

  static bool plain(const Launch& l) {
    if (l.blocks > 0 || l.with_previous || !(l.elements == Dim(0)) || l.kernel.sequential || !l.kernel.kept.empty()) return false;
    for (const UOp& r : l.kernel.ranges) if (!is_const(r.src(0)) || r.src(0).as<int64_t>() < 1) return false;
    for (const UOp& u : toposort(l.kernel.stores))
      if (u.op() == Op::Range && (!is_const(u.src(0)) || u.src(0).as<int64_t>() < 1)) return false;
    return true;
  }
  bool alone_in_launch(size_t i) const { return plain(launch(i)) && (i + 1 == plan_.launches.size() || !launch(i + 1).with_previous); }

  // The first launch says what a row is: all its loops but the innermost. It makes more than it reads.
  bool seed(size_t first) {
    if (!alone_in_launch(first) || launch(first).kernel.ranges.size() < 2) return false;
    double read = 0, made = 0;
    for (int b : std::set<int>(launch(first).buffers.begin(), launch(first).buffers.end())) read += bytes(b);
    for (const UOp& s : launch(first).kernel.stores) made += bytes(buffer_of(launch(first), s));
    if (made < static_cast<double>(target_.l2_bytes) || 2 * made < read) return false;
    for (const UOp& s : launch(first).kernel.stores)
      if (const int b = buffer_of(launch(first), s); buffer(b).kind != PlanBuffer::Kind::Temporary || !buffer(b).elements.known())
        return false;
    const auto& ranges = launch(first).kernel.ranges;
    length_ = size(ranges[ranges.size() - 2]);
    parallel_ = 1;
    for (size_t i = 0; i + 2 < ranges.size(); ++i) parallel_ *= size(ranges[i]);
    return true;
  }
  static int64_t size(const UOp& range) { return range.src(0).as<int64_t>(); }
  int64_t rows() const { return parallel_ * length_; }
  // Numbers of a buffer that belong to a row; 0 where it is not made of rows.
  int64_t row_length(int b) const {
    return buffer(b).elements.known() && buffer(b).elements.value() % rows() == 0 ? buffer(b).elements.value() / rows() : 0;
  }
  bool made_of_rows(int b) const { return buffer(b).kind != PlanBuffer::Kind::Input && row_length(b) > 0; }

  // What is left of an index into rows when the row is taken away; nothing where it is another row's, or reaches into one.
  std::optional<UOp> in_row(const UOp& index, int64_t length, const std::vector<UOp>& rows) const {
    Sum rest(index);
    int64_t step = length;
    for (size_t a = rows.size(); a-- > 0; step *= size(rows[a])) rest.add(rows[a], -step);
    if (!rest.ok()) return {};
    const UOp out = rest.expr();
    for (const UOp& u : toposort(out)) if (std::find(rows.begin(), rows.end(), u) != rows.end()) return {};
    const Bounds b = out.bounds();
    if (b.min < 0 || b.max >= length) return {};
    return out;
  }
  bool in_rows(const Launch& l, const std::vector<UOp>& rows, const std::set<int>& of) const {
    for (const UOp& u : toposort(l.kernel.stores))
      if (accesses_memory(u))
        if (const int b = buffer_of(l, u); of.contains(b) && !in_row(u.src(1), row_length(b), rows)) return false;
    return true;
  }
  // The outer loops that are over all rows but the last axis of them, however many axes those are.
  std::optional<std::vector<UOp>> outer_loops(const Launch& l) const {
    std::vector<UOp> out;
    int64_t n = 1;
    for (const UOp& r : l.kernel.ranges) {
      if (n == parallel_) break;
      out.push_back(r);
      n *= size(r);
    }
    if (n != parallel_) return {};
    return out;
  }
  // A launch as a step, whatever it reads: over rows, or a sum over rows, which blocks can be added to one after the other.
  std::vector<Step> as_steps(size_t i) const {
    const Launch& l = launch(i);
    const auto outer = alone_in_launch(i) ? outer_loops(l) : std::nullopt;
    std::vector<Step> out;
    if (!outer || std::ranges::any_of(l.buffers, [&](int b) { return buffer(b).kind != PlanBuffer::Kind::Input && buffer(b).input >= 0; }))
      return out;  // memory that others may read is not overwritten block by block
    const auto add = [&](const UOp& row, bool adds) {
      out.push_back({i, *outer, adds});
      out.back().rows.push_back(row);
    };
    if (l.kernel.ranges.size() > outer->size() && size(l.kernel.ranges[outer->size()]) == length_)
      add(l.kernel.ranges[outer->size()], false);
    if (l.kernel.stores.size() != 1 || parallel_ < kFewestSums) return out;
    const UOp &s = l.kernel.stores[0], &sum = s.src(2);
    if (s.src().size() > 3 || sum.op() != Op::Reduce || sum.as<ReduceArg>().monoid != Monoid::Sum || !is_float(sum.dtype())) return out;
    if (buffer(buffer_of(l, s)).dtype != sum.dtype()) return out;
    for (const UOp& u : toposort(sum.src(0))) if (u.op() == Op::Reduce) return out;
    for (const UOp& r : reduce_ranges(sum)) if (size(r) == length_) add(r, true);
    return out;
  }
  // ... if what it has of these buffers is in rows.
  std::optional<Step> as_step(size_t i, const std::set<int>& of) const {
    for (Step& s : as_steps(i)) if (in_rows(launch(i), s.rows, of)) return std::move(s);
    return {};
  }

  // Memory that launches access, and that of it which they write.
  struct Touched {
    std::unordered_set<int> all, written;  // buffers, and inputs by the slots that follow on them
    void add(const Touched& o) {
      all.insert(o.all.begin(), o.all.end());
      written.insert(o.written.begin(), o.written.end());
    }
    // Whether one has to come before the other: they share memory that one of them writes.
    bool ordered(const Touched& o) const {
      const auto meet = [](const std::unordered_set<int>& a, const std::unordered_set<int>& b) {
        return std::ranges::any_of(b, [&](int m) { return a.contains(m); });
      };
      return meet(all, o.written) || meet(written, o.all);
    }
  };
  int memory(int b) const {
    const PlanBuffer& p = buffer(b);
    return p.input >= 0 ? static_cast<int>(plan_.buffers.size()) + p.input : b;
  }
  const Touched& touched(size_t i) {
    const auto [at, fresh] = touched_.try_emplace(i);
    if (!fresh) return at->second;
    for (int b : launch(i).buffers) at->second.all.insert(memory(b));
    for (const UOp& s : launch(i).kernel.stores) at->second.written.insert(memory(buffer_of(launch(i), s)));
    return at->second;
  }

  // Launches that can be steps, in order. What lies between and does not need them will go before, what does behind.
  void gather(size_t first, size_t end) {
    steps_.clear();
    handed_on_.clear();
    Touched later, steps;
    std::set<int> whole;  // what may be read when all blocks are done
    for (size_t i = first, next; i < end; i = next) {
      for (next = i + 1; next < plan_.launches.size() && launch(next).with_previous;) ++next;
      const Launch& l = launch(i);
      const bool free = !later.ordered(touched(i));
      const bool reads_whole = std::ranges::any_of(l.buffers, [&](int b) { return whole.contains(b); });
      std::optional<Step> s = free && !reads_whole ? as_step(i, handed_on_) : std::nullopt;
      if (!s && free && !reads_whole && (s = without_others(i))) {
        steps = {};
        for (const Step& x : steps_) steps.add(touched(x.launch));
      }
      if (s) {
        std::set<int> made, other;
        for (const UOp& u : l.kernel.stores) {
          const int b = buffer_of(l, u);
          if (!s->adds && made_of_rows(b) && in_rows(l, s->rows, {b})) made.insert(b);
          else other.insert(b);
        }
        const bool takes_part = std::ranges::any_of(l.buffers, [&](int b) { return handed_on_.contains(b); });
        if (!takes_part && made.empty()) s.reset();
        else handed_on_.merge(made), whole.merge(other);
      }
      if (s) {
        steps.add(touched(i));
        steps_.push_back(std::move(*s));
        continue;
      }
      Touched together;
      for (size_t part = i; part < next; ++part) together.add(touched(part));
      if (later.ordered(together) || steps.ordered(together)) later.add(together);
    }
  }
  // A launch as a step where it reads other rows too of something that is made by launches which take no other part: those are no steps.
  std::optional<Step> without_others(size_t i) {
    for (Step& step : as_steps(i)) {
      std::set<int> others, rest;
      for (int b : handed_on_) (in_rows(launch(i), step.rows, {b}) ? rest : others).insert(b);
      const auto makes = [&](const Step& s) {
        const Launch& l = launch(s.launch);
        return std::ranges::any_of(l.kernel.stores, [&](const UOp& x) { return others.contains(buffer_of(l, x)); });
      };
      const auto takes_part = [&](size_t x) { return std::ranges::any_of(launch(x).buffers, [&](int b) { return rest.contains(b); }); };
      if (!takes_part(i) || std::ranges::any_of(steps_, [&](const Step& s) { return makes(s) && takes_part(s.launch); })) continue;
      std::erase_if(steps_, makes);
      handed_on_ = std::move(rest);
      return std::move(step);
    }
    return {};
  }
  bool is_step(size_t i) const { return std::ranges::any_of(steps_, [&](const Step& s) { return s.launch == i; }); }
  // Without what other launches read too, and without steps to which nothing is handed on and that hand nothing on.
  void prune() {
    for (bool changed = true; changed;) {
      changed = std::erase_if(handed_on_, [&](int b) {
        bool written = false, only_here = true;
        for (size_t i = 0; i < plan_.launches.size(); ++i) {
          if (std::ranges::find(launch(i).buffers, b) == launch(i).buffers.end()) continue;
          only_here &= is_step(i);
          for (const UOp& s : launch(i).kernel.stores) written |= buffer_of(launch(i), s) == b;
        }
        return !written || !only_here || buffer(b).kind != PlanBuffer::Kind::Temporary;
      }) > 0;
      changed |= std::erase_if(steps_, [&](const Step& s) {
        return std::ranges::none_of(launch(s.launch).buffers, [&](int b) { return handed_on_.contains(b); });
      }) > 0;
    }
  }

  // What is handed on and read by other launches too, once for those alone: in a copy of the plan they get launches of their own for it.
  // It is kept if both then run in blocks.
  bool make_again(size_t first) {
    std::set<int> wanted;
    size_t before = plan_.launches.size();
    for (size_t i = 0; i < plan_.launches.size(); ++i)
      for (int b : launch(i).buffers)
        if (handed_on_.contains(b) && !is_step(i) && large(b)) wanted.insert(b), before = std::min(before, i);
    while (before < plan_.launches.size() && launch(before).with_previous) --before;
    Plan trial = plan_;
    std::vector<Launch> again;
    std::map<int, int> copies;
    double sources = 0, made = 0;
    for (auto s = steps_.rbegin(); s != steps_.rend(); ++s) {  // who makes it comes before
      const Launch& l = launch(s->launch);
      const bool makes = std::ranges::any_of(l.kernel.stores, [&](const UOp& x) { return wanted.contains(buffer_of(l, x)); });
      if (!makes) continue;
      if (s->adds) return false;
      for (int b : l.buffers) {
        if (handed_on_.contains(b) && large(b)) wanted.insert(b);
        else if (buffer(b).kind != PlanBuffer::Kind::Temporary && overwritten(b)) return false;
        else sources += bytes(b);
      }
      again.insert(again.begin(), l);
    }
    for (int b : wanted) {
      made = std::max(made, bytes(b));
      copies[b] = static_cast<int>(trial.buffers.size());
      trial.buffers.push_back(trial.buffers[static_cast<size_t>(b)]);
      trial.buffers.back().why = "made again for other kernels, from less";
    }
    if (again.empty() || steps_.back().launch >= before || sources * kLess > made) return false;
    const auto renamed = [&](Launch& l) {
      for (int& b : l.buffers) if (copies.contains(b)) b = copies.at(b);
    };
    for (size_t i = 0; i < trial.launches.size(); ++i) if (!is_step(i)) renamed(trial.launches[i]);
    for (Launch& l : again) renamed(l);
    const std::vector<int> found = again[0].buffers;
    trial.launches.insert(trial.launches.begin() + static_cast<ptrdiff_t>(before), again.begin(), again.end());
    if (!Grouping(trial, target_).group_among(first, before)) return false;
    const auto second = std::ranges::find(trial.launches, found, &Launch::buffers);
    if (!Grouping(trial, target_).group_among(static_cast<size_t>(second - trial.launches.begin()), trial.launches.size())) return false;
    plan_ = std::move(trial);
    return true;
  }
  // Of which a block has so much that it matters.
  bool large(int b) const { return bytes(b) > static_cast<double>(target_.l2_bytes); }
  bool overwritten(int b) {
    for (size_t i = 0; i < plan_.launches.size(); ++i) if (touched(i).written.contains(memory(b))) return true;
    return false;
  }

  // ---- whether they should ----

  bool worthwhile() {
    double saved = 0, row = 0, other = 0, all = 0;
    std::map<int, double> again;  // other memory: bytes that a block reads
    for (const Step& s : steps_) {
      const Launch& l = launch(s.launch);
      for (int b : std::set<int>(l.buffers.begin(), l.buffers.end())) if (handed_on_.contains(b)) saved += bytes(b);
      for (const UOp& u : toposort(l.kernel.stores)) {
        if (!accesses_memory(u) || handed_on_.contains(buffer_of(l, u))) continue;
        const bool by_block = u.src(1).ranges() & s.rows.back().ranges();
        double n = bytes(buffer_of(l, u));
        for (size_t a = 0; a < s.rows.size(); ++a) if (u.src(1).ranges() & s.rows[a].ranges()) n /= static_cast<double>(size(s.rows[a]));
        double& most = again[buffer_of(l, u)];
        if (!by_block) most = std::max(most, n);
      }
    }
    for (int b : handed_on_) all += bytes(b);
    for (const Step& s : steps_) row = std::max(row, held_at(s.launch) / static_cast<double>(rows()));
    double shared = 0;
    for (const auto& [b, n] : again) other += bytes(b), shared += n;
    const double room = kRoom * static_cast<double>(target_.l2_bytes);
    for (block_ = kRows; block_ > kFewestRows && row * static_cast<double>(block_) > room;) block_ /= 2;
    block_ = std::min(block_, length_);
    const double per_block = saved / static_cast<double>(rows()) * static_cast<double>(block_);
    return all > static_cast<double>(target_.l2_bytes) && saved >= kSaves * other && per_block * kNearer >= shared;
  }

  // Bytes handed on that are there while a launch runs.
  double held_at(size_t i) const {
    double n = 0;
    for (int b : handed_on_) {
      const auto uses = [&](const Step& s) { return std::ranges::find(launch(s.launch).buffers, b) != launch(s.launch).buffers.end(); };
      const auto first = std::ranges::find_if(steps_, uses);
      const auto last = std::find_if(steps_.rbegin(), steps_.rend(), uses);
      if (first->launch <= i && i <= last->launch) n += bytes(b);
    }
    return n;
  }

  // ---- kernels ----

  void rewrite_steps() {
    const int64_t per_row = (length_ + block_ - 1) / block_, blocks = parallel_ * per_row;
    const UOp number = variable("block", 0, blocks - 1), along = simplify(floor_mod(number, index(per_row))), begin = along * block_;
    const UOp outer = simplify(floor_div(number, index(per_row)));
    const Dim here(simplify(smaller(index(length_) - begin, index(block_))));
    const bool in_order = std::ranges::any_of(steps_, &Step::adds);
    std::vector<StepView> views;
    for (const Step& s : steps_) views.push_back(view(s));
    const RowEnds ends(views, begin + (block_ - 1), length_, in_order);
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Step& s = steps_[i];
      Launch& l = plan_.launches[s.launch];
      Kernel& k = l.kernel;
      Substitution at, ranges;
      UOp rest = outer;
      for (size_t a = s.rows.size() - 1; a-- > 0; rest = simplify(floor_div(rest, s.rows[a].src(0))))
        at[s.rows[a]] = a == 0 ? rest : simplify(floor_mod(rest, s.rows[a].src(0)));
      const UOp& row = s.rows.back();
      ranges[row] = range(here, row.as<RangeArg>().id, row.as<RangeArg>().kind);
      at[row] = simplify(begin + ranges[row]);
      for (const auto& [r, end] : ends.of(i)) at[r] = ranges[r] = range(Dim(end), r.as<RangeArg>().id, r.as<RangeArg>().kind);
      for (UOp& store : k.stores) store = rewritten(store, l, s, at, ranges, along, per_row);
      std::vector<UOp> loops;
      for (const UOp& r : k.ranges)
        if (std::find(s.rows.begin(), s.rows.end() - 1, r) == s.rows.end() - 1) loops.push_back(ranges.contains(r) ? ranges.at(r) : r);
      if (s.adds) std::erase_if(loops, [&](const UOp& r) { return std::find(s.rows.begin(), s.rows.end(), r) != s.rows.end(); });
      k.ranges = std::move(loops);
      k.alone = true;
      k.variables.insert(k.variables.begin(), number);
      l.blocks = blocks;
      l.in_order = in_order ? per_row : 1;
    }
    for (int b : handed_on_) {
      PlanBuffer& p = plan_.buffers[static_cast<size_t>(b)];
      p.elements = Dim(row_length(b) * block_);
      p.kind = PlanBuffer::Kind::Local;
    }
  }
  StepView view(const Step& s) const {
    const Launch& l = launch(s.launch);
    StepView v{.stores = l.kernel.stores, .row = s.rows.back(), .adds = s.adds, .place = {}};
    for (const UOp& u : toposort(l.kernel.stores))
      if (accesses_memory(u))
        if (const int b = buffer_of(l, u); handed_on_.contains(b)) v.place[u] = {b, *in_row(u.src(1), row_length(b), s.rows)};
    return v;
  }
  // A store over the rows of a block: everything at its place there, what is handed on in memory of one block.
  UOp rewritten(const UOp& store, const Launch& l, const Step& s, const Substitution& at, const Substitution& ranges, const UOp& along,
                int64_t per_row) const {
    std::unordered_map<UOp, UOp> done;
    for (const auto& [from, to] : at) done[from] = to;
    for (const UOp& u : toposort(store)) {
      if (done.contains(u)) continue;
      std::vector<UOp> src;
      for (const UOp& x : u.src()) src.push_back(done.at(x));
      if (u.op() == Op::Reduce)
        for (size_t n = 1; n < src.size(); ++n) if (ranges.contains(u.src(n))) src[n] = ranges.at(u.src(n));
      if (accesses_memory(u))
        if (const int b = buffer_of(l, u); handed_on_.contains(b))
          src[1] = ranges.at(s.rows.back()) * row_length(b) + simplify(substitute(*in_row(u.src(1), row_length(b), s.rows), at));
      if (s.adds && u == store) src[2] = load(src[0], src[1], less(along, per_row - 1)) + src[2];  // the last block comes first
      done[u] = std::equal(src.begin(), src.end(), u.src().begin()) ? u : u.with(src);
    }
    return simplify(done.at(store));
  }

  // Everything that needs none of the steps goes before them, the rest behind; false where a step needs something of that.
  bool arrange() {
    before_.clear();
    after_.clear();
    Touched steps, after;
    for (size_t i = 0, next; i < plan_.launches.size(); i = next) {
      for (next = i + 1; next < plan_.launches.size() && launch(next).with_previous;) ++next;
      if (is_step(i)) {
        if (after.ordered(touched(i))) return false;
        steps.add(touched(i));
        continue;
      }
      Touched together;
      for (size_t part = i; part < next; ++part) together.add(touched(part));
      const bool behind = steps.ordered(together) || after.ordered(together);
      if (behind) after.add(together);
      for (; i < next; ++i) (behind ? after_ : before_).push_back(i);
    }
    return true;
  }
  void reorder() {
    std::vector<Launch> all;
    for (size_t i : before_) all.push_back(std::move(plan_.launches[i]));
    for (const Step& s : steps_) {
      all.push_back(std::move(plan_.launches[s.launch]));
      all.back().with_previous = &s != &steps_[0];
    }
    for (size_t i : after_) all.push_back(std::move(plan_.launches[i]));
    plan_.launches = std::move(all);
  }

  Plan& plan_;
  const Target& target_;
  int64_t parallel_ = 1, length_ = 1;  // rows: so many times so many, of which the latter are made into blocks
  std::vector<Step> steps_;
  std::set<int> handed_on_;       // buffers from step to step
  int64_t block_ = 1;             // rows of one
  std::vector<size_t> before_, after_;  // launches that are no steps
  std::unordered_map<size_t, Touched> touched_;
};

}  // namespace

void in_blocks(Plan& plan, const Target& target) {
  bool any = false;
  auto grouping = std::make_unique<Grouping>(plan, target);  // of a plan as it is
  for (size_t i = 0; i < plan.launches.size(); ++i)
    if (grouping->group_from(i)) grouping = std::make_unique<Grouping>(plan, target), any = true;
  if (any) plan_memory(plan);
}

}  // namespace tg
