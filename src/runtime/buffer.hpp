#pragma once
// Buffer: the memory of a realized value, as the graph holds it.
//
//   auto b = make_buffer(device("cpu"), 4 * sizeof(float));   copy_in(*b, data);   graph node: buffer(b, float32, {4})
//
// Several buffers may share one allocation: an assignment made in place gives the same memory a new identity.
#include <memory>

#include "tg/device.hpp"
#include "tg/ir/uop.hpp"

namespace tg {

/// One allocation on a device, freed with its last owner; or memory that somebody else owns, which is only read.
class Memory {
 public:
  /// At least one byte, so that a kernel can be given an empty buffer as any other.
  Memory(Device& d, size_t n) : device(d), bytes(n ? n : 1), handle(d.allocate(bytes)) {}
  Memory(Device& d, void* address, size_t n, std::shared_ptr<const void> owner)
      : device(d), bytes(n), handle(address), owner_(std::move(owner)) {}
  ~Memory() { if (!borrowed()) device.free(handle, bytes); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  bool borrowed() const { return owner_ != nullptr; }
  Device& device;
  const size_t bytes;
  void* const handle;

 private:
  const std::shared_ptr<const void> owner_;
};

struct Buffer : Storage {
  Buffer(std::shared_ptr<Memory> m, size_t n, size_t at = 0) : memory(std::move(m)), bytes(n), offset(at) {}
  const std::shared_ptr<Memory> memory;
  const size_t bytes, offset;
  Device& device() const { return memory->device; }
  MemoryRef ref() const { return {memory->handle, offset, bytes == memory->bytes ? 0 : bytes}; }
};

inline std::shared_ptr<Buffer> make_buffer(Device& d, size_t bytes) {
  return std::make_shared<Buffer>(std::make_shared<Memory>(d, bytes), bytes);
}
/// A piece of memory without its first bytes.
inline MemoryRef rest_of(MemoryRef piece, int64_t from) {
  const auto n = static_cast<size_t>(from);
  return {piece.handle, piece.offset + n, piece.bytes ? piece.bytes - n : 0};
}
/// The buffer behind a Buffer node or a realized one; null if it has none.
inline std::shared_ptr<Buffer> buffer_of(const UOp& u) { return std::static_pointer_cast<Buffer>(u.storage()); }

}  // namespace tg
