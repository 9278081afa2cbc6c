// Reading and writing parts: x[key], x[key] = v, x[i][j] += 1, x += y, x.exp_(), x.assign(y).
//
//   in:  row = x[0]; row *= 2      out: Tensor::at, then Tensor::operator*= on the part, then Tensor::set_at of the part into x
//
// A part that integers and slices pick remembers where it came from (the attribute _of), so that what is written to it is written there.
#include <limits>

#include "python/bind.hpp"
#include "python/numbers.hpp"

namespace tg::python {

namespace {

bool basic(const Indices& indices) {
  return std::none_of(indices.list.begin(), indices.list.end(), [](const Index& i) { return i.kind == Index::Kind::Tensor; });
}
/// (whole, key) of a part, or none.
std::optional<std::pair<py::object, py::object>> origin(const py::object& part) {
  if (!py::hasattr(part, "_of")) return {};
  const py::tuple of = part.attr("_of");
  return std::pair<py::object, py::object>(of[0], of[1]);
}
void set(const py::object& whole, const py::object& key, const Operand& value) {
  auto& x = whole.cast<Tensor&>();
  const Indices indices = indices_of(key, x);
  released([&] { x.set_at(indices.list, value); });
}
/// What was written to a part, in the tensors that it is a part of.
void write_through(py::object part) {
  for (auto of = origin(part); of; of = origin(part)) {
    set(of->first, of->second, part.cast<const Tensor&>());
    part = of->first;
  }
}

/// x.name(...), which changes x and returns it.
template <class Write>
py::object written(py::object x, Write write) {
  auto& tensor = x.cast<Tensor&>();
  released([&] { write(tensor); });
  write_through(x);
  return x;
}
template <class... Arguments, class... Extra>
void writing(Class& c, const char* name, Tensor& (Tensor::*write)(Arguments...), const char* doc, const Extra&... extra) {
  c.def(name, [write](const py::object& x, Arguments... arguments) {
    return written(x, [&](Tensor& t) { (t.*write)(arguments...); });
  }, doc, extra...);
}

/// x.add_(y), x.exp_(): what x.add(y) and x.exp() are, written into x. PyTorch's names.
void bind_in_place(Class& c) {
  const auto other = py::arg("other"), dim = py::arg("dim"), index = py::arg("index");
  constexpr const char* doc = "The function without underline, written into this tensor, whose dtype and shape stay. The tensor itself.";
#define UNARY(kind, name, ...) UNARY_##kind(name)
#define UNARY_Real(name) writing(c, #name "_", &Tensor::name##_, doc);
#define UNARY_Same(name) UNARY_Real(name)
#define UNARY_Bits(name) UNARY_Real(name)
#define UNARY_Truth(name)
#include "tg/unary.def"
  struct Row {
    const char* name;
    Tensor& (Tensor::*write)(const Operand&);
    const char* python = nullptr;  // the operator's name
  };
  constexpr Row rows[] = {
      {"add_", &Tensor::add_, "__iadd__"},
      {"sub_", &Tensor::sub_, "__isub__"},
      {"mul_", &Tensor::mul_, "__imul__"},
      {"div_", &Tensor::div_, "__itruediv__"},
      {"floor_divide_", &Tensor::floor_div_, "__ifloordiv__"},
      {"remainder_", &Tensor::mod_, "__imod__"},
      {"pow_", &Tensor::pow_, "__ipow__"},
      {"bitwise_and_", &Tensor::bitwise_and_, "__iand__"},
      {"bitwise_or_", &Tensor::bitwise_or_, "__ior__"},
      {"bitwise_xor_", &Tensor::bitwise_xor_, "__ixor__"},
      {"bitwise_left_shift_", &Tensor::left_shift_, "__ilshift__"},
      {"bitwise_right_shift_", &Tensor::right_shift_, "__irshift__"},
      {"fmod_", &Tensor::fmod_},
      {"atan2_", &Tensor::atan2_},
      {"hypot_", &Tensor::hypot_},
      {"copysign_", &Tensor::copysign_},
      {"nextafter_", &Tensor::nextafter_},
  };
  for (const Row& row : rows) {
    writing(c, row.name, row.write, doc, other);
    if (row.python) writing(c, row.python, row.write, "", py::is_operator(), other);
  }
  writing(c, "lerp_", &Tensor::lerp_, doc, py::arg("end"), py::arg("weight"));
  c.def("clamp_", [](const py::object& x, std::optional<double> min, std::optional<double> max) {
    const double infinity = std::numeric_limits<double>::infinity();
    const ClampOptions o{.min = min.value_or(-infinity), .max = max.value_or(infinity)};
    return written(x, [&](Tensor& t) { t.clamp_(o); });
  }, doc, py::arg("min") = py::none(), py::arg("max") = py::none());
  c.def("clamp_", [](const py::object& x, const std::optional<Tensor>& min, const std::optional<Tensor>& max) {
    return written(x, [&](Tensor& t) { t.clamp_(min.value_or(Tensor()), max.value_or(Tensor())); });
  }, doc, py::arg("min") = py::none(), py::arg("max") = py::none());
  using Scaled = Tensor& (Tensor::*)(const Operand&, const ScaleOptions&);
  for (const auto& [name, write] : {std::pair("add_", Scaled(&Tensor::add_)), std::pair("sub_", Scaled(&Tensor::sub_))})
    c.def(name, [write = write](const py::object& x, const Operand& b, const Scalar& alpha) {
      return written(x, [&](Tensor& t) { (t.*write)(b, {.alpha = alpha}); });
    }, doc, other, py::kw_only(), py::arg("alpha"));
  writing(c, "masked_fill_", &Tensor::masked_fill_, doc, py::arg("mask"), py::arg("value"));
  c.def("scatter_", [](const py::object& x, int axis, const Tensor& at, const Operand& v, const std::optional<std::string>& mode) {
    return written(x, [&](Tensor& t) { t.copy_(scatter(t, axis, at, v, mode ? scatter_mode(*mode) : Scatter::Set)); });
  }, doc, dim, index, py::arg("src"), py::kw_only(), py::arg("reduce") = py::none());
  writing(c, "scatter_add_", &Tensor::scatter_add_, doc, dim, index, py::arg("src"));
  c.def("index_add_", [](const py::object& x, int axis, const Tensor& at, const Tensor& v, double alpha) {
    return written(x, [&](Tensor& t) { t.copy_(index_add(t, axis, at, v, alpha)); });
  }, doc, dim, index, py::arg("source"), py::kw_only(), py::arg("alpha") = 1.0);
  writing(c, "copy_", &Tensor::copy_, "The value, converted and broadcast to this tensor's dtype and shape. The tensor itself.",
          py::arg("src"));
  writing(c, "fill_", &Tensor::fill_, "The value everywhere. The tensor itself.", py::arg("value"));
  writing(c, "zero_", &Tensor::zero_, "Zeros everywhere. The tensor itself.");
  writing(c, "assign", &Tensor::assign,
          "This tensor has the value from now on, converted and broadcast to its dtype and shape; no history is recorded. The tensor "
          "itself.", py::arg("value"));
}

}  // namespace

void bind_indexing(Api& api) {
  Class& c = api.tensor;
  c.def("__getitem__", [](const py::object& x, const py::object& key) {
    const auto& tensor = x.cast<const Tensor&>();
    const Indices indices = indices_of(key, tensor);
    py::object part = py::cast(released([&] { return tensor.at(indices.list); }));
    if (basic(indices)) part.attr("_of") = py::make_tuple(x, key);
    return part;
  }, "x[i], x[1:3], x[..., None], x[[0, 2]], x[mask]: NumPy's rules.", py::arg("key"));
  c.def("__setitem__", [](const py::object& x, const py::object& key, const py::object& value) {
    if (const auto of = origin(value); of && of->first.is(x) && of->second.is(key)) return;  // x[key] += 1 has written already
    py::detail::type_caster<Operand> operand;
    if (PyList_Check(value.ptr()) || PyTuple_Check(value.ptr())) {
      const auto& whole = x.cast<const Tensor&>();
      set(x, key, tensor_of(value, {.dtype = whole.dtype(), .device = whole.device()}));
    } else if (operand.load(value, true)) set(x, key, operand);
    else if (is_too_large(value)) throw ValueError("x[...] = ...: " + too_large(value));
    else throw py::type_error("a tensor, number, array or list can be written, not " + py::repr(value).cast<std::string>());
    write_through(x);
  }, py::arg("key"), py::arg("value"));
  c.def("__iter__", [](const py::object& x) {
    if (x.cast<const Tensor&>().rank() == 0) throw py::type_error("iteration over a tensor without axes");
    return py::reinterpret_steal<py::iterator>(PySeqIter_New(x.ptr()));
  });
  bind_in_place(c);
}

}  // namespace tg::python
