#include "distributed/allreduce.h"

#include <stdlib.h>
#include <string.h>

#include "distributed/buckets.h"
#include "distributed/moments.h"
#include "distributed/shards.h"

/* What a bucket needs to be reduced. */
typedef struct transfer {
  gf__bucket bucket;
  float *raw;    /* as it is in the flat buffer, whose gaps depend on the device */
  float *values; /* its tensors alone */
  gf__mean *mean;
  gf__reading *reading;
} transfer;

struct gf__allreduce {
  gf_model *model;
  gf__batch_ranks ranks;
  gf__whole_batch whole_batch;
  double *bounds;      /* (ranks + 1) of shards */
  transfer *transfers; /* (count) in the order of buckets; none with one rank */
  int count;
  double (*results)[2]; /* (GF__RESULT_ROWS, 2) over all ranks */
  bool stop_is_wanted, stops;
};

static bool is_alone(const gf__allreduce *x) { return x->ranks.ranks == 1; }

/* ---- opening ---- */

static gf_status open_transfer(gf__allreduce *x, transfer *t, const gf__bucket *bucket) {
  t->bucket = *bucket;
  t->raw = calloc(bucket->raw_floats, sizeof *t->raw);
  t->values = calloc(bucket->floats, sizeof *t->values);
  if (!t->raw || !t->values) return gf__fail_host_memory(2 * bucket->raw_floats * sizeof *t->raw);
  return gf__mean_new(&t->mean, x->ranks.communicator, bucket->floats);
}

static gf_status open_transfers(gf__allreduce *x) {
  gf__bucket *buckets;
  int count;
  GF_TRY(gf__buckets_plan(&buckets, &count, x->model));
  x->transfers = calloc((size_t)count, sizeof *x->transfers);
  gf_status status =
      x->transfers ? GF_OK : gf__fail_host_memory((size_t)count * sizeof *x->transfers);
  for (int i = 0; status == GF_OK && i < count; i++)
    status = open_transfer(x, &x->transfers[x->count++], &buckets[i]);
  free(buckets);
  return status;
}

static gf_status open_allreduce(gf__allreduce *x, const double *bounds) {
  size_t ranks = (size_t)x->ranks.ranks;
  x->bounds = malloc((ranks + 1) * sizeof *x->bounds);
  x->ranks.images = calloc(ranks, sizeof *x->ranks.images);
  x->results = calloc(GF__RESULT_ROWS, sizeof *x->results);
  if (!x->bounds || !x->ranks.images || !x->results)
    return gf__fail_host_memory(GF__RESULT_ROWS * sizeof *x->results);
  gf__shard_bounds(x->bounds, NULL, x->ranks.ranks);
  if (bounds) memcpy(x->bounds, bounds, (ranks + 1) * sizeof *bounds);
  return is_alone(x) ? GF_OK : open_transfers(x);
}

gf_status gf__allreduce_new(gf__allreduce **out, gf_communicator *communicator, gf_model *model,
                            const double *bounds) {
  gf__allreduce *x = *out = calloc(1, sizeof *x);
  if (!x) return gf__fail_host_memory(sizeof *x);
  x->model = model;
  x->ranks = (gf__batch_ranks){.communicator = communicator,
                               .rank = gf__communicator_rank(communicator),
                               .ranks = gf__communicator_ranks(communicator)};
  x->whole_batch = gf__whole_batch_of(&x->ranks);
  gf_status status = open_allreduce(x, bounds);
  if (status != GF_OK) gf__allreduce_free(out);
  return status;
}

void gf__allreduce_free(gf__allreduce **allreduce) {
  gf__allreduce *x = *allreduce;
  if (!x) return;
  for (int i = 0; i < x->count; i++) {
    transfer *t = &x->transfers[i];
    if (gf__reading_wait(&t->reading) != GF_OK) continue; /* the device may write there yet */
    gf__mean_free(&t->mean);
    free(t->raw);
    free(t->values);
  }
  free(x->transfers);
  free(x->bounds);
  free(x->ranks.images);
  free(x->results);
  free(x);
  *allreduce = NULL;
}

/* ---- a step ---- */

const gf__whole_batch *gf__allreduce_whole_batch(const gf__allreduce *x) {
  return is_alone(x) ? NULL : &x->whole_batch;
}

void gf__allreduce_start(gf__allreduce *x, int whole) {
  for (int r = 0; r < x->ranks.ranks; r++) x->ranks.images[r] = gf__shard_size(x->bounds, r, whole);
  x->model->keeps_unit_means = !is_alone(x);
  x->model->pass.whole_batch = x->model->joins_batch_norms ? gf__allreduce_whole_batch(x) : NULL;
}

/* Starts the copy from the device, which is made after what is queued. */
static gf_status read_bucket(gf__allreduce *x, transfer *t, gf_buffer *gradient) {
  const gf__bucket *b = &t->bucket;
  if (x->model->pass.n == 0) return GF_OK;
  return gf__reading_start(&t->reading, b->is_running ? x->model->running : gradient,
                           b->offset * sizeof(float), b->raw_floats * sizeof(float), t->raw);
}

static void pack_bucket(const gf__allreduce *x, transfer *t, bool unpacks) {
  float *values = t->values;
  for (int i = t->bucket.first; i < t->bucket.end; i++) {
    const gf__parameter *p = x->model->parameters[i];
    float *raw = t->raw + (p->offset - t->bucket.offset);
    memcpy(unpacks ? raw : values, unpacks ? values : raw, p->count * sizeof *raw);
    values += p->count;
  }
}

static gf_status send_bucket(gf__allreduce *x, transfer *t) {
  GF_TRY(gf__reading_wait(&t->reading));
  pack_bucket(x, t, false);
  return gf__mean_start(t->mean, t->values, x->ranks.images);
}

/* A bucket is waited for when the work after it is queued, so that the device always has some. */
gf_status gf__allreduce_backward(gf__allreduce *x) {
  gf_model *model = x->model;
  int end = model->graph.count;
  for (int i = 0; i < x->count; i++) {
    transfer *t = &x->transfers[i];
    if (!t->bucket.is_running) {
      GF_TRY(gf__model_queue_backward_nodes(model, t->bucket.first_node, end));
      end = t->bucket.first_node;
    }
    GF_TRY(read_bucket(x, t, model->gradients));
    if (i > 0) GF_TRY(send_bucket(x, t - 1));
  }
  if (end > 0) GF_TRY(gf__model_queue_backward_nodes(model, 0, end));
  return x->count ? send_bucket(x, &x->transfers[x->count - 1]) : GF_OK;
}

gf_status gf__allreduce_send(gf__allreduce *x, gf_buffer *gradient) {
  for (int i = 0; i < x->count; i++) {
    GF_TRY(read_bucket(x, &x->transfers[i], gradient));
    GF_TRY(send_bucket(x, &x->transfers[i]));
  }
  return GF_OK;
}

/* The losses are summed while the last gradients are on their way. */
static gf_status sum_losses(gf__allreduce *x, int row) {
  float sums[2] = {0};
  double *values = x->results[row];
  if (x->model->pass.n) GF_TRY(gf__model_read_results(x->model, row, 1, sums));
  for (int i = 0; i < 2; i++) values[i] = (double)sums[i];
  return gf__allreduce_sum(x, values, 2);
}

gf_status gf__allreduce_finish(gf__allreduce *x, gf_buffer *gradient, int row) {
  if (is_alone(x)) return GF_OK;
  GF_TRY(sum_losses(x, row));
  for (int i = 0; i < x->count; i++) {
    transfer *t = &x->transfers[i];
    const gf__bucket *b = &t->bucket;
    GF_TRY(gf__mean_wait(t->mean));
    pack_bucket(x, t, true);
    GF_TRY(gf__buffer_write(b->is_running ? x->model->running : gradient, b->offset * sizeof(float),
                            b->raw_floats * sizeof(float), t->raw));
  }
  return GF_OK;
}

/* ---- results ---- */

int gf__allreduce_result_rows(const gf__allreduce *x) {
  return is_alone(x) ? GF__MICRO_BATCH_ROW : 1;
}

gf_status gf__allreduce_read_results(gf__allreduce *x, int first, int count, double *sums) {
  float values[2 * GF__RESULT_ROWS];
  if (!is_alone(x)) {
    memcpy(sums, x->results[first], (size_t)count * sizeof *x->results);
    return GF_OK;
  }
  GF_TRY(gf__model_read_results(x->model, first, count, values));
  for (int i = 0; i < 2 * count; i++) sums[i] = (double)values[i];
  return GF_OK;
}

/* ---- stopping ---- */

gf_status gf__allreduce_sum(gf__allreduce *x, double *values, int count) {
  double all[GF__MOST_SUMS + 1];
  if (is_alone(x)) return GF_OK;
  memcpy(all, values, (size_t)count * sizeof *values);
  all[count] = x->stop_is_wanted;
  GF_TRY(gf__communicator_sum(x->ranks.communicator, all, (size_t)count + 1));
  memcpy(values, all, (size_t)count * sizeof *values);
  x->stops |= all[count] > 0;
  return GF_OK;
}

bool gf__allreduce_stops(gf__allreduce *x, bool wanted) {
  x->stop_is_wanted |= wanted;
  return is_alone(x) ? wanted : x->stops;
}

/* ---- one state ---- */

gf_status gf__allreduce_broadcast(gf_communicator *communicator, const gf_model *model,
                                  gf_buffer *flat, bool trainable) {
  int first = trainable ? 0 : model->trainable_count;
  int end = trainable ? model->trainable_count : model->parameter_count;
  for (int i = first; gf__communicator_ranks(communicator) > 1 && flat && i < end; i++) {
    const gf__parameter *p = model->parameters[i];
    size_t bytes = p->count * sizeof(float), at = p->offset * sizeof(float);
    float *values = malloc(bytes);
    if (!values) return gf__fail_host_memory(bytes);
    gf_status status = gf__buffer_read(flat, at, bytes, values);
    if (status == GF_OK) status = gf__communicator_broadcast(communicator, values, bytes);
    if (status == GF_OK) status = gf__buffer_write(flat, at, bytes, values);
    free(values);
    GF_TRY(status);
  }
  return GF_OK;
}
