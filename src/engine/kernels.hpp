#pragma once
// From a kernel to code that can be launched, each step made at most once: in this process by structure, on disk by structure, target
// and version.
//
//   kernel -> generate -> render -> device.compile -> device.load
#include <memory>
#include <span>
#include <vector>

#include "codegen/codegen.hpp"
#include "tg/device.hpp"

namespace tg {

struct CompiledKernel {
  std::shared_ptr<Program> program;
  std::vector<std::array<Dim, 3>> grids;  // one a phase
  std::vector<Dim> temporary_bytes;       // memory between phases, behind the launch's own buffers
  std::string name;
  double compile_ms = 0;                  // from the kernel to loaded code
  bool from_disk = false;
  bool tuned = false;                     // its verbs are not the compiler's own choice
};

/// Compiled kernels for all, those that are new compiled on all cores. Throws DeviceError with the compiler's message.
std::vector<std::shared_ptr<const CompiledKernel>> compile(std::span<const Kernel* const>, Device&);

/// How many of them there are: each as long as somebody has it.
size_t known_kernels();

/// What compile() makes of a kernel before it has text: with the verbs of a file or a search where there are some (tunings.hpp).
Generated generate_tuned(const Kernel&, const Target&);
/// The text a kernel becomes for a device, without compiling it.
std::string source(const Generated&, const Target&);
/// What the device must know to load it.
std::vector<PhaseInfo> phase_infos(const Generated&);

}  // namespace tg
