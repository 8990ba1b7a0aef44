#include "cli/ranks.h"

#include <stdlib.h>

static gf_status read_timeout(const char *text, double *out) {
  char *end;
  *out = 0;
  if (!text) return GF_OK;
  double seconds = strtod(text, &end);
  if (end == text || *end || !(seconds >= 1 && seconds <= 86400))
    return gf__fail(GF_ERROR_ARGUMENT, "--rank-timeout %s: must be a number of seconds, 1 to 86400",
                    text);
  *out = seconds;
  return GF_OK;
}

/* Joins before it fails, so that one rank speaks for all. */
gf_status gf__cli_join(const gf__cli *cli, gf_communicator **out) {
  double timeout;
  gf_status status = read_timeout(cli->rank_timeout, &timeout);
  GF_TRY(gf_communicator_open(out, timeout));
  return gf_communicator_agree(*out, status);
}

bool gf__cli_is_first(const gf_communicator *communicator) {
  return gf_communicator_describe(communicator).rank == 0;
}

/* Of what only this rank knows it says who it is. */
static int tell(const gf_communicator *communicator, gf_status status) {
  gf_rank self = gf_communicator_describe(communicator);
  if (self.rank > 0 && status != GF_ERROR_RANK)
    status = gf__fail(status, "rank %d of %d on %s: %s", self.rank, self.ranks, self.host,
                      gf_error_message());
  return gf__cli_fail(status);
}

int gf__cli_leave(gf_communicator **communicator, gf_status status, int code) {
  bool agreed = gf_communicator_agreed(*communicator);
  if (status == GF_OK) {
    gf_communicator_close(communicator);
    return 0;
  }
  int usual = gf__cli_exit_code(status);
  if (!agreed)
    tell(*communicator, status);
  else if (gf__cli_is_first(*communicator))
    gf__cli_fail(status);
  if (code == 0) code = usual;
  if (!agreed) gf_communicator_abort(*communicator, code);
  gf_communicator_close(communicator);
  return code;
}
