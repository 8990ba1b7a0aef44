/* How long commands end early: the first signal asks them to stop, the second ends them. */
#ifndef GF_CLI_INTERRUPT_H
#define GF_CLI_INTERRUPT_H

#include <stdbool.h>

/* From now on Ctrl-C, a request to end and the end of the terminal are noted; a command whose
 * output nobody reads any more goes on. */
void gf__interrupt_catch(void);
/* The first signal that came, or 0. */
int gf__interrupt_signal(void);
/* What shells have for a program that the signal ended; 0 without one. */
int gf__interrupt_exit_code(void);
/* The stop event of the library's long functions: whether a signal came. */
bool gf__interrupt_stops(void *user);

/* What commands say that save a checkpoint first. */
#define GF__STOPPING_NOTE \
  "gradflow: finishing the step and saving a checkpoint; once more leaves at once\n"

#endif
