// Instruction lists of one lane to C-like text that a person can read: loops are named, what is used once is written where it is used.
//
//   %5 = load %0 [%4]  %6 = alu Mul %5 %5  store %1 [%4] %6     ->     const float x0 = b0[i0];
//                                                                       b1[i0] = x0 * x0;
//
// Rows of rules give each op its spelling, from the dialect first, then from those here; what is the same in C as in ops.def is spelled
// as ops.def says. Signed arithmetic that may wrap is done in unsigned types. Keys of rules: {0} {1} {2} operands, {T} their type, {U}
// the unsigned type that holds it, {N} its name, {W} its width in bits, and for conversions {D} the result's type and {M} its name.
#include "render/c_family.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "base/float16.hpp"
#include "ir/op_info.hpp"

namespace tg::render {
namespace {

constexpr uint16_t kNotHalf = kAny & ~kHalf;
constexpr Rule kRules[] = {  // no text: as ops.def spells it
    {Op::Exp2, 0, ""}, {Op::Log2, 0, ""}, {Op::Sin, 0, ""}, {Op::Sqrt, 0, ""}, {Op::Trunc, 0, ""}, {Op::Fma, 0, ""},  // the dialect's or none
    {Op::Recip, kFloat, ""},
    {Op::Add, kFloat | kIndex | kWideUnsigned, ""},
    {Op::Add, kInt, "(({T})(({U}){0} + ({U}){1}))"},
    {Op::Add, kBool, "({0} | {1})"},
    {Op::Mul, kFloat | kIndex | kWideUnsigned, ""},
    {Op::Mul, kInt, "(({T})(({U}){0} * ({U}){1}))"},
    {Op::Mul, kBool, "({0} & {1})"},
    {Op::Div, kFloat, ""},
    {Op::Max, kFloat, "tg_max_{N}({0}, {1})", "{T} tg_max_{N}({T} a, {T} b) { return a > b || a != a ? a : b; }"},
    {Op::Max, kInt, "tg_max_{N}({0}, {1})", "{T} tg_max_{N}({T} a, {T} b) { return a > b ? a : b; }"},
    {Op::Max, kBool, "({0} | {1})"},
    {Op::IDiv, kEasy, "({0} / {1})"},
    {Op::IDiv, kSigned | kIndex, "tg_floor_div_{N}({0}, {1})",
     "{T} tg_floor_div_{N}({T} a, {T} b) {\n  if (b == 0) return 0;\n  if (b == -1) return ({T})(0 - ({U})a);\n"
     "  const {T} q = ({T})(a / b);\n  return ({T})(a % b != 0 && (a ^ b) < 0 ? q - 1 : q);\n}"},
    {Op::IDiv, kUnsigned, "tg_floor_div_{N}({0}, {1})", "{T} tg_floor_div_{N}({T} a, {T} b) { return b == 0 ? 0 : ({T})(a / b); }"},
    {Op::Mod, kEasy, "({0} % {1})"},
    {Op::Mod, kSigned | kIndex, "tg_floor_mod_{N}({0}, {1})",
     "{T} tg_floor_mod_{N}({T} a, {T} b) {\n  if (b == 0 || b == -1) return 0;\n"
     "  const {T} r = ({T})(a % b);\n  return ({T})(r != 0 && (r ^ b) < 0 ? r + b : r);\n}"},
    {Op::Mod, kUnsigned, "tg_floor_mod_{N}({0}, {1})", "{T} tg_floor_mod_{N}({T} a, {T} b) { return b == 0 ? 0 : ({T})(a % b); }"},
    {Op::Shl, kEasy, "({0} << {1})"},
    {Op::Shl, kInt, "tg_shl_{N}({0}, {1})", "{T} tg_shl_{N}({T} a, {T} b) { return ({U})b < {W} ? ({T})(({U})a << b) : 0; }"},
    {Op::Shr, kEasy, "({0} >> {1})"},
    {Op::Shr, kUnsigned, "tg_shr_{N}({0}, {1})", "{T} tg_shr_{N}({T} a, {T} b) { return b < {W} ? ({T})(a >> b) : 0; }"},
    {Op::Shr, kInt, "tg_shr_{N}({0}, {1})", "{T} tg_shr_{N}({T} a, {T} b) { return ({T})(a >> (({U})b < {W} ? b : {W} - 1)); }"},
    {Op::And, kInt | kBool, ""}, {Op::Or, kInt | kBool, ""}, {Op::Xor, kInt | kBool, ""},
    {Op::Less, kNotHalf, ""}, {Op::NotEqual, kNotHalf, ""}, {Op::Where, kAny, ""},
};

// Conversions and bit casts, in the same keys; {low} {high} the bounds of {D} as {T}, {min} {max} as {D}.
constexpr Rule kSaturate{Op::Cast, 0, "tg_{M}_of_{N}({0})",
                         "{D} tg_{M}_of_{N}({T} a) { return a != a ? 0 : a <= {low} ? {min} : a >= {high} ? {max} : ({D})a; }"};
constexpr Rule kBits{Op::Bitcast, 0, "tg_{M}_bits_of_{N}({0})", "{D} tg_{M}_bits_of_{N}({T} a) {\n  union { {T} from; {D} to; } u;\n  u.from = a;\n  return u.to;\n}"};
constexpr Rule kBfloatToFloat{Op::Cast, 0, "tg_float32_of_bfloat16({0})",
                              "float tg_float32_of_bfloat16({uint16} h) {\n  union { {uint32} bits; float value; } u;\n  u.bits = ({uint32})h << 16;\n  return u.value;\n}"};
constexpr Rule kFloatToBfloat{Op::Cast, 0, "tg_bfloat16_of_float32({0})",
                              "{uint16} tg_bfloat16_of_float32(float a) {\n  union { float value; {uint32} bits; } u;\n  u.value = a;\n"
                              "  if (a != a) return ({uint16})(u.bits >> 16 | 0x40);\n  return ({uint16})((u.bits + 0x7fff + (u.bits >> 16 & 1)) >> 16);\n}"};
// To odd: a second rounding, to 16 bits, then gives what one would have (see llvm_arithmetic.cpp).
constexpr Rule kDoubleToOdd{Op::Cast, 0, "tg_float32_odd_of_float64({0})",
                            "float tg_float32_odd_of_float64(double a) {\n  union { float value; {uint32} bits; } u;\n  u.value = (float)a;\n"
                            "  const double back = u.value;\n  if (a != a || back == a) return u.value;\n"
                            "  if ((back < 0 ? -back : back) > (a < 0 ? -a : a)) u.bits -= 1;\n  u.bits |= 1;\n  return u.value;\n}"};

/// ops.def spells without spaces: "({0}+{1})" becomes "({0} + {1})".
std::string spaced(std::string_view spelling) {
  std::string out;
  for (size_t i = 0; i < spelling.size();) {
    const size_t end = spelling[i] == '}' ? spelling.find('{', i) : std::string_view::npos;
    if (end == std::string_view::npos) { out += spelling[i++]; continue; }
    const std::string_view between = spelling.substr(i + 1, end - i - 1);
    put(out, between == "," ? "}" : "} ", between, " ");
    i = end;
  }
  return out;
}

/// Without the outer parentheses, where they enclose the whole.
std::string_view bare(std::string_view s) {
  if (s.size() < 2 || s.front() != '(' || s.back() != ')') return s;
  int depth = 0;
  for (size_t i = 0; i + 1 < s.size(); ++i) {
    depth += s[i] == '(' ? 1 : s[i] == ')' ? -1 : 0;
    if (depth == 0) return s;
  }
  return s.substr(1, s.size() - 2);
}

std::string_view unsigned_type(const Dialect& d, DType t) {
  return d.types[static_cast<size_t>(size_of(t) == 8 ? DType::uint64 : DType::uint32)];
}

/// Helper functions that the kernels of one text call, each once, in order of first use.
class Helpers {
 public:
  explicit Helpers(const Dialect& d) : d_(d) {}
  void need(std::string_view pattern, DType from, DType to) {
    if (pattern.empty() || !known_.insert({pattern.data(), from, to}).second) return;
    put(text, d_.function);
    write(text, pattern, from, to);
    text += '\n';
  }
  void write(std::string& out, std::string_view pattern, DType from, DType to) const {
    const auto type = [&](DType t) { return d_.types[static_cast<size_t>(t)]; };
    const int value_bits = 8 * static_cast<int>(size_of(to)) - (is_signed_int(to) ? 1 : 0);
    expand(out, pattern, [&](std::string_view key) {
      if (key == "T") put(out, type(from));
      else if (key == "D") put(out, type(to));
      else if (key == "U") put(out, unsigned_type(d_, from));
      else if (key == "N") put(out, name_of(from));
      else if (key == "M") put(out, name_of(to));
      else if (key == "W") put(out, 8 * size_of(from));
      else if (key == "uint16") put(out, type(uint16));
      else if (key == "uint32") put(out, type(uint32));
      else if (key == "high") put(out, "0x1p", value_bits, from == float32 ? "f" : "");
      else if (key == "low") is_signed_int(to) ? put(out, "-0x1p", value_bits, from == float32 ? "f" : "") : put(out, "0");
      else if (key == "max") put(out, "(", type(to), ")", std::numeric_limits<uint64_t>::max() >> (64 - value_bits), "u", size_of(to) == 8 ? d_.wide_suffix : "");
      else if (key == "min" && is_signed_int(to)) put(out, "(", type(to), ")(-", std::numeric_limits<uint64_t>::max() >> (64 - value_bits), size_of(to) == 8 ? d_.wide_suffix : "", " - 1)");
      else if (key == "min") put(out, "0");
      else put(out, "{", key, "}");
    });
  }
  std::string text;

 private:
  const Dialect& d_;
  std::set<std::tuple<const char*, DType, DType>> known_;
};

class Function {
 public:
  Function(std::string& out, Helpers& helpers, const Phase& phase, const Target& target, const Dialect& d)
      : out_(out), helpers_(helpers), phase_(phase), target_(target), d_(d), insts_(phase.insts), values_(insts_.size()) {}

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
      const bool pure = u.op == InstOp::alu || u.op == InstOp::cast || u.op == InstOp::bitcast, reads = u.op == InstOp::load || u.op == InstOp::gather;
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
      if (phase_.scratch_bytes > 0) line([&] { expand(out_, d_.shared_array, [&](std::string_view) { put(out_, phase_.scratch_bytes); }); });
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
      case InstOp::constant: values_[at_] = constant(u); return;
      case InstOp::buffer: values_[at_] = fmt::format("b{}", u.value); return;
      case InstOp::scratch: return scratch(u);
      case InstOp::scalar:
        values_[at_] = fmt::format("s{}", u.value);
        if (u.dtype == float64) define(apply(kBits, int64, float64, {values_[at_]}), 'f');
        return;
      case InstOp::first_chunk: case InstOp::last_chunk:
        check(!d_.grid, "a grid has no chunks");
        values_[at_] = u.op == InstOp::first_chunk ? "first" : "last";
        return;
      case InstOp::block: case InstOp::thread: {
        check(d_.grid && u.value >= 0 && u.value < 3, "no such axis of blocks or threads");
        const auto axis = static_cast<size_t>(u.value);
        return define(fmt::format("({}){}", type(DType::index), u.op == InstOp::block ? d_.block[axis] : d_.thread[axis]), u.op == InstOp::block ? 'g' : 'l', true);
      }
      case InstOp::ramp: values_[at_] = "0"; return;
      case InstOp::alu: return define(alu(u));
      case InstOp::cast: return define(convert(value(u, 0), source(u, 0).dtype, u.dtype));
      case InstOp::bitcast: return define(bitcast(u));
      case InstOp::broadcast: case InstOp::extract: return define(value(u, 0));
      case InstOp::shuffle: return define(value(u, static_cast<size_t>(u.list.at(0))));
      case InstOp::load: case InstOp::gather: {
        const std::string element = access(u) + (u.dtype == DType::bool_ ? " != 0" : "");
        return define(u.src.size() > 2 ? fmt::format("({} ? {} : 0)", value(u, 2), element) : u.dtype == DType::bool_ ? "(" + element + ")" : element, 'x');
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
        helpers_.need(d_.report, DType::void_, DType::void_);
        return line([&] { put(out_, "tg_report(", d_.grid ? "status" : "worker->status", ", ", u.value, ", ", bare(value(u, 0)), ", ", bare(value(u, 1)), ");"); });
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
      put(out_, d_.shared, memory_type(u.dtype), "* const ", values_[at_], " = (", d_.shared, memory_type(u.dtype), "*)(", d_.grid ? "scratch" : "worker->scratch", " + ", u.value, ");");
    });
  }

  std::string constant(const Inst& u) const {
    if (u.dtype == DType::float16) return fmt::format("{}", half_from(u.real));
    if (u.dtype == DType::bfloat16) return fmt::format("{}", bfloat16_from(u.real));
    if (is_float(u.dtype)) {
      if (std::isnan(u.real)) return fmt::format("(({}){})", type(u.dtype), d_.nan);
      const double v = u.dtype == float32 ? static_cast<double>(static_cast<float>(u.real)) : u.real;
      if (std::isinf(v)) return fmt::format("(({}){}{})", type(u.dtype), v < 0 ? "-" : "", d_.infinity);
      std::string text = u.dtype == float32 ? fmt::format("{}", static_cast<float>(v)) : fmt::format("{}", v);
      if (text.find_first_of(".e") == std::string::npos) text += ".0";
      return u.dtype == float32 ? text + "f" : text;
    }
    if (u.value == std::numeric_limits<int64_t>::min() && u.dtype != uint64) return fmt::format("(-{}{} - 1)", std::numeric_limits<int64_t>::max(), d_.wide_suffix);
    const bool wide = u.value > std::numeric_limits<int32_t>::max() || u.value < -std::numeric_limits<int32_t>::max();
    if (u.dtype == uint64) return fmt::format("{}u{}", static_cast<uint64_t>(u.value), wide ? d_.wide_suffix : "");
    if (u.dtype == uint32) return fmt::format("{}u", static_cast<uint32_t>(u.value));
    return fmt::format("{}{}", u.value, wide ? d_.wide_suffix : "");
  }

  /// The expression a rule makes of the operands.
  std::string apply(const Rule& rule, DType from, DType to, std::span<const std::string> operands) {
    helpers_.need(rule.helper, from, to);
    std::string pattern, out;
    if (rule.text.find_first_of("TUNDM") != std::string_view::npos) helpers_.write(pattern, rule.text, from, to);
    else pattern = rule.text;
    const bool call = pattern.back() == ')' && pattern.front() != '(';  // arguments need no parentheses
    expand(out, pattern, [&](std::string_view key) {
      const std::string& operand = operands[static_cast<size_t>(key[0] - '0')];
      put(out, call ? bare(operand) : operand);
    });
    return out;
  }
  std::string apply(const Rule& rule, DType from, DType to, std::initializer_list<std::string> operands) {
    return apply(rule, from, to, std::span(operands.begin(), operands.size()));
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
    const Inst& last = source(u, u.src.size() - 1);
    if (division && u.value == 1 && is_int(t)) kind = kEasy;
    if (shift && !constants && (kind & (kWideUnsigned | kIndex)) && last.op == InstOp::constant && last.value >= 0 && last.value < 8 * static_cast<int64_t>(size_of(t))) kind = kEasy;
    const Rule* rule = find(d_.rules, u.alu, kind);
    if (!rule) rule = find(kRules, u.alu, kind);
    const bool known = std::any_of(std::begin(kRules), std::end(kRules), [&](const Rule& r) { return r.op == u.alu; });
    check(rule || (!known && (kind & kFloat)), fmt::format("no rule for alu {} on {}", name_of(u.alu), name_of(t)));
    if (rule && !rule->text.empty()) return apply(*rule, t, u.dtype, operands);
    const std::string spelling = spaced(info(u.alu).c);
    return apply(Rule{u.alu, 0, spelling}, t, u.dtype, operands);
  }

  std::string convert(const std::string& v, DType from, DType to) {
    if (type(from) == type(to) && kind_of(from) != kHalf && kind_of(to) != kHalf) return v;
    if (from == to) return v;
    const auto half = [&](const char* call, std::string_view function, const std::string& operand) {
      helpers_.need(function, DType::void_, DType::void_);
      return fmt::format("{}({})", call, bare(operand));
    };
    if (from == float16) return convert(half("tg_float32_of_float16", d_.half_to_float, v), float32, to);
    if (from == bfloat16) return convert(apply(kBfloatToFloat, DType::void_, DType::void_, {v}), float32, to);
    if (kind_of(to) == kHalf) {
      if (from == float32)
        return to == float16 ? half("tg_float16_of_float32", d_.float_to_half, v) : apply(kFloatToBfloat, DType::void_, DType::void_, {v});
      if (from == float64) return convert(apply(kDoubleToOdd, DType::void_, DType::void_, {v}), float32, to);
      // float32 holds small integers exactly; where there is no float64 the others are rounded twice
      const DType exact = size_of(from) < 4 || !target_.supports(float64) ? float32 : float64;
      return convert(convert(v, from, exact), exact, to);
    }
    if (to == DType::bool_) return fmt::format("({} != 0)", v);
    if (is_float(from) && !is_float(to)) return apply(kSaturate, from, to, {v});
    return fmt::format("(({}){})", type(to), v);
  }

  std::string bitcast(const Inst& u) {
    const DType from = source(u, 0).dtype;
    const bool bits = kind_of(from) & kFloat || kind_of(u.dtype) & kFloat;
    if (from == u.dtype) return value(u, 0);
    if (u.dtype == DType::bool_) return fmt::format("({} != 0)", value(u, 0));
    return bits ? apply(kBits, from, u.dtype, {value(u, 0)}) : fmt::format("(({}){})", type(u.dtype), value(u, 0));
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

  /// Is the name a whole word of the expression?
  static bool mentions(std::string_view expression, std::string_view name) {
    const auto letter = [&](size_t i) { return i < expression.size() && std::isalnum(static_cast<unsigned char>(expression[i])); };
    for (size_t at = 0; (at = expression.find(name, at)) != std::string_view::npos; at += name.size())
      if (!letter(at - 1) && !letter(at + name.size())) return true;
    return false;
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
  Helpers& helpers_;
  const Phase& phase_;
  const Target& target_;
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
  Helpers helpers(d);
  std::string kernels;
  bool uses_float64 = false;
  for (const Phase& phase : phases) {
    if (phases.front().entry != phase.entry) kernels += '\n';
    Function(kernels, helpers, phase, target, d).render();
    for (const Inst& u : phase.insts) uses_float64 |= u.dtype == float64;
  }
  uses_float64 |= helpers.text.find("double") != std::string::npos;
  return fmt::format("{}{}{}\n{}", d.prelude, uses_float64 ? d.float64_prelude : "", helpers.text, kernels);
}

}  // namespace tg::render
