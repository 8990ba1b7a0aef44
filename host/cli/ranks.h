/* Commands that several ranks run together. */
#ifndef GF_CLI_RANKS_H
#define GF_CLI_RANKS_H

#include "cli/cli.h"

#define GF__OPTION_RANK_TIMEOUT(options)                                                          \
  GF__OPTION("rank-timeout", 0, "S", options, rank_timeout, FLOAT, .initial = "60", .minimum = 1, \
             .maximum = 86400,                                                                    \
             .help =                                                                              \
                 "under mpirun, end the job when a rank is silent for S seconds, or late for "    \
                 "ten times as long")

/* Whether this is the rank that talks to the user. */
bool gf__cli_is_first(const gf_communicator *communicator);
/* The end of a command: reports a failure, unless another rank does, and leaves together with
 * the others, or ends them all where only this rank has failed. Returns the exit code; code, if
 * not 0, replaces that of a failure. is_reported: the first rank has reported it already. */
int gf__cli_leave(gf_communicator **communicator, gf_status status, int code, bool is_reported);
/* Reports a failure that every rank has met with before it joined, once. Returns the exit code. */
int gf__cli_fail_together(gf_status status);

#endif
