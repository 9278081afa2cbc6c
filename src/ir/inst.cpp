// Instruction lists as text, one a line, indented by loop depth.
//
//   %3 = loop %1 %2 step 1
//     %5 = load float32 %0 [%4] x16
#include "tg/inst.hpp"

#include <fmt/format.h>

namespace tg {
namespace {

constexpr std::string_view kNames[] = {"constant", "buffer",    "scratch", "scalar",  "first_chunk", "last_chunk", "begun",
                                       "block",    "thread",    "ramp",    "alu",     "cast",        "bitcast",    "broadcast",
                                       "extract",  "shuffle", "dot",     "tile_zero", "tile_load",   "tile_dot",   "tile_store",
                                       "load",     "gather",  "store",   "scatter",
                                       "prefetch", "loop",      "phi",     "end_loop", "if",         "end_if",     "barrier",
                                       "report"};
static_assert(std::size(kNames) == static_cast<size_t>(InstOp::report) + 1);

/// The part after the name that is not a list of sources.
std::string attributes(const Inst& u) {
  switch (u.op) {
    case InstOp::constant:
      return is_float(u.dtype) ? fmt::format(" {} {}", u.real, name_of(u.dtype)) : fmt::format(" {} {}", u.value, name_of(u.dtype));
    case InstOp::buffer: case InstOp::scratch: case InstOp::scalar: case InstOp::block: case InstOp::thread:
      return fmt::format(" {} {}", u.value, name_of(u.dtype));
    case InstOp::alu: return fmt::format(" {}{} {}", name_of(u.alu), u.value ? " nonnegative" : "", name_of(u.dtype));
    case InstOp::ramp:
    case InstOp::cast:
    case InstOp::bitcast:
    case InstOp::load:
    case InstOp::gather: return fmt::format(" {}", name_of(u.dtype));
    default: return "";
  }
}

}  // namespace

std::string to_string(const std::vector<Inst>& insts) {
  std::string out;
  const auto to = std::back_inserter(out);
  size_t depth = 0;
  for (size_t i = 0; i < insts.size(); ++i) {
    const Inst& u = insts[i];
    if ((u.op == InstOp::end_loop || u.op == InstOp::end_if) && depth > 0) --depth;
    out.append(2 * depth, ' ');
    if (u.dtype != DType::void_) fmt::format_to(to, "%{} = ", i);
    fmt::format_to(to, "{}{}", kNames[static_cast<size_t>(u.op)], attributes(u));
    const bool memory = u.op >= InstOp::load && u.op <= InstOp::prefetch;
    for (size_t k = 0; k < u.src.size(); ++k) {
      const size_t mask = u.op == InstOp::load || u.op == InstOp::gather ? 2 : 3;
      const bool offset = memory && k == 1, gate = memory && k == mask;
      fmt::format_to(to, "{}%{}{}", offset ? " [" : gate ? " if " : " ", u.src[k], offset ? "]" : "");
    }
    if (!u.list.empty()) fmt::format_to(to, " [{}]", fmt::join(u.list, " "));
    if (u.op == InstOp::extract) fmt::format_to(to, " lane {}", u.value);
    if (u.op == InstOp::loop) fmt::format_to(to, " step {}", u.value);
    if (u.op == InstOp::report) fmt::format_to(to, " site {}", u.value);
    if (u.lanes > 1) fmt::format_to(to, " x{}", u.lanes);
    if (u.hint == Hint::non_temporal) out += " non-temporal";
    out += '\n';
    if (u.op == InstOp::loop || u.op == InstOp::if_) ++depth;
  }
  return out;
}

}  // namespace tg
