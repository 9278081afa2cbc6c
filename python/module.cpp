// The module tg._tg, which the package tg shows: element types, errors, and the parts that the other files bind.
//
//   in:  import tg      out: tg.Tensor, tg.float32, tg.sin, tg.ShapeError, ...
#include <unordered_map>

#include "python/bind.hpp"
#include "python/numbers.hpp"
#include "tg/limits.hpp"
#include "tg/settings.hpp"

namespace tg::python {

bool read_dtype(py::handle from, DType& to) {
  if (py::isinstance<DTypeObject>(from)) { to = from.cast<const DTypeObject&>().value; return true; }
  std::string name;
  if (py::isinstance<py::str>(from)) name = from.cast<std::string>();
  else if (py::hasattr(from, "name") && py::hasattr(from, "itemsize")) name = py::str(from.attr("name"));  // numpy.dtype
  else if (PyType_Check(from.ptr())) name = py::str(from.attr("__name__"));  // float, numpy.float32
  else if (const std::string text = py::str(from); text.starts_with("torch.")) name = text.substr(6);
  if (name == "float") name = "float32";
  if (name == "int") name = "int32";
  for (size_t i = 1; i + 1 < kDTypeCount; ++i) {
    const auto t = static_cast<DType>(i);
    if (name_of(t) == name || (t == DType::bool_ && name == "bool_")) { to = t; return true; }
  }
  return false;
}

void bind_dtypes(py::module_& m) {
  py::class_<DTypeObject> dtype(
      m, "dtype", "An element type: tg.float32. Wherever one is asked for, its name, NumPy's, or float, int and bool will do.");
  dtype.def_property_readonly("name", [](DTypeObject t) { return std::string(name_of(t.value)); }, "'float32'.")
      .def_property_readonly("itemsize", [](DTypeObject t) { return size_of(t.value); }, "Bytes of one element.")
      .def_property_readonly("is_floating_point", [](DTypeObject t) { return is_float(t.value); }, "Whether it is a float.")
      .def_property_readonly("dtype", [](DTypeObject t) {
        if (t.value == DType::bfloat16) throw py::attribute_error("NumPy has no bfloat16");
        return py::module_::import("numpy").attr("dtype")(std::string(name_of(t.value)));
      }, "NumPy's of the same name, so that numpy.dtype(tg.float32) is one.")
      .def("__repr__", [](DTypeObject t) { return "tg." + std::string(name_of(t.value)); })
      .def("__eq__", [](DTypeObject t, py::handle o) { DType other; return read_dtype(o, other) && other == t.value; })
      .def("__hash__", [](DTypeObject t) { return static_cast<int>(t.value); })
      .def("__reduce__", [](DTypeObject t) {
        return py::make_tuple(py::module_::import("tg").attr("dtype"), py::make_tuple(std::string(name_of(t.value))));
      })
      .def(py::init([](DType t) { return DTypeObject{t}; }), py::arg("name"));
  for (size_t i = 1; i + 1 < kDTypeCount; ++i) {
    const auto t = static_cast<DType>(i);
    m.attr(t == DType::bool_ ? "bool" : std::string(name_of(t)).c_str()) = DTypeObject{t};
  }
  m.def("promote_types", [](DType a, DType b) { return promote(a, b); }, "The smallest dtype that holds values of both.", py::arg("type1"),
        py::arg("type2"));
  py::class_<FloatInfo>(m, "finfo", "What a float dtype can hold, as numpy.finfo.")
      .def(py::init([](DType t) { return finfo(t); }), py::arg("dtype"))
      .def_property_readonly("dtype", [](const FloatInfo& i) { return DTypeObject{i.dtype}; }, "Of which this is said.")
      .def_readonly("bits", &FloatInfo::bits, "Of one element.")
      .def_readonly("eps", &FloatInfo::eps, "From 1 to the next larger number.")
      .def_readonly("max", &FloatInfo::max, "The largest finite number.")
      .def_readonly("min", &FloatInfo::min, "The smallest finite number.")
      .def_readonly("tiny", &FloatInfo::tiny, "The smallest positive normal number.")
      .def_readonly("smallest_normal", &FloatInfo::tiny, "The smallest positive normal number.")
      .def_readonly("smallest_subnormal", &FloatInfo::smallest_subnormal, "The smallest positive number.");
  py::class_<IntInfo>(m, "iinfo", "What an integer dtype can hold, as numpy.iinfo.")
      .def(py::init([](DType t) { return iinfo(t); }), py::arg("dtype"))
      .def_property_readonly("dtype", [](const IntInfo& i) { return DTypeObject{i.dtype}; }, "Of which this is said.")
      .def_readonly("bits", &IntInfo::bits, "Of one element.")
      .def_readonly("min", &IntInfo::min, "The smallest number.")
      .def_readonly("max", &IntInfo::max, "The largest number.");
}

namespace {
/// Each of the library's errors as a class of its own that is also what Python programs catch: ShapeError is a ValueError.
struct Errors {
  py::object base, shape, dtype, index, device, value, io, gradient, internal;
};
Errors* errors = nullptr;

py::object new_error(py::module_& m, const char* name, const char* doc, const py::object& bases) {
  auto error = py::reinterpret_steal<py::object>(PyErr_NewExceptionWithDoc(("tg." + std::string(name)).c_str(), doc, bases.ptr(), nullptr));
  m.attr(name) = error;
  return error;
}

/// What a message says in C++, and in Python: names of operations in front of it, and remedies.
using Words = std::pair<std::string_view, std::string_view>;
constexpr Words kFirst[] = {{"at: ", "x[...]: "}, {"set: ", "x[...] = ...: "}, {"set_requires_grad: ", "requires_grad: "}};
constexpr Words kWithin[] = {
    {"{.keep_graph = true}", "retain_graph=True"},
    {"{.seed = ...}", "gradient=..."},
    {"set_requires_grad()", "requires_grad_()"},
    {"tg::gradient(y, {x})", "tg.autograd.grad(y, x)"},
    {"do it while a NoGrad lives", "do it inside tg.no_grad()"},
    {"replacement = true", "replacement=True"},
    {"at(...)", "x[...]"},
    {"at(mask)", "x[mask]"},
    {"Dataset::in_batches", "collate_fn"},
    {", or add one with tg::register_device", ""},
};
std::string in_python(std::string text) {
  for (const auto& [cpp, python] : kFirst) if (text.starts_with(cpp)) text.replace(0, cpp.size(), python);
  for (const auto& [cpp, python] : kWithin)
    if (const size_t at = text.find(cpp); at != std::string::npos) text.replace(at, cpp.size(), python);
  return text;
}

void translate(std::exception_ptr p) {
  const auto raise = [](const py::object& type, const std::exception& e) { PyErr_SetString(type.ptr(), in_python(e.what()).c_str()); };
  try {
    if (p) std::rethrow_exception(p);
  } catch (const ShapeError& e) { raise(errors->shape, e);
  } catch (const DTypeError& e) { raise(errors->dtype, e);
  } catch (const IndexError& e) { raise(errors->index, e);
  } catch (const DeviceError& e) { raise(errors->device, e);
  } catch (const ValueError& e) { raise(errors->value, e);
  } catch (const IoError& e) { raise(errors->io, e);
  } catch (const GradientError& e) { raise(errors->gradient, e);
  } catch (const InternalError& e) { raise(errors->internal, e);
  } catch (const Error& e) { raise(errors->base, e); }
}
}  // namespace

namespace {
unsigned long main_thread = 0;  // the one that hears of signals

/// Ctrl-C, and whatever else a handler raises, ends a long computation.
void hear_signals() {
  if (PyThread_get_thread_ident() != main_thread) return;
  const py::gil_scoped_acquire lock;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}
}  // namespace

void bind_signals() {
  main_thread = py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
  set_interruption(&hear_signals);
}

void bind_errors(py::module_& m) {
  errors = new Errors;  // lives as long as the process: errors may be thrown while modules are taken down
  errors->base = new_error(m, "Error", "Base of everything that tg raises.", py::reinterpret_borrow<py::object>(PyExc_Exception));
  const auto add = [&](const char* name, PyObject* python, const char* doc) {
    return new_error(m, name, doc, py::make_tuple(errors->base, py::handle(python)));
  };
  errors->shape = add("ShapeError", PyExc_ValueError, "Sizes that do not fit together.");
  errors->dtype = add("DTypeError", PyExc_TypeError, "An element type that the operation has no meaning for.");
  errors->index = add("IndexError", PyExc_IndexError, "An index outside its axis.");
  errors->device = add("DeviceError", PyExc_RuntimeError, "An unknown device, or a failed allocation, compilation or launch.");
  errors->value = add("ValueError", PyExc_ValueError, "An argument outside its domain, an unknown option.");
  errors->io = add("IoError", PyExc_OSError, "A file that cannot be read, written or trusted.");
  errors->gradient = add("GradientError", PyExc_RuntimeError, "backward where it has no meaning.");
  errors->internal = add("InternalError", PyExc_RuntimeError, "A mistake in tg itself; please report it.");
  py::register_exception_translator(translate);
}

namespace {
/// Another name of an argument, NumPy's or PyTorch's: of all functions that have an argument of our name (and none of that one), or of
/// the ones named. Without a name of ours: what NumPy's functions hand to methods, or PyTorch's take, and must be None or False.
struct OtherName {
  const char *other, *own, *functions;
};
constexpr OtherName kOtherNames[] = {
    {"axis", "dim", ""},
    {"keepdims", "keepdim", ""},
    {"unbiased", "correction", "var std var_mean std_mean"},  // True and False are 1 and 0
    {"ddof", "correction", "var std"},
    {"dims", "dim", "flip"},
    {"dim", "dims", "roll"},
    {"axis", "dims", "roll"},
    {"dim", "dimension", "unfold"},
    {"axis", "dimension", "unfold"},
    {"axis1", "dim1", "diagonal"},
    {"axis2", "dim2", "diagonal"},
    {"shape", "size", "broadcast_to"},
    {"pad_width", "pad", "pad"},
    {"split_size_or_sections", "split_size", "split"},
    {"tensor", "input", "one_hot split"},
    {"unflattened_size", "sizes", "unflatten"},
    {"sections", "indices_or_sections", "tensor_split"},
    {"indices", "indices_or_sections", "tensor_split"},
    {"mat2", "other", "mm bmm"},
    {"vec", "other", "mv"},
    {"tensor", "other", "dot"},
    {"vec2", "other", "outer"},
    {"exponent", "other", "pow"},
    {"a", "input", "tensordot"},
    {"b", "other", "tensordot"},
    {"axes", "dims", "tensordot"},
    {"value", "src", "scatter"},
    {"running_mean", "mean", "batch_norm"},
    {"running_var", "var", "batch_norm"},
    {"obj", "data", "asarray"},
    {"ndarray", "data", "from_numpy"},
    {"out", nullptr, ""},
    {"dtype", nullptr, ""},
    {"inplace", nullptr, "relu relu6 leaky_relu elu celu selu silu mish hardswish hardsigmoid hardtanh threshold dropout"},
};

using Names = std::vector<std::pair<PyObject*, PyObject*>>;  // other, own or null
/// Of each function that has any, by the object that Python hands to it first.
std::unordered_map<PyObject*, Names>& other_names() { static auto& leaked = *new std::unordered_map<PyObject*, Names>; return leaked; }
PyCFunctionWithKeywords dispatcher = nullptr;  // pybind11's, the same for all functions

/// Where no overload takes the arguments and one of them is a whole number beyond 64 bits, the error is about that number.
void blame_large_number(PyObject*& result, PyObject* args, PyObject* keywords) {
  const auto blame = [&](py::handle value) {
    if (!is_too_large(value)) return;
    PyErr_Clear();
    Py_CLEAR(result);
    PyErr_SetString(errors->value.ptr(), too_large(value).c_str());
  };
  for (const py::handle value : py::reinterpret_borrow<py::tuple>(args)) blame(value);
  if (keywords) for (const auto& [name, value] : py::reinterpret_borrow<py::dict>(keywords)) blame(value);
}

/// What pybind11 says of arguments that no overload takes ends with their values; here it ends with what they are.
void describe_arguments(PyObject* args, PyObject* keywords) {
  py::error_scope raised;
  constexpr std::string_view kValues = "\n\nInvoked with: ";
  std::string text = raised.value ? std::string(py::str(py::handle(raised.value))) : "";
  const size_t end = text.find(kValues);
  if (end == std::string::npos || raised.type != PyExc_TypeError) return;
  const auto shown = [](py::handle value) {
    if (py::isinstance<Tensor>(value)) {
      const auto& t = value.cast<const Tensor&>();
      return "Tensor of " + std::string(name_of(t.dtype())) + " " + std::string(py::str(value.attr("shape")));
    }
    if (PyLong_Check(value.ptr()) || PyFloat_Check(value.ptr()) || value.is_none()) return std::string(py::repr(value));
    if (py::isinstance<py::str>(value) && py::len(value) < 40) return std::string(py::repr(value));
    return std::string(Py_TYPE(value.ptr())->tp_name);
  };
  std::vector<std::string> given;
  const bool constructor = text.find("incompatible constructor arguments") != std::string::npos;  // of what is there, but was not made
  const auto positional = py::reinterpret_borrow<py::tuple>(args);
  for (size_t i = constructor ? 1 : 0; i < positional.size(); ++i) given.push_back(shown(positional[i]));
  if (keywords)
    for (const auto& [name, value] : py::reinterpret_borrow<py::dict>(keywords))
      given.push_back(std::string(py::str(name)) + "=" + shown(value));
  text.resize(end);
  text += "\nGiven were: ";
  for (size_t i = 0; i < given.size(); ++i) text += (i ? ", " : "") + given[i];
  Py_XDECREF(std::exchange(raised.value, py::str(text).release().ptr()));
}

/// Calls it with {"axis": 1, "out": None} as {"dim": 1}.
PyObject* renaming(PyObject* self, PyObject* args, PyObject* keywords) {
  py::object renamed;
  for (const auto& [other, own] : keywords ? other_names().at(self) : Names()) {
    PyObject* value = PyDict_GetItem(keywords, other);
    if (!value || (own && PyDict_Contains(keywords, own))) continue;
    if (!own && value != Py_None && value != Py_False) {
      PyErr_Format(PyExc_TypeError, "%U= must be None: a function gives a new tensor; write it with x[...] = ..., or convert it with "
                   "x.to()", other);
      return nullptr;
    }
    if (!renamed) renamed = py::reinterpret_steal<py::object>(PyDict_Copy(keywords));
    keywords = renamed.ptr();
    if (own) PyDict_SetItem(keywords, own, value);
    PyDict_DelItem(keywords, other);
  }
  PyObject* result = dispatcher(self, args, keywords);
  if ((!result && PyErr_ExceptionMatches(PyExc_TypeError)) || result == Py_NotImplemented) blame_large_number(result, args, keywords);
  if (!result) describe_arguments(args, keywords);
  return result;
}

Names names_of(py::handle function) {
  const std::string doc = py::str(function.attr("__doc__")), name = " " + std::string(py::str(function.attr("__name__"))) + " ";
  const auto has = [&](const char* argument) { return doc.find(argument + std::string(": ")) != std::string::npos; };
  const auto interned = [](const char* s) { return s ? PyUnicode_InternFromString(s) : nullptr; };
  Names out;
  for (const auto& [other, own, functions] : kOtherNames)
    if (*functions ? (!own || has(own)) && (" " + std::string(functions) + " ").find(name) != std::string::npos
                   : !has(other) && (!own || has(own)))
      out.emplace_back(interned(other), interned(own));
  return out;
}
}  // namespace

void accept_other_names(Api& api) {
  py::list all;
  for (const auto& [other, own, functions] : kOtherNames)
    if (own) all.append(py::make_tuple(other, own, functions));
  api.module.attr("_other_names") = all;
  const auto wrap = [](py::handle scope, bool renamed) {
    for (const py::handle value : py::dict(scope.attr("__dict__")).attr("values")()) {
      PyObject* f = value.ptr();
      if (PyObject_TypeCheck(f, &PyStaticMethod_Type)) f = py::object(value.attr("__func__")).ptr();
      if (PyInstanceMethod_Check(f)) f = PyInstanceMethod_GET_FUNCTION(f);
      if (!PyCFunction_Check(f)) continue;
      PyMethodDef& method = *reinterpret_cast<PyCFunctionObject*>(f)->m_ml;
      const bool named = method.ml_flags & METH_KEYWORDS;
      if (!named || !other_names().emplace(PyCFunction_GET_SELF(f), renamed ? names_of(f) : Names()).second) continue;
      dispatcher = reinterpret_cast<PyCFunctionWithKeywords>(reinterpret_cast<void (*)()>(method.ml_meth));
      method.ml_meth = reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(renaming));
    }
  };
  wrap(api.module, true);
  wrap(api.tensor, true);
  for (const py::handle value : py::dict(api.module.attr("__dict__")).attr("values")()) if (PyType_Check(value.ptr())) wrap(value, false);
}

}  // namespace tg::python

PYBIND11_MODULE(_tg, m) {
  using namespace tg::python;
  m.doc() = "Tensors, automatic differentiation and a compiler.";
  m.attr("__module__") = "tg";  // what classes and functions say they belong to
  bind_dtypes(m);
  bind_errors(m);
  bind_signals();
  Api api{m, Class(m, "Tensor", "An n-dimensional array that knows how it was computed. Operations are lazy until a value is asked for.",
                   py::dynamic_attr(), py::custom_type_setup(enable_buffer))};
  bind_tensor(api);
  bind_creation(api);
  bind_random(api);
  bind_elementwise(api);
  bind_functions(api);
  bind_arrangements(api);
  bind_statistics(api);
  bind_network(api);
  bind_indexing(api);
  bind_sharing(api);
  bind_spellings(api);
  bind_data(m);
  bind_nn(m);
  bind_recurrent(m);
  bind_transforms(m);
  accept_other_names(api);
}
