// Tensors from nothing and from the random generator: functions of the module, and of the class.
//
//   in:  tg.zeros(2, 3, dtype="int32"), Tensor.randn(4)      out: Tensor::zeros({2, 3}, {.dtype = int32})
#include "python/bind.hpp"

namespace tg::python {

namespace {

using Device = std::optional<std::string>;

template <class F, class... Extra>
void factory(Api& api, const char* name, const F& f, const char* doc, const Extra&... extra) {
  api.module.def(name, f, doc, extra..., py::arg("dtype") = py::none(), py::arg("device") = py::none(), py::arg("requires_grad") = false);
  api.tensor.def_static(name, f, doc, extra..., py::arg("dtype") = py::none(), py::arg("device") = py::none(),
                        py::arg("requires_grad") = false);
}
/// tg.name(2, 3) and tg.name((2, 3)).
template <class F>
void sized(Api& api, const char* name, F f, const char* doc) {
  factory(api, name, [f, name](const py::args& size, DType dtype, const Device& device, bool grad) {
    const Sizes s = sizes_of(size, name);
    return released([&] { return f(s, tensor_options(dtype, device, grad)); });
  }, doc);
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
  const auto rand = [](const Sizes& s, const TensorOptions& o) { return Tensor::rand(s, o); };
  const auto randn = [](const Sizes& s, const TensorOptions& o) { return Tensor::randn(s, o); };
  sized(api, "zeros", zeros, "Zeros.");
  sized(api, "ones", ones, "Ones.");
  sized(api, "empty", zeros, "Zeros: there is no memory without a value.");
  sized(api, "rand", rand, "Uniform in [0, 1).");
  sized(api, "randn", randn, "Normal, mean 0 and variance 1.");
  like(api, "zeros_like", zeros, "Zeros of that shape, dtype and device.");
  like(api, "ones_like", ones, "Ones of that shape, dtype and device.");
  like(api, "empty_like", zeros, "Zeros of that shape, dtype and device.");
  like(api, "rand_like", rand, "Uniform in [0, 1), of that shape, dtype and device.");
  like(api, "randn_like", randn, "Normal, of that shape, dtype and device.");
  api.module.def("full_like", [](const Tensor& x, const Scalar& value, DType dtype) {
    return Tensor::full(x.shape(), value, {.dtype = dtype == DType::void_ ? x.dtype() : dtype, .device = x.device()});
  }, "One number in that shape, dtype and device.", Released(), py::arg("input"), py::arg("fill_value"), py::arg("dtype") = py::none());
  factory(api, "full", [](const Shape& size, const Scalar& value, DType dtype, const Device& device, bool grad) {
    return Tensor::full(size.sizes, value,
                            tensor_options(dtype == DType::void_ && value.dtype() == DType::int64 ? DType::int32 : dtype, device, grad));
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
  factory(api, "randint", [](int64_t low, int64_t high, const Shape& size, DType dtype, const Device& device, bool grad) {
    return Tensor::randint(size.sizes, low, high, tensor_options(dtype, device, grad));
  }, "Integers in [low, high), int32 unless told.", Released(), py::arg("low"), py::arg("high"), py::arg("size"), py::kw_only());
  factory(api, "uniform", [](const Shape& size, double low, double high, DType dtype, const Device& device, bool grad) {
    return Tensor::uniform(size.sizes, {.low = low, .high = high, .tensor = tensor_options(dtype, device, grad)});
  }, "Uniform in [low, high).", Released(), py::arg("size"), py::arg("low") = 0.0, py::arg("high") = 1.0, py::kw_only());
  factory(api, "kaiming_uniform", [](const Shape& size, double a, DType dtype, const Device& device, bool grad) {
    return Tensor::kaiming_uniform(size.sizes, a, tensor_options(dtype, device, grad));
  }, "Uniform in +-sqrt(6 / ((1 + a^2) fan_in)): He et al. 2015.", Released(), py::arg("size"), py::arg("a") = 0.0, py::kw_only());
  api.module.def("manual_seed", &manual_seed, "Restarts the random numbers of the whole process.", py::arg("seed"));
}

}  // namespace tg::python
