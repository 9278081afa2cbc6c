// See expansions.hpp. What an OverlapAdd adds up is a product, or a sum of products. Its factors are read at indices that are followed
// down to memory: one that no place in a window moves is what the windows were of, the other is the weight.
#include "ir/monoid.hpp"
#include "schedule/expansions.hpp"
#include "schedule/index_map.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

struct Walk {
  UOp at;
  Indices idx;
  uint64_t window = 0;  // loops over the places in a window
  int loops = 0;

  UOp open(const Dim& d) { return range(d, loops++); }
  bool moves() const { return is_movement(at.op()) && at.op() != Op::Pad; }
  void move() {
    idx = source_index(at, 0, idx);
    at = UOp(at.src(0));
  }
};

// A factor that is given, as a value of its own, for which a Detach stands; if its elements are those that windows overlap on.
UOp surrounded(const UOp& factor, Walk w) {
  for (w.at = factor; w.moves();) w.move();
  if (w.at.op() != Op::Param || !is_float(w.at.dtype())) return factor;
  for (const UOp& i : w.idx) if (i.ranges() & w.window) return factor;
  return substitute(factor, {{w.at, UOp::make(Op::Detach, {w.at})}});
}

}  // namespace

std::vector<UOp> surround(std::span<const UOp> roots) {
  Substitution products;
  for (const UOp& u : toposort(roots)) {
    if (u.op() != Op::OverlapAdd) continue;
    Walk w{.at = u, .idx = {}};
    for (const Dim& d : u.shape()) w.idx.push_back(w.open(d));
    for (;;) {
      if (w.at.op() == Op::OverlapAdd) {
        w.idx[static_cast<size_t>(w.at.as<WindowArg>().axis)] = w.open(w.at.src(0).shape()[static_cast<size_t>(w.at.as<WindowArg>().axis)]);
        w.idx.push_back(w.open(Dim(w.at.as<WindowArg>().size)));
        w.window |= w.idx.back().ranges();
        w.at = UOp(w.at.src(0));
      } else if (w.at.op() == Op::Reduce && w.at.as<ReduceArg>().monoid == Monoid::Sum) {
        for (size_t a = 0; a < w.idx.size(); ++a) if (w.at.as<ReduceArg>().axes >> a & 1) w.idx[a] = w.open(w.at.src(0).shape()[a]);
        w.at = UOp(w.at.src(0));
      } else if (w.moves()) {
        w.move();
      } else {
        break;
      }
    }
    if (w.at.op() == Op::Mul) products[w.at] = surrounded(w.at.src(0), w) * surrounded(w.at.src(1), w);
  }
  return products.empty() ? std::vector<UOp>(roots.begin(), roots.end()) : substitute(roots, products);
}

}  // namespace tg
