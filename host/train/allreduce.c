#include "train/allreduce.h"

#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"

/* Large enough that a message takes many times its latency, small enough that the first one leaves
 * early. */
enum { BUCKET_FLOATS = 1 << 18 };

/* Parameters that travel together. Their tensors follow each other without the gaps of the flat
 * buffer, whose size is the device's. */
typedef struct bucket {
  int begin;                 /* the first node of those that write it */
  int first, end;            /* its parameters, indices in the model */
  size_t offset, raw_floats; /* its place in the flat buffer */
  float *raw;                /* (raw_floats), as there */
  float *values;             /* the tensors alone */
  size_t floats;
  gf__mean *mean;
  gf__reading *reading;
} bucket;

struct gf__allreduce {
  gf_cluster *cluster;
  gf_model *model;
  const double *edges;
  int *images;     /* (ranks) of this batch */
  bucket *buckets; /* of gradients, the last layers first; then that of the running statistics */
  int count;
  gf__peers peers;
};

/* ---- buckets ---- */

static gf_status gather(void *user, const float *mine, size_t count, float *all) {
  return gf__cluster_gather(user, mine, count * sizeof *mine, all);
}

/* The node that writes parameter index. */
static int node_of(const gf_model *model, int index) {
  const gf__parameter *p = model->parameters[index];
  int i = 0;
  while (p < model->graph.nodes[i]->parameters ||
         p >= model->graph.nodes[i]->parameters + GF__MOST_PARAMETERS)
    i++;
  return i;
}

static gf_status open_bucket(gf__allreduce *x, bucket *b, int first, int end) {
  gf__parameter **p = x->model->parameters;
  b->first = first;
  b->end = end;
  b->offset = p[first]->offset;
  b->raw_floats = p[end - 1]->offset + p[end - 1]->count - b->offset;
  for (int i = first; i < end; i++) b->floats += p[i]->count;
  b->begin = node_of(x->model, first);
  b->raw = calloc(b->raw_floats, sizeof *b->raw);
  b->values = calloc(b->floats, sizeof *b->values);
  if (!b->raw || !b->values) return gf__fail_host_memory(2 * b->raw_floats * sizeof *b->raw);
  return gf__mean_new(&b->mean, x->cluster, b->floats);
}

/* From the last parameter to the first; a node's parameters stay together. */
static gf_status open_buckets(gf__allreduce *x) {
  const gf_model *model = x->model;
  int end = model->trainable_count;
  while (end > 0) {
    int first = end - 1;
    size_t floats = model->parameters[first]->count;
    while (first > 0 &&
           (floats < BUCKET_FLOATS || node_of(model, first - 1) == node_of(model, first)))
      floats += model->parameters[--first]->count;
    GF_TRY(open_bucket(x, &x->buckets[x->count++], first, end));
    end = first;
  }
  x->buckets[x->count - 1].begin = 0;
  if (model->parameter_count == model->trainable_count) return GF_OK;
  return open_bucket(x, &x->buckets[x->count++], model->trainable_count, model->parameter_count);
}

gf_status gf__allreduce_new(gf__allreduce **out, gf_cluster *cluster, gf_model *model,
                            const double *edges) {
  size_t most = (size_t)model->trainable_count + 1, ranks = (size_t)gf__cluster_ranks(cluster);
  gf__allreduce *x = calloc(1, sizeof *x);
  *out = x;
  if (!x) return gf__fail_host_memory(sizeof *x);
  x->cluster = cluster;
  x->model = model;
  x->edges = edges;
  x->images = calloc(ranks, sizeof *x->images);
  x->buckets = calloc(most, sizeof *x->buckets);
  gf_status status =
      x->images && x->buckets ? open_buckets(x) : gf__fail_host_memory(most * sizeof *x->buckets);
  x->peers = (gf__peers){(int)ranks, x->images, cluster, gather};
  if (status != GF_OK) gf__allreduce_free(out);
  return status;
}

void gf__allreduce_free(gf__allreduce **exchange) {
  gf__allreduce *x = *exchange;
  if (!x) return;
  for (int i = 0; i < x->count; i++) {
    bucket *b = &x->buckets[i];
    if (gf__reading_wait(&b->reading) != GF_OK) continue; /* the device may write there yet */
    gf__mean_free(&b->mean);
    free(b->raw);
    free(b->values);
  }
  free(x->buckets);
  free(x->images);
  free(x);
  *exchange = NULL;
}

size_t gf__allreduce_memory(const gf__allreduce *x) {
  size_t floats = 0;
  for (int i = 0; i < x->count; i++) floats += x->buckets[i].raw_floats + 2 * x->buckets[i].floats;
  return floats * sizeof(float);
}

/* ---- a step ---- */

static bool is_running(const gf__allreduce *x, const bucket *b) {
  return b->first >= x->model->trainable_count;
}

int gf__allreduce_bucket_count(const gf__allreduce *x) { return x->count; }

double gf__allreduce_bucket(const gf__allreduce *x, int index, int *begin) {
  const bucket *b = &x->buckets[index];
  *begin = is_running(x, b) ? 0 : b->begin;
  return (double)b->floats * sizeof(float);
}

const gf__peers *gf__allreduce_peers(const gf__allreduce *x) { return &x->peers; }

void gf__allreduce_begin(gf__allreduce *x, int whole) {
  for (int r = 0; r < x->peers.ranks; r++)
    x->images[r] = gf__shard_begin(x->edges[r + 1], whole) - gf__shard_begin(x->edges[r], whole);
  x->model->pass.peers = x->model->joins_batch_norms ? &x->peers : NULL;
}

/* The copy from the device, behind what is queued. */
static gf_status read_bucket(gf__allreduce *x, bucket *b, gf_buffer *flat) {
  if (x->model->pass.n == 0) return GF_OK;
  return gf__reading_start(&b->reading, flat, b->offset * sizeof(float),
                           b->raw_floats * sizeof(float), b->raw);
}

static void pack(const gf__allreduce *x, bucket *b, bool unpacks) {
  float *values = b->values;
  for (int i = b->first; i < b->end; i++) {
    const gf__parameter *p = x->model->parameters[i];
    float *raw = b->raw + (p->offset - b->offset);
    memcpy(unpacks ? raw : values, unpacks ? values : raw, p->count * sizeof *raw);
    values += p->count;
  }
}

static gf_status send_bucket(gf__allreduce *x, bucket *b) {
  GF_TRY(gf__reading_wait(&b->reading));
  pack(x, b, false);
  return gf__mean_start(b->mean, b->values, x->images);
}

/* A bucket is waited for when the work behind it is queued, so that the device always has some. */
gf_status gf__allreduce_backward(gf__allreduce *x) {
  gf_model *model = x->model;
  bucket *before = NULL;
  int end = model->graph.count;
  for (int i = 0; i < x->count; i++) {
    bucket *b = &x->buckets[i];
    if (is_running(x, b)) {
      GF_TRY(read_bucket(x, b, model->running));
    } else {
      GF_TRY(gf__model_queue_backward_nodes(model, b->begin, end));
      end = b->begin;
      GF_TRY(read_bucket(x, b, model->gradients));
    }
    if (before) GF_TRY(send_bucket(x, before));
    before = b;
  }
  return before ? send_bucket(x, before) : GF_OK;
}

gf_status gf__allreduce_send(gf__allreduce *x, gf_buffer *gradient) {
  for (int i = 0; i < x->count; i++) {
    bucket *b = &x->buckets[i];
    GF_TRY(read_bucket(x, b, is_running(x, b) ? x->model->running : gradient));
    GF_TRY(send_bucket(x, b));
  }
  return GF_OK;
}

/* The losses go while the last gradients are on their way. */
static gf_status sum_losses(gf__allreduce *x, int slot, bool wants_stop, gf__global_step *out) {
  enum { LOSSES, CORRECT, STOPS, VALUES };
  float sums[2] = {0};
  if (x->model->pass.n) GF_TRY(gf__model_read_results(x->model, slot, 1, sums));
  double values[VALUES] = {
      [LOSSES] = (double)sums[0], [CORRECT] = (double)sums[1], [STOPS] = wants_stop};
  GF_TRY(gf__cluster_sum(x->cluster, values, VALUES));
  *out = (gf__global_step){values[LOSSES], values[CORRECT], values[STOPS] > 0};
  return GF_OK;
}

gf_status gf__allreduce_finish(gf__allreduce *x, gf_buffer *gradient, int slot, bool wants_stop,
                               gf__global_step *out) {
  GF_TRY(sum_losses(x, slot, wants_stop, out));
  for (int i = 0; i < x->count; i++) {
    bucket *b = &x->buckets[i];
    GF_TRY(gf__mean_wait(b->mean));
    pack(x, b, true);
    GF_TRY(gf__buffer_write(is_running(x, b) ? x->model->running : gradient,
                            b->offset * sizeof(float), b->raw_floats * sizeof(float), b->raw));
  }
  return GF_OK;
}

/* ---- all at once ---- */

gf_status gf__allreduce_broadcast(gf_cluster *cluster, const gf_model *model, gf_buffer *flat,
                                  bool trainable) {
  int first = trainable ? 0 : model->trainable_count;
  int end = trainable ? model->trainable_count : model->parameter_count;
  for (int i = first; cluster && flat && i < end; i++) {
    const gf__parameter *p = model->parameters[i];
    size_t bytes = p->count * sizeof(float), at = p->offset * sizeof(float);
    float *values = malloc(bytes);
    if (!values) return gf__fail_host_memory(bytes);
    gf_status status = gf__buffer_read(flat, at, bytes, values);
    if (status == GF_OK) status = gf__cluster_broadcast(cluster, values, bytes);
    if (status == GF_OK) status = gf__buffer_write(flat, at, bytes, values);
    free(values);
    GF_TRY(status);
  }
  return GF_OK;
}
