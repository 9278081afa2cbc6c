// Transformations of Python functions on lists of tensors; python/tg/transform.py puts them on nested arguments.
//
//   in:  a function list[Tensor] -> list[Tensor], and lists      out: detail::value_and_grad, vjp, jvp, vmap, ...
#include <pybind11/functional.h>

#include "python/bind.hpp"
#include "tg/transform.hpp"

namespace tg::python {

void bind_transforms(py::module_& m) {
  const auto f = py::arg("f"), x = py::arg("x");
  m.def("_value_and_grad", &detail::value_and_grad, "(f(x), d(f)/d(each argument of those numbers)).", f, x, py::arg("arguments"));
  m.def("_vjp", [](const TensorFunction& g, const Tensors& at) {
    Vjp v = vjp(g, at);
    return std::pair(std::move(v.values), std::move(v.pullback));
  }, "(f(x), pullback).", f, x);
  m.def("_jvp", [](const TensorFunction& g, const Tensors& at, const Tensors& along) {
    Jvp v = jvp(g, at, along);
    return std::pair(std::move(v.values), std::move(v.tangents));
  }, "(f(x), tangents).", f, x, py::arg("v"));
  m.def("_vmap", [](const TensorFunction& g, const Tensors& at, const std::vector<std::optional<int>>& in_axes, int out_axis) {
    std::vector<int> axes;
    for (const auto& a : in_axes) axes.push_back(a.value_or(kShared));
    return detail::vmap(g, at, {.in_axes = axes, .out_axis = out_axis});
  }, "f of each example.", f, x, py::arg("in_axes"), py::arg("out_axis"));
  m.def("_jacobian", [](const TensorFunction& g, const Tensors& at, int argument, bool forward) {
    return detail::jacobian(g, at, {.argument = argument, .mode = forward ? Mode::Forward : Mode::Reverse});
  }, "d(f)/d(argument).", f, x, py::arg("argument"), py::arg("forward"));
  m.def("_checkpoint", &detail::checkpoint, "f(x), whose gradient computes it again.", f, x);
  m.def("_custom_gradient", &detail::custom_gradient, "f(x) with a gradient of its own.", f, py::arg("backward"), x);
  const GradcheckOptions usual;
  const auto check = [&](const char* name, bool (*g)(const TensorFunction&, const Tensors&, const GradcheckOptions&)) {
    m.def(name, [g](const TensorFunction& function, const Tensors& at, double step, double absolute, double relative) {
      return g(function, at, {.step = step, .absolute = absolute, .relative = relative});
    }, "Compares gradients with differences.", Released(), py::arg("f"), py::arg("x"), py::arg("eps"), py::arg("atol"), py::arg("rtol"));
  };
  check("_gradcheck", static_cast<bool (*)(const TensorFunction&, const Tensors&, const GradcheckOptions&)>(&gradcheck));
  check("_gradgradcheck", static_cast<bool (*)(const TensorFunction&, const Tensors&, const GradcheckOptions&)>(&gradgradcheck));
}

}  // namespace tg::python
