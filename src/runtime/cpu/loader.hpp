#pragma once
// Machine code in an ELF object file in, callable functions out. Small enough that a process whose kernels all come from the compile
// cache never loads LLVM.
//
//   LoadedObject code(object_bytes);   auto* f = reinterpret_cast<Entry*>(code.address("sum_1024"));
//
// Takes relocatable x86-64 objects compiled for position-independent code: all kept sections go into one read-and-execute mapping.
// What the object does not define (memset, fmodf) is looked up in the process. Every offset read from the object is checked.
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace tg {

class LoadedObject {
 public:
  /// Throws DeviceError naming what is wrong with the object, or the function that neither it nor the process defines.
  explicit LoadedObject(std::string_view object);
  ~LoadedObject();
  LoadedObject(const LoadedObject&) = delete;
  LoadedObject& operator=(const LoadedObject&) = delete;

  /// Of a global function. Throws DeviceError listing those there are.
  void* address(std::string_view function) const;
  /// Bytes of the sections that were kept.
  size_t code_bytes() const { return code_bytes_; }

 private:
  std::byte* memory_ = nullptr;
  size_t size_ = 0, code_bytes_ = 0;
  std::map<std::string, void*, std::less<>> functions_;
};

}  // namespace tg
