#pragma once
// Instruction lists to text: one function per language, to be registered under the names Target::renderer uses.
//
//   render_llvm(phases, target)  "define void @entry(ptr %buffers, ptr %scalars, i64 %first, i64 %last, ptr %worker) ..."
//   render_c(phases, target)     "void entry(void* const* buffers, const int64_t* scalars, int64_t first, ..."
//   render_opencl(phases, target) "__kernel void entry(__global float* restrict b0, ..., long s0, ..., __global long* status)"
//
// All are deterministic and throw InternalError, naming the instruction, for what their language cannot say.
//
// Assumed of the caller: two slots never share memory (memory used twice in a phase is one slot); buffers start at multiples of
// kHostAlignment. Compile C with -ffp-contract=off -fno-math-errno -fno-strict-aliasing (and with FMA enabled if Fma occurs), OpenCL
// with -cl-std=CL1.2 -cl-fp32-correctly-rounded-divide-sqrt where the device has it.
#include <span>
#include <string>

#include "tg/inst.hpp"
#include "tg/target.hpp"

namespace tg {

std::string render_llvm(std::span<const Phase>, const Target&);
std::string render_c(std::span<const Phase>, const Target&);
std::string render_opencl(std::span<const Phase>, const Target&);

}  // namespace tg
