#pragma once
// batch: a graph for one example becomes the graph for many, the second of the two transformations that all others are made of.
//
//   p = Param (3); root = sin(p) + b     batch({root}, {p}, {x of (8, 3)}, 8) is sin(x) + Expand(Reshape(b, (1, 3)), (8, 3))
//
// Every op has a row that says where the batch's axis goes, or stands in kNoBatching. The number of nodes does not depend on the size.
#include <span>

#include "tg/ir/uop.hpp"

namespace tg {

/// The roots, in which `examples` (of one example each) are replaced by `batches` (the same shapes behind an axis of `size`). Each root
/// gets that axis in front; one that does not depend on an example repeats. Throws ValueError where an op between cannot be batched.
std::vector<UOp> batch(std::span<const UOp> roots, std::span<const UOp> examples, std::span<const UOp> batches, const Dim& size);

/// A value that is not known: a parameter that no other node is, for batch to replace.
UOp new_example(DType dtype, const Shape& shape);

/// While one lives on a thread, tensors there may stand for examples and are not realized when made, whatever TG_EAGER says.
class Tracing {
 public:
  Tracing() { ++depth(); }
  ~Tracing() { --depth(); }
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;
  static int& depth();
};

/// What a row is told: the node of one example; its sources with the batch's axis in front, empty for those that all examples share.
struct BatchingStep {
  const UOp& u;
  std::span<const UOp> with;
  Dim size;
  [[nodiscard]] UOp all(size_t source) const;                     // with the axis, whether it is shared or not
  [[nodiscard]] Shape behind(const Shape& example) const;        // (size, example...)
};
struct BatchingRule {
  Op op;
  UOp (*rule)(const BatchingStep&);
};
std::span<const BatchingRule> batching_rules();  // elementwise ops have one for all
/// Ops that never depend on an example, that only kernels and plans have, or that write memory.
inline constexpr Op kNoBatching[] = {Op::Const, Op::Buffer, Op::Param,     Op::Variable, Op::Range, Op::Iota,
                                     Op::Bind,  Op::Assign, Op::AllReduce,
    Op::Call, Op::Load, Op::Store, Op::Check, Op::After, Op::End, Op::Mma, Op::Sink};

}  // namespace tg
