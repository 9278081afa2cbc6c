// See cost.hpp.
#include "schedule/cost.hpp"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "tg/ir/op_info.hpp"

namespace tg {
namespace {

constexpr size_t kFarEnough = 64;

double own(const UOp& u) {
  switch (u.op()) {
    case Op::Exp2: case Op::Log2: return 8;
    case Op::Sin: case Op::Cos: return 20;
    case Op::Sqrt: case Op::Recip: case Op::Div: case Op::IDiv: case Op::Mod: return 4;
    case Op::Pad: case Op::Gather: case Op::Stack: return 3;
    default: return is_elementwise(u.op()) ? 1 : 0;
  }
}

// What is repeated along the innermost axes of u is made once for all of them, outside of the loops over these.
double share_of_source(const UOp& u, const UOp& source) {
  if (elements(source.shape()) == 1) return 1 / std::max(1.0, elements(u.shape()));
  double repeated = 1;
  if (u.op() != Op::Expand) return repeated;
  for (size_t a = u.shape().rank(); a-- > 0 && source.shape()[a] == Dim(1);) repeated *= static_cast<double>(u.shape()[a].max());
  return 1 / std::max(1.0, repeated);
}

}  // namespace

bool loops(const UOp& u) { return u.op() == Op::Reduce || u.op() == Op::OverlapAdd || u.op() == Op::Scan; }

double elements(const Shape& shape) {
  double n = 1;
  for (const Dim& d : shape) n *= static_cast<double>(d.max());
  return n;
}

Price Cost::operator()(const UOp& u) {
  // Each node below once, down to memory, to reductions (whose own cost is known), and no further than matters to the decision.
  struct Below {
    const UOp* node;
    double share;  // of the elements of u it is made for
  };
  std::vector<Below> stack{{&u, 1}};
  std::unordered_set<const detail::Node*> seen{u.node()};
  const double size = elements(u.shape());
  Price p;
  while (!stack.empty()) {
    const auto [node, share] = stack.back();
    const UOp& n = *node;
    stack.pop_back();
    const bool below = !(n == u);
    if (n.op() == Op::Param || (below && (stored_.contains(n) || loops(n)))) {
      // a reduction is made once for all elements that share it; one for each element would be kept in memory
      const double shared = elements(n.shape()) / std::max(1.0, elements(u.op() == Op::Reduce ? u.src(0).shape() : u.shape()));
      const bool computed = n.op() != Op::Param && !stored_.contains(n) && shared <= 0.5;
      p.operations += computed ? loops_.at(n) * shared : share;
      p.read += std::min(elements(n.shape()), size);
      continue;
    }
    p.operations += share * own(n);
    for (const UOp& s : n.src())
      if (seen.size() < kFarEnough && seen.insert(s.node()).second) stack.push_back({&s, share * share_of_source(n, s)});
  }
  p.nodes = seen.size();
  double& sum = p.operations;
  if (u.op() == Op::Reduce) sum = (sum + 1) * std::max(1.0, elements(u.src(0).shape()) / std::max(1.0, elements(u.shape())));
  if (u.op() == Op::OverlapAdd) sum = (sum + 2) * u.as<WindowArg>().size;
  if (u.op() == Op::Scan) sum += 2;
  if (loops(u)) loops_[u] = sum;
  return p;
}

}  // namespace tg
