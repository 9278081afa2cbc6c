#pragma once
// Decompose: from the arithmetic users write to the arithmetic machines have, on a kernel's scalar expressions.
//
//   in:  Exp2(x), Log2(x), Sin(x)       out: polynomials of Mul, Add and Fma around integer operations on the bits
//   in:  a + b in float16               out: Cast(Cast(a, float32) + Cast(b, float32), float16)
//   in:  a + b, a * b, a < b of bools   out: a | b, a & b, !a & b
//
// A Reduce of 16-bit floats becomes one of float32 whose result is cast. Loads and stores keep their types. Exact rules may run on the
// result; the fast-math rules must have run before, since they would undo what is done here for accuracy.
//
// exp2(x * log2(e)) and log2(x) * log(2), as exponentials and logarithms to the base e are written, are recognised and computed as such.
// Largest errors in units in the last place, of any argument (tests/codegen/decompose_test.cpp):
//   float32: exp2 0.9, exp 0.9, log2 1.5, log 0.9, sin 1.6       float64: the same
#include <span>
#include <vector>

#include "tg/ir/uop.hpp"
#include "tg/target.hpp"

namespace tg {

/// Expressions that share parts keep sharing them.
UOp decompose(const UOp& root, const Target& target);
std::vector<UOp> decompose(std::span<const UOp> roots, const Target& target);

}  // namespace tg
