// Random programs, three ways: by the interpreter, by kernels without verbs, and by kernels with the compiler's own; and where all is
// computed at once (TG_EAGER), operation by operation too. They never disagree; some also with their numbers bound at launch, which gives
// the same bits, unless a function turns out to be of numbers alone, which the compiler then computes by itself; and where a bug is
// planted, they disagree. TG_FUZZ_PROGRAM=974 runs that one alone.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <thread>

#include <fmt/format.h>

#include "base/env.hpp"
#include "base/log.hpp"
#include "engine/canonical.hpp"
#include "engine/kernels.hpp"
#include "engine/random_program.hpp"
#include "fuzzing.hpp"
#include "ir/symbolic.hpp"
#include "runtime/interpreter/evaluate.hpp"
#include "schedule/batch.hpp"
#include "schedule/hoist_offsets.hpp"
#include "schedule/plan.hpp"
#include "schedule/share_numbers.hpp"
#include "tensor/batching.hpp"
#include "tensor/impl.hpp"
#include "tg/device.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

using Change = std::function<Kernel(Kernel)>;

/// The launches of a plan, each compiled for itself and thrown away: thousands of programs shall not stay loaded.
class Runner {
 public:
  Runner(Canonical graph, Device& d, Target target)
      : graph_(std::move(graph)), roots_(graph_.roots()), plan_(schedule(roots_)), device_(d), target_(std::move(target)) {
    hoist_offsets(plan_, target_.alignment);
    share_numbers(plan_);
  }
  Runner(std::span<const UOp> roots, Device& d) : Runner(Canonical(roots), d, d.target()) {}

  std::vector<HostArray> run(const std::optional<Verbs>& verbs, const Change& change = {}) {
    std::vector<std::shared_ptr<Buffer>> memory;
    for (const PlanBuffer& b : plan_.buffers) {
      const bool given = b.kind == PlanBuffer::Kind::Input;
      memory.push_back(given ? graph_.inputs[static_cast<size_t>(b.input)]
                             : make_buffer(device_, static_cast<size_t>(b.elements.value()) * size_of(b.dtype)));
    }
    for (const PlanLaunch& l : plan_.launches) {
      const bool nothing = std::any_of(l.kernel.ranges.begin(), l.kernel.ranges.end(), [](const UOp& r) { return is_const(r.src(0), 0); });
      if (!nothing) launch(l, generate(change ? change(l.kernel) : l.kernel, target_, verbs), memory);
    }
    std::vector<HostArray> out;
    for (size_t i = 0; i < plan_.roots.size(); ++i) {
      const PlanBuffer& b = plan_.buffers[static_cast<size_t>(plan_.roots[i])];
      // A root may be the beginning of what is stored.
      HostArray& a = out.emplace_back(b.dtype, std::vector<int64_t>{roots_[i].shape().numel().value()});
      if (!a.bytes.empty()) device_.copy_out(a.bytes.data(), memory[static_cast<size_t>(plan_.roots[i])]->ref(), a.bytes.size());
    }
    return out;
  }
  size_t launches() const { return plan_.launches.size(); }
  bool changes(const std::function<bool(const Kernel&)>& f) const {
    return std::any_of(plan_.launches.begin(), plan_.launches.end(), [&](const PlanLaunch& l) { return f(l.kernel); });
  }

 private:
  void launch(const PlanLaunch& l, const Generated& g, const std::vector<std::shared_ptr<Buffer>>& memory) {
    std::vector<MemoryRef> refs;
    std::vector<std::shared_ptr<Buffer>> between;
    std::vector<Grid> grids;
    std::vector<int64_t> scalars;
    for (size_t i = 0; i < l.buffers.size(); ++i) refs.push_back(rest_of(memory[static_cast<size_t>(l.buffers[i])]->ref(), l.offsets[i]));
    for (const auto& [dtype, n] : g.temporaries) {
      between.push_back(make_buffer(device_, static_cast<size_t>(n.value()) * size_of(dtype)));
      refs.push_back(between.back()->ref());
    }
    for (const UOp& v : l.scalars) {
      const auto bound = std::ranges::find(graph_.variables, v);
      if (v.op() == Op::Const) scalars.push_back(std::bit_cast<int64_t>(v.as<double>()));
      else scalars.push_back(v == element_count() ? l.elements.value()
                                             : graph_.values.at(static_cast<size_t>(bound - graph_.variables.begin())));
    }
    const auto size = [&](const Dim& d) {
      return d.known() ? d.value()
                       : Dim(simplify(substitute(d.expr(), {{element_count(), constant(DType::index, l.elements.value())}}))).value();
    };
    for (const LoweredPhase& p : g.phases) grids.push_back({{size(p.grid[0]), size(p.grid[1]), size(p.grid[2])}});
    const std::string text = source(g, target_);
    std::shared_ptr<Program>& program = programs_[text];  // small kernels have no verbs anyway
    if (!program) program = device_.load(device_.compile(text), phase_infos(g));
    device_.launch(*program, {refs, scalars, grids});
    if (device_.synchronize()) throw IndexError("a checked index is out of bounds");
  }

  const Canonical graph_;
  const std::vector<UOp> roots_;
  Plan plan_;
  Device& device_;
  const Target target_;
  std::map<std::string, std::shared_ptr<Program>> programs_;
};

/// Where two results differ by more than the programs' error; empty if nowhere.
std::string disagreement(const HostArray& a, const HostArray& b, double error) {
  const auto n = static_cast<size_t>(a.numel());
  if (b.numel() != a.numel() || a.dtype != b.dtype)
    return fmt::format("{} {} and {} {}", a.numel(), name_of(a.dtype), b.numel(), name_of(b.dtype));
  for (size_t i = 0; i < n; ++i) {
    if (!is_float(a.dtype)) {
      if (a.integer(i) != b.integer(i)) return fmt::format("element {}: {} and {}", i, a.integer(i), b.integer(i));
      continue;
    }
    const double x = a.number(i), y = b.number(i);
    if (x == y || (std::isnan(x) && std::isnan(y)) || std::abs(x - y) <= 2 * error) continue;
    return fmt::format("element {}: {:.9g} and {:.9g}, which may differ by {:.3g}", i, x, y, 2 * error);
  }
  return {};
}

struct Tally {
  std::mutex mutex;
  std::map<std::string, int> operations, ops, rules;
  std::vector<std::string> failures;
  int64_t programs = 0, launches = 0;
  std::atomic<int64_t> bound = 0, same_bits = 0;
};

void count_rules(const std::string& log, Tally& tally) {
  for (size_t at = 0; at < log.size();) {
    const size_t end = std::min(log.find('\n', at), log.size());
    const std::string_view line = std::string_view(log).substr(at, end - at);
    const size_t arrow = line.find(": ");
    if (arrow != line.npos) {
      const std::string_view where = line.substr(0, arrow);
      const size_t slash = where.rfind('/');
      ++tally.rules[std::string(slash == where.npos ? where : where.substr(slash + 1))];
    }
    at = end + 1;
  }
}

std::string where_it_disagrees(const RandomProgram& p, const std::vector<HostArray>& expected, const std::vector<HostArray>& found) {
  for (size_t i = 0; i < expected.size(); ++i) {
    double largest = 0;
    for (size_t e = 0; is_float(expected[i].dtype) && e < static_cast<size_t>(expected[i].numel()); ++e)
      largest = std::fmax(largest, std::abs(expected[i].number(e)));
    const std::string why = disagreement(expected[i], found[i], p.error(i, largest));
    if (!why.empty()) return fmt::format("root {}: {}", i, why);
  }
  return {};
}
std::vector<UOp> nodes_of(const RandomProgram& p) {
  std::vector<UOp> out;
  for (const Tensor& t : p.roots) out.push_back(node_of(t, "test"));
  return out;
}

/// A processor's kernels for a third of the programs each: of its own vectors, and of 32 and of 16 bytes, as others have.
Target target_for(uint64_t seed) {
  Target t = device(settings().device).target();
  const int bytes = 64 >> seed % 3;
  if (t.grid || bytes >= t.vector_bytes) return t;
  t.vector_bytes = bytes;
  t.vector_registers = 16;
  t.fma = t.fma && bytes >= 32;
  t.matrix.clear();
  return t;
}

/// What it gives with all its numbers bound; nothing if it has none.
std::optional<std::vector<HostArray>> with_numbers_bound(const std::vector<UOp>& roots, const Target& target) {
  Canonical graph(roots);
  std::vector<size_t> all(graph.numbers().size());
  if (all.empty()) return {};
  std::iota(all.begin(), all.end(), size_t{0});
  graph.bind_numbers(all);
  return Runner(std::move(graph), device(settings().device), target).run({});
}

RandomProgram whole_program(uint64_t seed, const std::string& device) {
  const Tracing nothing_is_computed_yet;
  return {seed, device};
}

std::vector<HostArray> computed_at_once(uint64_t seed) {
  std::vector<HostArray> out;
  for (const UOp& u : nodes_of(RandomProgram(seed, settings().device))) out.push_back(evaluate(std::span(&u, 1))[0]);
  return out;
}

void check(uint64_t seed, Tally& tally) {
  const RandomProgram p = whole_program(seed, settings().device);
  const std::vector<UOp> roots = nodes_of(p);
  std::string wrong, rules;
  size_t launches = 0;
  try {
    const std::vector<HostArray> expected = evaluate(roots);
    std::optional<LogCapture> fired;
    if (seed % 50 == 0) fired.emplace(5);
    const Target target = target_for(seed);
    Runner runner(Canonical(roots), device(settings().device), target);
    launches = runner.launches();
    if (const std::string why = where_it_disagrees(p, expected, runner.run(Verbs{})); !why.empty()) wrong = "without verbs: " + why;
    const std::vector<HostArray> found = runner.run({});
    if (const std::string why = where_it_disagrees(p, expected, found); !why.empty()) wrong += "\nwith verbs: " + why;
    if (seed % 32 == 0)
      if (const auto bound = with_numbers_bound(roots, target)) {
        if (const std::string why = where_it_disagrees(p, expected, *bound); !why.empty()) wrong += "\nwith numbers bound: " + why;
        ++tally.bound;
        tally.same_bits += std::ranges::equal(found, *bound, {}, &HostArray::bytes, &HostArray::bytes);
      }
    if (fired) rules = fired->text();
    fired.reset();
    if (settings().eager)
      if (const std::string why = where_it_disagrees(p, expected, computed_at_once(seed)); !why.empty()) wrong += "\nat once: " + why;
  } catch (const std::exception& e) { wrong = fmt::format("it throws {}", e.what()); }
  const std::lock_guard lock(tally.mutex);
  ++tally.programs;
  tally.launches += static_cast<int64_t>(launches);
  for (const auto& [name, n] : p.applied) tally.operations[name] += n;
  for (const UOp& u : toposort(roots)) ++tally.ops[std::string(name_of(u.op()))];
  count_rules(rules, tally);
  if (!wrong.empty()) tally.failures.push_back(fmt::format("program {}:\n{}{}", seed, p.text(), wrong));
}

void print_failures(const Tally& tally) {
  for (const std::string& f : tally.failures) ADD_FAILURE() << f;
}

TEST(RandomPrograms, InterpreterAndKernelsAgree) {
  const bool slow = settings().device != "cpu";
  const auto programs = fuzz_seeds(slow ? 200 : settings().eager ? 1000 : 10'000);
  Tally tally;
  if (const char* one = std::getenv("TG_FUZZ_PROGRAM")) return check(std::strtoull(one, nullptr, 10), tally), print_failures(tally);
  std::atomic<uint64_t> next{0};
  const auto work = [&] {
    for (uint64_t seed; (seed = next.fetch_add(1)) < programs && tally.failures.size() < 10;) check(seed, tally);
  };
  {
    std::vector<std::jthread> threads;
    for (int t = 1; t < settings().threads; ++t) threads.emplace_back(work);
    work();
  }
  print_failures(tally);
  EXPECT_LE(tally.bound - tally.same_bits, 1 + tally.bound / 200) << "numbers matter to the bits of so many, of " << tally.bound;
  const auto table = [](const std::map<std::string, int>& counts) {
    std::string out;
    for (const auto& [name, n] : counts) out += fmt::format(" {} {}", name, n);
    return out;
  };
  fmt::print("{} programs, {} launches\noperations:{}\nops of the graph:{}\n{} rules fired in every 50th program:{}\n", tally.programs,
             tally.launches,
             table(tally.operations), table(tally.ops), tally.rules.size(), table(tally.rules));
}

// ---- what random programs have found ----

void expect_agreement(const std::function<Tensor()>& program, double error) {
  const Tracing nothing_is_computed_yet;
  const UOp node = node_of(program(), "test");
  const HostArray expected = evaluate(std::span(&node, 1))[0];
  Runner runner(std::span(&node, 1), device(settings().device));
  EXPECT_EQ(disagreement(expected, runner.run(Verbs{})[0], error), "");
  EXPECT_EQ(disagreement(expected, runner.run({})[0], error), "");
}
Tensor some(const Sizes& shape, DType t) {
  int64_t n = 1;
  for (int64_t s : shape) n *= s;
  std::vector<float> data(static_cast<size_t>(n));
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i % 7);
  return Tensor::from(data, shape, {.dtype = t}).realize();
}

// Ranges that a reduction opens have other numbers than those that only the gate around it depends on.
TEST(FoundByRandomPrograms, AReductionUnderAGateOverAnAxisOfOne) {
  expect_agreement([] { return some({17, 16}, float32).logsumexp({.axis = {1}, .keepdim = true}).flip({0}).pad({{0, 2}, {2, 0}}); }, 1e-5);
}
// Lanes go along one range of a reduction, not two.
TEST(FoundByRandomPrograms, ASumOverTwoShortAxes) {
  expect_agreement(
      [] {
        const Tensor x = some({33, 3}, uint16), whole = x.cast(uint32).pad({{1, 1}, {1, 1}}).sum();
        return x.shrink({{1, 32}, {1, 3}}).cast(uint64) * whole;
      },
      0);
}
// A running sum of which one element is wanted is made in order all the same.
TEST(FoundByRandomPrograms, AnElementOfARunningSum) {
  expect_agreement([] { return some({33}, float16).cumsum(0).shrink({{28, 29}}); }, 0);
  expect_agreement([] { return some({1}, float32).cumsum(0); }, 0);
}

// Lanes along an output and along a sum in the same number of rounds: each is masked where its own range is open.
TEST(FoundByRandomPrograms, RowsByASumThatIsAsNarrow) {
  expect_agreement([] { return some({7, 5}, float32).take(some({7, 33}, uint16).sum({.axis = 1}).cast(int32) % 7); }, 0);
}

// What an index itself was read by is checked inside the loop of the sum that computes it, nowhere else.
TEST(FoundByRandomPrograms, SortedRowsByASum) {
  expect_agreement(
      [] { return some({2, 1}, float32).take(some({7, 2, 4}, int32).cast(bool_).sum({.axis = 2}) - 3).sort({.axis = 1}).values; }, 0);
  expect_agreement([] { return some({1}, float32).take(some({33, 3}, int32).cumsum(0) * 0).sort({.axis = 1}).values; }, 0);
}

// ---- bugs planted on purpose: one node of a kernel read another way ----

struct Bug {
  const char* name;
  std::function<UOp(const UOp&)> instead;  // empty: this node is as it was
};
bool is(const UOp& u, Op op) { return u.op() == op; }
bool counts(const UOp& u) { return u.dtype() == DType::index; }  // of an index, which must stay inside
const Bug kBugs[] = {
    {"the larger is the first", [](const UOp& u) { return is(u, Op::Max) && !counts(u) ? u.src(0) : UOp(); }},
    {"a - b is a", [](const UOp& u) { return is(u, Op::Add) && !counts(u) && is(u.src(1), Op::Mul) ? u.src(0) : UOp(); }},
    {"a * a is a", [](const UOp& u) { return is(u, Op::Mul) && !counts(u) && u.src(0) == u.src(1) ? u.src(0) : UOp(); }},
    {"less is less or equal",
     [](const UOp& u) {
       return is(u, Op::Less) && !counts(u.src(0)) ? where(less(u.src(1), u.src(0)), constant(DType::bool_, 0), constant(DType::bool_, 1))
                                                   : UOp();
     }},
    {"the branches of where are exchanged",
     [](const UOp& u) { return is(u, Op::Where) && !counts(u) ? where(u.src(0), u.src(2), u.src(1)) : UOp(); }},
    {"what is outside a pad is 1",
     [](const UOp& u) {
       return is(u, Op::Where) && is_const(u.src(2), 0) && !counts(u) ? where(u.src(0), u.src(1), constant(u.dtype(), 1)) : UOp();
     }},
    {"an element later is an element",
     [](const UOp& u) {
       return is(u, Op::Load) && is(u.src(1), Op::Add) && is_const(u.src(1).src(1)) && u.src(1).src(0).bounds().min >= 0 &&
                      u.src(1).src(1).as<int64_t>() > 0
                  ? load(u.src(0), u.src(1).src(0), u.src().size() > 2 ? u.src(2) : UOp())
                  : UOp();
     }},
    {"a load is of element 0",
     [](const UOp& u) { return is(u, Op::Load) && !is_const(u.src(1)) && u.src().size() == 2 ? load(u.src(0), index(0), UOp()) : UOp(); }},
    {"casts round instead of truncating",
     [](const UOp& u) {
       return is(u, Op::Cast) && !is_float(u.dtype()) && u.src(0).dtype() == DType::float32 && u.dtype() == DType::int32
                  ? cast(u.src(0) + constant(DType::float32, 0.5), u.dtype())
                  : UOp();
     }},
    {"casts to unsigned do not wrap",
     [](const UOp& u) {
       return is(u, Op::Cast) && is_int(u.dtype()) && !is_signed_int(u.dtype()) && is_signed_int(u.src(0).dtype()) && !counts(u.src(0))
                  ? cast(cast(u.src(0), DType::float64), u.dtype())
                  : UOp();
     }},
    {"exclusive or is or", [](const UOp& u) { return is(u, Op::Xor) ? u.src(0) | u.src(1) : UOp(); }},
    {"shifts go nowhere", [](const UOp& u) { return is(u, Op::Shr) && !counts(u) ? u.src(0) : UOp(); }},
    {"unequal is less",
     [](const UOp& u) {
       return is(u, Op::NotEqual) && !counts(u.src(0)) && u.src(0).dtype() != DType::bool_ ? less(u.src(0), u.src(1)) : UOp();
     }},
    {"quotients round to zero",
     [](const UOp& u) {
       return is(u, Op::IDiv) && !counts(u) && is_signed_int(u.dtype())
                  ? UOp::make(Op::IDiv,
                              {where(less(u.src(0), constant(u.dtype(), 0)), u.src(0) * constant(u.dtype(), -1), u.src(0)), u.src(1)}, {},
                              u.dtype())
                  : UOp();
     }},
    {"remainders are what is divided", [](const UOp& u) { return is(u, Op::Mod) && !counts(u) ? u.src(0) : UOp(); }},
    {"sums begin at 1",
     [](const UOp& u) { return is(u, Op::Reduce) && u.as<ReduceArg>().monoid == Monoid::Sum ? u + constant(u.dtype(), 1) : UOp(); }},
    {"the largest is at least 0",
     [](const UOp& u) {
       return is(u, Op::Reduce) && u.as<ReduceArg>().monoid == Monoid::Max && is_float(u.dtype())
                  ? UOp::make(Op::Max, {u, constant(u.dtype(), 0)}, {}, u.dtype())
                  : UOp();
     }},
    {"cosine is sine", [](const UOp& u) { return is(u, Op::Cos) ? UOp::make(Op::Sin, {u.src(0)}, {}, u.dtype()) : UOp(); }},
    {"a root is not taken", [](const UOp& u) { return is(u, Op::Sqrt) ? u.src(0) : UOp(); }},
    {"1 / x is 1 - (x - 1)",
     [](const UOp& u) {
       return is(u, Op::Recip) && is_float(u.dtype()) ? constant(u.dtype(), 2.0) + u.src(0) * constant(u.dtype(), -1.0) : UOp();
     }},
};

Kernel with_bug(Kernel k, const Bug& bug, bool& planted) {
  Substitution done;
  for (const UOp& u : toposort(k.stores)) {
    std::vector<UOp> src;
    for (const UOp& s : u.src()) src.push_back(done.contains(s) ? done.at(s) : s);
    const UOp same = std::equal(src.begin(), src.end(), u.src().begin(), u.src().end()) ? u : u.with(src);
    const UOp other = bug.instead(same);
    planted |= static_cast<bool>(other);
    done[u] = other ? other : same;
  }
  for (UOp& s : k.stores) s = done.at(s);
  return k;
}

// A program is compiled only when the bug is somewhere in it.
bool finds(const Bug& bug, uint64_t seed) {
  const RandomProgram p = whole_program(seed, "cpu");
  const std::vector<UOp> roots = nodes_of(p);
  Runner runner(roots, device("cpu"));
  if (!runner.changes([&](const Kernel& k) {
        bool planted = false;
        with_bug(k, bug, planted);
        return planted;
      }))
    return false;
  bool planted = false;
  try {
    return !where_it_disagrees(p, evaluate(roots), runner.run(Verbs{}, [&](Kernel k) {
              return with_bug(std::move(k), bug, planted);
            })).empty();
  } catch (const IndexError&) { return true; }
}

TEST(RandomPrograms, FindPlantedBugs) {
  constexpr uint64_t kMost = 3000;
  for (const Bug& bug : kBugs) {
    uint64_t seed = 0;
    while (seed < kMost && !finds(bug, seed)) ++seed;
    EXPECT_LT(seed, kMost) << bug.name << ": not found";
    fmt::print("{}: found by program {}\n", bug.name, seed);
  }
}

}  // namespace
}  // namespace tg
