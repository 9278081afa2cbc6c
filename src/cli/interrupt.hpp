#pragma once
// Ctrl-C as a request: the first one sets a flag that a loop asks for, the second ends the program as usual.
//
//   Interrupt interrupt;
//   while (!interrupt.requested()) step();
//   save_checkpoint();                       // a further Ctrl-C during this kills at once
#include <signal.h>

namespace tg::cli {

/// Catches SIGINT once while it lives, then gives the former handling back. One at a time: ValueError while another lives.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  bool requested() const;

 private:
  struct sigaction before_;
};

}  // namespace tg::cli
