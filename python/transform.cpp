// Transformations of Python functions on lists of tensors; python/tg/transform.py puts them on nested arguments.
//
//   in:  a function list[Tensor] -> list[Tensor], and lists      out: detail::value_and_grad, vjp, jvp, vmap, ...
#include <pybind11/functional.h>

#include "python/bind.hpp"
#include "tg/transform.hpp"

namespace tg::python {

namespace {

/// A function of the package that is not seen in tracebacks: the last line of an error of its own is its caller's, as of functions in
/// C++, and of an error in the caller's function it is the line there.
struct Unseen {
  py::object function;
};
/// The traceback without the frames of tg's own files.
py::object without_own(py::handle traceback, const std::string& folder) {
  if (traceback.is_none()) return py::none();
  const py::object rest = without_own(traceback.attr("tb_next"), folder);
  const auto file = traceback.attr("tb_frame").attr("f_code").attr("co_filename").cast<std::string>();
  if (file.starts_with(folder)) return rest;
  traceback.attr("tb_next") = rest;
  return py::reinterpret_borrow<py::object>(traceback);
}
py::object call_unseen(const Unseen& u, const py::args& args, const py::kwargs& keywords) {
  try {
    return u.function(*args, **keywords);
  } catch (py::error_already_set& e) {
    const auto file = py::module_::import("tg").attr("__file__").cast<std::string>();
    const py::object error = e.value(), trace = e.trace();
    const py::object kept = without_own(trace ? trace : py::none(), file.substr(0, file.rfind('/') + 1));
    PyErr_Restore(py::object(e.type()).release().ptr(), py::object(error).release().ptr(),
                  kept.is_none() ? nullptr : py::object(kept).release().ptr());
    throw py::error_already_set();
  }
}

}  // namespace

void bind_transforms(py::module_& m) {
  py::class_<Unseen>(m, "_Unseen", "A function that is not seen in tracebacks.", py::dynamic_attr())
      .def(py::init([](const py::object& function) { return Unseen{function}; }), py::arg("function"))
      .def("__call__", &call_unseen);
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
  const auto check = [&](const char* name, bool (*g)(const TensorFunction&, const Tensors&, const GradcheckOptions&)) {
    m.def(name, [g](const TensorFunction& function, const Tensors& at, double step, double absolute, double relative) {
      return g(function, at, {.step = step, .absolute = absolute, .relative = relative});
    }, "Compares gradients with differences.", Released(), py::arg("f"), py::arg("x"), py::arg("eps"), py::arg("atol"), py::arg("rtol"));
  };
  check("_gradcheck", static_cast<bool (*)(const TensorFunction&, const Tensors&, const GradcheckOptions&)>(&gradcheck));
  check("_gradgradcheck", static_cast<bool (*)(const TensorFunction&, const Tensors&, const GradcheckOptions&)>(&gradgradcheck));
}

}  // namespace tg::python
