// Log lines in, stderr or the thread's innermost capture out.
#include "base/log.hpp"

#include <cstdio>

#include "base/env.hpp"

namespace tg {
namespace {
thread_local LogCapture* innermost = nullptr;
}  // namespace

LogCapture::LogCapture(int level) : level_(level), outer_(innermost) { innermost = this; }
LogCapture::~LogCapture() { innermost = outer_; }

bool logging(int level) { return level <= (innermost ? innermost->level_ : settings().debug); }

void log(int level, std::string_view text) {
  if (!logging(level)) return;
  std::string line(text);
  if (line.empty() || line.back() != '\n') line += '\n';
  if (innermost) innermost->text_ += line;
  else std::fwrite(line.data(), 1, line.size(), stderr);  // one call: lines of several threads do not mix
}

void log_warning(std::string_view text) {
  if (logging(1)) log(1, "warning: " + std::string(text));
}

}  // namespace tg
