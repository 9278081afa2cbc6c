#pragma once
// The verb stage(p1, phase): an operand is copied by all cores, before anything else, so that what the reduction reads one after the other
// lies side by side. Two kernels come out, with memory between them.
//
//   out[i, j] = sum over k of a[k, i] * b[k, j]      stage(p1, phase)      t[i, k] = a[k, i]      out[i, j] = sum over k of t[i, k] * b[k,
//   j]
#include "codegen/nest.hpp"

namespace tg {

struct Packed {
  Kernel copy, main;  // both with the memory as their last param
  DType dtype;        // of the memory
  Dim elements;
};

/// Throws ValueError unless the operand is read in one place, inside a reduction.
Packed pack(const Kernel&, const Verb&);

/// The one place where a kernel's reductions read an operand, and the reduction; empty if there is none or are several.
struct Read { UOp load, reduce; };
Read sole_read(const Kernel&, int param);

}  // namespace tg
