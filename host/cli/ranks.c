#include "cli/ranks.h"

int gf__cli_fail_together(gf_status status) {
  gf_communicator *communicator = NULL;
  gf__text message = {0};
  gf__text_add(&message, "%s", gf_error_message());
  if (gf_communicator_open(&communicator, 0) == GF_OK) {
    status = gf_communicator_agree(communicator,
                                   message.data ? gf__fail(status, "%s", message.data) : status);
    gf__text_free(&message);
    return gf__cli_leave(&communicator, status, 0, false);
  }
  gf__text_free(&message);
  return gf__cli_fail(status);
}

bool gf__cli_is_first(const gf_communicator *communicator) {
  return gf_communicator_describe(communicator).rank == 0;
}

/* A failure that only this rank knows says which rank it is. */
static int report_failure(const gf_communicator *communicator, gf_status status) {
  gf_rank self = gf_communicator_describe(communicator);
  if (self.rank > 0 && status != GF_ERROR_RANK)
    status = gf__fail(status, "rank %d of %d on %s: %s", self.rank, self.ranks, self.host,
                      gf_error_message());
  return gf__cli_fail(status);
}

int gf__cli_leave(gf_communicator **communicator, gf_status status, int code, bool is_reported) {
  bool agreed = gf_communicator_agreed(*communicator);
  if (status == GF_OK) {
    gf_communicator_close(communicator);
    return 0;
  }
  int usual = gf__cli_exit_code(status);
  if (!agreed)
    report_failure(*communicator, status);
  else if (gf__cli_is_first(*communicator) && !is_reported)
    gf__cli_fail(status);
  if (code == 0) code = usual;
  if (!agreed) gf_communicator_abort(*communicator, code);
  gf_communicator_close(communicator);
  return code;
}
