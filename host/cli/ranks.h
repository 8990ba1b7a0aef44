/* Commands that several ranks run together. */
#ifndef GF_CLI_RANKS_H
#define GF_CLI_RANKS_H

#include "cli/cli.h"

#define GF__OPTION_RANK_TIMEOUT                                               \
  {                                                                           \
    "rank-timeout", 0, POPT_ARG_STRING, offsetof(gf__cli, rank_timeout), "S", \
        "under mpirun, end the job when a rank is silent for S\n"             \
        "seconds, or late for ten times as long; default 60"                  \
  }

/* Joins the ranks of mpirun, if this is one of them. */
gf_status gf__cli_join(const gf__cli *cli, gf_communicator **out) GF_MUST_USE;
/* Whether this is the rank that talks to the user. */
bool gf__cli_is_first(const gf_communicator *communicator);
/* The end of a command: tells of a failure, unless another rank does, and leaves together with
 * the others, or ends them all where only this rank has failed. Returns the exit code; code, if
 * not 0, replaces that of a failure. */
int gf__cli_leave(gf_communicator **communicator, gf_status status, int code);

#endif
