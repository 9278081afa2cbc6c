// Kernels for a processor that is not here: compiled for AArch64 with NEON by LLVM's llc and inspected, not run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "one_kernel.hpp"

namespace tg {
namespace {

using testing::HasSubstr;
using testing::Not;

Target neon() {
  Target t = device("null").target();
  t.name = "cpu aarch64 neon";
  t.renderer = "llvm";
  t.vector_bytes = 16;
  t.vector_registers = 32;
  t.fma = true;
  t.matrix.clear();
  return t;
}

// Assembly of a program's kernel, or nothing where llc is missing.
std::string assembly(const Tensor& y) {
  const Case one(y, device("null"));
  const Generated g = generate(one.kernel, neon());
  const std::string path = fmt::format("{}/neon.{}.ll", testing::TempDir(), getpid());
  std::ofstream(path) << source(g, neon());
  std::string out;
  FILE* const llc = popen(("llc-19 -mtriple=aarch64-linux-gnu -mattr=+neon -O2 -o - '" + path + "'").c_str(), "r");
  if (!llc) return out;
  char text[4096];
  while (const size_t n = std::fread(text, 1, sizeof text, llc)) out.append(text, n);
  EXPECT_EQ(pclose(llc), 0);
  std::filesystem::remove(path);
  return out;
}

size_t count(const std::string& text, std::string_view what) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++n;
  return n;
}
// The piece between two labels that has the most of an instruction: the innermost loop.
std::string hottest(const std::string& assembly, std::string_view instruction) {
  std::istringstream in(assembly);
  std::string best, block;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line[0] == '.') block.clear();
    block += line + "\n";
    if (count(block, instruction) > count(best, instruction)) best = block;
  }
  return best;
}

#define TG_NEED_LLC() \
  if (std::system("llc-19 --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "llc-19 is not installed"

TEST(Neon, AProductKeepsATileInRegisters) {
  TG_NEED_LLC();
  const Inputs in{"null"};
  const std::string loop = hottest(assembly(in({512, 512}).matmul(in({512, 512}))), "fmla");
  const size_t products = count(loop, "fmla"), loads = count(loop, "ldr") + count(loop, "ldp") + count(loop, "ld1");
  EXPECT_GE(products, 16u) << loop;
  EXPECT_LE(loads, products) << loop;
  EXPECT_THAT(loop, HasSubstr(".4s"));
  EXPECT_THAT(loop, Not(HasSubstr("[sp"))) << "a sum is spilled";
  EXPECT_THAT(loop, Not(HasSubstr("fmadd"))) << "one number at a time";
}

TEST(Neon, ElementsAreTakenFourAtATime) {
  TG_NEED_LLC();
  const Inputs in{"null"};
  const std::string text = assembly((in({1000, 1000}) * in({1000, 1000}) + 1).relu());
  EXPECT_THAT(hottest(text, ".4s"), testing::ContainsRegex("f(mul|mla|add)[ \t]+v[0-9]+\\.4s"));
  EXPECT_EQ(count(text, "\tbl\t"), 0u) << "a call in a loop:\n" << text;
}

TEST(Neon, ARowsSumAndExponentialsAreVectors) {
  TG_NEED_LLC();
  const Inputs in{"null"};
  const std::string text = assembly(in({512, 1024}).softmax(1));
  EXPECT_THAT(text, testing::ContainsRegex("fm(la|ul)[ \t]+v[0-9]+\\.4s"));
  EXPECT_EQ(count(text, "\tbl\t"), 0u) << "a call in a loop:\n" << text;
}

}  // namespace
}  // namespace tg
