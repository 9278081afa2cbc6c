// Writing to a tensor: assign, += and its kin, the methods with an underline, and what is written to a part x[i].
//
//   in:  x[i][j] += 1      out: the part's new value; then x[i] with that part set; then x with that one set
//
// A tensor is a handle, so a write gives it another node. Only assign may write into the memory that is there.
#include <fmt/format.h>

#include "base/env.hpp"
#include "tensor/batching.hpp"
#include "tensor/impl.hpp"
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
  const auto& [whole, index, tensor] = *impl.origin;
  Tensor(whole).set_at({tensor.defined() ? Index(tensor) : index}, part);
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
  write_through(*this);
  return *this;
}

Tensor Tensor::operator[](const Index& index) const {
  const bool by_tensor = index.kind == Index::Kind::Tensor;
  Tensor part = at(index);
  // Of what index tensors picked, a part is a part of that copy alone.
  const auto& origin = impl_->origin;
  const Tensor whole = origin && origin->tensor.defined() ? clone() : *this;
  part.impl_->origin = std::make_unique<TensorImpl::Origin>(whole, by_tensor ? Index(none) : index, by_tensor ? *index.tensor : Tensor());
  return part;
}

#define UNARY(kind, name, ...) UNARY_##kind(name)
#define UNARY_Real(name) \
  Tensor& Tensor::name##_() { return update(name(), #name "_"); }
#define UNARY_Same(name) UNARY_Real(name)
#define UNARY_Bits(name) UNARY_Real(name)
#define UNARY_Truth(name)
#include "tg/unary.def"
#undef UNARY
#define IN_PLACE(name, parameters, ...) \
  Tensor& Tensor::name parameters { return update(__VA_ARGS__, #name); }
#include "tg/in_place.def"

}  // namespace tg
