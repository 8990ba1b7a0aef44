/* What the network between ranks costs, for the model of a step in scale.c. */
#include <gradflow/scale.h>
#include <math.h>
#include <stdlib.h>

#include "base/os.h"
#include "distributed/communicator.h"

/* Seconds that a mean of count floats takes, averaged over ranks; the best of TIMES. */
static gf_status time_mean(gf_communicator *communicator, size_t count, double *seconds) {
  enum { TIMES = 20 };
  int ranks = gf__communicator_ranks(communicator);
  float *values = calloc(count, sizeof *values);
  int *weights = malloc((size_t)ranks * sizeof *weights);
  gf__mean *mean = NULL;
  gf_status status = values && weights ? gf__mean_new(&mean, communicator, count)
                                       : gf__fail_host_memory(count * sizeof *values);
  for (int r = 0; r < ranks && weights; r++) weights[r] = 1;
  *seconds = INFINITY;
  for (int i = 0; i < TIMES && status == GF_OK; i++) {
    double one = 1;
    status = gf__communicator_sum(communicator, &one, 1); /* all start together */
    double start = gf__seconds();
    if (status == GF_OK) status = gf__mean_start(mean, values, weights);
    if (status == GF_OK) status = gf__mean_wait(mean);
    *seconds = fmin(*seconds, gf__seconds() - start);
  }
  gf__mean_free(&mean);
  free(values);
  free(weights);
  if (status == GF_OK) status = gf__communicator_sum(communicator, seconds, 1);
  *seconds /= ranks;
  return status;
}

gf_status gf_scale_measure_network(gf_scale_network *out, gf_communicator *communicator) {
  const size_t few = 1, many = (size_t)1 << 20;
  double ranks = gf__communicator_ranks(communicator), small, large;
  if (ranks < 2)
    return gf__fail(GF_ERROR_ARGUMENT, "a network is measured by two ranks or more, not by one");
  GF_TRY(time_mean(communicator, few, &small));
  GF_TRY(time_mean(communicator, many, &large));
  /* One measurement does not tell the two apart; of the usual networks this is a tenth. */
  out->latency = small / 2 / (1 + (ranks - 1) / 10);
  out->overhead = out->latency / 10;
  double seconds = fmax(large - small, 1e-9);
  out->bandwidth = 2 * (ranks - 1) / ranks * (double)(many * sizeof(float)) / seconds;
  return GF_OK;
}
