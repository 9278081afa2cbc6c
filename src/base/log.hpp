#pragma once
// The only place that writes to stderr, and only when TG_DEBUG asks for it.
//
//   if (logging(4)) log(4, source);          lines of level 4 and below appear with TG_DEBUG=4
//   LogCapture lines(2); ...; lines.text()   what this thread logged at levels up to 2 while `lines` lived, instead of on stderr
//
// Levels: 1 one line a kernel, and warnings; 2 schedule, and what was compiled; 3 loop nests and verbs; 4 kernel source; 5 rewrites that
// fired.
#include <string>
#include <string_view>

namespace tg {

/// Whether a line of this level goes anywhere: ask before building expensive text.
bool logging(int level);
/// Writes one entry (a final newline is added where missing) in one piece. Does nothing unless logging(level).
void log(int level, std::string_view text);
/// "warning: ..." at level 1: something went wrong that the library worked around.
void log_warning(std::string_view text);

/// While it lives, this thread's log up to its level is collected here. Captures nest; the innermost takes all.
class LogCapture {
 public:
  explicit LogCapture(int level);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  const std::string& text() const { return text_; }

 private:
  friend bool logging(int);
  friend void log(int, std::string_view);
  int level_;
  std::string text_;
  LogCapture* outer_;
};

}  // namespace tg
