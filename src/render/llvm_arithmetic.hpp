#pragma once
// The lane-wise half of the LLVM renderer: how types and numbers are written, and the lines of alu and cast instructions.
//
//   put_type(out, "float", 16)                       <16 x float>
//   Lines{out, 12}.convert("%v5", float32, int32, ...)   the lines that define %v12; returns "%v12"
#include "render/rules.hpp"

namespace tg::render {

std::string_view scalar_type(DType t);  // in registers: bool is i1, 16-bit floats are their bits in i16
std::string_view memory_type(DType t);  // bool is i8
void put_type(std::string& out, std::string_view scalar, int lanes);
/// "v16f32" of an intrinsic's name, for the type as it is in memory.
void put_suffix(std::string& out, DType t, int lanes);
/// A number as an operand; floats exactly, as the bits of a double.
std::string number(DType t, int64_t value, double real);
/// One number in every lane, as an operand of that vector type.
void put_splat(std::string& out, DType t, int lanes, std::string_view text);

/// Writes lines that define values; `at` is the instruction they belong to, for errors.
struct Lines {
  std::string& out;
  size_t at;

  /// An alu instruction on `from` giving `d`. `divisor`: the constant an integer is divided by, or 0 when not known.
  void alu(const Inst& u, DType from, int64_t divisor, const std::string& d, std::span<const std::string* const> operands);
  /// Converts `v`, defining `d` if any lines are needed; the name of the result.
  std::string convert(const std::string& v, DType from, DType to, int lanes, const std::string& d);

 private:
  void rule(std::string_view pattern, const std::string& d, DType from, DType to, int lanes, std::span<const std::string* const> operands,
            int64_t divisor = 0);
};

}  // namespace tg::render
