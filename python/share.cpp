// Memory shared with NumPy, PyTorch and whatever else speaks the buffer protocol or DLPack, without a copy where it is aligned.
//
//   in:  tg.from_numpy(a); numpy.asarray(t); torch.from_dlpack(t)      out: one memory, which tg never writes and others should not
//
// An owner in Python (an array, a capsule) is let go on Python's main thread: tg may give memory up anywhere, also where Python's
// lock is not held and must not be waited for.
#include <cstring>
#include <functional>

#include "python/bind.hpp"
#include "tensor/impl.hpp"
#include "tg/memory.hpp"

namespace tg::python {

namespace {

// ---- owners ----

struct Departing {
  Mutex mutex;
  std::vector<std::function<void()>> owners;
};
Departing& departing() { static auto& leaked = *new Departing; return leaked; }

int let_go(void*) {
  std::vector<std::function<void()>> owners;
  {
    const std::lock_guard lock(departing().mutex);
    owners.swap(departing().owners);
  }
  for (const auto& owner : owners) owner();
  return 0;
}
void later(std::function<void()> owner) {
  const std::lock_guard lock(departing().mutex);
  departing().owners.push_back(std::move(owner));
  if (departing().owners.size() == 1 && Py_IsInitialized()) Py_AddPendingCall(let_go, nullptr);
}

/// The tensor that an array's buffer is; none where it is not contiguous or of no dtype of tg's.
std::optional<Tensor> borrowed_buffer(py::handle array, const TensorOptions& options) {
  auto* view = new Py_buffer;
  if (PyObject_GetBuffer(array.ptr(), view, PyBUF_ND | PyBUF_FORMAT) != 0) {
    PyErr_Clear();
    delete view;
    return {};
  }
  const std::shared_ptr<const void> owner(view->buf, [view](const void*) { later([view] { PyBuffer_Release(view); delete view; }); });
  const DType dtype = dtype_of(*view);
  if (dtype == DType::void_) return {};
  return borrow(owner, dtype, Sizes(view->shape, view->shape + view->ndim), options);
}

// ---- the buffer protocol: memoryview(t), numpy.asarray(t) ----

struct Export {
  std::shared_ptr<const void> memory;
  std::vector<Py_ssize_t> shape, strides;
};
const char* format_of(DType t) {
  constexpr const char* formats[kDTypeCount] = {"", "?", "b", "h", "i", "q", "B", "H", "I", "Q", "e", "", "f", "d", ""};
  return formats[static_cast<size_t>(t)];
}
template <class Sizes_>
std::vector<typename Sizes_::value_type> row_major(const Sizes_& shape, typename Sizes_::value_type step) {
  std::vector<typename Sizes_::value_type> strides(shape.size());
  for (size_t i = shape.size(); i-- > 0; step *= shape[i]) strides[i] = step;
  return strides;
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  view->obj = nullptr;
  try {
    const auto& x = py::handle(self).cast<const Tensor&>();
    const char* format = format_of(x.dtype());
    if (flags & PyBUF_WRITABLE || !*format) {
      PyErr_SetString(PyExc_BufferError, *format ? "a tensor's memory is read-only" : "bfloat16 has no buffer format; use x.float()");
      return -1;
    }
    const Sizes shape = x.shape();
    auto exported = std::make_unique<Export>(Export{released([&] { return host_memory(x); }), {shape.begin(), shape.end()}, {}});
    const auto size = static_cast<Py_ssize_t>(size_of(x.dtype()));
    exported->strides = row_major(exported->shape, size);
    *view = {};
    view->buf = const_cast<void*>(exported->memory.get());
    view->obj = Py_NewRef(self);
    view->len = size * x.numel();
    view->itemsize = size;
    view->readonly = 1;
    view->ndim = static_cast<int>(shape.size());
    if (flags & PyBUF_FORMAT) view->format = const_cast<char*>(format);
    if (flags & PyBUF_ND) view->shape = exported->shape.data();
    if ((flags & PyBUF_STRIDES) == PyBUF_STRIDES) view->strides = exported->strides.data();
    view->internal = exported.release();
    return 0;
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_BufferError, e.what());
    return -1;
  }
}
void release_buffer(PyObject*, Py_buffer* view) { delete static_cast<Export*>(view->internal); }

// ---- DLPack, https://dmlc.github.io/dlpack: the structs of its version 0 ----

namespace dl {
struct Device { int32_t type = 1, id = 0; };  // 1: the host
struct Type { uint8_t code, bits; uint16_t lanes; };
struct Array {
  void* data;
  Device device;
  int32_t ndim;
  Type dtype;
  int64_t *shape, *strides;
  uint64_t byte_offset;
};
struct Managed {
  Array array;
  void* context;
  void (*deleter)(Managed*);
};
enum Code : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBFloat = 4, kBool = 6 };

Type type_of(DType t) {
  const Code code = t == DType::bool_ ? kBool : t == DType::bfloat16 ? kBFloat : is_float(t) ? kFloat : is_unsigned(t) ? kUInt : kInt;
  return {code, static_cast<uint8_t>(8 * size_of(t)), 1};
}
DType dtype_of(Type type) {
  for (size_t i = 1; i + 1 < kDTypeCount; ++i) {
    const Type t = type_of(static_cast<DType>(i));
    if (t.code == type.code && t.bits == type.bits && type.lanes == 1) return static_cast<DType>(i);
  }
  throw DTypeError("from_dlpack: elements of DLPack type code " + std::to_string(type.code) + " with " + std::to_string(type.bits) +
                   " bits are none of tg's dtypes");
}
}  // namespace dl

py::capsule to_dlpack(const Tensor& x) {
  struct Context {
    dl::Managed managed;
    std::shared_ptr<const void> memory;
    Sizes shape, strides;
  };
  auto* c = new Context{{}, released([&] { return host_memory(x); }), x.shape(), {}};
  c->strides = row_major(c->shape, int64_t{1});
  c->managed = {{const_cast<void*>(c->memory.get()), {}, x.rank(), dl::type_of(x.dtype()), c->shape.data(), c->strides.data(), 0}, c,
                [](dl::Managed* m) { delete static_cast<Context*>(m->context); }};
  return py::capsule(&c->managed, "dltensor", [](PyObject* capsule) {
            if (!PyCapsule_IsValid(capsule, "dltensor")) return;  // its receiver took over
            auto* m = static_cast<dl::Managed*>(PyCapsule_GetPointer(capsule, "dltensor"));
            m->deleter(m);
          });
}

/// The elements in row-major order, from where the strides say.
void gather(const dl::Array& a, int axis, const std::byte* from, size_t size, std::byte*& to) {
  if (axis == a.ndim) {
    std::memcpy(to, from, size);
    to += size;
    return;
  }
  const int64_t step = a.strides[axis] * static_cast<int64_t>(size);
  for (int64_t i = 0; i < a.shape[axis]; ++i) gather(a, axis + 1, from + i * step, size, to);
}

Tensor from_dlpack(const py::object& source) {
  const bool is_capsule = PyCapsule_CheckExact(source.ptr());
  const py::object capsule = is_capsule ? source : source.attr("__dlpack__")();
  auto* m = static_cast<dl::Managed*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
  if (!m) throw py::error_already_set();
  const dl::Array& a = m->array;
  if (a.device.type != 1) throw DeviceError("from_dlpack: the array is not in the host's memory; move it there first");
  const DType dtype = dl::dtype_of(a.dtype);
  const Sizes shape(a.shape, a.shape + a.ndim);
  PyCapsule_SetName(capsule.ptr(), "used_dltensor");
  const auto* data = static_cast<const std::byte*>(a.data) + a.byte_offset;
  const std::shared_ptr<const void> owner(data, [m](const void*) { later([m] { if (m->deleter) m->deleter(m); }); });
  const Sizes compact = row_major(shape, int64_t{1});
  bool contiguous = true;
  for (size_t i = 0; a.strides && i < shape.size(); ++i) contiguous &= shape[i] <= 1 || a.strides[i] == compact[i];
  int64_t count = 1;
  for (const int64_t n : shape) count *= n;
  if (contiguous || count == 0) return borrow(owner, dtype, shape);
  std::vector<std::byte> elements(static_cast<size_t>(count) * size_of(dtype));
  std::byte* to = elements.data();
  gather(a, 0, data, size_of(dtype), to);
  return Tensor::from_memory(elements.data(), count, dtype, shape);
}

// ---- pickle and deepcopy: the bytes; handles to one tensor stay handles to one ----

uintptr_t identity(const Tensor& x) { return reinterpret_cast<uintptr_t>(TensorImpl::of(x).get()); }
py::tuple parts(const Tensor& x) {
  const std::shared_ptr<const void> memory = released([&] { return host_memory(x); });
  const py::bytes bytes(static_cast<const char*>(memory.get()), static_cast<size_t>(x.numel()) * size_of(x.dtype()));
  return py::make_tuple(bytes, std::string(name_of(x.dtype())), x.shape(), x.device(), x.requires_grad());
}
Tensor deep_copy(const Tensor& x, const py::dict& memo) {
  const py::tuple key = py::make_tuple("tg.Tensor", identity(x));
  if (memo.contains(key)) return memo[key].cast<Tensor>();
  Tensor copy = released([&] { return x.detach().clone(); });
  if (x.requires_grad()) copy.set_requires_grad();
  memo[key] = copy;
  return copy;
}
Tensor unpickled(const py::bytes& bytes, DType dtype, const Sizes& shape, const std::string& device, bool requires_grad) {
  const std::string_view data = bytes;
  return Tensor::from_memory(data.data(), static_cast<int64_t>(data.size() / size_of(dtype)), dtype, shape,
                             {.device = device, .requires_grad = requires_grad});
}

}  // namespace

void enable_buffer(PyHeapTypeObject* type) {
  type->ht_type.tp_as_buffer = &type->as_buffer;
  type->as_buffer.bf_getbuffer = get_buffer;
  type->as_buffer.bf_releasebuffer = release_buffer;
}

Tensor shared(py::handle data, const TensorOptions& options) {
  if (py::isinstance<Tensor>(data)) {
    auto t = data.cast<Tensor>();
    if (options.dtype != DType::void_ && options.dtype != t.dtype()) t = t.cast(options.dtype);
    return options.device.empty() || options.device == t.device() ? t : t.to(options.device);
  }
  if (is_array(data)) {
    if (PyObject_CheckBuffer(data.ptr()))
      if (const auto t = borrowed_buffer(data, options)) return *t;
    if (!PyObject_CheckBuffer(data.ptr()) && py::hasattr(data, "__dlpack__") && options.dtype == DType::void_ && options.device.empty())
      return from_dlpack(py::reinterpret_borrow<py::object>(data));
  }
  return tensor_of(data, options);
}

void bind_sharing(Api& api) {
  py::module_& m = api.module;
  for (const char* name : {"asarray", "as_tensor", "from_numpy"})
    m.def(name, [](const py::object& data, DType dtype, const std::optional<std::string>& device) {
      return shared(data, tensor_options(dtype, device, false));
    }, "A tensor of an array's own memory, which tg never writes, where that is contiguous and aligned; else of a copy.", py::arg("data"),
       py::arg("dtype") = py::none(), py::arg("device") = py::none());
  m.def("from_dlpack", &from_dlpack, "A tensor of the memory of an array of another library, by DLPack; a copy where it has gaps.",
        py::arg("ext_tensor"));
  m.def("_unpickled", &unpickled);
  m.def("_parts", &parts);
  m.def("_identity", &identity);
  api.tensor.def("__dlpack__", [](const Tensor& x, const py::object&) { return to_dlpack(x); }, py::arg("stream") = py::none())
      .def("__dlpack_device__", [](const Tensor&) { return py::make_tuple(1, 0); })
      .def("__reduce__", [](const py::object& x) { return py::module_::import("tg.pickles").attr("reduced")(x); })
      .def("__copy__", &Tensor::clone)
      .def("__deepcopy__", &deep_copy, py::arg("memo"))
      .def("data_ptr", [](const Tensor& x) { return reinterpret_cast<uintptr_t>(released([&] { return host_memory(x); }).get()); },
           "The address of the computed elements.");
}

}  // namespace tg::python
