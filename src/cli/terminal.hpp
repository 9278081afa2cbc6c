#pragma once
// What the output can show.
//
//   Terminal out = terminal_of(STDOUT_FILENO);   // a screen: {live, colour, utf8, width}; a pipe or file: plain, ASCII, 80 columns
//   out.width                                    // columns, asked anew by terminal_width() when a screen is resized
#include <cstddef>

namespace tg::cli {

struct Terminal {
  bool live = false;    // lines can be redrawn
  bool colour = false;  // 256 colours; off where NO_COLOR is set (https://no-color.org) or TERM is dumb
  bool utf8 = false;    // block characters; off where output is piped or the locale says otherwise
  size_t width = 80;
};

/// What is behind a file descriptor, from the system and the environment (TERM, NO_COLOR, LC_ALL, LC_CTYPE, LANG).
Terminal terminal_of(int fd);

/// The columns of a terminal, or 80 where it does not say.
size_t terminal_width(int fd);

}  // namespace tg::cli
