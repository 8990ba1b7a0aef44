#include "cli/ranks.h"

int gf__cli_fail_together(gf_status status) {
  gf_cluster *cluster = NULL;
  gf__text message = {0};
  gf__text_add(&message, "%s", gf_error_message());
  if (gf_cluster_open(&cluster, 0) == GF_OK) {
    status =
        gf_cluster_agree(cluster, message.data ? gf__fail(status, "%s", message.data) : status);
    gf__text_free(&message);
    return gf__cli_leave(&cluster, status, 0);
  }
  gf__text_free(&message);
  return gf__cli_fail(status);
}

bool gf__cli_is_first(const gf_cluster *cluster) { return gf_cluster_describe(cluster).rank == 0; }

/* A failure that only this rank knows says which rank it is. */
static int report_failure(const gf_cluster *cluster, gf_status status) {
  gf_rank self = gf_cluster_describe(cluster);
  if (self.rank > 0 && status != GF_ERROR_RANK)
    status = gf__fail(status, "rank %d of %d on %s: %s", self.rank, self.ranks, self.host,
                      gf_error_message());
  return gf__cli_fail(status);
}

int gf__cli_leave(gf_cluster **cluster, gf_status status, int code) {
  bool agreed = gf_cluster_agreed(*cluster);
  if (status == GF_OK) {
    gf_cluster_close(cluster);
    return 0;
  }
  int usual = gf__cli_exit_code(status);
  if (!agreed)
    report_failure(*cluster, status);
  else if (gf__cli_is_first(*cluster))
    gf__cli_fail(status);
  if (code == 0) code = usual;
  if (!agreed) gf_cluster_abort(*cluster, code);
  gf_cluster_close(cluster);
  return code;
}
