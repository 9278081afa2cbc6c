#pragma once
// Algebra on expressions: what is always true, and what is true only of real numbers.
//
//   UOp i = range(8, 0), j = range(16, 1);
//   simplify(floor_div(i * 16 + j, 16)) == i;   simplify(floor_mod(i * 16 + j, 16)) == j;   simplify(less(i * 16 + j, 128)) is true
//
// Simplify a graph after its buffers have become params: where a buffer is below, commutative operands keep their order, because a
// buffer's serial must not shape the graph.
#include "tg/ir/pattern.hpp"

namespace tg {

/// Keep every bit: integers and bools by their algebra, floats by IEEE 754 (nan, infinities and signed zeros included).
const Rules& exact_rules();
/// Opt-in: floats as if they were real numbers. Use beside the exact rules: exact_rules() + fast_math_rules().
const Rules& fast_math_rules();

/// The expression under the exact rules. A node that was simplified before is recognised at once.
UOp simplify(const UOp&);
std::vector<UOp> simplify(std::span<const UOp>);
/// The expression where `condition` (a bool, such as a load's gate) is known to hold: its comparisons narrow the bounds of what they
/// compare, also of the quotients and remainders of a range.
UOp simplify_given(const UOp& expr, const UOp& condition);
/// The smaller of two numbers that count, with the bounds that follow from both (those of a `where` are of either branch).
UOp smaller(const UOp& one, const UOp& other);
/// What must all hold for a condition to: a & b & c as a, b, c.
std::vector<UOp> conjunction(const UOp& condition);

}  // namespace tg
