// The walk: sources before users without recursion, down to nodes that have memory; a value is dropped after its last use.
#include "runtime/interpreter/evaluate.hpp"

#include <unordered_map>

#include <fmt/format.h>

#include "runtime/buffer.hpp"
#include "runtime/interpreter/scalar_code.hpp"
#include "runtime/interpreter/tensor_ops.hpp"
#include "tg/error.hpp"

namespace tg {
namespace interpreter {
namespace {

class Evaluator {
 public:
  std::vector<HostArray> run(std::span<const UOp> roots) {
    plan(roots);
    for (size_t i = 0; i < order_.size(); ++i) {
      values_[i] = compute(order_[i]);
      for (const UOp& s : sources(order_[i])) release(s);
    }
    std::vector<HostArray> out;
    for (const UOp& r : roots) out.push_back(value(r));
    return out;
  }

 private:
  // What must be computed first. A node with memory needs nothing; a binding is its constant.
  static std::span<const UOp> sources(const UOp& u) {
    if (u.storage()) return {};
    return u.op() == Op::Bind ? u.src().subspan(1) : u.src();
  }
  void plan(std::span<const UOp> roots) {
    std::vector<std::pair<UOp, bool>> stack;
    for (const UOp& root : roots) {
      stack.emplace_back(root, false);
      while (!stack.empty()) {
        auto [u, ready] = std::move(stack.back());
        stack.pop_back();
        if (at_.contains(u.node())) continue;
        if (ready) {
          at_.emplace(u.node(), order_.size());
          for (const UOp& s : sources(u)) ++uses_[at_.at(s.node())];
          order_.push_back(u);
          uses_.push_back(0);
          note_bindings(u);
          continue;
        }
        stack.emplace_back(u, true);
        for (const UOp& s : sources(u)) if (!at_.contains(s.node())) stack.emplace_back(s, false);
      }
      ++uses_[at_.at(root.node())];
    }
    values_.resize(order_.size());
  }
  void note_bindings(const UOp& u) {
    if (u.op() == Op::Bind) bind(u);
    for (const Dim& d : u.shape()) {
      if (d.known()) continue;
      for (const UOp& e : toposort(d.expr())) if (e.op() == Op::Bind) bind(e);
    }
  }
  void bind(const UOp& b) {
    const auto [it, fresh] = bound_.emplace(b.src(0), b.src(1));
    if (!fresh && it->second != b.src(1))
      throw ValueError(fmt::format("{} is bound to both {} and {}", to_string(b.src(0)), to_string(it->second), to_string(b.src(1))));
  }
  void release(const UOp& u) {
    const size_t i = at_.at(u.node());
    if (--uses_[i] == 0) values_[i] = {};
  }
  const Tuple& tuple(const UOp& u) const { return values_[at_.at(u.node())]; }
  const HostArray& value(const UOp& u) const { return tuple(u)[0]; }

  int64_t size(const Dim& d) const {
    if (d.known()) return d.value();
    std::vector<UOp> variables;
    std::vector<Number> numbers;
    for (const auto& [variable, constant] : bound_) variables.push_back(variable), numbers.push_back(value_of(constant));
    const UOp expr = d.expr();
    Number result;
    ScalarCode(std::span(&expr, 1), variables).run(numbers.data(), &result);
    return result.i;
  }
  Sizes sizes(const Shape& shape) const {
    Sizes s;
    for (const Dim& d : shape) s.push_back(size(d));
    return s;
  }

  Tuple compute(const UOp& u) const {
    const Sizes out = sizes(u.shape());
    if (u.storage()) return {read(u, out)};
    if (is_elementwise(u.op())) return {elementwise(u, out)};
    switch (u.op()) {
      case Op::Const: return {scalar(u)};
      case Op::Variable: {
        const auto it = bound_.find(u);
        if (it == bound_.end()) throw ValueError(fmt::format("{} has no value; bind it before it is used", to_string(u)));
        return {scalar(it->second)};
      }
      case Op::Iota: {
        HostArray r(u.dtype(), out);
        for (int64_t i = 0; i < r.numel(); ++i) r.set(static_cast<size_t>(i), convert({i, 0}, DType::index, u.dtype()));
        return {std::move(r)};
      }
      case Op::Bind: return tuple(u.src(1));
      case Op::Contiguous: case Op::Detach: case Op::Function: case Op::Copy: case Op::AllReduce: return tuple(u.src(0));  // on one device
      case Op::Assign: return tuple(u.src(1));
      case Op::Reshape: {
        HostArray r = value(u.src(0));
        r.shape = out;
        return {std::move(r)};
      }
      case Op::Permute: case Op::Expand: case Op::Flip: case Op::Window: return {movement(u, value(u.src(0)), out, {})};
      case Op::Pad: case Op::Shrink: return {movement(u, value(u.src(0)), out, sizes(u.as<Shape>()))};
      case Op::OverlapAdd: return {overlap_add(value(u.src(0)), u.as<WindowArg>(), out)};
      case Op::Stack: {
        HostArray r(u.dtype(), out);
        std::byte* to = r.bytes.data();
        for (const UOp& s : u.src()) to = std::copy(value(s).bytes.begin(), value(s).bytes.end(), to);
        return {std::move(r)};
      }
      case Op::Gather: return {gather(value(u.src(0)), value(u.src(1)), u.as<int64_t>(), out)};
      case Op::Scatter: return scatter(value(u.src(0)), value(u.src(1)), value(u.src(2)), u.as<ScatterArg>());
      case Op::Reduce:
        if (u.src().size() == 1) return reduce(value(u.src(0)), u.as<ReduceArg>());
        break;
      case Op::Scan: return scan(value(u.src(0)), u.as<ScanArg>());
      case Op::Sort: return sort(value(u.src(0)), u.as<SortArg>());
      case Op::Get: return {component(u)};
      default: break;
    }
    throw InternalError(fmt::format("interpreter: {} has no meaning outside a kernel", to_string(u)));
  }

  static HostArray read(const UOp& u, const Sizes& shape) {
    HostArray r(u.dtype(), shape);
    const auto buffer = buffer_of(u);
    if (r.bytes.size() > buffer->bytes)
      throw InternalError(fmt::format("interpreter: {} of {} bytes, {} wanted", name_of(u.op()), buffer->bytes, r.bytes.size()));
    if (!r.bytes.empty()) buffer->device().copy_out(r.bytes.data(), buffer->ref(), r.bytes.size());
    return r;
  }
  static HostArray scalar(const UOp& constant) {
    HostArray r(constant.dtype(), {});
    r.set(0, value_of(constant));
    return r;
  }
  HostArray elementwise(const UOp& u, const Sizes& out) const {
    HostArray r(u.dtype(), out);
    const HostArray* in[3] = {};
    bool moves[3] = {};  // a scalar beside arrays stands still
    for (size_t i = 0; i < u.src().size(); ++i) in[i] = &value(u.src(i)), moves[i] = !in[i]->shape.empty();
    if (u.op() == Op::Bitcast) { r.bytes = in[0]->bytes; return r; }
    const DType operand = in[u.op() == Op::Where ? 1 : 0]->dtype;
    const auto n = static_cast<size_t>(r.numel());
    const auto get = [&](size_t k, size_t i) { return in[k] ? in[k]->at(moves[k] ? i : 0) : Number{}; };
    if (u.op() == Op::Cast) for (size_t i = 0; i < n; ++i) r.set(i, convert(get(0, i), operand, u.dtype()));
    else for (size_t i = 0; i < n; ++i) r.set(i, evaluate(u.op(), operand, u.dtype(), get(0, i), get(1, i), get(2, i)));
    return r;
  }
  HostArray component(const UOp& u) const {
    const auto c = static_cast<size_t>(u.as<int64_t>());
    const Tuple& t = tuple(u.src(0));
    if (c >= t.size()) throw InternalError(fmt::format("interpreter: Get {} of {} components", c, t.size()));
    HostArray r(u.dtype(), t[c].shape);
    for (size_t i = 0; i < static_cast<size_t>(r.numel()); ++i) r.set(i, convert(t[c].at(i), t[c].dtype, u.dtype()));
    return r;
  }

  std::vector<UOp> order_;
  std::unordered_map<const detail::Node*, size_t> at_;
  std::vector<size_t> uses_;
  std::vector<Tuple> values_;
  std::unordered_map<UOp, UOp> bound_;
};

}  // namespace
}  // namespace interpreter

std::vector<HostArray> evaluate(std::span<const UOp> roots) { return interpreter::Evaluator().run(roots); }

void interpret(std::span<const UOp> roots, Device& device) {
  std::vector<UOp> wanted;
  for (const UOp& r : roots) if (!r.storage()) wanted.push_back(r);
  const std::vector<HostArray> values = evaluate(wanted);
  std::vector<std::shared_ptr<Buffer>> buffers;
  for (const HostArray& v : values) {
    buffers.push_back(make_buffer(device, v.bytes.size()));
    if (!v.bytes.empty()) device.copy_in(buffers.back()->ref(), v.bytes.data(), v.bytes.size());
  }
  for (size_t i = 0; i < wanted.size(); ++i) wanted[i].attach(buffers[i]);
}

}  // namespace tg
