#pragma once
// What functions that make tensors share: they are functions of the module and of the class, and end with dtype, device, requires_grad.
#include "python/bind.hpp"

namespace tg::python {

using Device = std::optional<std::string>;

template <class F, class... Extra>
void factory(Api& api, const char* name, const F& f, const char* doc, const Extra&... extra) {
  api.module.def(name, f, doc, extra..., py::arg("dtype") = py::none(), py::arg("device") = py::none(), py::arg("requires_grad") = false);
  api.tensor.def_static(name, f, doc, extra..., py::arg("dtype") = py::none(), py::arg("device") = py::none(),
                        py::arg("requires_grad") = false);
}

}  // namespace tg::python
