// The C-like languages, as tables: C99 without a library, and OpenCL C 1.2.
//
//   void entry(void* const* buffers, const int64_t* scalars, int64_t first, int64_t last, const struct tg_worker* worker)
//   __kernel void entry(__global float* restrict b0, const __global float* restrict b1, long s0, __global long* status)
#include "render/c_family.hpp"
#include "render/renderers.hpp"

namespace tg {
namespace render {
namespace {

constexpr Rule kC99Rules[] = {
    // Builtins that become one instruction; gcc and clang need no library for them (Fma: where the machine has it).
    {Op::Sqrt, kFloat32, "__builtin_sqrtf({0})"},
    {Op::Sqrt, kFloat64, "__builtin_sqrt({0})"},
    {Op::Fma, kFloat32, "__builtin_fmaf({0}, {1}, {2})"},
    {Op::Fma, kFloat64, "__builtin_fma({0}, {1}, {2})"},
    // Beyond 2^23 (2^52) every float is whole already; a nan compares false.
    {Op::Trunc, kFloat32, "tg_trunc_{N}({0})",
     "{T} tg_trunc_{N}({T} a) { return __builtin_fabsf(a) < 8388608.0f ? __builtin_copysignf((float)(int32_t)a, a) : a; }"},
    {Op::Trunc, kFloat64, "tg_trunc_{N}({0})",
     "{T} tg_trunc_{N}({T} a) { return __builtin_fabs(a) < 4503599627370496.0 ? __builtin_copysign((double)(int64_t)a, a) : a; }"},
};

constexpr Dialect kC99 = {
    .name = "c",
    .types = {"void", "_Bool", "int8_t", "int16_t", "int32_t", "int64_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t", "uint16_t",
              "uint16_t", "float",
              "double", "int64_t"},
    .bool_memory = "uint8_t",
    .prelude =
        "#include <stdint.h>\n#ifdef __clang__\n#pragma STDC FP_CONTRACT OFF\n#endif\n"
        "struct tg_worker { char* scratch; int64_t* status; int64_t begun; };\n",
    .float64_prelude = "",
    .function = "static inline ",
    .global = "",
    .shared = "",
    .wide_suffix = "LL",
    .infinity = "__builtin_inf()",
    .nan = "__builtin_nan(\"\")",
    .grid = false,
    .kernel = "void ",
    .block = {},
    .thread = {},
    .shared_array = "",
    .barrier = "",
    .prefetch = "__builtin_prefetch({0});",
    .report =
        "void tg_report(int64_t* status, int64_t site, int64_t index, int64_t bound) {\n"
        "  int64_t none = 0;\n"
        "  if (!__atomic_compare_exchange_n(status, &none, 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return;\n"
        "  status[1] = site;\n  status[2] = index;\n  status[3] = bound;\n}",
    .half_to_float =
        "float tg_float32_of_float16(uint16_t h) {\n"
        "  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;\n"
        "  union { uint32_t bits; float value; } u;\n"
        "  u.bits = exponent == 31 ? 0x7f800000u | fraction << 13 : (exponent + 112) << 23 | fraction << 13;\n"
        "  if (exponent == 0) u.value = (float)fraction * 0x1p-24f;\n"
        "  u.bits |= sign;\n"
        "  return u.value;\n}",
    // Adding 2^(13 + exponent) in float rounds the fraction that does not fit a half, denormal or not, to nearest even.
    .float_to_half =
        "uint16_t tg_float16_of_float32(float a) {\n"
        "  union { float value; uint32_t bits; } u, base;\n"
        "  u.value = a;\n"
        "  const uint32_t sign = u.bits >> 16 & 0x8000;\n"
        "  u.bits &= 0x7fffffff;\n"
        "  if (u.bits > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (u.bits >> 13 & 0x3ff));\n"
        "  if (u.bits >= 0x477ff000) return (uint16_t)(sign | 0x7c00);\n"
        "  const uint32_t exponent = u.bits >> 23 < 113 ? 113 : u.bits >> 23;\n"
        "  base.bits = (exponent + 13) << 23;\n"
        "  u.value += base.value;\n"
        "  return (uint16_t)(sign | (((exponent - 113) << 10) + (u.bits - base.bits)));\n}",
    .rules = kC99Rules,
};

constexpr Rule kOpenclRules[] = {
    {Op::Sqrt, kFloat, "sqrt({0})"},
    {Op::Trunc, kFloat, "trunc({0})"},
    {Op::Fma, kFloat, "fma({0}, {1}, {2})"},
};

constexpr Dialect kOpencl = {
    .name = "opencl",
    .types = {"void", "bool", "char", "short", "int", "long", "uchar", "ushort", "uint", "ulong", "ushort", "ushort", "float", "double",
              "long"},
    .bool_memory = "uchar",
    .prelude = "#pragma OPENCL FP_CONTRACT OFF\n",
    .float64_prelude = "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n",
    .function = "static ",
    .global = "__global ",
    .shared = "__local ",
    .wide_suffix = "L",
    .infinity = "INFINITY",
    .nan = "NAN",
    .grid = true,
    .kernel = "__kernel __attribute__((reqd_work_group_size({x}, {y}, {z}))) void ",
    .block = {"get_group_id(0)", "get_group_id(1)", "get_group_id(2)"},
    .thread = {"get_local_id(0)", "get_local_id(1)", "get_local_id(2)"},
    .shared_array = "__local char scratch[{n}] __attribute__((aligned(64)));",
    .barrier = "barrier(CLK_LOCAL_MEM_FENCE);",
    .prefetch = "prefetch({0}, 1);",
    // The first word is 0 or 1, so that its low half alone can be exchanged with what OpenCL 1.2 has.
    .report =
        "void tg_report(__global long* status, long site, long index, long bound) {\n"
        "  if (atomic_cmpxchg((volatile __global int*)status, 0, 1) != 0) return;\n"
        "  status[1] = site;\n  status[2] = index;\n  status[3] = bound;\n}",
    .half_to_float = "float tg_float32_of_float16(ushort h) { return vload_half(0, (const __private half*)&h); }",
    .float_to_half = "ushort tg_float16_of_float32(float a) {\n  ushort h;\n  vstore_half_rte(a, 0, (__private half*)&h);\n  return h;\n}",
    .rules = kOpenclRules,
};

}  // namespace
}  // namespace render

std::string render_c(std::span<const Phase> phases, const Target& target) { return render::render_c_family(phases, target, render::kC99); }
std::string render_opencl(std::span<const Phase> phases, const Target& target) {
  return render::render_c_family(phases, target, render::kOpencl);
}

}  // namespace tg
