// PyTorch's further names of what there is already: no function here does more than one of the others.
//
//   in:  x.t(), x.select(0, 1), x.new_zeros(3)      out: x.T, x[1], Tensor::zeros({3}, x's dtype and device)
#include "python/bind.hpp"

namespace tg::python {

namespace {

int axis_of(const Tensor& x, int dim, const char* function) {
  if (dim < -x.rank() || dim >= x.rank())
    throw IndexError(std::string(function) + ": axis " + std::to_string(dim) + " is out of range for " + std::to_string(x.rank()) +
                     " axes");
  return dim < 0 ? dim + x.rank() : dim;
}
/// x[:, ..., key] at an axis: a part, which is written to as one.
py::object part(const py::object& x, int axis, const py::object& key) {
  py::tuple keys(static_cast<size_t>(axis) + 1);
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = py::slice(std::nullopt, std::nullopt, std::nullopt);
  keys[static_cast<size_t>(axis)] = key;
  return x.attr("__getitem__")(keys);
}
/// Some axes at other places, the others in their order.
Tensor moved(const Tensor& x, const Shape& from, const Shape& to) {
  if (from.sizes.size() != to.sizes.size())
    throw ValueError("movedim: " + std::to_string(from.sizes.size()) + " axes to " + std::to_string(to.sizes.size()) +
                     " places; there must be as many");
  constexpr int kOther = -1;
  std::vector<int> axes(static_cast<size_t>(x.rank()), kOther), moving;
  for (size_t i = 0; i < from.sizes.size(); ++i) {
    moving.push_back(axis_of(x, static_cast<int>(from.sizes[i]), "movedim"));
    axes[static_cast<size_t>(axis_of(x, static_cast<int>(to.sizes[i]), "movedim"))] = moving.back();
  }
  int next = 0;
  for (int& axis : axes)
    if (axis == kOther) {
      while (std::find(moving.begin(), moving.end(), next) != moving.end()) ++next;
      axis = next++;
    }
  return x.permute(axes);
}

void bind_parts(Api& api) {
  const auto dim = py::arg("dim");
  both_locked(api, "select", [](const py::object& x, int axis, int64_t index) {
    return part(x, axis_of(x.cast<const Tensor&>(), axis, "select"), py::int_(index));
  }, "x[index] at an axis.", dim, py::arg("index"));
  both_locked(api, "narrow", [](const py::object& x, int axis, int64_t start, int64_t length) {
    return part(x, axis_of(x.cast<const Tensor&>(), axis, "narrow"), py::slice(start, start + length, std::nullopt));
  }, "x[start:start + length] at an axis.", dim, py::arg("start"), py::arg("length"));
  both_locked(api, "unbind", [](const py::object& x, int axis) {
    const auto& t = x.cast<const Tensor&>();
    axis = axis_of(t, axis, "unbind");
    std::vector<py::object> parts;
    for (int64_t i = 0; i < t.size(axis); ++i) parts.push_back(part(x, axis, py::int_(i)));
    return parts;
  }, "All x[i] of an axis.", py::arg("dim") = 0);
}

void bind_views(Api& api) {
  const auto other = py::arg("other");
  both(api, "t", &Tensor::t, "A matrix transposed; vectors as they are.");
  both(api, "ravel", [](const Tensor& x) { return x.flatten(); }, "As flatten.");
  for (const auto& [name, first, second] : {std::tuple("swapaxes", "axis0", "axis1"), {"swapdims", "dim0", "dim1"}})
    both(api, name, [](const Tensor& x, int a, int b) { return x.transpose(a, b); }, "As transpose.", py::arg(first), py::arg(second));
  for (const char* name : {"movedim", "moveaxis"})
    both(api, name, &moved, "An axis, or several, to another place, the others in their order.", py::arg("source"), py::arg("destination"));
  constexpr std::pair<const char*, const char*> same[] = {
      {"expand_dims", "unsqueeze"}, {"argwhere", "nonzero"}, {"vdot", "dot"}, {"ger", "outer"}};
  for (const auto& [alias, name] : same) {
    api.tensor.attr(alias) = api.tensor.attr(name);
    api.module.attr(alias) = api.module.attr(name);
  }
  for (const auto& [alias, name] : {std::pair("concatenate", "cat"), {"row_stack", "vstack"}, {"identity", "eye"}})
    api.module.attr(alias) = api.module.attr(name);
  for (const char* name : {"clone", "detach", "numel", "is_floating_point"})
    api.module.def(name, [f = py::str(name)](const py::object& x) { return x.attr(f)(); }, "As the method.", py::arg("input"));
  both(api, "flipud", [](const Tensor& x) { return x.flip(0); }, "Backward along the first axis.");
  both(api, "fliplr", [](const Tensor& x) { return x.flip(1); }, "Backward along the second axis.");
  api.module.def("where", [where = api.module.attr("nonzero")](const Tensor& condition) { return py::tuple(where(condition, true)); },
                 "Of a condition alone: where it is not 0, a vector an axis; read at once.", py::arg("condition"));
  Class& c = api.tensor;
  c.def("__divmod__", [](const Tensor& x, const Operand& y) { return std::pair(floor_div(x, y), mod(x, y)); }, Released());
  c.def("copy", &Tensor::clone, "As clone.", Released());
  c.def_property_readonly(
      "nbytes", [](const Tensor& x) { return x.numel() * static_cast<int64_t>(size_of(x.dtype())); }, "Bytes of all elements.");
  c.def_property_readonly("itemsize", [](const Tensor& x) { return size_of(x.dtype()); }, "Bytes of one element.");
  c.def("__contains__", [](const Tensor& x, const Operand& value) { return static_cast<bool>((x == value).any()); }, Released());
  const auto data = [](const py::object& x) {
    const NoGrad none;
    return x.attr("__getitem__")(py::ellipsis());
  };
  c.def_property("data", data, [](Tensor& x, const Tensor& value) { x.assign(value); },
                 "The value without its history, as a part of the tensor: what is written to it is written to the tensor.");
  c.def_property_readonly("mT", [](const Tensor& x) { return x.transpose(-2, -1); }, "The last two axes exchanged.")
      .def("view_as", [](const Tensor& x, const Tensor& y) { return x.reshape(y.shape()); }, "In another's shape.", Released(), other)
      .def("reshape_as", [](const Tensor& x, const Tensor& y) { return x.reshape(y.shape()); }, "In another's shape.", Released(), other)
      .def("expand_as", [](const Tensor& x, const Tensor& y) { return x.expand(y.shape()); }, "Expanded to another's shape.", Released(),
           other)
      .def("type_as", [](const Tensor& x, const Tensor& y) { return x.cast(y.dtype()); }, "In another's dtype.", Released(), other)
      .def("ndimension", &Tensor::rank, "The number of axes.")
      .def("nelement", &Tensor::numel, "The number of elements.");
}

/// x.new_zeros(2, 3): as tg.zeros(2, 3), of x's dtype and device unless told.
void bind_new(Api& api) {
  const auto options = [](const Tensor& x, DType dtype, const std::optional<std::string>& device, bool grad) {
    return tensor_options(dtype == DType::void_ ? x.dtype() : dtype, device.value_or(x.device()), grad);
  };
  const auto dtype = py::arg("dtype") = py::none(), device = py::arg("device") = py::none(), grad = py::arg("requires_grad") = false;
  constexpr const char* doc = "As the function without new_, of this dtype and on this device unless told.";
  using Device = std::optional<std::string>;
  for (const auto& [name, value] : {std::pair("new_zeros", 0), {"new_ones", 1}, {"new_empty", 0}})
    api.tensor.def(name, [=, value = value, name = name](const Tensor& x, const py::args& size, DType t, const Device& d, bool g) {
      const Sizes s = sizes_of(size, name);
      return released([&] { return Tensor::full(s, value, options(x, t, d, g)); });
    }, doc, dtype, device, grad);
  for (const auto& [name, value] : {std::pair("new_zeros", 0), {"new_ones", 1}, {"new_empty", 0}})
    api.tensor.def(name, [=, value = value](const Tensor& x, const Shape& size, DType t, const Device& d, bool g) {
      return Tensor::full(size.sizes, value, options(x, t, d, g));
    }, "", Released(), py::kw_only(), py::arg("size"), dtype, device, grad);
  api.tensor
      .def("new_full", [=](const Tensor& x, const Shape& size, const Scalar& value, DType t, const Device& d, bool g) {
        return Tensor::full(size.sizes, value, options(x, t, d, g));
      }, doc, Released(), py::arg("size"), py::arg("fill_value"), py::kw_only(), dtype, device, grad)
      .def("new_tensor", [=](const Tensor& x, const py::object& data, DType t, const Device& d, bool g) {
        return tensor_of(data, options(x, t, d, g));
      }, doc, py::arg("data"), py::kw_only(), dtype, device, grad);
}

}  // namespace

void bind_spellings(Api& api) {
  bind_parts(api);
  bind_views(api);
  bind_new(api);
}

}  // namespace tg::python
