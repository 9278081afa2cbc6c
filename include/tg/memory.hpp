#pragma once
// Memory that tg and other parts of a program share without a copy.
//
//   auto frame = std::make_shared<std::vector<float>>(640 * 480);
//   tg::Tensor image = tg::borrow({frame, frame->data()}, tg::float32, {480, 640});     the tensor reads the vector, and keeps it
//   auto out = tg::host_memory(image * 2);                                              out.get(): 640 * 480 floats, computed
#include <memory>

#include "tg/tensor.hpp"

namespace tg {

/// A tensor of the elements at data.get(), in row-major order and the machine's byte order, which it reads but never writes: an assignment
/// gives the tensor memory of its own. `data` is given up, on whatever thread that happens, when nothing needs it any more; what is
/// written there before then is seen by what is not yet computed. Copied instead, and given up at once, where the address is not aligned to
/// 16 bytes (malloc's are), the device does not use the host's memory, or options ask for another dtype. ShapeError: a negative size.
[[nodiscard]] Tensor borrow(std::shared_ptr<const void> data, DType dtype, const Sizes& shape, const TensorOptions& options = {});

/// The elements of the tensor, computed, in row-major order: the tensor's own memory where the host can read that, else a copy. It does not
/// change as long as the pointer lives, whatever becomes of the tensor.
[[nodiscard]] std::shared_ptr<const void> host_memory(const Tensor& tensor);

}  // namespace tg
