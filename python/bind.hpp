#pragma once
// What the files of the bindings share: the module being filled, and how a function enters it.
//
//   both(api, "softmax", [](const Tensor& x, int dim) { return x.softmax(dim); }, "Along an axis ...", py::arg("dim") = -1);
//
// is a method x.softmax(dim=-1) and a function tg.softmax(input, dim=-1). The library's lock on Python (GIL) is released while it runs.
// Every function takes `axis` for `dim` and `keepdims` for `keepdim` (accept_other_names).
#include "python/casters.hpp"
#include "tg/scatter.hpp"

namespace tg::python {

using Class = py::class_<Tensor>;
struct Api {
  py::module_ module;
  Class tensor;
};
using Released = py::call_guard<py::gil_scoped_release>;

/// f() with Python's lock released, for functions that must read Python objects first.
template <class F>
auto released(F f) {
  const py::gil_scoped_release release;
  return f();
}

template <class F, class... Extra>
void both(Api& api, const char* name, const F& f, const char* doc, const Extra&... extra) {
  api.tensor.def(name, f, doc, Released(), extra...);
  api.module.def(name, f, doc, Released(), py::arg("input"), extra...);
}
/// The same of a function that reads or makes Python's objects, and so lets go of the lock itself.
template <class F, class... Extra>
void both_locked(Api& api, const char* name, const F& f, const char* doc, const Extra&... extra) {
  api.tensor.def(name, f, doc, extra...);
  api.module.def(name, f, doc, py::arg("input"), extra...);
}

/// tg.name(input, ...): a function alone, no method.
template <class F, class... Extra>
void function(Api& api, const char* name, const F& f, const char* doc, const Extra&... extra) {
  api.module.def(name, f, doc, Released(), py::arg("input"), extra...);
}

/// The sizes in f(2, 3), f((2, 3)) and f([2, 3]). Throws TypeError.
Sizes sizes_of(const py::args& arguments, const char* function);
/// The tensors in f(a, b), f((a, b)) and f([a, b]). Throws TypeError.
std::vector<Tensor> tensors_of(const py::args& arguments);
inline TensorOptions tensor_options(DType dtype, const std::optional<std::string>& device, bool requires_grad) {
  return {.dtype = dtype, .device = device.value_or(""), .requires_grad = requires_grad};
}
/// x.tolist(): lists of lists of numbers, or a number.
py::object nested_lists(const Tensor& x);
/// "sum", "mean" and so on: how scatter combines values. ValueError for another word.
Scatter scatter_mode(const std::string& word);
/// What x[key] means.
struct Indices {
  std::vector<Index> list;
  std::vector<Tensor> own;  // of lists and arrays among them
};
Indices indices_of(py::handle key, const Tensor& x);

/// An RAII guard of the library as something that `with` can enter, more than once.
template <class Guard>
void bind_guard(py::module_& m, const char* name, const char* doc) {
  struct Scope { std::vector<std::unique_ptr<Guard>> open; };
  py::class_<Scope>(m, name, doc)
      .def(py::init<>())
      .def("__enter__", [](Scope& s) { s.open.push_back(std::make_unique<Guard>()); })
      .def("__exit__", [](Scope& s, const py::args&) { s.open.pop_back(); });
}

void bind_dtypes(py::module_& m);
void bind_errors(py::module_& m);
void bind_signals();
void bind_tensor(Api& api);
void bind_creation(Api& api);
void bind_random(Api& api);
void bind_elementwise(Api& api);
void bind_functions(Api& api);
void bind_arrangements(Api& api);
void bind_statistics(Api& api);
void bind_network(Api& api);
void bind_indexing(Api& api);
void bind_sharing(Api& api);
void bind_spellings(Api& api);
/// Gives the class Tensor the buffer protocol.
void enable_buffer(PyHeapTypeObject* type);
void bind_data(py::module_& m);
void bind_nn(py::module_& m);
void bind_recurrent(py::module_& m);
void bind_transforms(py::module_& m);
void bind_optimizers(py::module_& m);
/// Lets functions bound so far take NumPy's and PyTorch's other names of arguments; says which to python/stubs.py, as _other_names.
void accept_other_names(Api& api);

}  // namespace tg::python
