/* gf_bench_train: training steps and inference of the caller's networks, in turn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "bench/bench.h"
#include "bench/limits.h"
#include "bench/step.h"
#include "train/train_config.h"

enum { TRAINING, INFERENCE, MODES };

/* What is known of a network in one mode. */
typedef struct mode {
  gf__bench_timing timing; /* of the last round */
  gf_bench_rounds rounds;
  double host_bytes, device_bytes;
} mode;

typedef struct network {
  const gf_config *config;
  gf__bench_step step;
  gf_gradient_stats *gradients; /* NULL: no statistics */
  gf_dataset *dataset;          /* NULL: the constant batch */
  gf_loader *loader;
  int epoch;
  double opening_seconds;
  mode modes[MODES];
} network;

/* ---- a step ---- */

/* The next whole batch of the loader, or the constant one. */
static gf_status next_batch(network *n, gf_batch *next) {
  *next = n->step.batch;
  if (!n->loader) return GF_OK;
  GF_TRY(gf_loader_next(n->loader, next));
  if (next->count == n->step.batch.count) return GF_OK;
  GF_TRY(gf_loader_start(n->loader, ++n->epoch, 0));
  return gf_loader_next(n->loader, next);
}

static gf_status train_once(void *user) {
  network *n = user;
  gf_batch next;
  GF_TRY(next_batch(n, &next));
  return gf_trainer_step(n->step.trainer, next.images, next.labels, n->step.batch.count, 1e-3, NULL,
                         n->gradients);
}

static gf_status infer_once(void *user) {
  network *n = user;
  const gf_batch *batch = &n->step.batch;
  return gf_model_forward(n->step.model, batch->images, batch->labels, batch->count, 0, NULL);
}

/* ---- opening ---- */

static gf_status network_open_loader(network *n) {
  GF_TRY(gf_dataset_open(&n->dataset, n->config, GF_SPLIT_TRAIN));
  gf_dataset_info info = gf_dataset_describe(n->dataset);
  if (info.count < n->step.batch.count)
    return gf__fail(GF_ERROR_ARGUMENT, "%s has %d images for training, fewer than a batch of %d",
                    info.name, info.count, n->step.batch.count);
  gf_loader_options loading = gf_loader_options_default();
  loading.batch_size = n->step.batch.count;
  loading.training = true;
  GF_TRY(gf_loader_open(&n->loader, n->dataset, &loading));
  return gf_loader_start(n->loader, 0, 0);
}

static gf_status read_batch(const gf_config *config, int *out) {
  gf__train_config train;
  GF_TRY(gf__train_config_read(&train, config));
  *out = train.batch_size;
  return GF_OK;
}

static gf_status network_open(network *n, const gf__measurement *m, const gf_config *config,
                              bool is_first) {
  const gf_bench_train_options *o = m->train;
  double start = is_first ? m->start : gf__seconds();
  gf_dataset_info info;
  int batch = o->batch;
  n->config = config;
  if (batch == 0) GF_TRY(read_batch(config, &batch));
  GF_TRY(gf_dataset_shape(&info, config));
  GF_TRY(gf__bench_step_open(&n->step, m->device, config,
                             (gf_image_shape){info.height, info.width, info.channels}, info.classes,
                             batch));
  size_t tensors = (size_t)gf_trainer_gradient_count(n->step.trainer);
  if (o->statistics && !(n->gradients = calloc(tensors, sizeof *n->gradients)))
    return gf__fail_host_memory(tensors * sizeof *n->gradients);
  if (o->loader) GF_TRY(network_open_loader(n));
  n->opening_seconds = gf__seconds() - start;
  return GF_OK;
}

static void network_free(network *n) {
  free(n->gradients);
  gf_loader_free(&n->loader);
  gf_dataset_free(&n->dataset);
  gf__bench_step_free(&n->step);
}

/* ---- measuring ---- */

static const struct {
  const char *name; /* after that of the network */
  gf_bench_kind kind;
  gf__bench_work *work;
} modes[MODES] = {{"", GF_BENCH_STEP, train_once}, {", inference", GF_BENCH_INFERENCE, infer_once}};

static gf_status measure_round(gf__measurement *m, network *n, const char *name, int k) {
  mode *of = &n->modes[k];
  const gf__bench_effort effort = {.least = m->train->steps, .most = m->train->steps};
  char what[128];
  double first = of->timing.first;
  snprintf(what, sizeof what, "%s%s, round %d", name, modes[k].name, of->rounds.count + 1);
  GF_TRY(gf__measurement_next(m, what));
  GF_TRY(gf__bench_time(m->device, modes[k].work, n, &effort, &of->timing));
  if (of->rounds.count > 0) of->timing.first = first;
  of->rounds.seconds[of->rounds.count++] = of->timing.seconds;
  of->host_bytes = (double)gf__peak_memory();
  of->device_bytes = (double)gf__device_allocated_peak(m->device);
  return GF_OK;
}

/* The timing of all rounds: of several, the median and the quartiles of their medians. */
static gf__bench_timing timing_of_rounds(const mode *of) {
  gf__bench_timing timing = of->timing;
  double sorted[GF_BENCH_MOST_ROUNDS];
  timing.samples *= of->rounds.count;
  if (of->rounds.count == 1) return timing;
  memcpy(sorted, of->rounds.seconds, sizeof sorted);
  gf__bench_sort(sorted, of->rounds.count);
  timing.seconds = gf__bench_quantile(sorted, of->rounds.count, 0.5);
  timing.low = gf__bench_quantile(sorted, of->rounds.count, 0.25);
  timing.high = gf__bench_quantile(sorted, of->rounds.count, 0.75);
  return timing;
}

static gf_status add_row(gf__measurement *m, const network *n, const char *name, int k) {
  const mode *of = &n->modes[k];
  gf__bench_timing timing = timing_of_rounds(of);
  bool is_training = k == TRAINING;
  gf_bench_row row = {
      .kind = modes[k].kind,
      .batch = n->step.batch.count,
      .flops = is_training ? gf__bench_step_flops(&n->step) : gf__bench_inference_flops(&n->step),
      .bytes = is_training ? gf__bench_step_bytes(&n->step) : gf__bench_inference_bytes(&n->step),
      .upload_bytes = gf__bench_step_upload(&n->step),
      .rounds = of->rounds,
      .host_bytes = of->host_bytes,
      .device_bytes = of->device_bytes};
  snprintf(row.name, sizeof row.name, "%s%s", name, modes[k].name);
  if (is_training) timing.first += n->opening_seconds;
  return gf__measurement_add(m, &row, &timing);
}

static gf_status measure_networks(gf__measurement *m, network *networks) {
  const gf_bench_train_options *o = m->train;
  for (int i = 0; i < o->count; i++) GF_TRY(network_open(&networks[i], m, o->configs[i], i == 0));
  for (int r = 0; r < o->rounds; r++)
    for (int i = 0; i < o->count; i++)
      for (int k = 0; k < MODES; k++) GF_TRY(measure_round(m, &networks[i], o->names[i], k));
  for (int i = 0; i < o->count; i++)
    for (int k = 0; k < MODES; k++) GF_TRY(add_row(m, &networks[i], o->names[i], k));
  return GF_OK;
}

int gf__bench_count_training(const gf__measurement *m) {
  return m->train->rounds * m->train->count * MODES;
}

/* The limits come last, as what they allocate must not count as memory of a network. */
gf_status gf__bench_training(gf__measurement *m) {
  network *networks = calloc((size_t)m->train->count, sizeof *networks);
  if (!networks) return gf__fail_host_memory((size_t)m->train->count * sizeof *networks);
  gf_status status = measure_networks(m, networks);
  for (int i = 0; i < m->train->count; i++) network_free(&networks[i]);
  free(networks);
  if (status == GF_OK) status = gf__measurement_limits(m);
  for (int i = 0; status == GF_OK && i < m->out->row_count; i++)
    gf__bench_judge(&m->out->rows[i], &m->out->limits);
  return status;
}
