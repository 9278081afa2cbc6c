// See tg/transform.hpp. Reverse mode and batching do the work; all else is made of these two.
//
//   grad(f)(x)     x' = Function(x, x, number): a node like no other with x's value; y = f(x'); the graph of d(y)/d(x')
//   jvp            u = a node like no other, of zeros; the gradient of sum(v * gradient(y, u, x')) with respect to u
//   vmap           f of unknown examples; then batch() puts the tensors in their place
//   jacobian       the pullback of an unknown seed; then batch() puts the unit vectors in its place
#include "tg/transform.hpp"

#include <atomic>
#include <cmath>
#include <unordered_set>

#include <fmt/format.h>

#include "autodiff/gradient.hpp"
#include "tensor/batching.hpp"
#include "tensor/impl.hpp"
#include "tg/functions.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"
#include "tg/random.hpp"

namespace tg {
namespace {

thread_local int differentiating = 0;
struct Differentiating {
  Differentiating() { ++differentiating; }
  ~Differentiating() { --differentiating; }
  Differentiating(const Differentiating&) = delete;
  Differentiating& operator=(const Differentiating&) = delete;
};

const Function kArgument{"argument", [](const UOp&, const UOp& g, size_t) { return g; }};
/// The same value, as a node of its own: a gradient with respect to it is through what was made of it, not of x. The engine drops it.
UOp own_node(const UOp& x) {
  static std::atomic<int64_t> number{0};
  return UOp::make(Op::Function, {x, x, constant(DType::int64, number++)}, &kArgument);
}

/// A result: it requires a gradient if a transformation around this one, or a leaf, may ask for one.
Tensor result(const UOp& node, const std::string& device) {
  const bool wanted = is_float(node.dtype()) && grad_enabled() && (differentiating > 0 || !leaf_nodes_below(node).empty());
  return make(node, device, wanted);
}

/// f at nodes of its own in the place of some arguments.
struct Traced {
  std::vector<UOp> arguments, results;
  std::string device;
};
Traced trace(const TensorFunction& f, const Tensors& x, const std::vector<int>& arguments, std::string_view what) {
  Traced out;
  Tensors inside = x;
  for (int a : arguments) {
    if (a < 0 || a >= static_cast<int>(x.size()))
      throw ValueError(fmt::format("{}: there is no argument {}; the function was given {}, counted from 0", what, a, x.size()));
    const Tensor& t = x[static_cast<size_t>(a)];
    if (!is_float(t.dtype()))
      throw GradientError(fmt::format("{}: argument {} is {}; only floats have gradients, cast it to float32 first", what, a,
                                      name_of(t.dtype())));
    out.arguments.push_back(own_node(node_of(t, what)));
    inside[static_cast<size_t>(a)] = make(out.arguments.back(), t.device(), true);
  }
  Tensors results;
  {
    const Differentiating scope;
    results = f(inside);
  }
  if (results.empty()) throw ValueError(fmt::format("{}: the function returned no tensor", what));
  for (const Tensor& r : results) out.results.push_back(node_of(r, what));
  out.device = impl_of(results[0], what).device;
  return out;
}
std::vector<int> all_of(const Tensors& x) {
  std::vector<int> out;
  for (size_t i = 0; i < x.size(); ++i) out.push_back(static_cast<int>(i));
  return out;
}
UOp sum_all(const UOp& x) {
  if (x.shape().empty()) return x;
  return reshape(UOp::make(Op::Reduce, {x}, ReduceArg{Monoid::Sum, (1u << x.shape().rank()) - 1}), Shape{});
}
std::vector<UOp> pull(const std::vector<UOp>& results, const std::vector<UOp>& seeds, std::span<const UOp> wrt) {
  std::vector<UOp> total;
  for (size_t i = 0; i < results.size(); ++i) {
    if (!is_float(results[i].dtype())) continue;
    const std::vector<UOp> one = gradient(results[i], seeds[i], wrt);
    for (size_t k = 0; k < one.size(); ++k) if (i == 0 || total.empty()) total = one; else total[k] = total[k] + one[k];
  }
  if (total.empty()) for (const UOp& w : wrt) total.push_back(spread(constant(w.dtype(), 0), w.shape()));
  for (size_t k = 0; k < total.size(); ++k) total[k] = spread(total[k], wrt[k].shape());
  return total;
}
UOp fitting(const Tensor& given, const UOp& to, std::string_view what, std::string_view name) {
  const UOp v = node_of(given, what);
  if (v.shape() != to.shape())
    throw ShapeError(fmt::format("{}: a {} of shape {} for a value of shape {}; it must have the same shape", what, name,
                                 to_string(v.shape()), to_string(to.shape())));
  return cast(v, to.dtype());
}
Tensors wrapped(const std::vector<UOp>& nodes, const std::string& device) {
  Tensors out;
  for (const UOp& n : nodes) out.push_back(result(n, device));
  return out;
}
/// The tangents of results along v, by transposing the reverse pass.
std::vector<UOp> push(const Traced& t, const std::vector<UOp>& v) {
  std::vector<UOp> out;
  for (const UOp& y : t.results) {
    const UOp zeros = spread(constant(y.dtype(), 0), y.shape());
    if (!is_float(y.dtype())) { out.push_back(zeros); continue; }
    const UOp seed = own_node(zeros);
    const std::vector<UOp> g = gradient(y, seed, t.arguments);
    UOp along;
    for (size_t k = 0; k < g.size(); ++k) {
      const UOp term = sum_all(spread(g[k], v[k].shape()) * v[k]);
      along = along ? along + cast(term, along.dtype()) : term;
    }
    out.push_back(spread(gradient(along, constant(along.dtype(), 1), {&seed, 1})[0], y.shape()));
  }
  return out;
}

}  // namespace

bool is_own_node(const UOp& node) { return node.op() == Op::Function && node.as<FunctionArg>().get() == &kArgument; }

std::pair<Tensor, Tensors> detail::value_and_grad(const TensorFunction& f, const Tensors& x, const std::vector<int>& arguments) {
  const Traced t = trace(f, x, arguments, "grad");
  const UOp& y = t.results[0];
  if (t.results.size() != 1 || !(y.shape().numel() == Dim(1)))
    throw GradientError(
        fmt::format("grad: the function returned {} of shape {}; it must return one element. Reduce it, or use vjp or jacobian",
                                    t.results.size() == 1 ? "a tensor" : "several tensors, the first", to_string(y.shape())));
  if (!is_float(y.dtype()))
    throw GradientError(fmt::format("grad: the function returned {}; only floats have gradients", name_of(y.dtype())));
  return {result(y, t.device), wrapped(pull(t.results, {spread(constant(y.dtype(), 1), y.shape())}, t.arguments), t.device)};
}

Vjp vjp(const TensorFunction& f, const Tensors& x) {
  Traced t = trace(f, x, all_of(x), "vjp");
  Tensors values = wrapped(t.results, t.device);
  return {std::move(values), [t = std::move(t)](const Tensors& v) {
            if (v.size() != t.results.size())
              throw ValueError(fmt::format("vjp: the pullback takes {} tensors, one a result, not {}", t.results.size(), v.size()));
            std::vector<UOp> seeds;
            for (size_t i = 0; i < v.size(); ++i) seeds.push_back(fitting(v[i], t.results[i], "vjp", "vector"));
            return wrapped(pull(t.results, seeds, t.arguments), t.device);
          }};
}

Jvp jvp(const TensorFunction& f, const Tensors& x, const Tensors& v) {
  if (x.size() != v.size()) throw ValueError(fmt::format("jvp: {} arguments, but {} tangents; give one an argument", x.size(), v.size()));
  const Traced t = trace(f, x, all_of(x), "jvp");
  std::vector<UOp> along;
  for (size_t i = 0; i < v.size(); ++i) along.push_back(fitting(v[i], t.arguments[i], "jvp", "tangent"));
  return {wrapped(t.results, t.device), wrapped(push(t, along), t.device)};
}

Tensor detail::jacobian(const TensorFunction& f, const Tensors& x, const JacobianOptions& options) {
  const Traced t = trace(f, x, {options.argument}, "jacobian");
  if (t.results.size() != 1) throw ValueError("jacobian: the function must return one tensor; take one of each result by itself");
  const UOp &y = t.results[0], &arg = t.arguments[0];
  if (!is_float(y.dtype()))
    throw GradientError(fmt::format("jacobian: the function returned {}; only floats have gradients", name_of(y.dtype())));
  const bool reverse = options.mode == Mode::Reverse;
  const UOp& from = reverse ? y : arg;
  const UOp unit = new_example(from.dtype(), from.shape());
  const UOp one = reverse ? gradient(y, unit, t.arguments)[0] : push(t, {unit})[0];
  const Dim n = from.shape().numel();
  const UOp i = UOp::make(Op::Iota, {}, Shape{n}, DType::int64);
  const UOp row = spread(reshape(i, Shape{n, 1}), {n, n}), column = spread(reshape(i, Shape{1, n}), {n, n});
  const UOp eye = where(not_equal(row, column), constant(from.dtype(), 0), constant(from.dtype(), 1));
  Dims front = from.shape().dims();
  front.insert(front.begin(), n);
  const UOp units = reshape(eye, front);
  const UOp all = batch({&one, 1}, {&unit, 1}, {&units, 1}, n)[0];  // (n, the other's shape...)
  Dims shape = from.shape().dims();
  const Shape& other = reverse ? arg.shape() : y.shape();
  shape.insert(shape.end(), other.begin(), other.end());
  UOp out = reshape(all, shape);
  if (!reverse) {
    std::vector<int64_t> order;
    for (size_t a = 0; a < other.rank(); ++a) order.push_back(static_cast<int64_t>(from.shape().rank() + a));
    for (size_t a = 0; a < from.shape().rank(); ++a) order.push_back(static_cast<int64_t>(a));
    out = permute(out, order);
  }
  return result(out, t.device);
}

Tensors detail::vmap(const TensorFunction& f, const Tensors& x, const VmapOptions& options) {
  if (!options.in_axes.empty() && options.in_axes.size() != x.size())
    throw ValueError(
        fmt::format("vmap: in_axes has {} entries for {} arguments; give one an argument, or none", options.in_axes.size(), x.size()));
  Tensors inside = x;
  std::vector<UOp> examples, batches;
  int64_t size = -1;
  bool grad = false;
  for (size_t i = 0; i < x.size(); ++i) {
    const int axis = options.in_axes.empty() ? 0 : options.in_axes[i];
    if (axis == kShared) continue;
    const int a = checked_axis(axis, x[i].rank(), "vmap");
    if (size >= 0 && x[i].size(a) != size)
      throw ShapeError(fmt::format("vmap: axis {} of argument {}, of shape {}, has size {}, but those before have {} examples", a, i,
                                   to_string(x[i].shape()), x[i].size(a), size));
    size = x[i].size(a);
    std::vector<int64_t> order{a};
    for (int k = 0; k < x[i].rank(); ++k) if (k != a) order.push_back(k);
    batches.push_back(permute(node_of(x[i], "vmap"), order));
    Dims one = batches.back().shape().dims();
    one.erase(one.begin());
    examples.push_back(new_example(x[i].dtype(), one));
    grad = grad || carries_gradient(x[i]);
  }
  if (examples.empty()) throw ValueError("vmap: all arguments are shared; give at least one an axis");
  Tensors results;
  {
    const Tracing tracing;
    for (size_t i = 0, k = 0; i < x.size(); ++i)
      if (options.in_axes.empty() || options.in_axes[i] != kShared)
        inside[i] = make(examples[k++], x[i].device(), carries_gradient(x[i]));
    results = f(inside);
  }
  if (results.empty()) throw ValueError("vmap: the function returned no tensor");
  std::vector<UOp> roots;
  for (const Tensor& r : results) roots.push_back(node_of(r, "vmap"));
  std::vector<UOp> out = batch(roots, examples, batches, size);
  Tensors tensors;
  for (size_t i = 0; i < out.size(); ++i) {
    const auto rank = static_cast<int>(out[i].shape().rank());
    const int to = checked_axis(options.out_axis, rank, "vmap");
    std::vector<int64_t> order;
    for (int k = 1; k < rank; ++k) order.push_back(k);
    order.insert(order.begin() + to, 0);
    tensors.push_back(make(permute(out[i], order), results[i].device(), carries_gradient(results[i])));
  }
  return tensors;
}

namespace {
/// x's value, which is not made before that of `after` is known: both are written to one memory, x first.
UOp once_known(const UOp& x, const UOp& after) {
  const Dim n = x.shape().numel(), m = after.shape().numel();
  if (n == Dim(0) || m == Dim(0)) return x;
  const UOp one = cast(shrink(reshape(after, Shape{m}), {0, 1}), x.dtype());
  const UOp both = where(less(UOp::make(Op::Iota, {}, Shape{n + Dim(1)}, DType::int64), cast(n.expr(), DType::int64)),
                         UOp::make(Op::Pad, {reshape(x, Shape{n})}, Shape{0, 1}), UOp::make(Op::Pad, {one}, Shape{n, 0}));
  return reshape(shrink(UOp::make(Op::Contiguous, {both}), {0, n}), x.shape());
}
}  // namespace

Tensors detail::checkpoint(const TensorFunction& f, const Tensors& x) {
  std::vector<UOp> inputs;
  Tensors inside = x, results;
  for (Tensor& t : inside) {
    inputs.push_back(own_node(node_of(t, "checkpoint")));
    t = make(inputs.back(), t.device(), is_float(t.dtype()));  // requires a gradient, so that what is computed of it stays its definition
  }
  {
    const Differentiating scope;
    results = f(inside);
  }
  Tensors out;
  for (const Tensor& r : results) {
    // What f made of its arguments is made again; what else it used is an input too, so that its gradient is found.
    const UOp body = node_of(r, "checkpoint");
    std::vector<UOp> all = inputs;
    std::unordered_set<UOp> made(inputs.begin(), inputs.end());
    const std::vector<UOp> order = toposort(body);
    for (const UOp& u : order)
      if (std::any_of(u.src().begin(), u.src().end(), [&](const UOp& s) { return made.contains(s); })) made.insert(u);
    if (!made.contains(body)) {
      out.push_back(r);
      continue;
    }
    std::unordered_set<UOp> known = made;
    for (const UOp& u : order) {
      if (!made.contains(u)) continue;
      if (std::find(inputs.begin(), inputs.end(), u) != inputs.end()) continue;
      for (const UOp& s : u.src()) if (is_float(s.dtype()) && s.op() != Op::Const && known.insert(s).second) all.push_back(s);
    }
    const auto gradient_of = [body, all, count = inputs.size()](const UOp& u, const UOp& g, size_t i) {
      Substitution again;
      std::vector<UOp> wrt;
      for (size_t k = 0; k < all.size(); ++k) {
        wrt.push_back(own_node(k < count ? once_known(u.src(k + 1), g) : u.src(k + 1)));
        again[all[k]] = wrt.back();
      }
      return gradient(substitute(body, again), g, {&wrt[i - 1], 1})[0];
    };
    std::vector<UOp> src{body};
    src.insert(src.end(), all.begin(), all.end());
    out.push_back(
        result(UOp::make(Op::Function, src, FunctionArg(std::make_shared<const Function>("checkpoint", gradient_of))), r.device()));
  }
  return out;
}

Tensor detail::custom_gradient(const TensorFunction& f, const Backward& backward, const Tensors& x) {
  Tensors results;
  {
    const NoGrad own;
    results = f(x);
  }
  if (results.size() != 1) throw ValueError("custom_gradient: the function must return one tensor");
  const UOp value = node_of(results[0], "custom_gradient");
  bool grad = false;
  std::vector<UOp> src{value};
  std::vector<std::string> devices;
  for (const Tensor& t : x) {
    src.push_back(node_of(t, "custom_gradient"));
    devices.push_back(t.device());
    grad = grad || carries_gradient(t);
  }
  const auto gradient_of = [backward, devices, own = results[0].device()](const UOp& u, const UOp& g, size_t i) {
    Tensors arguments;
    for (size_t k = 1; k < u.src().size(); ++k) arguments.push_back(make(u.src(k), devices[k - 1], is_float(u.src(k).dtype())));
    const Tensors all = backward(arguments, make(u, own, true), make(spread(g, u.shape()), own, true));
    if (all.size() != arguments.size())
      throw GradientError(fmt::format("custom_gradient: backward gave {} gradients for {} arguments", all.size(), arguments.size()));
    const UOp given = node_of(all[i - 1], "custom_gradient");
    if (given.shape() != u.src(i).shape())
      throw ShapeError(fmt::format("custom_gradient: backward gave a gradient of shape {} for argument {} of shape {}",
                                   to_string(given.shape()), i - 1, to_string(u.src(i).shape())));
    return cast(given, u.src(i).dtype());
  };
  return make(UOp::make(Op::Function, src, FunctionArg(std::make_shared<const Function>("custom", gradient_of))), results[0].device(),
              grad && is_float(value.dtype()));
}

// ---- checks ----

namespace {
double weighted(const TensorFunction& f, const Tensors& x, Tensors* weights) {
  double total = 0;
  const Tensors y = f(x);
  uint32_t draw = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const std::vector<double> v = y[i].to_vector<double>();
    std::vector<double> w(v.size());
    for (double& e : w) e = 0.5 + threefry2x32({7, 7}, {0, draw++})[0] * 0x1p-32;
    for (size_t k = 0; k < v.size(); ++k) total += v[k] * w[k];
    if (weights) weights->push_back(Tensor::from(w, y[i].shape(), {.dtype = y[i].dtype(), .device = y[i].device()}));
  }
  return total;
}
}  // namespace

bool gradcheck(const TensorFunction& f, const Tensors& x, const GradcheckOptions& o) {
  for (size_t a = 0; a < x.size(); ++a)
    if (x[a].dtype() != DType::float64)
      throw DTypeError(
          fmt::format("gradcheck: argument {} is {}; differences need the digits of float64: cast it", a, name_of(x[a].dtype())));
  Tensors plain;
  for (const Tensor& t : x) plain.push_back(t.detach());
  Tensors weights;
  weighted(f, plain, &weights);
  const Tensors gradients = vjp(f, plain).pullback(weights);
  for (size_t a = 0; a < x.size(); ++a) {
    const std::vector<double> at = plain[a].to_vector<double>(), g = gradients[a].to_vector<double>();
    for (size_t i = 0; i < at.size(); ++i) {
      const auto moved = [&](double by) {
        std::vector<double> v = at;
        v[i] += by;
        Tensors other = plain;
        other[a] = Tensor::from(v, plain[a].shape(), {.device = plain[a].device()});
        return weighted(f, other, nullptr);
      };
      const double expected = (moved(o.step) - moved(-o.step)) / (2 * o.step);
      if (!(std::abs(g[i] - expected) <= o.absolute + o.relative * std::abs(expected)))
        throw GradientError(fmt::format("gradcheck: the gradient of argument {} at element {} is {}, but differences of {} give {}", a, i,
                                        g[i],
                                        o.step, expected));
    }
  }
  return true;
}
bool gradgradcheck(const TensorFunction& f, const Tensors& x, const GradcheckOptions& o) {
  Tensors weights;
  weighted(f, x, &weights);
  return gradcheck([&](const Tensors& v) { return vjp(f, v).pullback(weights); }, x, o);
}

}  // namespace tg
