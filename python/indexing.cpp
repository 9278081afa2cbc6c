// Reading and writing parts: x[key], x[key] = v, x[i][j] += 1, x += y, x.assign(y).
//
//   in:  row = x[0]; row *= 2      out: Tensor::at, then Tensor::operator*= on the part, then Tensor::set_at of the part into x
//
// A part that integers and slices pick remembers where it came from (the attribute _of), so that what is written to it is written there.
#include "python/bind.hpp"

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

/// x.name(value), which changes x and returns it.
template <class Value, class... Extra>
void writing(Class& c, const char* name, Tensor& (*write)(Tensor&, const Value&), const char* doc, const Extra&... extra) {
  c.def(name, [write](py::object x, const Value& v) {
    auto& tensor = x.cast<Tensor&>();
    released([&] { write(tensor, v); });
    write_through(x);
    return x;
  }, doc, extra...);
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
    if (!operand.load(value, true))
          throw py::type_error("a tensor, number or array can be written, not " + py::repr(value).cast<std::string>());
    set(x, key, operand);
    write_through(x);
  }, py::arg("key"), py::arg("value"));
  c.def("__iter__", [](const py::object& x) {
    if (x.cast<const Tensor&>().rank() == 0) throw py::type_error("iteration over a tensor without axes");
    return py::reinterpret_steal<py::iterator>(PySeqIter_New(x.ptr()));
  });

  using Update = Tensor& (*)(Tensor&, const Operand&);
  const auto operation = [&](const char* symbol, const char* method, Update f, const char* doc) {
    writing(c, symbol, f, "", py::is_operator(), py::arg("other"));
    writing(c, method, f, doc, py::arg("other"));
  };
  operation("__iadd__", "add_", [](Tensor& x, const Operand& y) -> Tensor& { return x += y; }, "x += other.");
  operation("__isub__", "sub_", [](Tensor& x, const Operand& y) -> Tensor& { return x -= y; }, "x -= other.");
  operation("__imul__", "mul_", [](Tensor& x, const Operand& y) -> Tensor& { return x *= y; }, "x *= other.");
  operation("__itruediv__", "div_", [](Tensor& x, const Operand& y) -> Tensor& { return x /= y; }, "x /= other.");
  const auto assign = +[](Tensor& x, const Operand& y) -> Tensor& { return x.assign(y); };
  constexpr const char* doc =
      "This tensor has the value from now on, converted and broadcast to its dtype and shape; no history is recorded. The tensor itself.";
  for (const char* name : {"assign", "copy_", "fill_"}) writing(c, name, assign, doc, py::arg("value"));
  c.def("zero_", [](const py::object& x) { return x.attr("assign")(0); }, "This tensor is all zeros from now on. The tensor itself.");
}

}  // namespace tg::python
