#pragma once
// The instruction list: what codegen hands to a renderer. Straight-line SSA with structured loops and explicit vector lanes.
//
//   in:  one phase of a kernel, as codegen left it         out: text in the renderer's language
//   %0 = buffer 0 float32        %3 = loop %1 %2 step 1      %5 = load %0 [%4]   x16
//   %1 = first_chunk             %4 = alu Mul %3, 16         store %0 [%4] %6    x16
//
// An instruction is its position in the list; sources name earlier positions.
#include <cstdint>
#include <string>
#include <vector>

#include "tg/dtype.hpp"
#include "tg/op.hpp"

namespace tg {

enum class InstOp : uint8_t {  // what an instruction does, with its sources in parentheses
  constant,     // value (integers, bool) or real (floats); one lane
  buffer,       // pointer to the kernel's buffer number `value`, elements of `dtype`
  scratch,      // pointer into the worker's private scratch (CPU) or the block's shared memory (GPU): `value` bytes from its start
  scalar,       // scalar argument number `value`: dtype index (64-bit integer) or float64
  first_chunk,  // CPU: first and one past the last block this call shall do (dtype index)
  last_chunk,
  begun,        // CPU: 1 where the worker's scratch is as an earlier call of this launch left it, else 0 (dtype index)
  block,        // GPU: block number along grid axis `value`
  thread,       // GPU: thread number in the block along axis `value`
  ramp,         // 0, 1, 2, ... as `lanes` values of `dtype`
  alu,          // elementwise `alu` (an Elementwise row of ops.def other than Cast and Bitcast) over sources of equal lanes.
                // Exp2, Log2 and Sin never come here (codegen decomposes them); Sqrt, Recip, Trunc, Fma do. dtype: the result's.
                // IDiv and Mod with `value` 1: both operands proven non-negative and the divisor positive (plain unsigned division).
                // Shl and Shr by a negative amount or by the type's width or more give 0, or the sign for Shr of signed types.
                // float16 and bfloat16 have no arithmetic but Where: codegen computes in float32. bool has no IDiv, Mod, Shl, Shr
  cast,         // value conversion to `dtype`; bool is 0/1; float -> int truncates and saturates (nan -> 0); int -> int wraps
  bitcast,      // same bits
  broadcast,    // one lane to `lanes`
  extract,      // lane number `value`
  shuffle,      // (a, b): lanes picked by `list` from the concatenation of a and b, which have equal lanes (1 too)
  dot,        // (accumulator, a, b): to each lane of the accumulator, `value` products of neighbours: a and b have `value` times its lanes
  tile_zero,    // a register of a matrix instruction with tiles: `value` rows of lanes / value numbers, all 0
  tile_load,    // (pointer, offset, stride): the same from memory, rows `stride` elements apart
  tile_dot,     // (accumulator, a, b), tiles: to each number of the accumulator, the products of a's row with b's column. A row of b has
                // `value` numbers of each column side by side, which those of a's row follow one after the other
  tile_store,   // (pointer, offset, tile, stride)
  load,         // (pointer, offset[, mask]): `lanes` consecutive elements from `offset` (dtype index, in elements); 0 where mask is false.
                // with one lane the mask is a bool and the access must not happen where it is false
  gather,       // (pointer, offsets[, mask]): one element a lane
  store,        // (pointer, offset, value[, mask]): consecutive
  scatter,      // (pointer, offsets, value[, mask])
  prefetch,     // (pointer, offset): read soon; `value` 1: but not before what the nearest cache holds
  loop,         // (begin, end): counter of dtype index, stepping by `value` (> 0); body up to the matching end_loop
  phi,          // (initial value): carried round the loop just opened; all phis of a loop follow it directly
  end_loop,     // (loop, next value of each of its phis, in order). After it a phi's position means its final value
  if_,          // (bool): body up to end_if; values made inside are not used outside
  end_if,
  barrier,      // GPU: all threads of the block
  report,       // (bool, index, bound): where it is true, notes that index number `value` (a site) is out of range: the first of the
                // lanes where it is, and nothing if something is noted already. index and bound have its lanes or one
};

/// Whether a store should bypass the cache. non_temporal promises that a whole vector's address is a multiple of its bytes; it has
/// no effect on masked and scattered stores and on vectors whose bytes are not a power of two.
enum class Hint : uint8_t { usual, non_temporal };

struct Inst {  // an instruction of a kernel, in the order in which it runs
  InstOp op;                       // what it does
  Op alu = Op::Add;                // for InstOp::alu
  DType dtype = DType::void_;      // of the result; of the element for pointers; void for stores and control
  uint16_t lanes = 1;              // how many values it makes
  Hint hint = Hint::usual;         // for stores
  int64_t value = 0;               // a number, by op
  double real = 0;                 // for floating constants
  std::vector<int32_t> src = {};   // positions of the instructions whose results it takes
  std::vector<int32_t> list = {};  // for shuffle
};

/// One entry point. A kernel is a list of phases, run one after another with everything finished in between.
struct Phase {
  std::string entry;                // symbol; unique by content
  std::vector<Inst> insts;
  std::vector<DType> buffers;       // element type of each buffer argument, by slot
  std::vector<bool> written;        // per slot: does this phase store to it
  int scalars = 0;                  // number of scalar arguments
  int64_t scratch_bytes = 0;        // private (CPU) or shared (GPU) memory
  int grid_axes = 1;                // GPU: 1 to 3
  int64_t block[3] = {1, 1, 1};     // GPU: threads per block
};

std::string to_string(const std::vector<Inst>&);  // one instruction a line, indented by loop depth

}  // namespace tg
