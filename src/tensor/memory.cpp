// Memory shared with other parts of a program, as buffers that somebody else owns, and as owners of what a buffer holds.
//
//   borrow(data, float32, {2, 3})      one Buffer node over Memory whose owner is `data`
#include "tg/memory.hpp"

#include "tensor/impl.hpp"

namespace tg {

Tensor borrow(std::shared_ptr<const void> data, DType dtype, const Sizes& shape, const TensorOptions& options) {
  check_sizes(shape, "borrow");
  const std::string name = device_of(options);
  Device& target = device(name);
  const auto bytes = static_cast<size_t>(product(shape)) * size_of(dtype);
  const bool other_dtype = options.dtype != DType::void_ && options.dtype != dtype;
  const bool aligned = reinterpret_cast<uintptr_t>(data.get()) % kHostAlignment == 0;
  if (bytes == 0 || other_dtype || !aligned || !target.uses_host_memory())
    return Tensor::from_memory(data.get(), product(shape), dtype, shape, options);
  void* const address = const_cast<void*>(data.get());  // never written: Memory::borrowed
  auto memory = std::make_shared<Memory>(target, address, bytes, std::move(data));
  Tensor t = make(buffer(std::make_shared<Buffer>(std::move(memory), bytes), dtype, shape_of(shape)), name);
  if (options.requires_grad) t.set_requires_grad();
  return t;
}

std::shared_ptr<const void> host_memory(const Tensor& tensor) {
  const std::shared_ptr<Buffer> own = memory_of(tensor);
  if (const std::byte* address = own->device().host_pointer(own->ref())) return {own->memory, address};
  auto copy = std::make_shared<std::vector<std::byte>>(own->bytes);
  tensor.copy_out(copy->data(), tensor.dtype());
  return {copy, copy->data()};
}

}  // namespace tg
