// See pieces.hpp.
#include "engine/pieces.hpp"

#include <algorithm>
#include <optional>

#include "tg/device.hpp"

namespace tg {
namespace {

const UOp& below_reshapes(const UOp& u) { return u.op() == Op::Reshape && !u.storage() ? below_reshapes(u.src(0)) : u; }

std::optional<Piece> piece_of(const UOp& cut) {
  const UOp &source = cut.src(0), &whole = below_reshapes(source);
  const auto memory = whole.op() == Op::Const ? nullptr : buffer_of(whole);
  const auto& margins = cut.as<Shape>();
  if (!memory || !margins.known() || !source.shape().known() || cut.shape().numel() == Dim(0)) return {};
  int64_t at = 0, step = 1;
  bool all = true;  // of the axes further in
  for (size_t i = source.shape().rank(); i-- > 0;) {
    const int64_t n = cut.shape()[i].value(), of = source.shape()[i].value();
    if (!all && n != 1) return {};
    all &= n == of;
    at += margins[2 * i].value() * step;
    step *= of;
  }
  const int64_t size = static_cast<int64_t>(size_of(cut.dtype())), unit = memory->device().target().alignment,
                aligned = at * size / unit * unit;
  const auto bytes = static_cast<size_t>((at + cut.shape().numel().value()) * size - aligned);
  return Piece{std::make_shared<Buffer>(memory->memory, bytes, memory->offset + static_cast<size_t>(aligned)), at - aligned / size};
}

}  // namespace

Pieces pieces(std::span<const UOp* const> order, std::span<const UOp> roots) {
  Pieces out;
  const auto cuts = [](const UOp* u) { return u->op() == Op::Shrink && !u->storage(); };
  if (std::ranges::none_of(order, cuts)) return out;
  std::unordered_map<const void*, size_t> reads;  // of nodes and of memory
  for (const UOp& r : roots) ++reads[r.node()];
  for (const UOp* u : order) {
    if (const auto memory = buffer_of(*u)) ++reads[memory->memory.get()];
    else if (u->op() != Op::Bind) for (const UOp& s : u->op() == Op::Function ? u->src().first(1) : u->src()) ++reads[s.node()];
  }
  for (const UOp* u : order) {
    if (!cuts(u)) continue;
    std::optional<Piece> piece = piece_of(*u);
    if (!piece || reads[piece->memory->memory.get()] > 1) continue;
    std::vector<const detail::Node*> from{u->src(0).node()};
    for (const UOp* s = &u->src(0); s->op() == Op::Reshape && !s->storage(); s = &s->src(0)) from.push_back(s->src(0).node());
    if (std::ranges::any_of(from, [&](const detail::Node* n) { return reads[n] > 1; })) continue;
    out.of.emplace(u->node(), *std::move(piece));
    out.cut.insert(from.begin(), from.end());
  }
  return out;
}

}  // namespace tg
