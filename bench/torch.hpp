#pragma once
// Debian's PyTorch as a peer: a script of this folder in a process of its own, asked by lines.
//
//   Torch peer("mnist_torch.py", {folder, "2"});      the script prints "ready VERSION CAPABILITY"
//   peer.ask("3", 2)                                   writes the line "3", and reads two numbers
//
// Its malloc is told to keep what it has, which makes it four times as fast where fresh pages are slow.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/env.hpp"
#include "bench.hpp"
#include "tg/error.hpp"

namespace tg::bench {

class Torch {
 public:
  /// To be made before this process has threads.
  Torch(const std::string& script, const std::vector<std::string>& arguments) {
    int in[2], out[2];
    if (pipe(in) || pipe(out)) throw ValueError("no pipe to the peer");
    child_ = fork();
    if (child_ == 0) {
      dup2(in[0], STDIN_FILENO), dup2(out[1], STDOUT_FILENO);
      for (int f : {in[0], in[1], out[0], out[1]}) close(f);
      run(script, arguments);
    }
    close(in[0]), close(out[1]);
    to_ = fdopen(in[1], "w"), from_ = fdopen(out[0], "r");
    char version[64], capability[64];
    if (std::fscanf(from_, "ready %63s %63s", version, capability) == 2) name = fmt::format("PyTorch {}", version), how = capability;
  }
  ~Torch() {
    fclose(to_), fclose(from_);
    waitpid(child_, nullptr, 0);
  }
  Torch(const Torch&) = delete;
  Torch& operator=(const Torch&) = delete;

  std::vector<double> ask(const std::string& question, size_t numbers) {
    fmt::print(to_, "{}\n", question);
    std::fflush(to_);
    std::vector<double> out(numbers);
    for (double& x : out) if (std::fscanf(from_, "%lf", &x) != 1) throw ValueError("the peer ended early");
    return out;
  }
  explicit operator bool() const { return !name.empty(); }
  std::string name, how;  // empty where it did not start

 private:
  [[noreturn]] static void run(const std::string& script, const std::vector<std::string>& arguments) {
    at_their_best();
    // Memory that was used stays the process's, whatever its size, and grows in large steps.
    setenv("MALLOC_MMAP_MAX_", "0", 1), setenv("MALLOC_TRIM_THRESHOLD_", "68719476736", 1), setenv("MALLOC_TOP_PAD_", "268435456", 1);
    setenv("OMP_NUM_THREADS", std::to_string(settings().threads).c_str(), 1);
    if (has_avx512() && settings().cpu_vector.value_or(64) == 64)
      setenv("ATEN_CPU_CAPABILITY", "avx512", 1);  // which 1.13 does not choose by itself
    std::string python = "/usr/bin/python3", file = TG_BENCH_DIR "/" + script;
    std::vector<std::string> words = arguments;
    std::vector<char*> argv{python.data(), file.data()};
    for (std::string& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    execv(python.c_str(), argv.data());
    _exit(127);
  }
  static bool has_avx512() {
    return __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  }
  pid_t child_ = 0;
  FILE *to_ = nullptr, *from_ = nullptr;
};

}  // namespace tg::bench
