/* A build without MPI: no process is one of several, and one that was started as such says so
 * instead of training the same run beside the others. */
#include <stdlib.h>

#include "distributed/wire.h"

static bool is_several(const char *name) {
  const char *size = getenv(name);
  return size && strtol(size, NULL, 10) > 1;
}

/* The launchers' own: of Open MPI, MPICH and Intel MPI, MVAPICH, IBM's jsrun, and Cray's palsrun.
 * SLURM_NTASKS alone is also in the environment of a batch script, which runs once. */
bool gf__wire_is_launched(void) {
  static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE",
                                      "JSM_NAMESPACE_SIZE", "PALS_SIZE"};
  bool by_srun = getenv("PMI_RANK") || getenv("PMIX_RANK");
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    if (is_several(sizes[i])) return true;
  return by_srun && is_several("SLURM_NTASKS");
}

gf_status gf__wire_open(gf__wire **out, double timeout, gf__place *place) {
  (void)timeout, (void)place;
  *out = NULL;
  return gf__fail(GF_ERROR_RANK,
                  "this gradflow was built without MPI, and was started as one of several ranks; "
                  "build it with -DGRADFLOW_MPI=ON, or start it without mpirun or srun");
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
