// LLVM IR text to running code: values, every kind of relocation, errors with their line, many threads, damaged objects.
#include "runtime/cpu/jit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "runtime/cpu/loader.hpp"
#include "sanitizers.hpp"
#include "tg/error.hpp"

// What LLVM was working on when it called its error fatal is lost, which only the leak checker should be told to accept.
extern "C" void __attribute__((weak)) __lsan_disable();
extern "C" void __attribute__((weak)) __lsan_enable();

namespace tg {
namespace {

using testing::HasSubstr;

const char* const kAxpy = R"(
define void @axpy(ptr %buffers, ptr %scalars, i64 %first, i64 %last, ptr %worker) {
entry:
  %py = load ptr, ptr %buffers
  %px.p = getelementptr ptr, ptr %buffers, i64 1
  %px = load ptr, ptr %px.p
  %empty = icmp sge i64 %first, %last
  br i1 %empty, label %done, label %body
body:
  %i = phi i64 [%first, %entry], [%next, %body]
  %at = mul i64 %i, 16
  %x.p = getelementptr float, ptr %px, i64 %at
  %y.p = getelementptr float, ptr %py, i64 %at
  %x = load <16 x float>, ptr %x.p, align 4
  %y = load <16 x float>, ptr %y.p, align 4
  %c = fmul <16 x float> %x, <float 0.0, float 1.0, float 2.0, float 3.0, float 4.0, float 5.0, float 6.0, float 7.0,
                              float 8.0, float 9.0, float 10.0, float 11.0, float 12.0, float 13.0, float 14.0, float 15.0>
  %z = fadd <16 x float> %c, %y
  store <16 x float> %z, ptr %y.p, align 4
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %last
  br i1 %more, label %body, label %done
done:
  ret void
})";

std::string failure(const std::string& text) {
  try {
    LoadedObject(compile_llvm_ir(text));
  } catch (const DeviceError& e) { return e.what(); }
  return "compiled";
}

int thread_good;

template <typename F>
F* function(const LoadedObject& code, const char* name) {
  return reinterpret_cast<F*>(code.address(name));
}

TEST(Jit, RunsAVectorKernelAtEveryWidth) {
  for (int width : {0, 16, 32, 64}) {
    const LoadedObject code(compile_llvm_ir(kAxpy, {.vector_bytes = width}));
    std::vector<float> x(48, 2), y(48, 1);
    void* buffers[] = {y.data(), x.data()};
    function<void(void**, void*, int64_t, int64_t, void*)>(code, "axpy")(buffers, nullptr, 1, 3, nullptr);
    for (size_t i = 0; i < 48; ++i) EXPECT_EQ(y[i], i < 16 ? 1.0f : 1.0f + 2.0f * static_cast<float>(i % 16)) << i;
  }
}

TEST(Jit, WidthLimitsTheInstructions) {
  const auto object = [](int width) { return compile_llvm_ir(kAxpy, {.vector_bytes = width}); };
  EXPECT_EQ(object(0), object(16));
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) { EXPECT_NE(object(16), object(32)); }
  if (__builtin_cpu_supports("avx512f")) { EXPECT_NE(object(32), object(64)); }
#endif
}

TEST(Jit, CallsTheProcessAndItsOwnConversions) {
  const LoadedObject code(compile_llvm_ir(R"(
declare float @fmodf(float, float)
define float @remainder(float %a, float %b) {
  %r = call float @fmodf(float %a, float %b)
  ret float %r
}
define void @clear(ptr %p, i64 %n) {
  call void @llvm.memset.p0.i64(ptr %p, i8 0, i64 %n, i1 false)
  ret void
}
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
define float @through_half(float %x) {
  %h = fptrunc float %x to half
  %y = fpext half %h to float
  ret float %y
}
define float @through_bfloat(float %x) {
  %h = fptrunc float %x to bfloat
  %y = fpext bfloat %h to float
  ret float %y
}
define float @double_through_half(double %x) {
  %h = fptrunc double %x to half
  %y = fpext half %h to float
  ret float %y
})",
                                          {.vector_bytes = 16}));  // without F16C the conversions are calls
  EXPECT_EQ((function<float(float, float)>(code, "remainder")(7.5f, 2.0f)), 1.5f);
  std::vector<char> bytes(1000, 'x');
  function<void(void*, int64_t)>(code, "clear")(bytes.data(), 999);
  EXPECT_EQ(bytes[998], 0);
  EXPECT_EQ(bytes[999], 'x');
  EXPECT_EQ(function<float(float)>(code, "through_half")(1.0f + 0x1p-11f + 0x1p-20f), 1.0f + 0x1p-10f);
  EXPECT_EQ(function<float(float)>(code, "through_bfloat")(1.0f + 0x1p-8f), 1.0f);
  EXPECT_EQ(function<float(double)>(code, "double_through_half")(1.0 + 0x1p-11 + 0x1p-40), 1.0f + 0x1p-10f);
}

TEST(Jit, TablesOfConstantsAndJumps) {
  const LoadedObject code(compile_llvm_ir(R"(
@table = private constant [4 x i32] [i32 3, i32 1, i32 4, i32 1]
define i32 @look_up(i64 %i) {
  %p = getelementptr [4 x i32], ptr @table, i64 0, i64 %i
  %v = load i32, ptr %p
  ret i32 %v
}
define i32 @choose(i32 %x, ptr %p) {
  switch i32 %x, label %other [i32 0, label %a i32 1, label %b i32 2, label %c i32 3, label %d i32 4, label %e]
a: store i32 5, ptr %p
  ret i32 10
b: store i32 6, ptr %p
  ret i32 200
c: ret i32 3000
d: store i32 8, ptr %p
  ret i32 1
e: store i32 9, ptr %p
  ret i32 77
other: ret i32 -1
})"));
  EXPECT_EQ(function<int(int64_t)>(code, "look_up")(2), 4);
  int out = 0;
  EXPECT_EQ((function<int(int, int*)>(code, "choose")(1, &out)), 200);
  EXPECT_EQ(out, 6);
  EXPECT_EQ((function<int(int, int*)>(code, "choose")(4, &out)), 77);
  EXPECT_EQ((function<int(int, int*)>(code, "choose")(9, &out)), -1);
}

TEST(Jit, ErrorsNameTheLine) {
  const std::string undefined = failure("define void @f() {\n  %a = add i32 1, %b\n  ret void\n}");
  EXPECT_EQ(undefined, "cpu: LLVM rejects the kernel: use of undefined value '%b'\n  at line 2:   %a = add i32 1, %b");
  EXPECT_THAT(failure("define nonsense"), HasSubstr("at line 1: define nonsense"));
  EXPECT_THAT(failure("define i32 @f() {\na:\n  br label %b\nb:\n  %x = phi i32 [0, %c]\n  ret i32 %x\nc:\n  br label %a\n}"),
              HasSubstr("cpu: LLVM rejects the kernel: "));
  EXPECT_THAT(failure("declare void @no_such_function()\ndefine void @f() {\n  call void @no_such_function()\n  ret void\n}"),
              HasSubstr("calls no_such_function, which the process does not have"));
  EXPECT_THAT(failure("@counter = global i32 7\ndefine ptr @f() {\n  ret ptr @counter\n}"), HasSubstr("writable data"));
}

TEST(Jit, SurvivesWhatLlvmCallsFatal) {
  if (__lsan_disable) __lsan_disable();
  const char* const another_machines =
      "declare i32 @llvm.arm.space(i32, i32)\ndefine i32 @f() {\n  %r = call i32 @llvm.arm.space(i32 1, i32 2)\n  ret i32 %r\n}";
  EXPECT_THAT(failure(another_machines), HasSubstr("cpu: LLVM cannot compile the kernel: Cannot select"));
  EXPECT_THAT(failure("define void @f() {\n  call void asm sideeffect \"nonsense\", \"\"()\n  ret void\n}"),
              HasSubstr("cpu: LLVM cannot compile the kernel: Inline asm"));
  if (__lsan_enable) __lsan_enable();
  EXPECT_EQ(failure(kAxpy), "compiled");
}

// LLVM ends the process where it finds no memory, unless it is told otherwise. However much there is left: an error, or code.
TEST(Jit, SurvivesTheEndOfMemory) {
#if TG_ADDRESS_SANITIZER || TG_THREAD_SANITIZER
  GTEST_SKIP() << "sanitizers reserve more memory than there is";
#else
  ASSERT_EQ(failure(kAxpy), "compiled");
  constexpr size_t kPiece = 4096;
  int refused = 0, compiled = 0;
  for (size_t spare = 0; spare < 400 && compiled < 3; spare += 16) {  // pieces
    const pid_t child = fork();
    if (child == 0) {
      std::vector<void*> pieces;
      pieces.reserve(size_t{1} << 20);
      size_t pages = 0;
      std::ifstream("/proc/self/statm") >> pages;
      const rlim_t most = pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
      const rlimit limit{most, most};
      if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(3);
      while (void* piece = std::malloc(kPiece)) pieces.push_back(piece);
      for (size_t i = 0; i < std::min(spare, pieces.size()); ++i) std::free(pieces[pieces.size() - 1 - i]);
      try {
        (void)compile_llvm_ir(kAxpy);
        _exit(0);
      } catch (const DeviceError&) {
      } catch (const std::bad_alloc&) {}
      _exit(1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) < 3) << "status " << status << " with " << spare << " pieces left";
    ++(WEXITSTATUS(status) == 1 ? refused : compiled);
  }
  EXPECT_GT(refused, 0);
#endif
}

// A thread of little stack, such as other languages' threads have, compiles what LLVM recurses along.
TEST(Jit, NeedsLittleStackOfItsCaller) {
  static const std::string text = [] {
    std::string t = "define double @f(double %v0) {\n";
    int n = 0;
    for (int i = 0; i < 30'000; ++i, ++n)
      t += fmt::format("  %v{} = f{} double %v{}, %v{}\n", n + 1, i % 2 ? "mul" : "add", n, std::max(0, n - 7));
    return t + fmt::format("  ret double %v{}\n}}", n);
  }();
  pthread_attr_t little;
  pthread_attr_init(&little);
  pthread_attr_setstacksize(&little, size_t{256} << 10);
  pthread_t thread;
  const auto compiled = [](void*) -> void* { return failure(text) == "compiled" ? &thread_good : nullptr; };
  ASSERT_EQ(pthread_create(&thread, &little, compiled, nullptr), 0);
  void* result = nullptr;
  pthread_join(thread, &result);
  EXPECT_EQ(result, &thread_good);
}

TEST(Jit, ManyThreadsCompileAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const int value = t * 100 + i;
        const LoadedObject code(compile_llvm_ir("define i32 @f() {\n  ret i32 " + std::to_string(value) + "\n}"));
        good += function<int()>(code, "f")() == value;
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(good, 40);
}

TEST(Loader, RefusesDamagedObjects) {
  const std::string object = compile_llvm_ir(kAxpy);
  for (size_t size = 0; size < object.size(); size += 7) EXPECT_THROW(LoadedObject(object.substr(0, size)), DeviceError) << size;
  std::mt19937 random(3);
  for (int i = 0; i < 5000; ++i) {  // damage is refused or harmless to load; never a bad access (the sanitizers watch)
    std::string damaged = object;
    for (int k = 0; k < 4; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
    try {
      LoadedObject code(damaged);
    } catch (const DeviceError&) {}
  }
  try {
    LoadedObject(object).address("missing");
    FAIL();
  } catch (const DeviceError& e) { EXPECT_STREQ(e.what(), "cpu: cannot load compiled code: it has no function missing; it has: axpy"); }
}

}  // namespace
}  // namespace tg
