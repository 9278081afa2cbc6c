// See threads.hpp.
#include "codegen/threads.hpp"

#include <fmt/format.h>

#include "tg/error.hpp"

namespace tg {

Threads::Threads(const Nest& nest, std::span<const UOp> stores, const Target& target) {
  std::vector<const Axis*> axes;
  uint64_t all = 0, outputs = 0;
  const auto bit = [](const Axis& a) { return uint64_t{1} << a.range.as<RangeArg>().id; };
  for (const Axis& a : nest.axes)
    if (a.kind == AxisKind::Thread) {
      axes.push_back(&a);
      all |= bit(a);
    }
  if (!all) return;
  for (const Split& s : nest.splits)
    for (int a : s.axes) if (!s.reduces()) outputs |= all & bit(nest.axes[static_cast<size_t>(a)]);
  std::vector<uint64_t> open{outputs};  // sets of axes that are open together
  for (const UOp& u : toposort(stores)) if (u.op() == Op::Reduce) open.push_back(u.src(0).ranges() & all);
  const auto together = [&](uint64_t a, uint64_t b) {
    for (uint64_t o : open) if ((o & a) && (o & b)) return true;
    return false;
  };

  std::array<uint64_t, 3> users{};
  for (const Axis* a : axes) {
    const int64_t n = a->range.src(0).bounds().max;
    size_t at = 0;
    while (at < 3 && users[at] && (block_[at] != n || together(users[at], bit(*a)))) ++at;
    if (at == 3) throw ValueError(fmt::format("threads along {}: a block has three numbers of threads and all are taken", a->name));
    users[at] |= bit(*a);
    block_[at] = n;
    numbers_[static_cast<size_t>(a->range.as<RangeArg>().id)] = static_cast<int>(at);
  }
  for (unsigned n = 0; n < 3; ++n) if (users[n] & outputs) of_outputs_ |= 1u << n;
  if (count() > target.max_threads)
    throw ValueError(fmt::format("{} threads a block, {} x {} x {}: this target has {}; tile by less", count(), block_[0], block_[1],
                                 block_[2],
                                 target.max_threads));
}

}  // namespace tg
