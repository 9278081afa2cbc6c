#pragma once
// Transformations: a function of tensors becomes another function of tensors. Any may be applied to what another gave.
//
//   auto f = [](const tg::Tensor& x) { return tg::sum(tg::sin(x) * x); };
//   tg::grad(f)(x)                       sin(x) + x cos(x)
//   tg::vmap(tg::grad(f))(xs)            of each row of xs, in as many kernels as of one
//   tg::hessian(f)(x)                    (n, n)
//
// A function here is any callable that takes tensors and returns a Tensor, a std::vector<Tensor> or a std::pair<Tensor, Tensor>. It is
// called once, and what it computes is recorded whether or not its arguments require a gradient; tensors that it uses besides its
// arguments are constants to it. It may look at values (item), but not under vmap, where a tensor stands for a whole batch: ValueError.
// Random numbers drawn under vmap are the same for every example. Arguments that are differentiated must be floats: GradientError.
#include <climits>
#include <functional>
#include <tuple>
#include <type_traits>

#include "tg/tensor.hpp"

namespace tg {

using Tensors = std::vector<Tensor>;  // arguments, or results
using TensorFunction = std::function<Tensors(const Tensors&)>;  // any number of them to any number

inline constexpr int kShared = INT_MIN;  // in VmapOptions::in_axes: an argument that all examples share

struct VmapOptions {  // of vmap
  detail::ByName by_name_only = detail::by_name;
  std::vector<int> in_axes = {};  // one an argument: the axis that counts examples, or kShared; {}: 0 for each
  int out_axis = 0;               // where that axis is in the results
};
enum class Mode { Reverse, Forward };  // by vjp, or by jvp
struct JacobianOptions {  // of jacobian
  detail::ByName by_name_only = detail::by_name;
  int argument = 0;           // of the function, with respect to which
  Mode mode = Mode::Reverse;  // a row, or a column, at a time: the cheaper is the smaller of result and argument
};
struct GradcheckOptions {  // of gradcheck and gradgradcheck
  detail::ByName by_name_only = detail::by_name;
  double step = 1e-6, absolute = 1e-6, relative = 1e-5;  // of the finite differences; how far they may be from the derivatives
};

namespace detail {
inline Tensors flat(Tensor t) { return {std::move(t)}; }
inline Tensors flat(Tensors t) { return t; }
inline Tensors flat(std::pair<Tensor, Tensor> t) { return {std::move(t.first), std::move(t.second)}; }
template <class R>
R shaped(Tensors t) {
  if constexpr (std::is_same_v<R, Tensor>) return std::move(t[0]);
  else if constexpr (std::is_same_v<R, Tensors>) return t;
  else return {std::move(t[0]), std::move(t[1])};
}
/// The callable, as one of a list of `n` tensors.
template <size_t n, class F>
TensorFunction listed(const F& f) {
  return [f](const Tensors& x) {
    return [&]<size_t... i>(std::index_sequence<i...>) { return flat(f(x[i]...)); }(std::make_index_sequence<n>{});
  };
}
template <class F, class... T>
using ResultOf = std::decay_t<std::invoke_result_t<const F&, const T&...>>;

std::pair<Tensor, Tensors> value_and_grad(const TensorFunction& f, const Tensors& x, const std::vector<int>& arguments);
Tensors vmap(const TensorFunction& f, const Tensors& x, const VmapOptions& options);
Tensor jacobian(const TensorFunction& f, const Tensors& x, const JacobianOptions& options);
Tensors checkpoint(const TensorFunction& f, const Tensors& x);
using Backward = std::function<Tensors(const Tensors& arguments, const Tensor& result, const Tensor& gradient)>;
Tensor custom_gradient(const TensorFunction& f, const Backward& backward, const Tensors& x);
}  // namespace detail

/// d(f)/d(the argument) of f's one element; f' takes what f takes. GradientError where f gives more than one element.
template <class F>
[[nodiscard]] auto grad(F f, int argument = 0) {
  return [f, argument]<class... T>(const T&... x) {
    return detail::value_and_grad(detail::listed<sizeof...(T)>(f), {x...}, {argument}).second[0];
  };
}
/// Of several arguments, a gradient each.
template <class F>
[[nodiscard]] auto grad(F f, std::vector<int> arguments) {
  return [f, arguments]<class... T>(const T&... x) {
    return detail::value_and_grad(detail::listed<sizeof...(T)>(f), {x...}, arguments).second;
  };
}
/// {f, grad(f)}, computed together.
template <class F>
[[nodiscard]] auto value_and_grad(F f, int argument = 0) {
  return [f, argument]<class... T>(const T&... x) {
    auto [value, gradients] = detail::value_and_grad(detail::listed<sizeof...(T)>(f), {x...}, {argument});
    return std::pair<Tensor, Tensor>(std::move(value), std::move(gradients[0]));
  };
}

/// f(x...) with its pullback: v of f's shapes to sum(v d(f)/d(x)) for each argument; it may be called many times.
struct Vjp {
  Tensors values;
  TensorFunction pullback;
};
[[nodiscard]] Vjp vjp(const TensorFunction& f, const Tensors& x);
template <class F>
[[nodiscard]] auto vjp(const F& f, const Tensor& x) { return vjp(detail::listed<1>(f), Tensors{x}); }
template <class F>
[[nodiscard]] auto vjp(const F& f, const Tensor& x, const Tensor& y) { return vjp(detail::listed<2>(f), Tensors{x, y}); }

/// f(x...) and its derivative along v: sum over arguments of d(f)/d(x) v. The reverse pass, transposed: linear in its seed, so that its
/// own gradient is the forward mode (Radul, Paszke, Frostig, Johnson, Maclaurin 2022, "You only linearize once", argues the other way).
struct Jvp {
  Tensors values, tangents;
};
[[nodiscard]] Jvp jvp(const TensorFunction& f, const Tensors& x, const Tensors& v);
template <class F>
[[nodiscard]] std::pair<Tensor, Tensor> jvp(const F& f, const Tensor& x, const Tensor& v) {
  Jvp out = jvp(detail::listed<1>(f), Tensors{x}, Tensors{v});
  return {std::move(out.values[0]), std::move(out.tangents[0])};
}

/// All of d(f)/d(argument): f's shape, then the argument's. As many kernels as one row takes.
template <class F>
[[nodiscard]] auto jacobian(F f, JacobianOptions options = {}) {
  return [f, options]<class... T>(const T&... x) { return detail::jacobian(detail::listed<sizeof...(T)>(f), {x...}, options); };
}
/// The second derivatives of f's one element: the argument's shape twice. Forward mode over reverse mode.
template <class F>
[[nodiscard]] auto hessian(F f, int argument = 0) {
  return jacobian(grad(std::move(f), argument), {.argument = argument, .mode = Mode::Forward});
}
/// hessian(f)(x) times v, without the matrix: the gradient of grad(f)(x) v.
template <class F>
[[nodiscard]] Tensor hvp(const F& f, const Tensor& x, const Tensor& v) { return vjp(grad(f), x).pullback({v})[0]; }

/// f of each example, as one computation over the batch; f sees tensors without the batch's axis. ShapeError where batches differ in size.
template <class F>
[[nodiscard]] auto vmap(F f, VmapOptions options = {}) {
  return [f, options]<class... T>(const T&... x) {
    return detail::shaped<detail::ResultOf<F, T...>>(detail::vmap(detail::listed<sizeof...(T)>(f), {x...}, options));
  };
}

/// f, whose intermediate values are not kept for the gradient but computed again from its arguments: Chen, Xu, Zhang, Guestrin 2016.
template <class F>
[[nodiscard]] auto checkpoint(F f) {
  return [f]<class... T>(const T&... x) {
    return detail::shaped<detail::ResultOf<F, T...>>(detail::checkpoint(detail::listed<sizeof...(T)>(f), {x...}));
  };
}
/// f, a function to one tensor, with a gradient of its own: backward(arguments, result, gradient of the result) gives one gradient an
/// argument, of its shape.
template <class F>
[[nodiscard]] auto custom_gradient(F f, detail::Backward backward) {
  return [f, backward]<class... T>(const T&... x) { return detail::custom_gradient(detail::listed<sizeof...(T)>(f), backward, {x...}); };
}
/// x, through which no gradient passes.
[[nodiscard]] inline Tensor stop_gradient(const Tensor& x) { return x.detach(); }

/// Whether f's gradients at x (float64) are what differences of f say: true, or GradientError with the first element that is not. What is
/// compared is sum(f * w) for fixed weights w.
bool gradcheck(const TensorFunction& f, const Tensors& x, const GradcheckOptions& options = {});
/// The same of the gradient itself.
bool gradgradcheck(const TensorFunction& f, const Tensors& x, const GradcheckOptions& options = {});
template <class F>
bool gradcheck(const F& f, const Tensor& x, const GradcheckOptions& o = {}) { return gradcheck(detail::listed<1>(f), Tensors{x}, o); }
template <class F>
bool gradgradcheck(const F& f, const Tensor& x, const GradcheckOptions& o = {}) {
  return gradgradcheck(detail::listed<1>(f), Tensors{x}, o);
}

}  // namespace tg
