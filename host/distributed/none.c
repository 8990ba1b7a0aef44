/* A build without MPI: no process is one of several. */
#include "distributed/wire.h"

bool gf__wire_is_launched(void) { return false; }

gf_status gf__wire_open(gf__wire **out, double timeout, gf__place *place) {
  (void)timeout, (void)place;
  *out = NULL;
  return gf__fail(GF_ERROR_RANK, "this is a build without MPI");
}

void gf__wire_close(gf__wire **wire) { *wire = NULL; }

void gf__wire_abort(gf__wire *wire, int code) { (void)wire, (void)code; }

gf_status gf__wire_start(gf__wire *wire, gf__job *job) {
  (void)wire, (void)job;
  return gf__fail(GF_ERROR_RANK, "this is a build without MPI");
}

gf_status gf__wire_next(gf__wire *wire, int roll, long *out) {
  (void)roll, (void)out;
  return gf__wire_start(wire, NULL);
}

gf_status gf__wire_wait(gf__wire *wire, gf__job *job) { return gf__wire_start(wire, job); }
