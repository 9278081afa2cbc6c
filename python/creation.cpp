// Tensors from nothing: functions of the module, and of the class. Random ones are in random.cpp.
//
//   in:  tg.zeros(2, 3, dtype="int32"), Tensor.eye(4)      out: Tensor::zeros({2, 3}, {.dtype = int32})
#include "python/factory.hpp"
#include "tg/arrange.hpp"

namespace tg::python {

namespace {

/// tg.name(2, 3), tg.name((2, 3)) and tg.name(size=(2, 3)).
template <class F>
void sized(Api& api, const char* name, F f, const char* doc) {
  factory(api, name, [f, name](const py::args& size, DType dtype, const Device& device, bool grad) {
    const Sizes s = sizes_of(size, name);
    return released([&] { return f(s, tensor_options(dtype, device, grad)); });
  }, doc);
  factory(api, name, [f](const Shape& size, DType dtype, const Device& device, bool grad) {
    return f(size.sizes, tensor_options(dtype, device, grad));
  }, "", Released(), py::kw_only(), py::arg("size"));
}
/// tg.name_like(x): the shape, dtype and device of x unless told.
template <class F>
void like(Api& api, const char* name, F f, const char* doc) {
  api.module.def(name, [f](const Tensor& x, DType dtype, const Device& device, bool grad) {
    return f(x.shape(), tensor_options(dtype == DType::void_ ? x.dtype() : dtype, device.value_or(x.device()), grad));
  }, doc, Released(), py::arg("input"), py::arg("dtype") = py::none(), py::arg("device") = py::none(), py::arg("requires_grad") = false);
}

}  // namespace

void bind_creation(Api& api) {
  const auto zeros = [](const Sizes& s, const TensorOptions& o) { return Tensor::zeros(s, o); };
  const auto ones = [](const Sizes& s, const TensorOptions& o) { return Tensor::ones(s, o); };
  sized(api, "zeros", zeros, "Zeros.");
  sized(api, "ones", ones, "Ones.");
  sized(api, "empty", zeros, "Zeros: there is no memory without a value.");
  like(api, "zeros_like", zeros, "Zeros of that shape, dtype and device.");
  like(api, "ones_like", ones, "Ones of that shape, dtype and device.");
  like(api, "empty_like", zeros, "Zeros of that shape, dtype and device.");
  api.module.def("full_like", [](const Tensor& x, const Scalar& value, DType dtype) {
    return Tensor::full(x.shape(), value, {.dtype = dtype == DType::void_ ? x.dtype() : dtype, .device = x.device()});
  }, "One number in that shape, dtype and device.", Released(), py::arg("input"), py::arg("fill_value"), py::arg("dtype") = py::none());
  factory(api, "full", [](const Shape& size, const Scalar& value, DType dtype, const Device& device, bool grad) {
    const bool narrow = dtype == DType::void_ && value.dtype() == DType::int64 && value.to<int32_t>() == value.to<int64_t>();
    return Tensor::full(size.sizes, value, tensor_options(narrow ? DType::int32 : dtype, device, grad));
  }, "One number everywhere.", Released(), py::arg("size"), py::arg("fill_value"), py::kw_only());
  const auto arange = [](const Scalar& start, const Scalar& stop, const Scalar& step, DType dtype, const Device& device, bool grad) {
    const bool whole = !is_float(start.dtype()) && !is_float(stop.dtype()) && !is_float(step.dtype());
    const bool narrow = whole && start.to<int32_t>() == start.to<int64_t>() && stop.to<int32_t>() == stop.to<int64_t>();
    return Tensor::arange(start, stop, step, tensor_options(dtype == DType::void_ && narrow ? DType::int32 : dtype, device, grad));
  };
  factory(
      api, "arange",
      [=](const Scalar& stop, DType dtype, const Device& device, bool grad) { return arange(0, stop, 1, dtype, device, grad); },
          "start, start + step, ... before end; int32 of whole numbers, else float32.", Released(), py::arg("end"), py::kw_only());
  factory(api, "arange", arange, "", Released(), py::arg("start"), py::arg("end"), py::arg("step") = 1, py::kw_only());
  factory(api, "eye", [](int64_t n, const std::optional<int64_t>& m, DType dtype, const Device& device, bool grad) {
    return Tensor::eye(n, m.value_or(-1), tensor_options(dtype, device, grad));
  }, "Ones on the diagonal, (n, m); square without m.", Released(), py::arg("n"), py::arg("m") = py::none(), py::kw_only());
  factory(api, "linspace", [](const Scalar& start, const Scalar& stop, int64_t steps, DType dtype, const Device& device, bool grad) {
    return linspace(start, stop, steps, tensor_options(dtype, device, grad));
  }, "So many numbers from start to end, both included, at equal distances.", Released(), py::arg("start"), py::arg("end"),
          py::arg("steps"), py::kw_only());
  factory(api, "tri", [](int64_t n, const std::optional<int64_t>& m, int64_t k, DType dtype, const Device& device, bool grad) {
    return tri(n, m.value_or(-1), k, tensor_options(dtype, device, grad));
  }, "Ones where column <= row + k, (n, m); square without m.", Released(), py::arg("n"), py::arg("m") = py::none(), py::arg("k") = 0,
          py::kw_only());
  api.module.def("meshgrid", [](const py::args& axes, const std::string& indexing) {
    if (indexing != "ij" && indexing != "xy") throw ValueError("meshgrid: indexing is 'ij' or 'xy', not '" + indexing + "'");
    const std::vector<Tensor> vectors = tensors_of(axes);
    return released([&] { return meshgrid(vectors, indexing == "xy"); });
  }, "The coordinates of a grid: n vectors of lengths s0, s1, ... to n tensors of shape (s0, s1, ...); 'xy': of shape (s1, s0, ...).",
                 py::arg("indexing") = "ij");
}

}  // namespace tg::python
