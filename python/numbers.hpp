#pragma once
// Whole numbers of Python's that no dtype has.
//
//   in:  2**70      out: "1180591620717411303424 is outside the range of all integer dtypes, -2^63 to 2^64 - 1; ..."
#include "python/casters.hpp"

namespace tg::python {

bool is_too_large(py::handle number);
/// What is said of it.
std::string too_large(py::handle number);

}  // namespace tg::python
