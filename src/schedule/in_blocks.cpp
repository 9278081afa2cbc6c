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

#include "schedule/block_steps.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

constexpr int64_t kRows = 64, kFewestRows = 16;  // of a block
constexpr double kRoom = 0.6;   // of L2, for what is handed on in a block
constexpr double kSaves = 2;    // bytes of what is handed on, each pass counted, for each byte of other memory
constexpr double kLess = 3;     // times the bytes that it is made of: what takes more is made again rather than stored
constexpr double kNearer = 3;   // what all blocks read again comes from a nearer cache than what is saved

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
    if (group_.steps.size() < 2 || !arrange() || !worthwhile()) return false;
    reorder(rewrite_steps(plan_, group_));
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
    group_.length = size_of_loop(ranges[ranges.size() - 2]);
    group_.parallel = 1;
    for (size_t i = 0; i + 2 < ranges.size(); ++i) group_.parallel *= size_of_loop(ranges[i]);
    return true;
  }
  int64_t row_length(int b) const { return group_.row_length(buffer(b)); }
  bool made_of_rows(int b) const { return buffer(b).kind != PlanBuffer::Kind::Input && row_length(b) > 0; }

  bool in_rows(const Launch& l, const std::vector<UOp>& rows, const std::set<int>& of) const {
    for (const UOp& u : toposort(l.kernel.stores))
      if (accesses_memory(u))
        if (const int b = buffer_of(l, u); of.contains(b) && !in_row(u.src(1), row_length(b), rows)) return false;
    return true;
  }
  // How many loops from the outermost on are over all rows but the last axis of them, however many axes those are.
  std::optional<size_t> outer_loops(const std::vector<UOp>& loops) const {
    size_t out = 0;
    for (int64_t n = 1; n != group_.parallel; ++out) {
      if (out == loops.size()) return {};
      n *= size_of_loop(loops[out]);
    }
    return out;
  }
  // A launch as a step, whatever it reads: over rows, or a sum over rows, of which the outermost axes may be the output's.
  std::vector<Step> as_steps(size_t i) const {
    const Launch& l = launch(i);
    std::vector<Step> out;
    const auto in_memory = [&](int b) { return buffer(b).kind != PlanBuffer::Kind::Input && buffer(b).input >= 0; };
    if (!alone_in_launch(i) || std::ranges::any_of(l.buffers, in_memory))
      return out;  // others may read it: not to be overwritten by blocks
    const auto add = [&](const std::vector<UOp>& loops, size_t outer, size_t last, size_t summed) {
      if (size_of_loop(loops[last]) != group_.length) return;
      out.push_back({i, {loops.begin(), loops.begin() + static_cast<ptrdiff_t>(outer)}, summed});
      out.back().rows.push_back(loops[last]);
    };
    const std::vector<UOp>& outputs = l.kernel.ranges;
    if (const auto outer = outer_loops(outputs); outer && *outer < outputs.size()) add(outputs, *outer, *outer, *outer + 1);
    if (l.kernel.stores.size() != 1) return out;
    const UOp &s = l.kernel.stores[0], &sum = s.src(2);
    if (s.src().size() > 3 || sum.op() != Op::Reduce || sum.as<ReduceArg>().monoid != Monoid::Sum || !is_float(sum.dtype())) return out;
    if (const PlanBuffer& made = buffer(buffer_of(l, s)); made.dtype != sum.dtype() || !made.elements.known()) return out;
    for (const UOp& u : toposort(sum.src(0))) if (u.op() == Op::Reduce) return out;
    for (size_t kept = outputs.size() + 1; kept-- > 0;) {
      std::vector<UOp> loops(outputs.begin(), outputs.begin() + static_cast<ptrdiff_t>(kept));
      loops.insert(loops.end(), reduce_ranges(sum).begin(), reduce_ranges(sum).end());
      const auto outer = outer_loops(loops);
      for (size_t last = outer.value_or(loops.size()); last < loops.size(); ++last) if (kept <= *outer) add(loops, *outer, last, kept);
    }
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
  const Touched& touched(size_t i) {
    const auto [at, fresh] = touched_.try_emplace(i);
    if (!fresh) return at->second;
    for (int b : launch(i).buffers) at->second.all.insert(plan_.memory_of(b));
    for (const UOp& s : launch(i).kernel.stores) at->second.written.insert(plan_.memory_of(buffer_of(launch(i), s)));
    return at->second;
  }

  // Launches that can be steps, in order. What lies between and does not need them will go before, what does behind.
  void gather(size_t first, size_t end) {
    group_.steps.clear();
    group_.handed_on.clear();
    Touched later, steps;
    std::set<int> whole;  // what may be read when all blocks are done
    for (size_t i = first, next; i < end; i = next) {
      for (next = i + 1; next < plan_.launches.size() && launch(next).with_previous;) ++next;
      const Launch& l = launch(i);
      const bool free = !later.ordered(touched(i));
      const bool reads_whole = std::ranges::any_of(l.buffers, [&](int b) { return whole.contains(b); });
      std::optional<Step> s = free && !reads_whole ? as_step(i, group_.handed_on) : std::nullopt;
      if (!s && free && !reads_whole && (s = without_others(i))) {
        steps = {};
        for (const Step& x : group_.steps) steps.add(touched(x.launch));
      }
      if (s) {
        std::set<int> made, other;
        for (const UOp& u : l.kernel.stores) {
          const int b = buffer_of(l, u);
          if (!s->adds() && made_of_rows(b) && in_rows(l, s->rows, {b})) made.insert(b);
          else other.insert(b);
        }
        const bool takes_part = std::ranges::any_of(l.buffers, [&](int b) { return group_.handed_on.contains(b); });
        if (!takes_part && made.empty()) s.reset();
        else group_.handed_on.merge(made), whole.merge(other);
      }
      if (s) {
        steps.add(touched(i));
        group_.steps.push_back(std::move(*s));
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
      for (int b : group_.handed_on) (in_rows(launch(i), step.rows, {b}) ? rest : others).insert(b);
      const auto makes = [&](const Step& s) {
        const Launch& l = launch(s.launch);
        return std::ranges::any_of(l.kernel.stores, [&](const UOp& x) { return others.contains(buffer_of(l, x)); });
      };
      const auto takes_part = [&](size_t x) { return std::ranges::any_of(launch(x).buffers, [&](int b) { return rest.contains(b); }); };
      if (!takes_part(i) || std::ranges::any_of(group_.steps, [&](const Step& s) { return makes(s) && takes_part(s.launch); })) continue;
      std::erase_if(group_.steps, makes);
      group_.handed_on = std::move(rest);
      return std::move(step);
    }
    return {};
  }
  bool is_step(size_t i) const { return std::ranges::any_of(group_.steps, [&](const Step& s) { return s.launch == i; }); }
  // Without what other launches read too, and without steps to which nothing is handed on and that hand nothing on.
  void prune() {
    for (bool changed = true; changed;) {
      changed = std::erase_if(group_.handed_on, [&](int b) {
        bool written = false, only_here = true;
        for (size_t i = 0; i < plan_.launches.size(); ++i) {
          if (std::ranges::find(launch(i).buffers, b) == launch(i).buffers.end()) continue;
          only_here &= is_step(i);
          for (const UOp& s : launch(i).kernel.stores) written |= buffer_of(launch(i), s) == b;
        }
        return !written || !only_here || buffer(b).kind != PlanBuffer::Kind::Temporary;
      }) > 0;
      changed |= std::erase_if(group_.steps, [&](const Step& s) {
        return std::ranges::none_of(launch(s.launch).buffers, [&](int b) { return group_.handed_on.contains(b); });
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
        if (group_.handed_on.contains(b) && !is_step(i) && large(b)) wanted.insert(b), before = std::min(before, i);
    while (before < plan_.launches.size() && launch(before).with_previous) --before;
    Plan trial = plan_;
    std::vector<Launch> again;
    std::map<int, int> copies;
    double sources = 0, made = 0;
    for (auto s = group_.steps.rbegin(); s != group_.steps.rend(); ++s) {  // who makes it comes before
      const Launch& l = launch(s->launch);
      const bool makes = std::ranges::any_of(l.kernel.stores, [&](const UOp& x) { return wanted.contains(buffer_of(l, x)); });
      if (!makes) continue;
      if (s->adds()) return false;
      for (int b : l.buffers) {
        if (group_.handed_on.contains(b) && large(b)) wanted.insert(b);
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
    if (again.empty() || group_.steps.back().launch >= before || sources * kLess > made) return false;
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
    for (size_t i = 0; i < plan_.launches.size(); ++i) if (touched(i).written.contains(plan_.memory_of(b))) return true;
    return false;
  }

  // ---- whether they should ----

  bool worthwhile() {
    double saved = 0, row = 0, other = 0, all = 0;
    std::map<int, double> again;  // other memory: bytes that a block reads
    for (const Step& s : group_.steps) {
      const Launch& l = launch(s.launch);
      for (int b : std::set<int>(l.buffers.begin(), l.buffers.end())) if (group_.handed_on.contains(b)) saved += bytes(b);
      for (const UOp& u : toposort(l.kernel.stores)) {
        if (!accesses_memory(u) || group_.handed_on.contains(buffer_of(l, u))) continue;
        const bool by_block = u.src(1).ranges() & s.rows.back().ranges();
        double n = bytes(buffer_of(l, u));
        for (size_t a = 0; a < s.rows.size(); ++a)
          if (u.src(1).ranges() & s.rows[a].ranges()) n /= static_cast<double>(size_of_loop(s.rows[a]));
        double& most = again[buffer_of(l, u)];
        if (!by_block) most = std::max(most, n);
      }
    }
    for (int b : group_.handed_on) all += bytes(b);
    for (const Step& s : group_.steps) row = std::max(row, held_at(s.launch) / static_cast<double>(group_.rows()));
    double shared = 0;
    for (const auto& [b, n] : again) other += bytes(b), shared += n;
    choose_block(row, saved / static_cast<double>(group_.rows()), shared);
    for (const Step& s : group_.steps)
      if (const int64_t n = group_.sums_apart(s); n > 1) other += 2 * static_cast<double>(n) * bytes(sum_of(s));
    return all > static_cast<double>(target_.l2_bytes) && saved >= kSaves * other &&
           saved / static_cast<double>(group_.rows()) * static_cast<double>(group_.block) * kNearer >= shared;
  }
  // So many rows that what they hold fits, where with fewer a block would not read too much again; if not, what they hold is in the last
  // cache. Given what a row holds, what it saves, and what a block reads again.
  void choose_block(double row, double saved, double shared) {
    const auto fits = [&](int64_t rows) { return row * static_cast<double>(rows) <= kRoom * static_cast<double>(target_.l2_bytes); };
    const auto pays = [&](int64_t rows) { return saved * static_cast<double>(rows) * kNearer >= shared; };
    for (group_.block = kRows; group_.block > kFewestRows && !fits(group_.block) && pays(group_.block / 2);) group_.block /= 2;
    group_.block = std::min(group_.block, group_.length);
  }
  int sum_of(const Step& s) const { return buffer_of(launch(s.launch), launch(s.launch).kernel.stores[0]); }
  // Bytes handed on that are there while a launch runs.
  double held_at(size_t i) const {
    double n = 0;
    for (int b : group_.handed_on) {
      const auto uses = [&](const Step& s) { return std::ranges::find(launch(s.launch).buffers, b) != launch(s.launch).buffers.end(); };
      const auto first = std::ranges::find_if(group_.steps, uses);
      const auto last = std::find_if(group_.steps.rbegin(), group_.steps.rend(), uses);
      if (first->launch <= i && i <= last->launch) n += bytes(b);
    }
    return n;
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
  void reorder(std::vector<Launch> behind) {
    std::vector<Launch> all;
    for (size_t i : before_) all.push_back(std::move(plan_.launches[i]));
    for (const Step& s : group_.steps) {
      all.push_back(std::move(plan_.launches[s.launch]));
      all.back().with_previous = &s != &group_.steps[0];
    }
    for (Launch& l : behind) all.push_back(std::move(l));
    for (size_t i : after_) all.push_back(std::move(plan_.launches[i]));
    plan_.launches = std::move(all);
  }

  Plan& plan_;
  const Target& target_;
  BlockGroup group_;
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
