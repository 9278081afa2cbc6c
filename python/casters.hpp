#pragma once
// How Python values become the library's, wherever a bound function takes one.
//
//   in:  x.sum(dim=(0, 1), dtype="float64"); x + 1       out: Axes{0, 1}, DType::float64; an Operand with a weak scalar
//
// The names below (const_name) are what signatures, and so the type stubs, show.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tg/explain.hpp"
#include "tg/functions.hpp"
#include "tg/random.hpp"
#include "tg/tensor.hpp"

namespace tg::python {

namespace py = pybind11;

/// The Python object of a DType: tg.float32.
struct DTypeObject {
  DType value;
};

/// From tg.float32, "float32", float, bool, int, or NumPy's dtypes and scalar types. False where it is none of these.
bool read_dtype(py::handle from, DType& to);
/// A tensor of what NumPy and PyTorch call array-like: nested lists, numbers, objects with a buffer or __array__. Copies.
Tensor tensor_of(py::handle data, const TensorOptions& options = {});
/// Whether it is an array that tensor_of reads, and neither a number nor a list.
bool is_array(py::handle data);

/// The same of the array's own memory where that is possible.
Tensor shared(py::handle data, const TensorOptions& options = {});
/// The element type of a buffer, from struct's letters; void_ where there is none.
DType dtype_of(const Py_buffer& view);

/// Sizes of a shape: 3, (2, 3), [2, 3].
struct Shape {
  Sizes sizes;
};
/// Results: a tuple of integers, and a tensor that may be missing, then None, but which programs may take for granted.
struct IntegerTuple {
  Sizes integers;
};
struct Member {
  Tensor tensor;
};
/// tg.Found, the named tuple (values, indices) that a Found becomes.
py::object found_type();

}  // namespace tg::python

namespace pybind11::detail {

template <>
struct type_caster<tg::DType> {
  PYBIND11_TYPE_CASTER(tg::DType, const_name("DTypeLike"));
  bool load(handle from, bool) {
    value = tg::DType::void_;
    return from.is_none() || tg::python::read_dtype(from, value);
  }
  static handle cast(tg::DType t, return_value_policy, handle) { return pybind11::cast(tg::python::DTypeObject{t}).release(); }
};

/// A whole number, from anything with __index__ but bool.
inline bool load_integer(handle from, int64_t& to) {
  if (!PyIndex_Check(from.ptr()) || PyBool_Check(from.ptr())) return false;
  const object number = reinterpret_steal<object>(PyNumber_Index(from.ptr()));
  if (!number) { PyErr_Clear(); return false; }
  to = PyLong_AsLongLong(number.ptr());
  if (to == -1 && PyErr_Occurred()) { PyErr_Clear(); return false; }
  return true;
}
/// One list of them, or one alone; what is beyond T, and so beyond every axis, as the nearest that is not.
template <class T>
bool load_integers(handle from, std::vector<T>& to) {
  to.clear();
  using Limits = std::numeric_limits<T>;
  const auto add = [&](int64_t n) { to.push_back(static_cast<T>(std::clamp<int64_t>(n, Limits::min(), Limits::max()))); };
  int64_t one;
  if (load_integer(from, one)) { add(one); return true; }
  if (!isinstance<tuple>(from) && !isinstance<list>(from)) return false;
  for (const handle h : reinterpret_borrow<sequence>(from)) {
    if (!load_integer(h, one)) return false;
    add(one);
  }
  return true;
}

template <>
struct type_caster<tg::Sizes> : list_caster<tg::Sizes, int64_t> {};

template <>
struct type_caster<tg::Axes> {
  PYBIND11_TYPE_CASTER(tg::Axes, const_name("int | Sequence[int] | None"));
  bool load(handle from, bool) {
    std::vector<int> axes;
    if (!from.is_none() && !load_integers(from, axes)) return false;
    value = tg::Axes(std::move(axes));
    return true;
  }
};

template <>
struct type_caster<tg::python::Shape> {
  PYBIND11_TYPE_CASTER(tg::python::Shape, const_name("int | Sequence[int]"));
  bool load(handle from, bool) { return load_integers(from, value.sizes); }
};
template <>
struct type_caster<tg::python::IntegerTuple> {
  static constexpr auto name = const_name("Tuple[int, ...]");
  static handle cast(const tg::python::IntegerTuple& t, return_value_policy, handle) {
    tuple out(t.integers.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = t.integers[i];
    return out.release();
  }
};
template <>
struct type_caster<tg::python::Member> {
  static constexpr auto name = const_name("Tensor");
  static handle cast(const tg::python::Member& m, return_value_policy, handle) {
    return m.tensor.defined() ? pybind11::cast(m.tensor).release() : none().release();
  }
};
template <>
struct type_caster<tg::Found> {
  static constexpr auto name = const_name("Found");
  static handle cast(const tg::Found& f, return_value_policy, handle) {
    return tg::python::found_type()(f.values, f.indices).release();
  }
};

/// What has no default constructor, by value.
#define TG_CASTER(Type, shown, first)                           \
  type_caster() = default;                                      \
  static constexpr auto name = const_name(shown);               \
  operator Type&() { return value; }                            \
  operator Type*() { return &value; }                           \
  template <class T>                                            \
  using cast_op_type = pybind11::detail::cast_op_type<T>;       \
                                                                \
 private:                                                       \
  Type value = first;                                           \
                                                                \
 public:

template <>
struct type_caster<tg::PerAxis> {
  TG_CASTER(tg::PerAxis, "int | Sequence[int]", 0)
  bool load(handle from, bool) {
    std::vector<int64_t> n;
    if (!load_integers(from, n)) return false;
    value = tg::PerAxis(std::move(n));
    return true;
  }
  static handle cast(const tg::PerAxis& p, return_value_policy, handle) {
    return p.list().size() == 1 ? PyLong_FromLongLong(p.list()[0]) : pybind11::cast(p.list()).release().ptr();
  }
};

/// A number, one an axis, a pair an axis, "same" or "valid".
template <>
struct type_caster<tg::Padding> {
  TG_CASTER(tg::Padding, "str | int | Sequence[int] | Sequence[tuple[int, int]]", 0)
  bool load(handle from, bool) {
    std::vector<int64_t> n;
    if (isinstance<str>(from)) {
      const auto word = from.cast<std::string>();
      if (word != "same" && word != "valid") return false;
      value = word == "same" ? tg::Padding::same() : tg::Padding(0);
    } else if (load_integers(from, n)) value = tg::PerAxis(std::move(n));
    else if (isinstance<tuple>(from) || isinstance<list>(from)) {
      std::vector<std::pair<int64_t, int64_t>> sides;
      for (const handle h : reinterpret_borrow<sequence>(from)) {
        if (!load_integers(h, n) || n.size() != 2) return false;
        sides.emplace_back(n[0], n[1]);
      }
      value = tg::Padding::sides(sides);
    } else return false;
    return true;
  }
  static handle cast(const tg::Padding& p, return_value_policy policy, handle parent) {
    if (p.is_same()) return pybind11::str("same").release();
    return type_caster<tg::PerAxis>::cast(tg::PerAxis(p.before()), policy, parent);
  }
};
#undef TG_CASTER

/// Python's and NumPy's numbers.
template <>
struct type_caster<tg::Scalar> {
  static constexpr auto name = const_name("float");
  bool load(handle from, bool) {
    int64_t whole;
    if (PyBool_Check(from.ptr())) value = tg::Scalar(from.ptr() == Py_True);
    else if (PyFloat_Check(from.ptr())) value = tg::Scalar(PyFloat_AS_DOUBLE(from.ptr()));
    else if (isinstance<tg::Tensor>(from)) return false;
    else if (load_integer(from, whole)) value = tg::Scalar(whole);
    else if (PyLong_Check(from.ptr())) {
      const uint64_t large = PyLong_AsUnsignedLongLong(from.ptr());
      if (PyErr_Occurred()) { PyErr_Clear(); return false; }
      value = tg::Scalar(large);
    } else if (PyObject_HasAttrString(from.ptr(), "item") && PyObject_HasAttrString(from.ptr(), "ndim") &&
               !PyObject_HasAttrString(from.ptr(), "__setitem__")) {  // numpy.float32(1)
      return load(reinterpret_steal<object>(PyObject_CallMethod(from.ptr(), "item", nullptr)), false);
    } else return false;
    return true;
  }
  static handle cast(const tg::Scalar& s, return_value_policy, handle) {
    if (s.dtype() == tg::DType::bool_) return PyBool_FromLong(s.to<bool>());
    if (tg::is_float(s.dtype())) return PyFloat_FromDouble(s.to<double>());
    return s.dtype() == tg::DType::uint64 ? PyLong_FromUnsignedLongLong(s.to<uint64_t>()) : PyLong_FromLongLong(s.to<int64_t>());
  }
  operator tg::Scalar&() { return value; }
  operator tg::Scalar*() { return &value; }
  template <class T>
  using cast_op_type = pybind11::detail::cast_op_type<T>;

 private:
  tg::Scalar value = 0;
};

/// A tensor, a number (weak) or a NumPy array (as the tensor that it is).
template <>
struct type_caster<tg::Operand> {
  static constexpr auto name = const_name("Operand");
  bool load(handle from, bool) {
    type_caster<tg::Scalar> number;
    if (isinstance<tg::Tensor>(from)) value.emplace(from.cast<const tg::Tensor&>());
    else if (number.load(from, false)) value.emplace(static_cast<tg::Scalar&>(number));
    else if (tg::python::is_array(from)) value.emplace(own = tg::python::tensor_of(from));
    else return false;
    return true;
  }
  operator tg::Operand&() { return *value; }
  operator tg::Operand*() { return &*value; }
  template <class T>
  using cast_op_type = pybind11::detail::cast_op_type<T>;

 private:
  std::optional<tg::Operand> value;
  tg::Tensor own;
};

}  // namespace pybind11::detail
