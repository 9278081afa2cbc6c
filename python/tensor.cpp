// class Tensor: what it is, its value, gradients, conversions. Elementwise, reducing and moving methods are in the files beside.
//
//   in:  x = tg.Tensor([[1, 2], [3, 4]]); x.double().item()      out: calls of Tensor::from_memory, cast and item
#include "python/bind.hpp"
#include "tg/settings.hpp"

namespace tg::python {

namespace {

IntegerTuple shape_of(const Tensor& x) { return {x.shape()}; }
/// A NumPy array of the tensor's own memory, read-only; what NumPy has no dtype for, as float32.
py::object numpy_array(const Tensor& x) {
  const Tensor standard = x.dtype() == DType::bfloat16 ? x.cast(DType::float32) : x;
  released([&] { (void)standard.realize(); });  // what it throws arrives as it is, which a buffer's errors do not
  return py::module_::import("numpy").attr("asarray")(py::module_::import("builtins").attr("memoryview")(standard));
}
/// The value of a tensor with one element as Python's number, for int(x) and float(x).
py::object number(const Tensor& x) { return py::cast(released([&] { return x.item(); })); }

void bind_description(Class& c) {
  c.def_property_readonly("shape", shape_of, "The sizes, a tuple.")
      .def_property_readonly("ndim", &Tensor::rank, "The number of axes.")
      .def_property_readonly("dtype", [](const Tensor& x) { return DTypeObject{x.dtype()}; }, "The element type.")
      .def_property_readonly("device", &Tensor::device, "The device's name: 'cpu'.")
      .def_property_readonly("is_leaf", &Tensor::is_leaf, "Whether it has no history.")
      .def_property_readonly("T", [](const Tensor& x) { return x.T(); }, "All axes reversed.")
      .def("dim", &Tensor::rank, "The number of axes.")
      .def("numel", &Tensor::numel, "The number of elements.")
      .def("element_size", [](const Tensor& x) { return size_of(x.dtype()); }, "Bytes of one element.")
      .def("is_floating_point", [](const Tensor& x) { return is_float(x.dtype()); }, "Whether the elements are floats.")
      .def("size", shape_of, "The shape.")
      .def("size", &Tensor::size, "The size along an axis.", py::arg("dim"))
      .def("__len__", [](const Tensor& x) {
        if (x.rank() == 0) throw py::type_error("len() of a tensor without axes");
        return x.size(0);
      });
}

void bind_values(Class& c) {
  c.def("realize", [](const Tensor& x) { return x.realize(); }, "Computes the value, once; the tensor itself.", Released())
      .def("item", [](const Tensor& x) { return x.item(); }, "The value of a tensor with one element as a Python number.", Released())
      .def("tolist", [](const Tensor& x) { return nested_lists(x); }, "The elements as nested lists; a number where there are no axes.")
      .def("numpy", numpy_array, "The elements as a NumPy array of the tensor's own memory, read-only (bfloat16 as float32).")
      .def("__array__", [](const Tensor& x, const py::object& dtype, const py::args&, const py::kwargs&) {
        const py::object own = numpy_array(x);
        return dtype.is_none() ? own : own.attr("astype")(dtype);
      }, py::arg("dtype") = py::none())
      .def("__bool__", [](const Tensor& x) { return static_cast<bool>(x); }, Released())
      .def("__float__", [](const Tensor& x) { return py::float_(number(x)); })
      .def("__int__", [](const Tensor& x) { return py::int_(number(x)); })
      .def("__index__", [](const Tensor& x) {
        if (is_float(x.dtype())) throw py::type_error("only tensors of integers can be an index");
        return py::int_(number(x));
      })
      .def("__format__", [](const py::object& x, const std::string& format) {
        const auto& t = x.cast<const Tensor&>();
        return format.empty() ? py::object(py::str(x)) : py::module_::import("builtins").attr("format")(number(t), format);
      })
      .def("__reversed__", [](const Tensor& x) { return x.flip(0); }, Released())
      .def("__str__", &Tensor::str, Released())
      .def("__repr__", &Tensor::repr, Released());
  c.attr("__array_priority__") = 1000;  // numpy_array + tensor is a tensor
}

void bind_gradients(Class& c) {
  c.def_property("requires_grad", &Tensor::requires_grad, [](Tensor& x, bool on) { released([&] { x.set_requires_grad(on); }); },
                 "Whether backward() reaches it; setting it makes it a leaf.")
      .def("requires_grad_", &Tensor::set_requires_grad, "Makes it a leaf whose grad backward() fills; the tensor itself.", Released(),
           py::arg("requires_grad") = true, py::return_value_policy::reference)
      .def_property("grad", [](const Tensor& x) { return x.has_grad() ? std::optional(x.grad()) : std::nullopt; },
                    [](Tensor& x, const std::optional<Tensor>& g) { x.set_grad(g.value_or(Tensor())); },
                    "The gradients that backward() has added up, or None.")
      .def("backward", [](const Tensor& x, const std::optional<Tensor>& gradient, bool retain_graph, bool create_graph) {
        x.backward({.seed = gradient.value_or(Tensor()), .keep_graph = retain_graph, .create_graph = create_graph});
      },
          "d(this)/d(leaf), added to the grad of every leaf below that requires one. A tensor of more elements than one needs "
         "`gradient`, of its shape. Its history is dropped unless retain_graph.", Released(), py::arg("gradient") = py::none(),
         py::arg("retain_graph") = false, py::arg("create_graph") = false)
      .def("zero_grad", &Tensor::zero_grad, "Removes the gradient.")
      .def("detach", &Tensor::detach, "The same value, through which no gradient passes.", Released())
      .def("clone", &Tensor::clone, "The same value, gradient included, as a tensor of its own.", Released());
}

void bind_conversions(Class& c) {
  c.def(
       "to", [](const Tensor& x, DType t, bool) { return x.cast(t); },
       "Converted to a dtype, or on another device; non_blocking changes nothing.", Released(), py::arg("dtype"),
       py::arg("non_blocking") = false)
      .def(
          "to", [](const Tensor& x, const std::string& device, DType t, bool) { return (t == DType::void_ ? x : x.cast(t)).to(device); },
          Released(), py::arg("device"), py::arg("dtype") = py::none(), py::arg("non_blocking") = false)
      .def("to", [](const Tensor& x, const Tensor& other) { return x.cast(other.dtype()).to(other.device()); },
           "Of the dtype and on the device of another tensor.", Released(), py::arg("other"))
      .def("cast", &Tensor::cast, "Converted: floats to integers truncate and saturate, nan to 0.", Released(), py::arg("dtype"))
      .def("type", &Tensor::cast, "As cast.", Released(), py::arg("dtype"))
      .def("astype", &Tensor::cast, "As cast.", Released(), py::arg("dtype"))
      .def("bitcast", &Tensor::bitcast, "The same bits as a dtype of the same size.", Released(), py::arg("dtype"))
      .def("cpu", [](const Tensor& x) { return x.to("cpu"); }, "On the device 'cpu'.", Released())
      .def("contiguous", &Tensor::contiguous, "A point at which the value is stored, in row-major order.", Released());
  constexpr std::pair<const char*, DType> names[] = {
      {"bool", DType::bool_}, {"char", DType::int8}, {"short", DType::int16}, {"int", DType::int32}, {"long", DType::int64},
      {"byte", DType::uint8},
                                                     {"half", DType::float16},  {"bfloat16", DType::bfloat16}, {"float", DType::float32},
                                                     {"double", DType::float64}};
  for (const auto& [name, dtype] : names)
    c.def(
        name, [dtype = dtype](const Tensor& x) { return x.cast(dtype); }, ("Converted to " + std::string(name_of(dtype)) + ".").c_str(),
        Released());
}

void bind_settings(py::module_& m) {
  struct Scope {
    SettingsOptions options;
    std::vector<std::unique_ptr<WithSettings>> open;
  };
  py::class_<Scope>(m, "_Settings", "While one is entered, this thread has these settings; what is not given stays as it is.")
      .def(py::init([](std::optional<std::string> device, std::optional<bool> eager, std::optional<int> debug) {
        return Scope{{.device = std::move(device), .eager = eager, .debug = debug}, {}};
      }), py::kw_only(), py::arg("device") = py::none(), py::arg("eager") = py::none(), py::arg("debug") = py::none())
      .def("__enter__", [](Scope& s) { s.open.push_back(std::make_unique<WithSettings>(s.options)); })
      .def("__exit__", [](Scope& s, const py::args&) { s.open.pop_back(); });
}

}  // namespace

void bind_tensor(Api& api) {
  Class& c = api.tensor;
  c.def(py::init([](const py::object& data, DType dtype, const std::optional<std::string>& device, bool requires_grad) {
    return tensor_of(data, tensor_options(dtype, device, requires_grad));
  }),
      "From nested lists, a number, an array or a tensor; the elements are copied. Lists with a float give float32, of whole numbers "
      "int32 (int64 where they do not fit), of bools bool.",
      py::arg("data"), py::kw_only(), py::arg("dtype") = py::none(), py::arg("device") = py::none(),
      py::arg("requires_grad") = false);
  bind_description(c);
  bind_values(c);
  bind_gradients(c);
  bind_conversions(c);
  api.module.def("is_grad_enabled", &grad_enabled, "Whether operations on this thread record history.");
  api.module.def("_set_grad_enabled", &set_grad_enabled, "Whether they do from now on; whether they did.", py::arg("mode"));
  bind_settings(api.module);
  api.module.def("realize", [](const py::args& tensors) {
    std::vector<Tensor> all;
    for (const py::handle t : tensors) all.push_back(t.cast<Tensor>());
    released([&] { realize(all); });
  }, "Computes several values at once, so that they share kernels.");
  api.module.def(
      "gradient",
      [](const Tensor& y, const std::vector<Tensor>& wrt, const std::optional<Tensor>& seed, bool retain, bool create) {
    return gradient(y, wrt, {.seed = seed.value_or(Tensor()), .keep_graph = retain, .create_graph = create});
  },
      "d(output)/d(each of inputs) without touching any grad; zeros where output does not depend on one.", Released(), py::arg("output"),
      py::arg("inputs"),
     py::arg("grad_output") = py::none(), py::arg("retain_graph") = false, py::arg("create_graph") = false);
  api.module.def("explain", &explain,
                 "How a tensor's value will be computed, as text. part: graph, gradient, schedule, loops, source, rewrites or all.",
                 Released(), py::arg("tensor"), py::arg("part") = "all");
}

}  // namespace tg::python
