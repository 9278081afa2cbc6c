#pragma once
// LLVM IR text in, object file bytes out. The one door to LLVM, which is opened (79 ms) when the first kernel is compiled.
//
//   std::string object = compile_llvm_ir("define void @f(ptr %p) { ... }", {.vector_bytes = 64});
#include <string>

namespace tg {

struct JitOptions {
  int vector_bytes = 64;  // the machine's instructions for wider vectors than this are not used; 0 as 16
};

/// Checks, optimises and compiles for this very machine. Several threads may compile at once. Throws DeviceError with LLVM's message
/// and the offending line, or telling how to install LLVM where it is missing.
std::string compile_llvm_ir(const std::string& text, const JitOptions& options = {});

}  // namespace tg
