// The PyTorch-shaped face of differentiation: which leaves are below a tensor, and where their gradients accumulate.
//
//   in:  y.backward()      out: x.grad() += d(y)/d(x) for every leaf x below y
//
// The graph knows nodes, not tensors. A leaf is enlisted under its memory, which its Buffer node and the assignment that wrote it share (or
// under that assignment itself, while it is pending), so backward finds the tensors in a walk over the graph.
#include <fmt/format.h>

#include <unordered_map>

#include "autodiff/gradient.hpp"
#include "base/env.hpp"
#include "tensor/batching.hpp"
#include "tensor/impl.hpp"

namespace tg {

namespace {

thread_local bool is_recording = true;

struct Leaves {
  Mutex mutex;
  std::unordered_map<const void*, TensorImpl*> by_key;  // those that still live, or are about to take the lock and leave
};
Leaves& leaves() { static auto& leaked = *new Leaves; return leaked; }  // static tensors may die late

const void* key_of(const UOp& node) {
  const auto memory = node.storage();
  return memory ? static_cast<const void*>(memory.get()) : node.node();
}
bool may_be_leaf(const UOp& node) { return node.op() == Op::Buffer || node.op() == Op::Assign; }

struct Below {
  std::vector<detail::Handle> leaves;
  std::vector<UOp> nodes;  // one each
};
Below leaves_below(const UOp& root) {
  Below out;
  for (const UOp& node : toposort(root)) {
    if (!may_be_leaf(node)) continue;
    const std::lock_guard lock(leaves().mutex);
    const auto it = leaves().by_key.find(key_of(node));
    if (it == leaves().by_key.end()) continue;
    auto leaf = TensorImpl::handle_of_living(*it->second);
    if (!leaf) continue;
    out.leaves.push_back(std::move(leaf));
    out.nodes.push_back(node);
  }
  return out;
}

/// A Buffer node that nothing else is: equal constants are one node and one memory, but a leaf has an identity of its own.
UOp own_memory(const UOp& node) {
  const auto memory = buffer_of(node);
  if (detail::uses(node) == 1 && memory.use_count() == 2) return node;
  auto copy = make_buffer(memory->device(), memory->bytes);
  std::vector<std::byte> bytes(memory->bytes);
  if (!bytes.empty()) {
    memory->device().copy_out(bytes.data(), memory->ref(), bytes.size());
    copy->device().copy_in(copy->ref(), bytes.data(), bytes.size());
  }
  return buffer(std::move(copy), node.dtype(), node.shape());
}

UOp seed_of(const Tensor& y, const UOp& root, const Tensor& seed) {
  if (!seed.defined()) {
    if (y.numel() != 1)
      throw GradientError(
          fmt::format("backward: the tensor of shape {} has {} elements; reduce it to one, or pass {{.seed = ...}} of its shape",
                                      to_string(y.shape()), y.numel()));
    return spread(constant(root.dtype(), 1.0), root.shape());
  }
  const UOp s = node_of(seed, "backward");
  if (s.shape() != root.shape())
    throw ShapeError(fmt::format("backward: the seed's shape {} is not the tensor's {}", to_string(s.shape()), to_string(root.shape())));
  check_same_device(y, seed, "backward");
  return cast(s, root.dtype());
}

/// A gradient in its tensor's shape, with its history if it shall be differentiated again.
UOp remembered(const UOp& gradient, const Shape& shape, const BackwardOptions& options) {
  const UOp full = spread(gradient, shape);
  return options.create_graph ? full : without_history(full);
}

void require_history(const TensorImpl& y, bool has_history) {
  if (has_history) return;
  throw GradientError(y.history_dropped
                          ? "backward: it ran before and the history was dropped; pass {.keep_graph = true} to the first backward"
                          : "backward: nothing below this tensor requires a gradient; call set_requires_grad() on a leaf before "
                             "computing with it");
}

}  // namespace

bool grad_enabled() { return is_recording; }
bool set_grad_enabled(bool record) { return std::exchange(is_recording, record); }

std::vector<UOp> leaf_nodes_below(const UOp& root) { return leaves_below(root).nodes; }

void enlist_leaf(TensorImpl& leaf) {
  const std::scoped_lock lock(leaves().mutex, leaf.mutex);
  leaves().by_key.erase(leaf.key);
  leaf.key = key_of(leaf.value);
  leaves().by_key[leaf.key] = &leaf;
}
void dismiss_leaf(TensorImpl& leaf) noexcept {
  const std::lock_guard lock(leaves().mutex);
  leaves().by_key.erase(leaf.key);
}

bool Tensor::requires_grad() const {
  const TensorImpl& impl = impl_of(*this, "requires_grad");
  const std::lock_guard lock(impl.mutex);
  return impl.requires_grad;
}

Tensor& Tensor::set_requires_grad(bool on) {
  if (on == requires_grad()) return *this;
  if (!on) {
    if (!impl_->leaf) throw GradientError("set_requires_grad: only a leaf can stop requiring a gradient; use detach()");
    dismiss_leaf(*impl_);
    const std::lock_guard lock(impl_->mutex);
    impl_->leaf = impl_->requires_grad = false;
    return *this;
  }
  require_dtype(is_float(dtype()), "set_requires_grad", dtype(), "only floats have gradients; cast it to float32 first");
  realize();
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->value = own_memory(impl_->value);
    impl_->leaf = impl_->requires_grad = true;
  }
  enlist_leaf(*impl_);
  return *this;
}

void Tensor::backward() const { backward(BackwardOptions{}); }
void Tensor::backward_from(const Tensor& seed) const { backward(BackwardOptions{.seed = seed}); }
void Tensor::backward(const BackwardOptions& options) const {
  const UOp root = node_of(*this, "backward");
  require_history(*impl_, requires_grad());
  const UOp seed = seed_of(*this, root, options.seed);
  const Below below = leaves_below(root);
  if (below.leaves.empty())
    throw GradientError("backward: every leaf that this tensor was computed from has been assigned to or destroyed since");
  const std::vector<UOp> gradients = tg::gradient(root, seed, below.nodes);
  for (size_t i = 0; i < gradients.size(); ++i) {
    TensorImpl& leaf = *below.leaves[i];
    Tensor sum;
    {
      const Tracing later;  // in eager mode too nothing is computed while the leaf is locked
      const std::lock_guard lock(leaf.mutex);
      const UOp full = remembered(gradients[i], leaf.value.shape(), options);
      const bool again = leaf.gradient.defined();
      leaf.gradient = sum = make(again ? node_of(leaf.gradient, "backward") + full : full, leaf.device,
                                 options.create_graph || (again && leaf.gradient.requires_grad()));
    }
    if (settings().eager && Tracing::depth() == 0) sum.realize();
  }
  if (options.keep_graph || options.create_graph || impl_->leaf) return;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->requires_grad = false;
    impl_->history_dropped = true;
    if (!root.storage() && impl_->value == root) impl_->value = without_history(root);
  }
  if (root.storage()) realize();
}

std::vector<Tensor> gradient(const Tensor& y, const std::vector<Tensor>& wrt, const BackwardOptions& options) {
  const UOp root = node_of(y, "gradient"), seed = seed_of(y, root, options.seed);
  require_history(impl_of(y, "gradient"), y.requires_grad());
  std::unordered_map<const void*, UOp> by_key;  // a leaf that was assigned to stands in the graph as the assignment or as its memory
  for (const UOp& node : toposort(root)) if (may_be_leaf(node)) by_key.emplace(key_of(node), node);
  std::vector<UOp> nodes;
  for (const Tensor& x : wrt) {
    const UOp node = node_of(x, "gradient");
    const auto it = by_key.find(key_of(node));
    nodes.push_back(may_be_leaf(node) && it != by_key.end() ? it->second : node);
  }
  const std::vector<UOp> gradients = tg::gradient(root, seed, nodes);
  std::vector<Tensor> out;
  for (size_t i = 0; i < wrt.size(); ++i)
    out.push_back(make(remembered(gradients[i], nodes[i].shape(), options), y.device(), options.create_graph));
  return out;
}

Tensor Tensor::grad() const {
  const TensorImpl& impl = impl_of(*this, "grad");
  const std::lock_guard lock(impl.mutex);
  if (!impl.gradient.defined())
    throw GradientError(impl.leaf ? "grad: there is none yet; call backward() on a tensor computed from this one"
                                  : "grad: only leaves have gradients; call set_requires_grad() before computing, or tg::gradient(y, {x})");
  return impl.gradient;
}
bool Tensor::has_grad() const {
  const TensorImpl& impl = impl_of(*this, "has_grad");
  const std::lock_guard lock(impl.mutex);
  return impl.gradient.defined();
}
void Tensor::set_grad(const Tensor& gradient) const {
  TensorImpl& impl = impl_of(*this, "set_grad");
  if (gradient.defined() && gradient.shape() != shape())
    throw ShapeError(
        fmt::format("set_grad: the gradient's shape {} is not the tensor's {}", to_string(gradient.shape()), to_string(shape())));
  const std::lock_guard lock(impl.mutex);
  impl.gradient = gradient;
}

}  // namespace tg
