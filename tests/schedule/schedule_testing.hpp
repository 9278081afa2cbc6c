#pragma once
// What the schedule tests share: memory to plan with, on a device that runs nothing.
#include "engine/realize.hpp"
#include "tg/tg.hpp"

namespace tg {

inline Tensor input(const Sizes& shape, DType dtype = float32) {
  return Tensor::ones(shape, {.dtype = dtype, .device = "null"}).realize();
}

}  // namespace tg
