// Verbs for products that an instruction with tiles makes: which operand has the lanes, how many tiles at once, which panels are packed. In
// cycles, in which all else is little beside the instructions: so the loads of tiles, packing, and what comes from beyond L2 are counted.
#include <algorithm>
#include <cmath>

#include "codegen/operands.hpp"

namespace tg {
namespace {

constexpr double kPlain = 48, kTransposed = 112;  // of packing a tile: loads, shuffles and stores
constexpr double kStored = 64;                    // of taking a tile of sums through scratch, and storing what is made of it
constexpr double kAlone = 512, kInPages = 2048;   // of storing its numbers by themselves
constexpr double kLoaded = 12;                    // of loading a tile
constexpr double kStreamed = 8;                   // bytes of an operand from beyond L2, in a cycle
constexpr double kOfL2 = 0.4;                     // for panels that are packed at once

class Tiles : public Operands {
 public:
  explicit Tiles(const Choice& c) : Operands(c) {}

  Verbs run() {
    if (reduces_.size() != 1 || kernel_.sequential || !kernel_.kept.empty() || gates_) return {};
    const UOp& sum = reduces_[0];
    const MatrixInstruction* const m = instruction(sum);
    if (!m) return {};
    Plan best;
    for (size_t lanes : {0, 1})
      for (const UOp& v : kernel_.ranges)
        for (const UOp& r : kernel_.ranges) {
          if (v == r || !alone(sum, lanes, v) || !alone(sum, 1 - lanes, r)) continue;
          for (const auto& [high, wide] : {std::pair{2, 2}, {3, 1}, {1, 3}, {1, 2}, {2, 1}, {1, 1}}) {
            const Plan p = plan(*m, sum, {.lanes = lanes, .along = v, .rows = r, .wide = wide, .high = high});
            if (p.cost < best.cost) best = p;
          }
        }
    if (best.cost > products(sum) / static_cast<double>(target_.fma_per_cycle * lanes_)) return {};  // as vectors make them
    apply(*m, sum, best);
    return take();
  }

 private:
  struct Plan {
    size_t lanes = 0;  // the operand that has them
    UOp along, rows;
    int64_t wide = 1, high = 1;        // tiles of sums
    int64_t together = 1, blocks = 1;  // panels packed at once; blocks of rows, for which these are again
    bool packed = false;               // the rows too
    double cost = 1e30;                // of all, on one core
  };

  const MatrixInstruction* instruction(const UOp& sum) const {
    for (const MatrixInstruction& m : target_.matrix) {
      if (m.rows == 1 || !multiplies(m, sum) || lanes_ * static_cast<int64_t>(size_of(m.accumulator)) != target_.vector_bytes) continue;
      const auto loaded = [](const UOp& factor) { return factor.src(0).op() == Op::Load && factor.src(0).src().size() == 2; };
      if (loaded(sum.src(0).src(0)) && loaded(sum.src(0).src(1)) && 2 * extent(reduce_ranges(sum).back()) >= m.depth * m.steps) return &m;
    }
    return nullptr;
  }
  static const UOp& load_of(const UOp& sum, size_t operand) { return sum.src(0).src(operand).src(0); }
  // Whether a loop of the output is one of this operand and not of the other.
  static bool alone(const UOp& sum, size_t operand, const UOp& r) {
    return extent(r) > 1 && is_const(r.src(0)) && reads(load_of(sum, operand), r) && !reads(load_of(sum, 1 - operand), r);
  }
  double products(const UOp& sum) const {
    double n = length(sum);
    for (const UOp& r : kernel_.ranges) if (sum.ranges() & r.ranges()) n *= static_cast<double>(extent(r));
    return n;
  }

  // A tile of sums whose lanes are along v, or lie apart along it, where each number is stored by itself.
  double stored(const UOp& v) const {
    double cycles = kStored;
    for (const Access& a : accesses_)
      if (const int64_t step = stride(a.index, v); a.store && step != 1) cycles += pages_apart(step) ? kInPages : kAlone;
    return cycles;
  }
  Plan plan(const MatrixInstruction& m, const UOp& sum, Plan p) const {
    const size_t lanes = p.lanes;
    const UOp &v = p.along, &r = p.rows;
    const UOp &k = reduce_ranges(sum).back(), &of_lanes = load_of(sum, lanes), &of_rows = load_of(sum, 1 - lanes);
    const bool straight = stride(of_rows.src(1), k) == 1, across = stride(of_lanes.src(1), k) == 1;
    const int64_t step = m.depth * m.steps;
    if ((!straight && stride(of_rows.src(1), r) != 1) || (!across && stride(of_lanes.src(1), v) != 1)) return p;
    p.packed = !straight || stride(of_rows.src(1), r) == kIrregular || extent(r) % (m.rows * p.high) != 0 || extent(k) % step != 0;
    const int64_t tiles_along = ceil_div(extent(v), lanes_), tiles_of_rows = ceil_div(extent(r), m.rows);
    const int64_t panels = ceil_div(tiles_along, p.wide), rounds_of_rows = ceil_div(tiles_of_rows, p.high);
    // products of tiles, and loops around the two
    const double steps = length(sum) / static_cast<double>(extent(k)) * static_cast<double>(ceil_div(extent(k), step));
    double around = 1;
    for (const UOp& o : kernel_.ranges)
      if (!(o == v) && !(o == r) && (sum.ranges() & o.ranges())) around *= static_cast<double>(extent(o));
    const double loads = static_cast<double>(p.high + p.wide) / static_cast<double>(p.high * p.wide);
    const auto along = static_cast<double>(panels * p.wide), of_tiles = static_cast<double>(rounds_of_rows * p.high);
    // of a step of so many products: what is loaded for it is not hidden where it takes longer
    const double made = around * along * of_tiles * (steps * std::max(static_cast<double>(m.steps), kLoaded * loads) + stored(v)),
                 bytes = steps * static_cast<double>(step * static_cast<int64_t>(size_of(m.a)));  // of a row or column
    const double pack = steps * (across ? kTransposed : kPlain), pack_rows = p.packed ? steps * (straight ? kPlain : kTransposed) : 0,
                 all_rows = bytes * static_cast<double>(extent(r));
    const bool far = all_rows > 0.5 * static_cast<double>(target_.l2_bytes);
    Plan best = p;
    for (p.together = 1; p.together <= panels; p.together *= 2) {
      if (p.together > 1 && bytes * static_cast<double>(p.together * p.wide * lanes_) > kOfL2 * static_cast<double>(target_.l2_bytes))
        break;
      for (p.blocks = 1; p.blocks <= rounds_of_rows && p.blocks <= 8; p.blocks *= 2) {
        const auto passes = static_cast<double>(ceil_div(panels, p.together)), blocks = static_cast<double>(p.blocks);
        const double shares = std::ceil(passes * blocks * around / target_.cores) * target_.cores;
        const double work = made + around * (along * pack * blocks + passes * (of_tiles * pack_rows + (far ? all_rows / kStreamed : 0)));
        p.cost = work * shares / (passes * blocks * around);
        if (p.cost < best.cost) best = p;
      }
    }
    return best;
  }

  void apply(const MatrixInstruction& m, const UOp& sum, const Plan& p) {
    const std::string k = name(reduce_ranges(sum).back()), v = name(p.along), r = name(p.rows);
    tile(v, lanes_, AxisKind::Vector);
    if (p.wide > 1) tile(v, p.wide, AxisKind::Unroll);
    tile(r, m.rows, AxisKind::Unroll);
    if (p.high > 1) tile(r, p.high, AxisKind::Unroll);
    Choice::apply(Verb::mma(m.name));
    tile(k, m.depth, AxisKind::Unroll);
    tile(k, m.steps, AxisKind::Unroll);
    const std::string panel = p.together > 1 ? tile(v, p.together, AxisKind::Loop) : "";
    const int64_t rounds = ceil_div(ceil_div(extent(p.rows), m.rows), p.high);
    const int64_t in_block = ceil_div(rounds, p.blocks);
    const std::string row = p.blocks > 1 && in_block > 1 ? tile(r, in_block, AxisKind::Loop) : r;
    // outermost what both have, and blocks of rows; then the panels, all other loops, and the panels that are packed at once
    Verb order = Verb::order({});
    const auto place = [&](const std::string& n) {
      const bool of_lanes = loops_over(n, load_of(sum, p.lanes)), of_rows = loops_over(n, load_of(sum, 1 - p.lanes));
      if (n == panel) return 4;
      if (n == v) return 2;
      return (n == r && p.blocks > 1) || (of_lanes && of_rows) ? 0 : of_lanes ? 1 : 3;
    };
    for (int n = 0; n < 5; ++n)
      for (const std::string& axis : nest_.loops()) if (place(axis) == n) order.axes.push_back(axis);
    Choice::apply(std::move(order));
    Choice::apply(Verb::stage(load_of(sum, p.lanes).src(0).as<ParamArg>().slot, v));
    if (p.packed) Choice::apply(Verb::stage(load_of(sum, 1 - p.lanes).src(0).as<ParamArg>().slot, row));
  }
};

}  // namespace

Verbs choose_tiles(const Choice& c) { return Tiles(c).run(); }

}  // namespace tg
