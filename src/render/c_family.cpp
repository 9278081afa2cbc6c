// Instruction lists of one lane to C-like text that a person can read: loops are named, what is used once is written where it is used.
//
//   %5 = load %0 [%4]  %6 = alu Mul %5 %5  store %1 [%4] %6     ->     const float x0 = b0[i0];
//                                                                       b1[i0] = x0 * x0;
//
// Values are constants of the block they are made in, phis are variables declared before their loop.
#include <fmt/format.h>

#include "render/c_expressions.hpp"

namespace tg::render {
namespace {

class CFunction {
 public:
  CFunction(std::string& out, Expressions& expressions, const Phase& phase, const Dialect& d)
      : out_(out), expressions_(expressions), phase_(phase), d_(d), insts_(phase.insts), values_(insts_.size()) {}

  void render() {
    analyse();
    signature();
    for (at_ = 0; at_ < insts_.size(); ++at_)
      if (live_[at_]) one(insts_[at_]);
    put(out_, "}\n");
  }

 private:
  const Inst& source(const Inst& u, size_t n) const { return insts_[static_cast<size_t>(u.src[n])]; }
  const std::string& value(const Inst& u, size_t n) const { return values_[static_cast<size_t>(u.src[n])]; }
  std::string_view type(DType t) const { return d_.types[static_cast<size_t>(t)]; }
  std::string_view memory_type(DType t) const { return t == DType::bool_ ? d_.bool_memory : type(t); }
  void check(bool ok, const std::string& why) const { if (!ok) fail(d_.name, at_, why); }

  /// Which instructions matter, and which of them are written where their only user is. A value may move down to its user within
  /// one block; a load only as far as the next store.
  void analyse() {
    const size_t n = insts_.size();
    live_.assign(n, false);
    inline_.assign(n, false);
    std::vector<size_t> place(n), uses(n), user(n), blocks(n + 1), effects(n + 1);
    for (size_t i = 0; i < n; ++i) {
      const InstOp op = insts_[i].op;
      at_ = i;
      check(insts_[i].lanes == 1, "this language has one lane");
      const bool border = op >= InstOp::loop && op <= InstOp::barrier;
      blocks[i + 1] = blocks[i] + border;
      effects[i + 1] = effects[i] + (border || op == InstOp::store || op == InstOp::scatter);
    }
    for (size_t i = n; i-- > 0;) {
      const Inst& u = insts_[i];
      live_[i] = uses[i] > 0 || u.op >= InstOp::loop || u.op == InstOp::store || u.op == InstOp::scatter || u.op == InstOp::prefetch;
      if (!live_[i]) continue;
      for (const int32_t s : u.src) ++uses[static_cast<size_t>(s)], user[static_cast<size_t>(s)] = i;
      place[i] = i;
      if (uses[i] != 1 || insts_[user[i]].op == InstOp::loop) continue;
      const size_t to = place[user[i]];
      const bool pure = u.op == InstOp::alu || u.op == InstOp::cast || u.op == InstOp::bitcast,
                 reads = u.op == InstOp::load || u.op == InstOp::gather;
      inline_[i] = (pure && blocks[i] == blocks[to]) || (reads && effects[i] == effects[to]);
      if (inline_[i]) place[i] = to;
    }
  }

  void signature() {
    const auto pointer = [&](size_t slot) {
      return fmt::format("{}{}{}* restrict b{}", phase_.written[slot] ? "" : "const ", d_.global, memory_type(phase_.buffers[slot]), slot);
    };
    expand(out_, d_.kernel, [&](std::string_view key) { put(out_, phase_.block[key[0] - 'x']); });
    put(out_, phase_.entry);
    if (d_.grid) {
      out_ += '(';
      for (size_t s = 0; s < phase_.buffers.size(); ++s) put(out_, pointer(s), ", ");
      for (int s = 0; s < phase_.scalars; ++s) put(out_, type(DType::index), " s", s, ", ");
      put(out_, d_.global, type(int64), "* status) {\n");
      if (phase_.scratch_bytes > 0)
        line([&] { expand(out_, d_.shared_array, [&](std::string_view) { put(out_, phase_.scratch_bytes); }); });
      return;
    }
    put(out_, "(void* const* buffers, const int64_t* scalars, int64_t first, int64_t last, const struct tg_worker* worker) {\n");
    std::vector<bool> buffers(phase_.buffers.size()), scalars(static_cast<size_t>(phase_.scalars));
    for (at_ = 0; at_ < insts_.size(); ++at_) {
      const Inst& u = insts_[at_];
      if (!live_[at_] || (u.op != InstOp::buffer && u.op != InstOp::scalar)) continue;
      const auto slot = static_cast<size_t>(u.value);
      std::vector<bool>& known = u.op == InstOp::buffer ? buffers : scalars;
      check(slot < known.size(), "no such argument");
      if (known[slot]) continue;
      known[slot] = true;
      if (u.op == InstOp::buffer) line([&] { put(out_, pointer(slot), " = buffers[", slot, "];"); });
      else line([&] { put(out_, "const int64_t s", slot, " = scalars[", slot, "];"); });
    }
  }

  template <class F> void line(F&& write) {
    out_.append(2 * depth_, ' ');
    write();
    out_ += '\n';
  }

  void one(const Inst& u) {
    switch (u.op) {
      case InstOp::constant: values_[at_] = expressions_.constant(u.dtype, u.value, u.real); return;
      case InstOp::buffer: values_[at_] = fmt::format("b{}", u.value); return;
      case InstOp::scratch: return scratch(u);
      case InstOp::scalar:
        values_[at_] = fmt::format("s{}", u.value);
        if (u.dtype == float64) define(expressions_.bitcast(values_[at_], int64, float64), 'f');
        return;
      case InstOp::first_chunk: case InstOp::last_chunk: case InstOp::begun:
        check(!d_.grid, "a grid has no chunks");
        values_[at_] = u.op == InstOp::first_chunk ? "first" : u.op == InstOp::last_chunk ? "last" : "worker->begun";
        return;
      case InstOp::block: case InstOp::thread: {
        check(d_.grid && u.value >= 0 && u.value < 3, "no such axis of blocks or threads");
        const auto axis = static_cast<size_t>(u.value);
        return define(fmt::format("({}){}", type(DType::index), u.op == InstOp::block ? d_.block[axis] : d_.thread[axis]),
                      u.op == InstOp::block ? 'g' : 'l', true);
      }
      case InstOp::ramp: values_[at_] = "0"; return;
      case InstOp::alu: return define(alu(u));
      case InstOp::cast: return define(expressions_.convert(value(u, 0), source(u, 0).dtype, u.dtype));
      case InstOp::bitcast: return define(expressions_.bitcast(value(u, 0), source(u, 0).dtype, u.dtype));
      case InstOp::broadcast: case InstOp::extract: return define(value(u, 0));
      case InstOp::shuffle: return define(value(u, static_cast<size_t>(u.list.at(0))));
      case InstOp::dot: case InstOp::tile_zero: case InstOp::tile_load: case InstOp::tile_dot: case InstOp::tile_store:
        return check(false, "this language has one lane, of one step");
      case InstOp::load: case InstOp::gather: {
        const std::string element = access(u) + (u.dtype == DType::bool_ ? " != 0" : "");
        return define(u.src.size() > 2          ? fmt::format("({} ? {} : 0)", value(u, 2), element)
                      : u.dtype == DType::bool_ ? "(" + element + ")"
                                                : element,
                      'x');
      }
      case InstOp::store: case InstOp::scatter:
        return line([&] {
          if (u.src.size() > 3) put(out_, "if (", bare(value(u, 3)), ") ");
          put(out_, access(u), " = ", bare(value(u, 2)), ";");
        });
      case InstOp::prefetch: return line([&] { expand(out_, d_.prefetch, [&](std::string_view) { put(out_, "&", access(u)); }); });
      case InstOp::loop: return loop(u);
      case InstOp::phi: return;  // declared before its loop
      case InstOp::end_loop: return end_loop(u);
      case InstOp::if_:
        line([&] { put(out_, "if (", bare(value(u, 0)), ") {"); });
        ++depth_;
        return;
      case InstOp::end_if: --depth_; return line([&] { put(out_, "}"); });
      case InstOp::barrier:
        check(d_.grid, "a CPU has no grid of threads");
        return line([&] { put(out_, d_.barrier); });
      case InstOp::report:
        expressions_.need(d_.report);
        return line([&] {
          put(out_, "if (", bare(value(u, 0)), ") tg_report(", d_.grid ? "status" : "worker->status", ", ", u.value, ", ",
              bare(value(u, 1)), ", ", bare(value(u, 2)), ");");
        });
    }
  }

  /// The value of the current instruction: the expression itself, or a constant of that value where it is used more than once or long.
  void define(std::string expression, char letter = 't', bool named = false) {
    constexpr size_t kLongest = 100;
    const bool name_already = !named && expression.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string::npos;
    if (name_already || (!named && inline_[at_] && expression.size() < kLongest)) {
      values_[at_] = std::move(expression);
      return;
    }
    values_[at_] = fresh(letter);
    const DType t = insts_[at_].dtype;
    line([&] { put(out_, "const ", type(t), " ", values_[at_], " = ", bare(expression), ";"); });
  }
  std::string fresh(char letter) { return fmt::format("{}{}", letter, names_[letter - 'a']++); }

  std::string access(const Inst& u) const {
    const Inst& p = source(u, 0);
    check(p.op == InstOp::buffer || p.op == InstOp::scratch, "its pointer is neither a buffer nor scratch");
    const bool other = p.op == InstOp::buffer && memory_type(p.dtype) != memory_type(phase_.buffers[static_cast<size_t>(p.value)]);
    const std::string base = other ? fmt::format("(({}{}*){})", d_.global, memory_type(p.dtype), value(u, 0)) : value(u, 0);
    return fmt::format("{}[{}]", base, bare(value(u, 1)));
  }

  void scratch(const Inst& u) {
    values_[at_] = fresh('m');
    line([&] {
      put(out_, d_.shared, memory_type(u.dtype), "* const ", values_[at_], " = (", d_.shared, memory_type(u.dtype), "*)(",
          d_.grid ? "scratch" : "worker->scratch", " + ", u.value, ");");
    });
  }

  std::string alu(const Inst& u) {
    const DType t = operand_type(insts_, u);
    uint16_t kind = kind_of(t);
    bool constants = true;  // literals of fewer bits than the type would be computed with as int
    std::vector<std::string> operands;
    for (size_t i = 0; i < u.src.size(); ++i) {
      operands.push_back(value(u, i));
      constants &= source(u, i).op == InstOp::constant || (u.alu == Op::Where && i == 0);
    }
    if (constants && is_int(t) && size_of(t) == 8) operands.back() = fmt::format("(({}){})", type(t), operands.back());
    const bool shift = u.alu == Op::Shl || u.alu == Op::Shr, division = u.alu == Op::IDiv || u.alu == Op::Mod;
    if (division && u.value == 1 && is_int(t)) kind = kEasy;
    if (shift && !constants && (kind & (kWideUnsigned | kIndex))) {
      const Inst& by = source(u, 1);
      if (by.op == InstOp::constant && by.value >= 0 && by.value < 8 * static_cast<int64_t>(size_of(t))) kind = kEasy;
    }
    std::string out = expressions_.alu(u.alu, kind, t, operands);
    check(!out.empty(), fmt::format("no rule for alu {} on {}", name_of(u.alu), name_of(t)));
    return out;
  }

  void loop(const Inst& u) {
    check(u.value > 0, "a loop's step is positive");
    loops_.push_back(at_);
    for (size_t p = at_ + 1; p < insts_.size() && insts_[p].op == InstOp::phi; ++p) {
      values_[p] = fmt::format("acc{}", names_[0]++);
      line([&] { put(out_, type(insts_[p].dtype), " ", values_[p], " = ", bare(value(insts_[p], 0)), ";"); });
    }
    values_[at_] = fresh('i');
    const std::string& i = values_[at_];
    line([&] {
      put(out_, "for (", type(DType::index), " ", i, " = ", bare(value(u, 0)), "; ", i, " < ", value(u, 1), "; ");
      if (u.value == 1) put(out_, "++", i, ") {"); else put(out_, i, " += ", u.value, ") {");
    });
    ++depth_;
  }

  void end_loop(const Inst& u) {
    check(!loops_.empty() && static_cast<size_t>(u.src[0]) == loops_.back(), "end_loop does not match the innermost loop");
    const size_t loop = loops_.back();
    loops_.pop_back();
    std::vector<std::string> next;
    for (size_t k = 1; k < u.src.size(); ++k) {
      check(loop + k < insts_.size() && insts_[loop + k].op == InstOp::phi, "end_loop has more values than its loop has phis");
      next.push_back(value(u, k));
      bool stale = false;  // would it read a phi assigned before it?
      for (size_t p = 1; p < k; ++p) stale |= mentions(next.back(), values_[loop + p]);
      if (!stale) continue;
      const std::string name = fresh('t');
      line([&] { put(out_, "const ", type(source(u, k).dtype), " ", name, " = ", bare(next.back()), ";"); });
      next.back() = name;
    }
    check(insts_[loop + u.src.size()].op != InstOp::phi, "end_loop has fewer values than its loop has phis");
    for (size_t k = 0; k < next.size(); ++k)
      if (values_[loop + 1 + k] != next[k]) line([&] { put(out_, values_[loop + 1 + k], " = ", bare(next[k]), ";"); });
    --depth_;
    line([&] { put(out_, "}"); });
  }

  std::string& out_;
  Expressions& expressions_;
  const Phase& phase_;
  const Dialect& d_;
  const std::vector<Inst>& insts_;
  std::vector<std::string> values_;  // how each instruction's result is written
  std::vector<bool> live_, inline_;
  std::vector<size_t> loops_;
  size_t at_ = 0, depth_ = 1;
  int names_[26] = {};               // names given so far, by first letter
};

}  // namespace

std::string render_c_family(std::span<const Phase> phases, const Target& target, const Dialect& d) {
  Expressions expressions(d, target);
  std::string kernels;
  bool uses_float64 = false;
  for (const Phase& phase : phases) {
    if (!kernels.empty()) kernels += '\n';
    CFunction(kernels, expressions, phase, d).render();
    for (const Inst& u : phase.insts) uses_float64 |= u.dtype == float64;
  }
  const std::string& helpers = expressions.helpers();
  uses_float64 |= helpers.find("double") != std::string::npos;
  return fmt::format("{}{}{}\n{}", d.prelude, uses_float64 ? d.float64_prelude : "", helpers, kernels);
}

}  // namespace tg::render
