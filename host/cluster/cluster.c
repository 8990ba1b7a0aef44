#include "cluster/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/wire.h"

struct gf_cluster {
  gf__wire *wire;
  gf__place place;
  bool has_agreed;
};

gf_status gf_cluster_open(gf_cluster **out, double timeout) {
  *out = NULL;
  if (!gf__wire_is_launched()) return GF_OK;
  gf_cluster *cluster = calloc(1, sizeof *cluster);
  if (!cluster) return gf__fail_host_memory(sizeof *cluster);
  gf_status status = gf__wire_open(&cluster->wire, timeout > 0 ? timeout : 60, &cluster->place);
  if (status != GF_OK) {
    free(cluster);
    return status;
  }
  *out = cluster;
  return GF_OK;
}

void gf_cluster_close(gf_cluster **cluster) {
  if (!*cluster) return;
  gf__wire_close(&(*cluster)->wire);
  free(*cluster);
  *cluster = NULL;
}

void gf_cluster_abort(gf_cluster *cluster, int code) {
  if (cluster) gf__wire_abort(cluster->wire, code);
}

gf_rank gf_cluster_describe(const gf_cluster *cluster) {
  if (!cluster) return (gf_rank){0, 1, 0, 1, ""};
  const gf__place *p = &cluster->place;
  return (gf_rank){p->rank, p->ranks, p->local_rank, p->local_ranks, p->host};
}

int gf__cluster_rank(const gf_cluster *cluster) { return cluster ? cluster->place.rank : 0; }
int gf__cluster_ranks(const gf_cluster *cluster) { return cluster ? cluster->place.ranks : 1; }

int gf_cluster_agreed(const gf_cluster *cluster) { return !cluster || cluster->has_agreed; }

void gf__cluster_set_agreed(gf_cluster *cluster) {
  if (cluster) cluster->has_agreed = true;
}

static gf_status run(gf_cluster *cluster, gf__job *job) {
  GF_TRY(gf__wire_start(cluster->wire, job));
  return gf__wire_wait(cluster->wire, job);
}

gf_status gf__cluster_gather(gf_cluster *cluster, const void *mine, size_t bytes, void *all) {
  if (!cluster) {
    memcpy(all, mine, bytes);
    return GF_OK;
  }
  gf__job job = {.kind = GF__JOB_GATHER, .mine = mine, .data = all, .bytes = (int)bytes};
  return run(cluster, &job);
}

gf_status gf__cluster_broadcast(gf_cluster *cluster, void *data, size_t bytes) {
  const size_t most = (size_t)1 << 30; /* MPI counts in an int */
  for (size_t at = 0; cluster && at < bytes; at += most) {
    size_t size = bytes - at < most ? bytes - at : most;
    gf__job job = {.kind = GF__JOB_BROADCAST, .data = (char *)data + at, .bytes = (int)size};
    GF_TRY(run(cluster, &job));
  }
  return GF_OK;
}

gf_status gf__cluster_sum(gf_cluster *cluster, double *values, size_t count) {
  size_t ranks = (size_t)gf__cluster_ranks(cluster);
  if (ranks == 1) return GF_OK;
  double *all = malloc(ranks * count * sizeof *all);
  if (!all) return gf__fail_host_memory(ranks * count * sizeof *all);
  gf_status status = gf__cluster_gather(cluster, values, count * sizeof *values, all);
  for (size_t i = 0; status == GF_OK && i < count; i++) {
    values[i] = 0;
    for (size_t r = 0; r < ranks; r++) values[i] += all[r * count + i];
  }
  free(all);
  return status;
}

gf_status gf__cluster_take(gf_cluster *cluster, gf__roll roll, long *out) {
  return gf__wire_take(cluster->wire, (int)roll, out);
}

/* ---- agreement ---- */

typedef struct outcome {
  int status;
  char host[sizeof((gf__place){0}).host];
  char message[2048];
} outcome;

static gf_status adopt(gf_cluster *cluster, const outcome *all) {
  int ranks = cluster->place.ranks, first = 0;
  while (first < ranks && all[first].status == GF_OK) first++;
  cluster->has_agreed = first < ranks;
  if (first == ranks) return GF_OK;
  const outcome *o = &all[first];
  if (first == 0) return gf__fail((gf_status)o->status, "%s", o->message);
  return gf__fail((gf_status)o->status, "rank %d of %d on %s: %s", first, ranks, o->host,
                  o->message);
}

gf_status gf_cluster_agree(gf_cluster *cluster, gf_status status) {
  if (!cluster) return status;
  size_t bytes = (size_t)cluster->place.ranks * sizeof(outcome);
  outcome mine = {.status = (int)status}, *all = malloc(bytes);
  if (!all) return gf__fail_host_memory(bytes);
  memcpy(mine.host, cluster->place.host, sizeof mine.host);
  if (status != GF_OK) strncpy(mine.message, gf_error_message(), sizeof mine.message - 1);
  status = gf__cluster_gather(cluster, &mine, sizeof mine, all);
  if (status == GF_OK) status = adopt(cluster, all);
  free(all);
  return status;
}

/* ---- means ---- */

struct gf__mean {
  gf__job job; /* first, so that the job's join finds the mean */
  gf_cluster *cluster;
  int *weights; /* (ranks) */
};

/* By sums in double, in the order of ranks. */
static void join(gf__job *job) {
  const gf__mean *mean = (const gf__mean *)job;
  int ranks = mean->cluster->place.ranks, size = job->sizes[mean->cluster->place.rank];
  double total = 0;
  for (int r = 0; r < ranks; r++) total += mean->weights[r];
  for (int i = 0; i < size; i++) {
    double sum = 0;
    for (int r = 0; r < ranks; r++)
      if (mean->weights[r]) sum += (double)mean->weights[r] * job->parts[(size_t)r * size + i];
    job->part[i] = (float)(sum / total);
  }
}

static gf_status divide(gf__mean *mean, size_t count) {
  gf__job *job = &mean->job;
  size_t ranks = (size_t)mean->cluster->place.ranks, rank = (size_t)mean->cluster->place.rank;
  int *ints = calloc(5 * ranks, sizeof *ints);
  if (!ints) return gf__fail_host_memory(5 * ranks * sizeof *ints);
  job->sizes = ints;
  job->offsets = ints + ranks;
  job->part_sizes = ints + 2 * ranks;
  job->part_offsets = ints + 3 * ranks;
  mean->weights = ints + 4 * ranks;
  for (size_t r = 0; r < ranks; r++) {
    job->offsets[r] = (int)(count * r / ranks);
    job->sizes[r] = (int)(count * (r + 1) / ranks) - job->offsets[r];
  }
  size_t size = (size_t)job->sizes[rank];
  for (size_t r = 0; r < ranks; r++) {
    job->part_sizes[r] = (int)size;
    job->part_offsets[r] = (int)(r * size);
  }
  job->parts = malloc((ranks * size + 1) * sizeof(float));
  job->part = malloc((size + 1) * sizeof(float));
  return job->parts && job->part ? GF_OK : gf__fail_host_memory(ranks * size * sizeof(float));
}

gf_status gf__mean_new(gf__mean **out, gf_cluster *cluster, size_t count) {
  gf__mean *mean = calloc(1, sizeof *mean);
  *out = mean;
  if (!mean) return gf__fail_host_memory(sizeof *mean);
  mean->cluster = cluster;
  mean->job.kind = GF__JOB_MEAN;
  mean->job.join = join;
  gf_status status = cluster ? divide(mean, count) : GF_OK;
  if (status != GF_OK) gf__mean_free(out);
  return status;
}

void gf__mean_free(gf__mean **mean) {
  if (!*mean) return;
  free((*mean)->job.sizes);
  free((*mean)->job.parts);
  free((*mean)->job.part);
  free(*mean);
  *mean = NULL;
}

gf_status gf__mean_start(gf__mean *mean, float *values, const int *weights) {
  if (!mean->cluster) return GF_OK;
  memcpy(mean->weights, weights, (size_t)mean->cluster->place.ranks * sizeof *weights);
  mean->job.data = values;
  mean->job.is_done = false;
  return gf__wire_start(mean->cluster->wire, &mean->job);
}

gf_status gf__mean_wait(gf__mean *mean) {
  return mean->cluster ? gf__wire_wait(mean->cluster->wire, &mean->job) : GF_OK;
}
