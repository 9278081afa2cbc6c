#pragma once
// The interpreter's meaning of every op that is not elementwise, on arrays of known size.
//
//   movement(node, in, out, arg)  Permute, Expand, Pad, Shrink, Flip, Window: affine maps between indices
//   reduce(in, arg)               Reduce: one array a component of the monoid's state
#include <vector>

#include "runtime/interpreter/host_array.hpp"
#include "tg/ir/uop.hpp"

namespace tg::interpreter {

using Tuple = std::vector<HostArray>;  // the components of a value; one but for Reduce, Scan and Sort
using Sizes = std::vector<int64_t>;

/// `out` is the node's shape; `arg` its Shape argument's numbers (Pad, Shrink), otherwise unused.
HostArray movement(const UOp& node, const HostArray& in, const Sizes& out, const Sizes& arg);
HostArray overlap_add(const HostArray& in, const WindowArg& w, const Sizes& out);
HostArray gather(const HostArray& in, const HostArray& index, int64_t axis, const Sizes& out);
Tuple scatter(HostArray base, const HostArray& index, const HostArray& values, ScatterArg arg);
Tuple reduce(const HostArray& in, ReduceArg arg);
Tuple scan(const HostArray& in, ScanArg arg);
Tuple sort(const HostArray& in, SortArg arg);

}  // namespace tg::interpreter
