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
// Largest errors, in units in the last place (tests/codegen/decompose_test.cpp):
//   float32: exp2 0.7, log2 1.2, sin 1.3       float64: exp2 0.7, log2 1.2, sin 1.3       of every argument, however large
#include <span>
#include <vector>

#include "ir/uop.hpp"
#include "tg/target.hpp"

namespace tg {

UOp decompose(const UOp& root, const Target& target);
std::vector<UOp> decompose(std::span<const UOp> roots, const Target& target);

}  // namespace tg
