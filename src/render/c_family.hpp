#pragma once
// What distinguishes one C-like language from another. c_dialects.cpp holds C99 and OpenCL C; a further one (CUDA) is a further table.
#include <array>

#include "render/rules.hpp"
#include "tg/target.hpp"

namespace tg::render {

struct Dialect {
  std::string_view name;                               // for errors
  std::array<std::string_view, kDTypeCount> types;     // in registers; 16-bit floats are their bits
  std::string_view bool_memory;                        // bool in memory is a byte, 0 or 1
  std::string_view prelude;                            // first lines of the text
  std::string_view float64_prelude;                    // before anything that uses float64
  std::string_view function;                           // before a helper function: "static inline "
  std::string_view global, shared;                     // address spaces, before a pointer's type; shared: of a phase's scratch
  std::string_view wide_suffix;                        // of 64-bit literals
  std::string_view infinity, nan;
  bool grid;                                           // blocks of threads, arguments one by one; else the CPU's signature
  std::string_view kernel;                             // before the name of an entry point; keys {x} {y} {z}: threads of a block
  std::array<std::string_view, 3> block, thread;       // numbers along each axis
  std::string_view shared_array;                       // declaration of scratch; key {n}: bytes
  std::string_view barrier, prefetch;                  // prefetch: key {0}, an address
  std::string_view report;                             // helper function tg_report(status, site, index, bound)
  std::string_view half_to_float, float_to_half;       // helper functions tg_float32_of_float16 and back
  std::span<const Rule> rules;                         // before those that all dialects share
};

std::string render_c_family(std::span<const Phase>, const Target&, const Dialect&);

}  // namespace tg::render
