#include "schedule/cost.hpp"

#include <algorithm>

#include "ir/op_info.hpp"

namespace tg {
namespace {

double own(const UOp& u) {
  switch (u.op()) {
    case Op::Exp2: case Op::Log2: return 8;
    case Op::Sin: return 20;
    case Op::Sqrt: case Op::Recip: case Op::Div: case Op::IDiv: case Op::Mod: return 4;
    case Op::Pad: case Op::Gather: case Op::Stack: return 3;
    default: return is_elementwise(u.op()) ? 1 : 0;
  }
}

}  // namespace

double elements(const Shape& shape) {
  double n = 1;
  for (const Dim& d : shape) n *= static_cast<double>(d.max());
  return n;
}

double Cost::operator()(const UOp& u) {
  double sum = u.op() == Op::Param ? kStreamCost : own(u);
  for (const UOp& s : u.src()) sum += per_element_.at(s);
  if (u.op() == Op::Reduce) sum = (sum + 1) * std::max(1.0, elements(u.src(0).shape()) / std::max(1.0, elements(u.shape())));
  if (u.op() == Op::OverlapAdd) sum = (sum + 2) * u.as<WindowArg>().size;
  return per_element_[u] = std::min(sum, 1e30);
}

}  // namespace tg
