// Python's data as tensors and back: nested lists, numbers, arrays, the keys of x[...].
//
//   in:  [[1, 2], [3, 4.5]]      out: float32 (2, 2), and again lists from tolist()
#include <cstring>

#include "python/bind.hpp"
#include "python/numbers.hpp"
#include "tensor/impl.hpp"

namespace tg::python {

namespace {

/// A list of lists, flattened: its shape from its first elements, and its elements in row-major order.
struct Nested {
  Sizes shape;
  std::vector<py::object> numbers;

  explicit Nested(py::handle data) {
    for (py::object at = py::reinterpret_borrow<py::object>(data); is_list(at);) {
      const py::sequence list(at);
      shape.push_back(static_cast<int64_t>(list.size()));
      if (list.empty()) break;
      if (shape.size() > 32) throw ShapeError("Tensor: lists in lists, more than the 32 deep that a tensor has axes");
      at = list[0];
    }
    read(data, "the data", 0);
  }

 private:
  static bool is_list(py::handle h) { return PyList_Check(h.ptr()) || PyTuple_Check(h.ptr()) || PyRange_Check(h.ptr()); }
  void read(py::handle data, const std::string& where, size_t depth) {
    const bool list = depth < shape.size();
    if (is_list(data) != list)
      throw ShapeError("Tensor: " + where +
                       (list ? " is a number where its neighbours are lists" : " is a list where its neighbours are numbers"));
    if (!list) { numbers.push_back(py::reinterpret_borrow<py::object>(data)); return; }
    const py::sequence elements(py::reinterpret_borrow<py::object>(data));
    if (static_cast<int64_t>(elements.size()) != shape[depth])
      throw ShapeError("Tensor: " + where + " has " + std::to_string(elements.size()) + " elements where its neighbours have " +
                       std::to_string(shape[depth]) + "; lists at one depth must be of one length");
    for (size_t i = 0; i < elements.size(); ++i) read(elements[i], where + "[" + std::to_string(i) + "]", depth + 1);
  }
};

Scalar number_of(py::handle h) {
  if (py::isinstance<Tensor>(h)) return released([&x = h.cast<const Tensor&>()] { return x.item(); });
  if (is_array(h)) return tensor_of(h).item();  // without axes
  py::detail::type_caster<Scalar> number;
  if (is_too_large(h)) throw ValueError("Tensor: " + too_large(h));
  if (!number.load(h, true))
    throw py::type_error("Tensor: " + py::repr(h).cast<std::string>() + " is neither a number nor a list of numbers");
  return number;
}

/// float32 for any float; int32 for integers, or int64 where one does not fit; bool for bools alone.
DType common_dtype(const std::vector<Scalar>& numbers) {
  DType out = DType::void_;
  for (const Scalar& s : numbers) {
    DType t = s.dtype();
    if (is_float(t)) t = DType::float32;
    else if (t == DType::int64 && s.to<int32_t>() == s.to<int64_t>()) t = DType::int32;
    out = out == DType::void_ ? t : promote(out, t);
  }
  return out == DType::void_ ? DType::float32 : out;
}

template <class T, class Element = T>
Tensor filled(const std::vector<Scalar>& numbers, const Sizes& shape, const TensorOptions& options) {
  std::vector<Element> elements;
  elements.reserve(numbers.size());
  for (const Scalar& s : numbers) elements.push_back(static_cast<Element>(s.to<T>()));
  return Tensor::from_memory(elements.data(), static_cast<int64_t>(elements.size()), detail::dtype_of<T>(), shape, options);
}

/// Whether it is a list of tensors or arrays that have axes, or of lists of them.
bool holds_arrays(py::handle data) {
  py::object first = py::reinterpret_borrow<py::object>(data);
  for (int depth = 0; depth < 32 && (PyList_Check(first.ptr()) || PyTuple_Check(first.ptr())); ++depth) {
    const py::sequence list(first);
    if (list.empty()) return false;
    first = list[0];
  }
  const bool array = !first.is(data) && (py::isinstance<Tensor>(first) || is_array(first));
  return array && py::hasattr(first, "ndim") && first.attr("ndim").cast<int>() > 0;
}
/// They are joined along a new axis.
Tensor from_arrays(py::handle data, const TensorOptions& options) {
  std::vector<Tensor> parts;
  for (const py::handle part : py::reinterpret_borrow<py::sequence>(data)) parts.push_back(tensor_of(part, {.device = options.device}));
  return released([&] {
    Tensor joined = Tensor::stack(parts, 0);
    joined = (options.dtype == DType::void_ ? joined : joined.cast(options.dtype)).realize();
    return options.requires_grad ? joined.detach().set_requires_grad() : joined;
  });
}

Tensor from_lists(py::handle data, TensorOptions options) {
  const Nested nested(data);
  std::vector<Scalar> numbers;
  numbers.reserve(nested.numbers.size());
  for (const py::object& o : nested.numbers) numbers.push_back(number_of(o));
  if (options.dtype == DType::void_) options.dtype = common_dtype(numbers);
  else if (!is_float(options.dtype)) for (const Scalar& s : numbers) (void)weak_constant(s, options.dtype, "Tensor");
  const bool floats = std::any_of(numbers.begin(), numbers.end(), [](const Scalar& s) { return is_float(s.dtype()); });
  if (floats) return filled<double>(numbers, nested.shape, options);
  return options.dtype == DType::uint64 ? filled<uint64_t>(numbers, nested.shape, options)
                                        : filled<int64_t>(numbers, nested.shape, options);
}

}  // namespace

DType dtype_of(const Py_buffer& view) {
  std::string_view format = view.format ? view.format : "B";
  if (!format.empty() && (format[0] == '@' || format[0] == '=' || format[0] == '<')) format.remove_prefix(1);
  if (format.size() != 1) return DType::void_;
  constexpr DType ints[] = {DType::int8, DType::int16, DType::int32, DType::int64};
  constexpr DType unsigned_ints[] = {DType::uint8, DType::uint16, DType::uint32, DType::uint64};
  const size_t log2 = view.itemsize == 1 ? 0 : view.itemsize == 2 ? 1 : view.itemsize == 4 ? 2 : 3;
  switch (format[0]) {
    case '?': return DType::bool_;
    case 'e': return DType::float16;
    case 'f': return DType::float32;
    case 'd': return DType::float64;
    case 'b': case 'h': case 'i': case 'l': case 'q': case 'n': return ints[log2];
    case 'B': case 'H': case 'I': case 'L': case 'Q': case 'N': return unsigned_ints[log2];
    default: return DType::void_;
  }
}

namespace {

Tensor from_buffer(py::handle data, const TensorOptions& options) {
  struct View : Py_buffer {
    explicit View(py::handle h) { if (PyObject_GetBuffer(h.ptr(), this, PyBUF_RECORDS_RO) != 0) throw py::error_already_set(); }
    ~View() { PyBuffer_Release(this); }
  } view(data);
  const DType dtype = dtype_of(view);
  if (dtype == DType::void_)
    throw DTypeError("Tensor: elements of format '" + std::string(view.format ? view.format : "") +
                     "' are none of tg's dtypes; convert the array first, with astype(numpy.float32) for example");
  const Sizes shape(view.shape, view.shape + view.ndim);
  std::vector<std::byte> elements(static_cast<size_t>(view.len));
  if (PyBuffer_ToContiguous(elements.data(), &view, view.len, 'C') != 0) throw py::error_already_set();
  return released([&] { return Tensor::from_memory(elements.data(), view.len / view.itemsize, dtype, shape, options); });
}

py::object lists_from(const std::vector<Scalar>& numbers, const Sizes& shape, size_t depth, size_t& next) {
  if (depth == shape.size()) return py::cast(numbers[next++]);
  py::list out(static_cast<size_t>(shape[depth]));
  for (size_t i = 0; i < out.size(); ++i) out[i] = lists_from(numbers, shape, depth + 1, next);
  return out;
}

}  // namespace

bool is_too_large(py::handle number) {
  if (!PyLong_Check(number.ptr())) return false;
  int overflow = 0;
  (void)PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  if (overflow <= 0) return overflow != 0;
  (void)PyLong_AsUnsignedLongLong(number.ptr());
  const bool beyond = PyErr_Occurred() != nullptr;
  PyErr_Clear();
  return beyond;
}
std::string too_large(py::handle number) {
  return py::str(number).cast<std::string>() + " is outside the range of all integer dtypes, -2^63 to 2^64 - 1; give a float, float(n)";
}

bool is_array(py::handle data) {
  if (py::isinstance<Tensor>(data) || PyUnicode_Check(data.ptr()) || PyBytes_Check(data.ptr())) return false;
  return PyObject_CheckBuffer(data.ptr()) || py::hasattr(data, "__array__") || py::hasattr(data, "__array_interface__");
}

Tensor tensor_of(py::handle data, const TensorOptions& options) {
  if (py::isinstance<Tensor>(data)) {
    Tensor t = data.cast<const Tensor&>().detach();
    if (options.dtype != DType::void_) t = t.cast(options.dtype);
    if (!options.device.empty()) t = t.to(options.device);
    return options.requires_grad ? t.set_requires_grad() : t;
  }
  py::detail::type_caster<Scalar> number;  // numpy.float32(1): an array only where it says the dtype
  const bool is_number = options.dtype != DType::void_ && number.load(data, true);
  if (is_number || !is_array(data)) return holds_arrays(data) ? from_arrays(data, options) : from_lists(data, options);
  if (PyObject_CheckBuffer(data.ptr())) return from_buffer(data, options);
  return from_buffer(py::module_::import("numpy").attr("asarray")(data), options);
}

Sizes sizes_of(const py::args& arguments, const char* function) {
  py::detail::type_caster<Shape> shape;
  const bool one = arguments.size() == 1;
  if (!shape.load(one ? py::handle(arguments[0]) : py::handle(arguments), false))
    throw py::type_error(std::string(function) + ": sizes are integers, as in (2, 3), not " + py::repr(arguments).cast<std::string>());
  return static_cast<Shape&>(shape).sizes;
}

std::vector<Tensor> tensors_of(const py::args& arguments) {
  const bool list = arguments.size() == 1 && !py::isinstance<Tensor>(arguments[0]);
  return py::cast<std::vector<Tensor>>(list ? py::object(arguments[0]) : py::object(arguments));
}

py::object nested_lists(const Tensor& x) {
  std::vector<Scalar> numbers;
  const auto read = [&]<class T>(T) {
    for (const T v : released([&] { return x.to_vector<T>(); })) numbers.emplace_back(v);
  };
  if (is_float(x.dtype())) read(double());
  else if (x.dtype() == DType::bool_) read(bool());
  else if (x.dtype() == DType::uint64) read(uint64_t());
  else read(int64_t());
  size_t next = 0;
  return lists_from(numbers, x.shape(), 0, next);
}

Indices indices_of(py::handle key, const Tensor& x) {
  Indices out;
  const auto bound = [](const py::object& o) {
    int64_t i = 0;
    if (o.is_none()) return SliceBound();
    if (!py::detail::load_integer(o, i))
      throw py::type_error("slices are made of integers or None, not " + py::repr(o).cast<std::string>());
    return SliceBound(i);
  };
  const auto add = [&](py::handle k) {
    int64_t i = 0;
    if (k.is_none()) out.list.emplace_back(none);
    else if (k.ptr() == Py_Ellipsis) out.list.emplace_back(ellipsis);
    else if (py::isinstance<Tensor>(k)) out.list.emplace_back(k.cast<const Tensor&>());
    else if (PyBool_Check(k.ptr()))
      out.list.emplace_back(out.own.emplace_back(Tensor::full({}, k.ptr() == Py_True, {.device = x.device()})));
    else if (PySlice_Check(k.ptr())) {
      const SliceBound step = bound(k.attr("step"));
      out.list.emplace_back(slice(bound(k.attr("start")), bound(k.attr("stop")), step.given ? step.position : 1));
    } else if (py::detail::load_integer(k, i)) out.list.emplace_back(i);
    else if (is_array(k) || PyList_Check(k.ptr()) || PyRange_Check(k.ptr()) || PyTuple_Check(k.ptr())) {
      Tensor index = tensor_of(k, {.device = x.device()});
      if (index.numel() == 0 && is_float(index.dtype())) index = index.cast(DType::int32);  // []
      out.list.emplace_back(out.own.emplace_back(index));
    } else throw py::type_error("an index is an integer, a slice, None, ..., or a list or tensor of integers or bools, not " +
                                py::repr(k).cast<std::string>());
  };
  const py::tuple keys = py::isinstance<py::tuple>(key) ? py::reinterpret_borrow<py::tuple>(key) : py::make_tuple(key);
  out.own.reserve(keys.size());
  for (const py::handle k : keys) add(k);
  return out;
}

}  // namespace tg::python
