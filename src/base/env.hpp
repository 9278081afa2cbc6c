#pragma once
// Every environment variable the library reads, typed and checked, read once.
//
//   TG_DEBUG=2 TG_THREADS=4 ./a.out    settings().debug == 2, settings().threads == 4
//   TG_DEBUG=loud ./a.out              throws ValueError: TG_DEBUG is "loud"; it takes one of 0, 1, 2, 3, 4, 5
#include <functional>
#include <optional>
#include <string>

namespace tg {

struct Settings {
  int debug = 0;                  // TG_DEBUG 0-5: what to print (see log.hpp)
  int threads = 1;                // TG_THREADS: size of the CPU pool, the caller included; default: all cores
  bool eager = false;             // TG_EAGER: realize every operation at once
  bool cache = true;              // TG_CACHE: keep compiled kernels on disk
  std::string cache_dir;          // TG_CACHE_DIR; default $XDG_CACHE_HOME/tg, else $HOME/.cache/tg; empty if there is neither
  int kernels = 8192;             // TG_KERNELS: so many are kept ready to run, of the graphs computed last; about 10 kB each
  std::string device = "cpu";     // TG_DEVICE: where tensors live that name no device
  std::string data;               // TG_DATA: where data sets lie, each in a folder of its name; default: beside the program
  std::optional<int> cpu_vector;  // TG_CPU_VECTOR 0, 16, 32, 64: at most this many bytes a vector on the cpu device
  int beam = 0;                   // TG_BEAM, or BEAM, 0-64: search for each new kernel's verbs, keeping so many from round to round
  int beam_seconds = 30;          // TG_BEAM_SECONDS: wall time that a process spends on it
  std::string tuned;              // TG_TUNED: a file of verbs (tg/tune.hpp) to use
};

/// Settings from any source of variables (null: not set). Throws ValueError naming the variable, its value and what it takes.
Settings read_settings(const std::function<const char*(const char* name)>& variable);

/// This thread's settings: of the innermost WithSettings (tg/settings.hpp), else the process's, read from the environment at the first
/// call that succeeds. Throws as read_settings.
const Settings& settings();

}  // namespace tg
