#pragma once
// Builds instruction lists by hand and runs their renderings: LLVM text through the JIT, C text through the system's compiler.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "render/renderers.hpp"
#include "runtime/cpu/jit.hpp"
#include "runtime/cpu/loader.hpp"
#include "tg/device.hpp"
#include "tg/error.hpp"

namespace tg::testing_ {

using Id = int32_t;

/// Appends instructions; results name them.
struct Builder {
  Phase phase;

  Builder(std::string entry, std::vector<DType> buffers) {
    phase.entry = std::move(entry);
    phase.buffers = std::move(buffers);
    phase.written.resize(phase.buffers.size());
  }
  Id add(Inst u) {
    phase.insts.push_back(std::move(u));
    return static_cast<Id>(phase.insts.size() - 1);
  }
  const Inst& at(Id i) const { return phase.insts[static_cast<size_t>(i)]; }
  Id integer(int64_t v, DType t = DType::index) { return add({.op = InstOp::constant, .dtype = t, .value = v}); }
  Id real(double v, DType t = float32) { return add({.op = InstOp::constant, .dtype = t, .real = v}); }
  Id buffer(int slot) { return add({.op = InstOp::buffer, .dtype = phase.buffers[static_cast<size_t>(slot)], .value = slot}); }
  Id scratch(int64_t offset, DType t) { return add({.op = InstOp::scratch, .dtype = t, .value = offset}); }
  Id scalar(int n, DType t) {
    phase.scalars = std::max(phase.scalars, n + 1);
    return add({.op = InstOp::scalar, .dtype = t, .value = n});
  }
  Id first() { return add({.op = InstOp::first_chunk, .dtype = DType::index}); }
  Id last() { return add({.op = InstOp::last_chunk, .dtype = DType::index}); }
  Id ramp(DType t, int lanes) { return add({.op = InstOp::ramp, .dtype = t, .lanes = static_cast<uint16_t>(lanes)}); }
  Id alu(Op op, std::vector<Id> src, int64_t value = 0) {
    const Inst &a = at(src[0]), &b = at(src[src.size() > 1 ? 1 : 0]);
    const DType t = op == Op::Less || op == Op::NotEqual ? bool_ : op == Op::Where ? b.dtype : a.dtype;
    return add({.op = InstOp::alu, .alu = op, .dtype = t, .lanes = a.lanes, .value = value, .src = std::move(src)});
  }
  Id cast(Id v, DType t) { return add({.op = InstOp::cast, .dtype = t, .lanes = at(v).lanes, .src = {v}}); }
  Id bitcast(Id v, DType t) { return add({.op = InstOp::bitcast, .dtype = t, .lanes = at(v).lanes, .src = {v}}); }
  Id broadcast(Id v, int lanes) {
    return add({.op = InstOp::broadcast, .dtype = at(v).dtype, .lanes = static_cast<uint16_t>(lanes), .src = {v}});
  }
  Id extract(Id v, int lane) { return add({.op = InstOp::extract, .dtype = at(v).dtype, .value = lane, .src = {v}}); }
  Id shuffle(Id a, Id b, std::vector<int32_t> list) {
    return add(
        {.op = InstOp::shuffle, .dtype = at(a).dtype, .lanes = static_cast<uint16_t>(list.size()), .src = {a, b}, .list = std::move(list)});
  }
  Id load(Id p, Id offset, int lanes = 1, Id mask = -1) {
    return add({.op = InstOp::load, .dtype = at(p).dtype, .lanes = static_cast<uint16_t>(lanes), .src = with({p, offset}, mask)});
  }
  Id gather(Id p, Id offsets, Id mask = -1) {
    return add({.op = InstOp::gather, .dtype = at(p).dtype, .lanes = at(offsets).lanes, .src = with({p, offsets}, mask)});
  }
  void store(Id p, Id offset, Id v, Id mask = -1, Hint hint = Hint::usual) {
    write({.op = InstOp::store, .hint = hint, .src = with({p, offset, v}, mask)});
  }
  void scatter(Id p, Id offsets, Id v, Id mask = -1) { write({.op = InstOp::scatter, .src = with({p, offsets, v}, mask)}); }
  Id loop(Id begin, Id end, int64_t step = 1) {
    return add({.op = InstOp::loop, .dtype = DType::index, .value = step, .src = {begin, end}});
  }
  Id phi(Id initial) { return add({.op = InstOp::phi, .dtype = at(initial).dtype, .lanes = at(initial).lanes, .src = {initial}}); }
  void end_loop(Id loop, std::vector<Id> next = {}) {
    next.insert(next.begin(), loop);
    add({.op = InstOp::end_loop, .src = std::move(next)});
  }
  void if_(Id condition) { add({.op = InstOp::if_, .src = {condition}}); }
  void end_if() { add({.op = InstOp::end_if}); }
  void report(Id out, Id index, Id bound, int64_t site) { add({.op = InstOp::report, .value = site, .src = {out, index, bound}}); }

 private:
  static std::vector<Id> with(std::vector<Id> src, Id mask) {
    if (mask >= 0) src.push_back(mask);
    return src;
  }
  void write(Inst u) {
    const Inst& p = at(u.src[0]);
    if (p.op == InstOp::buffer) phase.written[static_cast<size_t>(p.value)] = true;
    add(std::move(u));
  }
};

using Entry = void (*)(void* const*, const int64_t*, int64_t, int64_t, const CpuWorker*);

inline Target cpu_target() { return {.name = "cpu test", .vector_bytes = 64}; }

/// What one compiled text offers. Kernels stay callable as long as it lives.
struct Code {
  virtual ~Code() = default;
  virtual Entry entry(const std::string& name) const = 0;
};
struct LlvmCode : Code {
  LoadedObject object;
  explicit LlvmCode(const std::string& text) : object(compile_llvm_ir(text)) {}
  Entry entry(const std::string& name) const override { return reinterpret_cast<Entry>(object.address(name)); }
};
struct CCode : Code {
  void* library = nullptr;
  explicit CCode(const std::string& text, const std::string& optimization = "-O1") {
    const std::string stem = (std::filesystem::temp_directory_path() / ("tg_render_" + std::to_string(getpid()))).string();
    std::ofstream(stem + ".c") << text;
    const std::string command =
        "cc -std=c99 -ffreestanding -Wall -Werror -ffp-contract=off -fno-math-errno -fno-strict-aliasing -march=native " + optimization +
                                " -fPIC -shared -nostdlib -Wl,-z,defs -o " + stem + ".so " + stem + ".c 2> " + stem + ".log";
    if (std::system(command.c_str()) == 0) library = dlopen((stem + ".so").c_str(), RTLD_NOW | RTLD_LOCAL);
    std::stringstream log;
    log << std::ifstream(stem + ".log").rdbuf();
    for (const char* end : {".c", ".so", ".log"}) std::filesystem::remove(stem + end);
    if (!library) throw DeviceError("cc: " + log.str().substr(0, 2000));
  }
  ~CCode() override { if (library) dlclose(library); }
  Entry entry(const std::string& name) const override { return reinterpret_cast<Entry>(dlsym(library, name.c_str())); }
};

/// Runs one entry over blocks [first, last); the four status words.
inline std::vector<int64_t> run(const Code& code, const std::string& entry, std::vector<void*> buffers, std::vector<int64_t> scalars = {},
                                int64_t first = 0,
                                int64_t last = 1) {
  alignas(64) static std::byte scratch[1 << 16];
  std::vector<int64_t> status(4);
  const CpuWorker worker{scratch, status.data()};
  code.entry(entry)(buffers.data(), scalars.data(), first, last, &worker);
  return status;
}

/// Memory aligned as devices align it, of any element type, with `guard` further elements on which nothing may be written.
template <class T> struct Array {
  explicit Array(size_t n, T fill = T())
      : data(static_cast<T*>(std::aligned_alloc(kAlignment, (n * sizeof(T) + 2 * kAlignment - 1) / kAlignment * kAlignment)), &std::free) {
    size = n;
    for (size_t i = 0; i < n; ++i) data.get()[i] = fill;
  }
  T& operator[](size_t i) { return data.get()[i]; }
  operator void*() { return data.get(); }
  std::unique_ptr<T, decltype(&std::free)> data;
  size_t size;
};

}  // namespace tg::testing_
