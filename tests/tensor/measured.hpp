#pragma once
// What `./do ulp` found: tests/tensor/ulp.txt, a line a function, which docs/ops.md shows.
//
//   exp 0.8731 5.20126 4294967296      off by 0.8731 units in the last place at most, at 5.20126, of so many inputs looked at
#include <cstdint>
#include <fstream>
#include <map>
#include <string>

#include <fmt/format.h>

namespace tg {

struct Measured {
  double units = 0;
  std::string at;
  uint64_t inputs = 0;
};
inline const char* measured_path() { return TG_SOURCE_DIR "/tests/tensor/ulp.txt"; }
inline std::map<std::string, Measured> all_measured() {
  std::map<std::string, Measured> out;
  std::ifstream file(measured_path());
  std::string name;
  for (Measured m; file >> name >> m.units >> m.at >> m.inputs;) out[name] = m;
  return out;
}
inline void record(const std::string& name, const Measured& m) {
  auto all = all_measured();
  all[name] = m;
  std::ofstream file(measured_path());
  for (const auto& [of, v] : all) file << fmt::format("{} {:.4f} {} {}\n", of, v.units, v.at, v.inputs);
}

}  // namespace tg
