#pragma once
// Numbers and arrays as NumPy prints them.
//
//   format_array(HostArray::of(float32, {2, 2}, {1, 2.25, 3, 4})) == "[[1.   2.25]\n [3.   4.  ]]"
#include <string>

#include "runtime/interpreter/host_array.hpp"

namespace tg {

/// A number by itself: 2.5, 3.0, 1e-05, 7, True.
std::string format_scalar(Number v, DType dtype);
/// Elements in columns, lines of 75 characters, more than 1000 elements shortened to three at each end of an axis.
std::string format_array(const HostArray& a);
/// The same with commas, as a call: name([1., 2.], dtype=float16), the dtype where it is not what a literal has; `more` before the end.
std::string format_repr(const HostArray& a, std::string_view name, const std::string& more = "");

}  // namespace tg
