// The handle: what a tensor is, when its value is computed, how it is read and written.
//
//   in:  (x + 1).item()      out: the graph is realized and read back; where nothing requires a gradient the node is now its buffer
#include <fmt/format.h>

#include <cstring>

#include "base/env.hpp"
#include "engine/realize.hpp"
#include "ir/node_map.hpp"
#include "runtime/interpreter/host_array.hpp"
#include "tensor/batching.hpp"
#include "tensor/impl.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

TensorImpl::~TensorImpl() {
  if (leaf) dismiss_leaf(*this);
  if (pending != 0) forget_assignment(*this);
}

void detail::Handle::retain(TensorImpl* impl) noexcept { if (impl) impl->refs.fetch_add(1, std::memory_order_relaxed); }
void detail::Handle::release(TensorImpl* impl) noexcept {
  if (impl && impl->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete impl;
}

TensorImpl& impl_of(const Tensor& t, std::string_view operation) {
  const auto& impl = TensorImpl::of(t);
  if (!impl) throw ValueError(fmt::format("{}: the tensor is undefined, a default Tensor(); assign one to it first", operation));
  return *impl;
}
UOp node_of(const Tensor& t, std::string_view operation) {
  const TensorImpl& impl = impl_of(t, operation);
  const std::lock_guard lock(impl.mutex);
  return impl.value;
}
UOp without_history(const UOp& node) { return node.src().empty() ? node : UOp::make(Op::Detach, {node}); }
UOp source_of(const Tensor& t, std::string_view operation) {
  const TensorImpl& impl = impl_of(t, operation);
  const std::lock_guard lock(impl.mutex);
  return impl.requires_grad && !grad_enabled() ? UOp::make(Op::Detach, {impl.value}) : impl.value;
}
bool carries_gradient(const Tensor& t) {
  const auto& impl = TensorImpl::of(t);
  return impl && grad_enabled() && impl->requires_grad;
}

Tensor make(UOp value, std::string device, bool grad) {
  check_shape(value.shape(), name_of(value.op()));
  Tensor t = TensorImpl::wrap(detail::Handle(new TensorImpl(std::move(value), std::move(device), grad)));
  if (settings().eager && Tracing::depth() == 0) t.realize();
  return t;
}
Tensor make(UOp value, const Tensor& from) {
  const bool grad = is_float(value.dtype()) && carries_gradient(from);
  return make(std::move(value), impl_of(from, "make").device, grad);
}

// ---- what it is ----

Sizes Tensor::shape() const { return sizes_of(node_of(*this, "shape").shape()); }
int64_t Tensor::size(int axis) const { return shape()[static_cast<size_t>(checked_axis(axis, rank(), "size"))]; }
int Tensor::rank() const { return static_cast<int>(node_of(*this, "rank").shape().rank()); }
int64_t Tensor::numel() const { return product(shape()); }
DType Tensor::dtype() const { return node_of(*this, "dtype").dtype(); }
std::string Tensor::device() const { return impl_of(*this, "device").device; }
Op Tensor::op() const { return node_of(*this, "op").op(); }
bool Tensor::is_leaf() const { return node_of(*this, "is_leaf").src().empty(); }
std::vector<Tensor> Tensor::parents() const {
  const UOp node = node_of(*this, "parents");
  std::vector<Tensor> out;
  for (const UOp& s : node.src()) out.push_back(TensorImpl::wrap(detail::Handle(new TensorImpl(s, device(), false))));
  return out;
}

// ---- its value ----

namespace {
bool has_memory(const UOp& node) { return node.storage() != nullptr; }

/// Whether some memory, a draw of random numbers, or an argument of a transformed function is below: then no other tensor's node can be the
/// same by accident.
bool has_identity(const UOp& root) {
  if (root.holds_buffer()) return true;
  std::vector<const UOp*> stack{&root};
  detail::NodeMap<char> seen;
  while (!stack.empty()) {
    const UOp& u = *stack.back();
    stack.pop_back();
    if (u.op() == Op::Bind || is_own_node(u)) return true;
    for (const UOp& s : u.src()) if (seen.add(s.node()).second) stack.push_back(&s);
  }
  return false;
}
/// What is computed for a tensor's node. Constants are one node wherever they occur, on every device: memory must not be attached to those.
UOp to_compute(const UOp& node, const std::string& device) {
  return has_memory(node) || has_identity(node) ? node : UOp::make(Op::Contiguous, {node}, Name(device));
}

/// The tensor's node is replaced by its memory where nothing needs the definition any more.
void settle(TensorImpl& impl, const UOp& node, const UOp& computed) {
  const std::lock_guard lock(impl.mutex);
  const bool needs_history = impl.requires_grad && !impl.leaf && computed == node;
  if (!(impl.value == node) || node.op() == Op::Buffer || needs_history) return;
  auto memory = buffer_of(computed);
  if (memory.use_count() > 2)  // not the node's and ours alone: a value that was not copied, such as detach()'s, is a tensor of its own
    memory = std::make_shared<Buffer>(memory->memory, memory->bytes, memory->offset);
  impl.value = buffer(std::move(memory), node.dtype(), node.shape());
}
/// Assignments that could not be made have not happened: the tensor has the value from before them.
void give_up_assignments(TensorImpl& impl, const UOp& node) {
  {
    const std::lock_guard lock(impl.mutex);
    UOp before = node;
    while (before.op() == Op::Assign && !has_memory(before)) before = UOp(before.src(0));
    if (!(impl.value == node) || before == node) return;
    impl.value = before;
  }
  if (impl.leaf) enlist_leaf(impl);
  note_assignment(impl);
}

/// A tensor whose value is asked for, its node, and the one that holds the value: a tensor's own may be another one by then, where another
/// thread assigned to it, or its other handles may be gone.
struct Asked {
  Tensor tensor;
  UOp node, computed;
};

/// Computes their values, and with them those that this thread has assigned to other tensors; those are behind them.
std::vector<Asked> compute(std::span<const Tensor> tensors) {
  std::vector<Asked> all;
  std::vector<UOp> wanted;
  std::string_view device;
  const auto add = [&](const Tensor& t) {
    TensorImpl& impl = impl_of(t, "realize");
    UOp node = node_of(t, "realize"), target = to_compute(node, impl.device);
    const UOp& computed = all.emplace_back(t, std::move(node), std::move(target)).computed;
    if (computed.shape().numel() == Dim(0) && !has_memory(computed)) computed.attach(make_buffer(tg::device(impl.device), 0));
    if (has_memory(computed)) return;
    if (!wanted.empty() && impl.device != device)
      throw DeviceError(
          fmt::format("realize: tensors on \"{}\" and \"{}\" at once; realize each device's alone", device, impl.device));
    device = impl.device;
    wanted.push_back(computed);
  };
  std::ranges::for_each(tensors, add);
  if (!wanted.empty()) std::ranges::for_each(pending_assignments(tensors, device), add);
  try {
    if (!wanted.empty()) realize(std::move(wanted), device);
  } catch (...) {
    for (const Asked& a : all) give_up_assignments(impl_of(a.tensor, "realize"), a.node);
    throw;
  }
  for (const Asked& a : all) {
    TensorImpl& impl = impl_of(a.tensor, "realize");
    settle(impl, a.node, a.computed);
    if (impl.leaf) enlist_leaf(impl);
    note_assignment(impl);
  }
  return all;
}
}  // namespace

void realize(const std::vector<Tensor>& tensors) { (void)compute(tensors); }
std::shared_ptr<Buffer> memory_of(const Tensor& t) { return buffer_of(compute(std::span(&t, 1))[0].computed); }

const Tensor& Tensor::realize() const {
  (void)compute(std::span(this, 1));
  return *this;
}

void Tensor::copy_out(void* to, DType dtype) const {
  const DType own_dtype = this->dtype();
  const auto count = static_cast<size_t>(numel());
  if (count == 0) return;
  const std::shared_ptr<Buffer> memory = memory_of(*this);
  Device& device = memory->device();
  if (dtype == own_dtype) {
    device.copy_out(to, memory->ref(), count * size_of(dtype));
    return;
  }
  HostArray own(own_dtype, shape()), converted(dtype, own.shape);
  device.copy_out(own.bytes.data(), memory->ref(), own.bytes.size());
  for (size_t i = 0; i < count; ++i) converted.set(i, convert(own.at(i), own_dtype, dtype));
  std::memcpy(to, converted.bytes.data(), converted.bytes.size());
}

Scalar Tensor::item() const {
  if (numel() != 1)
    throw ShapeError(fmt::format("item: the tensor of shape {} has {} elements, not one; index it with at(...) or reduce it first",
                                 to_string(shape()), numel()));
  const DType t = dtype();
  if (is_float(t)) {
    double v;
    copy_out(&v, DType::float64);
    return {v, t};
  }
  int64_t v;
  copy_out(&v, t == DType::uint64 ? DType::uint64 : DType::int64);
  return {v, t};
}

Tensor Tensor::clone() const { return make(source_of(*this, "clone"), *this); }

Tensor Tensor::detach() const {
  const UOp node = node_of(*this, "detach");
  return make(UOp::make(Op::Detach, {node}), device(), false);
}

}  // namespace tg
