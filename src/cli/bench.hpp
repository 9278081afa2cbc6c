#pragma once
// tg bench: how long an example takes; or, as a ladder, what each of the compiler's verbs brings to each of its kernels.
//
//   bench({.example = "matmul", .ladder = true}, std::cout)     a line for the loops as they are, and one for each verb more
#include <iosfwd>
#include <string>

namespace tg::cli {

struct BenchCommand {
  std::string example{};
  bool ladder = false;
  std::string device{};  // empty: TG_DEVICE, else cpu
};

/// Throws ValueError for an unknown example, and what computing throws.
void bench(const BenchCommand& command, std::ostream& out);

}  // namespace tg::cli
