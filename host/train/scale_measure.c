/* What the model of a step of many ranks is made of. */
#include <gradflow/scale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/os.h"
#include "data/dataset.h"
#include "distributed/buckets.h"
#include "train/train_config.h"
#include "train/trainer.h"

/* Of forward and backward together: the data's and the weights' gradients are a product each. */
static const double backward_fraction = 2.0 / 3;

/* A network and its trainer, on a batch of zeros. */
typedef struct subject {
  gf_model *model;
  gf_trainer *trainer;
} subject;

static void close_subject(subject *s) {
  gf_trainer_free(&s->trainer);
  gf_model_free(&s->model);
}

static gf_status open_subject(subject *s, gf_device *device, gf_communicator *communicator,
                              const gf_config *config, int batch, unsigned long long seed) {
  gf__trainer_options options = {.communicator = communicator};
  gf_dataset_info info;
  int launches;
  *s = (subject){NULL, NULL};
  GF_TRY(gf_dataset_shape(&info, config));
  gf_image_shape image = {info.height, info.width, info.channels};
  gf_status status = gf__model_open_with(&s->model, device, config, image, info.classes, batch,
                                         seed, &(gf__model_options){.measures_nothing = true});
  if (status == GF_OK) status = gf__trainer_open_with(&s->trainer, s->model, config, &options);
  if (status == GF_OK) status = gf__trainer_prepare(s->trainer, seed, &launches);
  if (status != GF_OK) close_subject(s);
  return status;
}

/* ---- a rank ---- */

static double flops_of(const gf_node *node) {
  return node->layer->flops ? node->layer->flops(node) : 0;
}

/* The buckets as they will be reduced, with the fraction of the operations before each. */
static gf_status find_buckets(gf_scale_costs *out, const gf_model *model) {
  gf__bucket *buckets;
  double all = 0, done = 0;
  GF_TRY(gf__buckets_plan(&buckets, &out->bucket_count, model));
  out->buckets = calloc((size_t)out->bucket_count, sizeof *out->buckets);
  for (int i = 0; i < model->graph.count; i++) all += flops_of(model->graph.nodes[i]);
  int node = model->graph.count;
  for (int i = 0; out->buckets && i < out->bucket_count; i++) {
    int first = buckets[i].is_running ? 0 : buckets[i].first_node;
    out->buckets[i].bytes = (double)buckets[i].floats * sizeof(float);
    while (node > first) done += flops_of(model->graph.nodes[--node]);
    out->buckets[i].ready = all > 0 ? done / all : 1;
  }
  free(buckets);
  return out->buckets ? GF_OK : gf__fail_host_memory(sizeof *out->buckets);
}

/* All gradients to the host and back, the better of some times. */
static gf_status measure_transfer(gf_model *model, double *seconds) {
  enum { TIMES = 5 };
  size_t bytes = model->flat_floats * sizeof(float);
  float *values = malloc(bytes);
  gf_status status = values ? GF_OK : gf__fail_host_memory(bytes);
  *seconds = INFINITY;
  for (int i = 0; i < TIMES && status == GF_OK; i++) {
    double begin = gf__seconds();
    status = gf__buffer_read(model->gradients, 0, bytes, values);
    if (status == GF_OK) status = gf__buffer_write(model->gradients, 0, bytes, values);
    *seconds = fmin(*seconds, gf__seconds() - begin);
  }
  free(values);
  return status;
}

static gf_status measure_at(gf_scale_costs *out, gf_device *device, const gf_config *config,
                            int batch, unsigned long long seed, double *seconds, bool all) {
  subject s;
  GF_TRY(open_subject(&s, device, NULL, config, batch, seed));
  gf_status status = gf__trainer_measure(s.trainer, seconds);
  if (all) {
    out->memory = gf__model_memory(s.model, batch);
    out->memory.optimizer = gf__trainer_memory(s.trainer);
    out->parameters = gf_model_parameter_total(s.model);
    if (status == GF_OK) status = gf__trainer_measure_update(s.trainer, &out->update);
    if (status == GF_OK) status = measure_transfer(s.model, &out->transfer);
    if (status == GF_OK) status = find_buckets(out, s.model);
  }
  close_subject(&s);
  return status;
}

gf_status gf_scale_measure(gf_scale_costs *out, gf_device *device, const gf_config *config) {
  gf__train_config run;
  double whole, fewer;
  *out = (gf_scale_costs){.backward = backward_fraction};
  GF_TRY(gf__train_config_read(&run, config));
  int batch = out->batch = run.batch_size, less = (batch + 3) / 4;
  gf_status status = measure_at(out, device, config, batch, run.seed, &whole, true);
  if (status == GF_OK) status = measure_at(out, device, config, less, run.seed, &fewer, false);
  if (status != GF_OK) {
    gf_scale_costs_free(out);
    return status;
  }
  /* A line through both, if it neither falls nor begins below 0. */
  double mean = whole / batch, slope = batch > less ? (whole - fewer) / (batch - less) : mean;
  bool is_plain = slope >= mean;
  out->image = is_plain ? mean : fmax(slope, 0);
  out->fixed = is_plain ? 0 : whole - batch * out->image;
  return GF_OK;
}

/* ---- all ranks ---- */

static gf_status time_steps(subject *s, gf_device *device, int ranks, double *seconds) {
  enum { STEPS = 6 };
  gf_batch zeros;
  double begin = 0;
  GF_TRY(gf__trainer_zeros(s->trainer, &zeros));
  zeros.whole = ranks * zeros.count;
  gf_status status = GF_OK;
  for (int i = 0; i <= STEPS && status == GF_OK; i++) {
    if (i == 1) begin = gf__seconds();
    status = gf__trainer_queue_step(s->trainer, &zeros, 0, 0, GF__MEASURE_NOTHING);
    if (status == GF_OK) status = gf_device_finish(device);
  }
  gf__trainer_zeros_free(&zeros);
  *seconds = (gf__seconds() - begin) / STEPS;
  return status;
}

gf_status gf_scale_measure_step(double *seconds, gf_device *device, gf_communicator *communicator,
                                const gf_config *config) {
  gf__train_config run;
  subject s;
  GF_TRY(gf__train_config_read(&run, config));
  GF_TRY(gf_communicator_agree(
      communicator, open_subject(&s, device, communicator, config, run.batch_size, run.seed)));
  gf_status status = time_steps(&s, device, gf__communicator_ranks(communicator), seconds);
  close_subject(&s);
  return status;
}
