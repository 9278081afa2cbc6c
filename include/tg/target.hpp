#pragma once
// What codegen must know of a machine: plain facts, no behaviour.
#include <cstdint>
#include <string>
#include <vector>

#include "tg/dtype.hpp"

namespace tg {

/// An instruction that adds products to each lane of an accumulator: acc[l] += a[l][0] * b[l][0] + ... + a[l][depth - 1] * b[l][depth - 1].
/// With tiles for registers it does so in several rows and for several such steps at once:
/// acc[r][l] += sum over s of a[r][s] * b[s][l],
/// where a[r][s] and b[s][l] have `depth` numbers each.
struct MatrixInstruction {
  std::string name;               // what the verb mma calls it
  DType a = DType::void_, b = DType::void_, accumulator = DType::void_;
  int depth = 2;                  // operands that lie side by side in a lane
  bool by_shift = false;          // a is signed and becomes unsigned: 128 is added to it, and 128 times the sum of b taken away
  int rows = 1, steps = 1;        // of a tile; 1: registers are vectors
};

struct Target {  // facts of a machine that the compiler goes by
  std::string name;               // part of every cache key: "cpu x86-64 znver5 avx512", "opencl pocl 3.1"
  std::string renderer = "llvm";  // "llvm", "c", "opencl"; or a name registered with register_renderer
  int vector_bytes = 0;           // widest vector register; 0: emit scalar code only
  int vector_registers = 16;      // of that width
  int64_t alignment = 512;        // bytes: buffers that kernels are given begin at multiples of it; at most kAlignment
  int64_t l1_bytes = 32 << 10, l2_bytes = 512 << 10, l3_bytes = 4 << 20;  // caches of data: a core's own two, and all cores'
  int line_cycles = 12;           // in which a line of L3 comes to a core that asks for one after the other
  int cores = 1;                  // that run at once
  bool fma = true;                // products are added with one rounding
  int fma_per_cycle = 2;          // of the widest vectors, begun in one cycle
  bool blocks = false;            // it can run several kernels block by block (Device::launch_blocks)
  bool grid = false;              // GPU-like: blocks of threads with shared memory and barriers
  int max_threads = 1;            // per block
  int64_t shared_bytes = 0;       // of memory that a block's threads share
  std::vector<MatrixInstruction> matrix = {};  // what the verb mma can use
  uint32_t dtypes = (1u << kDTypeCount) - 1;  // bit per DType
  bool supports(DType t) const { return dtypes >> static_cast<int>(t) & 1; }  // its bit is set
};

}  // namespace tg
