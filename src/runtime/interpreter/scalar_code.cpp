// Expressions to steps: sources before users, one slot a value.
#include "runtime/interpreter/scalar_code.hpp"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "tg/error.hpp"

namespace tg {

Number value_of(const UOp& c) { return is_float(c.dtype()) ? Number{0, c.as<double>()} : Number{c.as<int64_t>(), 0}; }

ScalarCode::ScalarCode(std::span<const UOp> results, std::span<const UOp> inputs) : slots_(inputs.size()), inputs_(inputs.size()) {
  std::unordered_map<UOp, uint32_t> slot;
  for (const UOp& in : inputs) slot.emplace(in, static_cast<uint32_t>(slot.size()));
  if (slot.size() != inputs.size()) throw InternalError("ScalarCode: an input is given twice");
  for (const UOp& u : toposort(results)) {
    if (slot.contains(u) || (u.op() == Op::Variable && !slot.contains(u))) continue;  // a variable that is bound is never read
    if (u.op() == Op::Bind) {
      slot.emplace(u, slot.at(u.src(1)));
      continue;
    }
    const auto to = static_cast<uint32_t>(slots_.size());
    if (is_const(u)) slots_.push_back(value_of(u));
    else if (is_elementwise(u.op()) && u.op() != Op::Bitcast) {
      Step s{u.op(), u.src(u.op() == Op::Where ? 1 : 0).dtype(), u.dtype(), {}, to};
      for (size_t i = 0; i < u.src().size(); ++i) {
        const auto it = slot.find(u.src(i));
        if (it == slot.end()) throw ValueError(fmt::format("{} has no value; bind it before it is used", to_string(u.src(i))));
        s.src[i] = it->second;
      }
      steps_.push_back(s);
      slots_.emplace_back();
    } else throw InternalError(fmt::format("ScalarCode: {} is not a scalar expression", name_of(u.op())));
    slot.emplace(u, to);
  }
  for (const UOp& r : results) {
    if (!slot.contains(r)) throw ValueError(fmt::format("{} has no value; bind it before it is used", to_string(r)));
    results_.push_back(slot.at(r));
  }
}

void ScalarCode::run(const Number* in, Number* out) {
  Number* v = slots_.data();
  std::copy_n(in, inputs_, v);
  for (const Step& s : steps_)
    v[s.to] = s.op == Op::Cast ? convert(v[s.src[0]], s.operand, s.result)
                               : evaluate(s.op, s.operand, s.result, v[s.src[0]], v[s.src[1]], v[s.src[2]]);
  for (size_t i = 0; i < results_.size(); ++i) out[i] = v[results_[i]];
}

}  // namespace tg
