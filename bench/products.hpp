#pragma once
// Products of matrices, and the libraries that make them: OpenBLAS, which is opened if the machine has it, and oneDNN, if the benchmark was
// built with it. Same layout, same threads; neither is given its operands in an order of its own beforehand.
//
//   OpenBlas().prepare(product, {a, b, c})()      c = a b
#include <dlfcn.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "base/env.hpp"
#include "bench.hpp"
#ifdef TG_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif

namespace tg::bench {

// Of operands and result. Bytes: uint8 by int8 in int32; signed ones: int8 by int8.
enum class Numbers : uint8_t { Float32, Bfloat16, Bytes, SignedBytes };
inline bool whole(Numbers n) { return n == Numbers::Bytes || n == Numbers::SignedBytes; }

/// (batch, m, k) by (batch, k, n); a transposed operand lies in memory as (k, m), or (n, k).
struct Product {
  std::string name;
  int m, k, n, batch = 1;
  bool first_transposed = false, second_transposed = false;
  Numbers numbers = Numbers::Float32;
  double operations() const { return 2.0 * batch * m * k * n; }
};
/// Row-major arrays.
struct Operands { void *a, *b, *c; };
/// What makes the product when called; empty where the library has no such product.
using Prepared = std::function<void()>;

class OpenBlas {
 public:
  OpenBlas() {
    at_their_best();
    setenv("OPENBLAS_THREAD_TIMEOUT", "4", 0);  // its idle threads sleep soon, and leave the cores to whose turn it is
    // It knows processors by their model, and takes those that are newer than it is for very old ones.
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
    void* const library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      fmt::print("no OpenBLAS to compare with: {}\n", dlerror());
      return;
    }
    reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads"))(settings().threads);
    gemm_ = reinterpret_cast<Gemm>(dlsym(library, "cblas_sgemm"));
    fmt::print("OpenBLAS with its kernels for {}\n", reinterpret_cast<const char* (*)()>(dlsym(library, "openblas_get_corename"))());
  }
  Prepared prepare(const Product& p, const Operands& x) const {
    if (!gemm_ || p.numbers != Numbers::Float32) return {};
    return [gemm = gemm_, p, x] {
      constexpr int kRowMajor = 101, kAsIs = 111, kTransposed = 112;
      for (ptrdiff_t i = 0; i < p.batch; ++i)
        gemm(kRowMajor, p.first_transposed ? kTransposed : kAsIs, p.second_transposed ? kTransposed : kAsIs, p.m, p.n, p.k, 1,
             static_cast<const float*>(x.a) + i * p.m * p.k, p.first_transposed ? p.m : p.k,
             static_cast<const float*>(x.b) + i * p.k * p.n, p.second_transposed ? p.k : p.n, 0,
             static_cast<float*>(x.c) + i * p.m * p.n, p.n);
    };
  }

 private:
  using Gemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  Gemm gemm_ = nullptr;
};

class OneDnn {
 public:
#ifdef TG_ONEDNN
  OneDnn() {
    if (void* const set = dlsym(RTLD_DEFAULT, "omp_set_num_threads")) reinterpret_cast<void (*)(int)>(set)(settings().threads);
    const dnnl_version_t* const v = dnnl_version();
    fmt::print("oneDNN {}.{}.{}\n", v->major, v->minor, v->patch);
  }
  Prepared prepare(const Product& p, const Operands& x) const {
    using Memory = dnnl::memory;
    using Type = Memory::data_type;
    constexpr Type kTypes[][3] = {{Type::f32, Type::f32, Type::f32},
                                  {Type::bf16, Type::bf16, Type::bf16},
                                  {Type::u8, Type::s8, Type::s32},
                                  {Type::s8, Type::s8, Type::s32}};
    const auto& types = kTypes[static_cast<size_t>(p.numbers)];
    const auto describe = [&](Memory::dim rows, Memory::dim columns, bool transposed, Memory::data_type t) {
      Memory::dims sizes{rows, columns}, steps{transposed ? 1 : columns, transposed ? rows : 1};
      if (p.batch > 1) sizes.insert(sizes.begin(), p.batch), steps.insert(steps.begin(), rows * columns);
      return Memory::desc(sizes, t, steps);
    };
    const Memory::desc a = describe(p.m, p.k, p.first_transposed, types[0]), b = describe(p.k, p.n, p.second_transposed, types[1]),
                       c = describe(p.m, p.n, false, types[2]);
    dnnl::matmul product;
    try {
      product = dnnl::matmul({{a, b, c}, engine_});
    } catch (const dnnl::error&) {  // none of this type for the vectors it may use
      return {};
    }
    return [this, product, x = Arguments{{DNNL_ARG_SRC, {a, engine_, x.a}}, {DNNL_ARG_WEIGHTS, {b, engine_, x.b}},
                                         {DNNL_ARG_DST, {c, engine_, x.c}}}] {
      dnnl::stream stream = stream_;
      product.execute(stream, x);
      stream.wait();
    };
  }

 private:
  using Arguments = std::unordered_map<int, dnnl::memory>;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
#else
  Prepared prepare(const Product&, const Operands&) const { return {}; }
#endif
};

}  // namespace tg::bench
