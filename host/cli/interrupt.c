#include "cli/interrupt.h"

#include <signal.h>
#include <stdlib.h>

#include "base/os.h"

enum { EXIT_BY_SIGNAL = 128 }; /* what shells add the signal's number to */

static volatile sig_atomic_t signal_; /* the first that came, or 0 */

/* The second one waits neither for the device nor for a server. */
static void on_signal(int number) {
  if (signal_) _Exit(EXIT_BY_SIGNAL + number);
  signal_ = number;
}

void gf__interrupt_catch(void) { gf__on_interrupt(on_signal); }

int gf__interrupt_signal(void) { return signal_; }

int gf__interrupt_exit_code(void) { return signal_ ? EXIT_BY_SIGNAL + signal_ : 0; }

bool gf__interrupt_stops(void *user) {
  (void)user;
  return signal_ != 0;
}
