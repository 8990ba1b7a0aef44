#include "distributed/communicator.h"

#include <stdlib.h>
#include <string.h>

#include "distributed/wire.h"

struct gf_communicator {
  gf__wire *wire;
  gf__place place;
  bool has_agreed;
};

gf_status gf_communicator_open(gf_communicator **out, double timeout) {
  *out = NULL;
  if (!gf__wire_is_launched()) return GF_OK;
  gf_communicator *communicator = calloc(1, sizeof *communicator);
  if (!communicator) return gf__fail_host_memory(sizeof *communicator);
  gf_status status =
      gf__wire_open(&communicator->wire, timeout > 0 ? timeout : 60, &communicator->place);
  if (status != GF_OK) {
    free(communicator);
    return status;
  }
  *out = communicator;
  return GF_OK;
}

void gf_communicator_close(gf_communicator **communicator) {
  if (!*communicator) return;
  gf__wire_close(&(*communicator)->wire);
  free(*communicator);
  *communicator = NULL;
}

void gf_communicator_abort(gf_communicator *communicator, int code) {
  if (communicator) gf__wire_abort(communicator->wire, code);
}

gf_rank gf_communicator_describe(const gf_communicator *communicator) {
  if (!communicator) return (gf_rank){0, 1, 0, 1, ""};
  const gf__place *p = &communicator->place;
  return (gf_rank){p->rank, p->ranks, p->local_rank, p->local_ranks, p->host};
}

int gf__communicator_rank(const gf_communicator *communicator) {
  return communicator ? communicator->place.rank : 0;
}
int gf__communicator_ranks(const gf_communicator *communicator) {
  return communicator ? communicator->place.ranks : 1;
}

bool gf_communicator_agreed(const gf_communicator *communicator) {
  return !communicator || communicator->has_agreed;
}

void gf__communicator_set_agreed(gf_communicator *communicator) {
  if (communicator) communicator->has_agreed = true;
}

static gf_status run_job(gf_communicator *communicator, gf__job *job) {
  GF_TRY(gf__wire_start(communicator->wire, job));
  return gf__wire_wait(communicator->wire, job);
}

gf_status gf__communicator_gather(gf_communicator *communicator, const void *mine, size_t bytes,
                                  void *all) {
  if (!communicator) {
    memcpy(all, mine, bytes);
    return GF_OK;
  }
  gf__job job = {.kind = GF__JOB_GATHER, .mine = mine, .data = all, .bytes = (int)bytes};
  return run_job(communicator, &job);
}

gf_status gf__communicator_broadcast(gf_communicator *communicator, void *data, size_t bytes) {
  const size_t most = (size_t)1 << 30; /* MPI counts in an int */
  for (size_t at = 0; communicator && at < bytes; at += most) {
    size_t size = bytes - at < most ? bytes - at : most;
    gf__job job = {.kind = GF__JOB_BROADCAST, .data = (char *)data + at, .bytes = (int)size};
    GF_TRY(run_job(communicator, &job));
  }
  return GF_OK;
}

gf_status gf__communicator_sum(gf_communicator *communicator, double *values, size_t count) {
  size_t ranks = (size_t)gf__communicator_ranks(communicator);
  if (ranks == 1) return GF_OK;
  double *all = malloc(ranks * count * sizeof *all);
  if (!all) return gf__fail_host_memory(ranks * count * sizeof *all);
  gf_status status = gf__communicator_gather(communicator, values, count * sizeof *values, all);
  for (size_t i = 0; status == GF_OK && i < count; i++) {
    values[i] = 0;
    for (size_t r = 0; r < ranks; r++) values[i] += all[r * count + i];
  }
  free(all);
  return status;
}

gf_status gf__communicator_next(gf_communicator *communicator, gf__roll roll, long *out) {
  return gf__wire_next(communicator->wire, (int)roll, out);
}

/* ---- agreement ---- */

typedef struct outcome {
  int status;
  char host[sizeof((gf__place){0}).host];
  char message[2048];
} outcome;

static gf_status adopt_outcome(gf_communicator *communicator, const outcome *all) {
  int ranks = communicator->place.ranks, first = 0;
  while (first < ranks && all[first].status == GF_OK) first++;
  communicator->has_agreed = first < ranks;
  if (first == ranks) return GF_OK;
  const outcome *o = &all[first];
  if (first == 0) return gf__fail((gf_status)o->status, "%s", o->message);
  return gf__fail((gf_status)o->status, "rank %d of %d on %s: %s", first, ranks, o->host,
                  o->message);
}

gf_status gf_communicator_agree(gf_communicator *communicator, gf_status status) {
  if (!communicator) return status;
  size_t bytes = (size_t)communicator->place.ranks * sizeof(outcome);
  outcome mine = {.status = (int)status}, *all = malloc(bytes);
  if (!all) return gf__fail_host_memory(bytes);
  memcpy(mine.host, communicator->place.host, sizeof mine.host);
  if (status != GF_OK) strncpy(mine.message, gf_error_message(), sizeof mine.message - 1);
  status = gf__communicator_gather(communicator, &mine, sizeof mine, all);
  if (status == GF_OK) status = adopt_outcome(communicator, all);
  free(all);
  return status;
}

/* ---- means ---- */

struct gf__mean {
  gf__job job; /* first, so that the job's join finds the mean */
  gf_communicator *communicator;
  int *weights; /* (ranks) */
};

/* By sums in double, in the order of ranks. */
static void join_mean(gf__job *job) {
  const gf__mean *mean = (const gf__mean *)job;
  int ranks = mean->communicator->place.ranks, size = job->sizes[mean->communicator->place.rank];
  double total = 0;
  for (int r = 0; r < ranks; r++) total += mean->weights[r];
  for (int i = 0; i < size; i++) {
    double sum = 0;
    for (int r = 0; r < ranks; r++)
      if (mean->weights[r]) sum += (double)mean->weights[r] * job->pieces[(size_t)r * size + i];
    job->joined[i] = (float)(sum / total);
  }
}

static gf_status divide_mean(gf__mean *mean, size_t count) {
  gf__job *job = &mean->job;
  size_t ranks = (size_t)mean->communicator->place.ranks,
         rank = (size_t)mean->communicator->place.rank;
  int *ints = calloc(5 * ranks, sizeof *ints);
  if (!ints) return gf__fail_host_memory(5 * ranks * sizeof *ints);
  job->sizes = ints;
  job->offsets = ints + ranks;
  job->piece_sizes = ints + 2 * ranks;
  job->piece_offsets = ints + 3 * ranks;
  mean->weights = ints + 4 * ranks;
  for (size_t r = 0; r < ranks; r++) {
    job->offsets[r] = (int)(count * r / ranks);
    job->sizes[r] = (int)(count * (r + 1) / ranks) - job->offsets[r];
  }
  size_t size = (size_t)job->sizes[rank];
  for (size_t r = 0; r < ranks; r++) {
    job->piece_sizes[r] = (int)size;
    job->piece_offsets[r] = (int)(r * size);
  }
  job->pieces = malloc((ranks * size + 1) * sizeof(float));
  job->joined = malloc((size + 1) * sizeof(float));
  return job->pieces && job->joined ? GF_OK : gf__fail_host_memory(ranks * size * sizeof(float));
}

gf_status gf__mean_new(gf__mean **out, gf_communicator *communicator, size_t count) {
  gf__mean *mean = calloc(1, sizeof *mean);
  *out = mean;
  if (!mean) return gf__fail_host_memory(sizeof *mean);
  mean->communicator = communicator;
  mean->job.kind = GF__JOB_MEAN;
  mean->job.join = join_mean;
  gf_status status = communicator ? divide_mean(mean, count) : GF_OK;
  if (status != GF_OK) gf__mean_free(out);
  return status;
}

void gf__mean_free(gf__mean **mean) {
  if (!*mean) return;
  free((*mean)->job.sizes);
  free((*mean)->job.pieces);
  free((*mean)->job.joined);
  free(*mean);
  *mean = NULL;
}

gf_status gf__mean_start(gf__mean *mean, float *values, const int *weights) {
  if (!mean->communicator) return GF_OK;
  memcpy(mean->weights, weights, (size_t)mean->communicator->place.ranks * sizeof *weights);
  mean->job.data = values;
  mean->job.is_done = false;
  return gf__wire_start(mean->communicator->wire, &mean->job);
}

gf_status gf__mean_wait(gf__mean *mean) {
  return mean->communicator ? gf__wire_wait(mean->communicator->wire, &mean->job) : GF_OK;
}
