#pragma once
// gradient: reverse-mode differentiation as a transformation of the graph.
//
//   UOp y = x * x;  gradient(y, constant(float32, 1), {&x, 1})[0]      the graph of x + x
//
// The result is graph like any other: it is fused and compiled with the rest, and its own gradient is the second derivative.
#include <span>
#include <string>
#include <vector>

#include "ir/uop.hpp"

namespace tg {

/// d(sum(seed * root)) / d(w) for each w of `wrt`, in its shape and dtype; zeros where root does not depend on it. `seed` has root's
/// dtype, and its shape or (). Throws GradientError where root or a w is not of a float dtype, or an op between them has no gradient.
std::vector<UOp> gradient(const UOp& root, const UOp& seed, std::span<const UOp> wrt);

/// The same walk as text, a line a step: node, and what it adds to each source's gradient. Numbers are those of dump(root).
std::string explain_gradient(const UOp& root, std::span<const UOp> wrt);

}  // namespace tg
