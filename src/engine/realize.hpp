#pragma once
// realize: the whole story from graph to memory.
//
//   in:  nodes whose values are wanted      out: each has its memory attached (UOp::storage), on the device that its leaves live on
//
//   schedule -> lower -> render -> compile -> launch, with a cache between graph and plan
#include <string_view>
#include <vector>

#include "tg/ir/uop.hpp"

namespace tg {

/// Values of several graphs at once, so that they share kernels. `device`: where nodes without any buffer below them are computed.
/// Throws what the device throws; then no node has been given memory by this call, and after an IndexError no memory that a node holds
/// has changed. Assignments are made in place when no unscheduled reader of the old version lives, and into fresh memory otherwise. Of
/// threads that ask for what the same assignments are part of, one makes them, and the others wait for it.
void realize(std::vector<UOp> wanted, std::string_view device);

/// Forgets which kernels graphs became: they are scheduled anew, with the verbs that hold by then.
void forget_plans();

}  // namespace tg
