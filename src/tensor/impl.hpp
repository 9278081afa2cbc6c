#pragma once
// What is behind a Tensor handle, and the few helpers that all operations are written with.
//
//   in:  operands' nodes      out: make(node, {operands}): a tensor that requires a gradient if one of them does
//
// A tensor that requires a gradient is either a leaf, whose node is a Buffer of its own (or an assignment to one, until that is realized),
// or derived, and then keeps its definition, so that backward can walk it.
#include <atomic>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/buffer.hpp"
#include "tg/ir/mutex.hpp"
#include "tg/ir/uop.hpp"
#include "tg/tensor.hpp"

namespace tg {

struct detail::TensorImpl {
  TensorImpl(UOp v, std::string d, bool grad) : device(std::move(d)), requires_grad(grad), value(std::move(v)) {}
  ~TensorImpl();

  std::atomic<uint32_t> refs{1};
  mutable Mutex mutex;           // guards all below but the next two
  const std::string device;
  std::atomic<bool> requires_grad;
  UOp value;
  bool leaf = false;             // requires a gradient and receives it
  const void* key = nullptr;     // of a leaf, under which gradient.cpp knows it
  uint64_t pending = 0;          // of an assignment that is not made yet, its number in pending.cpp
  bool history_dropped = false;  // backward ran
  Tensor gradient;
  struct Origin {
    Tensor whole;
    std::vector<Index> indices;
    Tensor tensor;  // instead of the indices, where defined
  };
  std::unique_ptr<const Origin> origin;  // of a part x[i]: where what is written to it is written too

  static Tensor wrap(Handle impl) { Tensor t; t.impl_ = std::move(impl); return t; }
  static const Handle& of(const Tensor& t) { return t.impl_; }
  /// Nothing where the last handle is gone and it is about to leave the tables that it is in, of which the caller holds the lock.
  static Handle handle_of_living(TensorImpl& impl) {
    uint32_t refs = impl.refs.load();
    while (refs != 0 && !impl.refs.compare_exchange_weak(refs, refs + 1)) {}
    return refs == 0 ? Handle() : Handle(&impl);
  }
};
using detail::TensorImpl;

/// The Impl of a defined tensor. Throws ValueError otherwise, naming the operation.
TensorImpl& impl_of(const Tensor& t, std::string_view operation);
/// The node of a tensor's value.
UOp node_of(const Tensor& t, std::string_view operation);
/// What an operation takes for an operand: that node, but cut off from whatever requires a gradient while nothing is recorded.
UOp source_of(const Tensor& t, std::string_view operation);
/// The value, for a tensor that requires no gradient although its definition holds what does.
UOp without_history(const UOp& node);
/// Where its value is, computed if it is not yet.
std::shared_ptr<Buffer> memory_of(const Tensor& t);
bool carries_gradient(const Tensor& t);  // requires one, and is recording

/// A tensor of that value; realized at once under TG_EAGER.
Tensor make(UOp value, std::string device, bool requires_grad = false);
/// The same, from one operand: on its device, requiring a gradient if it does and the value is a float.
Tensor make(UOp value, const Tensor& from);

// ---- leaves: who receives gradients (gradient.cpp) ----
void enlist_leaf(TensorImpl& leaf);  // under its current node; again whenever that changes
void dismiss_leaf(TensorImpl& leaf) noexcept;

// ---- assignments that are not made yet (pending.cpp) ----
void note_assignment(TensorImpl& target);  // whenever its node changes from or to one
void forget_assignment(TensorImpl& target) noexcept;
/// Those that this thread wrote to tensors on the device, other than the ones given.
std::vector<Tensor> pending_assignments(std::span<const Tensor> besides, std::string_view device);

/// Whether it is the argument of a function that is transformed: a node like no other (transform.cpp).
bool is_own_node(const UOp& node);
/// The nodes below root that stand for leaves, one a leaf.
std::vector<UOp> leaf_nodes_below(const UOp& root);

// ---- arguments ----
Sizes sizes_of(const Shape& shape);
Shape shape_of(const Sizes& sizes);
std::string to_string(const Sizes& sizes);  // "(2, 3)", "(2,)"
int64_t product(std::span<const int64_t> sizes);  // or the largest number where that is beyond it
/// 0 <= axis < rank, counted from the end where negative. Throws IndexError.
int checked_axis(int axis, int rank, std::string_view operation);
/// Distinct axes; all where none is given.
std::vector<int> checked_axes(const Axes& axes, int rank, std::string_view operation);
void check_sizes(const Sizes& sizes, std::string_view operation);
void check_shape(const Shape& shape, std::string_view operation);
/// TensorOptions::device or the default; throws DeviceError listing the known ones where there is no such device.
std::string device_of(const TensorOptions& options);
void check_same_device(const Tensor& a, const Tensor& b, std::string_view operation);
/// [begin, end) of one axis.
Tensor part(const Tensor& x, int axis, int64_t begin, int64_t end);

// ---- nodes ----
/// x as it broadcasts to the shape, which it must; broadcast leaves scalars, which elementwise ops take as they are.
UOp spread(const UOp& x, const Shape& shape);
UOp broadcast(const UOp& x, const Shape& shape);
UOp permute(const UOp& x, std::vector<int64_t> axes);
UOp shrink(const UOp& x, Dims begin_end);
UOp iota(int64_t n, DType dtype);
Shape broadcast_shape(const Shape& a, const Shape& b, std::string_view operation);
/// A reduction whose axes stay, of size 1.
UOp reduce(const UOp& x, Monoid monoid, const std::vector<int>& axes);
/// A constant of a tensor's dtype from a weak number. Throws ValueError where an integer dtype cannot hold it.
UOp weak_constant(const Scalar& s, DType dtype, std::string_view operation);
/// The dtype of a tensor's result beside a weak number.
DType beside(DType tensor, const Scalar& s);

/// The dtype that counts so many elements.
DType index_dtype(int64_t elements);
/// The dtype of a sum: at least 32 bits.
DType sum_dtype(DType t);
/// float32 for integers, bool and 16-bit floats; itself for float32 and float64: what functions of several steps compute in.
DType working_dtype(DType t);
/// t for floats, float32 otherwise: the dtype of a function that leaves the integers.
DType float_of(DType t);
/// f(x) computed in the working dtype and rounded once to float_of(x's dtype).
template <class F>
Tensor in_working_dtype(const Tensor& x, F f) {
  return f(x.cast(working_dtype(x.dtype()))).cast(float_of(x.dtype()));
}
/// Throws DTypeError "operation: dtype ... is not ...; remedy" unless the dtype satisfies it.
void require_dtype(bool satisfied, std::string_view operation, DType dtype, std::string_view remedy);

}  // namespace tg
