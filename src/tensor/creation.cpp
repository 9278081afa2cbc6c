// Tensors from nothing: data copied to the device as a buffer of its own, constants and sequences as a few nodes.
//
//   Tensor({{1, 2}, {3, 4}})      one Buffer node, int32 (2, 2)        Tensor::zeros({2, 2})      Expand(Reshape(Const 0))
#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "runtime/interpreter/host_array.hpp"
#include "tensor/impl.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

namespace {

DType literal_dtype(const Scalar& s) {
  if (is_float(s.dtype())) return DType::float32;
  const bool narrow = s.dtype() == DType::int8 || s.dtype() == DType::int16 || s.dtype() == DType::uint8 || s.dtype() == DType::uint16;
  return narrow ? DType::int32 : s.dtype();
}

/// The braces, read in row-major order; their first elements say what shape all must have.
struct Literals {
  Sizes shape;
  std::vector<Scalar> numbers;
  DType dtype = DType::void_;

  explicit Literals(const std::vector<Value>& values) {
    for (const std::vector<Value>* list = &values;; list = &list->front().list()) {
      shape.push_back(static_cast<int64_t>(list->size()));
      if (list->empty() || !list->front().is_list()) break;
    }
    read(values, "the data", 0);
    if (dtype == DType::void_) dtype = DType::float32;
  }

 private:
  void read(const std::vector<Value>& values, const std::string& where, size_t depth) {
    if (static_cast<int64_t>(values.size()) != shape[depth])
      throw ShapeError(fmt::format("Tensor: {} has {} elements where its neighbours have {}; lists at one depth must be of one length",
                                   where, values.size(),
                                   shape[depth]));
    const bool lists = depth + 1 < shape.size();
    for (size_t i = 0; i < values.size(); ++i) {
      const Value& v = values[i];
      if (v.is_list() != lists)
        throw ShapeError(fmt::format("Tensor: {}[{}] is a {} where its neighbours are {}s", where, i, lists ? "number" : "list",
                                     lists ? "list" : "number"));
      if (lists) read(v.list(), fmt::format("{}[{}]", where, i), depth + 1);
      else {
        numbers.push_back(v.number());
        dtype = dtype == DType::void_ ? literal_dtype(v.number()) : promote(dtype, literal_dtype(v.number()));
      }
    }
  }
};

Tensor finish(Tensor t, const TensorOptions& options) {
  if (options.requires_grad) t.set_requires_grad(true);
  return t;
}
DType dtype_of(const TensorOptions& options, DType otherwise) { return options.dtype == DType::void_ ? otherwise : options.dtype; }

Tensor from_array(const HostArray& array, const TensorOptions& options) {
  const std::string name = device_of(options);
  Device& target = device(name);
  auto memory = make_buffer(target, array.bytes.size());
  if (!array.bytes.empty()) target.copy_in(memory->ref(), array.bytes.data(), array.bytes.size());
  return finish(make(buffer(std::move(memory), array.dtype, shape_of(array.shape)), name), options);
}

}  // namespace

Tensor::Tensor(std::initializer_list<Value> values, const TensorOptions& options) {
  const Literals literals(values);
  HostArray array(dtype_of(options, literals.dtype), literals.shape);
  for (size_t i = 0; i < literals.numbers.size(); ++i) {
    const Scalar& s = literals.numbers[i];
    if (!is_float(array.dtype)) (void)weak_constant(s, array.dtype, "Tensor");
    const Number n = is_float(s.dtype()) ? Number{0, s.to<double>()}
                                         : Number{s.dtype() == DType::uint64 ? static_cast<int64_t>(s.to<uint64_t>()) : s.to<int64_t>(), 0};
    array.set(i, convert(n, is_float(s.dtype()) ? DType::float64 : s.dtype(), array.dtype));
  }
  *this = from_array(array, options);
}

Tensor Tensor::from_memory(const void* data, int64_t count, DType dtype, const Sizes& shape, const TensorOptions& options) {
  check_sizes(shape, "from");
  if (product(shape) != count)
    throw ShapeError(fmt::format("from: {} elements do not fill shape {}, which has {}", count, to_string(shape), product(shape)));
  HostArray array(dtype, shape);
  if (count > 0) std::memcpy(array.bytes.data(), data, array.bytes.size());
  const DType to = dtype_of(options, dtype);
  if (to == dtype) return from_array(array, options);
  HostArray converted(to, shape);
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) converted.set(i, convert(array.at(i), dtype, to));
  return from_array(converted, options);
}

Tensor Tensor::full(const Sizes& shape, Scalar value, const TensorOptions& options) {
  check_sizes(shape, "full");
  const DType dtype = dtype_of(options, literal_dtype(value));
  return finish(make(spread(weak_constant(value, dtype, "full"), shape_of(shape)), device_of(options)), options);
}
Tensor Tensor::zeros(const Sizes& shape, const TensorOptions& options) {
  check_sizes(shape, "zeros");
  return finish(make(spread(constant(dtype_of(options, DType::float32), 0), shape_of(shape)), device_of(options)), options);
}
Tensor Tensor::ones(const Sizes& shape, const TensorOptions& options) {
  check_sizes(shape, "ones");
  return finish(make(spread(constant(dtype_of(options, DType::float32), 1), shape_of(shape)), device_of(options)), options);
}

Tensor Tensor::arange(Scalar start, Scalar stop, Scalar step, const TensorOptions& options) {
  if (step == 0) throw ValueError("arange: a step of 0 never arrives");
  const double length = std::ceil((stop.to<double>() - start.to<double>()) / step.to<double>());
  const bool whole = !is_float(start.dtype()) && !is_float(stop.dtype()) && !is_float(step.dtype());
  const DType dtype =
      dtype_of(options, whole ? promote(promote(literal_dtype(start), literal_dtype(stop)), literal_dtype(step)) : DType::float32);
  require_dtype(dtype != DType::bool_, "arange", dtype, "ask for an integer or float dtype");
  if (!(length < 0x1p60)) throw ValueError(fmt::format("arange: {} elements; start, stop and step must be finite", length));
  const int64_t n = length > 0 ? static_cast<int64_t>(length) : 0;
  // Counted in integers and scaled once, in float64 where that is what is asked for, so that element i is start + i * step rounded.
  const UOp i = iota(n, is_float(dtype) ? DType::int64 : dtype);
  const DType work = is_float(dtype) ? working_dtype(dtype) : dtype;
  UOp value = tg::cast(i, work);
  if (step != 1) value = value * weak_constant(step, work, "arange");
  if (start != 0) value = value + weak_constant(start, work, "arange");
  return finish(make(tg::cast(value, dtype), device_of(options)), options);
}

Tensor Tensor::eye(int64_t rows, int64_t columns, const TensorOptions& options) {
  if (columns < 0) columns = rows;
  check_sizes({rows, columns}, "eye");
  const Shape shape{rows, columns};
  const DType number = index_dtype(std::max(rows, columns));
  const UOp i = spread(tg::reshape(iota(rows, number), {rows, 1}), shape), j = spread(iota(columns, number), shape);
  return finish(make(tg::cast(tg::logical_not(not_equal(i, j)), dtype_of(options, DType::float32)), device_of(options)), options);
}

}  // namespace tg
