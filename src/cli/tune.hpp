#pragma once
// tg tune: searches for faster loops of an example's kernels, writes them to a file, and tries a file's loops out.
//
//   tune({.example = "matmul"}, std::cout)                             a line a kernel, and matmul.tuned
//   tune({.example = "matmul", .replay = "mine.tuned"}, std::cout)     mine.tuned beside the compiler's own choice
#include <iosfwd>
#include <string>

namespace tg::cli {

struct TuneCommand {
  std::string example{};
  int beam = 4;
  double seconds = 30;
  std::string out{};     // empty: <example>.tuned
  std::string replay{};  // a file of verbs; empty: search
  std::string device{};  // empty: TG_DEVICE, else cpu
};

/// Throws ValueError and IoError as tg::tune and tg::replay.
void tune(const TuneCommand& command, std::ostream& out);

}  // namespace tg::cli
