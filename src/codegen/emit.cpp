// See emit.hpp. Instructions live in one list; each level holds the order of its own.
#include "codegen/emit.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "tg/ir/op_info.hpp"

namespace tg {

int Emitter::push(int level, Inst inst) {
  insts.push_back(std::move(inst));
  level_.push_back(level);
  const int at = static_cast<int>(insts.size()) - 1;
  levels[static_cast<size_t>(level)].code.push_back(at);
  return at;
}

int Emitter::constant(DType dtype, int64_t v, double real) {
  const uint64_t bits = is_float(dtype) ? std::bit_cast<uint64_t>(real) : static_cast<uint64_t>(v);
  const uint64_t key = bits * 0x9E3779B97F4A7C15ull + static_cast<uint64_t>(dtype);
  if (auto it = constants_.find(key); it != constants_.end()) {
    const Inst& c = insts[static_cast<size_t>(it->second)];
    if (c.dtype == dtype && (is_float(dtype) ? std::bit_cast<uint64_t>(c.real) == bits : c.value == v)) return it->second;
  }
  Inst c(InstOp::constant);
  c.dtype = dtype;
  if (is_float(dtype)) c.real = real;
  else c.value = v;
  return constants_[key] = push(0, std::move(c));
}

int Emitter::alu(int level, Op op, DType out, std::vector<int> src, bool nonnegative) {
  const auto inst = [&](int i) -> const Inst& { return insts[static_cast<size_t>(i)]; };
  const auto is = [&](int i, int64_t v) { return inst(i).op == InstOp::constant && !is_float(inst(i).dtype) && inst(i).value == v; };
  if (std::all_of(src.begin(), src.end(), [&](int i) { return inst(i).op == InstOp::constant; })) {
    Number v[3];
    for (size_t i = 0; i < src.size(); ++i) v[i] = {inst(src[i]).value, inst(src[i]).real};
    const Number r = evaluate(op, inst(src[op == Op::Where ? 1 : 0]).dtype, out, v[0], v[1], v[2]);
    return constant(out, r.i, r.d);
  }
  if (op == Op::Add && is(src[0], 0)) return src[1];
  if ((op == Op::Add && is(src[1], 0)) || (op == Op::Mul && is(src[1], 1))) return src[0];
  if (op == Op::Mul && is(src[0], 1)) return src[1];
  if (op == Op::And && out == DType::bool_ && is(src[0], 1)) return src[1];
  if (op == Op::And && out == DType::bool_ && is(src[1], 1)) return src[0];
  if (op == Op::Where && is(src[0], 1)) return src[1];
  int lanes_out = 1;
  for (int s : src) lanes_out = std::max(lanes_out, lanes(s));
  for (int& s : src) s = broadcast(s, lanes_out);
  Inst i(InstOp::alu);
  i.alu = op;
  i.dtype = out;
  i.lanes = static_cast<uint16_t>(lanes_out);
  i.value = nonnegative;
  i.src.assign(src.begin(), src.end());
  return push(level, std::move(i));
}

int Emitter::cast(int level, int a, DType to) {
  const Inst& from = insts[static_cast<size_t>(a)];
  if (from.dtype == to) return a;
  if (from.op == InstOp::constant) {
    const Number r = convert({from.value, from.real}, from.dtype, to);
    return constant(to, r.i, r.d);
  }
  Inst i(InstOp::cast);
  i.dtype = to;
  i.lanes = from.lanes;
  i.src = {a};
  return push(level, std::move(i));
}

int Emitter::broadcast(int a, int n) {
  if (lanes(a) == n) return a;
  Level& level = levels[static_cast<size_t>(level_of(a))];
  if (auto it = level.broadcasts.find({a, n}); it != level.broadcasts.end()) return it->second;
  Inst i(InstOp::broadcast);
  i.dtype = dtype(a);
  i.lanes = static_cast<uint16_t>(n);
  i.src = {a};
  const int out = push(level_of(a), std::move(i));
  levels[static_cast<size_t>(level_of(a))].broadcasts[{a, n}] = out;
  return out;
}

int Emitter::open_loop(int begin, int end, int64_t step) {
  Inst i(InstOp::loop);
  i.dtype = DType::index;
  i.value = step;
  i.src = {begin, end};
  insts.push_back(std::move(i));
  const int at = static_cast<int>(insts.size()) - 1;
  levels.emplace_back();
  level_.push_back(depth());
  open_.push_back({at, {}});
  return at;
}
int Emitter::phi(int initial) {
  Inst i(InstOp::phi);
  i.dtype = dtype(initial);
  i.lanes = static_cast<uint16_t>(lanes(initial));
  i.src = {initial};
  insts.push_back(std::move(i));
  level_.push_back(depth());
  open_.back().phis.push_back(static_cast<int>(insts.size()) - 1);
  return open_.back().phis.back();
}
void Emitter::close_loop(const std::vector<int>& next) {
  const Open loop = std::move(open_.back());
  open_.pop_back();
  Inst end(InstOp::end_loop);
  end.src.push_back(loop.inst);
  end.src.insert(end.src.end(), next.begin(), next.end());
  const Level body = std::move(levels.back());
  levels.pop_back();
  std::vector<int>& code = levels.back().code;
  code.push_back(loop.inst);
  code.insert(code.end(), loop.phis.begin(), loop.phis.end());
  code.insert(code.end(), body.code.begin(), body.code.end());
  for (int p : loop.phis) level_[static_cast<size_t>(p)] = depth();  // from here on: its final value
  push(depth(), std::move(end));
}
void Emitter::open_if(int condition) {
  Inst i(InstOp::if_);
  i.src = {condition};
  push(depth(), std::move(i));
}
void Emitter::close_if() { push(depth(), Inst(InstOp::end_if)); }

std::vector<Inst> Emitter::finish() {
  std::vector<int> place(insts.size(), -1);
  std::vector<Inst> out;
  out.reserve(insts.size());
  for (int i : levels[0].code) {
    place[static_cast<size_t>(i)] = static_cast<int>(out.size());
    out.push_back(std::move(insts[static_cast<size_t>(i)]));
    for (int32_t& s : out.back().src) s = place[static_cast<size_t>(s)];
  }
  return out;
}

}  // namespace tg
