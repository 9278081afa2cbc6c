// The handler does the one thing a signal handler may: it sets a flag. The system itself restores the default for the second signal.
#include "cli/interrupt.hpp"

#include <atomic>

#include "tg/error.hpp"

namespace tg::cli {
namespace {

std::atomic<bool> interrupted{false}, alive{false};
static_assert(std::atomic<bool>::is_always_lock_free, "what a signal handler touches must be lock-free");

}  // namespace

Interrupt::Interrupt() {
  if (alive.exchange(true)) throw ValueError("Interrupt: SIGINT is already being watched; one Interrupt may live at a time");
  interrupted = false;
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);  // default at the next signal; calls in progress go on
  ::sigaction(SIGINT, &action, &before_);
  if (before_.sa_handler == SIG_IGN) ::sigaction(SIGINT, &before_, nullptr);  // a background job is none of Ctrl-C's business
}

Interrupt::~Interrupt() {
  ::sigaction(SIGINT, &before_, nullptr);
  alive = false;
}

bool Interrupt::requested() const { return interrupted; }

}  // namespace tg::cli
