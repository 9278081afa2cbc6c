#pragma once
// Verbs for kernels from elsewhere than the compiler's own choice: a file or a search. The table of them, and their text.
//
//   "r_64_64_64: tile(i1, 16, vector)"      ->      find(kernel r_64_64_64, any target) == {tile(i1, 16, vector)}
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/codegen.hpp"
#include "tg/ir/mutex.hpp"

namespace tg {

struct Tuning {
  std::string target;   // of which it is; empty: of every one
  std::string kernel;   // name
  std::optional<Hash128> hash = {};  // none: every kernel of that name
  Verbs verbs = {};
  std::string from = {};  // "step.tuned:12", for errors; empty: a search of this process
};

/// The entries of a file's text. Throws ValueError that begins with file and line.
std::vector<Tuning> parse_tunings(std::string_view text, const std::string& file);
std::string to_string(const Tuning&);
/// As parse_tunings. Throws IoError.
std::vector<Tuning> read_tunings(const std::string& file);

class Tunings {
 public:
  /// The process's, which TG_TUNED's entries are in from the start.
  static Tunings& shared();
  std::optional<Tuning> find(const Kernel&, const std::string& target) const;
  void add(Tuning);

 private:
  mutable Mutex mutex_;
  std::vector<Tuning> all_;  // those that were added later are looked at first
};

/// Lowers a kernel with those verbs. Errors begin with where they come from.
Generated generate(const Kernel&, const Target&, const Tuning&);

}  // namespace tg
