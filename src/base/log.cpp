// Log lines in, stderr or the thread's innermost capture out.
#include "base/log.hpp"

#include <cstdio>

#include "base/env.hpp"

namespace tg {
namespace {
thread_local LogCapture* innermost_capture = nullptr;
}  // namespace

LogCapture::LogCapture(int level) : level_(level), outer_(innermost_capture) { innermost_capture = this; }
LogCapture::~LogCapture() { innermost_capture = outer_; }

bool logging(int level) { return level <= (innermost_capture ? innermost_capture->level_ : settings().debug); }

void log(int level, std::string_view text) {
  if (!logging(level)) return;
  std::string line(text);
  if (line.empty() || line.back() != '\n') line += '\n';
  if (innermost_capture) innermost_capture->text_ += line;
  else std::fwrite(line.data(), 1, line.size(), stderr);  // one call: lines of several threads do not mix
}

void log_warning(std::string_view text) {
  if (logging(1)) log(1, "warning: " + std::string(text));
}

}  // namespace tg
