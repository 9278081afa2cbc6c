// Writing to a tensor: assign, += and its kin, the methods with an underline, and what is written to a part x[i]; and the functions that
// are methods, from the same rows.
//
//   in:  x[i][j] += 1      out: the part's new value; then x[i] with that part set; then x with that one set
//
// A tensor is a handle, so a write gives it another node. Only assign may write into the memory that is there.
#include <fmt/format.h>

#include "base/env.hpp"
#include "tensor/batching.hpp"
#include "tensor/impl.hpp"
#include "tg/arrange.hpp"
#include "tg/contract.hpp"
#include "tg/functions.hpp"
#include "tg/random.hpp"
#include "tg/scatter.hpp"

namespace tg {

namespace {
/// `value` as the target's shape and dtype ask for it.
UOp fitted_node(const Tensor& target, const Operand& value, const UOp& v, std::string_view operation) {
  const UOp node = node_of(target, operation);
  if (!value.tensor) return spread(weak_constant(value.scalar, node.dtype(), operation), node.shape());
  check_same_device(target, *value.tensor, operation);
  if (broadcast_shape(node.shape(), v.shape(), operation) != node.shape())
    throw ShapeError(fmt::format("{}: a value of shape {} does not fit into shape {}; it must broadcast to it", operation,
                                 to_string(v.shape()), to_string(node.shape())));
  return spread(tg::cast(v, node.dtype()), node.shape());
}
Tensor fitted(const Tensor& target, const Operand& value, std::string_view operation) {
  const UOp v = fitted_node(target, value, value.tensor ? source_of(*value.tensor, operation) : UOp(), operation);
  return make(v, target.device(), is_float(v.dtype()) && value.tensor && carries_gradient(*value.tensor));
}
TensorOptions like(const Tensor& x) { return {.dtype = x.dtype(), .device = x.device()}; }

/// What was written to a part, in the tensor that it is a part of.
void write_through(const Tensor& part) {
  const TensorImpl& impl = impl_of(part, "write");
  if (!impl.origin) return;
  const auto& [whole, indices, tensor] = *impl.origin;
  Tensor(whole).set_at(tensor.defined() ? std::vector<Index>{tensor} : indices, part);
}
}  // namespace

Tensor& Tensor::assign(const Operand& value) {
  const UOp v = fitted_node(*this, value, value.tensor ? node_of(*value.tensor, "assign") : UOp(), "assign");
  TensorImpl& impl = *impl_;
  {
    const std::lock_guard lock(impl.mutex);
    const bool has_memory = impl.value.storage() != nullptr;
    impl.value = impl.leaf || has_memory || impl.value.op() == Op::Assign ? UOp::make(Op::Assign, {impl.value, v}) : v;
    if (!impl.leaf) impl.requires_grad = false;
  }
  if (impl.leaf) enlist_leaf(impl);
  note_assignment(impl);
  if (settings().eager && Tracing::depth() == 0) realize();
  write_through(*this);
  return *this;
}

Tensor& Tensor::update(const Tensor& result, std::string_view operation) {
  if (impl_of(*this, operation).leaf && grad_enabled())
    throw GradientError(fmt::format("{}: a leaf that requires a gradient cannot be changed in place; do it while a NoGrad lives, or use "
                                    "assign, neither of which records history",
                                    operation));
  if (result.dtype() != dtype())
    throw DTypeError(fmt::format("{}: the result's dtype {} is not the tensor's {}; write x = x + y instead, or cast the operand",
                                 operation, name_of(result.dtype()), name_of(dtype())));
  if (result.shape() != shape())
    throw ShapeError(fmt::format("{}: the result's shape {} is not the tensor's {}; write x = x + y instead", operation,
                                 to_string(result.shape()), to_string(shape())));
  if (impl_->leaf) return assign(result);
  const UOp v = node_of(result, operation);
  const bool grad = carries_gradient(result);
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->value = v;
    impl_->requires_grad = grad;
  }
  note_assignment(*impl_);
  write_through(*this);
  return *this;
}

Tensor Tensor::part_at(std::vector<Index> indices) const {
  Tensor part = at(indices);
  const Tensor by = indices[0].kind == Index::Kind::Tensor ? *indices[0].tensor : Tensor();
  if (by.defined()) indices.clear();
  // Of what index tensors picked, a part is a part of that copy alone.
  const auto& origin = impl_->origin;
  const Tensor whole = origin && origin->tensor.defined() ? clone() : *this;
  part.impl_->origin = std::make_unique<TensorImpl::Origin>(whole, std::move(indices), by);
  return part;
}
Tensor Tensor::operator[](const Index& index) const { return part_at({index}); }

namespace {
/// One index of an axis, behind whole ones.
std::vector<Index> at_axis(int axis, const Index& index) {
  std::vector<Index> indices(static_cast<size_t>(axis), Index(tg::slice()));
  indices.push_back(index);
  return indices;
}
}  // namespace

Tensor Tensor::select(int axis, int64_t index) const { return part_at(at_axis(checked_axis(axis, rank(), "select"), index)); }
Tensor Tensor::slice(int axis, SliceBound begin, SliceBound end, int64_t step) const {
  return part_at(at_axis(checked_axis(axis, rank(), "slice"), tg::slice(begin, end, step)));
}
Tensor Tensor::narrow(int axis, int64_t start, int64_t length) const {
  const int64_t n = size(axis), first = start < 0 ? start + n : start;
  if (first < 0 || length < 0 || first > n || length > n - first)
    throw IndexError(fmt::format("narrow: {} entries from {} on are not all inside axis {} of shape {}", length, start, axis,
                                 to_string(shape())));
  return slice(axis, first, first + length);
}
std::vector<Tensor> Tensor::unbind(int axis) const {
  std::vector<Tensor> out;
  for (int64_t i = 0; i < size(axis); ++i) out.push_back(select(axis, i));
  return out;
}
Tensor::Iterator Tensor::begin() const {
  if (rank() == 0) throw ShapeError("begin: a tensor without axes has no entries to walk over; item() is its value");
  return {*this, 0};
}
Tensor::Iterator Tensor::end() const { return {*this, size(0)}; }

#define UNARY(kind, name, ...) UNARY_##kind(name)
#define UNARY_Real(name) \
  Tensor& Tensor::name##_() { return update(name(), #name "_"); }
#define UNARY_Same(name) UNARY_Real(name)
#define UNARY_Bits(name) UNARY_Real(name)
#define UNARY_Truth(name)
#include "tg/unary.def"
#define METHOD(name, parameters, arguments) \
  PLAIN(name, parameters, arguments)        \
  IN_PLACE(name##_, parameters, tg::name arguments)
#define PLAIN(name, parameters, arguments) \
  Tensor Tensor::name parameters const { return tg::name arguments; }
#define IN_PLACE(name, parameters, ...) \
  Tensor& Tensor::name parameters { return update(__VA_ARGS__, #name); }
#include "tg/methods.def"

}  // namespace tg
