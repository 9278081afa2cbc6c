#pragma once
// The table behind monoids.def: what a reduction keeps, how a value enters it, and how two partial results become one.
//
//   State s = combine(Monoid::LogSumExp, {m1, s1}, lift(Monoid::LogSumExp, x));     two expressions: the new m and the new s
//
// Rows are expressions on scalars, so the interpreter runs and codegen lowers the same definition. For every row:
// combine(identity, s) == s, and combine is associative (floats: up to rounding), so partial results may be joined in any grouping.
#include <string_view>
#include <vector>

#include "tg/ir/uop.hpp"

namespace tg {

using State = std::vector<UOp>;  // one expression a component

std::string_view name_of(Monoid);
size_t components(Monoid);
/// Of one component, when the values reduced are of `value`: DType::index for a position, else `value` itself.
DType component_dtype(Monoid, size_t component, DType value);

/// The state of no values at all.
State identity(Monoid, DType value);
/// The state of one value. `index` is its position among the values reduced (DType::index); only ArgMax looks at it.
State lift(Monoid, const UOp& value, const UOp& index = {});
/// The state of both; where order matters (ArgMax's ties) positions decide, not the order of the arguments.
State combine(Monoid, const State& a, const State& b);

}  // namespace tg
