#pragma once
// What the benchmarks share: measuring, and the lines that tools/bench reads.
//
//   report({"matmul 1024", 350, "GFLOP/s", "OpenBLAS", 360});     {"name": "matmul 1024", ..., "ratio": 0.972}
//   cold(program)                                                {12.5, 8192}: milliseconds of compiling, bytes of code
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/env.hpp"
#include "base/log.hpp"

namespace tg::bench {

/// What a program's kernels took to compile, and the bytes of their code; zeros where they came from the disk.
struct Cold {
  double milliseconds = 0, bytes = 0;
};
struct Row {
  std::string name;
  double value;
  std::string unit, peer = "";  // peer: a program that does the same, "limit", or "least" for what no program can go below
  double peer_value = 0;
  double of_peak = 0;           // the part of the rate at which independent multiply-adds run (peak.hpp)
  Cold cold = {};
};
inline void report(const Row& r) {
  std::string restricted = settings().cpu_vector ? fmt::format(", vectors of {} bytes", *settings().cpu_vector) : "";
  if (settings().threads == 1) restricted += ", one thread";
  fmt::print("{{\"name\": \"{}{}\", \"value\": {:.6g}, \"unit\": \"{}\"", r.name, restricted, r.value, r.unit);
  if (!r.peer.empty())
    fmt::print(", \"peer\": \"{}\", \"peer_value\": {:.6g}, \"ratio\": {:.3f}", r.peer, r.peer_value, r.value / r.peer_value);
  if (r.of_peak > 0) fmt::print(", \"of_peak\": {:.3f}", r.of_peak);
  if (r.cold.bytes > 0) fmt::print(", \"compile_ms\": {:.1f}, \"code_kib\": {:.1f}", r.cold.milliseconds, r.cold.bytes / 1024);
  fmt::print("}}\n");
  std::fflush(stdout);
}

inline double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}
inline double median_of(int times, const std::function<double()>& measure) {
  std::vector<double> v;
  for (int i = 0; i < times; ++i) v.push_back(measure());
  return median(std::move(v));
}
/// Takes what would pin a peer to kernels for an older processor out of the environment: each chooses by what the processor has, or as
/// we do where TG_CPU_VECTOR restricts us.
inline void at_their_best() {
  for (const char* pin : {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"}) unsetenv(pin);
  if (settings().cpu_vector == 32) setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1), setenv("OPENBLAS_CORETYPE", "Haswell", 1);
}
/// Wall time; on one thread that thread's own, so that other programs' turns are not counted.
inline double now() {
  timespec t{};
  clock_gettime(settings().threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}
/// How long a call takes.
inline double seconds(const std::function<void()>& run) {
  const double begin = now();
  run();
  return now() - begin;
}
/// Of one of so many calls, behind one that wakes threads and fills caches: as torch_peer.py's.
inline double seconds_of_one(int calls, const std::function<void()>& run) {
  run();
  return seconds([&] { for (int i = 0; i < calls; ++i) run(); }) / calls;
}
/// Runs a program for the first time and adds up what its kernels cost.
inline Cold cold(const std::function<void()>& program) {
  const LogCapture lines(2);
  program();
  Cold out;
  std::istringstream in(lines.text());
  for (std::string line; std::getline(in, line);) {
    const size_t at = line.find(" compiled: ");
    double ms = 0, bytes = 0;
    if (at == std::string::npos || std::sscanf(line.c_str() + at, " compiled: %lf ms, %lf bytes", &ms, &bytes) != 2) continue;
    out.milliseconds += ms, out.bytes += bytes;
  }
  return out;
}

}  // namespace tg::bench
