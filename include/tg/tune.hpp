#pragma once
// tune: a search, ahead of time, for faster loops than the compiler chooses by itself, and the file that keeps what was found.
//
//   tg::tune([&] { step(net, batch); }, {.seconds = 60, .file = "step.tuned"});      here, once
//   TG_TUNED=step.tuned ./server                                                     there, always; or tg::use_tuned("step.tuned")
//
// A kernel is searched for once on a processor: results are kept on disk beside compiled kernels. TG_BEAM=n searches as a program runs,
// for at most TG_BEAM_SECONDS a process. A tuned kernel adds in another order, and so may round otherwise than the default one.
//
// The file is text that can be edited:
//
//   target cpu x86-64 AMD EPYC 512-bit 5d1e0c8a7b6f4321     of the entries below it; without such a line they are for every device
//   r_64_64_64: tile(i1, 16, vector); tile(i0, 8, unroll)   a kernel's name, its hash where others have the same name, and its verbs
//   # a comment; what TG_DEBUG=3 prints of a kernel's loops ("i0 < 64: i0 < 8 loop, i0a < 8 unroll") is passed over as well
#include <functional>
#include <string>
#include <vector>

namespace tg {

struct TuneOptions {  // of tune
  int beam = 4;          // how many verb lists are kept from round to round, 1 to 64
  double seconds = 30;   // wall time for all kernels together
  std::string file = {};  // where to write what was found; empty: nowhere. Replaced in one step
};

/// One distinct kernel of a program.
struct TunedKernel {
  std::string name, hash;
  std::string verbs, default_verbs;
  double microseconds = 0, default_microseconds = 0;  // medians, of both in turns; 0: not measured
  int tried = 0;                                      // programs that were compiled and timed; 0: found on disk, or no time was left
};

/// Runs the program, searching for each kernel that it launches and was not searched for before on this processor; what it had compiled
/// before is looked at again. What wins, by 3% or more when it is measured again beside the default, is used from now on in this
/// process, and by later ones under TG_BEAM. Throws ValueError for options out of range, IoError for a file that cannot be written, and
/// what the program throws.
std::vector<TunedKernel> tune(const std::function<void()>& program, const TuneOptions& options = {});

/// Runs the program and measures each kernel that the file has verbs for with these beside the default ones. Nothing else changes. Throws
/// ValueError, beginning with file and line, for text that is not understood, verbs that do not fit their kernel, a kernel that the program
/// does not have, and verbs whose results are not those of the default up to rounding; IoError for a file that cannot be read.
std::vector<TunedKernel> replay(const std::function<void()>& program, const std::string& file);

/// Runs the program and measures each of its kernels with none, the first, the first two, ... and all of the verbs that the compiler
/// chooses for it, each beside all of them: kernel by kernel, a rung a list. Nothing else changes.
std::vector<TunedKernel> ladder(const std::function<void()>& program);

/// Uses a file's verbs from now on, as TG_TUNED=file does from the start. Entries for other processors wait for them. Throws ValueError
/// and IoError as replay does; verbs that do not fit are told when their kernel is compiled.
void use_tuned(const std::string& file);

}  // namespace tg
