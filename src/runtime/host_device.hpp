#pragma once
// What the devices that keep their tensors in host memory share: a handle is an address.
#include <cstring>

#include "runtime/host_memory.hpp"
#include "tg/device.hpp"

namespace tg {

class HostDevice : public Device {
 public:
  void* allocate(size_t bytes) override { return memory_.allocate(bytes); }
  void free(void* handle, size_t bytes) noexcept override { memory_.free(handle, bytes); }
  void copy_in(MemoryRef to, const void* from, size_t bytes) override {
    if (bytes) std::memcpy(address(to), from, bytes);
  }
  void copy_out(void* to, MemoryRef from, size_t bytes) override {
    if (bytes) std::memcpy(to, address(from), bytes);
  }
  std::byte* host_pointer(MemoryRef ref) override { return address(ref); }
  bool uses_host_memory() const override { return true; }

  const HostMemory& memory() const { return memory_; }

 protected:
  static std::byte* address(MemoryRef ref) { return static_cast<std::byte*>(ref.handle) + ref.offset; }

 private:
  HostMemory memory_;
};

}  // namespace tg
