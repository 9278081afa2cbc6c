// The one file that includes LLVM: its C interface, taken from libLLVM.so.19.1 with dlopen, so that programs start without it and
// another LLVM in the process (an OpenCL driver's) never meets ours.
#include "runtime/cpu/jit.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/ErrorHandling.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include <charconv>
#include <map>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/fork.hpp"
#include "base/parallel.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

// clang-format off
#define TG_LLVM_FUNCTIONS(X)                                                                                    \
  X(ContextCreate) X(ContextDispose) X(ContextSetDiagnosticHandler) X(GetDiagInfoDescription)                   \
  X(GetDiagInfoSeverity) X(CreateMemoryBufferWithMemoryRangeCopy) X(DisposeMemoryBuffer) X(GetBufferStart)      \
  X(GetBufferSize) X(ParseIRInContext) X(VerifyModule) X(DisposeModule) X(SetTarget) X(SetModuleDataLayout)     \
  X(CreatePassBuilderOptions) X(DisposePassBuilderOptions) X(RunPasses) X(GetErrorMessage)                      \
  X(DisposeErrorMessage) X(GetTargetFromTriple) X(CreateTargetMachine) X(CreateTargetDataLayout)                \
  X(DisposeTargetData) X(TargetMachineEmitToMemoryBuffer) X(GetDefaultTargetTriple) X(GetHostCPUName)           \
  X(GetHostCPUFeatures) X(DisposeMessage) X(InstallFatalErrorHandler)
// clang-format on

/// The functions we use, each a member without its LLVM prefix.
struct Llvm {
#define TG_MEMBER(name) decltype(&LLVM##name) name = nullptr;
  TG_LLVM_FUNCTIONS(TG_MEMBER)
#undef TG_MEMBER
  std::string triple, cpu, features;
};

std::string take(const Llvm& llvm, char* message) {
  const std::string text = message ? message : "";
  llvm.DisposeMessage(message);
  return text;
}

thread_local bool compiling = false;

/// LLVM's answer to what it cannot handle is to end the process. We unwind out of it instead (it is built with unwind tables) and
/// never touch again what it was working on, all of which belongs to this thread.
struct FatalError : DeviceError {
  using DeviceError::DeviceError;
};
void on_fatal_error(const char* reason) {
  if (compiling) throw FatalError(fmt::format("cpu: LLVM cannot compile the kernel: {}", reason));
}
void on_bad_alloc(void*, const char*, bool) {
  if (compiling) throw std::bad_alloc();
}

Llvm open_llvm() {
  void* library = nullptr;
  for (const char* name : {"libLLVM.so.19.1", "libLLVM-19.so.1", "/usr/lib/llvm-19/lib/libLLVM.so.19.1"})
    if (!library) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw DeviceError(fmt::format("cpu: compiling a kernel needs LLVM 19, and {}. Install Debian's package libllvm19", dlerror()));
  const auto symbol = [&](const char* name) {
    void* const found = dlsym(library, name);
    if (!found) throw DeviceError(fmt::format("cpu: the LLVM library lacks {}; version 19 is needed", name));
    return found;
  };
  Llvm llvm;
#define TG_LOAD(name) llvm.name = reinterpret_cast<decltype(llvm.name)>(symbol("LLVM" #name));
  TG_LLVM_FUNCTIONS(TG_LOAD)
#undef TG_LOAD
#define TG_NATIVE_2(arch, part) reinterpret_cast<void (*)()>(symbol("LLVMInitialize" #arch #part))();
#define TG_NATIVE(arch, part) TG_NATIVE_2(arch, part)
  TG_NATIVE(LLVM_NATIVE_ARCH, TargetInfo)
  TG_NATIVE(LLVM_NATIVE_ARCH, Target)
  TG_NATIVE(LLVM_NATIVE_ARCH, TargetMC)
  TG_NATIVE(LLVM_NATIVE_ARCH, AsmPrinter)
#undef TG_NATIVE
#undef TG_NATIVE_2
  llvm.InstallFatalErrorHandler(on_fatal_error);
  // llvm::install_bad_alloc_error_handler, which the C interface has not; where another build of LLVM calls it otherwise, it is left alone
  if (void* const install = dlsym(library, "_ZN4llvm31install_bad_alloc_error_handlerEPFvPvPKcbES0_"))
    reinterpret_cast<void (*)(decltype(&on_bad_alloc), void*)>(install)(on_bad_alloc, nullptr);
  llvm.triple = take(llvm, llvm.GetDefaultTargetTriple());
  llvm.cpu = take(llvm, llvm.GetHostCPUName());
  llvm.features = take(llvm, llvm.GetHostCPUFeatures());
  return llvm;
}

const Llvm& llvm() {
  static const Llvm* const opened = new Llvm(open_llvm());  // stays open: LLVM's own statics do not survive dlclose and reopening
  static bool gone = false;
  static const struct Watch {  // made after LLVM's statics, so that it goes before them
    ~Watch() { gone = true; }
  } watch;
  if (gone) throw DeviceError("cpu: the process is ending, and LLVM has ended: static objects can only compute what was computed before");
  return *opened;
}

/// Target machines take 0.1 ms to make and serve one thread at a time: idle ones are kept.
class Machines {
 public:
  struct Return {
    Machines* home;
    int vector_bytes;
    void operator()(LLVMOpaqueTargetMachine* m) const {
      const std::lock_guard lock(home->mutex_);
      home->idle_[vector_bytes].push_back(m);
    }
  };
  using Lease = std::unique_ptr<LLVMOpaqueTargetMachine, Return>;

  Lease lease(int vector_bytes) {
    {
      const std::lock_guard lock(mutex_);
      auto& idle = idle_[vector_bytes];
      if (!idle.empty()) {
        Lease machine(idle.back(), {this, vector_bytes});
        idle.pop_back();
        return machine;
      }
    }
    LLVMTargetRef target = nullptr;
    char* problem = nullptr;
    if (llvm().GetTargetFromTriple(llvm().triple.c_str(), &target, &problem))
      throw DeviceError(fmt::format("cpu: LLVM has no code generator for {}: {}", llvm().triple, take(llvm(), problem)));
    // switching a feature off switches off all that needs it
    const char* const limit = vector_bytes >= 64 ? "" : vector_bytes >= 32 ? ",-avx512f" : ",-avx";
    return Lease(llvm().CreateTargetMachine(target, llvm().triple.c_str(), llvm().cpu.c_str(), (llvm().features + limit).c_str(),
                                            LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelSmall),
                 {this, vector_bytes});
  }

 private:
  Mutex mutex_;
  std::map<int, std::vector<LLVMTargetMachineRef>> idle_;
};

Machines& machines() {
  static Machines* const m = new Machines;
  return *m;
}

std::string_view line_of(std::string_view text, int number) {
  while (--number > 0) {
    const size_t end = text.find('\n');
    if (end == text.npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

/// LLVM's "<string>:12:7: error: use of undefined value '%x'" and more, as one line, the place and the text there.
std::string describe(const std::string& problem, std::string_view text) {
  std::string_view first = line_of(problem, 1);
  int line = 0;
  if (const size_t colon = first.find(':'); colon != first.npos)
    std::from_chars(first.data() + colon + 1, first.data() + first.size(), line);
  if (line == 0) return std::string(first);
  if (const size_t error = first.find("error: "); error != first.npos) first.remove_prefix(error + 7);
  return fmt::format("{}\n  at line {}: {}", first, line, line_of(text, line));
}

void keep_error(LLVMDiagnosticInfoRef info, void* into) {
  if (llvm().GetDiagInfoSeverity(info) == LLVMDSError) *static_cast<std::string*>(into) = take(llvm(), llvm().GetDiagInfoDescription(info));
}

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

// Kernels arrive as explicit vectors in SSA form, so cleaning up is all there is to do (docs: 5 ms a matmul, the code of O3).
constexpr const char* kPasses = "function(early-cse,instcombine<no-verify-fixpoint>,loop-mssa(licm),simplifycfg)";

std::string compile(const std::string& text, const JitOptions& options) {
  const ForkWaits whole;  // LLVM has locks of its own
  const Llvm& l = llvm();
  Machines::Lease machine = machines().lease(options.vector_bytes);
  struct Compiling {
    Compiling() { compiling = true; }
    ~Compiling() { compiling = false; }
  } marked;
  const auto fail = [](const std::string& why) { throw DeviceError("cpu: LLVM rejects the kernel: " + why); };

  Owned<LLVMOpaqueContext> context(l.ContextCreate(), l.ContextDispose);
  std::string reported;  // where LLVM would print
  l.ContextSetDiagnosticHandler(context.get(), keep_error, &reported);

  Owned<LLVMOpaqueModule> module(nullptr, l.DisposeModule);
  LLVMMemoryBufferRef emitted = nullptr;
  const auto abandon = [&] {  // what LLVM was working on is never touched again
    machine.release();
    module.release();
    context.release();
  };
  try {
    LLVMModuleRef parsed = nullptr;
    char* message = nullptr;
    const LLVMMemoryBufferRef input = l.CreateMemoryBufferWithMemoryRangeCopy(text.data(), text.size(), "kernel");
    if (l.ParseIRInContext(context.get(), input, &parsed, &message)) fail(describe(take(l, message), text));
    module.reset(parsed);
    const bool broken = l.VerifyModule(module.get(), LLVMReturnStatusAction, &message);
    const std::string complaint = take(l, std::exchange(message, nullptr));
    if (broken) fail(complaint);

    const Owned<LLVMOpaqueTargetData> layout(l.CreateTargetDataLayout(machine.get()), l.DisposeTargetData);
    l.SetTarget(module.get(), l.triple.c_str());
    l.SetModuleDataLayout(module.get(), layout.get());
    const Owned<LLVMOpaquePassBuilderOptions> passes(l.CreatePassBuilderOptions(), l.DisposePassBuilderOptions);
    if (LLVMErrorRef error = l.RunPasses(module.get(), kPasses, machine.get(), passes.get())) {
      char* const why = l.GetErrorMessage(error);
      const std::string copy = why;
      l.DisposeErrorMessage(why);
      fail(copy);
    }
    if (l.TargetMachineEmitToMemoryBuffer(machine.get(), module.get(), LLVMObjectFile, &message, &emitted)) fail(take(l, message));
  } catch (const FatalError&) {
    abandon();
    throw;
  } catch (const std::bad_alloc&) {
    abandon();
    throw DeviceError("cpu: no memory to compile a kernel");
  }
  const Owned<LLVMOpaqueMemoryBuffer> object(emitted, l.DisposeMemoryBuffer);
  if (!reported.empty()) fail(reported);
  return std::string(l.GetBufferStart(object.get()), l.GetBufferSize(object.get()));
}

}  // namespace

std::string compile_llvm_ir(const std::string& text, const JitOptions& options) {
  std::string object;
  const ForkMayCome meanwhile;
  on_large_stack([&] { object = compile(text, options); });  // LLVM recurses along a kernel's expressions
  return object;
}

}  // namespace tg
